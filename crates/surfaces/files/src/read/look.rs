//! One statx of a directory entry.

use super::birth;
use crate::object::{Identity, Kind};
use rustix::fs::{AtFlags, FileType, Statx, StatxFlags, StatxTimestamp, statx};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;

/// What one statx tells. Times are nanoseconds since the Unix epoch and end at the year 2262.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Which inode it is.
    pub identity: Identity,
    /// What it is.
    pub kind: Kind,
    /// Permission bits, set-id bits and the sticky bit (07777).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Blocks of 512 bytes that are allocated.
    pub blocks: u64,
    /// The number of links.
    pub nlink: u32,
    /// The time of the last change of content.
    pub mtime: i64,
    /// The time of the last change of anything.
    pub ctime: i64,
    /// Of a device, its number, major in the upper half.
    pub rdev: u64,
}

/// Look at `name` in `folder`, without following it (an empty name: at the folder); `None`: there is nothing of that
/// name.
///
/// # Errors
/// The folder can't be searched.
pub fn look(folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Look>> {
    if name.is_empty() {
        return look_at(folder).map(Some);
    }
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match statx(folder, name, flags, wanted()) {
        Ok(found) => Look::of(&found)
            .map(|look| look.lasting(folder, name.as_bytes()))
            .map(Some),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Look at what a descriptor is open on (`O_PATH` will do).
///
/// # Errors
/// The kernel refuses.
pub fn look_at(opened: BorrowedFd<'_>) -> io::Result<Look> {
    let found = statx(opened, c"", AtFlags::EMPTY_PATH, wanted())?;
    Look::of(&found).map(|look| look.lasting(opened, b""))
}

fn wanted() -> StatxFlags {
    StatxFlags::BASIC_STATS | StatxFlags::BTIME
}

impl Look {
    fn of(found: &Statx) -> io::Result<Self> {
        let kind = match FileType::from_raw_mode(u32::from(found.stx_mode)) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::Char,
            FileType::BlockDevice => Kind::Block,
            FileType::Unknown => return Err(io::Error::other("an inode of a kind that is not known here")),
        };
        let born = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        Ok(Self {
            identity: Identity {
                dev: number(found.stx_dev_major, found.stx_dev_minor),
                ino: found.stx_ino,
                btime: if born { nanoseconds(&found.stx_btime) } else { 0 },
            },
            kind,
            mode: u32::from(found.stx_mode) & 0o7777,
            uid: found.stx_uid,
            gid: found.stx_gid,
            size: found.stx_size,
            blocks: found.stx_blocks,
            nlink: found.stx_nlink,
            mtime: nanoseconds(&found.stx_mtime),
            ctime: nanoseconds(&found.stx_ctime),
            rdev: number(found.stx_rdev_major, found.stx_rdev_minor),
        })
    }

    /// The same, without a time of birth that does not last.
    fn lasting(mut self, folder: BorrowedFd<'_>, name: &[u8]) -> Self {
        if !birth::lasts(self.identity.dev, folder, name) {
            self.identity.btime = 0;
        }
        self
    }

    /// Whether this is the same inode with the same bytes and properties as in `earlier`, as far as a look can tell,
    /// though its name or number of links may have changed.
    #[must_use]
    pub fn unchanged_since(&self, earlier: &Self) -> bool {
        let of = |look: &Self| {
            (
                look.identity,
                look.kind,
                look.mode,
                look.uid,
                look.gid,
                look.mtime,
            )
        };
        of(self) == of(earlier) && (self.kind == Kind::Dir || self.size == earlier.size)
    }
}

fn number(major: u32, minor: u32) -> u64 {
    (u64::from(major) << 32) | u64::from(minor)
}

fn nanoseconds(time: &StatxTimestamp) -> i64 {
    time.tv_sec
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(time.tv_nsec))
}
