//! Checking an export against its proof, with the public key alone.

use super::{Head, KIND, Statement, continues};
use crate::ExportError;
use crate::jsonl::EntryForm;
use crate::point::{self, hash};
use rescind_index::Event;
use rescind_ledger::merkle::{Compact, Hash, leaf_hash};
use rescind_ledger::{Checkpoint, Verifier, open_statement};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::fmt;
use std::io::BufRead;

/// The longest line, in bytes.
const LONGEST: u64 = 64 << 20;

/// How many findings are told.
const MOST: usize = 1000;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The ledger's name.
    pub origin: String,
    /// The form of the export.
    pub format: String,
    /// The only session, where not all were exported: then that no entry of it is missing is the exporter's word, signed,
    /// and not arithmetic.
    pub session: Option<String>,
    /// The first entry.
    pub from: u64,
    /// The first one that is not exported.
    pub to: u64,
    /// How many lines there are to be.
    pub lines: u64,
    /// How many entries the ledger had when it signed.
    pub size: u64,
    /// What is wrong. Empty: the export holds every entry of the range, none dropped, changed or reordered.
    pub findings: Vec<Finding>,
}

/// Something wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the export, from 1.
    pub line: Option<u64>,
    /// The entry of the ledger.
    pub seq: Option<u64>,
    /// What.
    pub what: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.seq) {
            (Some(line), Some(seq)) => write!(f, "line {line}, entry {seq}: {}", self.what),
            (Some(line), None) => write!(f, "line {line}: {}", self.what),
            (None, Some(seq)) => write!(f, "entry {seq}: {}", self.what),
            (None, None) => f.write_str(self.what),
        }
    }
}

/// A proof's file, read.
struct Proof {
    head: Option<Head>,
    entries: Vec<Hash>,
    /// The hash of each line, and the entry it was made at, counted from the first.
    lines: Vec<(Hash, usize)>,
}

fn wrong(what: impl Into<String>) -> ExportError {
    ExportError::Proof { what: what.into() }
}

impl Proof {
    /// The last head counts, and the hashes before it. What follows belongs to an export that goes on.
    fn read(mut from: impl BufRead) -> Result<Self, ExportError> {
        let mut proof = Self {
            head: None,
            entries: Vec::new(),
            lines: Vec::new(),
        };
        let (mut entries, mut lines) = (0, 0);
        while let Some(line) = next_line(&mut from).map_err(|error| wrong(error.to_string()))? {
            let line = String::from_utf8(line).map_err(|_| wrong("it is not UTF-8"))?;
            match line.split_at_checked(2) {
                Some(("E ", leaf)) => {
                    let leaf = hash(leaf).ok_or_else(|| wrong("one of its lines is no hash"))?;
                    proof.entries.push(leaf);
                }
                Some(("L ", leaf)) => {
                    let leaf = hash(leaf).ok_or_else(|| wrong("one of its lines is no hash"))?;
                    proof.lines.push((leaf, proof.entries.len().saturating_sub(1)));
                }
                Some(("H ", head)) => {
                    let head: Head = serde_json::from_str(head).map_err(|error| wrong(error.to_string()))?;
                    proof.head = Some(head);
                    (entries, lines) = (proof.entries.len(), proof.lines.len());
                }
                _ => return Err(wrong("one of its lines is neither E, L nor H")),
            }
        }
        proof.entries.truncate(entries);
        proof.lines.truncate(lines);
        Ok(proof)
    }

