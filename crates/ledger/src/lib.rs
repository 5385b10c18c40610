//! The ledger: an append-only, tamper-evident list of entries that many processes share without a daemon.
//!
//! The bytes on disk, the rules of writers and why they hold: `docs/formats/ledger.md`. Read `tail` for appending,
//! `queue` for group commit, `scribe` for signing.
//!
//! Absences that hold: entries are opaque bytes here; nothing is ever changed or removed; no lock is held during an append's sync.

mod background;
mod chain;
mod checkpoint;
mod cursor;
mod disk;
mod error;
mod frame;
mod frontier;
mod header;
mod key;
mod ledger;
mod log;
pub mod merkle;
mod note;
mod queue;
mod scribe;
mod tail;

pub use background::Background;
pub use checkpoint::Checkpoint;
pub use cursor::Cursor;
#[doc(hidden)]
pub use disk::{Interference, Probe, Step};
pub use error::{Error, Result};
pub use frame::MAX_ENTRY;
pub use ledger::{Ledger, Options};
pub use note::{NoteError, Verifier};

/// Space kept for [`Ledger::append_from_reserve`], in bytes.
pub const RESERVE: u64 = log::RESERVE;
