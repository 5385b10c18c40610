//! The outbox's tables.

use super::{ChannelStatus, Delivery, OutboxError, State};
use crate::channels::Channels;
use crate::form::{Form, id_of};
use crate::message::{Event, Message};
use rescind_model::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The form of the tables.
const VERSION: i64 = 2;
/// How long what is told or given up is kept, milliseconds: so long the same key tells nobody a second time.
const KEPT: i64 = 30 * 86_400_000;
/// What is due later than this was put off by a clock that was wrong: it is due now. Milliseconds.
const FAR: i64 = 2 * 3_600_000;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS message (
    key TEXT PRIMARY KEY, id TEXT NOT NULL, event TEXT NOT NULL, action TEXT, at INTEGER NOT NULL, until INTEGER,
    link TEXT NOT NULL, form TEXT NOT NULL
) WITHOUT ROWID, STRICT;
CREATE INDEX IF NOT EXISTS message_at ON message (at);
CREATE INDEX IF NOT EXISTS message_action ON message (action) WHERE action IS NOT NULL;
CREATE TABLE IF NOT EXISTS delivery (
    number INTEGER PRIMARY KEY, key TEXT NOT NULL REFERENCES message (key) ON DELETE CASCADE, channel TEXT NOT NULL,
    target TEXT NOT NULL, state TEXT NOT NULL, tries INTEGER NOT NULL DEFAULT 0, since INTEGER NOT NULL,
    due INTEGER NOT NULL, tried INTEGER, error TEXT, UNIQUE (key, channel, target)
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (channel, tries, due) WHERE state = 'waiting';
CREATE INDEX IF NOT EXISTS delivery_state ON delivery (channel, state, tried);
CREATE TABLE IF NOT EXISTS reached (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL) STRICT;
";

/// The database, one connection for all threads: every use of it is short.
pub(super) struct Store {
    connection: Mutex<Connection>,
    path: String,
}

/// Something to send.
pub(super) struct Due {
    pub(super) number: i64,
    pub(super) id: String,
    pub(super) form: String,
    pub(super) target: String,
    pub(super) tries: u32,
    /// When it happened, or was taken up again, milliseconds.
    pub(super) since: i64,
    pub(super) until: Option<i64>,
    /// Why the last try failed.
    pub(super) error: Option<String>,
}

/// A file that only its owner reads.
pub(super) fn open_private(path: &Path) -> std::io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
}

impl Store {
    pub(super) fn open(path: &Path) -> Result<Self, OutboxError> {
        let shown = path.display().to_string();
        let file = |source| OutboxError::File {
            path: shown.clone(),
            source,
        };
        let database = |source| OutboxError::Database {
            path: shown.clone(),
            source,
        };
        // SQLite would make it readable to all; its companions take this file's mode.
        drop(open_private(path).map_err(file)?);
        let connection = Connection::open(path).map_err(database)?;
        connection
            .busy_timeout(Duration::from_secs(10))
            .map_err(database)?;
        let found = prepare(&connection).map_err(database)?;
        if found > VERSION {
            return Err(OutboxError::Newer {
                path: shown,
                found,
                known: VERSION,
            });
        }
        Ok(Self {
            connection: Mutex::new(connection),
            path: shown,
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>) -> Result<T, OutboxError> {
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut connection).map_err(|source| OutboxError::Database {
            path: self.path.clone(),
            source,
        })
    }

    /// Keep a message for its receivers. Returns for how many it is new.
    pub(super) fn put(
        &self,
        message: &Message,
        form: &Form,
        targets: &[(String, String)],
        now: i64,
    ) -> Result<usize, OutboxError> {
        let at = message.at.milliseconds();
        if at < now.saturating_sub(KEPT) {
            return Ok(0);
        }
        let json = serde_json::to_string(form).unwrap_or_default();
        self.with(|connection| {
            let transaction =
                connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            if message.event == Event::Decided
                && let Some(action) = &message.action
            {
                transaction.execute(
                    "UPDATE delivery SET state = 'overtaken', tried = ?3 WHERE state = 'waiting' AND key IN
                     (SELECT key FROM message WHERE action = ?1 AND at <= ?2
                      AND event IN ('held', 'moved', 'escalated'))",
                    params![action, at, now],
                )?;
            }
            let mut new = 0;
            if !targets.is_empty() {
                transaction.execute(
                    "INSERT OR IGNORE INTO message (key, id, event, action, at, until, link, form)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                    params![
                        message.key,
                        id_of(&message.key),
                        message.event.name(),
                        message.action,
                        at,
                        message.until.map(Timestamp::milliseconds),
                        message.link,
                        json
                    ],
                )?;
            }
            for (channel, target) in targets {
                new += transaction.execute(
                    "INSERT OR IGNORE INTO delivery (key, channel, target, state, since, due)
                     VALUES (?1, ?2, ?3, 'waiting', ?4, ?4)",
                    params![message.key, channel, target, now],
                )?;
            }
            transaction.commit()?;
            Ok(new)
        })
    }