    /// Hold the hashes against what was signed.
    fn verify(&self, key: &Verifier) -> Result<(Statement, Checkpoint), ExportError> {
        let head = self
            .head
            .as_ref()
            .ok_or_else(|| wrong("nothing in it is signed"))?;
        let checkpoint = Checkpoint::open(head.checkpoint.as_bytes(), key)?;
        let statement = open_statement(head.statement.as_bytes(), key, KIND)?;
        let statement =
            Statement::parse(&statement).ok_or_else(|| wrong("its statement has another form"))?;
        let mut tree = point::tree(statement.from, &head.before)
            .ok_or_else(|| wrong("the tree before its first entry has another form"))?;
        let (mut range, mut lines) = (Compact::default(), Compact::default());
        for leaf in &self.entries {
            tree.push(*leaf);
            range.push(*leaf);
        }
        for (leaf, _) in &self.lines {
            lines.push(*leaf);
        }
        let path: Option<Vec<Hash>> = head.consistency.iter().map(|text| hash(text)).collect();
        let path = path.ok_or_else(|| wrong("its consistency proof has another form"))?;
        if tree.size() != statement.to || range.root() != statement.root {
            return Err(wrong(
                "its hashes of entries are not those that were signed: it was changed",
            ));
        }
        if lines.size() != statement.lines || lines.root() != statement.lines_root {
            return Err(wrong(
                "its hashes of lines are not those that were signed: it was changed",
            ));
        }
        if !continues(&tree, &path, checkpoint.size, &checkpoint.root) {
            return Err(wrong(
                "its entries are not those of the ledger that signed its checkpoint: it was put together of several",
            ));
        }
        Ok((statement, checkpoint))
    }
}

/// Check an export against its proof and the public key (a vkey): that it holds every entry of the range that the proof is
/// about, none dropped, changed or reordered. Needs no store.
///
/// # Errors
/// The proof itself shows nothing, or a file can't be read. What is wrong with the export is in [`Checked::findings`].
pub fn check(export: impl BufRead, proof: impl BufRead, vkey: &str) -> Result<Checked, ExportError> {
    let key: Verifier = vkey.trim().parse()?;
    let proof = Proof::read(proof)?;
    let (statement, checkpoint) = proof.verify(&key)?;
    let mut comparison = Comparison::new(&proof, &statement);
    comparison.read(export)?;
    Ok(Checked {
        origin: checkpoint.origin,
        session: statement.session.clone(),
        from: statement.from,
        to: statement.to,
        lines: statement.lines,
        size: checkpoint.size,
        findings: comparison.end(),
        format: statement.format,
    })
}

/// The export's lines against those of the proof.
struct Comparison<'a> {
    proof: &'a Proof,
    statement: &'a Statement,
    places: HashMap<Hash, usize>,
    /// Whether each line of the proof was seen, or stands for a changed one.
    seen: Vec<bool>,
    due: usize,
    /// Line, the entry it says it is about, and the place that was due.
    unknown: Vec<(u64, Option<u64>, usize)>,
    findings: Vec<Finding>,
}

