//! The records of system sessions, in memory.

use crate::World;
use rescind_supervisor::{Recorder, SystemRecord};
use std::io;

/// The journal of a world. A process can die right before a record is written and right after: failed, yet stored.
#[derive(Debug, Clone, Copy)]
pub struct Journal<'a>(pub &'a World);

impl Journal<'_> {
    /// The records so far.
    #[must_use]
    pub fn records(&self) -> Vec<SystemRecord> {
        self.0.journal.borrow().clone()
    }
}

impl Recorder for Journal<'_> {
    fn record(&mut self, record: &SystemRecord) -> io::Result<()> {
        self.0.instant()?;
        self.0.journal.borrow_mut().push(record.clone());
        self.0.instant()
    }
}
