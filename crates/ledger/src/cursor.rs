//! Reading entries in order.

use crate::chain::Position;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use std::collections::VecDeque;

/// A place in the ledger from which entries are read. At the end it can be asked again later: it follows the
/// ledger.
pub struct Cursor {
    ledger: Ledger,
    position: Position,
    buffer: Vec<u8>,
    ready: VecDeque<(u64, Vec<u8>)>,
    /// Entries below it are passed over.
    from: u64,
}

impl Cursor {
    pub(crate) fn open(ledger: &Ledger, from: u64) -> Result<Self> {
        let start = ledger.inner.log.chain().first().start();
        let position = ledger.inner.before(from).unwrap_or(start);
        let ready = VecDeque::new();
        let mut cursor = Self {
            ledger: ledger.clone(),
            position,
            buffer: Vec::new(),
            ready,
            from,
        };
        while cursor.position.index < from {
            if !cursor.fill()? {
                return Err(Error::NoEntry {
                    index: from,
                    length: cursor.position.index,
                });
            }
        }
        Ok(cursor)
    }

    /// The next entry with its index; `None`: there is none yet.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn advance(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        if self.ready.is_empty() {
            self.fill()?;
        }
        Ok(self.ready.pop_front())
    }

    /// Read some more entries; `false`: there are none.
    fn fill(&mut self) -> Result<bool> {
        let (from, ready) = (self.from, &mut self.ready);
        self.ledger
            .inner
            .log
            .read(&mut self.position, &mut self.buffer, |place, entry| {
                if place.index >= from {
                    ready.push_back((place.index, entry.to_vec()));
                }
            })
    }
}

impl Iterator for Cursor {
    type Item = Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
