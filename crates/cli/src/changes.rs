//! What effects come to, per path: created, changed, deleted, moved, attributes.

use rescind_model::{Effect, EffectId, ObjectId, Outcome, ResourceId, State, Value};
use std::collections::{BTreeMap, BTreeSet};

/// The kinds of changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was not there before.
    Created,
    /// Its content is another, or it is something else now.
    Changed,
    /// Only mode, owner, times or extended attributes are others.
    Attributes,
    /// It is not there any more.
    Deleted,
    /// It is somewhere else.
    Moved,
}

/// What became of one resource.
#[derive(Debug, Clone)]
pub struct Change {
    /// What kind.
    pub kind: Kind,
    /// The resource.
    pub resource: ResourceId,
    /// Its path.
    pub name: String,
    /// Of a moved one, where it was before.
    pub from: Option<String>,
    /// Before.
    pub before: State,
    /// After.
    pub after: State,
    /// Whether the state after was seen, or only the intent.
    pub outcome: Outcome,
    /// The effects behind it.
    pub ids: Vec<EffectId>,
}

impl Kind {
    /// The kind's name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Attributes => "attributes",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
        }
    }

    /// What kind of change leads from one state to another.
    #[must_use]
    pub fn between(before: &State, after: &State) -> Self {
        match (before.fields(), after.fields()) {
            (None, _) => Self::Created,
            (_, None) => Self::Deleted,
            (Some(was), Some(is)) => {
                let substance = ["kind", "content", "target", "rdev"];
                let same = |field: &&str| match (was.get(field), is.get(field)) {
                    (Some(Value::Content(was)), Some(Value::Content(is))) => was.same(is) == Some(true),
                    (was, is) => was == is,
                };
                if substance.iter().all(same) {
                    Self::Attributes
                } else {
                    Self::Changed
                }
            }
        }
    }
}

/// The net changes of effects in order: for each resource its first state against its last. The folders' own times,
/// which follow from the rest, are left out.
#[must_use]
pub fn net(effects: &[Effect]) -> Vec<Change> {
    let mut places: BTreeMap<&ResourceId, usize> = BTreeMap::new();
    let mut changes: Vec<Change> = Vec::new();
    for effect in effects
        .iter()
        .filter(|effect| !effect.resource.key.ends_with(b"/"))
    {
        let place = *places.entry(&effect.resource).or_insert(changes.len());
        if let Some(change) = changes.get_mut(place) {
            change.after = effect.after.clone();
            change.name.clone_from(&effect.name);
            change.outcome = effect.outcome;
            change.ids.push(effect.id());
        } else {
            changes.push(of(effect));
        }
    }
    changes.retain(|change| change.outcome != Outcome::Observed || !change.before.same(&change.after));
    for change in &mut changes {
        change.kind = Kind::between(&change.before, &change.after);
    }
    moved(changes)
}

/// One effect as a change.
#[must_use]
pub fn of(effect: &Effect) -> Change {
    Change {
        kind: Kind::between(&effect.before, &effect.after),
        resource: effect.resource.clone(),
        name: effect.name.clone(),
        from: None,
        before: effect.before.clone(),
        after: effect.after.clone(),
        outcome: effect.outcome,
        ids: vec![effect.id()],
    }
}

fn object(state: &State) -> Option<ObjectId> {
    state.fields().and_then(|fields| fields.object("object"))
}

/// Take a deletion and a creation of the same object together.
fn moved(changes: Vec<Change>) -> Vec<Change> {
    let mut deleted: BTreeMap<ObjectId, usize> = BTreeMap::new();
    for (at, change) in changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.kind == Kind::Deleted)
    {
        deleted.extend(object(&change.before).map(|object| (object, at)));
    }
    let mut gone = BTreeSet::new();
    let mut joined: Vec<Change> = Vec::with_capacity(changes.len());
    for change in &changes {
        let from = object(&change.after).filter(|_| change.kind == Kind::Created);
        match from
            .and_then(|object| deleted.remove(&object))
            .and_then(|at| changes.get(at))
        {
            Some(old) => {
                gone.insert(old.resource.clone());
                let mut ids = old.ids.clone();
                ids.extend(change.ids.iter().cloned());
                joined.push(Change {
                    kind: Kind::Moved,
                    from: Some(old.name.clone()),
                    before: old.before.clone(),
                    ids,
                    ..change.clone()
                });
            }
            None => joined.push(change.clone()),
        }
    }
    joined.retain(|change| change.kind != Kind::Deleted || !gone.contains(&change.resource));
    joined
}

