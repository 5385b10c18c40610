//! States of resources: fields and their values, as drivers read, merge and restore them.

use crate::Digest;
use std::borrow::Cow;

/// The state of one resource: it is not there, or it is there with these fields.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum State {
    /// The resource was looked for and does not exist. Never used for 'not captured' (law 7).
    #[default]
    Absent,
    /// It exists.
    Present(Fields),
}

/// Fields by name, sorted by name, each name once. Small, so kept in a vector.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(Vec<(Cow<'static, str>, Value)>);

/// The value of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
    /// Bytes that need not be text.
    Bytes(Vec<u8>),
    /// A body that is compared by digest or stamp and kept in the vault.
    Content(Content),
    /// The identity of the object behind the resource, for drivers that know one (an inode). Identity steers how
    /// a driver restores; it is no property that a person could see, so comparison of states ignores it.
    Object(ObjectId),
}

/// An object of one session, numbered in the order of first sight. Never reused within the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectId(pub u64);

/// A driver's token for 'the same bytes': equal stamps of one resource imply equal content (for files device, inode,
/// birth time, size and ctime). Unequal stamps imply nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stamp(pub String);

/// Where the vault keeps bytes. Opaque to all but the vault.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Locator(pub String);

/// A body: a file's bytes, a record's large value.
#[derive(Debug, Clone)]
pub struct Content {
    /// Length in bytes.
    pub length: u64,
    /// SHA-256 of the bytes, where they were read.
    pub digest: Option<Digest>,
    /// The driver's stamp, where it has one.
    pub stamp: Option<Stamp>,
    /// Where the vault keeps the bytes, if it does.
    pub kept: Option<Locator>,
}

impl Content {
    /// Whether two bodies are the same bytes: `None` where neither stamp, digest nor the place in the vault can tell.
    #[must_use]
    pub fn same(&self, other: &Self) -> Option<bool> {
        let stamped = self.stamp.is_some() && self.stamp == other.stamp;
        if stamped || self.kept.is_some() && self.kept == other.kept {
            return Some(true);
        }
        if self.length != other.length {
            return Some(false);
        }
        match (&self.digest, &other.digest) {
            (Some(a), Some(b)) => Some(a == b),
            _ => None,
        }
    }
}

/// Equality is [`Content::same`] with 'can't tell' taken as different, so that doubt is never taken for agreement.
impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        self.same(other).unwrap_or(false)
    }
}
impl Eq for Content {}

impl Fields {
    /// No fields.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The value of `name`.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let place = self.0.binary_search_by(|(own, _)| own.as_ref().cmp(name)).ok()?;
        self.0.get(place).map(|(_, value)| value)
    }

    /// Set `name` to `value`.
    pub fn set(&mut self, name: impl Into<Cow<'static, str>>, value: Value) {
        let name = name.into();
        match self.0.binary_search_by(|(own, _)| own.cmp(&name)) {
            Ok(place) => {
                if let Some(field) = self.0.get_mut(place) {
                    field.1 = value;
                }
            }
            Err(place) => self.0.insert(place, (name, value)),
        }
    }

    /// The same fields with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: Value) -> Self {
        self.set(name, value);
        self
    }

    /// Take `name` away.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let place = self.0.binary_search_by(|(own, _)| own.as_ref().cmp(name)).ok()?;
        Some(self.0.remove(place).1)
    }

    /// Names and values in the order of names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// The number, if `name` is one.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        }
    }

    /// The text, if `name` is one.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The body, if `name` is one.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<&Content> {
        match self.get(name) {
            Some(Value::Content(content)) => Some(content),
            _ => None,
        }
    }

    /// The object, if `name` is one.
    #[must_use]
    pub fn object(&self, name: &str) -> Option<ObjectId> {
        match self.get(name) {
            Some(Value::Object(object)) => Some(*object),
            _ => None,
        }
    }
}

impl<N: Into<Cow<'static, str>>> FromIterator<(N, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in pairs {
            fields.set(name, value);
        }
        fields
    }
}

impl State {
    /// The fields, if the resource exists.
    #[must_use]
    pub fn fields(&self) -> Option<&Fields> {
        match self {
            Self::Absent => None,
            Self::Present(fields) => Some(fields),
        }
    }

    /// Whether the resource exists.
    #[must_use]
    pub fn exists(&self) -> bool {
        matches!(self, Self::Present(_))
    }

    /// Whether two states look the same to a person: identities of objects are ignored, bodies compared by
    /// [`Content::same`], doubt taken as different.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Absent, Self::Absent) => true,
            (Self::Present(a), Self::Present(b)) => visible(a).eq(visible(b)),
            _ => false,
        }
    }
}

fn visible(fields: &Fields) -> impl Iterator<Item = (&str, &Value)> {
    fields
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Object(_)))
}
