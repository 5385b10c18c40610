//! What a staged session found in the real tree, before it first touched a path: the base of the drift check.
//!
//! It is in the session's journal: the state before its first effect on that path. Folders of the real tree can't be
//! renamed on a stage, so a path of the real tree has one name only.

use super::same::{self, Spot};
use crate::read::{self, Look};
use crate::{Kind, state};
use rescind_model::{Effect, Fields, State};
use rescind_supervisor::journal::bytes_from_text;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The owner and group that a user namespace shows for everybody who has no name in it (`overflowuid`).
const NOBODY: i64 = 65_534;

/// The bases of a session.
#[derive(Debug, Default)]
pub struct Bases {
    by_path: HashMap<PathBuf, State>,
    /// Length and time of change of inodes as they were first seen, by number: a file with several names is changed under
    /// all of them.
    by_inode: HashMap<u64, (u64, i64)>,
}

/// What was at a path before the session.
#[derive(Debug, Clone, Copy)]
pub enum Base<'b> {
    /// It is not on record.
    Unknown,
    /// Nothing.
    Nothing,
    /// This.
    Was(&'b Fields),
}

impl Bases {
    /// From a session's effects, in their order.
    #[must_use]
    pub fn of(effects: &[Effect]) -> Self {
        let mut bases = Self::default();
        for effect in effects {
            let path = PathBuf::from(OsStr::from_bytes(&bytes_from_text(&effect.name)));
            if let Some((inode, seen)) = stamped(&effect.before) {
                bases.by_inode.entry(inode).or_insert(seen);
            }
            bases.by_path.entry(path).or_insert_with(|| effect.before.clone());
        }
        bases
    }

    /// What was there.
    #[must_use]
    pub fn at(&self, path: &Path) -> Base<'_> {
        match self.by_path.get(path) {
            None => Base::Unknown,
            Some(State::Absent) => Base::Nothing,
            Some(State::Present(fields)) => Base::Was(fields),
        }
    }

    /// Whether what is at a place in the real tree is still what the session found there.
    ///
    /// # Errors
    /// It can't be read.
    pub fn is_still(&self, was: &Fields, now: &Look, spot: &Spot) -> io::Result<bool> {
        if state::kind_of(was) != Some(now.kind) {
            return Ok(false);
        }
        let untouched = |seen: (u64, i64)| seen == (now.size, now.ctime);
        if now.kind == Kind::File
            && let Some((inode, seen)) = stamped(&State::Present(was.clone()))
            && (untouched(seen) || self.by_inode.get(&inode).copied().is_some_and(untouched))
        {
            return Ok(true);
        }
        Ok(same_owner(was, now)
            && (now.kind == Kind::Symlink || was.int(state::MODE) == Some(i64::from(now.mode)))
            && same_attributes(was, now, spot)?
            && same_substance(was, now, spot)?)
    }

    /// Whether what is on the stage is no other than what the session found: it only looked, or brought it back.
    ///
    /// # Errors
    /// It can't be read.
    pub fn is_unchanged(&self, was: &Fields, staged: &Look, spot: &Spot) -> io::Result<bool> {
        let same_time = staged.kind == Kind::Dir || was.int(state::MTIME) == Some(staged.mtime);
        Ok(state::kind_of(was) == Some(staged.kind)
            && same_time
            && same_owner(was, staged)
            && (staged.kind == Kind::Symlink || was.int(state::MODE) == Some(i64::from(staged.mode)))
            && same_attributes(was, staged, spot)?
            && same_substance(was, staged, spot)?)
    }
}

fn same_owner(was: &Fields, now: &Look) -> bool {
    let same = |field: &str, number: u32| {
        was.int(field)
            .is_some_and(|was| was == NOBODY || was == i64::from(number))
    };
    same(state::UID, now.uid) && same(state::GID, now.gid)
}

fn same_attributes(was: &Fields, now: &Look, spot: &Spot) -> io::Result<bool> {
    if !matches!(now.kind, Kind::File | Kind::Dir) {
        return Ok(true);
    }
    Ok(same::attributes_in(was) == spot.attributes(now)?)
}

fn same_substance(was: &Fields, now: &Look, spot: &Spot) -> io::Result<bool> {
    match now.kind {
        Kind::File => {
            let Some(content) = was.content(state::CONTENT) else {
                return Ok(false);
            };
            if content.length != now.size {
                return Ok(false);
            }
            match content.digest {
                _ if now.size == 0 => Ok(true),
                Some(digest) if let Ok(mut file) = spot.open() => Ok(read::digest(&mut file)? == digest),
                _ => Ok(was.int(state::MTIME) == Some(now.mtime)),
            }
        }
        Kind::Symlink => Ok(
            matches!(was.get(state::TARGET), Some(rescind_model::Value::Bytes(target)) if *target == spot.target()?),
        ),
        Kind::Char | Kind::Block => Ok(was.int(state::RDEV) == Some(now.rdev.cast_signed())),
        Kind::Dir | Kind::Fifo | Kind::Socket => Ok(true),
    }
}

/// Inode number, and length and time of change, of a file's stamp.
fn stamped(state: &State) -> Option<(u64, (u64, i64))> {
    let stamp = state.fields()?.content(state::CONTENT)?.stamp.as_ref()?;
    let mut parts = stamp.0.split(':').skip(1);
    let inode = parts.next()?.parse().ok()?;
    let length = parts.nth(1)?.parse().ok()?;
    Some((inode, (length, parts.next()?.parse().ok()?)))
}
