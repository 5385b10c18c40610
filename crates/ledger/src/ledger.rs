//! The handle by which a process uses a ledger.

use crate::chain::Position;
use crate::checkpoint::Checkpoint;
use crate::cursor::Cursor;
use crate::disk::{Disk, Probe};
use crate::error::{Error, Result};
use crate::frame::MAX_ENTRY;
use crate::frontier::Frontier;
use crate::key;
use crate::log::Log;
use crate::mirror;
use crate::note::Signer;
use crate::queue::{Queue, Work};
use crate::scribe::{self, Scribe};
use crate::tail::Tail;
use rescind_model::Level;
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How to open a ledger.
#[derive(Clone)]
pub struct Options {
    /// How long another process may hold the lock without appending before its segment is taken over.
    pub patience: Duration,
    /// For tests: a hold on every write.
    #[doc(hidden)]
    pub probe: Option<Arc<dyn Probe>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(1),
            probe: None,
        }
    }
}

/// A ledger, open in this process. Clones are the same handle; it may be used from any number of threads.
#[derive(Clone)]
pub struct Ledger {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub log: Log,
    pub signer: Signer,
    pub tail: Mutex<Tail>,
    scribe: Mutex<Scribe>,
    /// The scribe's frontier, for readers, who don't wait for a signing.
    known: Mutex<Arc<Frontier>>,
    queue: Queue,
    sync_failed: AtomicBool,
    /// The last epoch whose segment's name is known to be on the disk.
    named: AtomicU32,
    pub bell: Bell,
    trouble: Mutex<BTreeMap<String, String>>,
}

/// What the background service waits for.
#[derive(Default)]
pub(crate) struct Bell {
    pub unsynced: AtomicBool,
    pub grown: AtomicBool,
    pub state: Mutex<bool>,
    pub rung: Condvar,
}

impl Bell {
    fn ring(&self, level: Level) {
        let news = !self.grown.swap(true, Ordering::AcqRel);
        let unsynced = level == Level::Process && !self.unsynced.swap(true, Ordering::AcqRel);
        if news || unsynced {
            drop(guard(&self.state));
            self.rung.notify_all();
        }
    }
}

impl Ledger {
    /// Open the ledger in `dir`, made with its key if there is none. Reads what lies behind the last
    /// checkpoint, not more.
    ///
    /// # Errors
    /// If the directory can't be used, its key is gone, or it holds fewer entries than its checkpoint.
    pub fn open(dir: &Path, options: &Options) -> Result<Self> {
        let disk = Disk::open(dir, options.probe.clone())?;
        disk.sweep(&disk.names()?);
        let signer = key::load_or_make(&disk)?;
        let log = Log::open(disk, options.patience)?;
        let scribe = Scribe::open(&log, signer.verifier())?;
        let mut tail = Tail::open(&log, scribe.frontier().position)?;
        let checkpoint = scribe::current(&log, signer.verifier())?;
        if checkpoint.is_none() {
            // Later it is never made anew: that it is gone must stay visible.
            mirror::make_list(&log.disk, &signer)?;
        }
        let covered = checkpoint.map_or(0, |(_, checkpoint)| checkpoint.size);
        if covered > tail.position().index {
            // Others append and sign while we open: what a checkpoint covers was there before it.
            tail.refresh(&log)?;
        }
        if covered > tail.position().index {
            let place = tail.position();
            let what = format!("it ends where its checkpoint covers {covered} entries");
            return Err(Error::damaged(
                &log.path(place.epoch),
                place.offset,
                place.index,
                what,
            ));
        }
        let inner = Inner {
            log,
            signer,
            tail: Mutex::new(tail),
            known: Mutex::new(scribe.frontier()),
            scribe: Mutex::new(scribe),
            queue: Queue::default(),
            sync_failed: AtomicBool::new(false),
            named: AtomicU32::new(0),
            bell: Bell::default(),
            trouble: Mutex::default(),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.inner.log.disk.path()
    }

    /// Append an entry of 1 to 65,535 bytes; its index. It is durable as `level` says when this returns.
    ///
    /// # Errors
    /// [`Error::Full`]: the disk is full and nothing was recorded. Others say what they mean for the entry.
    pub fn append(&self, entry: &[u8], level: Level) -> Result<u64> {
        self.one(entry, level, false)
    }

    /// As [`Ledger::append`], for an entry that must still fit when the disk is full: the end of a stop, the
    /// receipt of an undo. At least [`crate::RESERVE`] bytes are kept for such entries.
    ///
    /// # Errors
    /// As [`Ledger::append`].
    pub fn append_from_reserve(&self, entry: &[u8], level: Level) -> Result<u64> {
        self.one(entry, level, true)
    }

    /// Append entries in order; their indexes, which ascend. They follow one another unless another process
    /// took over in between, or they are more than 1 MiB.
    ///
    /// # Errors
    /// As [`Ledger::append`]; [`Error::Partly`] says how many are in.
    pub fn append_batch(&self, entries: &[Vec<u8>], level: Level) -> Result<Vec<u64>> {
        self.many(entries.to_vec(), level, false)
    }

    fn one(&self, entry: &[u8], level: Level, from_reserve: bool) -> Result<u64> {
        let indexes = self.many(vec![entry.to_vec()], level, from_reserve)?;
        indexes
            .first()
            .copied()
            .ok_or(Error::EntrySize { bytes: entry.len() })
    }

    fn many(&self, entries: Vec<Vec<u8>>, level: Level, from_reserve: bool) -> Result<Vec<u64>> {
        if let Some(wrong) = entries
            .iter()
            .find(|entry| entry.is_empty() || entry.len() > MAX_ENTRY)
        {
            return Err(Error::EntrySize { bytes: wrong.len() });
        }
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let result = self
            .inner
            .queue
            .append(&*self.inner, entries, level, from_reserve);
        self.inner.bell.ring(level);
        result
    }

    /// How many entries there are, those that other processes appended included.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn len(&self) -> Result<u64> {
        let mut tail = guard(&self.inner.tail);
        tail.refresh(&self.inner.log)?;
        Ok(tail.position().index)
    }

