//! An agent's session on the world: captures before, acts, observes after; and what can go wrong with that.

use crate::{Edit, Payments, Records, Shelf, World, Writer, charge_key};
use rescind_model::{
    ActionId, Content, Effect, EffectId, Fields, Outcome, ResourceId, Seq, SessionId, State, Surface, Value,
};
use rescind_supervisor::{Bodies as _, Called, Caller as _, Driver as _, DriverError};

/// A session of an agent, as a gateway would record it.
#[derive(Debug)]
pub struct Agent<'a> {
    world: &'a World,
    session: SessionId,
    action: u64,
    seq: u64,
}

/// What goes wrong with the record of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    None,
    /// Nothing was captured before.
    NotCaptured,
    /// The supervisor died after it announced the change, before it was made.
    DiedBefore,
    /// It died after the change was made, before that was seen. The intent says what the change would be.
    DiedAfter,
    /// The same, and the intent does not say what the change would be.
    DiedAfterUnsaid,
}

impl<'a> Agent<'a> {
    /// A session that has done nothing yet.
    #[must_use]
    pub fn new(world: &'a World, session: SessionId) -> Self {
        Self {
            world,
            session,
            action: 0,
            seq: 0,
        }
    }

    /// The agent of a session that goes on after this effect.
    #[must_use]
    pub fn behind(world: &'a World, last: &EffectId) -> Self {
        Self {
            world,
            session: last.action.session.clone(),
            action: last.action.number,
            seq: last.seq.0,
        }
    }

    /// Begin the next action.
    pub fn begin(&mut self) -> ActionId {
        self.action += 1;
        self.session.action(self.action)
    }

    /// Edit within the action that began last; the effects as they are recorded. None where the edit can't be done.
    pub fn edit(&mut self, edit: &Edit, mishap: Mishap) -> Vec<Effect> {
        let driver = Records(self.world);
        let keys = edit.keys();
        let before: Vec<State> = keys.iter().map(|key| captured(&driver, key)).collect();
        let by = Writer::Session(self.session.clone());
        let mut intended = Vec::new();
        if matches!(mishap, Mishap::DiedBefore | Mishap::DiedAfter) {
            let trial = self.world.clone();
            trial.edit(&by, edit);
            intended = keys
                .iter()
                .map(|key| announced(seen(&Records(&trial), key)))
                .collect();
        }
        if mishap != Mishap::DiedBefore && !self.world.edit(&by, edit) {
            return Vec::new();
        }
        let after: Vec<State> = keys.iter().map(|key| observed(&driver, key)).collect();
        let mut effects = Vec::new();
        for (at, (key, (before, after))) in keys.iter().zip(before.into_iter().zip(after)).enumerate() {
            let (before, after, outcome) = match mishap {
                Mishap::None => (before, after, Outcome::Observed),
                Mishap::NotCaptured => (State::Absent, after, Outcome::NotCaptured),
                // What follows for the table is not announced.
                Mishap::DiedBefore | Mishap::DiedAfter if key != edit.key() => {
                    (before.clone(), before, Outcome::InDoubt)
                }
                Mishap::DiedBefore | Mishap::DiedAfter => (
                    before,
                    intended.get(at).cloned().unwrap_or_default(),
                    Outcome::InDoubt,
                ),
                Mishap::DiedAfterUnsaid => (before.clone(), before, Outcome::InDoubt),
            };
            if outcome == Outcome::Observed && before.same(&after) {
                continue;
            }
            effects.push(self.effect(key, before, after, outcome));
        }
        effects
    }

    /// Charge an amount within the action that began last.
    pub fn charge(&mut self, amount: i64) -> Effect {
        let id = rescind_model::EffectId {
            action: self.session.action(self.action),
            seq: Seq(self.seq + 1),
        };
        let key = charge_key(&id);
        let outcome = match self.world.charge(&key, amount) {
            Called::Done(_) => Outcome::Observed,
            Called::Failed(_) | Called::InDoubt => Outcome::InDoubt,
        };
        let after = State::Present(Fields::new().with("amount", Value::Int(amount)));
        let effect = self.effect(&key, State::Absent, after, outcome);
        debug_assert!(
            Payments(self.world).compensates(&effect),
            "a charge is compensated"
        );
        effect
    }

    fn effect(&mut self, key: &str, before: State, after: State, outcome: Outcome) -> Effect {
        self.seq += 1;
        Effect {
            action: self.session.action(self.action),
            seq: Seq(self.seq),
            resource: resource(key),
            name: format!("/{key}"),
            before,
            after,
            outcome,
        }
    }
}

/// The resource behind a key.
pub(crate) fn resource(key: &str) -> ResourceId {
    ResourceId {
        surface: Surface::Memory,
        key: key.as_bytes().to_vec(),
    }
}

fn seen(driver: &Records<'_>, key: &str) -> State {
    driver.read(&resource(key), key, None).unwrap_or_default()
}

/// The state before, with its bodies kept.
fn captured(driver: &Records<'_>, key: &str) -> State {
    let now = seen(driver, key);
    driver
        .capture(&resource(key), key, &now, &Shelf(driver.0))
        .unwrap_or(now)
}

/// The state an action left: texts are kept for merging, of other bodies the stamp is enough.
fn observed(driver: &Records<'_>, key: &str) -> State {
    let State::Present(mut fields) = seen(driver, key) else {
        return State::Absent;
    };
    let text = driver
        .load(&resource(key), key, "text", u64::MAX)
        .and_then(|bytes| {
            let failed = |source| DriverError::NotRecorded {
                name: key.to_owned(),
                source,
            };
            Shelf(driver.0).keep(&bytes).map_err(failed)
        });
    if let (Ok(kept), Some(found)) = (text, fields.content("text")) {
        let content = Content {
            kept: kept.kept,
            ..found.clone()
        };
        fields.set("text", Value::Content(content));
    }
    State::Present(fields)
}

/// A state as an intent can say it: stamps and identities are not known before the change is made.
fn announced(state: State) -> State {
    let State::Present(fields) = state else {
        return State::Absent;
    };
    let fields = fields
        .iter()
        .filter(|(_, value)| !matches!(value, Value::Object(_)));
    let known = fields.map(|(name, value)| match value {
        Value::Content(content) => {
            let content = Content {
                stamp: None,
                kept: None,
                ..content.clone()
            };
            (name.to_owned(), Value::Content(content))
        }
        other => (name.to_owned(), other.clone()),
    });
    State::Present(known.collect())
}
