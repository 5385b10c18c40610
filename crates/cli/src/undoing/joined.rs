//! Several runs' objects under the numbers of the first of them, so that an undo that spans them has one plan.
//!
//! Each run numbers the inodes it sees for itself. What makes two numbers the same object is the inode's identity.

use super::{notes, objects};
use crate::error::{Code, Done, Failure};
use crate::history::History;
use rescind_files::{Cell, Note, ObjectRecord, ObjectTable, state};
use rescind_model::{Effect, ObjectId, ResourceId, SessionId, State, Surface, Value};
use rescind_supervisor::journal::{NoteForm, ObjectForm};
use rescind_supervisor::{Restored, SessionView, Step, StepEnd, Store, SystemRecord};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

/// The objects of several runs, numbered as the first of them does.
pub struct Joined {
    /// All objects, in the first run's numbers.
    pub table: ObjectTable,
    numbers: BTreeMap<SessionId, Numbers>,
    seen_by_others: BTreeSet<ObjectId>,
    last: u64,
}

/// What was joined for undos that span sessions: each is put together once.
#[derive(Default)]
pub struct Known(RefCell<HashMap<SessionId, Rc<Joined>>>);

/// How to read one run's numbers in another's.
#[derive(Debug, Clone)]
pub struct Numbers {
    from: SessionId,
    to: SessionId,
    /// The number in `to` for each in `from`; `None`: they are the same run's.
    objects: Option<HashMap<ObjectId, ObjectId>>,
}

impl Joined {
    /// Join the runs that an undo spans, as they were before it.
    ///
    /// # Errors
    /// One of them can't be read.
    pub fn of(store: &Store, spans: &[String], before: &SessionId, known: &Known) -> Done<Rc<Self>> {
        if let Some(joined) = known.0.borrow().get(before) {
            return Ok(Rc::clone(joined));
        }
        let damaged = |why: String| Failure::new(Code::JournalDamaged, format!("undo {before} {why}"));
        let mut histories = Vec::new();
        for span in spans {
            let id: SessionId = span
                .parse()
                .map_err(|_| damaged(format!("spans `{span}`, which is no session")))?;
            if id >= *before {
                return Err(damaged("spans a later session".to_owned()));
            }
            histories.push(History::load_before(store, &id, Some(before), known)?);
        }
        let joined = Rc::new(Self::new(store, &histories, known)?);
        known.0.borrow_mut().insert(before.clone(), Rc::clone(&joined));
        Ok(joined)
    }

    /// Join runs, given oldest first. What they and their undos saw is taken in, in order of time: an inode is to be known
    /// again before an undo makes the object anew.
    ///
    /// # Errors
    /// There are none, or what an earlier undo spanned can't be read.
    pub fn new(store: &Store, histories: &[History], known: &Known) -> Done<Self> {
        let first = histories.first();
        let host = first.and_then(|first| Some((first, first.root()?)));
        let (first, root) =
            host.ok_or_else(|| Failure::new(Code::NoSuchSession, "an undo spans at least one session"))?;
        let own = |form: &&ObjectForm| form.session == root.id.to_string();
        let noted = first.sessions.iter().flat_map(|view| &view.notes);
        let noted = noted.filter_map(|form| match form {
            NoteForm::Object(object) => Some(object),
            _ => None,
        });
        let mut joined = Self {
            table: ObjectTable::new(root.id.clone()),
            numbers: BTreeMap::new(),
            seen_by_others: BTreeSet::new(),
            last: root
                .objects
                .iter()
                .chain(noted)
                .filter(own)
                .map(|form| form.o)
                .max()
                .unwrap_or(0),
        };
        for run in histories.iter().filter_map(History::root) {
            let objects = if run.id == root.id {
                None
            } else {
                Some(numbered_before(store, first, run, known)?)
            };
            let numbers = Numbers {
                from: run.id.clone(),
                to: root.id.clone(),
                objects,
            };
            joined.numbers.insert(run.id.clone(), numbers);
        }
        let mut views: Vec<(&SessionView, &SessionView)> = Vec::new();
        for history in histories {
            let run = history.root().into_iter();
            views.extend(run.flat_map(|run| history.sessions.iter().map(move |view| (view, run))));
        }
        views.sort_by(|(one, _), (other, _)| one.id.cmp(&other.id));
        for (view, run) in views {
            joined.take_in(view, &run.id);
        }
        Ok(joined)
    }

