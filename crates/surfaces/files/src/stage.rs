//! A stage: the real tree as a session sees it, with the session's changes on overlays, until a person makes them real.
//!
//! [`enter`] puts this process, and all it will start, on a stage. [`changes`] compares what is on the overlays with the
//! real tree, and with what the session found there when it first touched it; [`make_real`] carries changes over.

mod base;
mod changes;
mod copy;
mod enter;
mod error;
mod layout;
mod links;
mod mounts;
mod order;
mod promote;
mod same;
mod upper;

pub use base::Bases;
pub use changes::{Change, Changes, Kind as ChangeKind, changes};
pub use enter::{Entered, enter};
pub use error::{PromoteError, StageError};
pub use layout::{LeftOut, Stage, Unit};
pub use order::Order;
pub use promote::make_real;
