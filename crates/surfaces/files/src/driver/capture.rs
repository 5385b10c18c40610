//! Saving what is about to be overwritten.

use super::index::numbered;
use super::{Stop, Undoing};
use crate::cell::Cell;
use crate::object::Kind;
use crate::read::{self, Look};
use crate::state;
use crate::state::object;
use rescind_model::{Content, Locator, State};
use rescind_supervisor::Bodies;
use std::io;

/// Files up to this length, in bytes, are kept as bytes: many of them share a place in the vault.
const SMALL: u64 = 32 << 10;

impl Undoing {
    /// The state with its body kept, if it has one. What the plan only moves elsewhere is not saved.
    pub(crate) fn capture(&mut self, cell: &Cell, now: &State, bodies: &dyn Bodies) -> Result<State, Stop> {
        // A pin may have gone back to its place since: then the file there is all there is of it.
        let is_kept = |body: &Content| body.kept.as_ref().is_some_and(|kept| bodies.holds(kept));
        let Some(body) = state::content(now).filter(|body| body.length > 0 && !is_kept(body)) else {
            return Ok(now.clone());
        };
        let own = numbered(cell, now);
        if own.is_some_and(|own| self.index.wanted_elsewhere(&own, cell) && !self.index.wants(cell, &own)) {
            return Ok(now.clone());
        }
        let changed = || Stop::Io(io::Error::other("it was changed after it had been looked at"));
        let folder = self.find(cell)?.ok_or_else(changed)?;
        let look = read::look(folder.fd(), cell.name())?;
        let here = look.and_then(|look| self.number(&cell.session, &look.identity));
        if self.parked.contains_key(cell) && here != object(now) {
            // It has left already, with all it holds, and what is here in passing is on its way.
            return Ok(now.clone());
        }
        let look = look.ok_or_else(changed)?;
        if look.kind != Kind::File || look.size != body.length {
            return Err(changed());
        }
        let kept = self.keep(cell, now, &look, bodies)?;
        let after = read::look(folder.fd(), cell.name())?.ok_or_else(changed)?;
        let same = match (&kept.digest, &body.digest) {
            (Some(kept), Some(known)) => kept == known,
            _ => after.unchanged_since(&look) && self.has_body_of(cell, &look, now)?,
        };
        if !same {
            return Err(changed());
        }
        let content = Content {
            digest: kept.digest.or(body.digest),
            kept: kept.kept,
            ..body.clone()
        };
        Ok(state::with_content(now, content))
    }

    /// Whether the file looked at still has the body of `now`; read and hashed where only that tells.
    fn has_body_of(&mut self, cell: &Cell, look: &Look, now: &State) -> Result<bool, Stop> {
        if read::settle(look, now).is_some() {
            return Ok(true);
        }
        let found = self.read(cell, Some(now))?;
        Ok(state::content(&found).is_some() && state::content(&found) == state::content(now))
    }

    /// Keep what is in a cell: its bytes where it is small, has other links or will be written in place; else the very
    /// file, which costs nothing however long it is.
    fn keep(&mut self, cell: &Cell, now: &State, look: &Look, bodies: &dyn Bodies) -> Result<Content, Stop> {
        let folder = self
            .find(cell)?
            .ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let goes = self.index.at(cell).is_some_and(|planned| {
            let target = &planned.step.target;
            !target.exists() || object(target).is_some_and(|target| object(now) != Some(target))
        });
        let pinned = |kept: Option<Locator>| {
            kept.map(|kept| Content {
                kept: Some(kept),
                ..read::body_of(look)
            })
        };
        if look.size > SMALL && goes && look.nlink == 1 {
            let kept = pinned(bodies.pin(folder.fd(), cell.name())?);
            if let Some(kept) = kept {
                return Ok(kept);
            }
        }
        match read::open_file(folder.fd(), cell.name(), look) {
            Ok(file) => match bodies.keep_file(&file) {
                // There may be no room for it. Its other name may well be one that the vault keeps it by.
                Err(error) if look.size > SMALL && goes => {
                    let kept = pinned(bodies.pin_among_others(folder.fd(), cell.name())?);
                    kept.ok_or_else(|| error.into())
                }
                kept => Ok(kept?),
            },
            // It may not be read, but it can be kept as it is.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && goes => {
                let kept = pinned(bodies.pin(folder.fd(), cell.name())?);
                kept.ok_or_else(|| error.into())
            }
            Err(error) => Err(error.into()),
        }
    }
}
