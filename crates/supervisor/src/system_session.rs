//! The session in which rescind itself acts: an undo. The only maker of permits outside the sessions of agents.

use crate::{Called, DriverError, Intents, Permit, Receipt, Recorder, Restored, Step, StepEnd, SystemRecord};
use rescind_model::{ActionId, Digest, Effect, EffectId, Outcome, ResourceId, Seq, SessionId, State};
use std::io;

/// An open system session. Every change it makes goes through [`SystemSession::step`], [`SystemSession::compensate`]
/// or [`SystemSession::finish`], which record first and lend a permit only then (law 1).
#[derive(Debug)]
pub struct SystemSession<R> {
    id: SessionId,
    recorder: R,
    position: Position,
    finishing: Option<ActionId>,
}

/// How far a system session has come: the last numbers it gave out. The default is a new session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Position {
    /// The number of its last action.
    pub action: u64,
    /// The place of its last effect.
    pub seq: u64,
}

/// What a system session is opened for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What it takes back, as a person would say it.
    pub scope: String,
    /// The digest of the plan to apply.
    pub plan: Digest,
    /// Where it stood when it was interrupted, if it is resumed.
    pub resume: Position,
    /// Of each session that goes on meanwhile, the last effect that the plan knows of.
    pub behind: Vec<EffectId>,
}

/// One step as it is recorded when it begins.
#[derive(Debug, Clone, Copy)]
pub struct StepOpening<'a> {
    /// The resource.
    pub resource: &'a ResourceId,
    /// What people call it.
    pub name: &'a str,
    /// The effects it takes back.
    pub took: &'a [EffectId],
    /// Whether it takes all of them back.
    pub whole: bool,
}

/// The record of the undo can't be written. Nothing more is changed after it.
#[derive(Debug, thiserror::Error)]
#[error(
    "{what} could not be recorded; nothing more was changed, run the undo again to go on where it stopped"
)]
pub struct SystemError {
    /// What was to be recorded.
    pub what: &'static str,
    /// What the store said.
    #[source]
    pub source: io::Error,
}

impl<R: Recorder> SystemSession<R> {
    /// Open the session, or open it again after a crash.
    ///
    /// # Errors
    /// It could not be recorded: nothing may be changed.
    pub fn open(id: SessionId, recorder: R, opening: Opening) -> Result<Self, SystemError> {
        let Opening {
            scope,
            plan,
            resume,
            behind,
        } = opening;
        let mut session = Self {
            id,
            recorder,
            position: resume,
            finishing: None,
        };
        session.record(
            "the start of the undo",
            &SystemRecord::Opened {
                session: session.id.clone(),
                scope,
                plan,
                behind,
            },
        )?;
        Ok(session)
    }

    /// The session's id.
    #[must_use]
    pub fn id(&self) -> &SessionId {
        &self.id
    }

    /// Record what the steps to come disturb in passing, so that it is brought back even after a crash. To be
    /// called once, before the first step.
    ///
    /// # Errors
    /// It could not be recorded: no step may be taken.
    pub fn disturbs(&mut self, steps: &[Step]) -> Result<(), SystemError> {
        if steps.is_empty() {
            return Ok(());
        }
        let action = self.next_action();
        for step in steps {
            let record = SystemRecord::Disturbs {
                action: action.clone(),
                step: step.clone(),
            };
            self.record("what the undo disturbs in passing", &record)?;
        }
        self.finishing = Some(action);
        Ok(())
    }

    /// Take one step: record that it starts, lend `act` a permit and the place to announce its changes, record how it
    /// ended.
    ///
    /// # Errors
    /// Outer: a record could not be written, and the undo must stop. Inner: what `act` said.
    pub fn step(
        &mut self,
        opening: StepOpening<'_>,
        act: impl FnOnce(&Permit, &mut dyn Intents) -> Result<Restored, DriverError>,
    ) -> Result<Result<Restored, DriverError>, SystemError> {
        let action = self.next_action();
        let started = started(&action, opening);
        self.record("the start of a step", &started)?;
        let permit = Permit::for_recorded(action.clone());
        let mut announcer = Announcer {
            recorder: &mut self.recorder,
            seq: &mut self.position.seq,
            action: &action,
            error: None,
        };
        let result = act(&permit, &mut announcer);
        if let Some(source) = announcer.error.take() {
            return Err(SystemError {
                what: "a change",
                source,
            });
        }
        let end = match &result {
            Ok(restored) => StepEnd::Ended(restored.clone()),
            Err(error) => StepEnd::Failed(error.to_string()),
        };
        self.record("the end of a step", &SystemRecord::StepEnded { action, end })?;
        Ok(result)
    }

