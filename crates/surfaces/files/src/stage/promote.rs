//! Carrying changes over into the real tree, each looked at once more right before it is made.
//!
//! This runs in a supervised session of its own: the gateway captures every change before it happens, so that what was
//! done of a promotion that does not come to its end can be taken back, and a whole one, too.

use super::copy;
use super::error::PromoteError;
use super::layout::path_of;
use super::order::{Expected, FolderStep, Order, Step};
use super::same::{self, Spot};
use crate::Kind;
use crate::read::Look;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, linkat, openat, renameat, renameat_with, unlinkat};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Do what an order says.
///
/// # Errors
/// [`PromoteError`]: it stopped there, and what was done before is done.
pub fn make_real(order: &Order) -> Result<(), PromoteError> {
    let mut promotion = Promotion {
        groups: order
            .groups
            .iter()
            .map(|(group, path)| (*group, path_of(path)))
            .collect(),
        own: HashSet::new(),
        opened: Vec::new(),
        temporary: 0,
    };
    for parent in order.parents() {
        promotion.open_up(&parent).map_err(failed(&parent))?;
    }
    for step in &order.steps {
        promotion.step(step)?;
    }
    for (path, mode) in std::mem::take(&mut promotion.opened).into_iter().rev() {
        set_mode(&path, mode).map_err(failed(&path))?;
    }
    order.folders.iter().try_for_each(finish_folder)
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> PromoteError {
    let path = path.to_owned();
    |source| PromoteError::Failed { path, source }
}

struct Promotion {
    /// Of groups of names, the real path that the others become names of.
    groups: BTreeMap<usize, PathBuf>,
    /// Inodes that were changed here already: their time of change is our own doing.
    own: HashSet<(u64, u64)>,
    /// Folders that had to be opened for writing, with their modes.
    opened: Vec<(PathBuf, u32)>,
    temporary: u32,
}

impl Promotion {
    fn step(&mut self, step: &Step) -> Result<(), PromoteError> {
        match step {
            Step::Remove { path, expected } => {
                let path = path_of(path);
                let (spot, look) = self.expect(&path, expected)?;
                let flags = if look.kind == Kind::Dir {
                    AtFlags::REMOVEDIR
                } else {
                    AtFlags::empty()
                };
                self.is_own(&look);
                match unlinkat(&spot.folder, &spot.name, flags) {
                    // Somebody has put something in it.
                    Err(Errno::NOTEMPTY | Errno::EXIST) => Err(PromoteError::Drifted { path }),
                    done => done.map_err(io::Error::from).map_err(failed(&path)),
                }
            }
            Step::Make {
                path,
                source,
                expected,
                in_place,
                group,
            } => {
                let path = path_of(path);
                let there = match expected {
                    Some(expected) => Some(self.expect(&path, expected)?),
                    None => None,
                };
                self.make(&path, &path_of(source), there, *in_place, *group)
            }
            Step::Dress {
                path,
                source,
                expected,
                group,
            } => {
                let path = path_of(path);
                let (spot, look) = self.expect(&path, expected)?;
                let (source, staged) = staged(&path_of(source)).map_err(failed(&path))?;
                copy::dress(&source, &staged, &spot).map_err(failed(&path))?;
                self.is_own(&look);
                self.names(*group, &path);
                Ok(())
            }
        }
    }

    fn make(
        &mut self,
        path: &Path,
        source: &Path,
        there: Option<(Spot, Look)>,
        in_place: bool,
        group: Option<usize>,
    ) -> Result<(), PromoteError> {
        let (source, staged) = staged(source).map_err(failed(path))?;
        if let (true, Some((spot, look))) = (in_place, &there) {
            overwrite(&source, &staged, spot).map_err(failed(path))?;
            self.is_own(look);
            self.names(group, path);
            return Ok(());
        }
        let drifted = || PromoteError::Drifted {
            path: path.to_owned(),
        };
        let (spot, replaces) = match there {
            Some((spot, look)) => {
                self.is_own(&look);
                (spot, true)
            }
            None => (Spot::of(path).map_err(failed(path))?.ok_or_else(drifted)?, false),
        };
        let made = match group.and_then(|group| self.groups.get(&group)) {
            Some(first) => self.link(&first.clone(), &spot, replaces),
            None => self.put(&source, &staged, &spot, replaces),
        };
        match made {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(drifted()),
            made => made.map_err(failed(path)),
        }?;
        if let Ok(Some(look)) = spot.look() {
            self.is_own(&look);
        }
        self.names(group, path);
        Ok(())
    }

    /// Make a copy beside the place, whole, and put it there at once.
    fn put(&mut self, source: &Spot, staged: &Look, spot: &Spot, replaces: bool) -> io::Result<()> {
        if !replaces && staged.kind != Kind::File {
            return copy::make(source, staged, spot);
        }
        let beside = self.beside(spot)?;
        copy::make(source, staged, &beside)?;
        into_place(&beside, spot, replaces)
    }

    fn link(&mut self, first: &Path, spot: &Spot, replaces: bool) -> io::Result<()> {
        let first = Spot::of(first)?.ok_or(io::ErrorKind::NotFound)?;
        let link = |to: &Spot| {
            let (folder, name) = (&first.folder, &first.name);
            linkat(folder, name, &to.folder, &to.name, AtFlags::empty()).map_err(io::Error::from)
        };
        if let Some(look) = first.look()? {
            self.is_own(&look);
        }
        if !replaces {
            return link(spot);
        }
        let beside = self.beside(spot)?;
        link(&beside)?;
        into_place(&beside, spot, true)
    }

    fn beside(&mut self, spot: &Spot) -> io::Result<Spot> {
        self.temporary += 1;
        let name = format!(".rescind-promote-{}-{}", std::process::id(), self.temporary);
        Ok(Spot {
            folder: spot.folder.try_clone()?,
            name: OsString::from(name),
        })
    }

    /// What is at a path, if it is what was compared.
    fn expect(&self, path: &Path, expected: &Expected) -> Result<(Spot, Look), PromoteError> {
        let spot = Spot::of(path).map_err(failed(path))?;
        let found = match spot {
            Some(spot) => spot.look().map_err(failed(path))?.map(|look| (spot, look)),
            None => None,
        };
        let is_it = |look: &Look| {
            let found = Expected::of(look);
            let same_inode =
                (found.dev, found.ino) == (expected.dev, expected.ino) && found.kind == expected.kind;
            let own = look.kind == Kind::Dir || self.own.contains(&(found.dev, found.ino));
            found == *expected || own && same_inode
        };
        found
            .filter(|(_, look)| is_it(look))
            .ok_or_else(|| PromoteError::Drifted {
                path: path.to_owned(),
            })
    }

    fn is_own(&mut self, look: &Look) {
        self.own.insert((look.identity.dev, look.identity.ino));
    }

    fn names(&mut self, group: Option<usize>, path: &Path) {
        if let Some(group) = group {
            self.groups.entry(group).or_insert_with(|| path.to_owned());
        }
    }

    /// See that entries of a folder can be made and removed, where we may see to that.
    fn open_up(&mut self, folder: &Path) -> io::Result<()> {
        if rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let Some(look) = same::look(folder)?.filter(|look| look.kind == Kind::Dir) else {
            return Ok(());
        };
        if look.mode & 0o300 != 0o300 && look.uid == rustix::process::geteuid().as_raw() {
            set_mode(folder, look.mode | 0o700)?;
            self.opened.push((folder.to_owned(), look.mode));
        }
        Ok(())
    }
}

fn staged(source: &Path) -> io::Result<(Spot, Look)> {
    let spot = Spot::of(source)?.ok_or(io::ErrorKind::NotFound)?;
    let look = spot.look()?.ok_or(io::ErrorKind::NotFound)?;
    Ok((spot, look))
}

fn into_place(beside: &Spot, spot: &Spot, replaces: bool) -> io::Result<()> {
    let (from, to) = ((&beside.folder, &beside.name), (&spot.folder, &spot.name));
    let done = if replaces {
        renameat(from.0, from.1, to.0, to.1)
    } else {
        match renameat_with(from.0, from.1, to.0, to.1, RenameFlags::NOREPLACE) {
            // A file system that knows no such flag: a link does not replace either.
            Err(Errno::INVAL | Errno::NOSYS) => linkat(from.0, from.1, to.0, to.1, AtFlags::empty())
                .and_then(|()| unlinkat(from.0, from.1, AtFlags::empty())),
            done => done,
        }
    };
    Ok(done?)
}

/// Write the bytes of a file where it is: it has other names, under which they show, too.
fn overwrite(source: &Spot, staged: &Look, spot: &Spot) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = File::from(openat(&spot.folder, &spot.name, flags, Mode::empty())?);
    copy::bytes(&source.open()?, &file)?;
    drop(file);
    copy::dress(source, staged, spot)
}

