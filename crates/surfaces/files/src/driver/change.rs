//! One step: what a cell holds becomes what it should hold.

use super::attributes::Inode;
use super::folders::Opened;
use super::index::numbered;
use super::make::{Temporary, as_left, fillable, write_body};
use super::moving::Source;
use super::replace::rename;
use super::{Note, Stop, Undoing, crash, half, kept};
use crate::cell::Cell;
use crate::object::Kind;
use crate::read::{self, Look};
use crate::state;
use crate::state::object;
use rescind_model::{Fields, ObjectId, SessionId, State};
use rescind_supervisor::{Bodies, Intents, Restored, Step};
use rustix::fs::{Mode, OFlags, RenameFlags, openat};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsFd as _;

/// What a step is carried out with.
pub(crate) struct Job<'a> {
    pub(crate) cell: &'a Cell,
    pub(crate) step: &'a Step,
    pub(crate) bodies: &'a dyn Bodies,
    pub(crate) intents: &'a mut dyn Intents,
}

impl Job<'_> {
    fn intend(&mut self, before: &State) -> Result<(), Stop> {
        let step = self.step;
        self.intents
            .intend(&step.resource, &step.name, before, &step.target)
            .map_err(Stop::NotRecorded)
    }
}

impl Undoing {
    pub(crate) fn restore(
        &mut self,
        cell: &Cell,
        step: &Step,
        bodies: &dyn Bodies,
        intents: &mut dyn Intents,
    ) -> Result<Restored, Stop> {
        let restored = self.restore_cell(cell, step, bodies, intents)?;
        let came = object(&step.target).is_some_and(|own| self.is_parked(cell, Some(own)));
        if came && matches!(restored, Restored::Done { .. } | Restored::Already) {
            self.note(&Note::Arrived { cell: cell.clone() })?;
        }
        Ok(restored)
    }