    /// Record that the effects of a step are taken back without a change: the resource is as it should be.
    ///
    /// # Errors
    /// It could not be recorded.
    pub fn settled(&mut self, opening: StepOpening<'_>) -> Result<(), SystemError> {
        let action = self.next_action();
        let started = started(&action, opening);
        self.record("what needs no step", &started)?;
        let end = StepEnd::Ended(Restored::Already);
        self.record("what needs no step", &SystemRecord::StepEnded { action, end })
    }

    /// Make one compensating call: record that it starts, lend `call` a permit, record how it ended.
    ///
    /// # Errors
    /// A record could not be written, and the undo must stop. The call may have been made: it is in doubt.
    pub fn compensate(
        &mut self,
        of: &Effect,
        key: &str,
        call: impl FnOnce(&Permit) -> Called,
    ) -> Result<Called, SystemError> {
        let action = self.next_action();
        let key = key.to_owned();
        let started = SystemRecord::CompensationStarted {
            action: action.clone(),
            of: of.clone(),
            key: key.clone(),
        };
        self.record("the start of a compensation", &started)?;
        let called = call(&Permit::for_recorded(action.clone()));
        let ended = SystemRecord::CompensationEnded {
            action,
            key,
            called: called.clone(),
        };
        self.record("the end of a compensation", &ended)?;
        Ok(called)
    }

    /// Bring back what the steps disturbed in passing, as recorded by [`SystemSession::disturbs`]; nothing is done
    /// where nothing was.
    pub fn finish(
        &mut self,
        act: impl FnOnce(&Permit) -> Result<(), DriverError>,
    ) -> Result<(), DriverError> {
        match self.finishing.clone() {
            Some(action) => act(&Permit::for_recorded(action)),
            None => Ok(()),
        }
    }

    /// Record what it came to.
    ///
    /// # Errors
    /// It could not be recorded.
    pub fn receipt(&mut self, receipt: &Receipt) -> Result<(), SystemError> {
        self.record("the receipt", &SystemRecord::Receipt(receipt.clone()))
    }

    /// Close the session and give the recorder back.
    ///
    /// # Errors
    /// It could not be recorded: the session stays open and can be resumed.
    pub fn close(mut self) -> Result<R, SystemError> {
        let closed = SystemRecord::Closed {
            session: self.id.clone(),
        };
        self.record("the end of the undo", &closed)?;
        Ok(self.recorder)
    }

    fn next_action(&mut self) -> ActionId {
        self.position.action += 1;
        self.id.action(self.position.action)
    }

    fn record(&mut self, what: &'static str, record: &SystemRecord) -> Result<(), SystemError> {
        self.recorder
            .record(record)
            .map_err(|source| SystemError { what, source })
    }
}

fn started(action: &ActionId, opening: StepOpening<'_>) -> SystemRecord {
    SystemRecord::StepStarted {
        action: action.clone(),
        resource: opening.resource.clone(),
        name: opening.name.to_owned(),
        took: opening.took.to_vec(),
        whole: opening.whole,
    }
}

/// Turns announced changes into recorded intents, and remembers if one could not be recorded, so that a driver that
/// swallows the error can't go on unseen.
struct Announcer<'a, R> {
    recorder: &'a mut R,
    seq: &'a mut u64,
    action: &'a ActionId,
    error: Option<io::Error>,
}

impl<R: Recorder> Intents for Announcer<'_, R> {
    fn intend(&mut self, resource: &ResourceId, name: &str, before: &State, after: &State) -> io::Result<()> {
        if self.error.is_some() {
            return Err(io::Error::other(
                "an earlier change of this step could not be recorded",
            ));
        }
        *self.seq += 1;
        let effect = Effect {
            action: self.action.clone(),
            seq: Seq(*self.seq),
            resource: resource.clone(),
            name: name.to_owned(),
            before: before.clone(),
            after: after.clone(),
            outcome: Outcome::InDoubt,
        };
        self.recorder
            .record(&SystemRecord::Intent { effect })
            .map_err(|error| {
                let told = io::Error::new(error.kind(), error.to_string());
                self.error = Some(error);
                told
            })
    }
}
