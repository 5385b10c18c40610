//! Telling real receivers, with the faults that receivers have.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "a failed assumption ends a test loudly"
)]

mod configuration;
mod crash;
mod outbox;
mod peers;
mod place;
mod receiver;
mod slack;
mod smtp;
mod webhook;
