//! The plan of an undo, as a value: print it, approve it, apply it.

use crate::{Clash, Drafts, Lane};
use rescind_model::{ActionId, Digest, Effect, EffectId, ResourceId, State};
use rescind_supervisor::{Held, HeldCause, Remark, Step};
use std::collections::BTreeSet;

/// What is done where the session and somebody else changed the same field or hunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnConflict {
    /// What is there now stays at that grain; the rest is taken back.
    Keep,
    /// The state before the session comes back at that grain; what is there now is captured first.
    Restore,
    /// Stop before anything is touched, and ask.
    #[default]
    Ask,
}

/// What an undo would do, step by step, computed before anything is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is taken back, as a person would say it.
    pub scope: String,
    /// The state it leads to, in a sentence.
    pub target: String,
    /// How conflicts are decided.
    pub on_conflict: OnConflict,
    /// The steps, in the order in which they can be carried out.
    pub steps: Vec<PlannedStep>,
    /// Resources that are as they should be already: recorded as taken back, so that it holds for later undos.
    pub settled: Vec<Settled>,
    /// The compensating calls, the last completed effect first. They are made once the steps are done.
    pub compensations: Vec<Compensation>,
    /// What both the session and others changed, with all versions.
    pub conflicts: Vec<Conflict>,
    /// What can't come back, and why.
    pub lost: Vec<Lost>,
    /// Resources that can't be brought to their target because of what others are like.
    pub held: Vec<HeldStep>,
    /// Resources that keep coming back although they were restored: reported, not fought (law 8).
    pub flapping: Vec<Flapping>,
    /// Actions outside the scope that changed the same fields since: they may have built on what is taken back.
    pub dependents: BTreeSet<ActionId>,
    /// What the steps disturb in passing, with the states found and the states to leave.
    pub disturbed: Vec<Step>,
    /// Merged texts that the steps write.
    pub drafts: Drafts,
    /// Sizes, for an estimate of time.
    pub totals: Totals,
}

/// One step, with what is needed to plan it again should its resource have changed meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// What it takes back.
    pub lane: Lane,
    /// Whether it takes all of it back.
    pub whole: bool,
}

/// A resource that is as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it.
    pub name: String,
    /// The effects that are taken back.
    pub took: Vec<EffectId>,
}

/// A call that compensates an effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compensation {
    /// The effect.
    pub effect: Effect,
    /// The idempotency key: the same for every attempt.
    pub key: String,
    /// Whether an earlier attempt started the call and its end is not known: it is asked for first.
    pub started: bool,
    /// The state on which it is made, where the other side can be looked at: that which the effect left, or what others
    /// made of it and a person decided to give up.
    pub expected: Option<State>,
    /// The call as a person would type it, where that can be said.
    pub wording: Option<String>,
}

/// A resource that both the session and others changed at the same grain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it.
    pub name: String,
    /// What clashes, once for each gap in time at which it does.
    pub clashes: Vec<Clash>,
    /// Later actions of supervised sessions that changed the same fields.
    pub dependents: BTreeSet<ActionId>,
}

/// Something that can't come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it.
    pub name: String,
    /// Why.
    pub why: LostWhy,
}

/// Why something can't come back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LostWhy {
    /// It was not captured before it was changed, by this action.
    NotCaptured(ActionId),
    /// Its body was not kept, or is no longer: pruned, erased or damaged.
    BodyGone {
        /// The field.
        field: String,
    },
    /// It can't be read now, so that nothing is known of its state.
    Unreachable(String),
    /// The call that would take it back can't be made here, for this reason.
    NotCalled(String),
    /// Nothing in this build knows how to restore it.
    NoDriver,
    /// Nobody knows whether the call was made at all, and the other side can't say.
    InDoubt(ActionId),
}

/// A step that can't be carried out, and whom that concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldStep {
    /// What the driver says.
    pub held: Held,
    /// Actions outside the scope that made what stands in the way.
    pub dependents: BTreeSet<ActionId>,
}

/// A resource that was restored and has the session's state again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flapping {
    /// The resource.
    pub resource: ResourceId,
    /// What people call it.
    pub name: String,
    /// How often it was restored.
    pub times: usize,
}

/// Sizes of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Effects in the scope.
    pub effects: u64,
    /// Resources they are on.
    pub resources: u64,
    /// Resources that need nothing: they are as they should be.
    pub settled: u64,
    /// Bytes of bodies that the steps write.
    pub bytes: u64,
}

impl Plan {
    /// What this effect changed can't come back; said once for each cause.
    pub(crate) fn lose(&mut self, effect: &Effect, why: LostWhy) {
        let lost = Lost {
            resource: effect.resource.clone(),
            name: effect.name.clone(),
            why,
        };
        if !self.lost.contains(&lost) {
            self.lost.push(lost);
        }
    }

    /// Whether there is something to decide before the plan can be applied: it was asked to ask, and there are conflicts,
    /// or steps that can't be carried out for what later actions or others did.
    #[must_use]
    pub fn undecided(&self) -> usize {
        if self.on_conflict != OnConflict::Ask {
            return 0;
        }
        self.conflicts.len() + self.held.iter().filter(|held| held.tears()).count()
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty() && self.compensations.is_empty() && self.disturbed.is_empty()
    }

    /// The digest of everything the plan would do, so that an approval can be bound to it.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(self.canonical().as_bytes())
    }
}

impl HeldStep {
    /// Whether holding it tears something that a person should decide on: a later action's work stands in the way, or
    /// there is nowhere to put it. A folder that stays because of other people's files is no such case.
    #[must_use]
    pub fn tears(&self) -> bool {
        self.held.cause == HeldCause::NoPlace || !self.dependents.is_empty()
    }
}

impl Lost {
    /// It in words.
    #[must_use]
    pub fn remark(&self) -> Remark {
        let why = match &self.why {
            LostWhy::NotCaptured(action) => format!("it was not captured before {action} changed it"),
            LostWhy::BodyGone { field } => format!("its {field} is no longer kept"),
            LostWhy::Unreachable(why) | LostWhy::NotCalled(why) => why.clone(),
            LostWhy::NoDriver => "nothing in this build can restore it".to_owned(),
            LostWhy::InDoubt(action) => {
                format!("nobody knows whether {action} took effect, so it was not compensated")
            }
        };
        Remark {
            name: self.name.clone(),
            why,
        }
    }
}
