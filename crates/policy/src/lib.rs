//! The judge: policy, risk, limits, freezes, scopes and the breaker, as pure functions.
//!
//! Absences that hold: no I/O, no clock, no randomness, no async, and no knowledge of any wire. What is judged is a
//! plain [`Proposal`]; time, time zones, counters and history are given in. The same input gives the same
//! [`Judgement`], always.
//!
//! Reading order: `proposal` (what is judged), `judge` (the order of the stages), `rules` (policies in Cedar), `index`
//! (which of them can match at all), `limits`.

mod analyse;
mod breaker;
mod cases;
mod facts;
#[cfg(test)]
mod fixture;
mod freeze;
mod index;
mod judge;
mod limits;
mod money;
mod proposal;
mod recovery;
mod risk;
mod rules;
mod session;
mod source;
mod whitelist;

pub use breaker::{Attempt, Breaker, History, Target, Trip, Undone};
pub use cases::{Case, CaseError, CaseFailure, DEFAULT_CASES, Expected, cases};
pub use freeze::{Freeze, Freezes, Span, Zones};
pub use judge::{Input, Judge, Judgement, Match, Reason, Says, Stage, Who};
pub use limits::{
    Applied, Ask, Bounds, BoundsError, Bucket, Counter, Counters, Exceeded, Granted, Hit, Limit, Limits,
    Measure, Per, Quantity, Reservation, Reserved, Slot, Spent, release, settle, settle_as_reserved, take,
};
pub use money::{Amount, Currency, Money, MoneyError};
pub use proposal::{Blast, Driven, Proposal, Spend};
pub use recovery::{Recovery, recovery};
pub use risk::score;
pub use rules::{Annotations, DEFAULT_POLICY, Effect, Evaluation, MAX_TARGETS, Rule, Rules, SCHEMA};
pub use session::{Environment, Session};
pub use source::{Place, Problem, Problems};
pub use whitelist::{Grant, GrantError, Granting, Reach, Whitelist};
