//! Which changes of a stage are meant.

use crate::commands::why::names;
use crate::error::{Code, Done, Failure};
use rescind_files::stage::{Change, ChangeKind, Changes};
use rescind_supervisor::journal::bytes_from_text;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Changes of a stage, chosen.
pub struct Chosen<'c> {
    /// The changes, in the order of paths.
    pub changes: Vec<&'c Change>,
    /// Whether these are all of them.
    pub whole: bool,
}

impl<'c> Chosen<'c> {
    /// Those at or below the paths, with the new folders that they lie in; without paths all.
    ///
    /// # Errors
    /// Nothing at or below a path is changed on the stage.
    pub fn of(all: &'c Changes, paths: &[PathBuf]) -> Done<Self> {
        if paths.is_empty() {
            return Ok(Self {
                changes: all.changes.iter().collect(),
                whole: true,
            });
        }
        let mut roots = Vec::new();
        for path in paths {
            let own: Vec<PathBuf> = names(path)?.iter().map(|name| path_of(name)).collect();
            let is_met = |change: &Change| own.iter().any(|root| change.path.starts_with(root));
            if !all.changes.iter().any(is_met) {
                let message = format!("nothing at `{}` is changed on the stage", path.display());
                return Err(Failure::new(Code::PathUnknown, message).help("`rescind review` lists what is"));
            }
            roots.extend(own);
        }
        let is_met = |change: &&Change| roots.iter().any(|root| change.path.starts_with(root));
        let met: Vec<&Path> = all
            .changes
            .iter()
            .filter(is_met)
            .filter(|change| change.kind != ChangeKind::Deleted)
            .map(|change| change.path.as_path())
            .collect();
        let is_above = |change: &&Change| {
            let makes_room = matches!(change.kind, ChangeKind::Created | ChangeKind::Changed);
            makes_room && met.iter().any(|path| path.starts_with(&change.path))
        };
        let changes: Vec<&Change> = all
            .changes
            .iter()
            .filter(|change| is_met(change) || is_above(change))
            .collect();
        Ok(Self {
            whole: changes.len() == all.changes.len(),
            changes,
        })
    }

    /// Those that somebody else's change stands against.
    pub fn conflicts(&self) -> impl Iterator<Item = (&'c Change, &'static str)> {
        self.changes
            .iter()
            .filter_map(|change| Some((*change, change.conflict?)))
    }
}

fn path_of(name: &str) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&bytes_from_text(name)))
}
