//! Why the projection can't be read or made.

use rescind_supervisor::StoreError;
use std::io;
use std::path::PathBuf;

/// Why the projection can't be read or made. The record itself is never touched by it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database.
    #[error("the index can't be used; it holds nothing that is not in the record, and may be deleted")]
    Database(#[from] rusqlite::Error),
    /// A file beside it.
    #[error("can't {doing} `{}`", path.display())]
    File {
        /// What was being done.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger.
    #[error("the ledger can't be read")]
    Ledger(#[from] rescind_ledger::Error),
    /// An entry that is none.
    #[error("entry {seq} of the ledger is not to be understood: {why}; `rescind verify` says more")]
    Entry {
        /// Which.
        seq: u64,
        /// Why.
        why: String,
    },
    /// A journal that the system refuses to read.
    #[error("session {session}: {why}; the index goes on once it can be read")]
    Refused {
        /// Whose.
        session: String,
        /// Why.
        why: String,
    },
    /// A page's cursor.
    #[error("`{cursor}` is not a cursor of this list; begin again without one")]
    Cursor {
        /// What was given.
        cursor: String,
    },
    /// A time in a filter.
    #[error("`{time}` is not a time such as 2026-11-21T18:00:00Z")]
    Time {
        /// What was given.
        time: String,
    },
    /// A row that can't be read.
    #[error("the index holds a row that can't be read; delete it, it is made anew from the record")]
    Row(#[from] serde_json::Error),
    /// Another version's process keeps the index.
    #[error("another version of rescind keeps the index `{}`; end that process first", path.display())]
    Version {
        /// Where it is.
        path: PathBuf,
    },
}

/// What the functions of this crate return.
pub type Result<T> = std::result::Result<T, Error>;
