//! `rescind history`: every change of a path over all sessions; and the same of configuration as commits of git.

use super::why::names;
use crate::changes::attributes;
use crate::chronicle::{Change, Chronicle, Contents, Repository};
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::out::{Out, dim, say, yellow};
use crate::text::{clean, count, local_time};
use crate::undoing::pattern;
use clap::Args;
use rescind_desk::Configuration;
use rescind_model::{Outcome, SessionId};
use rescind_recovery::Pattern;
use rescind_supervisor::journal::text_from_bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;

/// Arguments of `rescind history`.
#[derive(Debug, Clone, Args)]
pub struct HistoryArgs {
    /// The path; it need not exist any more
    #[arg(required_unless_present = "git", conflicts_with = "git")]
    pub path: Option<PathBuf>,
    /// Bring a git repository in this folder up to date: one commit for each action that changed configuration
    #[arg(long, value_name = "DIR")]
    pub git: Option<PathBuf>,
    /// What counts as configuration, besides `paths` in history.toml; can be given several times
    #[arg(long, value_name = "GLOB", requires = "git")]
    pub paths: Vec<String>,
}

/// `history.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    paths: Vec<String>,
}

/// Print the changes of a path, the oldest first; or bring a repository up to date.
///
/// # Errors
/// No session changed the path, the store can't be read, or git fails.
pub fn run(context: &Context, args: &HistoryArgs) -> Done {
    match (&args.git, &args.path) {
        (Some(folder), _) => repository(context, folder.clone(), &args.paths),
        (None, Some(path)) => of_path(context, path),
        (None, None) => Err(Failure::new(
            Code::BadArgument,
            "name a path, or a folder with --git",
        )),
    }
}

fn of_path(context: &Context, path: &std::path::Path) -> Done {
    let store = context.store()?;
    let names = names(path)?;
    let chronicle = Chronicle::read(&store, |name| names.iter().any(|own| own == name))?;
    tell_unreadable(&chronicle);
    let changes = chronicle.changes();
    if changes.is_empty() {
        let message = format!("no session on record changed `{}`", path.display());
        return Err(Failure::new(Code::PathUnknown, message).help(
            "give the path as the agent saw it; what was not run under `rescind run` is not on record",
        ));
    }
    let undone = chronicle.undone(&store)?;
    let mut out = Out::new();
    for change in changes {
        let by = undone.get(&change.effect.id());
        if context.json {
            out.json(&json(&change, by))?;
        } else {
            print(&mut out, &change, by)?;
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn tell_unreadable(chronicle: &Chronicle) {
    if chronicle.unreadable > 0 {
        say(format!(
            "rescind: {} sessions are erased or unreadable and were not looked at",
            chronicle.unreadable
        ));
    }
}

fn print(out: &mut Out, change: &Change<'_>, undone: Option<&SessionId>) -> Done<()> {
    let undone = undone.map_or_else(String::new, |by| {
        format!("  {}", yellow(&format!("undone by {by}")))
    });
    out.line(format!(
        "{}  {:<6}  {}  by {}{undone}",
        local_time(change.time()),
        change.what(),
        change.action(),
        clean(&change.view.opened.agent),
    ))?;
    out.line(dim(&format!("    {}", clean(&change.command()))))?;
    if change.effect.outcome == Outcome::NotCaptured {
        out.line(format!("    {}", yellow("its state before was not captured")))?;
    }
    Ok(())
}

fn json(change: &Change<'_>, undone: Option<&SessionId>) -> Value {
    json!({
        "path": change.effect.name,
        "timestamp": change.time(),
        "what": change.what(),
        "session_id": change.view.id.to_string(),
        "action_id": change.action(),
        "agent": change.view.opened.agent,
        "command": change.command(),
        "reasoning": change.reasoning(),
        "attributes": attributes(&change.effect.before, &change.effect.after),
        "captured": change.effect.outcome != Outcome::NotCaptured,
        "undone": undone.is_some(),
        "undone_by": undone.map(ToString::to_string),
    })
}

fn repository(context: &Context, folder: PathBuf, given: &[String]) -> Done {
    let store = context.store_outside()?;
    let folder = std::path::absolute(folder)?;
    let patterns = patterns(given)?;
    let own = text_from_bytes(folder.as_os_str().as_bytes());
    let asked = |name: &str| {
        let inside = name.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/'));
        !inside && patterns.iter().any(|pattern| pattern.matches(name))
    };
    let chronicle = Chronicle::read(&store, asked)?;
    tell_unreadable(&chronicle);
    let changes = chronicle.changes();
    let contents = Contents::new(&store, &chronicle);
    let mut repository = Repository::open(&folder)?;
    for (action, changes) in by_action(&changes) {
        if repository.has(&action) {
            continue;
        }
        if !changes.iter().all(Change::has_ended) {
            say(format!(
                "rescind: action {action} is not over; it and what came after it are for the next time"
            ));
            break;
        }
        repository.add(&action, &changes, &contents)?;
    }
    let added = repository.finish()?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"repository": folder.display().to_string(), "added": added}))?;
    } else {
        let commits = count(added as u64, "action", "actions");
        out.line(format!(
            "{commits} added to {}",
            clean(&folder.display().to_string())
        ))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// What counts as configuration.
fn patterns(given: &[String]) -> Done<Vec<Pattern>> {
    let mut globs = given.to_vec();
    if let Some(path) = Configuration::of_user()
        .root()
        .map(|root| root.join("history.toml"))
    {
        match std::fs::read_to_string(&path) {
            Ok(text) => {
                let settings: Settings = toml::from_str(&text).map_err(|error| {
                    let message = format!("`{}` can't be used: {error}", path.display());
                    Failure::new(Code::BadArgument, message)
                })?;
                globs.extend(settings.paths);
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    if globs.is_empty() {
        return Err(
            Failure::new(Code::BadArgument, "no path is marked as configuration").help(
                "give --paths GLOB, or `paths = [\"/etc/**\"]` in history.toml in rescind's configuration",
            ),
        );
    }
    globs.iter().map(|glob| pattern(glob)).collect()
}

/// The changes of each action, in the order of the actions' first changes. An undo is taken as one.
fn by_action<'c>(changes: &[Change<'c>]) -> Vec<(String, Vec<Change<'c>>)> {
    let mut groups: Vec<(String, Vec<Change<'c>>)> = Vec::new();
    for change in changes {
        let action = if change.is_undo() {
            change.view.id.to_string()
        } else {
            change.action()
        };
        match groups.iter_mut().rfind(|(own, _)| *own == action) {
            Some((_, own)) => own.push(*change),
            None => groups.push((action, vec![*change])),
        }
    }
    groups
}
