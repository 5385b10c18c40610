//! Looking at a path without going through a symbolic link anywhere, and whether two files are the same.

use crate::read::{self, Look};
use crate::{Kind, state};
use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, Timespec, Timestamps, openat, openat2, readlinkat, utimensat,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

/// A name in a folder that is held open.
#[derive(Debug)]
pub struct Spot {
    /// The folder.
    pub folder: OwnedFd,
    /// The name.
    pub name: OsString,
}

impl Spot {
    /// The spot of an absolute path; `None` where its folder is not there, or a symbolic link is on the way to it.
    ///
    /// # Errors
    /// The folder can't be searched.
    pub fn of(path: &Path) -> io::Result<Option<Self>> {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat2(CWD, above, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS) {
            Ok(folder) => Ok(Some(Self {
                folder,
                name: name.to_owned(),
            })),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What is there.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn look(&self) -> io::Result<Option<Look>> {
        read::look(self.folder.as_fd(), &self.name)
    }

    /// Open a file that is there for reading.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        Ok(File::from(openat(
            &self.folder,
            &self.name,
            flags,
            Mode::empty(),
        )?))
    }

    /// Where a symbolic link leads.
    ///
    /// # Errors
    /// It is none.
    pub fn target(&self) -> io::Result<Vec<u8>> {
        Ok(readlinkat(&self.folder, &self.name, Vec::new())?.into_bytes())
    }

    /// Its extended attributes, without the marks of overlays.
    ///
    /// # Errors
    /// They can't be read.
    pub fn attributes(&self, look: &Look) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
        if !matches!(look.kind, Kind::File | Kind::Dir) {
            return Ok(BTreeMap::new());
        }
        attributes_of(self.folder.as_fd(), &self.name)
    }

    /// One extended attribute, a mark of an overlay.
    #[must_use]
    pub fn mark(&self, marks: &[u8], name: &[u8]) -> Option<Vec<u8>> {
        let wanted = [marks, name].concat();
        let mut found = None;
        let _none_then = read::xattrs(self.folder.as_fd(), &self.name, |name, value| {
            if name == wanted {
                found = Some(value.to_vec());
            }
        });
        found
    }

    /// A path to it through the folder's descriptor, for calls that take no descriptor.
    #[must_use]
    pub fn path(&self) -> OsString {
        let mut path = OsString::from(format!("/proc/self/fd/{}/", self.folder.as_raw_fd()));
        path.push(&self.name);
        path
    }
}

/// What is at a path, without going through a symbolic link; `None`: nothing, or no folder to hold it.
///
/// # Errors
/// A folder on the way can't be searched.
pub fn look(path: &Path) -> io::Result<Option<Look>> {
    match Spot::of(path)? {
        Some(spot) => spot.look(),
        None => Ok(None),
    }
}

/// The extended attributes of `name` in `folder` (an empty name: of the folder), without the marks of overlays.
///
/// # Errors
/// They can't be read.
pub fn attributes_of(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut found = BTreeMap::new();
    let read = read::xattrs(folder, name, |name, value| {
        let is_mark = name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
        if !is_mark {
            found.insert(name.to_vec(), value.to_vec());
        }
    });
    match read {
        // May not be read by its owner: as far as anybody else knows it has none.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(found),
        read => read.map(|()| found),
    }
}

/// Set the time of change, in nanoseconds since the epoch.
///
/// # Errors
/// The kernel refuses.
pub fn set_mtime(folder: impl AsFd, name: &OsStr, mtime: i64, follow: bool) -> io::Result<()> {
    let times = Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: rustix::fs::UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: mtime.div_euclid(1_000_000_000),
            tv_nsec: mtime.rem_euclid(1_000_000_000) as _,
        },
    };
    let flags = if follow {
        AtFlags::empty()
    } else {
        AtFlags::SYMLINK_NOFOLLOW
    };
    Ok(utimensat(folder, name, &times, flags)?)
}

/// In what two entries differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difference {
    /// In nothing.
    None,
    /// In owner, permissions, times or extended attributes only.
    Attributes,
    /// In what they are, or in their content.
    Content,
}

/// Compare two entries. Of folders the time of change is left out: it follows from what is done in them.
///
/// # Errors
/// One of them can't be read.
pub fn difference(one: (&Spot, &Look), other: (&Spot, &Look)) -> io::Result<Difference> {
    let ((here, own), (there, found)) = (one, other);
    if own.kind != found.kind {
        return Ok(Difference::Content);
    }
    let same_content = match own.kind {
        Kind::File => own.size == found.size && same_file(one, other)?,
        Kind::Symlink => here.target()? == there.target()?,
        Kind::Char | Kind::Block => own.rdev == found.rdev,
        Kind::Dir | Kind::Fifo | Kind::Socket => true,
    };
    if !same_content {
        return Ok(Difference::Content);
    }
    let times = own.kind == Kind::Dir || own.mtime == found.mtime;
    let modes = own.kind == Kind::Symlink || own.mode == found.mode;
    let owners = (own.uid, own.gid) == (found.uid, found.gid);
    let same = times && modes && owners && here.attributes(own)? == there.attributes(found)?;
    Ok(if same {
        Difference::None
    } else {
        Difference::Attributes
    })
}

/// Whether two files of one length have the same bytes. Of those that may not be read the time of change says so.
fn same_file(one: (&Spot, &Look), other: (&Spot, &Look)) -> io::Result<bool> {
    let opened = one.0.open().and_then(|own| Ok((own, other.0.open()?)));
    match opened {
        Ok((mut own, mut found)) => same_bytes(&mut own, &mut found),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(one.1.mtime == other.1.mtime),
        Err(error) => Err(error),
    }
}

fn same_bytes(one: &mut File, other: &mut File) -> io::Result<bool> {
    const PIECE: usize = 128 << 10;
    let (mut own, mut found) = (vec![0_u8; PIECE], vec![0_u8; PIECE]);
    loop {
        let length = fill(one, &mut own)?;
        if fill(other, &mut found)? != length || own.get(..length) != found.get(..length) {
            return Ok(false);
        }
        if length < PIECE {
            return Ok(true);
        }
    }
}

fn fill(file: &mut File, piece: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = piece.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read(rest)? {
            0 => break,
            length => filled += length,
        }
    }
    Ok(filled)
}

/// The extended attribute that an entry's state has, by name.
pub fn attributes_in(fields: &rescind_model::Fields) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let named = fields.iter().filter_map(|(name, value)| match value {
        rescind_model::Value::Bytes(bytes) => Some((state::xattr_name(name)?, bytes.clone())),
        _ => None,
    });
    named.collect()
}
