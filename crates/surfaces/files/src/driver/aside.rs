//! What is in the way of something else and must live on: out of the way first, under a temporary name next to its place.
//!
//! - A folder whose place something else is to have. What is in it goes in steps of its own, before or after.
//! - What belongs in another cell and is not there yet.
//!
//! From there it is brought to its cell by that cell's step. A folder that is wanted nowhere is dissolved when all steps
//! are done: what others have put into it goes into the folder that has its place now, and it goes itself.

use super::change::Job;
use super::finish::each_name;
use super::folders::Opened;
use super::index::numbered;
use super::make::{PREFIX, Temporary};
use super::replace::rename;
use super::{Note, Numbered, Stop, Undoing, crash};
use crate::cell::Cell;
use crate::object::{Kind, ObjectRecord};
use crate::read::{self, Look};
use rescind_model::{ObjectId, SessionId, State};
use rescind_supervisor::Restored;
use rustix::fs::{AtFlags, Mode, OFlags, RenameFlags, openat, renameat_with, unlinkat};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;

/// Whether a name in a folder is one of ours.
pub(crate) fn is_temporary(name: &[u8]) -> bool {
    name.starts_with(PREFIX)
}

fn last_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

impl Undoing {
    /// Whether what was found in a cell, which is to have something else, must live on.
    pub(crate) fn lives_on(&mut self, job: &Job<'_>, look: &Look, found: &State) -> Result<bool, Stop> {
        let Some(own) = numbered(job.cell, found) else {
            return Ok(false);
        };
        Ok(look.kind == Kind::Dir || self.waiting_taker(job.cell, &own)?.is_some())
    }

