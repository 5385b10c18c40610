//! Recovery: plan an undo, merge what it takes back with what others did since, apply it, prove it (DESIGN section 5).
//!
//! ```text
//! effects of a scope ─ net ─▶ lanes ─ walk (three-way) ─▶ Plan ─ apply ─▶ Receipt
//!                                 ▲                        │ records first, through a SystemSession
//!                        drivers read, merge               ▼
//!                                              Earlier ◀─ records: resume, undo again, undo of the undo
//! ```
//!
//! Absences that hold: planning changes nothing and writes nothing; no clock, no randomness; nothing here knows a
//! surface or a wire format; nothing is changed but by a driver that holds a permit.

mod apply;
mod calls;
mod canonical;
mod drafts;
mod earlier;
mod gather;
mod held;
mod net;
mod pattern;
mod plan;
mod planner;
mod readback;
mod scope;
mod surfaces;
mod walk;

pub use apply::{ApplyError, Progress, apply};
pub use drafts::Drafts;
pub use earlier::{Earlier, Undone};
pub use net::{Lane, Segment};
pub use pattern::{Pattern, PatternError};
pub use plan::{
    Compensation, Conflict, Flapping, HeldStep, Lost, LostWhy, OnConflict, Plan, PlannedStep, Settled, Totals,
};
pub use planner::{RESTORES, Request, compensation_key, plan};
pub use scope::{Filter, Scope, Split};
pub use surfaces::Surfaces;
pub use walk::{Clash, MERGE_LIMIT};