/// Attributes that differ, as `name: before -> after`.
#[must_use]
pub fn attributes(before: &State, after: &State) -> Vec<String> {
    let (Some(was), Some(is)) = (before.fields(), after.fields()) else {
        return Vec::new();
    };
    let names = was
        .iter()
        .map(|(name, _)| name)
        .chain(is.iter().map(|(name, _)| name));
    let mut names: Vec<&str> = names
        .filter(|name| !["content", "object", "kind"].contains(name))
        .collect();
    names.sort_unstable();
    names.dedup();
    let differing = names.into_iter().filter(|name| was.get(name) != is.get(name));
    differing
        .map(|name| {
            format!(
                "{name}: {} -> {}",
                value(name, was.get(name)),
                value(name, is.get(name))
            )
        })
        .collect()
}

/// A state in a few words.
#[must_use]
pub fn summary(state: &State) -> String {
    let Some(fields) = state.fields() else {
        return "not there".to_owned();
    };
    let shown = fields
        .iter()
        .filter(|(name, _)| ["kind", "content", "target", "mode", "mtime"].contains(name));
    let mut parts: Vec<String> = shown
        .map(|(name, own)| format!("{name} {}", value(name, Some(own))))
        .collect();
    // What it is comes first.
    parts.sort_by_key(|part| !part.starts_with("kind"));
    parts.join(", ").replacen("kind ", "", 1)
}

/// A value for a person.
#[must_use]
pub fn value(field: &str, value: Option<&Value>) -> String {
    match value {
        None => "none".to_owned(),
        Some(Value::Int(mode)) if field == "mode" => format!("{mode:04o}"),
        Some(Value::Int(time)) if field == "mtime" => rescind_model::Timestamp(*time).to_string(),
        Some(Value::Int(number)) => number.to_string(),
        Some(Value::Text(text)) => text.clone(),
        Some(Value::Bytes(bytes)) => rescind_supervisor::journal::text_from_bytes(bytes),
        Some(Value::Object(object)) => format!("object {}", object.0),
        Some(Value::Content(content)) => match &content.digest {
            Some(digest) => format!("{} ({digest})", crate::text::bytes(content.length)),
            None => crate::text::bytes(content.length),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, net};
    use rescind_model::{
        Content, Digest, Effect, Fields, ObjectId, Outcome, ResourceId, Seq, SessionId, State, Surface, Value,
    };

    fn file(object: u64, text: &str, mode: i64) -> State {
        let digest = Some(Digest::of(text.as_bytes()));
        let content = Content {
            length: text.len() as u64,
            digest,
            stamp: None,
            kept: None,
        };
        State::Present(
            Fields::new()
                .with("content", Value::Content(content))
                .with("kind", Value::Text("file".into()))
                .with("mode", Value::Int(mode))
                .with("object", Value::Object(ObjectId(object))),
        )
    }

    fn effect(seq: u64, name: &str, before: State, after: State) -> Effect {
        let session = SessionId::new(1_795_255_200_000, 7);
        let key = format!("{session}:1/{name}").into_bytes();
        Effect {
            action: session.action(seq),
            seq: Seq(seq),
            resource: ResourceId {
                surface: Surface::Files,
                key,
            },
            name: format!("/d/{name}"),
            before,
            after,
            outcome: Outcome::Observed,
        }
    }

    #[test]
    fn many_effects_come_to_one_change_per_path() {
        let effects = [
            effect(1, "new", State::Absent, file(1, "a", 0o644)),
            effect(2, "new", file(1, "a", 0o644), file(1, "b", 0o644)),
            effect(3, "gone", file(2, "x", 0o644), State::Absent),
            effect(4, "edited", file(3, "x", 0o644), file(4, "y", 0o644)),
            effect(5, "mode", file(5, "x", 0o644), file(5, "x", 0o600)),
            effect(6, "temp", State::Absent, file(6, "t", 0o600)),
            effect(7, "temp", file(6, "t", 0o600), State::Absent),
            effect(8, "old", file(7, "m", 0o644), State::Absent),
            effect(9, "moved", State::Absent, file(7, "m", 0o644)),
        ];
        let found: Vec<(Kind, String, Option<String>)> = net(&effects)
            .into_iter()
            .map(|change| (change.kind, change.name, change.from))
            .collect();
        let expected = [
            (Kind::Created, "/d/new", None),
            (Kind::Deleted, "/d/gone", None),
            (Kind::Changed, "/d/edited", None),
            (Kind::Attributes, "/d/mode", None),
            (Kind::Moved, "/d/moved", Some("/d/old")),
        ];
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(kind, name, from)| (kind, name.to_owned(), from.map(str::to_owned)))
            .collect();
        assert_eq!(found, expected);
    }
}
