//! The resource half of the surface.

use crate::item::{FIELDS, pin, pinned};
use crate::{Item, Shelf, World, Writer};
use rescind_merge::{Versions, merge_text};
use rescind_model::{Content, FieldMerge, Locator, PartConflict, ResourceId, State, Surface, Value};
use rescind_supervisor::{Arranged, Bodies, Driver, DriverError, Intents, KIND, Permit, Restored, Step};
use std::io;
use std::sync::Arc;

/// The driver of a world's tables and records. Its resources' keys are the keys of the records.
#[derive(Debug, Clone, Copy)]
pub struct Records<'a>(pub &'a World);

/// The longest body that is read for merging.
const LIMIT: u64 = 1 << 20;

pub(crate) fn key(resource: &ResourceId) -> String {
    String::from_utf8_lossy(&resource.key).into_owned()
}

impl Records<'_> {
    pub(crate) fn found(&self, key: &str, hint: Option<&State>) -> State {
        self.0
            .record(key)
            .map_or(State::Absent, |record| record.state(hint))
    }

    fn reachable(&self, resource: &ResourceId, name: &str) -> Result<String, DriverError> {
        let key = key(resource);
        let unreachable = |source| DriverError::Unreachable {
            name: name.to_owned(),
            source,
        };
        self.0.instant().map_err(unreachable)?;
        if self.0.faults.borrow().unreachable.contains(&key) {
            return Err(unreachable(io::Error::new(io::ErrorKind::TimedOut, "no answer")));
        }
        Ok(key)
    }

    fn instant(&self, name: &str) -> Result<(), DriverError> {
        self.0.instant().map_err(|source| DriverError::Unreachable {
            name: name.to_owned(),
            source,
        })
    }

    /// Announce a change, and make it if the record is still as expected at that instant: compare and swap.
    fn swap(
        &self,
        change: &Swap<'_>,
        intents: &mut dyn Intents,
        make: impl FnOnce(&str) -> bool,
    ) -> Result<Option<Restored>, DriverError> {
        let step = change.step;
        let not_recorded = |source| DriverError::NotRecorded {
            name: step.name.clone(),
            source,
        };
        intents
            .intend(&step.resource, &step.name, change.from, change.to)
            .map_err(not_recorded)?;
        self.instant(&step.name)?;
        let key = key(&step.resource);
        let now = self.found(&key, Some(change.from));
        if !self.undisturbed(&now, change.from).same(change.from) {
            return Ok(Some(Restored::Drifted { now }));
        }
        if !make(&key) {
            let why = "it holds what others put there, or has no place any more".to_owned();
            return Ok(Some(Restored::Kept { why }));
        }
        self.instant(&step.name)?;
        Ok(None)
    }

    /// The items of the target; bodies that are there already stay as they are.
    fn items(&self, step: &Step, bodies: &dyn Bodies) -> Result<Vec<(&'static str, Item)>, DriverError> {
        let lost = |why: String| DriverError::BodyLost {
            name: step.name.clone(),
            why,
        };
        let record = self.0.record(&key(&step.resource));
        let Some(target) = step.target.fields() else {
            return Ok(Vec::new());
        };
        let mut items = Vec::new();
        for field in FIELDS {
            let item = match target.get(field) {
                None | Some(Value::Bytes(_) | Value::Object(_)) => continue,
                Some(Value::Int(number)) => Item::Int(*number),
                Some(Value::Text(text)) => Item::Text(text.clone()),
                Some(Value::Content(content)) => {
                    let there =
                        step.expected.fields().and_then(|fields| fields.content(field)) == Some(content);
                    match record.as_ref().and_then(|record| record.item(field)) {
                        Some(item) if there => item.clone(),
                        _ => self.body(
                            content,
                            bytes_of(content, bodies).map_err(|e| lost(e.to_string()))?,
                        ),
                    }
                }
            };
            items.push((field, item));
        }
        Ok(items)
    }

    /// A body from where it is kept: the very same one if it was pinned.
    fn body(&self, content: &Content, bytes: Vec<u8>) -> Item {
        match content.kept.as_ref().and_then(pinned) {
            Some(id) => Item::Body {
                id,
                puts: self.0.number(),
                bytes: Arc::from(bytes),
            },
            None => self.0.body(&bytes),
        }
    }

    /// Write the fields that differ.
    fn write(&self, by: &Writer, key: &str, items: Vec<(&'static str, Item)>) -> bool {
        let Some(record) = self.0.record(key) else {
            return false;
        };
        for field in FIELDS {
            let wanted = items
                .iter()
                .find(|(name, _)| *name == field)
                .map(|(_, item)| item);
            let same = match (record.item(field), wanted) {
                (Some(found), Some(wanted)) => found.same(wanted),
                (None, None) => true,
                _ => false,
            };
            if !same {
                self.0.set(by, key, field, wanted.cloned());
            }
        }
        true
    }
}

