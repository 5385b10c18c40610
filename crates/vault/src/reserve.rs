//! The reserve: room that is kept free, so that kill and undo can be recorded on a full disk.

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::vault::{Inner, Options, Vault};
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;
use std::os::unix::fs::FileExt as _;

const RESERVE: &str = "reserve";
/// The reserve is made only where so many times its size is free.
const MARGIN: u64 = 4;
/// The reserve is at most this part of the file system.
const PART: u64 = 16;
/// So much of it a running session takes at once, for outcomes: what it leaves over, others on the disk may take.
const PIECE: u64 = 128 << 10;

impl Vault {
    /// Give the reserve's room back to the file system. It is fine if there is none.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn release_reserve(&self) -> Result<()> {
        self.inner.release_reserve()
    }

    /// Give the reserve's room back if no more than it is left: before a recovery, which needs some room for more than
    /// what it writes here.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn make_way(&self) -> Result<()> {
        for root in self.inner.all_roots()?.there {
            let room = Room::of(&root.dir)?;
            if room.free < room.reserve(&self.inner.options) {
                release(&root.dir)?;
            }
        }
        Ok(())
    }

    /// Whether a file system on which the vault keeps anything, its pins among it, is so full that there would be no room
    /// for a reserve.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn is_short_of_room(&self) -> Result<bool> {
        for root in self.inner.all_roots()?.there {
            let room = Room::of(&root.dir)?;
            if room.free < room.reserve(&self.inner.options).saturating_mul(MARGIN) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Make the reserve if it is not there and there is room for four of it. Says whether it is there.
    ///
    /// # Errors
    /// If the system refuses for another reason than room.
    pub fn make_reserve(&self) -> Result<bool> {
        self.inner.make_reserve()
    }
}

/// The size of a file system, and what is free of it, in bytes.
struct Room {
    all: u64,
    free: u64,
}

impl Room {
    fn of(dir: &Dir) -> Result<Self> {
        let space = rustix::fs::fstatvfs(dir.fd())
            .map_err(|error| Error::io("look at the file system of", dir.path(), error))?;
        Ok(Self {
            all: space.f_blocks.saturating_mul(space.f_frsize),
            free: space.f_bavail.saturating_mul(space.f_frsize),
        })
    }

    /// How large a reserve there would be.
    fn reserve(&self, options: &Options) -> u64 {
        options.reserve_bytes.min(self.all / PART)
    }
}

impl Inner {
    pub fn release_reserve(&self) -> Result<()> {
        release(&self.dir)
    }

    /// Give a piece of the reserve back to the file system, to a running session: the half of it is left for the undo.
    /// Says whether there was a piece to give.
    pub fn release_piece(&self) -> Result<bool> {
        let Some(file) = self.dir.try_file(RESERVE, OFlags::WRONLY)? else {
            return Ok(false);
        };
        let failed = |error| Error::io("release a piece of", self.dir.path().join(RESERVE), error);
        let length = file.metadata().map_err(failed)?.len();
        let left = length.saturating_sub(PIECE);
        if left < Room::of(&self.dir)?.reserve(&self.options) / 2 {
            return Ok(false);
        }
        file.set_len(left).map_err(failed)?;
        Ok(true)
    }

    fn make_reserve(&self) -> Result<bool> {
        make(&self.dir, &self.options)
    }
}

fn release(dir: &Dir) -> Result<()> {
    let Some(file) = dir.try_file(RESERVE, OFlags::WRONLY)? else {
        return Ok(());
    };
    // Emptied, not removed: who has it open does not keep the room.
    file.set_len(0)
        .map_err(|error| Error::io("release", dir.path().join(RESERVE), error))
}

/// Make the reserve in this directory if there is room; says whether it is there.
pub(crate) fn make(dir: &Dir, options: &Options) -> Result<bool> {
    let room = Room::of(dir)?;
    let size = room.reserve(options);
    if size == 0 {
        return Ok(false);
    }
    let path = || dir.path().join(RESERVE);
    let length = dir
        .stat(RESERVE)?
        .map_or(0, |stat| u64::try_from(stat.st_size).unwrap_or(0));
    if length >= size {
        return Ok(true);
    }
    if room.free < size.saturating_mul(MARGIN) {
        return Ok(false);
    }
    let file = dir.file_with(RESERVE, OFlags::RDWR | OFlags::CREATE)?;
    let made = match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
        Err(Errno::OPNOTSUPP | Errno::NOSYS) => write_zeros(&file, size),
        result => result.map_err(std::io::Error::from),
    };
    match made.map_err(|error| Error::io("make", path(), error)) {
        Ok(()) => Ok(true),
        Err(error) if error.is_disk_full() => {
            release(dir)?;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

fn write_zeros(file: &std::fs::File, size: u64) -> std::io::Result<()> {
    let zeros = vec![0; 1 << 20];
    let mut at = 0;
    while at < size {
        let step = (size - at).min(zeros.len() as u64);
        file.write_all_at(zeros.get(..step as usize).unwrap_or_default(), at)?;
        at += step;
    }
    Ok(())
}