    /// How far the ledger was gone through.
    pub(super) fn reached(&self) -> Result<Option<i64>, OutboxError> {
        self.with(|connection| {
            let mut ask = connection.prepare_cached("SELECT seq FROM reached")?;
            ask.query_row([], |row| row.get(0)).optional()
        })
    }

    /// It was gone through as far as this.
    pub(super) fn reach(&self, seq: i64) -> Result<(), OutboxError> {
        self.with(|connection| {
            let mut put =
                connection.prepare_cached("INSERT OR REPLACE INTO reached (one, seq) VALUES (1, ?1)")?;
            put.execute([seq]).map(drop)
        })
    }

    /// Actions that somebody was asked to decide, and nobody was told how that ended.
    pub(super) fn asked(&self) -> Result<Vec<String>, OutboxError> {
        self.with(|connection| {
            let mut ask = connection.prepare_cached(
                "SELECT DISTINCT action FROM message m WHERE event IN ('held', 'moved', 'escalated')
                 AND action IS NOT NULL AND NOT EXISTS
                 (SELECT 1 FROM message d WHERE d.action = m.action AND d.event = 'decided') ORDER BY action",
            )?;
            let rows = ask.query_map([], |row| row.get(0))?;
            rows.collect()
        })
    }

    /// What is due of a channel: what was tried least comes first, so that what can't be told keeps nothing else waiting.
    pub(super) fn due(&self, channel: &str, now: i64) -> Result<Option<Due>, OutboxError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "SELECT d.number, m.id, m.form, d.target, d.tries, d.since, m.until, d.error
                     FROM delivery d JOIN message m USING (key)
                     WHERE d.state = 'waiting' AND d.channel = ?1 AND (d.due <= ?2 OR d.due > ?3)
                     ORDER BY d.tries, d.due LIMIT 1",
                )?
                .query_row(params![channel, now, now.saturating_add(FAR)], |row| {
                    Ok(Due {
                        number: row.get(0)?,
                        id: row.get(1)?,
                        form: row.get(2)?,
                        target: row.get(3)?,
                        tries: row.get(4)?,
                        since: row.get(5)?,
                        until: row.get(6)?,
                        error: row.get(7)?,
                    })
                })
                .optional()
        })
    }

    /// When the next of a channel is due.
    pub(super) fn next(&self, channel: &str) -> Result<Option<i64>, OutboxError> {
        self.with(|connection| {
            connection
                .prepare_cached("SELECT min(due) FROM delivery WHERE state = 'waiting' AND channel = ?1")?
                .query_row([channel], |row| row.get(0))
        })
    }

    /// Before a try: it counts, and is due again after the wait, whatever becomes of this process. False where it no
    /// longer waits.
    pub(super) fn trying(&self, number: i64, now: i64, due: i64) -> Result<bool, OutboxError> {
        self.with(|connection| {
            let changed = connection
                .prepare_cached(
                    "UPDATE delivery SET tries = tries + 1, tried = ?2, due = ?3
                     WHERE number = ?1 AND state = 'waiting'",
                )?
                .execute(params![number, now, due])?;
            Ok(changed == 1)
        })
    }

    /// After a try, or instead of one.
    pub(super) fn ended(
        &self,
        number: i64,
        state: State,
        due: Option<i64>,
        error: Option<&str>,
        now: i64,
    ) -> Result<(), OutboxError> {
        self.with(|connection| {
            connection
                .prepare_cached(
                    "UPDATE delivery SET state = CASE WHEN state = 'waiting' OR ?2 = 'told' THEN ?2 ELSE state END,
                     due = coalesce(?3, due), error = coalesce(?4, error), tried = ?5 WHERE number = ?1",
                )?
                .execute(params![number, state.name(), due, error, now])?;
            Ok(())
        })
    }

    /// Give up what is for channels that are no longer there, and forget what is old.
    pub(super) fn tidy(&self, channels: &Channels, now: i64) -> Result<(), OutboxError> {
        let names: Vec<&str> = channels.iter().map(crate::Channel::name).collect();
        let names = serde_json::to_string(&names).unwrap_or_else(|_| "[]".to_owned());
        self.with(|connection| {
            connection.execute(
                "UPDATE delivery SET state = 'gave_up', tried = ?2, error = 'this channel is no longer configured'
                 WHERE state = 'waiting' AND channel NOT IN (SELECT value FROM json_each(?1))",
                params![names, now],
            )?;
            connection.execute(
                "DELETE FROM message WHERE at < ?1
                 AND NOT EXISTS (SELECT 1 FROM delivery d WHERE d.key = message.key AND d.state = 'waiting')",
                [now.saturating_sub(KEPT)],
            )?;
            Ok(())
        })
    }

    pub(super) fn retry(&self, channel: Option<&str>, now: i64) -> Result<usize, OutboxError> {
        self.with(|connection| {
            connection.execute(
                "UPDATE delivery SET state = 'waiting', tries = 0, since = ?2, due = ?2
                 WHERE state = 'gave_up' AND (?1 IS NULL OR channel = ?1)",
                params![channel, now],
            )
        })
    }

    pub(super) fn status(&self, channels: &Channels) -> Result<Vec<ChannelStatus>, OutboxError> {
        self.with(|connection| {
            let mut all: Vec<ChannelStatus> = channels
                .iter()
                .map(|channel| empty(channel.name(), channel.way().name(), channel.shown()))
                .collect();
            let mut others = connection.prepare("SELECT DISTINCT channel FROM delivery ORDER BY channel")?;
            for name in others.query_map([], |row| row.get::<_, String>(0))? {
                let name = name?;
                if channels.get(&name).is_none() {
                    all.push(empty(&name, "none", String::new()));
                }
            }
            for status in &mut all {
                fill(connection, status)?;
            }
            Ok(all)
        })
    }

    pub(super) fn deliveries(
        &self,
        channel: Option<&str>,
        state: Option<State>,
        most: usize,
    ) -> Result<Vec<Delivery>, OutboxError> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT m.key, m.id, m.event, m.at, d.channel, d.target, d.state, d.tries, d.due, d.error, m.link
                 FROM message m JOIN delivery d USING (key)
                 WHERE (?1 IS NULL OR d.channel = ?1) AND (?2 IS NULL OR d.state = ?2)
                 ORDER BY m.at DESC, d.number DESC LIMIT ?3",
            )?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = query.query_map(params![channel, state.map(State::name), most], delivery)?;
            rows.collect()
        })
    }
}

