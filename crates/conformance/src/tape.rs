//! A recorder in memory that can die.

use rescind_supervisor::{Recorder, SystemRecord};
use std::io;

/// Records of system sessions, in memory. After [`Tape::die_after`] records it fails for good: it stores one more record and
/// says that it failed, as a store does that dies between writing and answering.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// The records.
    pub records: Vec<SystemRecord>,
    left: Option<usize>,
}

impl Tape {
    /// A tape that goes on from these records.
    #[must_use]
    pub fn after(records: Vec<SystemRecord>) -> Self {
        Self { records, left: None }
    }

    /// Die after this many more records.
    pub fn die_after(&mut self, records: usize) {
        self.left = Some(records);
    }
}

impl Recorder for Tape {
    fn record(&mut self, record: &SystemRecord) -> io::Result<()> {
        let died = || io::Error::other("the recorder died");
        match &mut self.left {
            None => self.records.push(record.clone()),
            Some(usize::MAX) => return Err(died()),
            Some(left) => {
                self.records.push(record.clone());
                if *left == 0 {
                    *left = usize::MAX;
                    return Err(died());
                }
                *left -= 1;
            }
        }
        Ok(())
    }
}
