//! The tables (docs/formats/index.md). Nothing in them is not in the record: another version's are thrown away.

use crate::Result;
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

/// What is stored in them: raised where that changes and the tables do not.
const REVISION: i64 = 2;

/// The version of the tables, told by their own text, so that nobody has to remember to raise it.
pub(crate) const VERSION: i64 = fingerprint(TABLES) ^ REVISION;

/// FNV-1a (<http://www.isthe.com/chongo/tech/comp/fnv/>), without its sign.
const fn fingerprint(text: &str) -> i64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut rest = text.as_bytes();
    while let Some((byte, others)) = rest.split_first() {
        hash = (hash ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
        rest = others;
    }
    (hash & 0x7fff_ffff_ffff_fffe).cast_signed()
}

const TABLES: &str = "
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE words (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE names (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE sessions (
    id INTEGER PRIMARY KEY, sid TEXT NOT NULL UNIQUE, kind INTEGER NOT NULL, agent INTEGER NOT NULL,
    owner INTEGER NOT NULL, domain INTEGER NOT NULL, environment INTEGER NOT NULL, began_ms INTEGER NOT NULL,
    began TEXT NOT NULL, over TEXT, erased INTEGER NOT NULL DEFAULT 0, pruned INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, waiting INTEGER NOT NULL DEFAULT 0, supervisor TEXT NOT NULL DEFAULT '',
    offset INTEGER NOT NULL DEFAULT 0, last_seq INTEGER NOT NULL, text TEXT NOT NULL DEFAULT '', body TEXT);
CREATE INDEX sessions_open ON sessions (id) WHERE over IS NULL AND erased = 0;
CREATE INDEX sessions_agent ON sessions (agent);
CREATE INDEX sessions_owner ON sessions (owner);
CREATE INDEX sessions_domain ON sessions (domain);
CREATE INDEX sessions_environment ON sessions (environment);
CREATE TABLE actions (
    id INTEGER PRIMARY KEY, session INTEGER NOT NULL, n INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    agent INTEGER NOT NULL, owner INTEGER NOT NULL, domain INTEGER NOT NULL, environment INTEGER NOT NULL,
    role INTEGER NOT NULL, class INTEGER NOT NULL, verdict INTEGER NOT NULL, state INTEGER NOT NULL,
    base INTEGER NOT NULL, coverage INTEGER NOT NULL, surface INTEGER NOT NULL, score INTEGER, effects INTEGER NOT NULL,
    failed INTEGER NOT NULL, body TEXT NOT NULL);
CREATE UNIQUE INDEX actions_n ON actions (session, n);
CREATE INDEX actions_session ON actions (session);
CREATE INDEX actions_timeline ON actions (session, at_ms, surface, verdict, failed, effects, n);
CREATE INDEX actions_time ON actions (at_ms, domain, class, verdict, failed);
CREATE INDEX actions_agent ON actions (agent);
CREATE INDEX actions_owner ON actions (owner);
CREATE INDEX actions_domain ON actions (domain);
CREATE INDEX actions_class ON actions (class);
CREATE INDEX actions_verdict ON actions (verdict);
CREATE INDEX actions_state ON actions (state);
CREATE INDEX actions_coverage ON actions (coverage);
CREATE INDEX actions_failed ON actions (id) WHERE failed = 1;
CREATE INDEX actions_risky ON actions (id) WHERE score >= 70;
CREATE TABLE minutes (minute INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL);
CREATE TABLE below (session INTEGER, n INTEGER, action INTEGER NOT NULL, PRIMARY KEY (session, n)) WITHOUT ROWID;
CREATE TABLE paths (id INTEGER PRIMARY KEY, path TEXT NOT NULL UNIQUE);
CREATE TABLE changes (
    action INTEGER, path INTEGER, kind INTEGER NOT NULL, source TEXT, captured INTEGER NOT NULL,
    PRIMARY KEY (action, path)) WITHOUT ROWID;
CREATE INDEX changes_path ON changes (path, action);
CREATE TABLE took (sid TEXT, n INTEGER, step INTEGER, state INTEGER NOT NULL, PRIMARY KEY (sid, n, step)) WITHOUT ROWID;
CREATE INDEX took_step ON took (step);
CREATE TABLE undone (sid TEXT, undo TEXT, PRIMARY KEY (sid, undo)) WITHOUT ROWID;
CREATE TABLE undos (undo TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE control (seq INTEGER PRIMARY KEY, time TEXT NOT NULL, kind TEXT NOT NULL, note TEXT NOT NULL);
CREATE VIRTUAL TABLE texts USING fts5(
    text, facets, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');
";

/// Open the database to write.
pub(crate) fn writer(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    // What is erased is to be gone from the file, too.
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA secure_delete = ON;
         PRAGMA cache_size = -32768; PRAGMA wal_autocheckpoint = 4000; PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Open the database to read.
pub(crate) fn reader(path: &Path) -> Result<Connection> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.execute_batch(
        "PRAGMA query_only = ON; PRAGMA cache_size = -8192; PRAGMA mmap_size = 268435456; PRAGMA temp_store = MEMORY;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// The version of the tables that are there; `None`: there are none.
pub(crate) fn version(connection: &Connection) -> Result<Option<i64>> {
    let there: i64 = connection.query_row(
        "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'meta'",
        [],
        |row| row.get(0),
    )?;
    if there == 0 {
        return Ok(None);
    }
    let found = connection.query_row("SELECT value FROM meta WHERE key = 'version'", [], |row| {
        row.get(0)
    });
    match found {
        Ok(version) => Ok(Some(version)),
        Err(rusqlite::Error::QueryReturnedNoRows) => Ok(Some(0)),
        Err(error) => Err(error.into()),
    }
}

/// Throw away what is there and make the tables anew, for the ledger with this key. Within a transaction.
pub(crate) fn make(connection: &Connection, ledger: &str) -> Result<()> {
    let names: Vec<String> = connection
        .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'texts_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<std::result::Result<_, _>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP TABLE \"{}\"", name.replace('"', "\"\"")))?;
    }
    connection.execute_batch(TABLES)?;
    let mut set = connection.prepare("INSERT INTO meta (key, value) VALUES (?1, ?2)")?;
    set.execute(("version", VERSION))?;
    set.execute(("ledger", ledger))?;
    set.execute(("position", 0_i64))?;
    set.execute(("last", ""))?;
    set.execute(("next", 0_i64))?;
    set.execute(("scrub", 0_i64))?;
    Ok(())
}
