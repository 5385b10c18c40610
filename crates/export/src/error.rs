//! What can go wrong.

use std::path::PathBuf;
use std::sync::Arc;

/// Why an export stopped. The ledger is as it was; what was flushed before stays exported.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExportError {
    /// The ledger can't be read or signed.
    #[error("the ledger can't be exported: nothing was changed in it")]
    Ledger(#[from] Arc<rescind_ledger::Error>),
    /// The ledger has fewer entries than asked for, or than were exported already.
    #[error(
        "the ledger has {length} entries, and {wanted} were to be there: it was rolled back, or the export is one of another ledger"
    )]
    Short {
        /// How many there are.
        length: u64,
        /// How many there should be.
        wanted: u64,
    },
    /// What was exported is not in the ledger that is there now.
    #[error(
        "the entries up to {to} that were exported are not those that the ledger signed: it was changed since, or the export is one of another ledger"
    )]
    NotTheSame {
        /// Up to which.
        to: u64,
    },
    /// Events and entries don't come in step.
    #[error("entry {found} came where {wanted} is due; what was exported before stays")]
    Order {
        /// The one that is due.
        wanted: u64,
        /// The one that came.
        found: u64,
    },
    /// The resume point can't be used.
    #[error("the resume point `{}` can't be used: {what}; nothing was exported", path.display())]
    Point {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file can't be written.
    #[error("could not {doing} `{}`; what was flushed before stays", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// The system's word.
        source: Arc<std::io::Error>,
    },
    /// A receiver did not take it.
    #[error("`{url}` did not take {what}: {why}; it is sent again from the resume point")]
    Refused {
        /// The receiver.
        url: String,
        /// What was sent.
        what: String,
        /// Its word.
        why: String,
    },
    /// A proof shows nothing.
    #[error("this is no proof of an export: {what}")]
    Proof {
        /// What is wrong.
        what: String,
    },
    /// A key is no key, or something is not signed by it.
    #[error("the proof shows nothing")]
    Note(#[from] rescind_ledger::NoteError),
}

impl From<rescind_ledger::Error> for ExportError {
    fn from(error: rescind_ledger::Error) -> Self {
        Self::Ledger(Arc::new(error))
    }
}

impl ExportError {
    pub(crate) fn io(doing: &'static str, path: &std::path::Path) -> impl Fn(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io {
            doing,
            path: path.clone(),
            source: Arc::new(source),
        }
    }
}
