//! What the cases have in common: make effects, undo them, look.

use crate::{Fixture, Tape};
use rescind_model::{Effect, Outcome, Seq, SessionId, State};
use rescind_recovery::{ApplyError, Earlier, OnConflict, Plan, Request, Split, Surfaces, apply, plan};
use rescind_supervisor::{Opening, Position, Receipt, Step, SystemSession};
use std::cell::Cell;

/// A fixture and the session that acts on it.
pub(crate) struct Bench<'a> {
    pub(crate) on: &'a dyn Fixture,
    seq: Cell<u64>,
}

/// An undo as far as it came.
pub(crate) struct Undone {
    pub(crate) plan: Plan,
    pub(crate) tape: Tape,
    pub(crate) result: Result<Receipt, ApplyError>,
}

impl<'a> Bench<'a> {
    pub(crate) fn new(on: &'a dyn Fixture) -> Self {
        Self {
            on,
            seq: Cell::new(0),
        }
    }

    pub(crate) fn state(&self, path: &str) -> State {
        let (resource, name) = self.on.place(path);
        self.on.driver().read(&resource, &name, None).unwrap()
    }

    pub(crate) fn captured(&self, path: &str) -> State {
        let (resource, name) = self.on.place(path);
        let now = self.on.driver().read(&resource, &name, None).unwrap();
        self.on
            .driver()
            .capture(&resource, &name, &now, self.on.bodies())
            .unwrap()
    }

    /// Whether what is there now is `expect`, a state that was captured: bodies without a digest are known again by the
    /// place they were kept at.
    #[track_caller]
    pub(crate) fn assert_is(&self, path: &str, expect: &State) {
        let (resource, name) = self.on.place(path);
        let now = self.on.driver().read(&resource, &name, Some(expect)).unwrap();
        assert!(now.same(expect), "{path} is {now:#?}\nexpected {expect:#?}");
    }

    /// What `act` does to the resources at `paths`, as effects of one action of the session.
    pub(crate) fn does(&self, paths: &[&str], act: impl FnOnce()) -> Vec<Effect> {
        let places: Vec<_> = paths.iter().map(|path| self.on.place(path)).collect();
        let before: Vec<_> = paths.iter().map(|path| self.captured(path)).collect();
        act();
        let mut effects = Vec::new();
        for ((path, (resource, name)), before) in paths.iter().zip(places).zip(before) {
            let seq = self.seq.get() + 1;
            self.seq.set(seq);
            // A resource that is there now is told by where it is now: its folder may have been made just so.
            let there = self.state(path).exists();
            let (resource, name) = if there {
                self.on.place(path)
            } else {
                (resource, name)
            };
            effects.push(Effect {
                action: SessionId::new(1, 1).action(seq),
                seq: Seq(seq),
                after: if there { self.captured(path) } else { State::Absent },
                resource,
                name,
                before,
                outcome: Outcome::Observed,
            });
        }
        effects
    }

    pub(crate) fn surfaces(&self) -> Surfaces<'_> {
        Surfaces {
            drivers: vec![self.on.driver()],
            callers: Vec::new(),
        }
    }

    pub(crate) fn plan(&self, effects: &[Effect], earlier: &Earlier, on_conflict: OnConflict) -> Plan {
        let request = Request {
            scope: "the case",
            split: &Split::all(effects.to_vec()),
            earlier,
            on_conflict,
        };
        plan(&request, &self.surfaces(), self.on.bodies())
    }

    /// Plan and apply, going on from `tape`.
    pub(crate) fn undo(&self, effects: &[Effect], on_conflict: OnConflict, mut tape: Tape) -> Undone {
        let earlier = Earlier::read(&tape.records);
        let plan = self.plan(effects, &earlier, on_conflict);
        let fresh = (
            SessionId::new(2, u32::try_from(tape.records.len()).unwrap()),
            Position::default(),
        );
        let (id, resume) = earlier.unfinished.unwrap_or(fresh);
        let opening = Opening {
            scope: plan.scope.clone(),
            plan: plan.digest(),
            resume,
            behind: Vec::new(),
        };
        let result = SystemSession::open(id, &mut tape, opening)
            .map_err(ApplyError::from)
            .and_then(|mut session| {
                let receipt = apply(
                    &plan,
                    &mut session,
                    &self.surfaces(),
                    self.on.bodies(),
                    &mut |_| {},
                )?;
                session.close()?;
                Ok(receipt)
            });
        Undone { plan, tape, result }
    }

    /// Undo effects that nobody interfered with: it must be proved.
    pub(crate) fn undo_all(&self, effects: &[Effect]) -> Undone {
        let undone = self.undo(effects, OnConflict::Ask, Tape::default());
        let receipt = undone.result.as_ref().unwrap();
        assert!(receipt.proved(), "{receipt:#?}");
        undone
    }

    /// A step from the state now to `target`.
    pub(crate) fn step_to(&self, path: &str, target: State) -> Step {
        let (resource, name) = self.on.place(path);
        Step {
            resource,
            name,
            expected: self.captured(path),
            target,
        }
    }
}

/// Compare what people see, and say which differs.
#[track_caller]
pub(crate) fn assert_same(now: &State, expect: &State) {
    assert!(now.same(expect), "found {now:#?}\nexpected {expect:#?}");
}
