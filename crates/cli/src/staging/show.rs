//! The changes of a stage, for a person and for programs.

use super::Chosen;
use crate::commands::show::coloured;
use crate::error::{Code, Done, Failure};
use crate::out::{Out, dim, green, red, yellow};
use crate::text::{bytes, clean, clean_lines, count};
use rescind_files::Kind as FileKind;
use rescind_files::read::Look;
use rescind_files::stage::{Change, ChangeKind};
use rescind_model::SessionId;
use rescind_recovery::MERGE_LIMIT;
use rescind_supervisor::journal::text_from_bytes;
use serde_json::{Value, json as value};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// The list alone.
    List,
    /// The list with counts of lines.
    Stat,
    /// The texts.
    Texts,
}

/// What a change is called.
fn word(kind: ChangeKind) -> &'static str {
    match kind {
        ChangeKind::Created => "created",
        ChangeKind::Changed => "changed",
        ChangeKind::Attributes => "attributes",
        ChangeKind::Deleted => "deleted",
    }
}

/// Print the changes, and what stands against them.
///
/// # Errors
/// stdout can't be written.
pub fn print(out: &mut Out, chosen: &Chosen<'_>, detail: Detail) -> Done<()> {
    let mut lines = (0, 0);
    for change in &chosen.changes {
        let diff = match detail {
            Detail::List => String::new(),
            Detail::Stat | Detail::Texts => diff(change),
        };
        let (added, taken) = counts(&diff);
        lines = (lines.0 + added, lines.1 + taken);
        let path = clean(&change.path.display().to_string());
        let mut notes = vec![attributes(change)];
        if detail == Detail::Stat && (added, taken) != (0, 0) {
            notes.push(format!("+{added} -{taken}"));
        }
        if let Some(why) = change.conflict {
            notes.push(red(&format!("conflict: {why}")));
        }
        notes.retain(|note| !note.is_empty());
        let notes = notes.join("  ");
        // Lines before the first hunk are for people; patch(1) skips them.
        let mark = if detail == Detail::Texts { "# " } else { "" };
        out.line(
            format!("{mark}{} {path}  {}", word(change.kind), dim(&notes))
                .trim_end()
                .to_owned(),
        )?;
        if detail == Detail::Texts {
            out.text(&coloured(&diff))?;
        }
    }
    if detail == Detail::Stat {
        let paths = count(chosen.changes.len() as u64, "path", "paths");
        out.line(format!(
            "{paths}, {} {}",
            green(&format!("+{}", lines.0)),
            red(&format!("-{}", lines.1))
        ))?;
    }
    let conflicts = chosen.conflicts().count() as u64;
    if conflicts > 0 {
        out.line(yellow(&format!(
            "{} changed in the real tree since: promote would change nothing",
            count(conflicts, "of these paths was", "of these paths were")
        )))?;
    }
    Ok(())
}

/// A change as JSON.
#[must_use]
pub fn json(change: &Change, detail: Detail) -> Value {
    let diff = (detail != Detail::List).then(|| diff(change));
    let lines = diff.as_deref().map(counts);
    value!({
        "path": text_from_bytes(change.path.as_os_str().as_bytes()),
        "change": word(change.kind),
        "before": change.real.as_ref().map(look),
        "after": change.staged.as_ref().map(look),
        "conflict": change.conflict,
        "lines_added": lines.map(|lines| lines.0),
        "lines_removed": lines.map(|lines| lines.1),
        "diff": diff.filter(|_| detail == Detail::Texts),
    })
}

fn look(look: &Look) -> Value {
    value!({
        "kind": look.kind.name(),
        "mode": format!("{:04o}", look.mode),
        "uid": look.uid,
        "gid": look.gid,
        "size": (look.kind == FileKind::File).then_some(look.size),
        "mtime": rescind_model::Timestamp(look.mtime).to_string(),
    })
}

