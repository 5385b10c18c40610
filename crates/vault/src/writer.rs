//! Writing a session: its journal, its blobs, its pins.

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::frame::{MAX_FRAME, MAX_PLAIN};
use crate::framed::Framed;
use crate::key::SessionKey;
use crate::locator::{Keeping, PinIdentity, PinPlace};
use crate::mark::Mark;
use crate::packs::Packs;
use crate::pin::{PinRoot, PinSlot, pin_number};
use crate::vault::Inner;
use rescind_model::{Locator, SessionId};
use rustix::fs::{FileType, FlockOperation};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The name of a session's journal.
pub(crate) const JOURNAL: &str = "journal";
/// The most bytes that one [`SessionWriter::append`] takes.
pub const MAX_APPEND: usize = MAX_PLAIN;
/// How long to wait for another writer of the session to end.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// The room that every journal keeps for what must still be written on a full disk: the ends of sessions and of actions.
const ROOM: u64 = 64 << 10;

/// What a full disk means for this writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// An error.
    Normal,
    /// The reserve is released and the write tried once more: for kill and undo, which must still be recorded.
    Recovery,
}

/// The one writer of a session. To be shared between threads; what was appended or put survives the death of the process
/// from the moment the call returns.
pub struct SessionWriter {
    vault: Arc<Inner>,
    session: SessionId,
    dir: Arc<Dir>,
    journal: Mutex<Framed>,
    lasting: Mutex<Packs>,
    recreatable: Mutex<Packs>,
    pins: Mutex<Pins>,
    /// Directory names (key, session, journal) that were made and not flushed yet.
    new_names: AtomicBool,
    flush_failed: AtomicBool,
    urgent: AtomicBool,
    owed: AtomicU64,
}

impl std::fmt::Debug for SessionWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionWriter")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

/// The directories that pins are made in, and the next number.
#[derive(Default)]
struct Pins {
    dirs: HashMap<(u32, Keeping), PinDir>,
    last: u64,
}

struct PinDir {
    dir: Arc<Dir>,
    dirty: bool,
}