impl<'a> Comparison<'a> {
    fn new(proof: &'a Proof, statement: &'a Statement) -> Self {
        Self {
            places: proof
                .lines
                .iter()
                .enumerate()
                .map(|(at, (leaf, _))| (*leaf, at))
                .collect(),
            seen: vec![false; proof.lines.len()],
            proof,
            statement,
            due: 0,
            unknown: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn find(&mut self, line: Option<u64>, seq: Option<u64>, what: &'static str) {
        if self.findings.len() < MOST {
            self.findings.push(Finding { line, seq, what });
        }
    }

    /// The entry that a line of the proof was made at.
    fn seq(&self, at: usize) -> Option<u64> {
        let (_, entry) = self.proof.lines.get(at)?;
        self.statement.from.checked_add(*entry as u64)
    }

    fn read(&mut self, mut export: impl BufRead) -> Result<(), ExportError> {
        let mut number = 0_u64;
        loop {
            let line = next_line(&mut export)
                .map_err(|error| wrong(format!("the export can't be read: {error}")))?;
            let Some(line) = line else { return Ok(()) };
            number = number.saturating_add(1);
            self.line(number, &line);
        }
    }

    fn line(&mut self, number: u64, line: &[u8]) {
        let leaf = leaf_hash(line);
        let Some(at) = self.places.get(&leaf).copied() else {
            self.unknown.push((number, claimed(line), self.due));
            // It stands where one is due that it may be a change of.
            self.due = self.due.saturating_add(1);
            return;
        };
        let seq = self.seq(at);
        match self.seen.get_mut(at) {
            Some(seen) if *seen => self.find(Some(number), seq, "this line is there twice"),
            Some(seen) => {
                *seen = true;
                if at < self.due && self.moved_back(at) {
                    self.find(
                        Some(number),
                        seq,
                        "this line was moved: it belongs before the one above it",
                    );
                }
                self.due = self.due.max(at.saturating_add(1));
            }
            None => {}
        }
        if self.statement.format == "jsonl" {
            self.arithmetic(number, at, line);
        }
    }

    /// Whether a later line was seen before this one.
    fn moved_back(&self, at: usize) -> bool {
        self.seen
            .get(at.saturating_add(1)..)
            .is_some_and(|later| later.contains(&true))
    }

    /// That the line holds the entry of the ledger, and says what it says: no word of the exporter's.
    fn arithmetic(&mut self, number: u64, at: usize, line: &[u8]) {
        let seq = self.seq(at);
        let entry = serde_json::from_slice::<EntryForm>(line)
            .ok()
            .and_then(|form| form.bytes());
        let event = serde_json::from_slice::<Event>(line).ok();
        let (Some(entry), Some(event)) = (entry, event) else {
            return self.find(Some(number), seq, "this line holds no entry of a ledger");
        };
        let leaf = self
            .proof
            .lines
            .get(at)
            .and_then(|(_, index)| self.proof.entries.get(*index));
        if leaf != Some(&leaf_hash(&entry)) || seq != Some(event.seq) {
            return self.find(
                Some(number),
                seq,
                "this line holds another entry than the ledger's",
            );
        }
        if !says(&event, &entry) {
            self.find(
                Some(number),
                seq,
                "this line says something else than the entry in it",
            );
        }
    }

    /// What is left over: lines that are no longer there, and lines that nobody exported.
    fn end(mut self) -> Vec<Finding> {
        for (number, claimed, due) in std::mem::take(&mut self.unknown) {
            let same = |at: &usize| self.seq(*at) == claimed && claimed.is_some();
            let missing = || {
                self.seen
                    .iter()
                    .enumerate()
                    .filter(|(_, seen)| !**seen)
                    .map(|(at, _)| at)
            };
            let at = missing().find(same).or_else(|| missing().find(|at| *at == due));
            match at {
                Some(at) => {
                    if let Some(seen) = self.seen.get_mut(at) {
                        *seen = true;
                    }
                    let seq = self.seq(at);
                    self.find(Some(number), seq, "this line was changed");
                }
                None => self.find(Some(number), None, "this line was not exported: it was added"),
            }
        }
        for at in 0..self.seen.len() {
            if self.seen.get(at) == Some(&false) {
                let seq = self.seq(at);
                self.find(None, seq, "its line is missing");
            }
        }
        self.findings
            .sort_by_key(|finding| (finding.line.is_none(), finding.line, finding.seq));
        self.findings
    }
}

/// The entry that a line says it is about, in any of the forms.
fn claimed(line: &[u8]) -> Option<u64> {
    let value: Value = serde_json::from_slice(line).ok()?;
    let id = value
        .get("id")
        .and_then(Value::as_str)
        .and_then(|id| id.parse().ok());
    let number = |value: &Value| value.as_u64();
    value
        .get("seq")
        .and_then(number)
        .or(id)
        .or_else(|| value.pointer("/metadata/sequence").and_then(number))
}

/// Whether the event says what the entry says, where both say something.
fn says(event: &Event, entry: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Entry {
        kind: String,
        time: String,
        session: String,
        action: Option<String>,
        body: Option<String>,
    }
    let Ok(entry) = serde_json::from_slice::<Entry>(entry) else {
        // Not of this version: there is nothing to compare.
        return true;
    };
    entry.kind == event.kind
        && entry.time == event.time
        && entry.session == event.session
        && entry.action == event.action
        && entry.body == event.digest
}

/// A line without its end; `None`: there is none any more.
fn next_line(from: &mut impl BufRead) -> std::io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let read = std::io::Read::take(&mut *from, LONGEST).read_until(b'\n', &mut line)?;
    if read == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Ok(Some(line))
}
