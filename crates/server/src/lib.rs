//! The control plane: API, event stream and console of one machine's rescind.
//!
//! It has no special role in the store: it reads the ledger as anybody may, decides holds by the same files as `rescind approve`,
//! and stops things through the same board as `rescind kill`. When it is gone, nothing that it knew is lost.

pub mod config;
pub mod limits;
pub mod listen;
pub mod operations;
pub mod problem;
