//! Run undos on a world, and hold what they overwrite against what their scope wrote (law 5).

use rescind_memory::{Change, Item, Journal, Payments, Records, Shelf, World, Writer};
use rescind_model::{Content, EffectId, Outcome, SessionId, State, Value};
use rescind_recovery::{ApplyError, Earlier, OnConflict, Plan, Request, Split, Surfaces, apply, plan};
use rescind_supervisor::{Bodies as _, KIND, Opening, Position, Receipt, SystemRecord, SystemSession};
use std::collections::{BTreeMap, BTreeSet};

/// What people see of a world, by key and field.
pub(crate) type Visible = BTreeMap<String, BTreeMap<&'static str, String>>;

/// Everything, with what follows from other things.
pub(crate) fn visible(world: &World) -> Visible {
    world.visible(true)
}

/// What to take back, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) split: &'a Split,
    pub(crate) on_conflict: OnConflict,
    /// A number for the system session.
    pub(crate) number: u32,
    /// The last effects of sessions that go on.
    pub(crate) behind: &'a [EffectId],
}

/// An undo that came to its end.
#[derive(Debug)]
pub(crate) struct Undone {
    pub(crate) plan: Plan,
    pub(crate) result: Result<Receipt, ApplyError>,
    /// The records of this undo alone.
    pub(crate) records: Vec<SystemRecord>,
    /// How often the process died on the way.
    pub(crate) deaths: u64,
}

/// Undo, dying at these instants, one after the other, and going on after each. `before` are the records of earlier
/// undos that have to do with the scope.
pub(crate) fn undo(
    world: &World,
    task: Task<'_>,
    before: &[SystemRecord],
    die_at: &[u64],
) -> Result<Undone, String> {
    let start = Journal(world).records().len();
    world.take_changes();
    let mut deaths = die_at.iter();
    let mut died = 0;
    // What a person decided, in this attempt or one that died.
    let mut decided: BTreeSet<String> = BTreeSet::new();
    loop {
        world.restart();
        world.faults.borrow_mut().crash_at = deaths.next().copied();
        let own = Journal(world).records().split_off(start);
        let earlier = Earlier::read(before.iter().chain(&own));
        let (plan, result) = attempt(world, task, &earlier);
        if task.on_conflict == OnConflict::Restore {
            decided.extend(
                plan.conflicts
                    .iter()
                    .map(|own| own.name.trim_start_matches('/').to_owned()),
            );
        }
        if world.faults.borrow().dead {
            died += 1;
            continue;
        }
        // Calls that were left in doubt, and what was not reached, are tried again by whoever asks for it.
        world.restart();
        world.faults.borrow_mut().others.clear();
        let overwrites = world.take_changes();
        Law::of(world, task.split).check(&overwrites, &decided)?;
        coherent(world)?;
        let records = Journal(world).records().split_off(start);
        return Ok(Undone {
            plan,
            result,
            records,
            deaths: died,
        });
    }
}

/// Things are tables or records, and never something of both.
fn coherent(world: &World) -> Result<(), String> {
    for (key, fields) in world.visible(true) {
        let names: Vec<&str> = fields.keys().copied().collect();
        let expect: &[&str] = match fields.get(KIND).map(String::as_str) {
            Some("table") => &["kind", "label", "touched"],
            _ => &["blob", "kind", "label", "m", "n", "text"],
        };
        if names != expect {
            return Err(format!("{key} is made up of {names:?}"));
        }
    }
    Ok(())
}

fn attempt(world: &World, task: Task<'_>, earlier: &Earlier) -> (Plan, Result<Receipt, ApplyError>) {
    let (driver, caller, shelf) = (Records(world), Payments(world), Shelf(world));
    let surfaces = Surfaces {
        drivers: vec![&driver],
        callers: vec![&caller],
    };
    let Task {
        split,
        on_conflict,
        number,
        behind,
    } = task;
    let request = Request {
        scope: "a scope",
        split,
        earlier,
        on_conflict,
    };
    let plan = plan(&request, &surfaces, &shelf);
    if plan.undecided() > 0 {
        let result = Err(ApplyError::Undecided {
            count: plan.undecided(),
        });
        return (plan, result);
    }
    let fresh = (SessionId::new(2_000, number), Position::default());
    let (id, resume) = earlier.unfinished.clone().unwrap_or(fresh);
    let opening = Opening {
        scope: plan.scope.clone(),
        plan: plan.digest(),
        resume,
        behind: behind.to_vec(),
    };
    let result = SystemSession::open(id, Journal(world), opening)
        .map_err(ApplyError::from)
        .and_then(|mut session| {
            let receipt = apply(&plan, &mut session, &surfaces, &shelf, &mut |_| {})?;
            session.close()?;
            Ok(receipt)
        });
    (plan, result)
}

/// What a scope wrote: all that an undo of it may overwrite.
#[derive(Debug, Default)]
struct Law {
    /// Values by record and field.
    values: BTreeSet<(String, String, String)>,
    /// Lines it added to texts, by record.
    lines: BTreeSet<(String, String)>,
    /// Records that it made.
    made: BTreeSet<String>,
    /// Records that it removed.
    removed: BTreeSet<String>,
}

