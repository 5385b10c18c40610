//! What an undo came to besides its receipt, written before its end.

use serde::{Deserialize, Serialize};

/// The state that was aimed at and whether it is proved, and how the health checks went.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReachedForm {
    /// The state, where the undo was to lead to a certain one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetForm>,
    /// The health checks of the session's domain, in the order in which they ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckForm>,
}

/// The state after the last good action of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetForm {
    /// The last good action; absent: the state before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The first action that failed.
    pub failed: String,
    /// Whether everything was read back and is so.
    pub reached: bool,
}

/// How a health check went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckForm {
    /// What it is called.
    pub name: String,
    /// The domain it is for; absent: every session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// What it came to, in words.
    pub said: String,
}
