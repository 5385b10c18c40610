//! The resource half: read a cell, merge it, bring it back.

mod aside;
mod attributes;
mod canonical;
mod capture;
mod change;
mod crash;
mod finish;
mod folders;
mod half;
mod index;
mod make;
mod merge;
mod moving;
mod note;
mod order;
mod remove;
mod replace;
mod stop;
#[cfg(test)]
mod tests;

pub use note::{Note, Notes};

use crate::cell::Cell;
use crate::object::{Identity, Kind, ObjectTable};
use crate::state::object;
use crate::{read, state};
use folders::{Folders, Opened};
use index::Index;
use rescind_model::{
    Effect, FieldMerge, Locator, Merged, ObjectId, ResourceId, SessionId, State, Surface, Value,
};
use rescind_supervisor::{Arranged, Bodies, Driver, DriverError, Intents, Permit, Restored, Step};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use stop::Stop;

/// The driver of the files surface, for the undo of one or several sessions.
///
/// It learns where objects are from the sessions' tables and from the notes of earlier undos, and from
/// [`Driver::arrange`], which is to be called before the first restore, with the steps that are left.
#[derive(Debug)]
pub struct FilesDriver {
    inner: Mutex<Undoing>,
}

/// An object of a session.
pub(crate) type Numbered = (SessionId, ObjectId);

#[derive(Debug)]
pub(crate) struct Undoing {
    tables: HashMap<SessionId, ObjectTable>,
    notes: Box<dyn Notes + Send>,
    folders: Folders,
    index: Index,
    /// Cells that hold something in passing, on its way elsewhere.
    parked: HashMap<Cell, note::Parked>,
    /// Files that are being written in place, each with its state before.
    writing: HashMap<Numbered, State>,
    /// Folders whose permissions were widened for a while.
    opened: HashSet<Numbered>,
    /// Folders that are being worked in.
    inside: Vec<Numbered>,
    /// Cells in which the effects have objects.
    seen_at: HashMap<Numbered, Vec<Cell>>,
    /// Where things were set aside.
    set_aside: Vec<Cell>,
    resumed: bool,
    euid: u32,
    egid: u32,
}

impl FilesDriver {
    /// A driver that knows the objects of these sessions, and what earlier undos noted, in the order of noting.
    #[must_use]
    pub fn new(
        tables: impl IntoIterator<Item = ObjectTable>,
        earlier: impl IntoIterator<Item = Note>,
        notes: Box<dyn Notes + Send>,
    ) -> Self {
        let tables = tables.into_iter().map(|table| (table.session().clone(), table));
        let mut undoing = Undoing {
            tables: tables.collect(),
            notes,
            folders: Folders::default(),
            index: Index::default(),
            parked: HashMap::new(),
            writing: HashMap::new(),
            opened: HashSet::new(),
            inside: Vec::new(),
            seen_at: HashMap::new(),
            set_aside: Vec::new(),
            resumed: false,
            euid: rustix::process::geteuid().as_raw(),
            egid: rustix::process::getegid().as_raw(),
        };
        for note in earlier {
            undoing.learn(&note);
        }
        Self {
            inner: Mutex::new(undoing),
        }
    }

    /// Tell it that an earlier undo was interrupted, so that [`Driver::finish`] looks for what that left under temporary
    /// names.
    #[must_use]
    pub fn resumed(self) -> Self {
        self.lock().resumed = true;
        self
    }

    /// Take in what was noted elsewhere: an object seen by a session that is still running.
    pub fn learn(&self, note: &Note) {
        self.lock().learn(note);
    }

    /// When what is in a cell was last changed in whatever way; where nothing is, its folder. Nanoseconds since the Unix
    /// epoch; `None` where neither can be looked at.
    #[must_use]
    pub fn changed_at(&self, resource: &ResourceId) -> Option<i64> {
        let cell = Cell::parse(resource)?;
        let folder = self.lock().find(&cell).ok()??;
        let look = read::look(folder.fd(), cell.name()).ok()?;
        let look = look.or_else(|| read::look_at(folder.fd()).ok());
        look.map(|look| look.ctime)
    }

    fn lock(&self) -> MutexGuard<'_, Undoing> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cell_of(resource: &ResourceId, name: &str) -> Result<Cell, DriverError> {
    Cell::parse(resource).ok_or_else(|| {
        let source = io::Error::new(
            io::ErrorKind::InvalidInput,
            "its key is none of the files surface",
        );
        Stop::Io(source).into_error(name)
    })
}

impl Driver for FilesDriver {
    fn surface(&self) -> Surface {
        Surface::Files
    }

    fn canonical(&self, effects: Vec<Effect>) -> Vec<Effect> {
        let mut undoing = self.lock();
        undoing.folders.planning();
        undoing.learn_places(&effects);
        undoing.learn_removed(&effects);
        undoing.learn_inodes(&effects);
        canonical::canonical(effects, |cell| undoing.parked.contains_key(cell))
    }

    fn read(&self, resource: &ResourceId, name: &str, hint: Option<&State>) -> Result<State, DriverError> {
        let cell = cell_of(resource, name)?;
        self.lock()
            .read(&cell, hint)
            .map_err(|stop| stop.into_error(name))
    }

