//! Tables and records as they are stored, and as states.

use crate::Writer;
use rescind_model::{Content, Digest, Fields, Locator, ObjectId, Stamp, State, Value};
use rescind_supervisor::KIND;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The fields a thing can have. `touched` is the world's clock when something was last put into or taken out of a table.
pub(crate) const FIELDS: [&str; 7] = [KIND, "n", "m", "label", "text", "blob", "touched"];

/// A stored value.
#[derive(Clone, PartialEq, Eq)]
pub enum Item {
    /// A whole number.
    Int(i64),
    /// A text of one line.
    Text(String),
    /// A body. Bodies are never changed in place: other bytes are another body.
    Body {
        /// Its number.
        id: u64,
        /// How often it was put back. Part of the stamp: a body that was put back is stamped anew, as an inode is by a link.
        puts: u64,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
}

/// A value and who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The value.
    pub item: Item,
    /// Who wrote it.
    pub writer: Writer,
}

/// A table or a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its identity: a thing that is made again is another one.
    pub object: u64,
    /// Its fields.
    pub slots: BTreeMap<&'static str, Slot>,
}

impl Item {
    /// Whether two values look the same.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Body { bytes: a, .. }, Self::Body { bytes: b, .. }) => a == b,
            _ => self == other,
        }
    }
}

impl fmt::Debug for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Body { id, puts, bytes } => {
                write!(f, "body {id}.{puts} {:?}", String::from_utf8_lossy(bytes))
            }
        }
    }
}

impl Record {
    /// Whether it is a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        matches!(self.item(KIND), Some(Item::Text(kind)) if kind == "table")
    }

    /// The value of a field.
    #[must_use]
    pub fn item(&self, field: &str) -> Option<&Item> {
        self.slots.get(field).map(|slot| &slot.item)
    }

    /// As a state. Only texts have a digest; of other bodies the stamp, or the place they are kept at, tells.
    pub(crate) fn state(&self, hint: Option<&State>) -> State {
        let hint = hint.and_then(State::fields);
        let mut fields = Fields::new().with("object", Value::Object(ObjectId(self.object)));
        for (name, slot) in &self.slots {
            let value = match &slot.item {
                Item::Int(number) => Value::Int(*number),
                Item::Text(text) => Value::Text(text.clone()),
                Item::Body { id, puts, bytes } => {
                    let known = hint.and_then(|hint| hint.content(name));
                    Value::Content(body(name, (*id, *puts), bytes, known))
                }
            };
            fields.set(*name, value);
        }
        State::Present(fields)
    }
}

fn body(field: &str, (id, puts): (u64, u64), bytes: &[u8], hint: Option<&Content>) -> Content {
    let stamp = Some(Stamp(format!("{id}.{puts}")));
    let length = bytes.len() as u64;
    let stamped = hint.filter(|hint| hint.stamp == stamp);
    let pinned = hint.filter(|hint| hint.kept == Some(pin(id)));
    let digest = match (stamped.and_then(|hint| hint.digest), field) {
        (Some(digest), _) => Some(digest),
        (None, "text") => Some(Digest::of(bytes)),
        (None, _) => None,
    };
    let kept = stamped.or(pinned).and_then(|hint| hint.kept.clone());
    Content {
        length,
        digest,
        stamp,
        kept,
    }
}

/// Where a body is kept as it is.
pub(crate) fn pin(id: u64) -> Locator {
    Locator(format!("pin:{id}"))
}

/// The number of a body that is kept as it is.
pub(crate) fn pinned(kept: &Locator) -> Option<u64> {
    kept.0.strip_prefix("pin:")?.parse().ok()
}
