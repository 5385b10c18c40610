//! The pipeline: sessions, permits, the contracts of surfaces, and the one store they share.

mod driver;
mod permit;

pub use driver::{Bodies, Called, Caller, Driver, DriverError, Intents, Restored, Step};
pub use permit::Permit;
