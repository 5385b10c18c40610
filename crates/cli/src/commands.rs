//! The commands, one file each.

pub mod approvals;
pub mod calls;
pub mod catalog;
pub mod completions;
pub mod diff;
pub mod errors;
pub mod exec;
pub mod hook;
pub mod keeper;
pub mod kill;
pub mod ledger;
pub mod log;
pub mod man;
pub mod plan;
pub mod policy;
pub mod prune;
pub mod run;
pub mod sessions;
pub mod show;
pub mod status;
pub mod tour;
pub mod undo;
pub mod verify;
pub mod why;
