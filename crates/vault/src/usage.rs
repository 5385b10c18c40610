//! How much room each session takes.

use crate::dir::Dir;
use crate::error::Result;
use crate::locator::{Keeping, parse_pack_name};
use crate::vault::{Inner, Vault};
use crate::writer::JOURNAL;
use rescind_model::SessionId;
use rustix::fs::Stat;
use std::collections::BTreeSet;

/// The room one session takes, in bytes of whole blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The session.
    pub session: SessionId,
    /// Whether its key is there; without it the content is erased.
    pub key: bool,
    /// The journal.
    pub journal: u64,
    /// Packs of lasting content.
    pub packs: u64,
    /// Packs of recreatable content.
    pub recreatable_packs: u64,
    /// Pinned files that have no other name any more: the room that only the pins hold.
    pub pins: u64,
    /// The same of recreatable files.
    pub recreatable_pins: u64,
}

impl Usage {
    /// All of it.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.journal + self.packs + self.pins + self.recreatable()
    }

    /// What can be pruned without erasing the session.
    #[must_use]
    pub fn recreatable(&self) -> u64 {
        self.recreatable_packs + self.recreatable_pins
    }
}

impl Vault {
    /// The room each session takes, the oldest session first. Looks at every pin.
    ///
    /// # Errors
    /// If a directory can't be read.
    pub fn usage(&self) -> Result<Vec<Usage>> {
        self.sessions()?
            .iter()
            .map(|session| self.inner.usage_of(session))
            .collect()
    }

    /// All sessions that have anything in the vault, the oldest first, erased ones with remains among them.
    ///
    /// # Errors
    /// If a directory can't be read.
    pub fn sessions(&self) -> Result<Vec<SessionId>> {
        let mut sessions = BTreeSet::new();
        let mut see = |dir: &Dir| {
            dir.names(|name| sessions.extend(name.to_str().and_then(|name| name.parse::<SessionId>().ok())))
        };
        see(&self.inner.keys)?;
        see(&self.inner.sessions)?;
        for root in self.inner.all_roots()?.there {
            for keeping in Keeping::BOTH {
                root.find_all(keeping)?.as_ref().map_or(Ok(()), &mut see)?;
            }
        }
        Ok(sessions.into_iter().collect())
    }
}

impl Inner {
    pub fn usage_of(&self, session: &SessionId) -> Result<Usage> {
        let mut usage = Usage {
            session: session.clone(),
            key: self.keys.stat(session.as_str())?.is_some(),
            journal: 0,
            packs: 0,
            recreatable_packs: 0,
            pins: self.pins_of(Keeping::Lasting, session)?,
            recreatable_pins: self.pins_of(Keeping::Recreatable, session)?,
        };
        let Some(dir) = self.sessions.find(session.as_str())? else {
            return Ok(usage);
        };
        for name in dir.sorted_names()? {
            let Some(name) = name.to_str() else { continue };
            let Some(stat) = dir.stat(name)? else { continue };
            let place = match parse_pack_name(name) {
                Some((Keeping::Lasting, _)) => &mut usage.packs,
                Some((Keeping::Recreatable, _)) => &mut usage.recreatable_packs,
                None if name == JOURNAL => &mut usage.journal,
                None => continue,
            };
            *place += room(&stat);
        }
        Ok(usage)
    }

    fn pins_of(&self, keeping: Keeping, session: &SessionId) -> Result<u64> {
        let mut bytes = 0;
        for dir in self.pin_dirs(keeping, session)? {
            for name in dir.sorted_names()? {
                let stat = name.to_str().map_or(Ok(None), |name| dir.stat(name))?;
                bytes += stat.filter(|stat| stat.st_nlink == 1).as_ref().map_or(0, room);
            }
        }
        Ok(bytes)
    }
}

/// `st_blocks` counts units of 512 bytes.
fn room(stat: &Stat) -> u64 {
    u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(512)
}
