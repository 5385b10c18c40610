//! Reading a cell: one statx, and what else its kind has. Always by an open folder and a name in it, and never through
//! a symbolic link.
//!
//! [`look`] and [`state()`] are made for a gateway's hot path: no content is read. [`settle`] says whether a body is still
//! the one of an earlier state; [`full`] reads and hashes where that is the only way to know.

pub(crate) mod birth;
mod body;
mod look;
mod xattr;

pub use body::{digest, flags, full, open_file, settle};
pub use look::{Look, look, look_at};
pub(crate) use xattr::xattrs_of;
pub use xattr::{MAX_VALUE, xattrs};

use crate::object::Kind;
use crate::state;
use rescind_model::{Content, Fields, ObjectId, State, Value};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::os::fd::BorrowedFd;

/// The state of `name` in `folder` without reading its content: a body has length and stamp only. `object` gives the
/// inode's number, if it has one. `look` is what was just found there.
///
/// # Errors
/// What is there can't be read, or is not there any more.
pub fn state(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    look: &Look,
    object: Option<ObjectId>,
) -> io::Result<State> {
    fields(folder, name, look, object).map(State::Present)
}

/// As [`state()`], the fields alone.
///
/// # Errors
/// What is there can't be read, or is not there any more.
pub fn fields(
    folder: BorrowedFd<'_>,
    name: &OsStr,
    look: &Look,
    object: Option<ObjectId>,
) -> io::Result<Fields> {
    let mut fields = Fields::new();
    // In the order of names, so that each is put at the end.
    if look.kind == Kind::File {
        fields.set(state::CONTENT, Value::Content(body_of(look)));
    }
    if let (Kind::Dir, Some(object)) = (look.kind, object) {
        fields.set(state::FOLDER, Value::Int(object.0.cast_signed()));
    }
    fields.set(state::GID, Value::Int(i64::from(look.gid)));
    fields.set(state::KIND, Value::Text(look.kind.name().to_owned()));
    fields.set(state::MODE, Value::Int(i64::from(look.mode)));
    fields.set(state::MTIME, Value::Int(look.mtime));
    if let Some(object) = object {
        fields.set(state::OBJECT, Value::Object(object));
    }
    match look.kind {
        Kind::Char | Kind::Block => fields.set(state::RDEV, Value::Int(look.rdev.cast_signed())),
        Kind::Symlink => {
            let target = rustix::fs::readlinkat(folder, name, Vec::with_capacity(256))?;
            fields.set(state::TARGET, Value::Bytes(target.into_bytes()));
        }
        _ => {}
    }
    fields.set(state::UID, Value::Int(i64::from(look.uid)));
    if matches!(look.kind, Kind::File | Kind::Dir) {
        xattrs(folder, name, |name, value| {
            let field: Cow<'static, str> = state::xattr_field(name);
            fields.set(field, Value::Bytes(value.to_vec()));
        })?;
    }
    Ok(fields)
}

/// A regular file's body as far as a look tells it.
#[must_use]
pub fn body_of(look: &Look) -> Content {
    Content {
        length: look.size,
        digest: None,
        stamp: Some(state::stamp(look)),
        kept: None,
    }
}
