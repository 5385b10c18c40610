//! What earlier undos did, read back from their records: so that an undo goes on where a crash stopped it, does
//! nothing twice, and can itself be undone.

use rescind_model::{ActionId, Content, Effect, EffectId, Outcome, ResourceId, Seq, SessionId, State, Value};
use rescind_supervisor::{Called, Position, Restored, Step, StepEnd, SystemRecord};
use std::collections::{BTreeMap, BTreeSet};

/// What earlier undos of a scope, or of parts of it, did; undos of these undos included.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Earlier {
    /// What they did to resources, in order.
    pub undone: Vec<Undone>,
    /// The compensating calls they made, by idempotency key; `None`: started, and the end is not known.
    pub compensated: BTreeMap<String, Option<Called>>,
    /// What an undo that is not finished disturbs in passing.
    pub disturbed: Vec<Step>,
    /// The undo that is not finished, and how far it came.
    pub unfinished: Option<(SessionId, Position)>,
}

/// What an earlier undo did to one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// What it did.
    pub effect: Effect,
    /// The effects that it took back by this.
    pub took: Vec<EffectId>,
    /// Whether it took all of them back.
    pub whole: bool,
    /// Of each session that went on meanwhile, the last effect before this.
    pub behind: Vec<EffectId>,
}

impl Undone {
    /// Its place among effects in order: before those that sessions which went on made after it; else behind all.
    pub(crate) fn place<'e>(&self, effects: impl IntoIterator<Item = &'e Effect>) -> usize {
        let mut length = 0;
        for (at, effect) in effects.into_iter().enumerate() {
            let is_later = |id: &EffectId| id.action.session == effect.action.session && id.seq < effect.seq;
            if self.behind.iter().any(is_later) {
                return at;
            }
            length = at + 1;
        }
        length
    }
}

/// A step that began and of which the end is not read yet.
struct Open {
    resource: ResourceId,
    name: String,
    took: Vec<EffectId>,
    whole: bool,
    /// The places of its effects in the list.
    effects: Vec<usize>,
}

impl Earlier {
    /// Read the records of system sessions, in the order of the ledger.
    #[must_use]
    pub fn read<'a>(records: impl IntoIterator<Item = &'a SystemRecord>) -> Self {
        let mut reading = Reading::default();
        for record in records {
            reading.record(record);
        }
        let mut earlier = reading.earlier;
        for (_, open) in reading.open {
            reading.partial.extend(open.effects);
        }
        // The end of a step is not known: that it took anything back can't be said.
        for at in reading.partial {
            if let Some(undone) = earlier.undone.get_mut(at) {
                undone.whole = false;
            }
        }
        let mut at = 0;
        earlier.undone.retain(|_| {
            at += 1;
            !reading.dropped.contains(&(at - 1))
        });
        if let Some((_, position)) = &mut earlier.unfinished {
            *position = reading.position;
        }
        earlier
    }

    /// The effects of these undos, for an undo of an undo. A compensation has no state before that could be
    /// restored, and is said not to be captured. Where nothing had to be changed, an effect says so whose states before
    /// and after are the same.
    #[must_use]
    pub fn effects(&self) -> Vec<Effect> {
        self.undone.iter().map(|undone| undone.effect.clone()).collect()
    }

    /// The effects that are taken back, by an undo that is still in force: one that was not itself taken back.
    #[must_use]
    pub fn taken(&self) -> BTreeSet<EffectId> {
        let mut taken = BTreeSet::new();
        for undone in self.undone.iter().rev() {
            if undone.whole && !taken.contains(&undone.effect.id()) {
                taken.extend(undone.took.iter().cloned());
            }
        }
        taken
    }
}

#[derive(Default)]
struct Reading {
    earlier: Earlier,
    open: BTreeMap<ActionId, Open>,
    calls: BTreeMap<ActionId, Effect>,
    partial: Vec<usize>,
    dropped: BTreeSet<usize>,
    position: Position,
    /// What each undo came behind of.
    behind: BTreeMap<SessionId, Vec<EffectId>>,
}

impl Reading {
    fn record(&mut self, record: &SystemRecord) {
        match record {
            SystemRecord::Opened { session, behind, .. } => {
                let first = self.behind.entry(session.clone());
                first.or_insert_with(|| behind.clone());
                self.opened(session);
            }
            SystemRecord::Disturbs { action, step } => {
                self.action(action);
                let known = self
                    .earlier
                    .disturbed
                    .iter()
                    .any(|own| own.resource == step.resource);
                if !known {
                    self.earlier.disturbed.push(step.clone());
                }
            }
            SystemRecord::StepStarted {
                action,
                resource,
                took,
                whole,
                name,
            } => {
                self.action(action);
                let open = Open {
                    resource: resource.clone(),
                    name: name.clone(),
                    took: took.clone(),
                    whole: *whole,
                    effects: Vec::new(),
                };
                self.open.insert(action.clone(), open);
            }
            SystemRecord::Intent { effect } => self.intent(effect),
            SystemRecord::StepEnded { action, end } => self.ended(action, end),
            SystemRecord::CompensationStarted { action, of, key } => {
                self.action(action);
                self.calls.insert(action.clone(), of.clone());
                self.earlier.compensated.entry(key.clone()).or_insert(None);
            }
            SystemRecord::CompensationEnded { action, key, called } => self.called(action, key, called),
            SystemRecord::Receipt(_) => {}
            SystemRecord::Closed { session } => {
                if self
                    .earlier
                    .unfinished
                    .as_ref()
                    .is_some_and(|(open, _)| open == session)
                {
                    self.earlier.unfinished = None;
                    self.earlier.disturbed.clear();
                }
            }
        }
    }

