//! What an action's effects come to, per resource, in little memory: states are kept as hashes of what is compared.

use rescind_model::{Content, Fields, State, Value};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// One side of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Side {
    present: bool,
    is_folder: bool,
    /// The object, which is what tells a move.
    pub object: Option<u64>,
    /// Kind, target and device.
    substance: u64,
    /// All other fields but the object, the time of change and the content.
    attributes: u64,
    mtime: Option<i64>,
    content: Option<Body>,
}

/// A content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Body {
    length: u64,
    digest: Option<u64>,
    stamp: Option<u64>,
    /// The stamp without the time of its last change of any kind.
    inode: u64,
    kept: Option<u64>,
}

/// Which stamps stand for the same bytes, as far as it is known (see `rescind_supervisor::Stamps`).
#[derive(Debug, Default)]
pub(super) struct Alike {
    first: HashMap<u64, u64>,
    last: HashMap<u64, (u64, u64, i64)>,
}

fn hash(value: impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// The hash of a resource's key.
pub(super) fn key_hash(surface: &str, key: &str) -> u64 {
    hash((surface, key))
}

impl Body {
    fn of(content: &Content) -> Self {
        let stamp = content.stamp.as_ref().map(|stamp| stamp.0.as_str());
        Self {
            length: content.length,
            digest: content.digest.map(|digest| hash(digest.to_string())),
            stamp: stamp.map(hash),
            inode: stamp
                .and_then(|stamp| stamp.rsplit_once(':'))
                .map_or(0, |(body, _)| hash(body)),
            kept: content.kept.as_ref().map(|kept| hash(&kept.0)),
        }
    }
}

impl Side {
    pub fn of(state: &State) -> Self {
        let Some(fields) = state.fields() else {
            return Self::default();
        };
        Self {
            present: true,
            is_folder: fields.text("kind") == Some("dir"),
            object: fields.object("object").map(|object| object.0),
            substance: hashed(fields, |name| matches!(name, "kind" | "target" | "rdev")),
            attributes: hashed(fields, |name| {
                !matches!(name, "kind" | "target" | "rdev" | "mtime" | "content")
            }),
            mtime: fields.int("mtime"),
            content: fields.content("content").map(Body::of),
        }
    }

    pub fn exists(&self) -> bool {
        self.present
    }

    /// Whether the two look the same to a person.
    pub fn same(&self, other: &Self, alike: &Alike) -> bool {
        self.present == other.present
            && self.mtime == other.mtime
            && self.attributes == other.attributes
            && self.same_substance(other, alike)
    }

    /// Whether content and kind are the same.
    pub fn same_substance(&self, other: &Self, alike: &Alike) -> bool {
        let same_content = match (&self.content, &other.content) {
            (None, None) => true,
            (Some(one), Some(other)) => alike.same(one, other),
            _ => false,
        };
        self.substance == other.substance && same_content
    }

    /// Whether only a folder's time of change, which follows from what was done in it, differs.
    pub fn in_passing(&self, other: &Self, alike: &Alike) -> bool {
        let both = self.present && other.present && self.is_folder;
        both && self.attributes == other.attributes && self.same_substance(other, alike)
    }
}

/// A hash of some of the fields. Objects are left out: they don't show.
fn hashed(fields: &Fields, which: impl Fn(&str) -> bool) -> u64 {
    let mut hasher = DefaultHasher::new();
    for (name, value) in fields.iter().filter(|(name, _)| which(name)) {
        match value {
            Value::Object(_) => continue,
            Value::Int(number) => (name, 0_u8, number).hash(&mut hasher),
            Value::Text(text) => (name, 1_u8, text).hash(&mut hasher),
            Value::Bytes(bytes) => (name, 2_u8, bytes).hash(&mut hasher),
            Value::Content(content) => {
                let body = Body::of(content);
                (name, 3_u8, body.length, body.digest, body.stamp).hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}

impl Alike {
    /// Two stamps of the same bytes.
    fn join(&mut self, old: u64, new: u64) {
        let first = self.first_of(old);
        if first != new {
            self.first.insert(new, first);
        }
    }

    fn first_of(&self, stamp: u64) -> u64 {
        self.first.get(&stamp).copied().unwrap_or(stamp)
    }

    /// An effect left the content as it was.
    pub fn untouched(&mut self, before: &Side, after: &Side) {
        if let (Some(was), Some(is)) = (&before.content, &after.content)
            && before.object.is_some()
            && before.object == after.object
            && was.inode == is.inode
            && let (Some(old), Some(new)) = (was.stamp, is.stamp)
            && before.mtime.is_some()
            && after.mtime.is_some()
        {
            self.join(old, new);
        }
    }

    /// A state was seen: the same inode with the same length and time of change holds the same bytes as before.
    pub fn seen(&mut self, side: &Side) {
        let (Some(object), Some(body), Some(mtime)) = (side.object, &side.content, side.mtime) else {
            return;
        };
        let Some(stamp) = body.stamp else { return };
        if let Some((known, inode, then)) = self.last.insert(object, (stamp, body.inode, mtime))
            && known != stamp
            && then == mtime
            && inode == body.inode
        {
            self.join(known, stamp);
        }
    }

    fn same(&self, one: &Body, other: &Body) -> bool {
        let stamped = match (one.stamp, other.stamp) {
            (Some(one), Some(other)) => self.first_of(one) == self.first_of(other),
            _ => false,
        };
        let digests = one.digest.is_some() && one.digest == other.digest && one.length == other.length;
        stamped || digests || one.kept.is_some() && one.kept == other.kept
    }

    /// How many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        self.first.len() * 24 + self.last.len() * 48
    }
}
