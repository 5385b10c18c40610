//! Finding a numbered folder on disk: by its last known path, and certain by its identity.

use super::{Identity, ObjectTable, Place};
use crate::read::{self, Look};
use rescind_model::ObjectId;
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

/// What is where a folder was last seen.
#[derive(Debug)]
pub enum Folder {
    /// The folder itself, as a descriptor opened with `O_PATH`.
    Here(OwnedFd),
    /// Another folder, of this look, which has taken its place.
    Other(OwnedFd, Look),
    /// No folder at all.
    Nowhere,
}

/// Longest path given to the kernel at once; its limit is 4,096 bytes with the NUL.
const LONGEST: usize = 4_000;

impl ObjectTable {
    /// Open the folder `object`. A changed device number is accepted where inode number, time of birth and path agree
    /// (a reboot), and remembered.
    ///
    /// # Errors
    /// The path can't be walked for a reason other than that it is not there.
    pub fn folder(&mut self, object: ObjectId) -> io::Result<Folder> {
        let Some(path) = self.path(object) else {
            return Ok(Folder::Nowhere);
        };
        let first = self.folder_by(object, &path)?;
        if matches!(first, Folder::Here(_)) {
            return Ok(first);
        }
        // The newest move was recorded before it was made: the folder may still be where it came from.
        let past = self.past.get(&object).into_iter().flatten().rev().cloned();
        let before: Vec<_> = self.before_last_moves(&path).into_iter().chain(past).collect();
        for before in before {
            if let second @ Folder::Here(_) = self.folder_by(object, &before)? {
                self.relocate(object, before);
                return Ok(second);
            }
        }
        Ok(first)
    }

    /// Whether an inode found on disk is the one bound to `object`.
    #[must_use]
    pub fn is(&self, object: ObjectId, found: &Identity) -> bool {
        self.find(found) == Some(object)
    }

    fn folder_by(&mut self, object: ObjectId, path: &[u8]) -> io::Result<Folder> {
        let opened = match open_path(path) {
            Ok(opened) => opened,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Folder::Nowhere),
            Err(error) => return Err(error.into()),
        };
        let look = read::look_at(opened.as_fd())?;
        if self.is_gone(object) {
            return Ok(Folder::Other(opened, look));
        }
        if self.is(object, &look.identity) {
            return Ok(Folder::Here(opened));
        }
        let (own, found) = (self.identity(object), look.identity);
        match own {
            Some(own) if own.btime != 0 && (own.ino, own.btime) == (found.ino, found.btime) => {
                self.devices.insert(found.dev, own.dev);
                Ok(Folder::Here(opened))
            }
            _ => Ok(Folder::Other(opened, look)),
        }
    }

    fn before_last_moves(&self, path: &[u8]) -> Vec<Vec<u8>> {
        let back = |(from, to): &(Vec<u8>, Vec<u8>)| {
            let rest = path.strip_prefix(to.as_slice())?;
            (rest.is_empty() || rest.starts_with(b"/")).then(|| [from.as_slice(), rest].concat())
        };
        self.last_moves.iter().filter_map(back).collect()
    }

    /// Correct the path of a folder without taking along what is below: that is found in the same way.
    fn relocate(&mut self, object: ObjectId, path: Vec<u8>) {
        if let Some(entry) = self.objects.get_mut(&object) {
            if let Place::Path(old) = &entry.place {
                self.folders.remove(&(old.clone(), object));
            }
            self.folders.insert((path.clone(), object));
            entry.place = Place::Path(path);
        }
    }
}

/// Open a folder by an absolute path of any length. Who it is must be checked by its identity afterwards: a path can be
/// swapped under us.
fn open_path(path: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |folder: Option<&OwnedFd>, part: &[u8], last: bool| {
        let flags = if last { flags | OFlags::NOFOLLOW } else { flags };
        let part = OsStr::from_bytes(part);
        match folder {
            Some(folder) => openat(folder, part, flags, Mode::empty()),
            None => openat(CWD, part, flags, Mode::empty()),
        }
    };
    let mut folder: Option<OwnedFd> = None;
    let mut rest = path;
    while rest.len() > LONGEST {
        let cut = rest
            .get(..LONGEST)
            .and_then(|head| head.iter().rposition(|byte| *byte == b'/'))
            .filter(|cut| *cut > 0)
            .ok_or(Errno::NAMETOOLONG)?;
        let (head, tail) = rest.split_at(cut);
        folder = Some(open(folder.as_ref(), head, false)?);
        rest = tail.get(1..).unwrap_or_default();
    }
    open(folder.as_ref(), rest, true)
}
