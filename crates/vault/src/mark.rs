//! Marks: what a ledger entry commits to.

use rescind_model::Digest;

/// What the first `length` bytes of a framed file of a session are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The file's name within the session: `journal`, `pack.000001`, `packr.000001`, ...
    pub file: String,
    /// How many bytes.
    pub length: u64,
    /// Their SHA-256.
    pub digest: Digest,
}
