//! One suite for every driver, and the proof of recovery over generated histories.
//!
//! [`CASES`] runs on a [`Fixture`]: whoever writes a driver writes one for it, and runs every case. [`prove`] runs the
//! properties of DESIGN section 5 on the in-memory surface.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "this crate is a test suite: where something does not hold it must stop"
)]

mod bench;
mod cases;
mod fixture;
mod prove;
mod tape;

pub use cases::{CASES, Case};
pub use fixture::Fixture;
pub use prove::{Failure, Report, prove, prove_one};
pub use tape::Tape;