/// Settings and tables; the form that was found. A later form is left alone.
fn prepare(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    // Each form has what the one before it had, and more.
    if found < VERSION {
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE; {TABLES} PRAGMA user_version = {VERSION}; COMMIT;"
        ))?;
    }
    Ok(found)
}

fn empty(name: &str, way: &'static str, shown: String) -> ChannelStatus {
    ChannelStatus {
        name: name.to_owned(),
        way,
        shown,
        waiting: 0,
        told: 0,
        gave_up: 0,
        oldest: None,
        last_told: None,
        last_failure: None,
        next_try: None,
    }
}

fn fill(connection: &Connection, status: &mut ChannelStatus) -> rusqlite::Result<()> {
    let name = status.name.clone();
    let mut counts = connection.prepare_cached(
        "SELECT state, count(*), max(tried) FROM delivery WHERE channel = ?1 GROUP BY state",
    )?;
    let rows = counts.query_map([&name], |row| {
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, Option<i64>>(2)?,
        ))
    })?;
    for row in rows {
        let (state, count, last) = row?;
        let count = u64::try_from(count).unwrap_or(0);
        match State::from_name(&state) {
            State::Waiting => status.waiting = count,
            State::Told => (status.told, status.last_told) = (count, last.map(time)),
            State::GaveUp => status.gave_up = count,
            State::Overtaken => {}
        }
    }
    status.last_failure = connection
        .prepare_cached(
            "SELECT tried, error FROM delivery WHERE channel = ?1 AND error IS NOT NULL AND tried IS NOT NULL
             AND state IN ('waiting', 'gave_up') ORDER BY tried DESC LIMIT 1",
        )?
        .query_row([&name], |row| Ok((time(row.get(0)?), row.get(1)?)))
        .optional()?;
    (status.oldest, status.next_try) = connection
        .prepare_cached(
            "SELECT min(m.at), min(d.due) FROM delivery d JOIN message m USING (key)
             WHERE d.channel = ?1 AND d.state = 'waiting'",
        )?
        .query_row([&name], |row| {
            Ok((
                row.get::<_, Option<i64>>(0)?.map(time),
                row.get::<_, Option<i64>>(1)?.map(time),
            ))
        })?;
    Ok(())
}

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let state = State::from_name(&row.get::<_, String>(6)?);
    let due: i64 = row.get(8)?;
    Ok(Delivery {
        key: row.get(0)?,
        id: row.get(1)?,
        event: Event::from_name(&row.get::<_, String>(2)?).unwrap_or(Event::Test),
        at: time(row.get(3)?),
        channel: row.get(4)?,
        target: row.get(5)?,
        state,
        tries: row.get(7)?,
        due: (state == State::Waiting).then(|| time(due)),
        error: row.get(9)?,
        link: row.get(10)?,
    })
}

fn time(milliseconds: i64) -> Timestamp {
    Timestamp(milliseconds.saturating_mul(1_000_000))
}
