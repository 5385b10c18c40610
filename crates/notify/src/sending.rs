//! What came of one try.

use std::time::Duration;

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// The receiver has it, and said so.
    Told,
    /// Not now: try again, not before the time the receiver asked for.
    Later {
        /// Why, without secrets.
        why: String,
        /// How long the receiver wants to be left alone.
        after: Option<Duration>,
    },
    /// Never: trying again would fail in the same way.
    Refused {
        /// Why, without secrets.
        why: String,
    },
}

impl Sent {
    pub(crate) fn later(why: impl Into<String>) -> Self {
        Self::Later {
            why: why.into(),
            after: None,
        }
    }
}
