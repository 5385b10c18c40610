//! The control plane: API, event stream and console of one machine's rescind.
//!
//! It has no special role in the store: it reads the ledger as anybody may, decides holds by the same files as `rescind approve`,
//! and stops things through the same board as `rescind kill`. When it is gone, nothing that it knew is lost.

pub mod api;
pub mod app;
pub mod config;
pub mod console;
pub mod describe;
pub mod extract;
pub mod headers;
pub mod jobs;
pub mod limits;
pub mod listen;
pub mod observe;
pub mod open;
pub mod operations;
pub mod pages;
pub mod problem;
pub mod router;
pub mod serve;
pub mod sign;
pub mod tell;
pub mod upkeep;

pub use config::{Configuration, ConfigurationError};
pub use operations::{Failed, Lasting, Operations, Progress, UndoOrder};
pub use router::document;
pub use serve::{Options, ServeError, Server, check, log_to_stderr};
