//! Objects that live elsewhere: found there, and moved or linked back.

use super::aside::is_temporary;
use super::change::Job;
use super::folders::Opened;
use super::index::{Planned, numbered};
use super::{Note, Numbered, Stop, Undoing, crash};
use crate::cell::Cell;
use crate::object::{Kind, ObjectRecord, Place};
use crate::read::{self, Look};
use crate::state;
use crate::state::object;
use rescind_model::{ObjectId, State};
use rescind_supervisor::{Intents, Restored};
use rustix::fs::{AtFlags, RenameFlags};
use std::io;
use std::sync::Arc;

/// Where the object that a cell should have is now.
#[derive(Debug)]
pub(crate) enum Source {
    /// Nowhere: it has to be made again.
    None,
    /// In a cell from which the plan takes it away.
    Move(Found),
    /// In a cell that keeps it: the cell gets a link to it.
    Link(Found),
}

/// An object found in another cell.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) cell: Cell,
    pub(crate) folder: Arc<Opened>,
    pub(crate) look: Look,
}

impl Found {
    /// Whether it was set aside: it is in no cell, but on its way to one.
    pub(crate) fn is_aside(&self) -> bool {
        is_temporary(&self.cell.name)
    }
}

impl Undoing {
    /// Look for the object that `target` is of, other than in `cell` itself.
    pub(crate) fn source(&mut self, cell: &Cell, target: &State) -> Result<Source, Stop> {
        let Some(wanted) = numbered(cell, target) else {
            return Ok(Source::None);
        };
        let table = self.table(&cell.session)?;
        if table.is_gone(wanted.1) {
            return Ok(Source::None);
        }
        let last = table.place(wanted.1).cloned();
        let last = last.and_then(|place| self.cell_of(cell, &place));
        let mut places: Vec<Cell> = last.into_iter().collect();
        places.extend(self.index.found(&wanted).map(|planned| planned.cell.clone()));
        places.extend(self.index.wanted(&wanted).map(|planned| planned.cell.clone()));
        places.extend(self.parked_in(&wanted));
        places.extend(self.seen_at.get(&wanted).into_iter().flatten().cloned());
        for place in places {
            if place == *cell {
                continue;
            }
            if let Some(found) = self.found_in(&place, wanted.1)? {
                return self.way(cell, &wanted, found);
            }
        }
        Ok(Source::None)
    }

    /// Whether the object that `target` is of is to be found somewhere, with a body that is not known to be another.
    pub(crate) fn lives(&mut self, cell: &Cell, target: &State) -> bool {
        let length = state::content(target).map(|body| body.length);
        let own = object(target).filter(|own| self.is_parked(cell, Some(*own)));
        if let Some(own) = own
            && let Ok(Some(here)) = self.found_in(cell, own)
        {
            return length == Some(here.look.size);
        }
        let Ok(Source::Move(found) | Source::Link(found)) = self.source(cell, target) else {
            return false;
        };
        length == Some(found.look.size)
    }

    /// Move or link: it leaves a cell for which the plan has something else.
    fn way(&self, cell: &Cell, wanted: &Numbered, found: Found) -> Result<Source, Stop> {
        let planned = self.index.at(&found.cell).is_some();
        let leaves = found.is_aside() || (planned && !self.index.wants(&found.cell, wanted));
        if leaves {
            return Ok(Source::Move(found));
        }
        if found.look.kind != Kind::Dir {
            return Ok(Source::Link(found));
        }
        let place = String::from_utf8_lossy(&found.cell.name).into_owned();
        let name = String::from_utf8_lossy(&cell.name);
        let why = format!(
            "the folder that was `{name}` is `{place}` elsewhere now, which is not part of this undo"
        );
        Err(Stop::ended(Restored::Kept { why }))
    }

    fn parked_in(&self, wanted: &Numbered) -> Vec<Cell> {
        let here = self
            .parked
            .iter()
            .filter(|(cell, parked)| parked.objects.contains(&Some(wanted.1)) && cell.session == wanted.0);
        here.map(|(cell, _)| cell.clone()).collect()
    }

    fn cell_of(&self, near: &Cell, place: &Place) -> Option<Cell> {
        let table = self.tables.get(&near.session)?;
        match place {
            Place::In(folder, name) => Some(Cell::new(&near.session, *folder, name)),
            Place::Path(path) => {
                let slash = path.iter().rposition(|byte| *byte == b'/')?;
                let (folder, name) = path.split_at(slash);
                let folder = if folder.is_empty() { b"/" } else { folder };
                let folder = table.folder_at(folder)?;
                Some(Cell::new(&near.session, folder, name.get(1..)?))
            }
        }
    }

    fn found_in(&mut self, cell: &Cell, wanted: ObjectId) -> Result<Option<Found>, Stop> {
        // A folder that can't be found holds nothing that can be taken from it.
        let Ok(Some(folder)) = self.find(cell) else {
            return Ok(None);
        };
        let Some(look) = read::look(folder.fd(), cell.name())? else {
            return Ok(None);
        };
        if self.number(&cell.session, &look.identity) != Some(wanted) {
            return Ok(None);
        }
        let cell = cell.clone();
        Ok(Some(Found { cell, folder, look }))
    }

