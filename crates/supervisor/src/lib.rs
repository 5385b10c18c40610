//! The pipeline: sessions, permits, the contracts of surfaces, and the one store they share.

mod driver;
mod permit;
mod system_record;
mod system_session;

pub use driver::{
    Arranged, Bodies, Called, Caller, Driver, DriverError, Held, HeldCause, Intents, Restored, Step,
};
pub use permit::Permit;
pub use system_record::{Differs, Receipt, Recorder, Remark, StepEnd, SystemRecord};
pub use system_session::{Opening, Position, StepOpening, SystemError, SystemSession};
