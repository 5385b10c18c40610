//! Whether a file's bytes are still those of an earlier state, and their digest.

use super::{Look, body_of, fields, look, look_at};
use crate::object::{Identity, Kind};
use crate::state;
use rescind_model::{Content, Digest, ObjectId, State, Value};
use rustix::fs::{Mode, OFlags, openat};
use sha2::{Digest as _, Sha256};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};

/// Bodies up to this length are hashed whenever their stamp does not tell what they are: they may be merged as text.
const HASHED: u64 = 1 << 20;
const PIECE: usize = 128 << 10;
const TRIES: u32 = 20;

/// The body of `hint`, if the file looked at still has it as far as that can be known without reading: the stamp is the
/// same; or no digest is known, and inode, length and time of change are the same. (ctime alone changes when a file
/// gets another name or another link, also by ourselves.)
#[must_use]
pub fn settle(look: &Look, hint: &State) -> Option<Content> {
    let body = state::content(hint)?;
    let stamp = body.stamp.as_ref()?;
    if *stamp == state::stamp(look) {
        return Some(body.clone());
    }
    let same_mtime = hint.fields()?.int(state::MTIME) == Some(look.mtime);
    let same = body.digest.is_none() && same_mtime && state::stamp_is_of(stamp, look);
    same.then(|| body.clone())
}

/// The state of `name` in `folder`, its body with the digest and locator of `hint` where it is the same, read and hashed
/// where only that tells. `object` gives the number of an inode.
///
/// # Errors
/// What is there can't be read.
pub fn full(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    hint: Option<&State>,
    object: impl Fn(&Identity) -> Option<ObjectId>,
) -> io::Result<State> {
    for _ in 0..TRIES {
        let Some(look) = look(folder, name)? else {
            return Ok(State::Absent);
        };
        let found = fields(folder, name, &look, object(&look.identity)).and_then(|mut fields| {
            if look.kind == Kind::File {
                let body = body(folder, name, &look, hint)?;
                fields.set(state::CONTENT, Value::Content(body));
            }
            if hint
                .and_then(State::fields)
                .is_some_and(|hint| hint.get(state::FLAGS).is_some())
            {
                let flags = flags(folder, name, &look)?;
                fields.set(state::FLAGS, Value::Int(i64::from(flags)));
            }
            Ok(fields)
        });
        match found {
            Ok(fields) => return Ok(State::Present(fields)),
            // Replaced or removed between the calls: look again.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("it is being replaced all the time"))
}

/// Open a regular file to read it; never anything else, and never through a link. An error of kind `NotFound`: it is
/// not the inode looked at any more.
///
/// # Errors
/// It can't be opened.
pub fn open_file(folder: BorrowedFd<'_>, name: &OsStr, look: &Look) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = File::from(openat(folder, name, flags, Mode::empty())?);
    if look_at(file.as_fd())?.identity == look.identity {
        return Ok(file);
    }
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        "another file has taken its place",
    ))
}

/// The SHA-256 of everything in `file` from where it stands.
///
/// # Errors
/// It can't be read.
pub fn digest(file: &mut File) -> io::Result<Digest> {
    let mut hash = Sha256::new();
    let mut piece = vec![0_u8; PIECE];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            return Ok(Digest(hash.finalize().into()));
        }
        hash.update(piece.get(..length).unwrap_or_default());
    }
}

fn body(folder: BorrowedFd<'_>, name: &OsStr, look: &Look, hint: Option<&State>) -> io::Result<Content> {
    if let Some(body) = hint.and_then(|hint| settle(look, hint)) {
        return Ok(body);
    }
    let mut body = body_of(look);
    let known = hint.and_then(state::content);
    let told_by_digest = known.is_some_and(|known| known.length == look.size && known.digest.is_some());
    if look.size > HASHED && !told_by_digest {
        return Ok(body);
    }
    let mut file = match open_file(folder, name, look) {
        Ok(file) => file,
        // May not be read: nothing more is known of it then.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(body),
        Err(error) => return Err(error),
    };
    let digest = digest(&mut file)?;
    let after = look_at(file.as_fd())?;
    if after.ctime != look.ctime || after.size != look.size {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            "it was written to while it was read",
        ));
    }
    body.digest = Some(digest);
    if let Some(known) = known
        && known.digest == body.digest
    {
        body.kept.clone_from(&known.kept);
    }
    Ok(body)
}

/// The inode flags of a file or folder (`FS_IOC_GETFLAGS`).
///
/// # Errors
/// It can't be opened, or its file system has none.
pub fn flags(folder: BorrowedFd<'_>, name: &OsStr, look: &Look) -> io::Result<u32> {
    if !matches!(look.kind, Kind::File | Kind::Dir) {
        return Ok(0);
    }
    let how = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let name = if name.is_empty() { OsStr::new(".") } else { name };
    let opened = openat(folder, name, how, Mode::empty())?;
    Ok(rustix::fs::ioctl_getflags(&opened)?.bits())
}