/// The refusal where somebody else changed what is to be changed.
#[must_use]
pub fn conflicts(id: &SessionId, chosen: &Chosen<'_>) -> Option<Failure> {
    const NAMED: usize = 20;
    let all: Vec<(&Change, &str)> = chosen.conflicts().collect();
    if all.is_empty() {
        return None;
    }
    let paths = count(all.len() as u64, "path was", "paths were");
    let mut failure = Failure::new(
        Code::StageConflicts,
        format!("{paths} changed in the real tree since session {id} touched them"),
    );
    for (change, why) in all.iter().take(NAMED) {
        failure = failure.help(format!("`{}`: {why}", change.path.display()));
    }
    if all.len() > NAMED {
        failure = failure.help(format!("{} more: `rescind review {id}`", all.len() - NAMED));
    }
    Some(failure.help(format!(
        "`rescind promote {id} PATH` makes the others real; or take over by hand what `rescind review {id}` shows"
    )))
}

/// The unified diff from the real tree to the stage.
fn diff(change: &Change) -> String {
    let path = clean(&change.path.display().to_string());
    let side = |file: Option<(&Path, &Look)>, side: &str| match file {
        Some(_) => format!("{side}{path}"),
        None => "/dev/null".to_owned(),
    };
    let real = change.real.as_ref().map(|look| (change.path.as_path(), look));
    let staged = change.source.as_deref().zip(change.staged.as_ref());
    let names = (side(real, "a"), side(staged, "b"));
    match (body(real), body(staged)) {
        (Ok(old), Ok(new)) => clean_lines(&rescind_merge::unified_diff(&old, &new, (&names.0, &names.1))),
        (Err(why), _) | (_, Err(why)) => format!("# {path}: {why}\n"),
    }
}

/// What of a file is compared as text.
fn body(file: Option<(&Path, &Look)>) -> Result<Vec<u8>, String> {
    let Some((path, look)) = file else {
        return Ok(Vec::new());
    };
    match look.kind {
        FileKind::Symlink => {
            let target = std::fs::read_link(path).map_err(|error| error.to_string())?;
            let target = text_from_bytes(target.as_os_str().as_bytes());
            Ok(format!("symbolic link to {target}\n").into_bytes())
        }
        FileKind::File if look.size > MERGE_LIMIT => {
            Err(format!("{} are too much to show", bytes(look.size)))
        }
        FileKind::File => {
            let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
            let mut text = Vec::new();
            let read = file.take(MERGE_LIMIT + 1).read_to_end(&mut text);
            read.map_err(|error| error.to_string())?;
            Ok(text)
        }
        _ => Ok(Vec::new()),
    }
}

fn counts(diff: &str) -> (usize, usize) {
    let lines = |mark: char, head: &str| {
        let is_one = |line: &&str| line.starts_with(mark) && !line.starts_with(head);
        diff.lines().filter(is_one).count()
    };
    (lines('+', "+++ "), lines('-', "--- "))
}

/// What changes besides the content, in words.
fn attributes(change: &Change) -> String {
    let (Some(real), Some(staged)) = (&change.real, &change.staged) else {
        let kind = change.staged.or(change.real).map(|look| look.kind);
        let kind = kind.filter(|kind| *kind != FileKind::File);
        return kind.map_or_else(String::new, |kind| kind.name().to_owned());
    };
    let mut parts = Vec::new();
    if real.kind != staged.kind {
        parts.push(format!("{} -> {}", real.kind.name(), staged.kind.name()));
    }
    if real.mode != staged.mode {
        parts.push(format!("mode {:04o} -> {:04o}", real.mode, staged.mode));
    }
    if (real.uid, real.gid) != (staged.uid, staged.gid) {
        let (one, other) = ((real.uid, real.gid), (staged.uid, staged.gid));
        parts.push(format!("owner {}:{} -> {}:{}", one.0, one.1, other.0, other.1));
    }
    parts.join(", ")
}
