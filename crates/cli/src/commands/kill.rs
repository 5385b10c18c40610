//! `rescind kill` and `rescind pause`: stop a session, an agent, a domain or everything.

use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::Out;
use crate::stopping::{self, Meant, StopScopeArgs};
use crate::undoing;
use clap::Args;
use rescind_model::SessionId;
use rescind_supervisor::control::Mode;
use rescind_supervisor::{Life, SessionView, Store};
use serde_json::json;
use std::time::Instant;

/// Arguments of `rescind kill` and `rescind pause`.
#[derive(Debug, Clone, Args)]
pub struct KillArgs {
    /// The session, by its id or a part of it; the one that is running if nothing is given
    #[arg(group = "stopped")]
    pub session: Option<String>,
    /// Its scope.
    #[command(flatten)]
    pub scope: StopScopeArgs,
    /// Why, for the record and for whoever finds it stopped
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub why: String,
}

/// End all in scope, and keep it from starting again. What it changed can be undone afterwards.
///
/// # Errors
/// Nothing of the kind is running, or something of it can't be ended.
pub fn run(context: &Context, args: &KillArgs) -> Done {
    let control = stopping::control_outside(context)?;
    match args.scope.meant(&control, args.session.as_deref())? {
        Meant::Scope(scope) => stopping::stop(context, &control, &scope, Mode::Kill, &args.why),
        Meant::Elsewhere(session) => end(context, session.as_deref()),
    }
}

/// Hold all in scope in place, until it is resumed.
///
/// # Errors
/// Nothing of the kind is running.
pub fn pause(context: &Context, args: &KillArgs) -> Done {
    let control = stopping::control_outside(context)?;
    match args.scope.meant(&control, args.session.as_deref())? {
        Meant::Scope(scope) => stopping::stop(context, &control, &scope, Mode::Pause, &args.why),
        Meant::Elsewhere(session) => Err(Failure::new(
            Code::NotRunning,
            match session {
                Some(session) => format!("no session called `{session}` is running"),
                None => "no session is running".to_owned(),
            },
        )),
    }
}

/// End a session that no gateway is for: an undo, or one that keeps the files of a single call.
fn end(context: &Context, session: Option<&str>) -> Done {
    let store = context.store_at_once()?;
    let id = match session {
        Some(asked) => context::session(&store, Some(asked))?,
        None => running(&store)?,
    };
    let begun = Instant::now();
    undoing::stop(&store, &id, true)?;
    let credentials = crate::credentials::revoke_session(&store, id.as_str(), None)?;
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
    if let Some(end) = credentials.iter().find(|end| !end.is_dead()) {
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
