//! The fields of a cell's state, and stamps.

use crate::object::{Identity, Kind};
use crate::read::Look;
use rescind_model::{Content, Fields, ObjectId, Stamp, State, Value};
use std::borrow::Cow;

/// `Text`: what it is, a [`Kind`]'s name.
pub const KIND: &str = "kind";
/// `Object`: the session's number of the inode, where it has one.
pub const OBJECT: &str = "object";
/// `Int`, of a folder that has a number: that number. What is in a folder belongs to it, so that two folders are never
/// the same, however alike they look; unlike [`OBJECT`] this is compared.
pub const FOLDER: &str = "folder";
/// `Int`: permission bits, set-id bits and the sticky bit (07777).
pub const MODE: &str = "mode";
/// `Int`: the owner.
pub const UID: &str = "uid";
/// `Int`: the group.
pub const GID: &str = "gid";
/// `Int`: the time of change, nanoseconds since the Unix epoch.
pub const MTIME: &str = "mtime";
/// `Content`: a regular file's bytes.
pub const CONTENT: &str = "content";
/// `Bytes`: where a symbolic link points.
pub const TARGET: &str = "target";
/// `Int`: a device's number, major in the upper half.
pub const RDEV: &str = "rdev";
/// `Int`: inode flags (`FS_IOC_GETFLAGS`), only where the session changed them.
pub const FLAGS: &str = "flags";
/// `Bytes`, one field for each extended attribute: `xattr.<name>`, ACLs among them.
pub const XATTR: &str = "xattr.";

/// The stamp of a regular file's content: `dev:ino:btime_ns:size:ctime_ns`, decimal.
#[must_use]
pub fn stamp(look: &Look) -> Stamp {
    let Look { identity, size, .. } = look;
    let (dev, ino, btime) = (identity.dev, identity.ino, identity.btime);
    Stamp(format!("{dev}:{ino}:{btime}:{size}:{}", look.ctime))
}

/// Whether a stamp was made of this inode at this size, at whatever ctime. (ctime changes with links, names and
/// permissions, too.)
#[must_use]
pub fn stamp_is_of(stamp: &Stamp, look: &Look) -> bool {
    let Look { identity, size, .. } = look;
    let mut parts = stamp.0.split(':');
    let mut next = || parts.next().unwrap_or_default();
    let dev_ino_agree = next() == identity.dev.to_string() && next() == identity.ino.to_string();
    dev_ino_agree && next() == identity.btime.to_string() && next() == size.to_string()
}

/// The inode that a stamp was made of.
#[must_use]
pub fn stamp_identity(stamp: &Stamp) -> Option<Identity> {
    let mut parts = stamp.0.split(':');
    Some(Identity {
        dev: parts.next()?.parse().ok()?,
        ino: parts.next()?.parse().ok()?,
        btime: parts.next()?.parse().ok()?,
    })
}

/// The name of the field for an extended attribute. Bytes that are no UTF-8, and `%`, are written `%XX`.
#[must_use]
pub fn xattr_field(name: &[u8]) -> Cow<'static, str> {
    let mut field = String::with_capacity(XATTR.len() + name.len());
    field.push_str(XATTR);
    let plain = |text: &str, field: &mut String| {
        for part in text.split_inclusive('%') {
            match part.strip_suffix('%') {
                Some(head) => {
                    field.push_str(head);
                    field.push_str("%25");
                }
                None => field.push_str(part),
            }
        }
    };
    for chunk in name.utf8_chunks() {
        plain(chunk.valid(), &mut field);
        for byte in chunk.invalid() {
            field.push_str(&format!("%{byte:02X}"));
        }
    }
    Cow::Owned(field)
}

/// The extended attribute that a field is for.
#[must_use]
pub fn xattr_name(field: &str) -> Option<Vec<u8>> {
    let mut rest = field.strip_prefix(XATTR)?;
    let mut name = Vec::with_capacity(rest.len());
    while let Some((head, tail)) = rest.split_once('%') {
        name.extend_from_slice(head.as_bytes());
        let (hex, tail) = tail.split_at_checked(2)?;
        name.push(u8::from_str_radix(hex, 16).ok()?);
        rest = tail;
    }
    name.extend_from_slice(rest.as_bytes());
    Some(name)
}

/// The kind of what is there.
#[must_use]
pub fn kind(state: &State) -> Option<Kind> {
    kind_of(state.fields()?)
}

/// The kind that the fields tell.
#[must_use]
pub fn kind_of(fields: &Fields) -> Option<Kind> {
    Kind::of_name(fields.text(KIND)?)
}

/// The object behind a state.
#[must_use]
pub fn object(state: &State) -> Option<ObjectId> {
    let fields = state.fields()?;
    let folder = fields.int(FOLDER).map(|number| ObjectId(number.cast_unsigned()));
    folder.or_else(|| fields.object(OBJECT))
}

/// The state, with [`FOLDER`] if it is of a folder with a number.
#[must_use]
pub fn with_folder(state: State) -> State {
    match state {
        State::Present(fields) => {
            let number = fields
                .object(OBJECT)
                .filter(|_| kind_of(&fields) == Some(Kind::Dir));
            State::Present(match number {
                Some(number) if fields.get(FOLDER).is_none() => {
                    fields.with(FOLDER, Value::Int(number.0.cast_signed()))
                }
                _ => fields,
            })
        }
        State::Absent => State::Absent,
    }
}

/// The body, if there is one.
#[must_use]
pub fn content(state: &State) -> Option<&Content> {
    state.fields()?.content(CONTENT)
}

/// The state with the time of change that `was` has, if both are folders: what is done in a folder changes its time.
#[must_use]
pub fn undisturbed(now: &State, was: &State) -> State {
    let both_folders = kind(now) == Some(Kind::Dir) && kind(was) == Some(Kind::Dir);
    if both_folders {
        return same_mtime(now, was);
    }
    now.clone()
}

/// The state with the time of change that `was` has.
#[must_use]
pub fn same_mtime(now: &State, was: &State) -> State {
    match (now, was.fields().and_then(|was| was.get(MTIME))) {
        (State::Present(fields), Some(time)) => State::Present(fields.clone().with(MTIME, time.clone())),
        _ => now.clone(),
    }
}

/// The state with another body.
#[must_use]
pub fn with_content(state: &State, content: Content) -> State {
    match state {
        State::Present(fields) => State::Present(fields.clone().with(CONTENT, Value::Content(content))),
        State::Absent => State::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::{xattr_field, xattr_name};

    #[test]
    fn names_of_attributes_survive_as_fields_whatever_bytes_they_have() {
        for name in [
            &b"user.plain"[..],
            b"user.100%",
            b"user.\xff\xfe%41",
            "user.ü".as_bytes(),
            b"%",
        ] {
            assert_eq!(xattr_name(&xattr_field(name)).as_deref(), Some(name));
        }
        assert_eq!(xattr_field(b"user.plain"), "xattr.user.plain");
        assert_eq!(xattr_name("mode"), None);
    }
}