impl SessionWriter {
    pub(crate) fn open(
        vault: &Arc<Inner>,
        session: &SessionId,
        key: SessionKey,
        patience: Duration,
    ) -> Result<Self> {
        let (dir, _) = vault.sessions.make(session.as_str())?;
        let (dir, key) = (Arc::new(dir), Arc::new(key));
        lock(&dir, session, patience)?;
        let journal = Framed::open(&dir, JOURNAL, &key, MAX_FRAME)?;
        let packs = |keeping| Packs::open(&dir, &key, keeping, vault.options.pack_bytes);
        Ok(Self {
            lasting: Mutex::new(packs(Keeping::Lasting)?),
            recreatable: Mutex::new(packs(Keeping::Recreatable)?),
            journal: Mutex::new(journal),
            pins: Mutex::default(),
            vault: vault.clone(),
            session: session.clone(),
            dir,
            new_names: AtomicBool::new(true),
            flush_failed: AtomicBool::new(false),
            urgent: AtomicBool::new(false),
            owed: AtomicU64::new(0),
        })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// Say what a full disk means from now on.
    pub fn set_urgency(&self, urgency: Urgency) {
        self.urgent.store(urgency == Urgency::Recovery, Ordering::Relaxed);
    }

    /// Say how many bytes of outcomes are still to come for what was announced: so much room is kept for
    /// [`SessionWriter::append_outcome`].
    pub fn set_owed(&self, bytes: u64) {
        self.owed.store(bytes, Ordering::Relaxed);
    }

    /// Append to the journal, with one write. Returns the byte offset of the frame in the journal.
    ///
    /// # Errors
    /// [`Error::DiskFull`], also where only the room is left that is kept for outcomes; [`Error::TooLarge`] over
    /// [`MAX_APPEND`] bytes. The journal then has nothing of it.
    pub fn append(&self, plaintext: &[u8]) -> Result<u64> {
        if self.urgent.load(Ordering::Relaxed) {
            return self.append_outcome(plaintext);
        }
        held(&self.journal).append_keeping(&[plaintext], self.kept_room())
    }

    /// Append what has happened already and must be on record: from the room that was kept for it where the disk is full,
    /// then from the half of the reserve, piece by piece; an undo has all of it.
    ///
    /// # Errors
    /// As [`SessionWriter::append`].
    pub fn append_outcome(&self, plaintext: &[u8]) -> Result<u64> {
        let keep = self.kept_room();
        let append = || {
            let mut journal = held(&self.journal);
            match journal.append_keeping(&[plaintext], keep) {
                Err(error) if error.is_disk_full() => journal.append(&[plaintext]),
                result => result,
            }
        };
        let mut appended = append();
        while appended.as_ref().is_err_and(Error::is_disk_full) && self.vault.release_piece()? {
            appended = append();
        }
        match appended {
            Err(error) if error.is_disk_full() && self.urgent.load(Ordering::Relaxed) => {
                self.vault.release_reserve()?;
                append()
            }
            appended => appended,
        }
    }

    fn kept_room(&self) -> u64 {
        ROOM.saturating_add(self.owed.load(Ordering::Relaxed))
    }

    /// Nothing more is to come: the journal's room goes back to the file system.
    ///
    /// # Errors
    /// If it refuses; the room is then given back when the session is erased.
    pub fn give_back(&self) -> Result<()> {
        held(&self.journal).give_back()
    }

    /// What is in the journal and the packs now, for a ledger entry to commit to. What was appended or put before the
    /// call is covered.
    #[must_use]
    pub fn marks(&self) -> Vec<Mark> {
        let mut marks = vec![held(&self.journal).mark()];
        held(&self.lasting).marks(&mut marks);
        held(&self.recreatable).marks(&mut marks);
        marks
    }

    /// Flush everything that was written before the call, names included, so that it survives a power cut. Appends
    /// go on meanwhile.
    ///
    /// # Errors
    /// If the disk refuses; and from then on always ([`Error::FlushFailed`]), since a flush that failed may have
    /// dropped what it was to write.
    pub fn sync(&self) -> Result<()> {
        if self.flush_failed.load(Ordering::Acquire) {
            return Err(Error::FlushFailed {
                session: self.session.clone(),
            });
        }
        self.flush()
            .inspect_err(|_| self.flush_failed.store(true, Ordering::Release))
    }

    fn flush(&self) -> Result<()> {
        let mut files: Vec<Arc<File>> = Vec::new();
        let mut names = held(&self.lasting).take_dirty(&mut files);
        names |= held(&self.recreatable).take_dirty(&mut files);
        files.extend(held(&self.journal).take_dirty());
        for file in files {
            rustix::fs::fdatasync(&file)
                .map_err(|error| Error::io("flush a file of", self.dir.path(), error))?;
        }
        for dir in held(&self.pins).take_dirty() {
            dir.sync()?;
        }
        if self.new_names.swap(false, Ordering::AcqRel) {
            self.flush_key()?;
            self.vault.keys.sync()?;
            self.vault.sessions.sync()?;
            names = true;
        }
        if names { self.dir.sync() } else { Ok(()) }
    }

    fn flush_key(&self) -> Result<()> {
        let key = self.vault.keys.file(self.session.as_str(), false)?;
        key.sync_all()
            .map_err(|error| Error::io("flush the key in", self.vault.keys.path(), error))
    }

    /// A new place for a pin of a file on `device` (`st_dev`); `None` if no pin root is on it.
    ///
    /// # Errors
    /// If the session's directory there can't be made.
    pub fn pin_slot(&self, device: u64, keeping: Keeping) -> Result<Option<PinSlot>> {
        let Some(root) = self.vault.root_of_device(device) else {
            return Ok(None);
        };
        self.urgently(|| held(&self.pins).slot(&root, keeping, &self.session))
            .map(Some)
    }

    /// Take the pin that was made in `slot` into the vault.
    ///
    /// # Errors
    /// If there is nothing in the slot.
    pub fn adopt(&self, slot: &PinSlot) -> Result<Locator> {
        let stat = slot
            .dir
            .stat(&slot.name)?
            .ok_or_else(|| Error::io("find the pin", slot.path(), Errno::NOENT))?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
            return Err(Error::io("pin", slot.path(), Errno::ISDIR));
        }
        held(&self.pins).set_dirty(slot);
        let identity = PinIdentity::of(&stat);
        Ok(PinPlace {
            keeping: slot.keeping,
            root: slot.root,
            number: slot.number,
            identity,
        }
        .locator())
    }

