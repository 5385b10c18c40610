//! Making an entry of the real tree as it is on the stage.

use super::same::{self, Spot};
use crate::Kind;
use crate::read::Look;
use rustix::fs::{
    AtFlags, FallocateFlags, FileType, Mode, OFlags, SeekFrom, XattrFlags, chownat, mknodat, openat, seek,
    symlinkat,
};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};

const PIECE: usize = 256 << 10;

/// Make a copy of `source` at a spot where nothing is, with its attributes; a folder without what is in it and without
/// its attributes, which come last.
///
/// # Errors
/// Something is there, or it can't be made.
pub fn make(source: &Spot, look: &Look, target: &Spot) -> io::Result<()> {
    let (folder, name) = (&target.folder, &target.name);
    let closed = Mode::from_raw_mode(0o600);
    match look.kind {
        Kind::Dir => return Ok(rustix::fs::mkdirat(folder, name, Mode::from_raw_mode(0o700))?),
        Kind::File => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let file = File::from(openat(folder, name, flags, closed)?);
            bytes(&source.open()?, &file)?;
        }
        Kind::Symlink => symlinkat(OsStr::from_bytes(&source.target()?), folder, name)?,
        Kind::Fifo => mknodat(folder, name, FileType::Fifo, closed, 0)?,
        Kind::Socket => mknodat(folder, name, FileType::Socket, closed, 0)?,
        Kind::Char => mknodat(folder, name, FileType::CharacterDevice, closed, device(look))?,
        Kind::Block => mknodat(folder, name, FileType::BlockDevice, closed, device(look))?,
    }
    dress(source, look, target)
}

fn device(look: &Look) -> u64 {
    let half = |number: u64| u32::try_from(number & 0xffff_ffff).unwrap_or_default();
    rustix::fs::makedev(half(look.rdev >> 32), half(look.rdev))
}

/// Write the bytes of one file into another, holes where it has them.
///
/// # Errors
/// One can't be read, or the other not written.
pub fn bytes(source: &File, target: &File) -> io::Result<()> {
    let metadata = source.metadata()?;
    let length = metadata.len();
    if length > 0 && metadata.blocks() * 512 >= length {
        // Room was set aside for it, perhaps without data. Where that can't be had it is no less the same file.
        let _not_everywhere = rustix::fs::fallocate(target, FallocateFlags::empty(), 0, length);
    }
    let mut piece = vec![0_u8; PIECE];
    let mut at = 0;
    while at < length {
        let (begin, end) = match seek(source, SeekFrom::Data(at)) {
            Ok(begin) => (begin, seek(source, SeekFrom::Hole(begin))?.min(length)),
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        at = begin;
        while at < end {
            let room = usize::try_from(end - at).unwrap_or(PIECE).min(PIECE);
            let read = source.read_at(piece.get_mut(..room).unwrap_or_default(), at)?;
            if read == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
            }
            target.write_all_at(piece.get(..read).unwrap_or_default(), at)?;
            at += read as u64;
        }
    }
    target.set_len(length)
}

/// Give an entry the owner, permissions, extended attributes and time of change that it has on the stage.
///
/// # Errors
/// The kernel refuses one of them.
pub fn dress(source: &Spot, look: &Look, target: &Spot) -> io::Result<()> {
    let now = target.look()?.ok_or(io::ErrorKind::NotFound)?;
    let (folder, name) = (target.folder.as_fd(), &target.name);
    if (now.uid, now.gid) != (look.uid, look.gid) {
        let user = rustix::fs::Uid::from_raw(look.uid);
        let group = rustix::fs::Gid::from_raw(look.gid);
        chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    if look.kind != Kind::Symlink {
        // A change of owner may have taken set-id bits.
        let mode = Mode::from_raw_mode(look.mode);
        rustix::fs::chmodat(folder, name, mode, AtFlags::empty())?;
    }
    let wanted = source.attributes(look)?;
    let path = target.path();
    for name in target
        .attributes(&now)?
        .keys()
        .filter(|name| !wanted.contains_key(*name))
    {
        rustix::fs::lremovexattr(&path, OsStr::from_bytes(name))?;
    }
    for (name, value) in &wanted {
        if target.attributes(&now)?.get(name) != Some(value) {
            rustix::fs::lsetxattr(&path, OsStr::from_bytes(name), value, XattrFlags::empty())?;
        }
    }
    same::set_mtime(folder, name, look.mtime, false)
}
