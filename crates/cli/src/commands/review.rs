//! `rescind review`: what a session on a stage would change.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, say};
use crate::staging::{Chosen, Detail, json, print, settle, staged};
use clap::Args;
use std::path::PathBuf;

/// Arguments of `rescind review`.
#[derive(Debug, Clone, Args)]
pub struct ReviewArgs {
    /// The session, by its id or a part of it; the last one on a stage if none is given
    pub session: Option<String>,
    /// Only what is at or below these paths
    pub paths: Vec<PathBuf>,
    /// Only the list, without texts
    #[arg(long, conflicts_with = "stat")]
    pub name_only: bool,
    /// Only the list, with how many lines are added and removed
    #[arg(long)]
    pub stat: bool,
}

/// Print what would change.
///
/// # Errors
/// The session is not found, has no stage, or can't be read.
pub fn run(context: &Context, args: &ReviewArgs) -> Done {
    let store = context.store()?;
    let staged = staged(&store, args.session.as_deref())?;
    if context.is_outside(&store)? {
        match staged.turn(false)? {
            Some(_turn) => settle(&store, &staged)?,
            None => say("rescind: it is being promoted at this moment"),
        }
    }
    let all = staged.changes()?;
    let chosen = Chosen::of(&all, &args.paths)?;
    let detail = match (args.name_only, args.stat) {
        (true, _) => Detail::List,
        (_, true) => Detail::Stat,
        _ => Detail::Texts,
    };
    let mut out = Out::new();
    if context.json {
        for change in &chosen.changes {
            out.json(&json(change, detail))?;
        }
    } else {
        print(&mut out, &chosen, detail)?;
        if chosen.changes.is_empty() {
            say("nothing on the stage differs from the real tree");
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}
