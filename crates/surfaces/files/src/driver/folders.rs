//! Open folders, and what is done around each change in them.

use super::{Numbered, Stop, Undoing, crash};
use crate::cell::Cell;
use crate::object::{Folder, Kind, Place};
use crate::read::{self, Look};
use rescind_model::{ObjectId, SessionId};
use rustix::fs::Mode;
use std::collections::{HashMap, HashSet};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// How many folders are kept open.
const OPEN: usize = 16;

/// An open folder (`O_PATH`), known to be the one that is meant.
#[derive(Debug)]
pub(crate) struct Opened {
    descriptor: OwnedFd,
    /// What it was when it was opened.
    pub(crate) look: Look,
    /// Whether new entries inherit an ACL.
    pub(crate) inherits: bool,
}

/// Folders that are open, the one used last at the end, and the time of change that we left in each.
#[derive(Debug, Default)]
pub(crate) struct Folders {
    open: Vec<(Numbered, Arc<Opened>)>,
    /// While a plan is being made, folders that were found to be gone: every entry that was in them is read.
    absent: Option<HashSet<Numbered>>,
    times: HashMap<Numbered, Times>,
}

/// Times of change of a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// After our last change in it.
    pub(crate) own: i64,
    /// Somebody else changed it while we worked in it.
    pub(crate) foreign: bool,
}

impl Opened {
    pub(crate) fn new(descriptor: OwnedFd) -> io::Result<Self> {
        let look = read::look_at(descriptor.as_fd())?;
        let mut inherits = false;
        let seen = |name: &[u8], _: &[u8]| inherits |= name == b"system.posix_acl_default";
        read::xattrs_of(descriptor.as_fd(), seen)?;
        Ok(Self {
            descriptor,
            look,
            inherits,
        })
    }

    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }

    /// Set its mode, whatever its path has become.
    pub(crate) fn set_mode(&self, mode: u32) -> io::Result<()> {
        let path = format!("/proc/self/fd/{}", self.descriptor.as_raw_fd());
        Ok(rustix::fs::chmod(path.as_str(), Mode::from_raw_mode(mode))?)
    }
}

impl Folders {
    pub(crate) fn forget(&mut self, folder: &Numbered) {
        self.open.retain(|(own, _)| own != folder);
        if let Some(absent) = &mut self.absent {
            absent.remove(folder);
        }
    }

    /// A new plan: others may have changed anything since the last.
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.absent = None;
        self.times.clear();
    }

    /// A plan begins to be made.
    pub(crate) fn planning(&mut self) {
        self.absent = Some(HashSet::new());
    }

    /// We have set the folder's own time of change.
    pub(crate) fn set_time(&mut self, folder: &Numbered, mtime: i64) {
        if let Some(times) = self.times.get_mut(folder) {
            times.own = mtime;
        }
    }

    pub(crate) fn times(&self, folder: &Numbered) -> Option<Times> {
        self.times.get(folder).copied()
    }

    fn get(&mut self, session: &SessionId, object: ObjectId) -> Option<Arc<Opened>> {
        let same = |((own, number), _): &(Numbered, _)| *number == object && own == session;
        let place = self.open.iter().rposition(same)?;
        if place + 1 < self.open.len() {
            let found = self.open.remove(place);
            self.open.push(found);
        }
        self.open.last().map(|(_, opened)| Arc::clone(opened))
    }

    fn put(&mut self, folder: Numbered, opened: &Arc<Opened>) {
        if self.open.len() >= OPEN {
            self.open.remove(0);
        }
        self.open.push((folder, Arc::clone(opened)));
    }
}

impl Undoing {
    /// The folder of a cell as it is now, to read in it. `None`: it is gone, and everything in it. A folder that
    /// somebody made in its place counts as it.
    pub(crate) fn find(&mut self, cell: &Cell) -> Result<Option<Arc<Opened>>, Stop> {
        let number = (cell.session.clone(), cell.folder);
        if self
            .folders
            .absent
            .as_ref()
            .is_some_and(|absent| absent.contains(&number))
        {
            return Ok(None);
        }
        let found = self.folder(&cell.session, cell.folder, false)?;
        if let (Some(absent), None) = (&mut self.folders.absent, &found) {
            absent.insert(number);
        }
        Ok(found)
    }

    /// The folder of a cell, to put something into it. A folder that somebody made in its place is bound to its number.
    pub(crate) fn enter(&mut self, cell: &Cell) -> Result<Arc<Opened>, Stop> {
        let found = self.folder(&cell.session, cell.folder, true)?;
        found.ok_or_else(|| {
            let why = "its folder is gone and is not brought back by this undo";
            Stop::Io(io::Error::new(io::ErrorKind::NotFound, why))
        })
    }

