//! The notes of the files driver in the undo's journal.

use super::objects;
use rescind_files::{Cell, Note, Notes};
use rescind_model::{ObjectId, ResourceId, Surface};
use rescind_supervisor::SessionLog;
use rescind_supervisor::journal::{NoteForm, Record, StateForm, bytes_from_text, text_from_bytes};
use std::io;
use std::sync::{Arc, OnceLock};

/// Where the driver's notes go: nowhere while only a plan is made, then into the journal of the undo.
#[derive(Debug, Clone, Default)]
pub struct JournalNotes(Arc<OnceLock<Arc<SessionLog>>>);

impl JournalNotes {
    /// From now on into this journal.
    pub fn write_to(&self, log: Arc<SessionLog>) {
        let _set_once = self.0.set(log);
    }
}

impl Notes for JournalNotes {
    fn note(&mut self, note: &Note) -> io::Result<()> {
        let log = self
            .0
            .get()
            .ok_or_else(|| io::Error::other("nothing is noted while only a plan is made"))?;
        log.write(&[Record::Note(form(note))])
    }
}

/// The form of a note.
pub fn form(note: &Note) -> NoteForm {
    match note {
        Note::Object(record) => NoteForm::Object(objects::form(record)),
        Note::Exchanged { session, one, other } => NoteForm::Exchanged {
            session: session.to_string(),
            one: one.0,
            other: other.0,
        },
        Note::Parked { cell, object, found } => NoteForm::Parked {
            k: text_from_bytes(&cell.resource().key),
            o: object.map(|object| object.0),
            b: StateForm::from(found),
        },
        Note::Arrived { cell } => NoteForm::Arrived {
            k: text_from_bytes(&cell.resource().key),
        },
        Note::Writing {
            session,
            object,
            state,
        } => NoteForm::Writing {
            session: session.to_string(),
            o: object.0,
            b: StateForm::from(state),
        },
        Note::Written { session, object } => NoteForm::Written {
            session: session.to_string(),
            o: object.0,
        },
    }
}

/// The note that a form is of; `None` where it is none.
pub fn note(form: &NoteForm) -> Option<Note> {
    Some(match form {
        NoteForm::Object(object) => Note::Object(objects::record(object)?),
        NoteForm::Exchanged { session, one, other } => Note::Exchanged {
            session: session.parse().ok()?,
            one: ObjectId(*one),
            other: ObjectId(*other),
        },
        NoteForm::Parked { k, o, b } => Note::Parked {
            cell: cell(k)?,
            object: o.map(ObjectId),
            found: b.clone().into(),
        },
        NoteForm::Arrived { k } => Note::Arrived { cell: cell(k)? },
        NoteForm::Writing { session, o, b } => Note::Writing {
            session: session.parse().ok()?,
            object: ObjectId(*o),
            state: b.clone().into(),
        },
        NoteForm::Written { session, o } => Note::Written {
            session: session.parse().ok()?,
            object: ObjectId(*o),
        },
    })
}

fn cell(key: &str) -> Option<Cell> {
    Cell::parse(&ResourceId {
        surface: Surface::Files,
        key: bytes_from_text(key),
    })
}

#[cfg(test)]
mod tests {
    use super::{form, note};
    use rescind_files::{Cell, Identity, Kind, Note, ObjectRecord};
    use rescind_model::{Fields, ObjectId, SessionId, State, Value};
    use rescind_supervisor::journal::Record;

    #[test]
    fn every_note_survives_the_journal() {
        let session = SessionId::new(1_795_255_200_000, 7);
        let record = ObjectRecord {
            session: session.clone(),
            object: ObjectId(9),
            identity: Identity {
                dev: u64::MAX,
                ino: 3,
                btime: -1,
            },
            kind: Kind::Dir,
            path: b"/a\xff%b".to_vec(),
            gone: true,
        };
        let cell = Cell::new(&session, ObjectId(2), b"n\xfe");
        let state = State::Present(Fields::new().with("mode", Value::Int(0o644)));
        let notes = [
            Note::Object(record),
            Note::Exchanged {
                session: session.clone(),
                one: ObjectId(1),
                other: ObjectId(2),
            },
            Note::Parked {
                cell: cell.clone(),
                object: None,
                found: State::Absent,
            },
            Note::Parked {
                cell: cell.clone(),
                object: Some(ObjectId(4)),
                found: state.clone(),
            },
            Note::Arrived { cell },
            Note::Writing {
                session: session.clone(),
                object: ObjectId(5),
                state,
            },
            Note::Written {
                session,
                object: ObjectId(5),
            },
        ];
        for own in notes {
            let text = serde_json::to_string(&Record::Note(form(&own))).unwrap();
            let Record::Note(back) = serde_json::from_str(&text).unwrap() else {
                panic!("{text}")
            };
            assert_eq!(note(&back), Some(own), "{text}");
        }
    }
}
