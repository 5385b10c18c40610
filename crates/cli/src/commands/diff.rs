//! `rescind diff`: what a session changed in the end.

use super::show::{change_json, coloured, line};
use crate::changes::{Change, attributes, net};
use crate::content::Texts;
use crate::context::{self, Context};
use crate::error::Done;
use crate::exit::Exit;
use crate::history::effects;
use crate::out::{Out, dim};
use crate::text::clean;
use crate::undoing::ScopeArgs;
use clap::Args;
use rescind_supervisor::StoredBodies;

/// Arguments of `rescind diff`.
#[derive(Debug, Clone, Args)]
pub struct DiffArgs {
    /// The session, by its id or a part of it; the last run if none is given
    pub session: Option<String>,
    /// Only paths that match; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub path: Vec<String>,
    /// Only the list, without texts
    #[arg(long)]
    pub name_only: bool,
}

/// Print the net changes.
///
/// # Errors
/// The session is not found or can't be read.
pub fn run(context: &Context, args: &DiffArgs) -> Done {
    let store = context.store()?;
    let id = context::session(&store, args.session.as_deref())?;
    let view = context::load(&store, &id)?;
    if view.opened.staged {
        crate::out::say(format!(
            "rescind: this was on a stage; `rescind review {id}` compares it with the real tree"
        ));
    }
    let all = effects(&view);
    let scope = ScopeArgs {
        path: args.path.clone(),
        ..ScopeArgs::default()
    };
    let mut changes: Vec<Change> = {
        let scoped = scope.split(&store, &view, all.clone())?;
        net(&scoped.split.inside().cloned().collect::<Vec<_>>())
    };
    changes.sort_by(|one, other| one.name.cmp(&other.name));
    let texts = Texts::new(StoredBodies::new(&store, None), &all);
    let mut out = Out::new();
    for change in &changes {
        if context.json {
            out.json(&change_json(change, (!args.name_only).then_some(&texts)))?;
            continue;
        }
        let list = attributes(&change.before, &change.after);
        let list: Vec<String> = list.into_iter().filter(|own| !own.starts_with("mtime")).collect();
        let list = if list.is_empty() {
            String::new()
        } else {
            format!("  {}", dim(&clean(&list.join(", "))))
        };
        // Lines before the first hunk are for people; patch(1) skips them.
        out.line(format!("#{}{list}", line(change)))?;
        if !args.name_only {
            out.text(&coloured(&texts.diff(change)))?;
        }
    }
    if changes.is_empty() && !context.json {
        crate::out::say("no changes");
    }
    out.end()?;
    Ok(Exit::Ok)
}
