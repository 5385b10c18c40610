//! The projection: opened, followed by one process at a time, read by any number.

use crate::follow::{BATCH, Follower, Progress};
use crate::{Error, Result, schema};
use rusqlite::{Connection, TransactionBehavior};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rescind_supervisor::Store;

/// How many connections are kept for readers.
const READERS: usize = 8;

/// The projection of a store's ledger. Clones share it; it may be used from any number of threads.
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    store: Arc<Store>,
    readers: Mutex<Vec<Connection>>,
    /// What follows the ledger, where this process is the one that does.
    follower: Mutex<Option<Follower>>,
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Index({})", self.inner.path.display())
    }
}

impl Index {
    /// Open the projection at `path`, made where it is not there. What is of another version, of another ledger, or of a
    /// ledger that went another way since, is thrown away and made anew by [`Index::follow`].
    ///
    /// # Errors
    /// The file can't be used, or another version's process keeps it.
    pub fn open(path: &Path, store: Arc<Store>) -> Result<Self> {
        let index = Self {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                store,
                readers: Mutex::default(),
                follower: Mutex::default(),
            }),
        };
        index.take_lead()?;
        if index.inner.leads().is_none() {
            // Whoever follows has made it, or is about to.
            index.await_tables()?;
        }
        Ok(index)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The store it is a projection of.
    #[must_use]
    pub fn store(&self) -> &Arc<Store> {
        &self.inner.store
    }

    /// Take in everything that is new in the ledger, where no other process does. How many entries are taken in, by
    /// whomever.
    ///
    /// # Errors
    /// The ledger can't be read or the database not be written. What was taken in stays.
    pub fn follow(&self) -> Result<u64> {
        self.follow_with(&mut |_| {})
    }

    /// The same, with a word after each batch.
    ///
    /// # Errors
    /// As [`Index::follow`].
    pub fn follow_with(&self, progress: &mut dyn FnMut(Progress)) -> Result<u64> {
        self.follow_by(BATCH, progress)
    }

    /// The same, in transactions of so many entries: for tests, which kill it between and within them.
    #[doc(hidden)]
    pub fn follow_by(&self, batch: usize, progress: &mut dyn FnMut(Progress)) -> Result<u64> {
        self.take_lead()?;
        let mut follower = self.inner.leads();
        let Some(own) = follower.as_mut() else {
            drop(follower);
            return self.position();
        };
        let done = own.follow(batch, progress);
        if done.is_err() {
            // Whatever went wrong, what is in memory may not be what is on the disk.
            *follower = None;
        }
        done
    }

    /// Whether this process is the one that follows the ledger. Another is asked again at each [`Index::follow`].
    #[must_use]
    pub fn is_follower(&self) -> bool {
        self.inner.leads().is_some()
    }

    /// How many entries of the ledger are taken in.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn position(&self) -> Result<u64> {
        self.read(position)
    }

    /// Read with a connection of the pool, in one transaction: all that is read is of the same moment.
    pub(crate) fn read<T>(&self, ask: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let pool = || self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = pool().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => schema::reader(&self.inner.path)?,
        };
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let answer = ask(&transaction);
        drop(transaction);
        let mut pool = pool();
        if pool.len() < READERS {
            pool.push(connection);
        }
        answer
    }

    /// Become the one that follows, where nobody is.
    fn take_lead(&self) -> Result<()> {
        let mut follower = self.inner.leads();
        if follower.is_some() {
            return Ok(());
        }
        let Some(lock) = self.lock()? else {
            return Ok(());
        };
        let connection = self.prepare()?;
        *follower = Some(Follower::new(Arc::clone(&self.inner.store), connection, lock)?);
        Ok(())
    }

    /// The lock of the one that follows; `None`: somebody has it.
    fn lock(&self) -> Result<Option<File>> {
        let path = beside(&self.inner.path, "lock");
        let fail = |doing, source| Error::File {
            doing,
            path: path.clone(),
            source,
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|source| fail("make the folder of", source))?;
        }
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let file = file.map_err(|source| fail("open", source))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(fail("lock", error.into())),
        }
    }

    /// The database with tables of this version for this ledger.
    fn prepare(&self) -> Result<Connection> {
        match self.prepare_once() {
            Err(Error::Database(error)) if is_no_database(&error) => {
                for ending in ["", "-wal", "-shm"] {
                    let mut path = self.inner.path.clone().into_os_string();
                    path.push(ending);
                    let _not_there = std::fs::remove_file(&path);
                }
                self.inner
                    .readers
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clear();
                self.prepare_once()
            }
            prepared => prepared,
        }
    }

    fn prepare_once(&self) -> Result<Connection> {
        let private = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.inner.path);
        drop(private.map_err(|source| Error::File {
            doing: "make",
            path: self.inner.path.clone(),
            source,
        })?);
        let mut connection = schema::writer(&self.inner.path)?;
        if !self.belongs(&connection)? {
            let key = self.inner.store.ledger().verifier_key();
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            schema::make(&transaction, &key)?;
            transaction.commit()?;
        }
        Ok(connection)
    }

    /// Whether what is there is of this version, this ledger, and a beginning of it.
    fn belongs(&self, connection: &Connection) -> Result<bool> {
        if schema::version(connection)? != Some(schema::VERSION) {
            return Ok(false);
        }
        let ledger = self.inner.store.ledger();
        let text = |key: &str| -> Result<String> {
            Ok(connection.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0))?)
        };
        if text("ledger")? != ledger.verifier_key() {
            return Ok(false);
        }
        let position = position(connection)?;
        let Some(last) = position.checked_sub(1) else {
            return Ok(true);
        };
        if ledger.len()? < position {
            return Ok(false);
        }
        let entry = ledger.read(last..position)?;
        let digest = entry
            .first()
            .map(|entry| rescind_model::Digest::of(entry).to_string());
        Ok(digest == Some(text("last")?))
    }

    /// Wait for the tables that another process is making.
    fn await_tables(&self) -> Result<()> {
        let begun = std::time::Instant::now();
        loop {
            let found = schema::reader(&self.inner.path).and_then(|reader| schema::version(&reader));
            match found {
                Ok(Some(schema::VERSION)) => return Ok(()),
                _ if begun.elapsed() > std::time::Duration::from_secs(10) => {
                    return Err(Error::Version {
                        path: self.inner.path.clone(),
                    });
                }
                _ => std::thread::sleep(std::time::Duration::from_millis(20)),
            }
        }
    }
}

impl Inner {
    fn leads(&self) -> std::sync::MutexGuard<'_, Option<Follower>> {
        self.follower.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many entries of the ledger are taken in.
pub(crate) fn position(connection: &Connection) -> Result<u64> {
    let position: i64 = connection
        .prepare_cached("SELECT value FROM meta WHERE key = 'position'")?
        .query_row([], |row| row.get(0))?;
    Ok(u64::try_from(position).unwrap_or(0))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

fn is_no_database(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}
