//! The three-way merge per field (DESIGN section 5): B = the state we left, A = the state before, C = the state now.

use crate::{Fields, State, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The result of a merge: the state to write, and what could not be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The state that takes the session's change back and keeps everybody else's. For a field in conflict it holds
    /// what is there now.
    pub state: State,
    /// Fields that both the session and somebody else changed.
    pub conflicts: Vec<FieldConflict>,
}

/// A field that both sides changed, or the part of it that both changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConflict {
    /// The field, or `None` where the resource's existence itself is in conflict.
    pub field: Option<String>,
    /// Its value before the session; `None`: it had none.
    pub before: Option<Value>,
    /// Its value as the session left it.
    pub after: Option<Value>,
    /// Its value now.
    pub now: Option<Value>,
    /// The value to write where the conflict is decided for what is there now: of a text, everything else is merged
    /// and the hunks in conflict stay. `None`: the field stays away.
    pub keep: Option<Value>,
    /// The value to write where it is decided for the state before the session.
    pub restore: Option<Value>,
    /// Of a text, the hunks that both sides changed; else empty.
    pub hunks: Vec<Hunk>,
}

/// Lines of a text that both sides changed, with all three versions. Lines keep their ends; an empty text means that
/// the version has no lines there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hunk {
    /// The lines before the session.
    pub before: String,
    /// The lines as the session left them.
    pub after: String,
    /// The lines now.
    pub now: String,
    /// The number of the first of these lines in the text before, from 1.
    pub before_line: usize,
    /// The same in the text the session left.
    pub after_line: usize,
    /// The same in the text now.
    pub now_line: usize,
}

/// A text of which a part is in conflict, decided either way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartConflict {
    /// Everything else merged, the hunks in conflict as they are now.
    pub keep: Value,
    /// Everything else merged, the hunks in conflict as they were before the session.
    pub restore: Value,
    /// The hunks in conflict.
    pub hunks: Vec<Hunk>,
}

/// What a driver says of one field that both sides changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldMerge {
    /// Both changes fit together: this value has the one without the other.
    Merged(Value),
    /// A field that follows from others and has no worth of its own (a time of change): what is there now stays.
    Keep,
    /// Both touched the same grain: the whole field.
    Conflict,
    /// Both touched the same hunks; the rest fits together.
    Part(Box<PartConflict>),
}

/// Merge `before` (A) into `now` (C) given that we left `after` (B). `merge` is asked about each field that both
/// sides changed, with the values of A, B and C.
///
/// Never yields a value that only somebody else wrote over: C = B gives A, C = A gives A, else field by field.
pub fn three_way(
    before: &State,
    after: &State,
    now: &State,
    mut merge: impl FnMut(&str, Option<&Value>, Option<&Value>, Option<&Value>) -> FieldMerge,
) -> Merged {
    if now.same(after) || now.same(before) {
        return Merged {
            state: before.clone(),
            conflicts: Vec::new(),
        };
    }
    if before.same(after) {
        return Merged {
            state: now.clone(),
            conflicts: Vec::new(),
        };
    }
    let (State::Present(a), State::Present(b), State::Present(c)) = (before, after, now) else {
        let conflict = FieldConflict::of(None, [None, None, None]);
        return Merged {
            state: now.clone(),
            conflicts: vec![conflict],
        };
    };
    let names: BTreeSet<&str> = a
        .iter()
        .chain(b.iter())
        .chain(c.iter())
        .map(|(name, _)| name)
        .collect();
    let mut fields = Fields::new();
    let mut conflicts = Vec::new();
    for name in names {
        let (was, left, is) = (a.get(name), b.get(name), c.get(name));
        let object = [was, left, is]
            .iter()
            .any(|value| matches!(value, Some(Value::Object(_))));
        let value = if object || is == was || left == was {
            is.cloned()
        } else if is == left {
            was.cloned()
        } else {
            match merge(name, was, left, is) {
                FieldMerge::Merged(value) => Some(value),
                FieldMerge::Keep => is.cloned(),
                FieldMerge::Conflict => {
                    conflicts.push(FieldConflict::of(Some(name), [was, left, is]));
                    is.cloned()
                }
                FieldMerge::Part(part) => {
                    let whole = FieldConflict::of(Some(name), [was, left, is]);
                    let (keep, restore) = (Some(part.keep), Some(part.restore));
                    conflicts.push(FieldConflict {
                        keep: keep.clone(),
                        restore,
                        hunks: part.hunks,
                        ..whole
                    });
                    keep
                }
            }
        };
        if let Some(value) = value {
            fields.set(Cow::Owned(name.to_owned()), value);
        }
    }
    Merged {
        state: State::Present(fields),
        conflicts,
    }
}

impl FieldConflict {
    /// A conflict over the existence of a resource, or all of it.
    #[must_use]
    pub fn whole() -> Self {
        Self::of(None, [None; 3])
    }

    /// A conflict over the whole of a field with its values before, after and now.
    fn of(field: Option<&str>, [before, after, now]: [Option<&Value>; 3]) -> Self {
        Self {
            field: field.map(str::to_owned),
            before: before.cloned(),
            after: after.cloned(),
            now: now.cloned(),
            keep: now.cloned(),
            restore: before.cloned(),
            hunks: Vec::new(),
        }
    }
}
