//! The words of rescind as types: ids, states, effects, actions, verdicts and coverage.
//!
//! Absences that hold: no I/O, no clock, no randomness, no async, no wire format. Time and randomness come in
//! as values; disk and wire forms are converted at the edge, in the crates that own them.

mod chain;
mod class;
mod digest;
pub mod domain;
mod effect;
mod hidden;
mod ids;
mod quote;
mod risk;
mod scope;
mod span;
mod state;
mod three_way;
mod time;
mod words;

pub use chain::chain;
pub use class::Class;
pub use digest::{Digest, DigestError};
pub use effect::{Effect, EffectId, Outcome, ResourceId, Seq};
pub use hidden::is_hidden;
pub use ids::{ActionId, IdError, SessionId};
pub use quote::{command_line, quote};
pub use risk::{RiskFactor, RiskScore};
pub use scope::{Operation, Pattern, Scope, ScopeError, ScopeTextError, Scopes};
pub use span::{read_span, span};
pub use state::{Content, Fields, Locator, ObjectId, Stamp, State, Value};
pub use three_way::{FieldConflict, FieldMerge, Hunk, Merged, PartConflict, three_way};
pub use time::{Timestamp, TimestampError};
pub use words::{Approval, Coverage, Level, Missing, Reversibility, Risk, Surface, Verdict};
