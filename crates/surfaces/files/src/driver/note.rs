//! What the driver notes down about objects before it acts, besides the intents that every driver announces.

use super::{Stop, Undoing, crash};
use crate::cell::Cell;
use crate::object::ObjectRecord;
use rescind_model::{ObjectId, SessionId, State};
use std::fmt;
use std::io;

/// A change in what the driver knows, to be given to the driver that goes on after a crash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The object is bound to this inode at this path now, or is about to be moved there.
    Object(ObjectRecord),
    /// Two objects are about to change places.
    Exchanged {
        /// The session in whose numbers they are counted.
        session: SessionId,
        /// The one.
        one: ObjectId,
        /// The other.
        other: ObjectId,
    },
    /// The cell is about to hold something in passing that is on its way elsewhere. Of no use once the undo is over.
    Parked {
        /// The cell.
        cell: Cell,
        /// What it holds; `None`: nothing.
        object: Option<ObjectId>,
        /// What was found in it when the plan was made.
        found: State,
    },
    /// What the cell holds is there to stay now.
    Arrived {
        /// The cell.
        cell: Cell,
    },
    /// A file with several links is about to be written in place. Of no use once the undo is over.
    Writing {
        /// The session in whose numbers it is counted.
        session: SessionId,
        /// The file.
        object: ObjectId,
        /// Its state before, with its body kept.
        state: State,
    },
    /// It was written.
    Written {
        /// The session in whose numbers it is counted.
        session: SessionId,
        /// The file.
        object: ObjectId,
    },
}

/// What a cell holds in passing, and what was found in it when the plan was made.
#[derive(Debug, Clone)]
pub(crate) struct Parked {
    /// What was noted last, and the one before it: a note is written before the change. `None`: nothing.
    pub(crate) objects: [Option<ObjectId>; 2],
    pub(crate) found: State,
}

/// Where notes are written.
pub trait Notes: fmt::Debug {
    /// Write one note. Durable (level `process`) when it returns.
    ///
    /// # Errors
    /// It could not be written: what it is about is not done.
    fn note(&mut self, note: &Note) -> io::Result<()>;
}

impl Undoing {
    /// Whether a cell may hold this in passing.
    pub(crate) fn is_parked(&self, cell: &Cell, object: Option<ObjectId>) -> bool {
        self.parked
            .get(cell)
            .is_some_and(|parked| parked.objects.contains(&object))
    }

    /// Write a note down and take it in.
    pub(crate) fn note(&mut self, note: &Note) -> Result<(), Stop> {
        self.notes.note(note).map_err(Stop::NotRecorded)?;
        crash::point();
        self.learn(note);
        Ok(())
    }

    /// Write down where an object is and take it in.
    pub(crate) fn note_object(&mut self, record: ObjectRecord) -> Result<(), Stop> {
        self.note(&Note::Object(record))
    }

    pub(crate) fn learn(&mut self, note: &Note) {
        match note {
            Note::Object(record) => {
                self.folders.forget(&(record.session.clone(), record.object));
                if let Some(table) = self.tables.get_mut(&record.session) {
                    table.load(record);
                }
            }
            Note::Exchanged { session, one, other } => {
                if let Some(table) = self.tables.get_mut(session) {
                    table.exchanged(*one, *other);
                }
            }
            Note::Parked { cell, object, found } => {
                let before = self.parked.get(cell).map_or(*object, |parked| parked.objects[0]);
                let (objects, found) = ([*object, before], found.clone());
                self.parked.insert(cell.clone(), Parked { objects, found });
            }
            Note::Arrived { cell } => {
                self.parked.remove(cell);
            }
            Note::Writing {
                session,
                object,
                state,
            } => {
                self.writing.insert((session.clone(), *object), state.clone());
            }
            Note::Written { session, object } => {
                self.writing.remove(&(session.clone(), *object));
            }
        }
    }
}