    /// Remove what is in `slot`, if anything: the change it was for did not happen.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn discard(&self, slot: &PinSlot) -> Result<()> {
        slot.dir.unlink(&slot.name)
    }

    pub(crate) fn packs(&self, keeping: Keeping) -> MutexGuard<'_, Packs> {
        match keeping {
            Keeping::Lasting => held(&self.lasting),
            Keeping::Recreatable => held(&self.recreatable),
        }
    }

    /// Do `write`, and if the disk is full and this is a recovery, once more with the reserve's space.
    pub(crate) fn urgently<T>(&self, mut write: impl FnMut() -> Result<T>) -> Result<T> {
        match write() {
            Err(error) if error.is_disk_full() && self.urgent.load(Ordering::Relaxed) => {
                self.vault.release_reserve()?;
                write()
            }
            result => result,
        }
    }
}

impl Pins {
    fn slot(&mut self, root: &PinRoot, keeping: Keeping, session: &SessionId) -> Result<PinSlot> {
        let place = (root.number, keeping);
        if !self.dirs.contains_key(&place) {
            let (dir, new) = root.make_session(keeping, session)?;
            // Numbers given out before a crash are not given out again.
            let mut last = 0;
            dir.names(|name| last = last.max(pin_number(name).unwrap_or(0)))?;
            self.last = self.last.max(last);
            if new {
                root.find_all(keeping)?.as_ref().map_or(Ok(()), Dir::sync)?;
            }
            self.dirs.insert(
                place,
                PinDir {
                    dir: Arc::new(dir),
                    dirty: false,
                },
            );
        }
        let Some(pins) = self.dirs.get(&place) else {
            return Err(Error::io("find the pins of", session.as_str(), Errno::NOENT));
        };
        self.last += 1;
        Ok(PinSlot {
            dir: pins.dir.clone(),
            root: root.number,
            keeping,
            number: self.last,
            name: self.last.to_string(),
        })
    }

    fn set_dirty(&mut self, slot: &PinSlot) {
        if let Some(pins) = self.dirs.get_mut(&(slot.root, slot.keeping)) {
            pins.dirty = true;
        }
    }

    fn take_dirty(&mut self) -> Vec<Arc<Dir>> {
        let mut dirty = Vec::new();
        for pins in self.dirs.values_mut().filter(|pins| pins.dirty) {
            pins.dirty = false;
            dirty.push(pins.dir.clone());
        }
        dirty
    }
}

/// The value of a lock, also after a thread that held it has panicked: every holder leaves it whole at each step.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lock a session for writing or erasing, waiting at most `patience`. The lock goes with the descriptor, so with the death
/// of its holder.
pub(crate) fn lock(dir: &Dir, session: &SessionId, patience: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        match rustix::fs::flock(dir.fd(), FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => break,
            Err(Errno::WOULDBLOCK) if started.elapsed() < patience => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::Busy {
                    session: session.clone(),
                });
            }
            Err(error) => return Err(Error::io("lock", dir.path(), error)),
        }
    }
    let stat =
        rustix::fs::fstat(dir.fd()).map_err(|error| Error::io("look at the directory", dir.path(), error))?;
    // Erased while we waited.
    if stat.st_nlink == 0 {
        Err(Error::NoSession {
            session: session.clone(),
        })
    } else {
        Ok(())
    }
}
