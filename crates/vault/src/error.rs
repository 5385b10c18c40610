//! What can go wrong in the vault, and what it means for the data.

use rescind_model::SessionId;
use std::io;
use std::path::PathBuf;

/// A failure of the vault.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no room left. What was to be written was not written; everything before it is whole.
    #[error("disk full while writing `{}`: it was not written, everything before it is whole", path.display())]
    DiskFull {
        /// The file that could not grow.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused.
    #[error("can't {doing} `{}`: {source}", path.display())]
    Io {
        /// What was being done, as in 'can't open'.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The session has nothing in this vault.
    #[error("session `{session}` is not in the vault")]
    NoSession {
        /// The session.
        session: SessionId,
    },
    /// The session's key is gone: its content was erased and can't be read by anybody.
    #[error("session `{session}` was erased: its content can't be read any more")]
    Erased {
        /// The session.
        session: SessionId,
    },
    /// The session is there already.
    #[error("session `{session}` is in the vault already: nothing was changed")]
    SessionExists {
        /// The session.
        session: SessionId,
    },
    /// Another writer has the session.
    #[error("session `{session}` is being written by another process: nothing was changed")]
    Busy {
        /// The session.
        session: SessionId,
    },
    /// Bytes of the vault are not what was written.
    #[error("`{file}` of session `{session}` is damaged at byte {offset}: {what}")]
    Damaged {
        /// The session.
        session: SessionId,
        /// The file's name.
        file: String,
        /// Where in the file.
        offset: u64,
        /// What is wrong there.
        what: &'static str,
    },
    /// A text that is no locator of this vault's.
    #[error("`{text}` is not a locator of the vault")]
    BadLocator {
        /// The text.
        text: String,
    },
    /// More bytes than a frame, or than the caller's limit, may have.
    #[error("{length} bytes are more than the limit of {limit}: nothing was done")]
    TooLarge {
        /// How many there are.
        length: u64,
        /// How many there may be.
        limit: u64,
    },
    /// The blob was recreatable and was pruned, or its file was removed.
    #[error("`{file}` of session `{session}` is not there: what it kept was pruned or removed")]
    Gone {
        /// The session.
        session: SessionId,
        /// The file's name.
        file: String,
    },
    /// A pin root that can't be used.
    #[error("`{}` can't hold pins: {why}", path.display())]
    BadPinRoot {
        /// The directory.
        path: PathBuf,
        /// Why not.
        why: &'static str,
    },
    /// A flush failed earlier: what was written since the last good one may be lost in a power cut.
    #[error(
        "an earlier flush of session `{session}` failed: what was written since may not survive a power cut"
    )]
    FlushFailed {
        /// The session.
        session: SessionId,
    },
}

/// What the vault's functions return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether there was no room on the file system, in the quota, or below the process's file size limit.
    #[must_use]
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::DiskFull { .. })
    }

    pub(crate) fn io(doing: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.into(), source.into());
        let full = [
            io::ErrorKind::StorageFull,
            io::ErrorKind::QuotaExceeded,
            io::ErrorKind::FileTooLarge,
        ];
        if full.contains(&source.kind()) {
            return Self::DiskFull { path, source };
        }
        Self::Io { doing, path, source }
    }
}
