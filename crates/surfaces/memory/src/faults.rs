//! What goes wrong, and when. Time is counted in instants: the points at which a real process could die.

use crate::Edit;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What goes wrong. Cleared by [`crate::World::restart`], but for what is unreachable.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Instants since the last restart.
    pub instants: u64,
    /// The instant at which the process dies: every call fails from there on.
    pub crash_at: Option<u64>,
    /// Whether it died.
    pub dead: bool,
    /// Records that can't be reached.
    pub unreachable: BTreeSet<String>,
    /// What other people do, by the instant at which they do it.
    pub others: BTreeMap<u64, Vec<Edit>>,
}

impl Faults {
    /// One instant passes.
    ///
    /// # Errors
    /// The process is dead.
    pub(crate) fn pass(&mut self) -> io::Result<Vec<Edit>> {
        self.instants += 1;
        self.dead |= self.crash_at == Some(self.instants);
        if self.dead {
            return Err(io::Error::other("the process died"));
        }
        Ok(self.others.remove(&self.instants).unwrap_or_default())
    }
}
