//! Verifying a ledger from its directory alone, with the public key. The tests' oracle, and `rescind verify`.
//!
//! Never writes, never fails, never stops at the first fault: what is wrong goes into the report, with its
//! place.

mod entries;
mod signatures;

use crate::merkle::Hash;
use std::fmt;
use std::path::Path;

/// Something in the ledger that is not as it should be, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file, relative to what was verified; or `since`, or a mirror.
    pub file: String,
    /// The byte in the file, where it is known.
    pub offset: Option<u64>,
    /// The index of the entry, or the first of those, that it is about.
    pub entry: Option<u64>,
    /// What is wrong, a sentence.
    pub what: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The ledger's name.
    pub origin: Option<String>,
    /// How many entries there are.
    pub entries: u64,
    /// How many of them the current checkpoint covers.
    pub signed: u64,
    /// The root over all entries, as computed.
    pub root: Option<Hash>,
    /// What shows that something was changed, is missing or can't be believed. Empty: the ledger is sound.
    pub faults: Vec<Fault>,
    /// What a crash or a stopped process leaves behind, what was not checked, and why it does no harm.
    pub notes: Vec<Fault>,
}

/// What to hold the ledger against, besides itself.
#[derive(Debug, Clone, Default)]
pub struct Against<'a> {
    /// A checkpoint that was saved earlier: its text.
    pub since: Option<&'a str>,
    /// The public key (a vkey), if it is known from elsewhere.
    pub key: Option<&'a str>,
    /// Mirrors, directories or URLs, besides those that the ledger lists itself.
    pub mirrors: Vec<String>,
}

impl Fault {
    pub(crate) fn at(file: &str, offset: Option<u64>, entry: Option<u64>, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            offset,
            entry,
            what: what.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        if let Some(entry) = self.entry {
            write!(f, ", entry {entry}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Report {
    /// Whether nothing contradicts the ledger.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }

    /// How many entries rest on no signature yet.
    #[must_use]
    pub fn beyond(&self) -> u64 {
        self.entries.saturating_sub(self.signed)
    }

    pub(crate) fn fault(
        &mut self,
        file: &str,
        offset: Option<u64>,
        entry: Option<u64>,
        what: impl Into<String>,
    ) {
        self.faults.push(Fault::at(file, offset, entry, what));
    }

    pub(crate) fn note(
        &mut self,
        file: &str,
        offset: Option<u64>,
        entry: Option<u64>,
        what: impl Into<String>,
    ) {
        self.notes.push(Fault::at(file, offset, entry, what));
    }
}

/// Verify the ledger in `dir`. Others may append meanwhile.
#[must_use]
pub fn verify(dir: &Path, against: &Against<'_>) -> Report {
    const TRIES: u32 = 4;
    let mut report = Report::default();
    for _ in 0..TRIES {
        report = Report::default();
        let Some(signed) = signatures::collect(dir, against, &mut report) else {
            return report;
        };
        let settled = entries::walk(dir, &signed, &mut report);
        // A segment that another process has begun meanwhile cuts off what was read last.
        if settled {
            break;
        }
    }
    report
}

impl crate::Ledger {
    /// Verify the ledger's directory: see [`verify`].
    #[must_use]
    pub fn verify(&self, since: Option<&str>) -> Report {
        verify(
            self.dir(),
            &Against {
                since,
                ..Against::default()
            },
        )
    }
}