fn set_mode(folder: &Path, mode: u32) -> io::Result<()> {
    let Some(spot) = Spot::of(folder)? else {
        return Ok(());
    };
    let mode = Mode::from_raw_mode(mode);
    Ok(rustix::fs::chmodat(
        &spot.folder,
        &spot.name,
        mode,
        AtFlags::empty(),
    )?)
}

fn finish_folder(step: &FolderStep) -> Result<(), PromoteError> {
    let path = path_of(&step.path);
    let finish = || -> io::Result<bool> {
        let Some(spot) = Spot::of(&path)? else {
            return Ok(true);
        };
        let Some(now) = spot.look()?.filter(|look| look.kind == Kind::Dir) else {
            return Ok(true);
        };
        if step
            .expected
            .is_some_and(|expected| expected != (now.mode, now.uid, now.gid))
        {
            return Ok(false);
        }
        if let Some(source) = &step.source {
            let (source, look) = staged(&path_of(source))?;
            return copy::dress(&source, &look, &spot).map(|()| true);
        }
        if now.mtime == step.mtime {
            return Ok(true);
        }
        match same::set_mtime(&spot.folder, &spot.name, step.mtime, false) {
            // A folder of somebody else's, in which we may work.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(true),
            set => set.map(|()| true),
        }
    };
    if finish().map_err(failed(&path))? {
        Ok(())
    } else {
        Err(PromoteError::Drifted { path })
    }
}
