//! `rescind why`: who last changed a path, and who before.

use crate::changes::{Kind, attributes};
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::history::effects;
use crate::out::{Out, bold, dim, yellow};
use crate::text::{ago, clean};
use clap::Args;
use rescind_model::{Effect, Outcome, command_line};
use rescind_supervisor::journal::text_from_bytes;
use rescind_supervisor::{SessionView, Store, StoreError, now};
use serde_json::{Value, json};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Arguments of `rescind why`.
#[derive(Debug, Clone, Args)]
pub struct WhyArgs {
    /// The path; it need not exist any more
    pub path: PathBuf,
}

/// Print the history of a path, the newest first.
///
/// # Errors
/// No session changed it, or the store can't be read.
pub fn run(context: &Context, args: &WhyArgs) -> Done {
    let store = context.store()?;
    let names = names(&args.path)?;
    let mut out = Out::new();
    let mut found = 0_usize;
    let mut unreadable = 0_usize;
    for id in store.sessions()?.iter().rev() {
        let view = match SessionView::load(&store, id) {
            Ok(view) => view,
            Err(StoreError::Vault(_) | StoreError::Journal { .. }) => {
                unreadable += 1;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if view.opened.staged {
            continue;
        }
        let all = effects(&view);
        for effect in all.iter().rev().filter(|effect| is_about(effect, &names)) {
            found += 1;
            if context.json {
                out.json(&json(&store, &view, effect))?;
            } else {
                print(&mut out, &view, effect, found == 1)?;
            }
        }
    }
    out.end()?;
    if unreadable > 0 {
        crate::out::say(format!(
            "rescind: {unreadable} sessions are erased or unreadable and were not looked at"
        ));
    }
    if found == 0 {
        let message = format!("no session on record changed `{}`", args.path.display());
        return Err(Failure::new(Code::PathUnknown, message).help(
            "give the path as the agent saw it; what was not run under `rescind run` is not on record",
        ));
    }
    Ok(Exit::Ok)
}

fn is_about(effect: &Effect, names: &[String]) -> bool {
    let unchanged = effect.outcome == Outcome::Observed && effect.before.same(&effect.after);
    names.contains(&effect.name) && !effect.resource.key.ends_with(b"/") && !unchanged
}

/// The path as records have it: absolute, and with its folder's links resolved.
///
/// # Errors
/// There is no working directory.
pub fn names(path: &Path) -> Done<Vec<String>> {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    let mut names = vec![text_from_bytes(plain.as_os_str().as_bytes())];
    if let (Some(folder), Some(name)) = (plain.parent(), plain.file_name())
        && let Ok(folder) = folder.canonicalize()
    {
        names.push(text_from_bytes(folder.join(name).as_os_str().as_bytes()));
    }
    Ok(names)
}

fn command(view: &SessionView, effect: &Effect) -> String {
    match view.nodes.get(&effect.action.number) {
        Some(node) => node.started.command(),
        None => command_line(&view.opened.argv),
    }
}

/// The action above a process, with its command.
fn above(view: &SessionView, effect: &Effect) -> Option<(u64, String)> {
    let action = view.action_of(effect.action.number);
    let node = view
        .nodes
        .get(&action)
        .filter(|_| action != effect.action.number)?;
    Some((action, node.started.command()))
}

fn time<'v>(view: &'v SessionView, effect: &Effect) -> &'v str {
    view.nodes
        .get(&effect.action.number)
        .map_or(&view.opened.time, |node| &node.started.time)
}

fn reasoning<'v>(view: &'v SessionView, effect: &Effect) -> Option<&'v str> {
    let number = view.action_of(effect.action.number);
    view.nodes
        .get(&number)
        .and_then(|node| node.started.reasoning.as_deref())
        .or(view.opened.scope.as_deref())
}

fn print(out: &mut Out, view: &SessionView, effect: &Effect, first: bool) -> Done<()> {
    let kind = Kind::between(&effect.before, &effect.after).name();
    let text = format!("{kind} by {}", effect.action);
    let text = if first { bold(&text) } else { text };
    out.line(format!("{text} {}", dim(&ago(time(view, effect), now()))))?;
    out.line(format!("    {}", clean(&command(view, effect))))?;
    if let Some((action, command)) = above(view, effect) {
        out.line(format!(
            "    in action {}: {}",
            view.id.action(action),
            clean(&command)
        ))?;
    }
    out.line(dim(&format!(
        "    in session {}: {}",
        view.id,
        clean(&command_line(&view.opened.argv))
    )))?;
    if let Some(reasoning) = reasoning(view, effect) {
        out.line(format!("    because: {}", clean(reasoning)))?;
    }
    if effect.outcome == Outcome::NotCaptured {
        out.line(format!("    {}", yellow("its state before was not captured")))?;
    }
    Ok(())
}

fn json(store: &Store, view: &SessionView, effect: &Effect) -> Value {
    let _one_store_today = store;
    let action = view.action_of(effect.action.number);
    json!({
        "path": effect.name,
        "change": Kind::between(&effect.before, &effect.after).name(),
        "timestamp": time(view, effect),
        "session_id": view.id.to_string(),
        "action_id": view.id.action(action).to_string(),
        "node_id": effect.action.to_string(),
        "agent": view.opened.agent,
        "command": command(view, effect),
        "session_command": command_line(&view.opened.argv),
        "reasoning": reasoning(view, effect),
        "attributes": attributes(&effect.before, &effect.after),
        "captured": effect.outcome != Outcome::NotCaptured,
    })
}
