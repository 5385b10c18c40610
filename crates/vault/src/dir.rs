//! A directory by descriptor, so that a rename of a directory above it changes nothing.

use crate::error::{Error, Result};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, Stat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

const DIRECTORY: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOFOLLOW);

/// An open directory, and its path for messages.
#[derive(Debug)]
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Open `path`, which may be a symbolic link, and everything above it may be one.
    pub fn open(path: &Path) -> Result<Self> {
        let flags = DIRECTORY.difference(OFlags::NOFOLLOW);
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| Error::io("open the directory", path, error))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    /// The directory `name` in this one, made with mode 0700 if it is not there. Says whether it was made.
    pub fn make(&self, name: &str) -> Result<(Self, bool)> {
        let made = match rustix::fs::mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(Error::io("make the directory", self.path.join(name), error)),
        };
        let dir = self
            .find(name)?
            .ok_or_else(|| Error::io("open the directory", self.path.join(name), Errno::NOENT))?;
        Ok((dir, made))
    }

    /// The directory `name` in this one, if it is there.
    pub fn find(&self, name: &str) -> Result<Option<Self>> {
        let path = self.path.join(name);
        match rustix::fs::openat(&self.fd, name, DIRECTORY, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("open the directory", path, error)),
        }
    }

    /// Another descriptor of the same directory.
    pub fn again(&self) -> Result<Self> {
        let fd = self
            .fd
            .try_clone()
            .map_err(|error| Error::io("open the directory", &self.path, error))?;
        Ok(Self {
            fd,
            path: self.path.clone(),
        })
    }

    /// Open the file `name`: for reading, or with `create` for reading and writing and new, mode 0600.
    pub fn file(&self, name: &str, create: bool) -> Result<File> {
        let flags = if create {
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL
        } else {
            OFlags::RDONLY
        };
        self.file_with(name, flags)
    }

    /// Open the file `name` with these flags; never through a symbolic link.
    pub fn file_with(&self, name: &str, flags: OFlags) -> Result<File> {
        self.try_file(name, flags)?
            .ok_or_else(|| Error::io("open", self.path.join(name), Errno::NOENT))
    }

    /// The same, with `None` if it is not there.
    pub fn try_file(&self, name: &str, flags: OFlags) -> Result<Option<File>> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        match rustix::fs::openat(&self.fd, name, flags, Mode::RUSR | Mode::WUSR) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("open", self.path.join(name), error)),
        }
    }

    /// What `name` is, not following it; `None` if it is not there.
    pub fn stat(&self, name: &str) -> Result<Option<Stat>> {
        match rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(Error::io("look at", self.path.join(name), error)),
        }
    }

    /// Remove the file `name`; it is fine if it is not there.
    pub fn unlink(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("remove", self.path.join(name), error)),
        }
    }

    /// Remove the empty directory `name`; it is fine if it is not there.
    pub fn rmdir(&self, name: &str) -> Result<()> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(Error::io("remove the directory", self.path.join(name), error)),
        }
    }

    /// Give the file `from` the name `to` instead, unless that is taken.
    pub fn publish(&self, from: &str, to: &str) -> Result<()> {
        rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty())
            .map_err(|error| Error::io("make", self.path.join(to), error))?;
        self.unlink(from)
    }

    /// Call `see` with each name, in no order.
    pub fn names(&self, mut see: impl FnMut(&OsStr)) -> Result<()> {
        let fail = |error: Errno| Error::io("list", &self.path, error);
        let fd = rustix::fs::openat(&self.fd, ".", DIRECTORY, Mode::empty()).map_err(fail)?;
        let mut buffer = vec![MaybeUninit::<u8>::uninit(); 16 << 10];
        let mut list = RawDir::new(fd, &mut buffer);
        while let Some(entry) = list.next() {
            let entry = entry.map_err(fail)?;
            let name = entry.file_name().to_bytes();
            if name != b"." && name != b".." {
                see(OsStr::from_bytes(name));
            }
        }
        Ok(())
    }

    /// All names, sorted.
    pub fn sorted_names(&self) -> Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.names(|name| names.push(name.to_owned()))?;
        names.sort();
        Ok(names)
    }

    /// Flush the names of this directory.
    pub fn sync(&self) -> Result<()> {
        rustix::fs::fsync(&self.fd).map_err(|error| Error::io("flush the directory", &self.path, error))
    }

    pub fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Whether a stat is one of a regular file.
pub(crate) fn is_regular(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}