    /// What a session of a run's history says of objects.
    fn take_in(&mut self, view: &SessionView, run: &SessionId) {
        let records = view.objects.iter().filter_map(objects::record).map(Note::Object);
        let lasting = view.notes.iter().filter(|form| !form.is_passing());
        for note in records.chain(lasting.filter_map(notes::note)) {
            match note {
                Note::Object(record) if record.session == *run => self.see(&record),
                other => {
                    let note = self.numbers.get(run).and_then(|numbers| numbers.note(&other));
                    if let Some(Note::Exchanged { one, other, .. }) = note {
                        self.table.exchanged(one, other);
                    }
                }
            }
        }
    }

    /// Take in what a run says of an object. An inode that is known has its number; another gets the next.
    fn see(&mut self, record: &ObjectRecord) {
        let Some(numbers) = self.numbers.get_mut(&record.session) else {
            return;
        };
        let object = match (numbers.object(record.object), self.table.find(&record.identity)) {
            (Some(object), _) => object,
            (None, Some(object)) => object,
            (None, None) => {
                self.last += 1;
                ObjectId(self.last)
            }
        };
        if let Some(objects) = &mut numbers.objects {
            objects.insert(record.object, object);
            self.seen_by_others.insert(object);
        }
        self.table.load(&ObjectRecord {
            session: numbers.to.clone(),
            object,
            ..record.clone()
        });
    }

    /// How to read a run's numbers in the first one's.
    ///
    /// # Errors
    /// It is none of these.
    pub fn numbers(&self, run: &SessionId) -> Done<&Numbers> {
        self.numbers.get(run).ok_or_else(|| {
            Failure::new(
                Code::NoSuchSession,
                format!("session {run} is none of those that the undo spans"),
            )
        })
    }

    /// What the first run's table does not say by itself: to be noted in the undo's journal, so that whoever reads the
    /// first run's history knows these objects, too.
    pub fn additions(&self) -> impl Iterator<Item = Note> {
        let records = self
            .seen_by_others
            .iter()
            .filter_map(|object| self.table.record(*object));
        records.map(Note::Object)
    }
}

/// The numbers that a run's objects have in the first one's history already, by an earlier undo that spanned both.
fn numbered_before(
    store: &Store,
    first: &History,
    run: &SessionView,
    known: &Known,
) -> Done<HashMap<ObjectId, ObjectId>> {
    let own = run.id.to_string();
    let host = first.root().map(|root| root.id.to_string());
    let spanned = first
        .sessions
        .iter()
        .find(|view| view.opened.spans.first() == host.as_ref() && view.opened.spans.contains(&own));
    let Some(undo) = spanned else {
        return Ok(HashMap::new());
    };
    let joined = Joined::of(store, &undo.opened.spans, &undo.id, known)?;
    Ok(joined.numbers(&run.id)?.objects.clone().unwrap_or_default())
}

impl Numbers {
    /// For undos that count in the numbers of a run that can't be read any more: what they took back is known, and
    /// nothing else.
    #[must_use]
    pub fn unknown(from: &SessionId, to: &SessionId) -> Self {
        Self {
            from: from.clone(),
            to: to.clone(),
            objects: Some(HashMap::new()),
        }
    }

