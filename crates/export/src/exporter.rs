//! An export at work: lines of events, and the trees that prove that none is missing.

use crate::point::{self, Point};
use crate::proof::{self, Head};
use crate::{ExportError, Form, Format, Source, Span};
use rescind_index::Event;
use rescind_ledger::Ledger;
use rescind_ledger::merkle::{Compact, leaf_hash};

/// What became of an entry.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// Its line, without the line's end; `None`: it has none (another session's, or it ends no span).
    pub line: Option<String>,
    /// The spans in that line, of a form that has them.
    pub spans: Vec<Span>,
    /// What the proof's file gets for it, lines' ends included.
    pub leaves: String,
}

/// An export from some entry on. It does no I/O but on the ledger.
#[derive(Debug)]
pub struct Exporter {
    form: Form,
    session: Option<String>,
    from: u64,
    before: Compact,
    tree: Compact,
    range: Compact,
    lines: Compact,
}

impl Exporter {
    /// An export of the entries from `from` on, of all sessions or of one. Hashes the entries before.
    ///
    /// # Errors
    /// The ledger has fewer, or can't be read.
    pub fn begin(
        ledger: &Ledger,
        format: Format,
        from: u64,
        session: Option<String>,
    ) -> Result<Self, ExportError> {
        let mut before = Compact::default();
        if from > 0 {
            for entry in ledger.cursor(0)? {
                before.push(leaf_hash(&entry?.1));
                if before.size() == from {
                    break;
                }
            }
        }
        if before.size() < from {
            return Err(ExportError::Short {
                length: before.size(),
                wanted: from,
            });
        }
        Ok(Self {
            form: Form::new(format, Source::of(ledger)),
            session,
            from,
            tree: before.clone(),
            before,
            range: Compact::default(),
            lines: Compact::default(),
        })
    }

    /// Go on where a resume point says. The events in [`Point::open`] are to be given to [`Exporter::recall`] first.
    ///
    /// # Errors
    /// The point is of another ledger, form or session, or the ledger has fewer entries than were exported.
    pub fn resume(
        ledger: &Ledger,
        format: Format,
        session: Option<String>,
        at: &Point,
        path: &std::path::Path,
    ) -> Result<Self, ExportError> {
        let source = Source::of(ledger);
        let fail = |what: String| ExportError::Point {
            path: path.to_owned(),
            what,
        };
        at.fits(&source.origin, format, session.as_deref())
            .map_err(fail)?;
        let length = ledger.len()?;
        if length < at.next {
            return Err(ExportError::Short {
                length,
                wanted: at.next,
            });
        }
        let grown = || {
            Some(Self {
                before: point::tree(at.from, &at.before)?,
                tree: point::tree(at.next, &at.tree)?,
                range: point::tree(at.next.checked_sub(at.from)?, &at.range)?,
                lines: point::tree(at.lines, &at.line_tree)?,
                form: Form::new(format, source.clone()),
                session: session.clone(),
                from: at.from,
            })
        };
        grown().ok_or_else(|| fail("its hashes are not those of its numbers".to_owned()))
    }

    /// The entry that is due.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.tree.size()
    }

    /// Whose record it is.
    #[must_use]
    pub fn source(&self) -> &Source {
        self.form.source()
    }

    /// The RFC 6962 root over exactly the entries that were exported, in base64.
    #[must_use]
    pub fn root(&self) -> String {
        point::text(&self.range.root())
    }

    /// How many lines there are so far.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines.size()
    }

    /// See an event again that began a span before the resume point.
    pub fn recall(&mut self, event: &Event) {
        self.form.recall(event);
    }

    /// Take the next event with its entry's bytes.
    ///
    /// # Errors
    /// [`ExportError::Order`] where it is not the one that is due.
    pub fn take(&mut self, event: &Event, entry: &[u8]) -> Result<Exported, ExportError> {
        let wanted = self.next();
        if event.seq != wanted {
            return Err(ExportError::Order {
                wanted,
                found: event.seq,
            });
        }
        let chosen = self
            .session
            .as_ref()
            .is_none_or(|session| *session == event.session);
        let line = match chosen {
            true => self.form.line(event, entry).map_err(|error| ExportError::Io {
                doing: "form an event for",
                path: self.form.format().name().into(),
                source: std::sync::Arc::new(error.into()),
            })?,
            false => None,
        };
        let (line, spans) = line.map_or((None, Vec::new()), |(line, spans)| (Some(line), spans));
        let leaf = leaf_hash(entry);
        self.tree.push(leaf);
        self.range.push(leaf);
        let mut leaves = format!("E {}\n", point::text(&leaf));
        if let Some(line) = &line {
            let leaf = leaf_hash(line.as_bytes());
            self.lines.push(leaf);
            leaves.push_str(&format!("L {}\n", point::text(&leaf)));
        }
        Ok(Exported { line, spans, leaves })
    }

    /// Where to go on. `bytes` and `proof_bytes` are the caller's.
    #[must_use]
    pub fn point(&self) -> Point {
        Point {
            v: 1,
            origin: self.form.source().origin.clone(),
            format: self.form.format().name().to_owned(),
            session: self.session.clone(),
            from: self.from,
            next: self.next(),
            lines: self.lines.size(),
            before: point::nodes(&self.before),
            tree: point::nodes(&self.tree),
            range: point::nodes(&self.range),
            line_tree: point::nodes(&self.lines),
            open: self.form.open(),
            bytes: None,
            proof_bytes: None,
        }
    }

    /// What proves the export up to here: a line for the proof's file, with its end. Signs a checkpoint, and compares
    /// with it what was exported, now and before a resume.
    ///
    /// # Errors
    /// [`ExportError::NotTheSame`], and as for signing.
    pub fn prove(&self, ledger: &Ledger) -> Result<String, ExportError> {
        let statement = proof::Statement {
            format: self.form.format().name().to_owned(),
            session: self.session.clone(),
            from: self.from,
            to: self.next(),
            root: self.range.root(),
            lines: self.lines.size(),
            lines_root: self.lines.root(),
            version: self.form.source().version.clone(),
        };
        let head = Head::make(ledger, &statement, &self.before, &self.tree)?;
        head.line()
    }
}
