//! The vault as a directory.

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::key::SessionKey;
use crate::locator::Keeping;
use crate::pin::PinRoot;
use crate::reader::SessionReader;
use crate::writer::{JOURNAL, PATIENCE, SessionWriter, Urgency};
use rescind_model::SessionId;
use rustix::fs::Mode;
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How a vault is to be used. None of it changes the format.
#[derive(Debug, Clone)]
pub struct Options {
    /// A pack that would grow over so many bytes is closed and the next one begun.
    pub pack_bytes: u64,
    /// The size of the reserve in bytes; 0 for none.
    pub reserve_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pack_bytes: 256 << 20,
            reserve_bytes: 16 << 20,
        }
    }
}

/// An open vault. Clones are the same vault; any number of processes can have it open.
#[derive(Debug, Clone)]
pub struct Vault {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub options: Options,
    pub dir: Dir,
    pub keys: Dir,
    pub sessions: Dir,
    pub roots: Dir,
    pin_roots: Mutex<Vec<Arc<PinRoot>>>,
}

impl Vault {
    /// Open the vault at `path`, making it if it is not there (the directories above it must be), and make its
    /// reserve if there is room.
    ///
    /// # Errors
    /// If a directory can't be made or opened.
    pub fn open(path: &Path, options: Options) -> Result<Self> {
        match rustix::fs::mkdir(path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(Error::io("make the vault", path, error)),
        }
        let dir = Dir::open(path)?;
        let (keys, _) = dir.make("keys")?;
        let (sessions, _) = dir.make("sessions")?;
        let (roots, made) = dir.make("roots")?;
        if made {
            dir.sync()?;
        }
        let own = PinRoot::own(dir.again()?)?;
        let inner = Inner {
            options,
            dir,
            keys,
            sessions,
            roots,
            pin_roots: Mutex::new(vec![Arc::new(own)]),
        };
        let vault = Self {
            inner: Arc::new(inner),
        };
        vault.make_reserve()?;
        Ok(vault)
    }

    /// Begin a session.
    ///
    /// # Errors
    /// [`Error::SessionExists`] if it was begun before.
    pub fn create_session(&self, session: &SessionId) -> Result<SessionWriter> {
        let known = self.inner.sessions.stat(session.as_str())?.is_some()
            || self.inner.keys.stat(session.as_str())?.is_some();
        if known {
            return Err(Error::SessionExists {
                session: session.clone(),
            });
        }
        let key = SessionKey::create(&self.inner.keys, session)?;
        SessionWriter::open(&self.inner, session, key, PATIENCE).inspect_err(|_| self.inner.abandon(session))
    }

    /// Begin a session that must be recorded though the disk is full, an undo's: with the reserve if need be, and with
    /// [`Urgency::Recovery`] from the start.
    ///
    /// # Errors
    /// As [`Vault::create_session`].
    pub fn create_recovery_session(&self, session: &SessionId) -> Result<SessionWriter> {
        let writer = match self.create_session(session) {
            Err(error) if error.is_disk_full() => {
                self.release_reserve()?;
                self.create_session(session)
            }
            result => result,
        }?;
        writer.set_urgency(Urgency::Recovery);
        Ok(writer)
    }

    /// Go on with a session, after a crash or otherwise. Nothing is cut off: what is torn at the end of a file is
    /// made void, and every whole frame stays. Reads all of the session's files once.
    ///
    /// # Errors
    /// [`Error::NoSession`], [`Error::Erased`], or [`Error::Busy`] if somebody else writes it.
    pub fn resume_session(&self, session: &SessionId) -> Result<SessionWriter> {
        let key = self.key(session)?;
        SessionWriter::open(&self.inner, session, key, PATIENCE)
    }

    /// The same, without waiting for whoever writes it.
    ///
    /// # Errors
    /// As [`Vault::resume_session`].
    pub fn try_resume_session(&self, session: &SessionId) -> Result<SessionWriter> {
        let key = self.key(session)?;
        SessionWriter::open(&self.inner, session, key, Duration::ZERO)
    }

