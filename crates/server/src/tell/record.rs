//! What the ledger says happened, told from where it was told to: also what happened while no server ran, and what was done by
//! commands beside this one.

use super::messages::{self, Called, Lifted};
use crate::app::App;
use rescind_index::{DomainSet, Events, Index};
use rescind_ledger::Cursor;
use rescind_model::Timestamp;
use rescind_notify::{Message, Outbox, OutboxError};
use rescind_supervisor::entry::{Entry, EntryKind};
use rescind_supervisor::holds::ClosedForm;
use rescind_supervisor::now;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// After so long nobody is about to say what came of a kill.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// How often it is kept how far it went where nothing was told.
const KEEP: Duration = Duration::from_secs(10);

/// The ledger, followed.
pub struct Record {
    cursor: Cursor,
    /// The entry that comes next.
    next: u64,
    /// What is kept of that, and since when.
    kept: u64,
    kept_at: Instant,
    /// Kills that were called, and of which it is not said yet what came of them: the entry, and what it says.
    called: BTreeMap<u64, Called>,
}

/// Why it can't be gone on with just now.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The ledger.
    #[error("the ledger can't be read")]
    Ledger(#[from] rescind_ledger::Error),
    /// A record behind an entry.
    #[error("the record can't be read")]
    Index(#[from] rescind_index::Error),
    /// What is to be told.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

impl Record {
    /// From where it was told to; from its end where nobody was ever told, or where this is another ledger.
    ///
    /// # Errors
    /// The ledger or the outbox can't be read.
    pub fn open(app: &App, outbox: &Outbox) -> Result<Self, RecordError> {
        let end = app.store.ledger().len()?;
        let reached = outbox.reached()?.filter(|reached| *reached <= end);
        let next = reached.unwrap_or(end);
        if reached.is_none() {
            outbox.reach(end)?;
        }
        Ok(Self {
            cursor: app.store.ledger().cursor(next)?,
            next,
            kept: next,
            kept_at: Instant::now(),
            called: BTreeMap::new(),
        })
    }

    /// Tell what is new.
    ///
    /// # Errors
    /// Something can't be read or kept: it is tried again from the same entry.
    pub fn follow(&mut self, app: &App, outbox: &Outbox) -> Result<(), RecordError> {
        let mut told = false;
        while !app.is_ending() {
            let Some((seq, bytes)) = self.cursor.advance()? else {
                break;
            };
            match self.tell(app, outbox, seq, &bytes) {
                Ok(new) => told |= new,
                Err(error) => {
                    // Back to it: what can't be read or kept now may be soon.
                    self.cursor = app.store.ledger().cursor(seq)?;
                    return Err(error);
                }
            }
            self.next = seq + 1;
        }
        told |= self.give_up(app, outbox)?;
        self.keep(outbox, told)
    }

    /// Keep how far it went: not beyond a kill of which something is still to be told.
    fn keep(&mut self, outbox: &Outbox, told: bool) -> Result<(), RecordError> {
        let reached = self.called.keys().next().copied().unwrap_or(self.next);
        let due = told || self.kept_at.elapsed() >= KEEP;
        if due && reached != self.kept {
            outbox.reach(reached)?;
            (self.kept, self.kept_at) = (reached, Instant::now());
        }
        Ok(())
    }

    /// Keep it, as nothing more is told from here.
    ///
    /// # Errors
    /// The outbox can't be written: some entries are read again later.
    pub fn end(&mut self, outbox: &Outbox) -> Result<(), RecordError> {
        self.keep(outbox, true)
    }

    /// Kills that nobody will say more of.
    fn give_up(&mut self, app: &App, outbox: &Outbox) -> Result<bool, RecordError> {
        let mut told = false;
        while let Some(first) = self.called.first_entry() {
            let at = first.get().at.parse::<Timestamp>().unwrap_or(Timestamp(0));
            let age = u64::try_from(now().0.saturating_sub(at.0)).unwrap_or(0);
            if Duration::from_nanos(age) < ANSWERED_WITHIN {
                break;
            }
            outbox.put(&messages::stop_called(app, first.get(), None))?;
            first.remove();
            told = true;
        }
        Ok(told)
    }

    /// Whether an entry was something to tell.
    fn tell(&mut self, app: &App, outbox: &Outbox, seq: u64, bytes: &[u8]) -> Result<bool, RecordError> {
        let Some(message) = self.message(app, seq, bytes)? else {
            return Ok(false);
        };
        match outbox.put(&message) {
            Ok(_) => Ok(true),
            // Trying again would not mend it.
            Err(OutboxError::Message { source }) => {
                tracing::error!(
                    error = rescind_model::chain(&source),
                    seq,
                    "nobody is told of this"
                );
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    fn message(&mut self, app: &App, seq: u64, bytes: &[u8]) -> Result<Option<Message>, RecordError> {
        // What a later release writes, nobody here can tell of.
        let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else {
            return Ok(None);
        };
        Ok(match entry.kind {
            EntryKind::ActionDecided => decided(app, seq, &entry)?,
            EntryKind::UndoReceipt => undone(app, seq)?,
            EntryKind::KillCalled => self.called(app, seq, &entry),
            EntryKind::KillAnswered => self.answered(app, &entry),
            EntryKind::KillLifted => {
                let form = note::<Lifted>(&entry);
                form.map(|form| messages::lifted(app, seq, &entry.time, &form))
            }
            _ => None,
        })
    }

    fn called(&mut self, app: &App, seq: u64, entry: &Entry) -> Option<Message> {
        if let Some(called) = note::<Called>(entry) {
            self.called.insert(seq, called);
            return None;
        }
        let lost = note::<Value>(entry).and_then(|note| note.get("unrecorded").and_then(Value::as_u64));
        lost.map(|number| messages::unrecorded(app, seq, &entry.time, number))
    }

    fn answered(&mut self, app: &App, entry: &Entry) -> Option<Message> {
        let answer = note::<Answered>(entry)?;
        let mut pending = self.called.iter();
        let (seq, called) = pending.find(|(_, called)| called.id == answer.stop)?;
        let message = messages::stop_called(app, called, answer.sessions.map(|sessions| sessions.len()));
        let seq = *seq;
        self.called.remove(&seq);
        Some(message)
    }
}

/// What is read of `kill.answered`.
#[derive(Deserialize)]
struct Answered {
    stop: u64,
    #[serde(default)]
    sessions: Option<Vec<Value>>,
}

fn note<T: serde::de::DeserializeOwned>(entry: &Entry) -> Option<T> {
    entry
        .note
        .as_ref()
        .and_then(|note| serde_json::from_str(note).ok())
}

/// The event of an entry, with its record.
fn event(app: &App, seq: u64) -> Result<Option<rescind_index::Event>, RecordError> {
    Ok(Events::from(&app.store, seq)?.next()?)
}

fn decided(app: &App, seq: u64, entry: &Entry) -> Result<Option<Message>, RecordError> {
    let (Some(action), Some(event)) = (&entry.action, event(app, seq)?) else {
        return Ok(None);
    };
    let body = event.body.as_ref().and_then(|body| body.get("closed"));
    let by_record = body.and_then(|closed| serde_json::from_value::<ClosedForm>(closed.clone()).ok());
    // Erased content leaves only that it was decided.
    let Some(closed) = by_record.or_else(|| app.holds.closed(action)) else {
        return Ok(None);
    };
    if let Ok(Some(hold)) = app.holds.read(action) {
        return Ok(Some(messages::decided(app, &hold, &closed)));
    }
    let row = looked_up(app, |index| match action.parse() {
        Ok(id) => index.action(&id, &DomainSet::Everything),
        Err(_) => Ok(None),
    });
    let row = row.as_ref().map(|detail| &detail.action);
    Ok(Some(messages::decided_by_record(
        app, action, &event, row, &closed,
    )))
}

fn undone(app: &App, seq: u64) -> Result<Option<Message>, RecordError> {
    let Some(event) = event(app, seq)? else {
        return Ok(None);
    };
    let everything = DomainSet::Everything;
    let session = looked_up(app, |index| index.session(&event.session, &everything));
    let first = session.as_ref().and_then(|row| row.undoes.first());
    let undos = first.and_then(|first| looked_up(app, |index| index.undos(first, &everything).map(Some)));
    let undo = undos.iter().flatten().find(|row| row.undo == event.session);
    Ok(Some(messages::undone(app, &event, session.as_ref(), undo)))
}

/// What people look at, brought up to the record. Where it can't be, less is told, and not nothing.
fn looked_up<T>(app: &App, ask: impl FnOnce(&Index) -> rescind_index::Result<Option<T>>) -> Option<T> {
    let found = app.index.follow().and_then(|_| ask(&app.index));
    found.unwrap_or_else(|error| {
        tracing::warn!(
            error = rescind_model::chain(&error),
            "a message says less than it could"
        );
        None
    })
}
