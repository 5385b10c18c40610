//! What can go wrong with a ledger, and what it means for the data.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An error of the ledger. Cheap to clone: one failed write answers everybody whose entries were in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// A call to the system failed.
    #[error("could not {doing} `{}`: {meaning}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What it means for the data.
        meaning: &'static str,
        /// The system's word.
        source: Arc<io::Error>,
    },
    /// The disk is full, up to the reserve that is kept for undo and stop.
    #[error("the disk that holds `{}` is full: nothing was recorded; free some space and try again", path.display())]
    Full {
        /// The segment.
        path: PathBuf,
        /// The system's word.
        source: Arc<io::Error>,
    },
    /// An entry is empty or too long.
    #[error(
        "an entry of {bytes} bytes can't be recorded: entries have 1 to {} bytes; nothing was recorded",
        crate::MAX_ENTRY
    )]
    EntrySize {
        /// Its length.
        bytes: usize,
    },
    /// A batch was cut short.
    #[error("only the first {recorded} of {of} entries were recorded")]
    Partly {
        /// How many are in.
        recorded: usize,
        /// How many there were.
        of: usize,
        /// Why the others are not.
        source: Box<Error>,
    },
    /// The ledger contradicts itself.
    #[error("the ledger is damaged: {what} (`{}`, byte {offset}, entry {index}); nothing was changed, `rescind verify` says more", path.display())]
    Damaged {
        /// The file that shows it.
        path: PathBuf,
        /// Where in the file, in bytes.
        offset: u64,
        /// Which entry, as far as known.
        index: u64,
        /// What is wrong.
        what: String,
    },
    /// The private key is missing or no key.
    #[error("the key `{}` can't be used: {what}; nothing was changed", path.display())]
    Key {
        /// The key file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// An earlier sync failed: what the kernel holds may not be on the disk.
    #[error("an earlier sync of `{}` failed: what was recorded since may not survive a power cut; reopen the ledger", path.display())]
    SyncFailed {
        /// The segment.
        path: PathBuf,
    },
    /// No place in the ledger's order could be had, although takeovers were tried.
    #[error("nothing was recorded: every one of {tries} takeovers of the ledger in `{}` was overtaken; try again", dir.display())]
    Overtaken {
        /// The ledger.
        dir: PathBuf,
        /// How often it was tried.
        tries: u32,
    },
    /// There is no such entry (yet).
    #[error("there is no entry {index}: the ledger has {length} entries")]
    NoEntry {
        /// The index asked for.
        index: u64,
        /// How many there are.
        length: u64,
    },
}

impl Error {
    /// Whether there was no room on the disk.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Full { .. } => true,
            Self::Partly { source, .. } => source.is_disk_full(),
            Self::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
            ),
            _ => false,
        }
    }

    pub(crate) fn io(
        doing: &'static str,
        path: &Path,
        meaning: &'static str,
    ) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path: path.clone(),
            meaning,
            source: Arc::new(source),
        }
    }

    pub(crate) fn damaged(path: &Path, offset: u64, index: u64, what: impl Into<String>) -> Self {
        Self::Damaged {
            path: path.to_owned(),
            offset,
            index,
            what: what.into(),
        }
    }
}

/// What the ledger returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;
