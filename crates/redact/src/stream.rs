//! The streaming form: output in chunks of any size.

use crate::rules::{Kind, Rules, write_mark};
use crate::scan::{Scanner, Sink};
use std::collections::BTreeMap;

/// Redacts a stream. What it gives, put together, is what redacting the whole at once would have given.
///
/// Holds back at most [`crate::FORWARD`] bytes, or [`crate::BLOCK`] within a key block, and gives them as soon as
/// it is clear that no secret begins there: as a rule at the end of the next line.
#[derive(Debug)]
pub struct Stream {
    rules: Rules,
    scanner: Scanner,
    buffer: Vec<u8>,
    /// The position of the buffer's first byte in the stream.
    base: u64,
    out: Out,
}

#[derive(Debug, Default)]
struct Out {
    bytes: Vec<u8>,
    found: BTreeMap<Kind, u64>,
}

impl Stream {
    /// A stream that uses `rules`.
    #[must_use]
    pub fn new(rules: &Rules) -> Self {
        Self {
            rules: rules.clone(),
            scanner: Scanner::default(),
            buffer: Vec::new(),
            base: 0,
            out: Out::default(),
        }
    }

    /// Take `chunk` in, and give what is settled.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        self.buffer.extend_from_slice(chunk);
        let held = self.base + self.buffer.len() as u64;
        if held < self.scanner.wanted && !chunk.contains(&b'\n') {
            return Vec::new();
        }
        self.go_on(false)
    }

    /// The stream is at its end: give the rest.
    pub fn finish(&mut self) -> Vec<u8> {
        self.go_on(true)
    }

    /// How many secrets of which kind were replaced so far.
    #[must_use]
    pub fn found(&self) -> &BTreeMap<Kind, u64> {
        &self.out.found
    }

    fn go_on(&mut self, last: bool) -> Vec<u8> {
        self.scanner
            .advance(&self.rules, &self.buffer, self.base, last, &mut self.out);
        let done = (self.scanner.needed() - self.base) as usize;
        self.buffer.drain(..done.min(self.buffer.len()));
        self.base += done as u64;
        std::mem::take(&mut self.out.bytes)
    }
}

impl Sink for Out {
    fn plain(&mut self, _at: u64, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn secret(&mut self, _at: u64, kind: &Kind) {
        write_mark(kind, &mut self.bytes);
        *self.found.entry(kind.clone()).or_default() += 1;
    }
}
