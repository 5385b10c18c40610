//! Text by lines: the three-way merge that takes one side's change out of a text, and the unified diff that shows one.
//!
//! Absences that hold: no I/O, no clock; the same input gives the same output, in time bounded by the length of the
//! texts (see [`changes`]).
//!
//! **What merges.** Changes of both sides merge if at least one unchanged line lies between them. Changes that touch
//! (one ends where the other begins) are in conflict, as in git: the lines next to a change are what it was made for.
//! Two sides that made the same change agree.

mod changes;
mod lines;
mod three;
mod unified;

pub use three::{Merged, Versions, merge_text};
pub use unified::unified_diff;