    /// Read a session; somebody may be writing it.
    ///
    /// # Errors
    /// [`Error::NoSession`] or [`Error::Erased`].
    pub fn open_session(&self, session: &SessionId) -> Result<SessionReader> {
        let key = self.key(session)?;
        SessionReader::open(&self.inner, session, key)
    }

    fn key(&self, session: &SessionId) -> Result<SessionKey> {
        match SessionKey::load(&self.inner.keys, session)? {
            Some(key) => Ok(key),
            None if self.inner.sessions.stat(session.as_str())?.is_some() => Err(Error::Erased {
                session: session.clone(),
            }),
            None => Err(Error::NoSession {
                session: session.clone(),
            }),
        }
    }

    /// Let pins be made below `path`, for the files of its file system. The directory is made if it is not there; it
    /// must be the caller's and writable by nobody else. A reserve is made in it, if there is room. Returns its device,
    /// `st_dev`.
    ///
    /// # Errors
    /// [`Error::BadPinRoot`], or what the system refused.
    pub fn add_pin_root(&self, path: &Path) -> Result<u64> {
        let root = PinRoot::register(&self.inner.roots, path)?;
        // The undo of a session that fills that file system needs some room there.
        crate::reserve::make(&root.dir, &self.inner.options)?;
        let device = root.device;
        let mut roots = self
            .inner
            .pin_roots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if !roots.iter().any(|known| known.number == root.number) {
            roots.push(Arc::new(root));
        }
        Ok(device)
    }

    /// The device of the vault directory, `st_dev`: files on it are pinned in the vault itself.
    #[must_use]
    pub fn device(&self) -> u64 {
        let roots = self
            .inner
            .pin_roots
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        roots.first().map_or(0, |root| root.device)
    }
}

impl Inner {
    /// Take back what a failed begin of a session has made. There is nothing in it yet; what can't be removed is removed
    /// by erasing the session.
    fn abandon(&self, session: &SessionId) {
        if let Ok(Some(dir)) = self.sessions.find(session.as_str()) {
            let _left = dir.unlink(JOURNAL);
        }
        let _left = self.sessions.rmdir(session.as_str());
        let _left = self.keys.unlink(session.as_str());
    }

    /// The root for files of a device, among those added in this process.
    pub fn root_of_device(&self, device: u64) -> Option<Arc<PinRoot>> {
        let roots = self.pin_roots.lock().unwrap_or_else(PoisonError::into_inner);
        roots.iter().find(|root| root.device == device).cloned()
    }

    /// Root `number`, also if it was added by another process.
    pub fn root(&self, number: u32) -> Result<Option<Arc<PinRoot>>> {
        let mut roots = self.pin_roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.iter().find(|root| root.number == number) {
            return Ok(Some(root.clone()));
        }
        let Some(root) = PinRoot::registered(&self.roots, number)?.map(Arc::new) else {
            return Ok(None);
        };
        roots.push(root.clone());
        Ok(Some(root))
    }

    /// The directories of a session's pins of one kind, on every root that is there.
    pub fn pin_dirs(&self, keeping: Keeping, session: &SessionId) -> Result<Vec<Dir>> {
        let mut dirs = Vec::new();
        for root in self.all_roots()?.there {
            dirs.extend(root.find_session(keeping, session)?);
        }
        Ok(dirs)
    }

    /// All pin roots, the vault's own first.
    pub fn all_roots(&self) -> Result<Roots> {
        let mut roots = Roots {
            there: Vec::new(),
            away: Vec::new(),
        };
        for number in std::iter::once(0).chain(PinRoot::numbers(&self.roots)?) {
            match self.root(number) {
                Ok(root) => roots.there.extend(root),
                Err(_) => roots.away.extend(PinRoot::path_of(&self.roots, number)?),
            }
        }
        Ok(roots)
    }
}

/// Pin roots that can be opened, and the paths of those that can't.
pub(crate) struct Roots {
    pub there: Vec<Arc<PinRoot>>,
    pub away: Vec<PathBuf>,
}
