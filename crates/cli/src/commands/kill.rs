//! `rescind kill`: end a running session's whole tree.

use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::Out;
use crate::undoing::stop;
use clap::Args;
use rescind_model::SessionId;
use rescind_supervisor::{Life, SessionView, Store};
use serde_json::json;
use std::time::Instant;

/// Arguments of `rescind kill`.
#[derive(Debug, Clone, Args)]
pub struct KillArgs {
    /// The session, by its id or a part of it; the one that is running if none is given
    pub session: Option<String>,
}

/// End the tree. What it changed can be undone afterwards.
///
/// # Errors
/// No such session is running, or something of it can't be ended.
pub fn run(context: &Context, args: &KillArgs) -> Done {
    let store = context.store_at_once()?;
    let id = match &args.session {
        Some(asked) => context::session(&store, Some(asked))?,
        None => running(&store)?,
    };
    let begun = Instant::now();
    stop(&store, &id, true)?;
    let credentials = crate::credentials::revoke_session(&store, id.as_str(), None)?;
    let unproved: Vec<&crate::credentials::End> = credentials.iter().filter(|end| !end.is_dead()).collect();
    let milliseconds = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"session_id": id.to_string(), "killed": true, "milliseconds": milliseconds}))?;
    } else {
        out.line(format!(
            "session {id} was ended in {milliseconds} ms; `rescind undo {id}` takes it back"
        ))?;
    }
    out.end()?;
    if let Some(end) = unproved.first() {
        let message = format!("the session was ended; not proved dead: {}", end.sentence());
        return Err(Failure::new(Code::CredentialUnproved, message)
            .means("it may still work, until it ends by itself")
            .help("`rescind revoke` tries again"));
    }
    Ok(Exit::Ok)
}

fn running(store: &Store) -> Done<SessionId> {
    let mut running = Vec::new();
    for id in rescind_supervisor::unended(store)? {
        if SessionView::load(store, &id).is_ok_and(|view| view.life() == Life::Running) {
            running.push(id);
        }
    }
    match running.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Failure::new(Code::NotRunning, "no session is running")),
        [first, second, ..] => {
            let message = format!("several sessions are running, {first} and {second} among them");
            Err(Failure::new(Code::AmbiguousSession, message).help("say which one"))
        }
    }
}
