//! An undo from the command line: scope, plan, decisions, application.

mod apply;
mod decide;
mod later;
mod notes;
mod objects;
mod prepare;
mod progress;
mod scope;
mod settle;
mod show;
mod stop;

pub use apply::{apply, print_receipt};
pub use decide::{Decision, decide};
pub use prepare::Prepared;
pub use scope::ScopeArgs;
pub use show::{plan_json, print_plan};
pub use stop::{settle_dead, stop};
