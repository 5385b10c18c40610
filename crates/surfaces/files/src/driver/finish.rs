//! After all steps: the times and permissions of folders, and temporary names that a crash left.

use super::folders::Opened;
use super::index::numbered;
use super::make::{Leftover, PREFIX, discard, leftover};
use super::replace::rename;
use super::{Numbered, Undoing, crash};
use crate::cell::Cell;
use crate::driver::attributes::{Inode, mode};
use crate::object::Kind;
use crate::read::{self, Look};
use crate::state;
use rescind_model::Fields;
use rescind_supervisor::{DriverError, Step};
use rustix::fs::{CWD, Mode, OFlags, RawDir, RenameFlags, openat};
use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;

impl Undoing {
    pub(crate) fn finish(&mut self, disturbed: &[Step]) -> Result<(), DriverError> {
        let aside = self.dissolve();
        let name = || "a folder that was in the way".to_owned();
        let mut failed = aside.err().map(|stop| (stop, name()));
        for step in disturbed {
            let (Some(cell), Some(target)) = (Cell::parse(&step.resource), step.target.fields()) else {
                continue;
            };
            let done = self
                .sweep(&cell)
                .and_then(|()| self.settle_folder(&cell, step, target));
            if let Err(stop) = done {
                failed.get_or_insert((stop, step.name.clone()));
            }
        }
        match failed {
            None => Ok(()),
            Some((stop, name)) => Err(stop.into_error(&name)),
        }
    }

    fn settle_folder(&mut self, cell: &Cell, step: &Step, target: &Fields) -> Result<(), super::Stop> {
        let Some(folder) = self.find(cell)? else {
            return Ok(());
        };
        let Some(look) = read::look(folder.fd(), cell.name())? else {
            return Ok(());
        };
        if look.kind != Kind::Dir {
            return Ok(());
        }
        let number = if cell.is_folder_itself() {
            Some((cell.session.clone(), cell.folder))
        } else {
            numbered(cell, &step.target)
        };
        let inode = Inode::hold(folder.fd(), cell.name())?;
        if let Some(mode) = mode(target)
            && self.widened_to(number.as_ref(), mode, look.mode)
        {
            inode.set_mode(mode)?;
            crash::point();
        }
        if let Some(mtime) = target.int(state::MTIME)
            && mtime != look.mtime
            && self.is_our_time(number.as_ref(), step, &look)
        {
            inode.set_mtime(mtime)?;
            crash::point();
        }
        Ok(())
    }

    /// Whether the owner's permissions are wider than they should be because we needed them.
    fn widened_to(&self, number: Option<&Numbered>, wanted: u32, now: u32) -> bool {
        let ours = self.resumed
            || number.is_some_and(|number| {
                self.opened.contains(number) || self.index.wanted(number).next().is_some()
            });
        ours && now != wanted && now & !0o700 == wanted & !0o700 && now & wanted == wanted
    }

    /// Whether the folder's time of change is one that our steps left, or still the one found.
    fn is_our_time(&self, number: Option<&Numbered>, step: &Step, look: &Look) -> bool {
        match number.and_then(|number| self.folders.times(number)) {
            Some(times) => !times.foreign && times.own == look.mtime,
            None => {
                let found = step.expected.fields().and_then(|fields| fields.int(state::MTIME));
                self.resumed || found.is_none_or(|found| found == look.mtime)
            }
        }
    }

    /// After a crash: deal with what is under our temporary names in a folder.
    pub(crate) fn sweep(&mut self, cell: &Cell) -> Result<(), super::Stop> {
        if !self.resumed || !cell.is_folder_itself() {
            return Ok(());
        }
        let Some(folder) = self.find(cell)? else {
            return Ok(());
        };
        let mut names = Vec::new();
        each_name(&folder, |name| {
            if name.starts_with(PREFIX) {
                names.push(name.to_vec());
            }
        })?;
        let before = read::look_at(folder.fd())?.mtime;
        let swept = names
            .iter()
            .try_for_each(|name| self.sweep_name(cell, &folder, name));
        let number = (cell.session.clone(), cell.folder);
        self.touched(number, before, read::look_at(folder.fd())?.mtime);
        swept
    }

    fn sweep_name(&self, cell: &Cell, folder: &Opened, name: &[u8]) -> Result<(), super::Stop> {
        let own = OsStr::from_bytes(name);
        let Some(look) = read::look(folder.fd(), own)? else {
            return Ok(());
        };
        let Some((found, mark)) = leftover(name, &look) else {
            return Ok(());
        };
        if matches!(found, Leftover::New | Leftover::Swap(true) | Leftover::Out(true)) {
            return discard(folder, own);
        }
        // Somebody else's, which came under our hands just before the crash: back to its place, if that can be told.
        let back = self
            .index
            .steps()
            .iter()
            .map(|planned| &planned.cell)
            .find(|planned| {
                let here = planned.session == cell.session && planned.folder == cell.folder;
                here && super::make::Temporary::of(planned).is(mark)
            });
        match back {
            Some(back) => {
                // Where its place is taken it stays where it is, to be seen.
                let _stays = rename(folder, own, back.name(), RenameFlags::NOREPLACE);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Call `each` with every name in a folder.
pub(crate) fn each_name(folder: &Opened, mut each: impl FnMut(&[u8])) -> Result<(), super::Stop> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // By its descriptor, not as `.` in it: a folder that may not be searched can be read all the same.
    let itself = format!("/proc/self/fd/{}", folder.fd().as_raw_fd());
    let opened = openat(CWD, itself, flags, Mode::empty())?;
    let mut buffer = vec![MaybeUninit::uninit(); 32 << 10];
    let mut entries = RawDir::new(opened, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(name);
        }
    }
    Ok(())
}
