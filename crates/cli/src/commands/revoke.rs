//! `rescind revoke`: revoke credentials of sessions now, and say whether they are dead.

use crate::context::Context;
use crate::credentials::{self, Kept};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::Out;
use crate::text::count;
use clap::Args;
use serde_json::json;

/// Arguments of `rescind revoke`.
#[derive(Debug, Clone, Args)]
pub struct RevokeArgs {
    /// A session, by its id or a part of it, or a credential's name; without it, all that is not proved dead of sessions
    /// that are over
    #[arg(value_name = "SESSION|CREDENTIAL")]
    pub what: Option<String>,
    /// Forget what can't be proved dead; it is on record that you did
    #[arg(long, requires = "what")]
    pub give_up: bool,
    /// What a dead supervisor left: what its guardian asks for.
    #[arg(long, hide = true)]
    pub left: bool,
}

/// Revoke. What was revoked before is revoked again, which does no harm.
///
/// # Errors
/// There is no such credential, or one is not proved dead.
pub fn run(context: &Context, args: &RevokeArgs) -> Done {
    // What sessions left is revoked with the books, as by every command.
    let store = context.store_outside()?;
    if args.left {
        credentials::sweep(&store, credentials::HANGS);
        return Ok(Exit::Ok);
    }
    let outstanding = credentials::outstanding(&store)?;
    let wanted: Vec<Kept> = match &args.what {
        None => outstanding
            .into_iter()
            .filter(|kept| !is_running(&store, kept))
            .collect(),
        Some(what) => {
            let session = store.find(Some(what)).ok().map(|id| id.to_string());
            let fits = |kept: &Kept| kept.credential == *what || Some(&kept.session) == session.as_ref();
            let wanted: Vec<Kept> = outstanding.into_iter().filter(fits).collect();
            if wanted.is_empty() {
                let message = format!(
                    "no credential of `{what}` is in force: it is no session with one, and no name of one"
                );
                return Err(Failure::new(Code::NoSuchCredential, message).help("`rescind status` lists them"));
            }
            wanted
        }
    };
    let mut out = Out::new();
    let mut unproved = 0_u64;
    for kept in wanted {
        if args.give_up {
            credentials::give_up(&store, &kept)?;
            let (session, credential) = (&kept.session, &kept.credential);
            if context.json {
                out.json(&json!({"session_id": session, "credential": credential, "given_up": true}))?;
            } else {
                out.line(format!(
                    "credential `{credential}` of session {session} is given up"
                ))?;
            }
            continue;
        }
        for end in credentials::revoke_session(&store, &kept.session, Some(&kept.credential))? {
            unproved += u64::from(!end.is_dead());
            if context.json {
                out.json(&json!({
                    "session_id": end.session,
                    "credential": end.credential,
                    "dead": end.is_dead(),
                    "why": end.unproved,
                }))?;
            } else {
                out.line(end.sentence())?;
            }
        }
    }
    out.end()?;
    if unproved == 0 {
        return Ok(Exit::Ok);
    }
    let message = format!(
        "{} not proved dead",
        count(unproved, "credential is", "credentials are")
    );
    Err(Failure::new(Code::CredentialUnproved, message)
        .means("it may still work, until it ends by itself")
        .help(
            "mend what the answer names, then give the command again; or revoke it by hand, and `--give-up`",
        ))
}

fn is_running(store: &rescind_supervisor::Store, kept: &Kept) -> bool {
    let id = kept.session.parse().ok();
    id.is_some_and(|id| {
        rescind_supervisor::opened(store, &id).is_ok_and(|begun| rescind_supervisor::lives(&begun.supervisor))
    })
}
