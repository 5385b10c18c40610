//! The file: how it is opened, by several processes at once, and how a change gets into it.

use crate::error::AccessError;
use crate::record::{Change, Recorder};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The format's number, in the file as `user_version`.
const FORMAT: i64 = 1;
/// "rsac": what a file of this kind has as `application_id`.
const APPLICATION: i64 = 0x7273_6163;
/// How long a process waits for another one's change.
const WAIT: Duration = Duration::from_secs(10);
/// Connections kept open for reading.
const KEPT: usize = 8;

/// Seconds for which it is kept that a recorded change was made: 400 days.
const REMEMBERED: i64 = 400 * 86_400;

const SCHEMA: &str = include_str!("schema.sql");

/// The file, opened.
pub(crate) struct Database {
    path: PathBuf,
    /// Held over a whole change; other processes are kept out by SQLite's own lock.
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// For what may as well not be written: it waits for nobody, nor for the disk.
    courtesy: Mutex<Connection>,
}

impl Database {
    /// Open it, or make it.
    pub fn open(path: &Path) -> Result<Self, AccessError> {
        let file = |source| AccessError::File {
            path: path.to_owned(),
            source,
        };
        // SQLite gives its companions `-wal` and `-shm` the mode of the file itself.
        let made = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(file)?;
        let mode = made.metadata().map_err(file)?.permissions().mode();
        if mode & 0o077 != 0 {
            made.set_permissions(Permissions::from_mode(0o600))
                .map_err(file)?;
        }
        // Closing it would drop the locks that another connection of this process holds: it is, before there is one.
        drop(made);
        let writer = connect(path).map_err(|source| store(path, source))?;
        let courtesy = connect(path)
            .and_then(|courtesy| {
                courtesy.busy_timeout(Duration::ZERO)?;
                courtesy.pragma_update(None, "synchronous", "normal")?;
                Ok(courtesy)
            })
            .map_err(|source| store(path, source))?;
        let database = Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::new(Vec::new()),
            courtesy: Mutex::new(courtesy),
        };
        database.prepare()?;
        Ok(database)
    }

    /// Make the tables, once.
    fn prepare(&self) -> Result<(), AccessError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let fail = |source| store(&self.path, source);
        let tx = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(fail)?;
        let number = |name: &str| tx.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let (format, application) = (
            number("user_version").map_err(fail)?,
            number("application_id").map_err(fail)?,
        );
        match (format, application) {
            (0, 0) => {
                tx.execute_batch(SCHEMA).map_err(fail)?;
                tx.pragma_update(None, "user_version", FORMAT).map_err(fail)?;
                tx.pragma_update(None, "application_id", APPLICATION)
                    .map_err(fail)?;
            }
            (FORMAT, APPLICATION) => {
                tx.execute("DELETE FROM changes WHERE at < unixepoch() - ?1", [REMEMBERED])
                    .map_err(fail)?;
            }
            (format, _) => {
                return Err(self.damaged(format!(
                    "its format is {format}, and this program knows format {FORMAT}: a newer release made it"
                )));
            }
        }
        tx.commit().map_err(fail)
    }

    /// Make a change: what `work` does takes effect once `recorder` has what it returns, or not at all. Without a change
    /// to record nothing is recorded: counters, and times of use.
    pub fn change<T>(
        &self,
        recorder: &dyn Recorder,
        work: impl FnOnce(&Transaction<'_>) -> Result<(T, Vec<Change>), AccessError>,
    ) -> Result<T, AccessError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let tx = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(|source| store(&self.path, source))?;
        let (value, changes) = work(&tx)?;
        for change in &changes {
            tx.prepare_cached("INSERT INTO changes (id, at) VALUES (?1, unixepoch())")
                .and_then(|mut insert| insert.execute([change.id()]))
                .map_err(|source| store(&self.path, source))?;
        }
        let mut recorded = Vec::new();
        for change in &changes {
            if let Err(source) = recorder.record(change) {
                withdraw(recorder, &recorded);
                return Err(AccessError::NotRecorded { source });
            }
            recorded.push(change);
        }
        tx.commit().map_err(|source| {
            withdraw(recorder, &recorded);
            store(&self.path, source)
        })?;
        Ok(value)
    }

    /// Read, beside whoever writes.
    pub fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, AccessError>,
    ) -> Result<T, AccessError> {
        let kept = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match kept {
            Some(reader) => reader,
            None => connect(&self.path).map_err(|source| store(&self.path, source))?,
        };
        let value = work(&reader);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if readers.len() < KEPT {
            readers.push(reader);
        }
        value
    }

    /// Note a time of use, if that can be done at once: who proves who they are waits for nobody's change, and works on a
    /// full disk.
    pub fn courtesy(&self, sql: &str, values: impl rusqlite::Params) {
        if let Ok(courtesy) = self.courtesy.try_lock() {
            let _next_time_then = courtesy
                .prepare_cached(sql)
                .and_then(|mut statement| statement.execute(values));
        }
    }

    pub fn fail(&self, source: rusqlite::Error) -> AccessError {
        store(&self.path, source)
    }

    pub fn damaged(&self, what: String) -> AccessError {
        AccessError::Damaged {
            path: self.path.clone(),
            what,
        }
    }
}

/// Say of what was recorded that it was not made. If that can't be recorded either, the file still tells: it has no such
/// change.
fn withdraw(recorder: &dyn Recorder, recorded: &[&Change]) {
    for change in recorded {
        let _the_file_tells = recorder.record(&change.withdrawn());
    }
}

fn store(path: &Path, source: rusqlite::Error) -> AccessError {
    AccessError::Store {
        path: path.to_owned(),
        source,
    }
}

fn connect(path: &Path) -> Result<Connection, rusqlite::Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(WAIT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // A change is on the disk when it is answered, revocations above all.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "secure_delete", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
