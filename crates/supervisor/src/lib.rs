//! The pipeline: sessions, permits, the contracts of surfaces, and the one store they share.

mod bodies;
mod books;
mod clock;
pub mod control;
mod desk;
mod domains;
mod driver;
pub mod entry;
pub mod holds;
mod home;
mod index;
pub mod journal;
mod log;
mod looks;
pub mod own;
mod permit;
mod sessions;
mod stamps;
mod store;
mod system_record;
mod system_session;
mod undoing;
mod undone;
pub mod verify;
mod view;

pub use bodies::StoredBodies;
pub use books::{Books, finish_books, opened, unended};
pub use clock::{lives, now, process_mark, salt, secret, session_id};
pub use desk::{Asked, Connecting, Desk, Judged, Understood, Undo};
pub use domains::DomainSet;
pub use driver::{
    Arranged, Bodies, Called, Caller, Driver, DriverError, Held, HeldCause, Intents, KIND, Restored, Step,
};
pub use home::Home;
pub use log::SessionLog;
pub use looks::{Around, Looks, Seen};
pub use permit::Permit;
pub use sessions::{Life, SessionSummary, in_passing};
pub use stamps::Stamps;
pub use store::{Store, StoreError};
pub use system_record::{Differs, Receipt, Recorder, Remark, StepEnd, SystemRecord};
pub use system_session::{Opening, Position, StepOpening, SystemError, SystemSession};
pub use undoing::{Announced, Undoing};
pub use undone::{PathState, UndoneStates};
pub use view::{Node, SessionView};
