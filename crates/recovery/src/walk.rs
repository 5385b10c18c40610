//! Take the segments of one resource out of its state now, from the last to the first.

use crate::{OnConflict, Segment};
use rescind_model::{Content, Digest, FieldConflict, Fields, ResourceId, State, Value};
use rescind_supervisor::{Bodies, Driver, DriverError};

/// The longest text that is merged by hunk, in bytes.
pub const MERGE_LIMIT: u64 = 1 << 20;

/// What one resource should be like, and where that is not clear.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Walked {
    pub(crate) target: State,
    pub(crate) clashes: Vec<Clash>,
}

/// What both the session and somebody else changed, at one gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The state before the session's stretch.
    pub before: State,
    /// The state it left; `None`: not known.
    pub after: Option<State>,
    /// The state that others made of it: what is there now, with the session's later stretches taken back.
    pub now: State,
    /// The fields in conflict; one without a name where the existence of the resource itself, or all of it, is.
    pub fields: Vec<FieldConflict>,
}

/// The resource and the driver that knows it.
pub(crate) struct Place<'a> {
    pub(crate) driver: &'a dyn Driver,
    pub(crate) resource: &'a ResourceId,
    pub(crate) name: &'a str,
    pub(crate) bodies: &'a dyn Bodies,
}

impl Place<'_> {
    /// The state without what the segments did. Where a conflict is decided for what is there now, and where it is not
    /// decided, what is there stays at that grain and the rest is taken back.
    pub(crate) fn walk(
        &self,
        segments: &[Segment],
        now: &State,
        on_conflict: OnConflict,
    ) -> Result<Walked, DriverError> {
        let mut state = if merges(segments, now) {
            self.readable(now)?
        } else {
            now.clone()
        };
        let mut clashes = Vec::new();
        for segment in segments.iter().rev() {
            let before = &segment.before;
            let Some(after) = &segment.after else {
                let now = std::mem::replace(&mut state, before.clone());
                if !self.driver.undisturbed(&now, before).same(before) {
                    if on_conflict != OnConflict::Restore {
                        state.clone_from(&now);
                    }
                    clashes.push(Clash {
                        before: before.clone(),
                        after: None,
                        now,
                        fields: Vec::new(),
                    });
                }
                continue;
            };
            let merged = self.driver.merge(before, after, &state, self.bodies);
            if merged.conflicts.is_empty() {
                state = merged.state;
                continue;
            }
            let decided = match on_conflict {
                OnConflict::Restore => restored(merged.state, &merged.conflicts, before),
                OnConflict::Keep | OnConflict::Ask => merged.state,
            };
            let now = std::mem::replace(&mut state, decided);
            let (before, after) = (before.clone(), Some(after.clone()));
            clashes.push(Clash {
                before,
                after,
                now,
                fields: merged.conflicts,
            });
        }
        clashes.reverse();
        Ok(Walked {
            target: unread(state, now),
            clashes,
        })
    }

    /// The same state with its small bodies readable, for merging.
    fn readable(&self, now: &State) -> Result<State, DriverError> {
        let State::Present(fields) = now else {
            return Ok(now.clone());
        };
        let mut readable = fields.clone();
        for (field, value) in fields.iter() {
            let Value::Content(content) = value else { continue };
            if content.kept.is_some() || content.length > MERGE_LIMIT {
                continue;
            }
            let bytes = self.driver.load(self.resource, self.name, field, MERGE_LIMIT)?;
            let known = content.digest.is_none_or(|digest| digest == Digest::of(&bytes));
            if let (true, Ok(kept)) = (
                known && bytes.len() as u64 == content.length,
                self.bodies.keep(&bytes),
            ) {
                let kept = Content {
                    stamp: content.stamp.clone(),
                    ..kept
                };
                readable.set(field.to_owned(), Value::Content(kept));
            }
        }
        Ok(State::Present(readable))
    }
}

/// Whether any body has to be merged: otherwise none is read.
fn merges(segments: &[Segment], now: &State) -> bool {
    let Some(now) = now.fields() else { return false };
    let same = |a: &Option<&Value>, b: &Option<&Value>| a == b;
    now.iter()
        .filter(|(_, value)| matches!(value, Value::Content(_)))
        .any(|(name, value)| {
            segments.iter().any(|segment| {
                let before = segment.before.fields().and_then(|fields| fields.get(name));
                let after = segment
                    .after
                    .as_ref()
                    .and_then(State::fields)
                    .and_then(|fields| fields.get(name));
                before.is_some() && after.is_some() && !same(&after, &Some(value)) && !same(&before, &after)
            })
        })
}

/// Decide the conflicts for the state before.
fn restored(merged: State, conflicts: &[FieldConflict], before: &State) -> State {
    let State::Present(mut fields) = merged else {
        return before.clone();
    };
    for conflict in conflicts {
        let Some(name) = &conflict.field else {
            return before.clone();
        };
        match &conflict.restore {
            Some(value) => fields.set(name.clone(), value.clone()),
            None => _ = fields.remove(name),
        }
    }
    State::Present(fields)
}

/// Bodies that are as they were found are named as they were found: nothing is to be written for them.
pub(crate) fn unread(target: State, now: &State) -> State {
    let (State::Present(mut fields), Some(found)) = (target.clone(), now.fields()) else {
        return target;
    };
    for (name, value) in found.iter() {
        if matches!(value, Value::Content(_)) && fields.get(name) == Some(value) {
            fields.set(name.to_owned(), value.clone());
        }
    }
    State::Present(fields)
}

impl Place<'_> {
    /// A body that the target needs and nobody has.
    pub(crate) fn missing_body(&self, target: &State, now: &State) -> Option<String> {
        let found = now.fields();
        for (name, value) in target.fields()?.iter() {
            if !matches!(value, Value::Content(_)) {
                continue;
            }
            let there = found.and_then(|fields| fields.get(name)) == Some(value);
            if !there && !self.driver.can_bring(self.resource, target, name, self.bodies) {
                return Some(name.to_owned());
            }
        }
        None
    }
}

/// The names of fields that differ between two states; `None` where one of them is absent and the other is not.
pub(crate) fn changed<'a>(before: &'a State, after: &'a State) -> Option<Vec<&'a str>> {
    match (before, after) {
        (State::Absent, State::Absent) => Some(Vec::new()),
        (State::Present(a), State::Present(b)) => {
            let mut names: Vec<&str> = names(a)
                .chain(names(b))
                .filter(|name| a.get(name) != b.get(name))
                .collect();
            names.sort_unstable();
            names.dedup();
            Some(names)
        }
        _ => None,
    }
}

fn names(fields: &Fields) -> impl Iterator<Item = &str> {
    fields
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Object(_)))
        .map(|(name, _)| name)
}