    fn folder(
        &mut self,
        session: &SessionId,
        object: ObjectId,
        bind: bool,
    ) -> Result<Option<Arc<Opened>>, Stop> {
        if let Some(opened) = self.folders.get(session, object) {
            return Ok(Some(opened));
        }
        let found = self.table(session)?.folder(object)?;
        let taken_away = matches!(found, Folder::Nowhere) && self.takes_away(session, object);
        let table = self.table(session)?;
        match found {
            Folder::Here(descriptor) => {
                let opened = Arc::new(Opened::new(descriptor)?);
                self.folders.put((session.clone(), object), &opened);
                Ok(Some(opened))
            }
            // Another folder of this session: what was in ours is gone.
            Folder::Other(_, look) if table.find(&look.identity).is_some() => Ok(None),
            Folder::Other(descriptor, look) => {
                if bind && let Some(mut record) = table.record(object) {
                    record.identity = look.identity;
                    record.gone = false;
                    self.note_object(record)?;
                }
                Ok(Some(Arc::new(Opened::new(descriptor)?)))
            }
            Folder::Nowhere if table.is_gone(object) => Ok(None),
            // Taken away by a step of this very plan, with all that was in it.
            Folder::Nowhere if taken_away => Ok(None),
            Folder::Nowhere => {
                let why = "its folder was moved or removed by somebody else";
                Err(Stop::Io(io::Error::new(io::ErrorKind::NotFound, why)))
            }
        }
    }

    /// Whether a step of the plan at hand takes a folder from its place and puts it nowhere else.
    fn takes_away(&self, session: &SessionId, folder: ObjectId) -> bool {
        let own = (session.clone(), folder);
        self.index.found(&own).next().is_some() && self.index.wanted(&own).next().is_none()
    }

    /// Do something in a folder: with its permissions widened for a while where they forbid it and are ours to
    /// change, and with an eye on its time of change.
    pub(crate) fn within<T>(
        &mut self,
        cell: &Cell,
        mut act: impl FnMut(&mut Self, &Arc<Opened>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let folder = self.enter(cell)?;
        let number = (cell.session.clone(), cell.folder);
        if self.inside.contains(&number) {
            return act(self, &folder);
        }
        let before = read::look_at(folder.fd())?.mtime;
        self.inside.push(number.clone());
        let result = self.widened(&folder, &number, act);
        self.inside.pop();
        self.touched(number, before, read::look_at(folder.fd())?.mtime);
        result
    }

    fn widened<T>(
        &mut self,
        folder: &Arc<Opened>,
        number: &Numbered,
        mut act: impl FnMut(&mut Self, &Arc<Opened>) -> Result<T, Stop>,
    ) -> Result<T, Stop> {
        let mut result = act(self, folder);
        let refused = matches!(&result, Err(stop) if stop.is(io::ErrorKind::PermissionDenied));
        if refused && self.euid != 0 && folder.look.uid == self.euid && folder.look.mode & 0o300 != 0o300 {
            let mode = read::look_at(folder.fd())?.mode;
            self.opened.insert(number.clone());
            folder.set_mode(mode | 0o300)?;
            crash::point();
            result = act(self, folder);
            folder.set_mode(mode)?;
        }
        result
    }

    /// Remember the time of change that our own change left in a folder.
    pub(crate) fn touched(&mut self, folder: Numbered, before: i64, after: i64) {
        if self.inside.contains(&folder) {
            return;
        }
        let times = self.folders.times.entry(folder).or_insert(Times {
            own: before,
            foreign: false,
        });
        times.foreign |= times.own != before;
        times.own = after;
    }

    /// The place of a cell, for the table.
    pub(crate) fn place(cell: &Cell) -> Place {
        Place::In(cell.folder, cell.name.clone())
    }

    /// Bind the object to an inode at a cell, noting it down where others may have to find it.
    pub(crate) fn bind(&mut self, cell: &Cell, object: ObjectId, look: &Look) -> Result<(), Stop> {
        let shared = self.index.is_shared(&(cell.session.clone(), object));
        let table = self.table(&cell.session)?;
        let known = table.identity(object) == Some(look.identity) && !table.is_gone(object);
        if known && table.place(object) == Some(&Self::place(cell)) {
            return Ok(());
        }
        if look.kind == Kind::Dir && known && table.path(object).is_some() {
            let record = table.record(object);
            let path = Self::path_in(table, cell);
            if record.as_ref().map(|record| &record.path) == path.as_ref() {
                return Ok(());
            }
        }
        table.bind(object, look.identity, look.kind, Self::place(cell));
        if look.kind == Kind::Dir || shared {
            let record = table.record(object);
            self.folders.forget(&(cell.session.clone(), object));
            if let Some(record) = record {
                self.notes
                    .note(&super::Note::Object(record))
                    .map_err(Stop::NotRecorded)?;
                crash::point();
            }
        }
        Ok(())
    }

    pub(crate) fn path_in(table: &crate::object::ObjectTable, cell: &Cell) -> Option<Vec<u8>> {
        let mut path = table.path(cell.folder)?;
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(&cell.name);
        Some(path)
    }
}