    fn restore_cell(
        &mut self,
        cell: &Cell,
        step: &Step,
        bodies: &dyn Bodies,
        intents: &mut dyn Intents,
    ) -> Result<Restored, Stop> {
        let planned = self.index.at(cell);
        let found = planned.map_or(&step.expected, |planned| &planned.found);
        let ends = numbered(cell, found).filter(|_| state::kind(found) == Some(Kind::Dir));
        if let Some((session, folder)) = ends
            && object(&step.target) != Some(folder)
        {
            self.sweep(&Cell::new(&session, folder, b""))?;
        }
        let State::Present(target) = &step.target else {
            if self.find(cell)?.is_none() {
                // Its folder went, or became one from before, with an earlier step.
                return Ok(Restored::Already);
            }
            return self.remove(cell, step, bodies, intents);
        };
        if cell.is_folder_itself() {
            let why = "a folder is changed by the entry that it is, not by itself";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why).into());
        }
        let mut job = Job {
            cell,
            step,
            bodies,
            intents,
        };
        let mut announced = false;
        let came = object(&step.target).is_some_and(|own| self.is_parked(cell, Some(own)));
        if !step.expected.exists() && !came {
            match self.place_into(&mut job, target, &mut announced) {
                Err(stop) if stop.is(io::ErrorKind::AlreadyExists) => {}
                other => return other,
            }
        }
        self.change(&mut job, target)
    }

    /// Bring something into a cell in which there is nothing. `AlreadyExists`: there is.
    fn place_into(
        &mut self,
        job: &mut Job<'_>,
        target: &Fields,
        announced: &mut bool,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let source = self.source(cell, &job.step.target)?;
        let found = match &source {
            Source::None => None,
            Source::Move(found) | Source::Link(found) => Some(found),
        };
        let moves = matches!(source, Source::Move(_));
        let mut left = None;
        self.within(cell, |undoing, folder| {
            if !*announced {
                job.intend(&State::Absent)?;
                *announced = true;
            }
            left = Some(match found {
                Some(found) if moves => {
                    undoing.note_passing(job)?;
                    undoing.bring_over(cell, folder, (&State::Absent, None), found, job.intents)?;
                    undoing.touch_up(job, folder, target)?
                }
                Some(found) => {
                    undoing.note_passing(job)?;
                    let look = undoing.link_over(folder, cell.name(), found)?;
                    undoing.bind_to(job, &look)?;
                    undoing.touch_up(job, folder, target)?
                }
                None => undoing.place_made(job, folder, target)?,
            });
            Ok(())
        })?;
        Ok(Restored::Done {
            left: left.unwrap_or(State::Absent),
        })
    }

    /// Make it again: a file of plain bytes directly at its place, anything else complete before it gets its name.
    fn place_made(&mut self, job: &Job<'_>, folder: &Opened, target: &Fields) -> Result<State, Stop> {
        let cell = job.cell;
        let temporary = Temporary::of(cell).new_name();
        let is_file = state::kind_of(target) == Some(Kind::File);
        let shared = numbered(cell, &job.step.target).is_some_and(|own| self.index.is_shared(&own));
        if is_file && !shared && Self::is_plain(folder, target) {
            let pinned = Self::link_pin(folder, &temporary, target, job.bodies)?;
            if !pinned {
                let look = self.make_file(folder, cell.name(), target, job.bodies)?;
                self.bind_to(job, &look)?;
                return Ok(as_left(&job.step.target, &look));
            }
            super::make::finish_build(folder, &temporary, target)?;
        } else {
            let look = self.build(folder, &temporary, target, job.bodies)?;
            self.bind_shared(job, &look)?;
        }
        if let Err(error) = rename(folder, &temporary, cell.name(), RenameFlags::NOREPLACE) {
            super::make::discard(folder, &temporary)?;
            return Err(error.into());
        }
        // A rename has changed its ctime.
        let look = read::look(folder.fd(), cell.name())?.ok_or_else(not_found)?;
        self.bind_to(job, &look)?;
        Ok(as_left(&job.step.target, &look))
    }

    /// The cell holds something, or did when the plan was made.
    fn change(&mut self, job: &mut Job<'_>, target: &Fields) -> Result<Restored, Stop> {
        let cell = job.cell;
        let folder = self.enter(cell)?;
        // Looked at before it is read: if it is replaced in between, what is changed later is not what was looked at.
        let look = read::look(folder.fd(), cell.name())?;
        let mut now = self.read_real(cell, Some(&job.step.expected))?;
        let unread = |state: &State| state::content(state).is_some_and(|body| body.digest.is_none());
        let unknown = unread(&now) || unread(&job.step.target);
        if unknown && !state::undisturbed(&now, &job.step.target).same(&job.step.target) {
            // A body that was never read is known as the one it should be only by asking for that one.
            let wanted = self.read_real(cell, Some(&job.step.target))?;
            if state::undisturbed(&wanted, &job.step.target).same(&job.step.target) {
                now = wanted;
            }
        }
        let as_wanted = state::undisturbed(&now, &job.step.target).same(&job.step.target);
        // A folder whose time alone is to change is as it was found, too: that is told and done like any other change.
        let as_found = state::undisturbed(&now, &job.step.expected).same(&job.step.expected);
        if now.exists() && as_wanted && (now.same(&job.step.target) || !as_found) {
            return self.is_there(job, look);
        }
        let Some(look) = look.filter(|look| now.exists() || look.mode == half::MODE) else {
            if now.exists() {
                return Ok(Restored::Drifted { now });
            }
            // Nothing there: taken away by us in passing, or by somebody else.
            let ours = self.is_parked(cell, None);
            return if ours || !job.step.expected.exists() {
                self.place_absent(job, target, ours)
            } else {
                Ok(Restored::Drifted { now: State::Absent })
            };
        };
        if !now.exists() {
            return self.replace_half_made(job, &look, target);
        }
        let Some(found) = self.accepted(cell, &now, &job.step.expected)? else {
            return Ok(Restored::Drifted { now });
        };
        self.exchange(job, &look, &found, target)
    }

    /// It is as it should be already. Where we brought it here in passing, nobody has been told.
    fn is_there(&mut self, job: &mut Job<'_>, look: Option<Look>) -> Result<Restored, Stop> {
        if let Some(look) = &look {
            self.bind_to(job, look)?;
        }
        let ours = object(&job.step.target).is_some_and(|object| self.is_parked(job.cell, Some(object)));
        if !ours || job.step.expected.same(&job.step.target) {
            return Ok(Restored::Already);
        }
        job.intend(&job.step.expected)?;
        let left = match (look, state::content(&job.step.target)) {
            (Some(look), Some(_)) => as_left(&job.step.target, &look),
            _ => job.step.target.clone(),
        };
        Ok(Restored::Done { left })
    }

    /// Nothing is there; `ours`: as we took it away in passing, of which nobody has been told.
    fn place_absent(&mut self, job: &mut Job<'_>, target: &Fields, ours: bool) -> Result<Restored, Stop> {
        let cell = job.cell;
        if ours {
            let before = job.step.expected.clone();
            job.intend(&before)?;
        }
        match self.place_into(job, target, &mut { ours }) {
            Err(stop) if stop.is(io::ErrorKind::AlreadyExists) => self.drifted(cell),
            other => other,
        }
    }

    /// From what is there, known and ours to change, to the target.
    fn exchange(
        &mut self,
        job: &mut Job<'_>,
        look: &Look,
        found: &State,
        target: &Fields,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let wanted = object(&job.step.target);
        let same_inode = match (wanted, numbered(cell, found)) {
            // It may be any, but for one that belongs elsewhere.
            (None, Some(own)) => self.waiting_taker(cell, &own)?.is_none(),
            (wanted, own) => wanted.is_none() || wanted == own.map(|own| own.1),
        };
        if same_inode {
            return self.in_same_inode(job, look, found, target);
        }
        let source = self.source(cell, &job.step.target)?;
        let folders = look.kind == Kind::Dir && state::kind_of(target) == Some(Kind::Dir);
        let known = numbered(cell, found).is_some();
        let left = match source {
            _ if self.lives_on(job, look, found)? => {
                job.intend_captured(self, found)?;
                return self.in_its_place(job, look, found, |undoing, job| {
                    undoing.place_into(job, target, &mut true)
                });
            }
            // Places are changed only with what can be known again where it goes in passing.
            Source::Move(from) if from.is_aside() || (look.kind != Kind::Dir && !known) => {
                job.intend_captured(self, found)?;
                self.note(&Note::Parked {
                    cell: cell.clone(),
                    object: None,
                    found: job.step.expected.clone(),
                })?;
                self.within(cell, |undoing, folder| undoing.remove_file(cell, folder, look))?;
                return self.place_into(job, target, &mut true);
            }
            Source::Move(from) => {
                job.intend_captured(self, found)?;
                self.note_passing(job)?;
                self.within(cell, |undoing, folder| {
                    undoing.bring_over(cell, folder, (found, Some(look)), &from, job.intents)?;
                    undoing.touch_up(job, folder, target)
                })?
            }
            Source::Link(from) => {
                job.intend_captured(self, found)?;
                self.note_passing(job)?;
                self.within(cell, |undoing, folder| {
                    let temporary = Temporary::of(cell).new_name();
                    super::make::discard(folder, &temporary)?;
                    let new = undoing.link_over(folder, &temporary, &from)?;
                    undoing.swap_in(cell, folder, &temporary, &new, look)?;
                    undoing.bind_to(job, &new)?;
                    undoing.touch_up(job, folder, target)
                })?
            }
            Source::None if folders => {
                // Somebody else's folder in its place: what is in it is theirs and stays, the properties are ours.
                job.intend_captured(self, found)?;
                self.bind_to(job, look)?;
                self.within(cell, |undoing, folder| undoing.bring(job, folder, look, target))?;
                job.step.target.clone()
            }
            Source::None => return self.made_anew(job, look, found, target),
        };
        Ok(Restored::Done { left })
    }

    /// The inode stays, or is replaced by one that is to be the same object.
    fn in_same_inode(
        &mut self,
        job: &mut Job<'_>,
        look: &Look,
        found: &State,
        target: &Fields,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let as_it_is = state::kind(found) == state::kind_of(target) && same_body(found, target);
        if as_it_is {
            job.intend_captured(self, found)?;
            let left = self.within(cell, |undoing, folder| {
                let look = undoing.bring(job, folder, look, target)?;
                Ok(as_left(&job.step.target, &look))
            })?;
            return Ok(Restored::Done { left });
        }
        let several = look.kind == Kind::File && look.nlink > 1 && state::kind_of(target) == Some(Kind::File);
        // Where it is not known to be the same file, its other links are not to show what this cell should have.
        let one = object(&job.step.target).is_some()
            || numbered(cell, found).is_none_or(|own| self.index.found(&own).nth(1).is_none());
        if several && one {
            return self.write_in_place(job, look, found, target);
        }
        self.made_anew(job, look, found, target)
    }

    /// Something new in the place of what is there.
    fn made_anew(
        &mut self,
        job: &mut Job<'_>,
        look: &Look,
        found: &State,
        target: &Fields,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let before = job.captured(self, found)?;
        let mut announced = false;
        let left = self.within(cell, |undoing, folder| {
            let temporary = Temporary::of(cell).new_name();
            let new = undoing.build(folder, &temporary, target, job.bodies)?;
            if new.identity == look.identity {
                super::make::discard(folder, &temporary)?;
                return Err(Stop::BodyLost(
                    "it was saved as the very file that has changed".to_owned(),
                ));
            }
            if !announced {
                job.intend(&before)?;
                announced = true;
            }
            undoing.bind_shared(job, &new)?;
            undoing.swap_in(cell, folder, &temporary, &new, look)?;
            undoing.bind_to(job, &new)?;
            let look = read::look(folder.fd(), cell.name())?;
            Ok(look.map_or(State::Absent, |look| as_left(&job.step.target, &look)))
        })?;
        Ok(Restored::Done { left })
    }

    /// Write a file with several links in place, so that all of them show it. A note says so until it is done: a crash
    /// leaves the file half written, and the note has its state before.
    fn write_in_place(
        &mut self,
        job: &mut Job<'_>,
        look: &Look,
        found: &State,
        target: &Fields,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let before = job.captured(self, found)?;
        job.intend(&before)?;
        let number = object(found);
        if let Some(object) = number {
            let session = cell.session.clone();
            let state = self.capture(cell, found, job.bodies)?;
            self.note(&Note::Writing {
                session,
                object,
                state,
            })?;
        }
        let left = self.within(cell, |undoing, folder| {
            let mut inode = Inode::hold(folder.fd(), cell.name())?;
            if !inode.look.unchanged_since(look) && !undoing.is_half_written(cell, number) {
                return undoing.drifted(cell);
            }
            let locked = undoing.euid != 0 && inode.look.mode & 0o200 == 0;
            if locked {
                inode.set_mode(inode.look.mode | 0o200)?;
            }
            let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            let file = File::from(openat(folder.fd(), cell.name(), flags, Mode::empty())?);
            if read::look_at(file.as_fd())?.identity != look.identity {
                return undoing.drifted(cell);
            }
            rustix::fs::ftruncate(&file, 0)?;
            crash::point();
            write_body(&file, target, job.bodies)?;
            crash::point();
            inode.bring(target)?;
            super::make::whole(inode.look, target)?;
            Ok(as_left(&job.step.target, &inode.look))
        })?;
        if let Some(object) = number {
            let session = cell.session.clone();
            self.note(&Note::Written { session, object })?;
        }
        Ok(Restored::Done { left })
    }

    fn is_half_written(&self, cell: &Cell, number: Option<ObjectId>) -> bool {
        number.is_some_and(|number| self.writing.contains_key(&(cell.session.clone(), number)))
    }

    /// A file that an attempt before a crash was making here: if it holds nothing else, it is made again.
    fn replace_half_made(
        &mut self,
        job: &mut Job<'_>,
        look: &Look,
        target: &Fields,
    ) -> Result<Restored, Stop> {
        let cell = job.cell;
        let left = self.within(cell, |undoing, folder| {
            let temporary = Temporary::of(cell).new_name();
            let new = undoing.build(folder, &temporary, target, job.bodies)?;
            let ours = new.kind == Kind::File && undoing.is_ours(folder, cell, look, &temporary)?;
            if !ours {
                super::make::discard(folder, &temporary)?;
                let now = undoing.full(folder, cell, None)?;
                return Err(Stop::ended(Restored::Drifted { now }));
            }
            // What was there before we took it away is told, if we did.
            let ours = undoing.is_parked(cell, None);
            let before = if ours {
                job.step.expected.clone()
            } else {
                State::Absent
            };
            job.intend(&before)?;
            undoing.swap_in(cell, folder, &temporary, &new, look)?;
            undoing.bind_to(job, &new)?;
            let look = read::look(folder.fd(), cell.name())?;
            Ok(look.map_or(State::Absent, |look| as_left(&job.step.target, &look)))
        })?;
        Ok(Restored::Done { left })
    }

    fn is_ours(
        &self,
        folder: &Opened,
        cell: &Cell,
        look: &Look,
        whole: &std::ffi::OsStr,
    ) -> Result<bool, Stop> {
        if look.size == 0 {
            return Ok(true);
        }
        let inode = Inode::hold(folder.fd(), cell.name())?;
        if self.euid != 0 {
            inode.set_mode(half::MODE | 0o400)?;
        }
        let mut ours = read::open_file(folder.fd(), cell.name(), look)?;
        inode.set_mode(half::MODE)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut whole = match openat(folder.fd(), whole, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ACCESS) => return Ok(false),
            Err(error) => return Err(error.into()),
        };
        Ok(half::is_beginning(&mut ours, &mut whole)?)
    }

    /// After something came from elsewhere: what of it is not as it should be.
    fn touch_up(&mut self, job: &mut Job<'_>, folder: &Opened, target: &Fields) -> Result<State, Stop> {
        let cell = job.cell;
        let look = read::look(folder.fd(), cell.name())?;
        let look = look.ok_or_else(not_found)?;
        let own = self.number(&cell.session, &look.identity);
        let planned = own.and_then(|own| {
            let own = (cell.session.clone(), own);
            self.index.found(&own).next().map(|planned| planned.found.clone())
        });
        let hint = planned.unwrap_or_else(|| job.step.target.clone());
        let now = self.full(folder, cell, Some(&hint))?;
        // Where no body was saved, the session has not changed it (law 2): whatever it is, it stays.
        let stays = same_body(&now, target)
            || (state::kind(&now) == state::kind_of(target) && kept(&job.step.target).is_none());
        if stays {
            let look = self.bring(job, folder, &look, target)?;
            let left = as_left(&job.step.target, &look);
            let stamped = as_left(&now, &look);
            return Ok(
                match state::content(&stamped).filter(|_| !same_body(&now, target)) {
                    Some(body) => state::with_content(&left, body.clone()),
                    None => left,
                },
            );
        }
        match self.in_same_inode(job, &look, &now, target)? {
            Restored::Done { left } => Ok(left),
            other => Err(Stop::ended(other)),
        }
    }

    /// Bring the properties of the inode in the cell to the target's, if it is still the one looked at; of a folder, with
    /// the permissions that filling it needs.
    fn bring(&mut self, job: &Job<'_>, folder: &Opened, look: &Look, target: &Fields) -> Result<Look, Stop> {
        let mut inode = Inode::hold(folder.fd(), job.cell.name())?;
        if inode.look.identity != look.identity {
            return Err(io::Error::other("it was replaced while it was changed").into());
        }
        let number = numbered(job.cell, &job.step.target);
        let known = number.as_ref().and_then(|number| self.folders.times(number));
        let ours = known.is_none_or(|known| known.own == inode.look.mtime);
        inode.bring(&fillable(target, look.kind))?;
        if let Some(number) = number.filter(|_| ours) {
            self.folders.set_time(&number, inode.look.mtime);
        }
        Ok(inode.look)
    }

    /// Before a file that other cells are to get links to comes to its place: that this is it now, for whoever goes on if
    /// we don't.
    fn bind_shared(&mut self, job: &Job<'_>, look: &Look) -> Result<(), Stop> {
        let shared = numbered(job.cell, &job.step.target).is_some_and(|own| self.index.is_shared(&own));
        if shared && look.kind != Kind::Dir {
            return self.bind_to(job, look);
        }
        Ok(())
    }

    /// The object that the target is of is this inode now.
    fn bind_to(&mut self, job: &Job<'_>, look: &Look) -> Result<(), Stop> {
        match numbered(job.cell, &job.step.target) {
            Some((_, object)) => self.bind(job.cell, object, look),
            None => Ok(()),
        }
    }

    pub(crate) fn forget_object(&mut self, session: &SessionId, object: ObjectId) -> Result<(), Stop> {
        let table = self.table(session)?;
        let is_dir = table
            .record(object)
            .is_some_and(|record| record.kind == Kind::Dir);
        table.remove(object);
        if is_dir && let Some(record) = table.record(object) {
            self.note_object(record)?;
        }
        Ok(())
    }
}

impl Job<'_> {
    /// What is there, with its body kept where it will be overwritten. Where it is there in passing, what the cell is
    /// said to have held is what the plan found in it: what passed through has been told where it came from.
    fn captured(&self, undoing: &mut Undoing, found: &State) -> Result<State, Stop> {
        let captured = undoing.capture(self.cell, found, self.bodies)?;
        let in_passing = undoing.parked.contains_key(self.cell);
        Ok(if in_passing {
            self.step.expected.clone()
        } else {
            captured
        })
    }

    fn intend_captured(&mut self, undoing: &mut Undoing, found: &State) -> Result<(), Stop> {
        let before = self.captured(undoing, found)?;
        self.intend(&before)
    }
}

/// Whether body, target and device number are already those of the target.
fn same_body(now: &State, target: &Fields) -> bool {
    let Some(now) = now.fields() else { return false };
    [state::CONTENT, state::TARGET, state::RDEV]
        .into_iter()
        .all(|field| now.get(field) == target.get(field))
}

fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}
