//! What a promotion is to do, step by step: a value, written to a file for the process that does it.

use super::changes::{Change, Changes, Kind};
use super::layout::{path_of, text_of};
use crate::Kind as FileKind;
use crate::read::Look;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The steps of a promotion, in their order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Order {
    pub(super) steps: Vec<Step>,
    /// Folders that get attributes and times once everything in them is done, those below first.
    pub(super) folders: Vec<FolderStep>,
    /// Of groups of names, a path that is right already.
    pub(super) groups: BTreeMap<usize, String>,
}

/// What is expected at a path right before it is changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Expected {
    pub kind: String,
    pub dev: u64,
    pub ino: u64,
    pub size: u64,
    pub ctime: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Step {
    /// It goes.
    Remove { path: String, expected: Expected },
    /// It is made as on the stage: beside what is there, and put in its place.
    Make {
        path: String,
        source: String,
        expected: Option<Expected>,
        /// Written to where it is, because of its other names.
        in_place: bool,
        group: Option<usize>,
    },
    /// It gets the attributes it has on the stage.
    Dress {
        path: String,
        source: String,
        expected: Expected,
        group: Option<usize>,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FolderStep {
    pub path: String,
    /// Where its attributes are, if they change, too.
    pub source: Option<String>,
    pub mtime: i64,
    /// Permissions, owner and group that a folder is expected to have which is there already.
    pub expected: Option<(u32, u32, u32)>,
}

impl FolderStep {
    fn time(path: &Path, mtime: i64) -> Self {
        Self {
            path: text_of(path),
            source: None,
            mtime,
            expected: None,
        }
    }
}

impl Expected {
    pub fn of(look: &Look) -> Self {
        Self {
            kind: look.kind.name().to_owned(),
            dev: look.identity.dev,
            ino: look.identity.ino,
            size: if look.kind == FileKind::Dir { 0 } else { look.size },
            ctime: look.ctime,
        }
    }
}

impl Order {
    /// What carries over the changes that are chosen; `times`: whether folders get the times they have on the stage.
    #[must_use]
    pub fn new(all: &Changes, chosen: &[&Change], times: bool) -> Self {
        let mut order = Self::default();
        for change in chosen.iter().rev() {
            order.remove(change);
        }
        for change in chosen {
            order.make(change);
        }
        let mut folders: BTreeMap<PathBuf, FolderStep> = BTreeMap::new();
        if times {
            // Others' work in a folder is nothing to hide: only what is done here, or was done on the stage.
            let parents = order.parents();
            let disturbed = |(path, _, differs): &&(PathBuf, i64, bool)| *differs || parents.contains(path);
            for (path, mtime, _) in all.times.iter().filter(disturbed) {
                folders.insert(path.clone(), FolderStep::time(path, *mtime));
            }
        }
        for change in chosen {
            if let (Some(staged), Some(source)) = (&change.staged, &change.source)
                && staged.kind == FileKind::Dir
            {
                let there = change.real.as_ref().filter(|_| !changes_kind(change));
                let step = FolderStep {
                    source: Some(text_of(source)),
                    expected: there.map(|real| (real.mode, real.uid, real.gid)),
                    ..FolderStep::time(&change.path, staged.mtime)
                };
                folders.insert(change.path.clone(), step);
            }
        }
        order.folders = folders.into_values().rev().collect();
        let groups = chosen.iter().filter_map(|change| change.group);
        let right = groups.filter_map(|group| Some((group, all.anchors.get(group)?.as_ref()?)));
        order.groups = right.map(|(group, path)| (group, text_of(path))).collect();
        order
    }

    fn remove(&mut self, change: &Change) {
        let Some(real) = &change.real else { return };
        let goes = change.kind == Kind::Deleted || changes_kind(change);
        if goes {
            self.steps.push(Step::Remove {
                path: text_of(&change.path),
                expected: Expected::of(real),
            });
        }
    }

    fn make(&mut self, change: &Change) {
        let (Some(staged), Some(source)) = (&change.staged, &change.source) else {
            return;
        };
        let (path, source) = (text_of(&change.path), text_of(source));
        let expected = change
            .real
            .as_ref()
            .filter(|_| !changes_kind(change))
            .map(Expected::of);
        let step = match (change.kind, expected) {
            // Its attributes follow when all that is in it is done.
            (_, Some(_)) if staged.kind == FileKind::Dir => return,
            (Kind::Attributes, Some(expected)) if !splits(change) => Step::Dress {
                path,
                source,
                expected,
                group: change.group,
            },
            (_, expected) => Step::Make {
                path,
                source,
                expected,
                in_place: change.in_place && !changes_kind(change),
                group: change.group,
            },
        };
        self.steps.push(step);
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.folders.is_empty()
    }

    /// Write it to a file.
    ///
    /// # Errors
    /// The file can't be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, serde_json::to_vec(self)?)
    }

    /// Read it.
    ///
    /// # Errors
    /// The file can't be read, or is no order.
    pub fn read(path: &Path) -> io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(path)?)?)
    }

    /// The folders in which entries are made or removed.
    pub(super) fn parents(&self) -> BTreeSet<PathBuf> {
        let paths = self.steps.iter().filter_map(|step| match step {
            Step::Remove { path, .. } | Step::Make { path, .. } => path_of(path).parent().map(Path::to_owned),
            Step::Dress { .. } => None,
        });
        paths.collect()
    }
}

/// Whether a file was parted from its other names by its change.
fn splits(change: &Change) -> bool {
    let has_others = change
        .real
        .as_ref()
        .is_some_and(|real| real.kind == FileKind::File && real.nlink > 1);
    has_others && !change.in_place
}

/// Whether what is there has to go before what comes can be made: either is a folder, and not both.
fn changes_kind(change: &Change) -> bool {
    let is_folder = |look: &Option<Look>| look.as_ref().is_some_and(|look| look.kind == FileKind::Dir);
    change.kind == Kind::Changed && is_folder(&change.real) != is_folder(&change.staged)
}
