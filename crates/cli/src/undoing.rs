//! An undo from the command line: scope, plan, decisions, application.

mod across;
mod apply;
mod decide;
mod joined;
mod last_good;
mod later;
mod live;
mod notes;
mod objects;
mod prepare;
mod progress;
mod remedies;
mod scope;
mod settle;
mod show;
mod stop;
pub mod window;

pub use apply::{Applied, Cause, apply, print_receipt};
pub use decide::{Decision, decide};
pub use joined::{Joined, Known, Numbers};
pub use live::LiveUndo;
pub use prepare::Prepared;
pub use scope::{ScopeArgs, pattern};
pub use show::{plan_json, print_plan};
pub use stop::{close_books, settle_dead, stop};
