//! The pipeline: sessions, permits, the contracts of surfaces, and the one store they share.

mod driver;
mod permit;

pub use driver::{
    Arranged, Bodies, Called, Caller, Driver, DriverError, Held, HeldCause, Intents, Restored, Step,
};
pub use permit::Permit;
