//! The desk: commands as they are about to run, into proposals, judged by the catalog and the policies in force.
//!
//! Reading order: `desk` (one session's desk), `proposal` (what the catalog knows of a command, as the judge wants it),
//! `learned` (rules learned from approvals), `known` (what an agent was
//! permitted before), `configuration` (where policies, limits and entries of one's own are), `tally` (what is used of the limits, shared by
//! processes).
//!
//! Absences that hold: nothing here lets a command run or stops one; a gateway does, by what it is told here.

mod configuration;
mod desk;
mod known;
mod learned;
mod proposal;
mod reading;
mod tally;
mod tiers;
mod triggers;
mod ways;

pub use configuration::{Configuration, ConfigurationError, Text, catalog_with, zone};
pub use desk::{Acting, SessionDesk};
pub use known::KnownKinds;
pub use learned::{LONGEST, Learned, LearnedError, LearnedRules, Surroundings, Uses};
pub use proposal::proposal;
pub use tally::{Locked, Open, Room, State, Tally, TallyError};
pub use tiers::{TiersError, parse as parse_tiers};
pub use triggers::{Occasion, Reach, Trigger, TriggersError, parse as parse_triggers, tampered};
