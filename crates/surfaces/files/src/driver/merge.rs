//! Taking a change out of what others have made of it.

use crate::object::Kind;
use crate::state;
use crate::state::object;
use rescind_merge::{Versions, merge_text};
use rescind_model::{Content, FieldConflict, FieldMerge, Merged, PartConflict, State, Value, three_way};
use rescind_supervisor::Bodies;

/// The longest text that is merged, in bytes.
const LIMIT: u64 = 1 << 20;

/// Merge whole states: the rules for what comes and goes, then field by field.
pub(crate) fn states(before: &State, after: &State, now: &State, bodies: &dyn Bodies) -> Merged {
    if let Some(state) = existence(before, after, now) {
        return Merged {
            state,
            conflicts: Vec::new(),
        };
    }
    if before.exists() && after.exists() && now.exists() {
        // What happened in a folder that the session made does not matter where it is to be something else again.
        if state::kind(before) != state::kind(after) && state::undisturbed(now, after).same(after) {
            return Merged {
                state: before.clone(),
                conflicts: Vec::new(),
            };
        }
        let moved = !now.same(after) && !now.same(before) && !before.same(after);
        let one_kind = state::kind(before) == state::kind(after) && state::kind(after) == state::kind(now);
        if moved && !one_kind {
            return Merged {
                state: now.clone(),
                conflicts: vec![FieldConflict::whole()],
            };
        }
    }
    three_way(before, after, now, |name, a, b, c| field(name, [a, b, c], bodies))
}

/// What to do where the session made or removed the entry and it is there now all the same; `None` where nothing of
/// this kind is the case, or it is a conflict.
fn existence(before: &State, after: &State, now: &State) -> Option<State> {
    match (before, after, now) {
        // The session made it.
        (State::Absent, State::Present(_), State::Present(_)) => {
            // A time of change is no work of anybody's.
            if state::same_mtime(now, after).same(after) {
                return Some(State::Absent);
            }
            // Somebody else's folder in its place.
            let folders = [after, now]
                .iter()
                .all(|state| state::kind(state) == Some(Kind::Dir));
            let other = object(now).is_none() || object(now) != object(after);
            (folders && other).then(|| now.clone())
        }
        // The session removed it.
        (State::Present(_), State::Absent, State::Present(_)) => {
            if state::undisturbed(now, before).same(before) {
                return Some(before.clone());
            }
            let same_kind = state::kind(before) == state::kind(now);
            let fits =
                same_kind && state::kind(now).is_some_and(|kind| kind == Kind::Dir || same_body(before, now));
            // It came back: by the undo that was interrupted, if it is the very inode, and then its properties do, too;
            // else by somebody else, whose they are.
            let own = object(now).is_some() && object(now) == object(before);
            fits.then(|| if own { before.clone() } else { now.clone() })
        }
        _ => None,
    }
}

fn same_body(one: &State, other: &State) -> bool {
    let (Some(one), Some(other)) = (one.fields(), other.fields()) else {
        return false;
    };
    [state::CONTENT, state::TARGET, state::RDEV]
        .into_iter()
        .all(|field| one.get(field) == other.get(field))
}

/// Merge one field that both sides changed, given its values before, as left, and now.
pub(crate) fn field(name: &str, values: [Option<&Value>; 3], bodies: &dyn Bodies) -> FieldMerge {
    match (name, values) {
        (state::MTIME, _) => FieldMerge::Keep,
        (
            state::CONTENT,
            [
                Some(Value::Content(before)),
                Some(Value::Content(after)),
                Some(Value::Content(now)),
            ],
        ) => text([before, after, now], bodies).unwrap_or(FieldMerge::Conflict),
        _ => FieldMerge::Conflict,
    }
}

/// Merge three texts by hunk; `None` where one of them is too long, no text, or can't be had.
fn text(bodies_of: [&Content; 3], bodies: &dyn Bodies) -> Option<FieldMerge> {
    let read = |body: &Content| match &body.kept {
        _ if body.length > LIMIT => None,
        _ if body.length == 0 => Some(Vec::new()),
        Some(kept) => bodies.read(kept, LIMIT).ok(),
        None => None,
    };
    let [before, after, now] = bodies_of.map(read);
    let (before, after, now) = (before?, after?, now?);
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