    /// Move the object found in another cell to `cell`, where there is nothing (`now` is absent) or something that
    /// goes to the other cell in exchange. Announces the change of the other cell, if that is then as it should be.
    pub(crate) fn bring_over(
        &mut self,
        cell: &Cell,
        folder: &Opened,
        now: (&State, Option<&Look>),
        from: &Found,
        intents: &mut dyn Intents,
    ) -> Result<(), Stop> {
        let (now, found) = now;
        self.before_move(cell, now, from, intents)?;
        let flags = if found.is_some() {
            RenameFlags::EXCHANGE
        } else {
            RenameFlags::NOREPLACE
        };
        let rename = || {
            rustix::fs::renameat_with(
                from.folder.fd(),
                from.cell.name(),
                folder.fd(),
                cell.name(),
                flags,
            )
        };
        let number = (from.cell.session.clone(), from.cell.folder);
        let before = read::look_at(from.folder.fd())?.mtime;
        rename()?;
        crash::point();
        let here = read::look(folder.fd(), cell.name())?;
        let there = read::look(from.folder.fd(), from.cell.name())?;
        let right = here.is_some_and(|here| here.identity == from.look.identity)
            && found.is_none_or(|found| there.is_some_and(|there| there.unchanged_since(found)));
        self.touched(number, before, read::look_at(from.folder.fd())?.mtime);
        if right {
            return self.after_move(cell, now, from);
        }
        // Somebody was faster: give back what came, and say what is here now.
        if found.is_some() {
            rename()?;
        } else {
            let back = (from.folder.fd(), from.cell.name());
            let noreplace = RenameFlags::NOREPLACE;
            rustix::fs::renameat_with(folder.fd(), cell.name(), back.0, back.1, noreplace)?;
        }
        let now = self.read(cell, None)?;
        Err(Stop::ended(Restored::Drifted { now }))
    }

    /// What comes from elsewhere is not yet as the cell should have it: note that it is there in passing until it is.
    pub(crate) fn note_passing(&mut self, job: &Job<'_>) -> Result<(), Stop> {
        let (cell, target) = (job.cell, &job.step.target);
        let Some(own) = numbered(cell, target) else {
            return Ok(());
        };
        let as_wanted = |found: &State| state::undisturbed(found, target).same(target);
        if self.index.found(&own).any(|planned| as_wanted(&planned.found)) {
            return Ok(());
        }
        self.note(&Note::Parked {
            cell: cell.clone(),
            object: Some(own.1),
            found: job.step.expected.clone(),
        })
    }

    /// Note and announce what the move does to the other cell, and where folders will be.
    fn before_move(
        &mut self,
        cell: &Cell,
        now: &State,
        from: &Found,
        intents: &mut dyn Intents,
    ) -> Result<(), Stop> {
        if let Some(planned) = self.index.at(&from.cell).cloned() {
            self.tell_of_leaving(&planned, now, intents)?;
        }
        let moved = self.number(&cell.session, &from.look.identity);
        if let Some(moved) = moved.filter(|_| from.look.kind == Kind::Dir) {
            self.note_place(cell, moved)?;
        }
        Ok(())
    }

    /// What a planned cell holds once its object has left: `now`.
    fn tell_of_leaving(
        &mut self,
        planned: &Planned,
        now: &State,
        intents: &mut dyn Intents,
    ) -> Result<(), Stop> {
        let step = &planned.step;
        if state::undisturbed(now, &step.target).same(&step.target) {
            let (resource, name) = (&step.resource, &step.name);
            return intents
                .intend(resource, name, &step.expected, &step.target)
                .map_err(Stop::NotRecorded);
        }
        self.note(&Note::Parked {
            cell: planned.cell.clone(),
            object: object(now),
            found: step.expected.clone(),
        })
    }

    fn note_place(&mut self, cell: &Cell, folder: ObjectId) -> Result<(), Stop> {
        let table = self.table(&cell.session)?;
        let (Some(record), Some(path)) = (table.record(folder), Self::path_in(table, cell)) else {
            return Ok(());
        };
        self.note_object(ObjectRecord { path, ..record })
    }

    fn after_move(&mut self, cell: &Cell, now: &State, from: &Found) -> Result<(), Stop> {
        let moved = self.number(&cell.session, &from.look.identity);
        let arrived = object(now);
        let table = self.table(&cell.session)?;
        if let Some(moved) = moved.filter(|_| from.look.kind != Kind::Dir) {
            table.moved(moved, Self::place(cell));
        }
        if let Some(arrived) = arrived
            && state::kind(now) != Some(Kind::Dir)
        {
            table.moved(arrived, Self::place(&from.cell));
        }
        Ok(())
    }

    /// Make a link under `name` to the object found in another cell; `NotFound` where it is not that any more.
    pub(crate) fn link_over(
        &self,
        folder: &Opened,
        name: &std::ffi::OsStr,
        from: &Found,
    ) -> Result<Look, Stop> {
        let there = (from.folder.fd(), from.cell.name());
        rustix::fs::linkat(there.0, there.1, folder.fd(), name, AtFlags::empty())?;
        crash::point();
        let look = read::look(folder.fd(), name)?;
        match look {
            Some(look) if look.identity == from.look.identity => Ok(look),
            _ => {
                super::make::discard(folder, name)?;
                Err(io::Error::new(io::ErrorKind::NotFound, "the other link was replaced").into())
            }
        }
    }
}