/// One announced change of a step.
struct Swap<'a> {
    step: &'a Step,
    from: &'a State,
    to: &'a State,
}

fn bytes_of(content: &Content, bodies: &dyn Bodies) -> io::Result<Vec<u8>> {
    let kept = content
        .kept
        .as_ref()
        .ok_or_else(|| io::Error::other("its body was not kept"))?;
    bodies.read(kept, u64::MAX)
}

impl Driver for Records<'_> {
    fn surface(&self) -> Surface {
        Surface::Memory
    }

    fn read(&self, resource: &ResourceId, name: &str, hint: Option<&State>) -> Result<State, DriverError> {
        let key = self.reachable(resource, name)?;
        Ok(self.found(&key, hint))
    }

    fn capture(
        &self,
        resource: &ResourceId,
        name: &str,
        now: &State,
        bodies: &dyn Bodies,
    ) -> Result<State, DriverError> {
        let key = self.reachable(resource, name)?;
        let State::Present(fields) = now else {
            return Ok(State::Absent);
        };
        let mut captured = fields.clone();
        let failed = |source| DriverError::Unreachable {
            name: name.to_owned(),
            source,
        };
        for (field, value) in fields.iter() {
            let Value::Content(content) = value else { continue };
            if content.kept.as_ref().is_some_and(|kept| bodies.holds(kept)) {
                continue;
            }
            let record = self.0.record(&key);
            let Some(Item::Body { id, bytes, .. }) = record.as_ref().and_then(|record| record.item(field))
            else {
                return Err(failed(io::Error::other("it changed while it was captured")));
            };
            let found = record.as_ref().map(|record| record.state(Some(now)));
            let found = found
                .as_ref()
                .and_then(State::fields)
                .and_then(|fields| fields.content(field));
            if found != Some(content) {
                return Err(failed(io::Error::other("it changed while it was captured")));
            }
            let kept = self.keep(field, *id, bytes, bodies).map_err(failed)?;
            captured.set(
                field.to_owned(),
                Value::Content(Content {
                    kept: Some(kept),
                    ..content.clone()
                }),
            );
        }
        Ok(State::Present(captured))
    }

    fn load(
        &self,
        resource: &ResourceId,
        name: &str,
        field: &str,
        limit: u64,
    ) -> Result<Vec<u8>, DriverError> {
        let key = self.reachable(resource, name)?;
        let failed = |why: &str| DriverError::BodyLost {
            name: name.to_owned(),
            why: why.to_owned(),
        };
        match self.0.record(&key).as_ref().and_then(|record| record.item(field)) {
            Some(Item::Body { bytes, .. }) if bytes.len() as u64 <= limit => Ok(bytes.to_vec()),
            Some(_) => Err(failed("it is no body, or too long")),
            None => Err(failed("it is not there")),
        }
    }

    fn merge_field(
        &self,
        field: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        now: Option<&Value>,
        bodies: &dyn Bodies,
    ) -> FieldMerge {
        match (field, before, after, now) {
            ("touched", ..) => FieldMerge::Keep,
            ("text", Some(Value::Content(a)), Some(Value::Content(b)), Some(Value::Content(c))) => {
                merge_bodies([a, b, c], bodies).unwrap_or(FieldMerge::Conflict)
            }
            _ => FieldMerge::Conflict,
        }
    }

    fn undisturbed(&self, now: &State, was: &State) -> State {
        match (now, was.fields().and_then(|was| was.get("touched"))) {
            (State::Present(fields), Some(touched)) if fields.get("touched").is_some() => {
                State::Present(fields.clone().with("touched", touched.clone()))
            }
            _ => now.clone(),
        }
    }

    fn arrange(&self, steps: Vec<Step>) -> Arranged {
        self.arranged(steps)
    }

    fn restore(
        &self,
        permit: &Permit,
        step: &Step,
        bodies: &dyn Bodies,
        intents: &mut dyn Intents,
    ) -> Result<Restored, DriverError> {
        let key = self.reachable(&step.resource, &step.name)?;
        let by = Writer::Undo(permit.action().session.clone());
        let now = self.found(&key, Some(&step.expected));
        if now.same(&step.target) {
            return Ok(Restored::Already);
        }
        if !self.undisturbed(&now, &step.expected).same(&step.expected) {
            return Ok(Restored::Drifted { now });
        }
        let items = self.items(step, bodies)?;
        let gone = State::Absent;
        let kind = |state: &State| state.fields().and_then(|fields| fields.get(KIND)).cloned();
        let swap = |from, to| Swap { step, from, to };
        let ended = if !step.target.exists() {
            self.swap(&swap(&step.expected, &gone), intents, |key| {
                self.0.remove(&by, key)
            })?
        } else if !step.expected.exists() {
            self.swap(&swap(&gone, &step.target), intents, |key| {
                self.0.insert(&by, key, items)
            })?
        } else if kind(&step.expected) == kind(&step.target) {
            self.swap(&swap(&step.expected, &step.target), intents, |key| {
                self.write(&by, key, items)
            })?
        } else {
            match self.swap(&swap(&step.expected, &gone), intents, |key| {
                self.0.remove(&by, key)
            })? {
                None => self.swap(&swap(&gone, &step.target), intents, |key| {
                    self.0.insert(&by, key, items)
                })?,
                ended => ended,
            }
        };
        Ok(ended.unwrap_or_else(|| Restored::Done {
            left: self.found(&key, Some(&step.target)),
        }))
    }

    fn finish(&self, permit: &Permit, disturbed: &[Step]) -> Result<(), DriverError> {
        let by = Writer::Undo(permit.action().session.clone());
        for step in disturbed {
            let key = self.reachable(&step.resource, &step.name)?;
            let wanted = step.target.fields().and_then(|fields| fields.int("touched"));
            let found = self
                .0
                .record(&key)
                .and_then(|record| record.item("touched").cloned());
            if let (Some(wanted), Some(Item::Int(found))) = (wanted, found)
                && wanted != found
            {
                self.0.set(&by, &key, "touched", Some(Item::Int(wanted)));
                self.instant(&step.name)?;
            }
        }
        Ok(())
    }
}

