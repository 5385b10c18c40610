//! Secrets are replaced before anything is hashed, kept or shown.
//!
//! A secret becomes `[redacted:<kind>]`; the name, the flag and everything around it stay readable, so a record
//! still says *what* was given, only not the value. Three things give a secret away: its own shape (`ghp_...`, a
//! PEM block), the name it is given to (`DB_PASSWORD=...`, `"client_secret": "..."`), or its place (`user:HERE@host`,
//! `curl -u user:HERE`, `Authorization: Bearer HERE`).
//!
//! One scanner serves text, arguments, environment and streams. What it decides at a place depends on at most
//! [`BACK`] bytes before and [`FORWARD`] bytes after that place ([`BLOCK`] for key blocks), which is why a stream cut into any
//! chunks gives the same bytes as the whole.
//!
//! Absences that hold: no I/O, no clock, no randomness, no network look-up of whether a token is live.

mod argv;
mod assign;
mod blocks;
mod bytes;
mod commands;
mod encoded;
mod extension;
mod hints;
mod names;
mod places;
mod rules;
mod scan;
mod shapes;
mod stream;
mod table;
mod tokens;
mod values;
mod words;

pub use rules::{Finding, Kind, Redacted, Rules, RulesError};
pub use scan::{BACK, BLOCK, FORWARD};
pub use stream::Stream;
