//! Pins: hard links to files that are about to go or change, one place for them per file system.

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::locator::{Keeping, PinIdentity};
use rescind_model::SessionId;
use rustix::fs::{CWD, FileType};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A place for one pin: link or rename the file to `name` in `dir`, then hand it to `adopt`.
#[derive(Debug)]
pub struct PinSlot {
    pub(crate) dir: Arc<Dir>,
    pub(crate) root: u32,
    pub(crate) keeping: Keeping,
    pub(crate) number: u64,
    pub(crate) name: String,
}

/// What a pin was when it was made, and what it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinStat {
    /// As its locator says.
    pub made: PinIdentity,
    /// As it is; `None` if it is gone.
    pub now: Option<PinIdentity>,
    /// How many names the file has now, the pin's own among them; 0 if it is gone.
    pub links: u64,
}

/// A directory below which pins are made, on one file system.
#[derive(Debug)]
pub(crate) struct PinRoot {
    pub number: u32,
    pub device: u64,
    pub dir: Dir,
}

impl PinSlot {
    /// The directory to link into.
    #[must_use]
    pub fn dir(&self) -> BorrowedFd<'_> {
        self.dir.fd()
    }

    /// The name in that directory. It is not there yet (or, of a slot made from a locator, it is the pin).
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole path, for messages.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }
}

impl PinStat {
    /// Whether the pinned file is, by device, inode, size and mtime, what it was.
    #[must_use]
    pub fn intact(&self) -> bool {
        self.now == Some(self.made)
    }
}

impl PinRoot {
    /// The vault directory itself, root 0.
    pub fn own(dir: Dir) -> Result<Self> {
        Self::new(0, dir)
    }

    fn new(number: u32, dir: Dir) -> Result<Self> {
        let stat = rustix::fs::fstat(dir.fd())
            .map_err(|error| Error::io("look at the directory", dir.path(), error))?;
        Ok(Self {
            number,
            device: stat.st_dev,
            dir,
        })
    }

    /// The root that `roots/<number>` names, or `None` if there is none. The root may be away (not mounted): then it
    /// is an error.
    pub fn registered(roots: &Dir, number: u32) -> Result<Option<Self>> {
        let Some(path) = Self::path_of(roots, number)? else {
            return Ok(None);
        };
        Self::new(number, Dir::open(&path)?).map(Some)
    }

    /// The path that `roots/<number>` names.
    pub fn path_of(roots: &Dir, number: u32) -> Result<Option<PathBuf>> {
        read_link(roots, &number.to_string())
    }

    /// The numbers of all registered roots.
    pub fn numbers(roots: &Dir) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        roots.names(|name| numbers.extend(name.to_str().and_then(|name| name.parse::<u32>().ok())))?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Register `path`, making its last component if need be. The same path gets the same number again.
    pub fn register(roots: &Dir, path: &Path) -> Result<Self> {
        let bad = |why| Error::BadPinRoot {
            path: path.to_owned(),
            why,
        };
        if !path.is_absolute() {
            return Err(bad("its path is not absolute"));
        }
        match rustix::fs::mkdirat(CWD, path, rustix::fs::Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::io("make the directory", path, error)),
        }
        let stat =
            rustix::fs::lstat(path).map_err(|error| Error::io("look at the directory", path, error))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(bad("it is no directory"));
        }
        if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & 0o022 != 0 {
            return Err(bad("others can write to it"));
        }
        let mut next = 1;
        for number in Self::numbers(roots)? {
            if read_link(roots, &number.to_string())?.as_deref() == Some(path) {
                return Self::new(number, Dir::open(path)?);
            }
            next = next.max(number.saturating_add(1));
        }
        loop {
            match rustix::fs::symlinkat(path, roots.fd(), next.to_string()) {
                Ok(()) => break,
                // Another process has registered one meanwhile.
                Err(Errno::EXIST) => next = next.saturating_add(1),
                Err(error) => return Err(Error::io("register the pin root", path, error)),
            }
        }
        roots.sync()?;
        Self::new(next, Dir::open(path)?)
    }

    /// The directory of a session's pins, made if need be. Says whether it was.
    pub fn make_session(&self, keeping: Keeping, session: &SessionId) -> Result<(Dir, bool)> {
        let (dir, new) = self.dir.make(keeping.pins())?;
        let (inner, newer) = dir.make(session.as_str())?;
        if new {
            self.dir.sync()?;
        }
        Ok((inner, newer))
    }

    /// The directory of a session's pins, if it has one.
    pub fn find_session(&self, keeping: Keeping, session: &SessionId) -> Result<Option<Dir>> {
        match self.dir.find(keeping.pins())? {
            Some(dir) => dir.find(session.as_str()),
            None => Ok(None),
        }
    }

    /// The directory with the sessions' directories, if there is one.
    pub fn find_all(&self, keeping: Keeping) -> Result<Option<Dir>> {
        self.dir.find(keeping.pins())
    }
}

/// The number of a pin, if `name` is a pin's name.
pub(crate) fn pin_number(name: &OsStr) -> Option<u64> {
    let text = name.to_str()?;
    text.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == text)
}

fn read_link(dir: &Dir, name: &str) -> Result<Option<PathBuf>> {
    match rustix::fs::readlinkat(dir.fd(), name, Vec::new()) {
        Ok(target) => {
            let bytes = target.into_bytes();
            Ok(Some(PathBuf::from(std::ffi::OsString::from_vec(bytes))))
        }
        Err(Errno::NOENT | Errno::INVAL) => Ok(None),
        Err(error) => Err(Error::io(
            "read the pin root",
            dir.path().join(OsStr::from_bytes(name.as_bytes())),
            error,
        )),
    }
}
