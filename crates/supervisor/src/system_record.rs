//! What a system session writes down: the records of an undo, redo-only as in ARIES (TODS 17(1) 1992, the
//! compensation log records): none of them is ever undone in place. An undo of the undo is a new session over them.

use crate::{Called, Restored, Step};
use rescind_model::{ActionId, Digest, Effect, EffectId, ResourceId, SessionId, State};
use std::io;

/// One record of a system session, in the order of writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SystemRecord {
    /// The session begins, or begins again after a crash.
    Opened {
        /// The system session.
        session: SessionId,
        /// What it takes back, as a person would say it.
        scope: String,
        /// The digest of the plan that is applied.
        plan: Digest,
        /// Of each session that goes on meanwhile, the last effect that the plan knows of: what it does after that comes
        /// after this undo.
        behind: Vec<EffectId>,
    },
    /// The steps to come disturb this resource in passing; in the end it should be as in `step.target`.
    Disturbs {
        /// The action that brings it back.
        action: ActionId,
        /// The resource, as it was found and as it should be.
        step: Step,
    },
    /// A step begins.
    StepStarted {
        /// The step, as an action of the system session.
        action: ActionId,
        /// The resource.
        resource: ResourceId,
        /// What people call it.
        name: String,
        /// The effects that the step takes back.
        took: Vec<EffectId>,
        /// Whether it takes all of them back; a conflict decided for what is there now leaves a part.
        whole: bool,
    },
    /// A change is about to be made. The effect is in doubt until the end of its step is recorded.
    Intent {
        /// The effect, `after` being the state that is intended.
        effect: Effect,
    },
    /// A step ended.
    StepEnded {
        /// The step.
        action: ActionId,
        /// How.
        end: StepEnd,
    },
    /// A compensating call is about to be made.
    CompensationStarted {
        /// The call, as an action of the system session.
        action: ActionId,
        /// The effect that it compensates.
        of: Effect,
        /// Its idempotency key.
        key: String,
    },
    /// A compensating call ended.
    CompensationEnded {
        /// The call.
        action: ActionId,
        /// Its idempotency key.
        key: String,
        /// How.
        called: Called,
    },
    /// Everything was read back and compared.
    Receipt(Receipt),
    /// The session is over.
    Closed {
        /// The system session.
        session: SessionId,
    },
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepEnd {
    /// The driver did what it says.
    Ended(Restored),
    /// The driver could not do it, for this reason. What was announced is resolved by reading the state.
    Failed(String),
}

/// What an undo came to: every resource read back and compared with the plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Resources brought to their target.
    pub restored: u64,
    /// Resources that were there already.
    pub already: u64,
    /// Compensating calls that took effect, now or in an earlier attempt.
    pub compensated: u64,
    /// Resources that were read back.
    pub read_back: u64,
    /// Resources left as they are, and why: they hold what others made.
    pub kept: Vec<Remark>,
    /// Conflicts left as they are, and resources that others wrote to while the undo ran.
    pub conflicts: Vec<Remark>,
    /// What can't come back, and why.
    pub lost: Vec<Remark>,
    /// Steps and calls that failed, and why: an undo run again tries them again.
    pub failed: Vec<Remark>,
    /// Compensating calls of which nobody knows whether they took effect.
    pub in_doubt: Vec<Remark>,
    /// Resources that were not as the plan wants them when they were read back.
    pub differs: Vec<Differs>,
}

/// Something about one resource or call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Remark {
    /// What people call it.
    pub name: String,
    /// What there is to say.
    pub why: String,
}

/// A resource that was read back and is not as planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differs {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it.
    pub name: String,
    /// The state it should have.
    pub target: State,
    /// The state found, or why none could be read.
    pub now: Result<State, String>,
}

impl Receipt {
    /// Whether everything that could come back did, and was found so.
    #[must_use]
    pub fn proved(&self) -> bool {
        self.conflicts.is_empty()
            && self.failed.is_empty()
            && self.in_doubt.is_empty()
            && self.differs.is_empty()
    }

    /// Whether everything that was done came back, also what was never captured.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.proved() && self.lost.is_empty()
    }
}

/// Where a system session writes its records.
pub trait Recorder {
    /// Write one record. Durable (level `process`) when it returns.
    ///
    /// # Errors
    /// It may or may not be written; nothing more is done on the strength of it.
    fn record(&mut self, record: &SystemRecord) -> io::Result<()>;
}

impl<R: Recorder + ?Sized> Recorder for &mut R {
    fn record(&mut self, record: &SystemRecord) -> io::Result<()> {
        (**self).record(record)
    }
}