    /// Whether there are no entries.
    ///
    /// # Errors
    /// If the ledger can't be read.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The entries of `range`, all in memory. For long ranges use [`Ledger::cursor`].
    ///
    /// # Errors
    /// [`Error::NoEntry`] if the range ends behind the last entry.
    pub fn read(&self, range: Range<u64>) -> Result<Vec<Vec<u8>>> {
        let mut cursor = self.cursor(range.start)?;
        let mut entries = Vec::new();
        for index in range {
            let Some((_, entry)) = cursor.advance()? else {
                return Err(Error::NoEntry {
                    index,
                    length: self.len()?,
                });
            };
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Read from entry `from` on, at most one behind the last. The cursor follows the ledger as it grows.
    ///
    /// # Errors
    /// [`Error::NoEntry`] if there are fewer entries.
    pub fn cursor(&self, from: u64) -> Result<Cursor> {
        Cursor::open(self, from)
    }

    /// Sign a checkpoint over all entries, durable at level `power`, unless there is one already; `None`:
    /// there are no entries.
    ///
    /// # Errors
    /// [`Error::Damaged`] if the entries contradict an earlier checkpoint: then nothing is signed.
    pub fn checkpoint(&self) -> Result<Option<Checkpoint>> {
        let inner = &*self.inner;
        let mut scribe = guard(&inner.scribe);
        let signed = scribe.sign(&inner.log, &inner.tail, &inner.signer, || inner.sync())?;
        *guard(&inner.known) = scribe.frontier();
        Ok(signed)
    }

    /// The current checkpoint, as somebody signed it last.
    ///
    /// # Errors
    /// If it can't be read or is not signed by the ledger's key.
    pub fn last_checkpoint(&self) -> Result<Option<Checkpoint>> {
        let inner = &*self.inner;
        Ok(scribe::current(&inner.log, inner.signer.verifier())?.map(|(_, checkpoint)| checkpoint))
    }

    /// The public key as a vkey of C2SP signed-note: `<name>+<id>+<base64>`.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.inner.signer.verifier().to_string()
    }

    /// Make everything that was appended so far, by this process, durable at level `power`.
    ///
    /// # Errors
    /// [`Error::SyncFailed`] if a sync failed, now or earlier.
    pub fn sync(&self) -> Result<()> {
        self.inner.sync()
    }

    /// What the background service could not do at its latest try, by what it was doing: `sync`,
    /// `checkpoint`, `mirror <where>`. Empty: all is well.
    #[must_use]
    pub fn trouble(&self) -> BTreeMap<String, String> {
        guard(&self.inner.trouble).clone()
    }
}

impl Inner {
    /// The last known place at or before entry `index`.
    pub fn before(&self, index: u64) -> Option<Position> {
        guard(&self.known).before(index)
    }
    /// Remember how the latest try of `task` ended.
    pub fn note_trouble<E: std::error::Error>(&self, task: &str, result: std::result::Result<(), E>) {
        let mut trouble = guard(&self.trouble);
        match result {
            Ok(()) => drop(trouble.remove(task)),
            Err(error) => drop(trouble.insert(task.to_owned(), rescind_model::chain(&error))),
        }
    }
}

impl Work for Inner {
    fn write(&self, entries: &[&[u8]], from_reserve: bool) -> (Vec<u64>, Option<Error>) {
        let appended = guard(&self.tail).append(&self.log, entries, from_reserve);
        (appended.indexes, appended.error)
    }

    /// Segments before the last one were synced before the last one began. After a failure the kernel may
    /// take unwritten pages for written, so that a later success would prove nothing: it is final for this
    /// handle.
    fn sync(&self) -> Result<()> {
        let chain = self.log.chain();
        let segment = chain.last();
        let failed = || Error::SyncFailed {
            path: segment.path.clone(),
        };
        if self.sync_failed.load(Ordering::Acquire) {
            return Err(failed());
        }
        if let Err(source) = self.log.disk.sync(&segment.file) {
            self.sync_failed.store(true, Ordering::Release);
            return Err(Error::io(
                "sync",
                &segment.path,
                "what was recorded may not survive a power cut",
            )(source));
        }
        if self.named.load(Ordering::Acquire) < segment.header.epoch {
            self.log.disk.sync_dir()?;
            self.named.store(segment.header.epoch, Ordering::Release);
        }
        Ok(())
    }
}

pub(crate) fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