    fn capture(
        &self,
        resource: &ResourceId,
        name: &str,
        now: &State,
        bodies: &dyn Bodies,
    ) -> Result<State, DriverError> {
        let cell = cell_of(resource, name)?;
        let captured = self.lock().capture(&cell, now, bodies);
        captured.map_err(|stop| stop.into_error(name))
    }

    fn can_bring(&self, resource: &ResourceId, target: &State, field: &str, bodies: &dyn Bodies) -> bool {
        let body = target.fields().and_then(|fields| fields.content(field));
        let held = body.is_some_and(|body| {
            body.length == 0 || body.kept.as_ref().is_some_and(|kept| bodies.holds(kept))
        });
        held || Cell::parse(resource).is_some_and(|cell| self.lock().lives(&cell, target))
    }

    fn load(
        &self,
        resource: &ResourceId,
        name: &str,
        field: &str,
        limit: u64,
    ) -> Result<Vec<u8>, DriverError> {
        let cell = cell_of(resource, name)?;
        let loaded = self.lock().load(&cell, field, limit);
        loaded.map_err(|stop| stop.into_error(name))
    }

    fn merge_field(
        &self,
        field: &str,
        before: Option<&Value>,
        after: Option<&Value>,
        now: Option<&Value>,
        bodies: &dyn Bodies,
    ) -> FieldMerge {
        merge::field(field, [before, after, now], bodies)
    }

    fn undisturbed(&self, now: &State, was: &State) -> State {
        state::undisturbed(now, was)
    }

    fn merge(&self, before: &State, after: &State, now: &State, bodies: &dyn Bodies) -> Merged {
        merge::states(before, after, now, bodies)
    }

    fn arrange(&self, steps: Vec<Step>) -> Arranged {
        self.lock().arrange(steps)
    }

    fn restore(
        &self,
        _permit: &Permit,
        step: &Step,
        bodies: &dyn Bodies,
        intents: &mut dyn Intents,
    ) -> Result<Restored, DriverError> {
        let cell = cell_of(&step.resource, &step.name)?;
        let ended = self.lock().restore(&cell, step, bodies, intents);
        match ended {
            Ok(restored) => Ok(restored),
            Err(stop) => stop.into_end(&step.name),
        }
    }

    fn finish(&self, _permit: &Permit, disturbed: &[Step]) -> Result<(), DriverError> {
        self.lock().finish(disturbed)
    }
}

impl Undoing {
    pub(crate) fn table(&mut self, session: &SessionId) -> Result<&mut ObjectTable, Stop> {
        self.tables.get_mut(session).ok_or_else(|| {
            let why = format!("the objects of session {session} are not known here");
            Stop::Io(io::Error::new(io::ErrorKind::NotFound, why))
        })
    }

    pub(crate) fn number(&self, session: &SessionId, identity: &Identity) -> Option<ObjectId> {
        self.tables.get(session)?.find(identity)
    }

    /// The state of a cell. What an interrupted undo left half done shows as what it was made from, and what is there
    /// in passing as what was found there.
    pub(crate) fn read(&mut self, cell: &Cell, hint: Option<&State>) -> Result<State, Stop> {
        let found = self.read_real(cell, hint)?;
        let here = object(&found);
        let parked = self.parked.get(cell).filter(|parked| {
            let known = here.is_some() || !found.exists();
            known && parked.objects.contains(&here)
        });
        Ok(parked.map_or(found, |parked| parked.found.clone()))
    }

    /// As [`Undoing::read`], but what is there in passing shows as what it is.
    pub(crate) fn read_real(&mut self, cell: &Cell, hint: Option<&State>) -> Result<State, Stop> {
        let Some(folder) = self.find(cell)? else {
            return Ok(State::Absent);
        };
        let found = self.full(&folder, cell, hint)?;
        if half::is_half_made(&found, hint) {
            return Ok(State::Absent);
        }
        let number = object(&found).map(|object| (cell.session.clone(), object));
        let half_written = number.and_then(|number| self.writing.get(&number));
        Ok(half_written.cloned().unwrap_or(found))
    }

    /// What is on disk.
    pub(crate) fn full(&self, folder: &Opened, cell: &Cell, hint: Option<&State>) -> Result<State, Stop> {
        let number = |identity: &Identity| self.number(&cell.session, identity);
        Ok(read::full(folder.fd(), cell.name(), hint, number)?)
    }

    fn load(&mut self, cell: &Cell, field: &str, limit: u64) -> Result<Vec<u8>, Stop> {
        let none = || io::Error::new(io::ErrorKind::NotFound, format!("it has no {field} now"));
        if field != state::CONTENT {
            return Err(Stop::Io(none()));
        }
        let folder = self.find(cell)?.ok_or_else(none)?;
        let look = read::look(folder.fd(), cell.name())?.ok_or_else(none)?;
        if look.kind != Kind::File {
            return Err(Stop::Io(none()));
        }
        let file = read::open_file(folder.fd(), cell.name(), &look)?;
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(file, limit.saturating_add(1)), &mut bytes)?;
        if bytes.len() as u64 > limit {
            let why = format!("its {field} is longer than {limit} bytes");
            return Err(Stop::Io(io::Error::new(io::ErrorKind::FileTooLarge, why)));
        }
        Ok(bytes)
    }
}

/// The body's locator, where the vault has it.
pub(crate) fn kept(state: &State) -> Option<&Locator> {
    state::content(state)?.kept.as_ref()
}
