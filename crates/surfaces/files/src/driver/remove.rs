//! Taking away what the session made.

use super::folders::Opened;
use super::index::numbered;
use super::make::Temporary;
use super::replace::rename;
use super::{Stop, Undoing, crash};
use crate::cell::Cell;
use crate::object::Kind;
use crate::read::{self, Look};
use crate::state;
use rescind_model::State;
use rescind_supervisor::{Bodies, Intents, Restored, Step};
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::io;

impl Undoing {
    /// Bring a cell to `Absent`.
    pub(crate) fn remove(
        &mut self,
        cell: &Cell,
        step: &Step,
        bodies: &dyn Bodies,
        intents: &mut dyn Intents,
    ) -> Result<Restored, Stop> {
        let Some(folder) = self.find(cell)? else {
            return Ok(Restored::Already);
        };
        let Some(look) = read::look(folder.fd(), cell.name())? else {
            return self.gone_already(cell, step, intents);
        };
        let now = self.read_real(cell, Some(&step.expected))?;
        if !now.exists() {
            return Ok(Restored::Already);
        }
        let now = match self.accepted(cell, &now, &step.expected)? {
            Some(now) => now,
            None => return Ok(Restored::Drifted { now }),
        };
        if let Some(own) = numbered(cell, &now)
            && let Some(taker) = self.waiting_taker(cell, &own)?
        {
            let name = String::from_utf8_lossy(&taker.name).into_owned();
            let why = format!("it belongs back at `{name}`, where it could not be brought");
            return Ok(Restored::Kept { why });
        }
        let captured = self.capture(cell, &now, bodies)?;
        let in_passing = self.parked.contains_key(cell);
        let before = if in_passing {
            step.expected.clone()
        } else {
            captured
        };
        let (resource, name) = (&step.resource, &step.name);
        intents
            .intend(resource, name, &before, &State::Absent)
            .map_err(Stop::NotRecorded)?;
        let object = numbered(cell, &now);
        self.within(cell, |undoing, folder| {
            if look.kind == Kind::Dir {
                undoing.remove_folder(cell, folder, &look)
            } else {
                undoing.remove_file(cell, folder, &look)
            }
        })?;
        if let Some((session, object)) = object
            && (look.kind == Kind::Dir || look.nlink <= 1)
        {
            self.forget_object(&session, object)?;
        }
        Ok(Restored::Done { left: State::Absent })
    }

    /// Nothing is there: either it is done, or we took it away in passing, which nobody has been told.
    fn gone_already(
        &mut self,
        cell: &Cell,
        step: &Step,
        intents: &mut dyn Intents,
    ) -> Result<Restored, Stop> {
        if step.expected.exists() && self.is_parked(cell, None) {
            let (resource, name) = (&step.resource, &step.name);
            intents
                .intend(resource, name, &step.expected, &State::Absent)
                .map_err(Stop::NotRecorded)?;
            return Ok(Restored::Done { left: State::Absent });
        }
        Ok(Restored::Already)
    }

    /// Out of its place first, then a look at what it is, then gone: whatever somebody put there meanwhile goes back.
    pub(crate) fn remove_file(&mut self, cell: &Cell, folder: &Opened, found: &Look) -> Result<(), Stop> {
        let out = Temporary::of(cell).out_name(found);
        match rename(folder, cell.name(), &out, RenameFlags::NOREPLACE) {
            Err(Errno::NOENT) => return self.drifted(cell),
            other => other?,
        }
        if read::look(folder.fd(), &out)?.is_some_and(|look| look.unchanged_since(found)) {
            rustix::fs::unlinkat(folder.fd(), &out, AtFlags::empty())?;
            crash::point();
            return Ok(());
        }
        match rename(folder, &out, cell.name(), RenameFlags::NOREPLACE) {
            Ok(()) => self.drifted(cell),
            Err(Errno::EXIST) => {
                let place = out.to_string_lossy();
                let why = format!(
                    "it was replaced twice while it was looked at; one version was left as `{place}`"
                );
                Err(io::Error::other(why).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn remove_folder(&mut self, cell: &Cell, folder: &Opened, found: &Look) -> Result<(), Stop> {
        let now = read::look(folder.fd(), cell.name())?;
        if now.is_none_or(|now| now.identity != found.identity) {
            return self.drifted(cell);
        }
        match rustix::fs::unlinkat(folder.fd(), cell.name(), AtFlags::REMOVEDIR) {
            Ok(()) => {
                crash::point();
                Ok(())
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                let why = "it holds what others have put into it".to_owned();
                Err(Stop::ended(Restored::Kept { why }))
            }
            Err(Errno::NOENT | Errno::NOTDIR) => self.drifted(cell),
            Err(error) => Err(error.into()),
        }
    }

    /// Another cell that is to have this object, if none of those that are has it yet, and none is left from which it can
    /// be brought.
    pub(crate) fn waiting_taker(&mut self, cell: &Cell, own: &super::Numbered) -> Result<Option<Cell>, Stop> {
        let takers = self.index.wanted(own).map(|planned| planned.cell.clone());
        let takers: Vec<Cell> = takers.filter(|taker| taker != cell).collect();
        let others = self.index.found(own).map(|planned| planned.cell.clone());
        let others: Vec<Cell> = others.filter(|other| other != cell).collect();
        for taker in takers.iter().chain(&others) {
            let there = match self.find(taker)? {
                Some(folder) => read::look(folder.fd(), taker.name())?,
                None => None,
            };
            if there.is_some_and(|there| self.number(&taker.session, &there.identity) == Some(own.1)) {
                return Ok(None);
            }
        }
        Ok(takers.into_iter().next())
    }

    /// The state to work from, if what was found is what the plan expected, or what this undo itself has put there on
    /// its way elsewhere.
    pub(crate) fn accepted(
        &mut self,
        cell: &Cell,
        now: &State,
        expected: &State,
    ) -> Result<Option<State>, Stop> {
        if state::undisturbed(now, expected).same(expected) {
            // With the bodies that were kept for it.
            return Ok(Some(if now.exists() {
                expected_object(now, expected)
            } else {
                now.clone()
            }));
        }
        let own = numbered(cell, now).filter(|own| self.is_parked(cell, Some(own.1)));
        let (Some(own), Some(folder)) = (own, self.find(cell)?) else {
            return Ok(None);
        };
        let planned = self.index.found(&own).map(|planned| planned.found.clone());
        let planned: Vec<State> = planned.collect();
        let half_written = self.writing.contains_key(&own);
        for was in &planned {
            let now = if half_written {
                now.clone()
            } else {
                self.full(&folder, cell, Some(was))?
            };
            if state::undisturbed(&now, was).same(was) {
                return Ok(Some(expected_object(&now, was)));
            }
        }
        // Nothing is known of how it was found: that it is on its way elsewhere is enough, as it is saved.
        Ok(planned.is_empty().then(|| now.clone()))
    }
}

/// What is known of `now`: `expected` and its bodies, but the object that is really there.
fn expected_object(now: &State, expected: &State) -> State {
    let (State::Present(fields), Some(found)) = (expected, now.fields()) else {
        return expected.clone();
    };
    let mut fields = fields.clone();
    match found.object(state::OBJECT) {
        Some(object) => fields.set(state::OBJECT, rescind_model::Value::Object(object)),
        None => _ = fields.remove(state::OBJECT),
    }
    State::Present(fields)
}