    /// The other way round.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let turned = |objects: &HashMap<ObjectId, ObjectId>| {
            objects.iter().map(|(own, other)| (*other, *own)).collect()
        };
        Self {
            from: self.to.clone(),
            to: self.from.clone(),
            objects: self.objects.as_ref().map(turned),
        }
    }

    fn object(&self, object: ObjectId) -> Option<ObjectId> {
        match &self.objects {
            None => Some(object),
            Some(objects) => objects.get(&object).copied(),
        }
    }

    fn resource(&self, resource: &ResourceId) -> Option<ResourceId> {
        if resource.surface != Surface::Files || self.objects.is_none() {
            return Some(resource.clone());
        }
        let cell = Cell::parse(resource)?;
        if cell.session != self.from {
            return None;
        }
        Some(Cell::new(&self.to, self.object(cell.folder)?, &cell.name).resource())
    }

    /// A state in the other numbers. An object that the other run never saw has none there.
    fn state(&self, own: &State) -> State {
        let (State::Present(fields), true) = (own, self.objects.is_some()) else {
            return own.clone();
        };
        let mut fields = fields.clone();
        if let Some(object) = fields.object(state::OBJECT) {
            fields.remove(state::OBJECT);
            if let Some(object) = self.object(object) {
                fields.set(state::OBJECT.to_owned(), Value::Object(object));
            }
        }
        if let Some(folder) = fields.int(state::FOLDER) {
            fields.remove(state::FOLDER);
            if let Some(folder) = self.object(ObjectId(folder.cast_unsigned())) {
                fields.set(state::FOLDER.to_owned(), Value::Int(folder.0.cast_signed()));
            }
        }
        State::Present(fields)
    }

    /// An effect in the other numbers; `None`: it is on a folder that the other run never saw.
    pub fn effect(&self, effect: &Effect) -> Option<Effect> {
        Some(Effect {
            resource: self.resource(&effect.resource)?,
            before: self.state(&effect.before),
            after: self.state(&effect.after),
            ..effect.clone()
        })
    }

    fn step(&self, step: &Step) -> Option<Step> {
        Some(Step {
            resource: self.resource(&step.resource)?,
            name: step.name.clone(),
            expected: self.state(&step.expected),
            target: self.state(&step.target),
        })
    }

    /// A record of an undo in the other numbers. A step on what the other run never saw keeps its name, so that what it
    /// took back is known all the same.
    pub fn record(&self, record: &SystemRecord) -> Option<SystemRecord> {
        Some(match record {
            SystemRecord::Disturbs { action, step } => SystemRecord::Disturbs {
                action: action.clone(),
                step: self.step(step)?,
            },
            SystemRecord::StepStarted {
                action,
                resource,
                name,
                took,
                whole,
            } => SystemRecord::StepStarted {
                action: action.clone(),
                resource: self.resource(resource).unwrap_or_else(|| resource.clone()),
                name: name.clone(),
                took: took.clone(),
                whole: *whole,
            },
            SystemRecord::Intent { effect } => SystemRecord::Intent {
                effect: self.effect(effect).unwrap_or_else(|| effect.clone()),
            },
            SystemRecord::StepEnded { action, end } => SystemRecord::StepEnded {
                action: action.clone(),
                end: match end {
                    StepEnd::Ended(Restored::Done { left }) => StepEnd::Ended(Restored::Done {
                        left: self.state(left),
                    }),
                    StepEnd::Ended(Restored::Drifted { now }) => {
                        StepEnd::Ended(Restored::Drifted { now: self.state(now) })
                    }
                    other => other.clone(),
                },
            },
            other => other.clone(),
        })
    }

    fn note(&self, note: &Note) -> Option<Note> {
        Some(match note {
            Note::Object(record) if record.session == self.from => Note::Object(ObjectRecord {
                session: self.to.clone(),
                object: self.object(record.object)?,
                ..record.clone()
            }),
            Note::Exchanged { session, one, other } if *session == self.from => Note::Exchanged {
                session: self.to.clone(),
                one: self.object(*one)?,
                other: self.object(*other)?,
            },
            _ => return None,
        })
    }

    /// An undo's session in the other numbers, as one of `undone`.
    #[must_use]
    pub fn view(&self, mut view: SessionView, undone: &str) -> SessionView {
        view.opened.undoes = Some(undone.to_owned());
        view.system = view
            .system
            .iter()
            .filter_map(|record| self.record(record))
            .collect();
        let lasting = view.notes.iter().filter_map(notes::note);
        view.notes = lasting
            .filter_map(|note| self.note(&note))
            .map(|note| notes::form(&note))
            .collect();
        view
    }
}