impl Law {
    fn of(world: &World, split: &Split) -> Self {
        let mut law = Self::default();
        for effect in split
            .inside()
            .filter(|effect| effect.outcome != Outcome::NotCaptured)
        {
            let key = String::from_utf8_lossy(&effect.resource.key).into_owned();
            match (&effect.before, &effect.after) {
                (State::Absent, State::Present(_)) => _ = law.made.insert(key.clone()),
                (State::Present(_), State::Absent) => _ = law.removed.insert(key.clone()),
                _ => {}
            }
            if kind(&effect.before) != kind(&effect.after) {
                law.made.insert(key.clone());
                law.removed.insert(key.clone());
            }
            let Some(after) = effect.after.fields() else {
                continue;
            };
            for (field, value) in after.iter() {
                law.values.insert((key.clone(), field.to_owned(), name(value)));
                if let Value::Content(content) = value {
                    let old = effect.before.fields().and_then(|fields| fields.content(field));
                    let old = old.map_or_else(Vec::new, |old| lines(world, old));
                    let new = lines(world, content)
                        .into_iter()
                        .filter(|line| !old.contains(line));
                    law.lines.extend(new.map(|line| (key.clone(), line)));
                }
            }
        }
        law
    }

    /// Hold every change an undo made against it.
    fn check(&self, changes: &[Change], decided: &BTreeSet<String>) -> Result<(), String> {
        for change in changes {
            // What is decided by a person, and what follows from other things, is no value of somebody's.
            let exempt = decided.contains(&change.key) || change.field == "touched";
            if matches!(change.by, Writer::Undo(_)) && !exempt {
                self.allows(change)?;
            }
        }
        Ok(())
    }

    fn allows(&self, change: &Change) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("the undo {why}: {change:?}"));
        let Change {
            key, field, old, new, ..
        } = change;
        let Some(old) = old else {
            return match *field {
                KIND if !self.removed.contains(key) => {
                    wrong("made a record again that its scope did not remove")
                }
                _ => Ok(()),
            };
        };
        if new.is_none() && !self.made.contains(key) {
            return wrong("removed what its scope did not make");
        }
        let known = match &old.item {
            Item::Int(number) => format!("i{number}"),
            Item::Text(text) => format!("t{text}"),
            Item::Body { id, bytes, .. } => {
                // Bodies are never changed: the same one put back is the same bytes.
                let stamped = format!("s{id}");
                let digested = format!("d{}", rescind_model::Digest::of(bytes));
                if self.wrote(key, field, &stamped) || self.wrote(key, field, &digested) {
                    return Ok(());
                }
                return self.allows_lines(change, bytes);
            }
        };
        if self.wrote(key, field, &known) {
            Ok(())
        } else {
            wrong("overwrote a value that its scope did not write")
        }
    }

    fn wrote(&self, key: &str, field: &str, value: &str) -> bool {
        self.values
            .contains(&(key.to_owned(), field.to_owned(), value.to_owned()))
    }

    /// A text that others changed too: only lines that the scope added may go, and the text itself with them.
    fn allows_lines(&self, change: &Change, old: &[u8]) -> Result<(), String> {
        if change.field != "text" {
            return Err(format!(
                "the undo overwrote a body that its scope did not write: {change:?}"
            ));
        }
        let new = match &change.new {
            Some(Item::Body { bytes, .. }) => split(bytes),
            _ => Vec::new(),
        };
        for line in split(old).into_iter().filter(|line| !new.contains(line)) {
            if !self.lines.contains(&(change.key.clone(), line.clone())) {
                return Err(format!(
                    "the undo took away `{line}`, which its scope did not write: {change:?}"
                ));
            }
        }
        Ok(())
    }
}

fn kind(state: &State) -> Option<&str> {
    state.fields().and_then(|fields| fields.text(KIND))
}

/// A value by what it is: with two names for bodies, of which either will do.
fn name(value: &Value) -> String {
    match value {
        Value::Int(number) => format!("i{number}"),
        Value::Text(text) => format!("t{text}"),
        Value::Content(Content {
            digest: Some(digest), ..
        }) => format!("d{digest}"),
        Value::Content(Content {
            stamp: Some(stamp), ..
        }) => {
            format!("s{}", stamp.0.split('.').next().unwrap_or_default())
        }
        Value::Content(_) | Value::Bytes(_) | Value::Object(_) => String::new(),
    }
}

fn lines(world: &World, content: &Content) -> Vec<String> {
    let bytes = content
        .kept
        .as_ref()
        .and_then(|kept| Shelf(world).read(kept, u64::MAX).ok());
    bytes.map_or_else(Vec::new, |bytes| split(&bytes))
}

fn split(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes)
        .lines()
        .map(str::to_owned)
        .collect()
}

/// Each charge refunded as often as it should be: once if its effect is in the scope, else not at all.
pub(crate) fn refunds(world: &World, split: &Split) -> Result<(), String> {
    let scope: BTreeSet<String> = split
        .inside()
        .map(|effect| String::from_utf8_lossy(&effect.resource.key).into_owned())
        .collect();
    world.service(|service| {
        for (charge, times) in service.refunds() {
            let expect = usize::from(scope.contains(charge));
            if times != expect {
                return Err(format!("{charge} was refunded {times} times, not {expect}"));
            }
        }
        Ok(())
    })
}