    fn opened(&mut self, session: &SessionId) {
        if self
            .earlier
            .unfinished
            .as_ref()
            .is_some_and(|(open, _)| open == session)
        {
            return;
        }
        self.position = Position::default();
        self.earlier.disturbed.clear();
        self.earlier.unfinished = Some((session.clone(), Position::default()));
    }

    fn behind_of(&self, undo: &SessionId) -> Vec<EffectId> {
        self.behind.get(undo).cloned().unwrap_or_default()
    }

    fn action(&mut self, action: &ActionId) {
        if self
            .earlier
            .unfinished
            .as_ref()
            .is_some_and(|(open, _)| *open == action.session)
        {
            self.position.action = self.position.action.max(action.number);
        }
    }

    fn intent(&mut self, effect: &Effect) {
        if self
            .earlier
            .unfinished
            .as_ref()
            .is_some_and(|(open, _)| *open == effect.action.session)
        {
            self.position.seq = self.position.seq.max(effect.seq.0);
        }
        let at = self.earlier.undone.len();
        let mut undone = Undone {
            effect: effect.clone(),
            took: Vec::new(),
            whole: false,
            behind: self.behind_of(&effect.action.session),
        };
        if let Some(open) = self.open.get_mut(&effect.action) {
            let own = open.effects.iter().rev();
            let mut own = own.filter(|at| {
                let before = self.earlier.undone.get(**at);
                before.is_some_and(|before| before.effect.resource == effect.resource)
            });
            // What the step itself found there then is what it had left in passing.
            if let Some(before) = own.next().and_then(|at| self.earlier.undone.get_mut(*at)) {
                before.effect.after.clone_from(&effect.before);
                before.effect.outcome = Outcome::Observed;
            }
            open.effects.push(at);
            if open.resource == effect.resource {
                undone.took.clone_from(&open.took);
                undone.whole = open.whole;
            }
        }
        self.earlier.undone.push(undone);
    }

    fn ended(&mut self, action: &ActionId, end: &StepEnd) {
        let Some(open) = self.open.remove(action) else {
            return;
        };
        match end {
            StepEnd::Ended(Restored::Done { left }) => self.done(&open, left),
            StepEnd::Ended(Restored::Already) => self.already(action, open),
            // Nothing was changed, whatever was announced.
            StepEnd::Ended(_) => self.dropped.extend(open.effects),
            StepEnd::Failed(_) => self.partial.extend(open.effects),
        }
    }

    /// Nothing had to be changed: that its effects are taken back holds from now on all the same, until this is itself
    /// taken back. Where another step of this undo has changed it in passing, it was that; else an effect without a change
    /// stands for it.
    fn already(&mut self, action: &ActionId, open: Open) {
        self.dropped.extend(open.effects);
        let in_passing = self.earlier.undone.iter_mut().enumerate().rfind(|(at, undone)| {
            let own =
                undone.effect.action.session == action.session && undone.effect.resource == open.resource;
            own && !self.dropped.contains(at)
        });
        if let Some((_, undone)) = in_passing
            && undone.took.is_empty()
            && undone.effect.outcome == Outcome::Observed
        {
            undone.took = open.took;
            undone.whole = open.whole;
            return;
        }
        let effect = Effect {
            action: action.clone(),
            seq: Seq(0),
            resource: open.resource,
            name: open.name,
            before: State::Absent,
            after: State::Absent,
            outcome: Outcome::Observed,
        };
        let behind = self.behind_of(&action.session);
        self.earlier.undone.push(Undone {
            effect,
            took: open.took,
            whole: open.whole,
            behind,
        });
    }

    fn done(&mut self, open: &Open, left: &State) {
        let mut last = None;
        for at in &open.effects {
            if let Some(undone) = self.earlier.undone.get_mut(*at) {
                undone.effect.outcome = Outcome::Observed;
                if undone.effect.resource == open.resource {
                    last = Some(*at);
                }
            }
        }
        if let Some(undone) = last.and_then(|at| self.earlier.undone.get_mut(at)) {
            undone.effect.after = with_bodies(left, &undone.effect.after);
        }
    }

    fn called(&mut self, action: &ActionId, key: &str, called: &Called) {
        self.earlier
            .compensated
            .insert(key.to_owned(), Some(called.clone()));
        let (Some(of), Called::Done(_)) = (self.calls.remove(action), called) else {
            return;
        };
        let took = vec![of.id()];
        let effect = Effect {
            action: action.clone(),
            name: format!("compensation of {}", of.name),
            before: of.after,
            after: of.before,
            outcome: Outcome::NotCaptured,
            seq: of.seq,
            resource: of.resource,
        };
        let behind = self.behind_of(&action.session);
        self.earlier.undone.push(Undone {
            effect,
            took,
            whole: true,
            behind,
        });
    }
}

/// The state left, with its bodies named where they are kept: it was made from them.
fn with_bodies(left: &State, made_from: &State) -> State {
    let (State::Present(fields), Some(source)) = (left, made_from.fields()) else {
        return left.clone();
    };
    let mut named = fields.clone();
    for (name, value) in fields.iter() {
        let Value::Content(content) = value else { continue };
        let known = source
            .content(name)
            .filter(|kept| content.kept.is_none() && kept.same(content) == Some(true));
        if let Some(kept) = known.and_then(|known| known.kept.clone()) {
            named.set(
                name.to_owned(),
                Value::Content(Content {
                    kept: Some(kept),
                    ..content.clone()
                }),
            );
        }
    }
    State::Present(named)
}
