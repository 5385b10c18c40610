//! Several names of one file: which paths on the stage are the same file, and what follows for the real ones.

use super::base::Bases;
use super::changes::{Change, Changes, Kind, conflict, real};
use super::error::StageError;
use crate::read::Look;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The files on a stage that have several names.
#[derive(Debug, Default)]
pub struct Links {
    groups: BTreeMap<(u64, u64), Vec<Member>>,
}

#[derive(Debug)]
struct Member {
    path: PathBuf,
    source: PathBuf,
    staged: Look,
    real: Option<Look>,
    change: Option<usize>,
    copied: bool,
}

impl Links {
    /// A path on the stage, and the place of its change in the list.
    pub fn add(
        &mut self,
        path: &Path,
        source: &Path,
        staged: &Look,
        real: Option<Look>,
        change: Option<usize>,
        copied: bool,
    ) {
        if staged.nlink < 2 {
            return;
        }
        let inode = (staged.identity.dev, staged.identity.ino);
        self.groups.entry(inode).or_default().push(Member {
            path: path.to_owned(),
            source: source.to_owned(),
            staged: *staged,
            real,
            change,
            copied,
        });
    }

    /// Say in the changes which of them are names of one file.
    ///
    /// # Errors
    /// The real tree can't be read.
    pub fn join(self, found: &mut Changes, bases: &Bases) -> Result<(), StageError> {
        let mut dropped = Vec::new();
        for members in self.groups.into_values().filter(|group| group.len() > 1) {
            let number = found.anchors.len();
            let anchor = anchor(&members, found);
            // One that is right as it is, or is changed where it is, keeps its file.
            let lasting = anchor.filter(|anchor| {
                anchor
                    .change
                    .and_then(|at| found.changes.get(at))
                    .is_none_or(|change| change.in_place || change.kind == Kind::Attributes)
            });
            let right = anchor.filter(|anchor| anchor.change.is_none());
            found.anchors.push(right.map(|anchor| anchor.path.clone()));
            let kept = lasting.and_then(|anchor| anchor.real).map(|real| real.identity);
            for member in &members {
                let is_anchor = anchor.is_some_and(|anchor| anchor.path == member.path);
                let is_kept = kept.is_some() && member.real.map(|real| real.identity) == kept;
                match member.change {
                    Some(at) if is_kept && !is_anchor => dropped.push(at),
                    Some(at) => {
                        if let Some(change) = found.changes.get_mut(at) {
                            change.group = Some(number);
                        }
                    }
                    None if is_anchor || is_kept => {}
                    None => found.changes.push(relinked(member, number, bases)?),
                }
            }
        }
        dropped.sort_unstable();
        for at in dropped.into_iter().rev() {
            found.changes.remove(at);
        }
        Ok(())
    }
}

/// The name that the others follow: one whose real file is right already, else one that is changed where it is.
fn anchor<'m>(members: &'m [Member], found: &Changes) -> Option<&'m Member> {
    let stays = |member: &&Member| member.change.is_none() && member.real.is_some();
    let in_place = |member: &&Member| {
        let change = member.change.and_then(|at| found.changes.get(at));
        member.copied && change.is_some_and(|change| change.in_place)
    };
    members
        .iter()
        .find(stays)
        .or_else(|| members.iter().find(in_place))
}

/// A name whose file has the right bytes already, and is another file all the same.
fn relinked(member: &Member, group: usize, bases: &Bases) -> Result<Change, StageError> {
    let found = real(&member.path)?;
    Ok(Change {
        path: member.path.clone(),
        kind: Kind::Changed,
        source: Some(member.source.clone()),
        staged: Some(member.staged),
        real: member.real,
        conflict: conflict(bases, &member.path, found.as_ref())?,
        in_place: false,
        group: Some(group),
    })
}