impl Records<'_> {
    fn keep(&self, field: &str, id: u64, bytes: &Arc<[u8]>, bodies: &dyn Bodies) -> io::Result<Locator> {
        if field == "blob" {
            Shelf(self.0).pin(pin(id), bytes)?;
            return Ok(pin(id));
        }
        bodies
            .keep(bytes)?
            .kept
            .ok_or_else(|| io::Error::other("the shelf keeps nothing"))
    }
}

pub(crate) fn kind_of(state: &State) -> Option<&str> {
    state.fields().and_then(|fields| fields.text(KIND))
}

/// Merge three texts by hunk; `None` where one of them can't be read or is no text.
fn merge_bodies([a, b, c]: [&Content; 3], bodies: &dyn Bodies) -> Option<FieldMerge> {
    let read = |content: &Content| bodies.read(content.kept.as_ref()?, LIMIT).ok();
    let (before, after, now) = (read(a)?, read(b)?, read(c)?);
    let merged = merge_text(Versions {
        before: &before,
        after: &after,
        now: &now,
    })?;
    let keep = Value::Content(bodies.keep(&merged.bytes).ok()?);
    if merged.conflicts.is_empty() {
        return Some(FieldMerge::Merged(keep));
    }
    let restore = Value::Content(bodies.keep(&merged.restored).ok()?);
    Some(FieldMerge::Part(Box::new(PartConflict {
        keep,
        restore,
        hunks: merged.conflicts,
    })))
}
