//! Erasing a session, or the recreatable part of it. The key goes first.

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::key::SessionKey;
use crate::locator::{Keeping, parse_pack_name};
use crate::vault::{Inner, Vault};
use crate::writer::{JOURNAL, PATIENCE, lock};
use rescind_model::SessionId;
use std::path::PathBuf;

/// What is left of an erased session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remains {
    /// Nothing.
    Nothing,
    /// Journal and packs as ciphertext that nobody can read, so that their marks can still be checked.
    Ciphertext,
}

/// What an erasure did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Erased {
    /// The room that was given back, in bytes.
    pub bytes: u64,
    /// Pin roots that are not there now (not mounted): pins of the session may be left on them. Erase again when they
    /// are.
    pub away: Vec<PathBuf>,
}

impl Vault {
    /// Erase a session: destroy its key, then remove its pins, packs and journal. After a crash do it again.
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::Busy`] if somebody writes it, or what the system refused; if the key could be
    /// destroyed before that, the content is erased all the same.
    pub fn erase(&self, session: &SessionId, remains: Remains) -> Result<Erased> {
        let inner = &self.inner;
        if !self.sessions()?.contains(session) {
            return Err(Error::NoSession {
                session: session.clone(),
            });
        }
        let dir = inner.sessions.find(session.as_str())?;
        if let Some(dir) = &dir {
            lock(dir, session, PATIENCE)?;
        }
        let before = inner.usage_of(session)?;
        SessionKey::destroy(&inner.keys, session)?;
        let mut erased = Erased {
            bytes: before.pins + before.recreatable_pins,
            away: Vec::new(),
        };
        for keeping in Keeping::BOTH {
            erased.away = inner.remove_pins(keeping, session)?;
        }
        if let (Some(dir), Remains::Nothing) = (dir, remains) {
            remove_files(&dir, |name| name == JOURNAL || parse_pack_name(name).is_some())?;
            inner.sessions.rmdir(session.as_str())?;
            inner.sessions.sync()?;
            erased.bytes = before.total();
        }
        Ok(erased)
    }
}

impl Inner {
    /// Remove the recreatable content of a session. Returns the room given back.
    pub fn remove_recreatable(&self, session: &SessionId) -> Result<u64> {
        let Some(dir) = self.sessions.find(session.as_str())? else {
            return Err(Error::NoSession {
                session: session.clone(),
            });
        };
        lock(&dir, session, PATIENCE)?;
        let before = self.usage_of(session)?;
        let recreatable =
            |name: &str| parse_pack_name(name).is_some_and(|(keeping, _)| keeping == Keeping::Recreatable);
        remove_files(&dir, recreatable)?;
        self.remove_pins(Keeping::Recreatable, session)?;
        Ok(before.recreatable())
    }

    fn remove_pins(&self, keeping: Keeping, session: &SessionId) -> Result<Vec<PathBuf>> {
        let roots = self.all_roots()?;
        for root in roots.there {
            let Some(all) = root.find_all(keeping)? else {
                continue;
            };
            let Some(dir) = all.find(session.as_str())? else {
                continue;
            };
            remove_files(&dir, |_| true)?;
            all.rmdir(session.as_str())?;
            all.sync()?;
        }
        Ok(roots.away)
    }
}

fn remove_files(dir: &Dir, which: impl Fn(&str) -> bool) -> Result<()> {
    for name in dir.sorted_names()? {
        if let Some(name) = name.to_str().filter(|name| which(name)) {
            dir.unlink(name)?;
        }
    }
    dir.sync()
}