    /// The cell gets what it should have, after what is there has been set aside. The change is announced.
    pub(crate) fn in_its_place(
        &mut self,
        job: &mut Job<'_>,
        look: &Look,
        found: &State,
        place: impl FnOnce(&mut Self, &mut Job<'_>) -> Result<Restored, Stop>,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let aside = self.set_aside(job, look, found)?;
        match place(self, job) {
            Err(stop) => {
                self.put_back(cell, &aside, look, found)?;
                Err(stop)
            }
            placed => placed,
        }
    }

    /// Move what is in the cell out of the way. Whoever goes on after a crash knows from the notes where it is, and that
    /// the cell is empty in passing.
    fn set_aside(&mut self, job: &Job<'_>, look: &Look, found: &State) -> Result<OsString, Stop> {
        let cell = job.cell;
        let aside = Temporary::of(cell).aside_name(look);
        self.note(&Note::Parked {
            cell: cell.clone(),
            object: None,
            found: job.step.expected.clone(),
        })?;
        self.set_aside
            .push(Cell::new(&cell.session, cell.folder, aside.as_bytes()));
        let own = numbered(cell, found).map(|own| own.1);
        self.note_at(cell, own, look, aside.as_bytes())?;
        self.within(cell, |undoing, folder| {
            match rename(folder, cell.name(), &aside, RenameFlags::NOREPLACE) {
                Err(Errno::NOENT) => return undoing.drifted(cell),
                other => other?,
            }
            let out = read::look(folder.fd(), &aside)?;
            let same = |out: Look| match out.kind {
                Kind::Dir => out.identity == look.identity,
                _ => out.unchanged_since(look),
            };
            if out.is_some_and(same) {
                return Ok(());
            }
            rename(folder, &aside, cell.name(), RenameFlags::NOREPLACE)?;
            undoing.drifted(cell)
        })?;
        Ok(aside)
    }

    /// What should have the place could not be put there.
    fn put_back(&mut self, cell: &Cell, aside: &OsStr, look: &Look, found: &State) -> Result<(), Stop> {
        let back = self.within(cell, |_, folder| {
            Ok(rename(folder, aside, cell.name(), RenameFlags::NOREPLACE))
        })?;
        match back {
            Ok(()) => self.note_at(cell, numbered(cell, found).map(|own| own.1), look, &cell.name),
            // Somebody has put something else there: it stays where it is, and the end of the undo tells.
            Err(_) => Ok(()),
        }
    }

    /// Note that the object, which is this inode, is about to be under this name in the cell's folder.
    fn note_at(
        &mut self,
        cell: &Cell,
        object: Option<ObjectId>,
        look: &Look,
        name: &[u8],
    ) -> Result<(), Stop> {
        let place = Cell::new(&cell.session, cell.folder, name);
        let table = self.table(&cell.session)?;
        let record = object.and_then(|object| table.record(object));
        match (record, Self::path_in(table, &place)) {
            (Some(record), Some(path)) => self.note_object(ObjectRecord {
                path,
                identity: look.identity,
                gone: false,
                ..record
            }),
            _ => Ok(()),
        }
    }

    /// Whether a folder was set aside by an attempt before.
    pub(crate) fn is_aside(&self, (session, folder): &Numbered) -> bool {
        let path = self.tables.get(session).and_then(|table| table.path(*folder));
        path.is_some_and(|path| is_temporary(last_name(&path)))
    }

    /// Folders that were set aside and are wanted nowhere go, the deepest first.
    pub(crate) fn dissolve(&mut self) -> Result<(), Stop> {
        let mut aside: Vec<(Vec<u8>, Numbered)> = Vec::new();
        for (session, table) in &self.tables {
            let living = table
                .living_folders()
                .filter(|(path, _)| is_temporary(last_name(path)));
            aside.extend(living.map(|(path, object)| (path.clone(), (session.clone(), *object))));
        }
        aside.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
        let mut stopped = Ok(());
        for (path, own) in aside {
            if self.index.wanted(&own).next().is_some() {
                // Its step failed, and said so.
                continue;
            }
            let done = self.dissolve_one(&path, &own);
            stopped = stopped.and(done);
        }
        for place in std::mem::take(&mut self.set_aside) {
            let Some(folder) = self.find(&place)? else {
                continue;
            };
            if read::look(folder.fd(), place.name())?.is_some() && stopped.is_ok() {
                let place = self
                    .table(&place.session)
                    .ok()
                    .and_then(|table| Self::path_in(table, &place));
                let place = String::from_utf8_lossy(&place.unwrap_or_default()).into_owned();
                let why = format!(
                    "what was in the way could not be brought to its place; it was left as `{place}`"
                );
                stopped = Err(io::Error::other(why).into());
            }
        }
        stopped
    }

    fn dissolve_one(&mut self, path: &[u8], own: &Numbered) -> Result<(), Stop> {
        let name = last_name(path).to_vec();
        let above = path.get(..path.len() - name.len() - 1).unwrap_or_default();
        let table = self.table(&own.0)?;
        let Some(above) = table.folder_at(if above.is_empty() { b"/" } else { above }) else {
            return Ok(());
        };
        let place = Cell::new(&own.0, above, &name);
        let Some(folder) = self.find(&place)? else {
            return Ok(());
        };
        let there = read::look(folder.fd(), place.name())?;
        let is_it = there.is_some_and(|there| self.number(&own.0, &there.identity) == Some(own.1));
        if !is_it {
            return Ok(());
        }
        self.sweep(&Cell::new(&own.0, own.1, b""))?;
        let left = self.within(&place, |undoing, folder| {
            if undoing.remove_empty(&own.0, folder, place.name())? {
                return Ok(false);
            }
            let Some(successor) = Self::successor(&place, folder)? else {
                return Ok(true);
            };
            let (from, to) = (open_below(folder, place.name())?, open_below(folder, &successor)?);
            let moved = undoing.empty_into(&own.0, &from, &to)?;
            Ok(!moved || !undoing.remove_empty(&own.0, folder, place.name())?)
        })?;
        if !left {
            return Ok(());
        }
        let place = String::from_utf8_lossy(path);
        let why = format!(
            "others have put into it what has no place in what is there again; it was left as `{place}`"
        );
        Err(io::Error::new(io::ErrorKind::DirectoryNotEmpty, why).into())
    }

    /// The folder that is now in the cell for which another was set aside.
    fn successor(aside: &Cell, folder: &Opened) -> Result<Option<OsString>, Stop> {
        let mut found = None;
        each_name(folder, |name| {
            let cell = Cell::new(&aside.session, aside.folder, name);
            if Temporary::of(&cell).is_of(&aside.name) {
                found = Some(OsStr::from_bytes(name).to_owned());
            }
        })?;
        let Some(name) = found else { return Ok(None) };
        let look = read::look(folder.fd(), &name)?;
        Ok(look.filter(|look| look.kind == Kind::Dir).map(|_| name))
    }

    /// Remove a folder if there is nothing in it.
    fn remove_empty(&mut self, session: &SessionId, folder: &Opened, name: &OsStr) -> Result<bool, Stop> {
        let look = read::look(folder.fd(), name)?;
        match unlinkat(folder.fd(), name, AtFlags::REMOVEDIR) {
            Ok(()) => crash::point(),
            Err(Errno::NOTEMPTY | Errno::EXIST) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        if let Some(object) = look.and_then(|look| self.number(session, &look.identity)) {
            self.forget_object(session, object)?;
        }
        Ok(true)
    }

    /// Move everything that is in one folder into another; folders of the same name one into the other. Whether
    /// nothing was left.
    fn empty_into(&mut self, session: &SessionId, from: &Opened, to: &Opened) -> Result<bool, Stop> {
        let mut names = Vec::new();
        each_name(from, |name| names.push(OsStr::from_bytes(name).to_owned()))?;
        let before = read::look_at(to.fd())?.mtime;
        let mut all = true;
        for name in &names {
            match renameat_with(from.fd(), name, to.fd(), name, RenameFlags::NOREPLACE) {
                Ok(()) => crash::point(),
                Err(Errno::EXIST) => {
                    let folders = (open_below(from, name), open_below(to, name));
                    let (Ok(inner), Ok(target)) = folders else {
                        all = false;
                        continue;
                    };
                    all &= self.empty_into(session, &inner, &target)?
                        && self.remove_empty(session, from, name)?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(number) = self.number(session, &to.look.identity) {
            self.touched((session.clone(), number), before, read::look_at(to.fd())?.mtime);
        }
        Ok(all)
    }
}

fn open_below(folder: &Opened, name: &OsStr) -> Result<Opened, Stop> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(Opened::new(openat(folder.fd(), name, flags, Mode::empty())?)?)
}
