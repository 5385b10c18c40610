//! Bodies of several sessions at once: an undo reads what the session kept, and keeps what it is about to overwrite.
//!
//! Outside its own journal a locator is written `SESSION#LOCATOR`.

use crate::{Bodies, SessionLog, Store};
use rescind_model::{Content, Locator, SessionId};
use rescind_vault::SessionReader;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::rc::Rc;

/// The vault's bodies, by qualified locators; with a log, also a place to keep new ones.
pub struct StoredBodies<'s> {
    store: &'s Store,
    log: Option<&'s SessionLog>,
    dispensable: bool,
    readers: RefCell<HashMap<SessionId, Rc<SessionReader>>>,
}

/// A locator that says its session.
#[must_use]
pub fn qualified(session: &SessionId, locator: &Locator) -> Locator {
    if locator.0.contains('#') {
        locator.clone()
    } else {
        Locator(format!("{session}#{}", locator.0))
    }
}

fn other(error: impl std::error::Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

impl<'s> StoredBodies<'s> {
    /// Bodies to read; and to keep, where there is a log to keep them in.
    #[must_use]
    pub fn new(store: &'s Store, log: Option<&'s SessionLog>) -> Self {
        Self {
            store,
            log,
            dispensable: false,
            readers: RefCell::default(),
        }
    }

    /// What is kept serves only to take back an undo that met nobody else's work: it is the first to go where room is
    /// short.
    #[must_use]
    pub fn dispensable(mut self, dispensable: bool) -> Self {
        self.dispensable = dispensable;
        self
    }

    fn find(&self, kept: &Locator) -> io::Result<(Rc<SessionReader>, Locator)> {
        let (session, locator) = kept
            .0
            .split_once('#')
            .ok_or_else(|| io::Error::other(format!("`{}` names no session", kept.0)))?;
        let session: SessionId = session.parse().map_err(other)?;
        let locator = Locator(locator.to_owned());
        if let Some(reader) = self.readers.borrow().get(&session) {
            return Ok((Rc::clone(reader), locator));
        }
        let reader = Rc::new(self.store.vault().open_session(&session).map_err(other)?);
        self.readers.borrow_mut().insert(session, Rc::clone(&reader));
        Ok((reader, locator))
    }

    /// Let go of pins whose files are back in their places: the pin is then one name too many, and what it kept lives on
    /// under the others. A pin that is a file's only name stays.
    pub fn let_go_of_pins<'l>(&self, kept: impl IntoIterator<Item = &'l Locator>) {
        for locator in kept {
            let Ok((reader, locator)) = self.find(locator) else {
                continue;
            };
            let Ok(stat) = reader.pin_stat(&locator) else {
                continue;
            };
            if stat.links > 1
                && let Ok(slot) = reader.pin_slot(&locator)
            {
                // A pin that stays is only a name too many.
                let _stays = rustix::fs::unlinkat(slot.dir(), slot.name(), rustix::fs::AtFlags::empty());
            }
        }
    }

    fn log(&self) -> io::Result<&SessionLog> {
        self.log
            .ok_or_else(|| io::Error::other("nothing can be kept while only a plan is made"))
    }
}

impl Bodies for StoredBodies<'_> {
    fn holds(&self, kept: &Locator) -> bool {
        let Ok((reader, locator)) = self.find(kept) else {
            return false;
        };
        match reader.pin_stat(&locator) {
            Ok(stat) => stat.now.is_some(),
            Err(_) => reader.length(&locator).is_ok(),
        }
    }

    fn read(&self, kept: &Locator, limit: u64) -> io::Result<Vec<u8>> {
        let (reader, locator) = self.find(kept)?;
        reader.read_all(&locator, limit).map_err(other)
    }

    fn copy_to(&self, kept: &Locator, file: &File) -> io::Result<()> {
        let (reader, locator) = self.find(kept)?;
        reader.copy_to(&locator, file).map(drop).map_err(other)
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<Content> {
        let log = self.log()?;
        let (digest, locator) = log.put(bytes, self.dispensable)?;
        let kept = Some(qualified(log.id(), &locator));
        Ok(Content {
            length: bytes.len() as u64,
            digest: Some(digest),
            stamp: None,
            kept,
        })
    }

    fn keep_file(&self, file: &File) -> io::Result<Content> {
        let log = self.log()?;
        let blob = log.put_file(file, file.metadata()?.len(), self.dispensable)?;
        let kept = Some(qualified(log.id(), &blob.locator));
        Ok(Content {
            length: blob.length,
            digest: blob.digest,
            stamp: None,
            kept,
        })
    }

    fn pin(&self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Locator>> {
        // One more name would stay on a file that others know by another name: its bytes are kept instead.
        let found = rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)?;
        if found.st_nlink > 1 {
            return Ok(None);
        }
        self.pin_among_others(folder, name)
    }

    fn pin_among_others(&self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Locator>> {
        let log = self.log()?;
        Ok(log
            .pin(folder, name.as_bytes(), self.dispensable)?
            .map(|locator| qualified(log.id(), &locator)))
    }

    fn link(&self, kept: &Locator, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
        let (reader, locator) = self.find(kept)?;
        let Ok(slot) = reader.pin_slot(&locator) else {
            return Ok(false);
        };
        // The pin itself goes back, and not one more link to it: the file then has as many names as before.
        let keep = rustix::fs::RenameFlags::NOREPLACE;
        match rustix::fs::renameat_with(slot.dir(), slot.name(), folder, name, keep) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::XDEV | rustix::io::Errno::MLINK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
