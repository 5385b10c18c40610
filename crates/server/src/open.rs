//! What waits for a person, as pages and the API want it. Where the directory of holds can't be read, that is said in the log
//! and nothing is shown: what waits goes on waiting.

use crate::problem::Problem;
use rescind_index::DomainSet;
use rescind_model::chain;
use rescind_supervisor::Store;
use rescind_supervisor::holds::{Hold, HoldFilter, HoldList, OpenHolds};
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// The holds that wait.
pub struct Open(OpenHolds);

impl Open {
    /// Those of a store.
    #[must_use]
    pub fn new(store: &Store) -> Self {
        Self(OpenHolds::at(store.home().holds()))
    }

    /// How many wait that somebody may see.
    #[must_use]
    pub fn count(&self, domains: &DomainSet) -> u64 {
        self.0.count(domains).unwrap_or_else(|error| {
            unreadable(&error);
            0
        })
    }

    /// A page of them, oldest first, behind `after`.
    ///
    /// # Errors
    /// They can't be read.
    pub fn page(&self, filter: &HoldFilter, after: Option<&str>, limit: usize) -> Result<HoldList, Problem> {
        self.0
            .list(filter, after, limit)
            .map_err(|error| unreadable(&error))
    }

    /// One that waits.
    ///
    /// # Errors
    /// They can't be read.
    pub fn get(&self, action: &str) -> Result<Option<Arc<Hold>>, Problem> {
        self.0.get(action).map_err(|error| unreadable(&error))
    }

    /// Wait until they are others than those of this version, not longer than this. Their version then.
    ///
    /// # Errors
    /// They can't be read.
    pub fn wait(&self, seen: u64, timeout: Duration) -> io::Result<u64> {
        self.0.wait(seen, timeout)
    }
}

fn unreadable(error: &io::Error) -> Problem {
    tracing::error!(error = chain(&error), "the holds can't be read");
    Problem::inner("what waits can't be read just now")
}
