//! The ledger: an append-only, tamper-evident list of entries that many processes share without a daemon.
//!
//! The bytes on disk, the rules of writers and why they hold: `docs/formats/ledger.md`. Read `tail` for
//! appending,
//! `queue` for group commit, `scribe` for signing.
//!
//! Absences that hold: entries are opaque bytes here; nothing is ever changed or removed; no lock is held
//! during an append's sync.

mod background;
mod chain;
mod checkpoint;
mod cursor;
mod disk;
mod error;
mod frame;
mod frontier;
mod header;
mod http;
mod key;
mod ledger;
mod log;
pub mod merkle;
mod mirror;
mod note;
mod proof;
mod queue;
mod scribe;
mod statement;
mod tail;
mod tiles;
mod verify;

pub use background::{Background, Stopped};
pub use checkpoint::Checkpoint;
pub use cursor::Cursor;
#[doc(hidden)]
pub use disk::{Interference, Probe, Step};
pub use error::{Error, Result};
pub use frame::MAX_ENTRY;
pub use http::{serve_mirror, trusted_roots};
pub use ledger::{Ledger, Options};
pub use mirror::{MirrorError, MirrorReport, Pushed, read_mirror, verify_mirror};
pub use note::{NoteError, Verifier};
pub use proof::{Checked, ProofError, check};
pub use statement::open_statement;
pub use verify::{Against, Fault, Report, verify};

/// Space kept for [`Ledger::append_from_reserve`], in bytes.
pub const RESERVE: u64 = log::RESERVE;
