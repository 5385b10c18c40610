//! What taking an action back would look like, and about how long it would take, by class.

use crate::Proposal;
use rescind_model::{Coverage, Reversibility, span};
use std::fmt;
use std::time::Duration;

/// The way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// What would be done, a sentence.
    pub path: &'static str,
    /// How long that is expected to take, from and to; `None` where there is no way back to wait for.
    pub time: Option<(Duration, Duration)>,
}

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// The way back from an action, by its class and what of it is captured. The times are what each class stands for
/// where nothing better is known; a catalog entry or a plan that has counted its steps says better.
#[must_use]
pub fn recovery(proposal: &Proposal) -> Recovery {
    let captured = !matches!(proposal.coverage, Coverage::NotCaptured(_));
    let (path, time) = match proposal.class {
        Some(Reversibility::TriviallyReversible) => (
            "nothing to restore, or the inverse command, which needs no saved state",
            Some((Duration::ZERO, SECOND)),
        ),
        Some(Reversibility::ReversibleWithState) if captured => (
            "`rescind undo` restores the snapshot and reads it back",
            Some((SECOND, MINUTE)),
        ),
        Some(Reversibility::ReversibleWithState) => (
            "it could be taken back with a snapshot, and there is none: by hand, from other sources",
            None,
        ),
        Some(Reversibility::ReversibleWithBackup) => (
            "restore from the backup; what was written since it was made is lost",
            Some((10 * MINUTE, 4 * HOUR)),
        ),
        Some(Reversibility::PartiallyReversible) => (
            "`rescind undo` for the part that was captured; the rest by hand",
            Some((MINUTE, DAY)),
        ),
        Some(Reversibility::Irreversible) => ("none: only the consequences can be dealt with", None),
        None if captured => (
            "`rescind undo` restores what was captured; what else it did is not known",
            Some((SECOND, HOUR)),
        ),
        None => ("not known: neither what it does nor a snapshot", None),
    };
    Recovery { path, time }
}

impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path)?;
        match self.time {
            Some((from, to)) => write!(f, " (expected {} to {})", span(from), span(to)),
            None => f.write_str(" (no expected time)"),
        }
    }
}
