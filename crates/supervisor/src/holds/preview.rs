//! What an action names, as it was when a reviewer was shown it.

use rescind_model::Digest;
use serde::{Deserialize, Serialize};

/// What a command names, looked at before it runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PreviewForm {
    /// When, RFC 3339.
    pub at: String,
    /// The paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<PathForm>,
    /// How many more there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// The digest of all that was looked at.
    pub state: String,
}

/// A path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PathForm {
    /// From the root.
    pub path: String,
    /// `file`, `folder`, `link`, `device`, ..., `absent`, `unreadable`.
    pub kind: String,
    /// Bytes of it, or of all files below it.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes: u64,
    /// Files below a folder.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub files: u64,
    /// Folders below a folder.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub folders: u64,
    /// Whether there is more than was counted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
    /// Folders that could not be read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unread: u64,
    /// When it was changed last, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
    /// Where a link leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// How many files at or below it git tracks; absent outside of a repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tracked: Option<u64>,
    /// Whether a tracked file was changed since it was added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub changed: bool,
    /// Why it can't be captured, where it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
}

impl PreviewForm {
    /// What an approval is bound to, with a digest of all else that is shown.
    #[must_use]
    pub fn bind(&self, exact: &Digest) -> Digest {
        Digest::of(format!("{exact}\0{}", self.state).as_bytes())
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
