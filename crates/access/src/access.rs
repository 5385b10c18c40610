//! The service: one file, shared.

use crate::database::Database;
use crate::error::AccessError;
use crate::hashing::Hashing;
use crate::principal::Principal;
use crate::record::{Change, Recorder};
use crate::secret::{Hashed, Kind, kind_of, random_id};
use rescind_model::Timestamp;
use rusqlite::{Connection, Transaction};
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What can be set.
#[derive(Clone)]
pub struct Options {
    /// What time it is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// How many passwords are hashed at once; each takes 19 MiB and some 20 ms of a processor.
    pub hashing: usize,
    /// How many may wait for that before others are told to come back.
    pub waiting: usize,
}

/// Who may do what. Cheap to clone; used from any thread; every call may block.
#[derive(Clone)]
pub struct Access(Arc<Inner>);

struct Inner {
    database: Database,
    recorder: Arc<dyn Recorder>,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    hashing: Hashing,
}

/// What a change works with.
pub(crate) struct Work<'a> {
    pub tx: &'a Transaction<'a>,
    pub database: &'a Database,
    pub now: Timestamp,
    pub changes: Vec<Change>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(now),
            hashing: 2,
            waiting: 32,
        }
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Access(..)")
    }
}

impl Access {
    /// Open the file at `path`, or make it, with mode 600.
    ///
    /// # Errors
    /// It can't be opened, or a newer release made it.
    pub fn open(path: &Path, recorder: Arc<dyn Recorder>) -> Result<Self, AccessError> {
        Self::open_with(path, recorder, Options::default())
    }

    /// The same, with other settings.
    ///
    /// # Errors
    /// As [`Access::open`].
    pub fn open_with(
        path: &Path,
        recorder: Arc<dyn Recorder>,
        options: Options,
    ) -> Result<Self, AccessError> {
        Ok(Self(Arc::new(Inner {
            database: Database::open(path)?,
            recorder,
            clock: options.clock,
            hashing: Hashing::new(options.hashing, options.waiting)?,
        })))
    }

    /// Who a bearer token is: an API token or an agent's. A lookup by hash; takes tens of microseconds.
    ///
    /// # Errors
    /// It is not known, has ended, or was revoked.
    pub fn authenticate(&self, credential: &str) -> Result<Principal, AccessError> {
        match kind_of(credential) {
            Some(Kind::Token) => self
                .token_principal(&Hashed::of(credential))
                .map(Principal::Token),
            Some(Kind::Agent) => self
                .agent_principal(&Hashed::of(credential))
                .map(Principal::Agent),
            Some(Kind::Cookie | Kind::Browser) | None => Err(AccessError::Unknown),
        }
    }

    /// Whether a change that was recorded took effect: one whose process was killed in between did not.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn was_made(&self, change: &str) -> Result<bool, AccessError> {
        self.read(|connection| {
            connection
                .query_row(
                    "SELECT EXISTS (SELECT 1 FROM changes WHERE id = ?1)",
                    [change],
                    |row| row.get(0),
                )
                .map_err(|source| self.database().fail(source))
        })
    }

    /// The time, as this sees it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    pub(crate) fn hashing(&self) -> &Hashing {
        &self.0.hashing
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    /// Make a change; see [`Database::change`].
    pub(crate) fn change<T>(
        &self,
        work: impl FnOnce(&mut Work<'_>) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        let Inner {
            database, recorder, ..
        } = &*self.0;
        database.change(recorder.as_ref(), |tx| {
            let mut all = Work {
                tx,
                database,
                // Read under the lock, so that times in the file are in order.
                now: self.now(),
                changes: Vec::new(),
            };
            let value = work(&mut all)?;
            Ok((value, all.changes))
        })
    }

    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        self.0.database.read(work)
    }
}

impl Work<'_> {
    /// Say what is changed.
    pub fn note(
        &mut self,
        what: &'static str,
        who: impl Into<String>,
        by: impl Into<String>,
        more: impl FnOnce(Change) -> Change,
    ) -> Result<(), AccessError> {
        let change = Change::new(random_id()?, what, who, by);
        self.changes.push(more(change));
        Ok(())
    }

    /// Run a statement; how many rows it changed.
    pub fn run(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize, AccessError> {
        self.tx
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|source| self.database.fail(source))
    }
}

/// A time from now on, at most as far as numbers go.
pub(crate) fn after(now: Timestamp, time: Duration) -> Timestamp {
    let nanoseconds = i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(nanoseconds))
}
