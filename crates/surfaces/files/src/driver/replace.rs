//! Putting something new where something else is: a change of places, with a look at what came out.

use super::folders::Opened;
use super::make::{Temporary, discard};
use super::{Stop, Undoing, crash};
use crate::cell::Cell;
use crate::object::Kind;
use crate::read::{self, Look};
use rescind_supervisor::Restored;
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::io;

/// How often somebody may replace what we put back before we give up.
const TRIES: u32 = 100;

impl Undoing {
    /// Put what is complete under the temporary name `made` into a cell in which `found` was just found, and remove
    /// that. If anything else comes out, it goes back in: `Drifted`.
    pub(crate) fn swap_in(
        &mut self,
        cell: &Cell,
        folder: &Opened,
        made: &OsStr,
        new: &Look,
        found: &Look,
    ) -> Result<(), Stop> {
        let swap = Temporary::of(cell).swap_name(new, found);
        rename(folder, made, &swap, RenameFlags::empty())?;
        match rename(folder, &swap, cell.name(), RenameFlags::EXCHANGE) {
            Ok(()) => {}
            Err(Errno::NOENT) => {
                // Removed meanwhile.
                discard(folder, &swap)?;
                return self.drifted(cell);
            }
            Err(error) => {
                discard(folder, &swap)?;
                return Err(error.into());
            }
        }
        let out = read::look(folder.fd(), &swap)?;
        if !out.is_some_and(|out| out.unchanged_since(found)) {
            put_back(folder, &swap, cell.name(), new)?;
            return self.drifted(cell);
        }
        let flags = if found.kind == Kind::Dir {
            AtFlags::REMOVEDIR
        } else {
            AtFlags::empty()
        };
        match rustix::fs::unlinkat(folder.fd(), &swap, flags) {
            Ok(()) => {
                crash::point();
                if found.kind == Kind::Dir
                    && let Some(object) = self.number(&cell.session, &found.identity)
                {
                    self.forget_object(&cell.session, object)?;
                }
                Ok(())
            }
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                put_back(folder, &swap, cell.name(), new)?;
                let why = "it holds what others have put into it".to_owned();
                Err(Stop::ended(Restored::Kept { why }))
            }
            Err(error) => {
                put_back(folder, &swap, cell.name(), new)?;
                Err(error.into())
            }
        }
    }

    pub(crate) fn drifted<T>(&mut self, cell: &Cell) -> Result<T, Stop> {
        let now = self.read(cell, None)?;
        Err(Stop::ended(Restored::Drifted { now }))
    }
}

/// Change places again until what comes out is what we put in last, and remove that: it is ours, or it was replaced by
/// somebody who found it there.
fn put_back(folder: &Opened, swap: &OsStr, name: &OsStr, new: &Look) -> Result<(), Stop> {
    let mut put_in = Some(*new);
    for _ in 0..TRIES {
        let there = read::look(folder.fd(), name)?;
        if there.is_some_and(|there| Some(there.identity) != put_in.map(|put_in| put_in.identity)) {
            // Replaced by somebody since: what is under the temporary name would be, too.
            return discard(folder, swap);
        }
        let held = read::look(folder.fd(), swap)?;
        match rename(folder, swap, name, RenameFlags::EXCHANGE) {
            // Removed meanwhile: what is under the temporary name goes back to its place.
            Err(Errno::NOENT) => match rename(folder, swap, name, RenameFlags::NOREPLACE) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => continue,
                Err(error) => return Err(error.into()),
            },
            other => other?,
        }
        let out = read::look(folder.fd(), swap)?;
        if out.map(|out| out.identity) == put_in.map(|put_in| put_in.identity) {
            return discard(folder, swap);
        }
        put_in = held;
    }
    let why = format!(
        "it is being replaced all the time; a version of it was left as `{}`",
        swap.to_string_lossy()
    );
    Err(io::Error::other(why).into())
}

pub(crate) fn rename(folder: &Opened, from: &OsStr, to: &OsStr, flags: RenameFlags) -> Result<(), Errno> {
    rustix::fs::renameat_with(folder.fd(), from, folder.fd(), to, flags)?;
    crash::point();
    Ok(())
}
