//! Writing rows, within the transaction of a batch.

mod action;
mod erase;
mod settled;

use crate::Result;
use crate::names::{Names, Of};
use crate::rows::SessionRow;
use crate::tale::Tale;
use crate::walk::Lost;
use rescind_model::{SessionId, Timestamp};
use rescind_supervisor::entry::{Entry, EntryKind};
use rusqlite::{Connection, OptionalExtension as _, params};
use std::collections::{BTreeMap, BTreeSet};

/// Writes the rows of a batch.
pub(crate) struct Writer<'b> {
    connection: &'b Connection,
    names: &'b mut Names,
    /// The first and the last new row of each minute.
    minutes: BTreeMap<i64, (i64, i64)>,
    /// Actions whose state an undo may have changed.
    unsettled: BTreeSet<i64>,
}

/// What all actions of a session have in common.
struct Shared {
    row: i64,
    agent: i64,
    owner: i64,
    domain: i64,
    environment: i64,
    words: String,
}

impl<'b> Writer<'b> {
    pub fn new(connection: &'b Connection, names: &'b mut Names) -> Self {
        Self {
            connection,
            names,
            minutes: BTreeMap::new(),
            unsettled: BTreeSet::new(),
        }
    }

    fn word(&mut self, text: &str) -> Result<i64> {
        self.names.number(self.connection, Of::Words, text)
    }

    fn name(&mut self, text: &str) -> Result<i64> {
        self.names.number(self.connection, Of::Names, text)
    }

    /// A session's row and how far its journal was read.
    pub fn known(&self, id: &SessionId) -> Result<Option<(i64, u64)>> {
        let mut ask = self
            .connection
            .prepare_cached("SELECT id, offset FROM sessions WHERE sid = ?1")?;
        let found: Option<(i64, i64)> = ask
            .query_row([id.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(found.map(|(row, offset)| (row, u64::try_from(offset).unwrap_or(0))))
    }

    /// A session's row, with what the ledger alone says.
    pub fn begin(&mut self, id: &SessionId, seq: u64, entry: &Entry) -> Result<i64> {
        let (kind, none) = (self.word("")?, self.name("")?);
        let row = signed(seq);
        self.connection
            .prepare_cached(
                "INSERT INTO sessions (id, sid, kind, agent, owner, domain, environment, began_ms, began, last_seq)
                 VALUES (?1, ?2, ?6, ?3, ?3, ?3, ?3, ?4, ?5, ?1)",
            )?
            .execute(params![
                row,
                id.as_str(),
                none,
                milliseconds(&entry.time),
                entry.time,
                kind
            ])?;
        Ok(row)
    }

    /// The places of a session's actions, in order.
    pub fn places(&self, row: i64) -> Result<Vec<(i64, u64)>> {
        let mut ask = self
            .connection
            .prepare_cached("SELECT id, seq FROM actions WHERE session = ?1 ORDER BY id")?;
        let rows = ask.query_map([row], |row| {
            let seq: i64 = row.get(1)?;
            Ok((row.get(0)?, u64::try_from(seq).unwrap_or(0)))
        })?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// A session's journal can't be read.
    pub fn lost(&mut self, row: i64, lost: &Lost) -> Result<()> {
        match lost {
            Lost::Erased => {
                self.connection
                    .prepare_cached("UPDATE sessions SET erased = 1 WHERE id = ?1")?
                    .execute([row])?;
            }
            Lost::Unreadable(_) | Lost::Refused(_) => {
                let body = SessionRow {
                    damage: Some(lost.text()),
                    ..SessionRow::default()
                };
                self.connection
                    .prepare_cached("UPDATE sessions SET body = ?2 WHERE id = ?1 AND body IS NULL")?
                    .execute(params![row, serde_json::to_string(&body)?])?;
            }
        }
        Ok(())
    }

    /// What the ledger itself says of a session.
    pub fn ledger(&mut self, row: i64, seq: u64, entry: &Entry) -> Result<()> {
        let over = matches!(entry.kind, EntryKind::SessionEnded | EntryKind::SessionRecovered);
        let pruned = entry.kind == EntryKind::VaultPruned;
        if over || pruned {
            self.connection
                .prepare_cached(
                    "UPDATE sessions SET over = iif(?2, ?3, over), pruned = pruned OR ?4 WHERE id = ?1",
                )?
                .execute(params![row, over, entry.time, pruned])?;
        }
        self.connection
            .prepare_cached("UPDATE sessions SET last_seq = ?2 WHERE id = ?1")?
            .execute(params![row, signed(seq)])?;
        Ok(())
    }

    /// An entry that belongs to no session.
    pub fn control(&mut self, seq: u64, entry: &Entry) -> Result<()> {
        let note = entry.note.clone().unwrap_or_default();
        let kind = serde_json::to_value(entry.kind)?;
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO control (seq, time, kind, note) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                signed(seq),
                entry.time,
                kind.as_str().unwrap_or_default(),
                note
            ])?;
        Ok(())
    }

    /// Write down what became of a session since it was written last.
    pub fn tale(&mut self, row: i64, tale: &mut Tale, offset: u64, damage: Option<String>) -> Result<()> {
        let actions = tale.actions();
        let facts = tale.session();
        let mut session = facts.row;
        session.damage = damage;
        let shared = Shared {
            row,
            agent: self.name(&session.agent)?,
            owner: self.name(&session.owner)?,
            domain: self.name(&session.domain)?,
            environment: self.name(&session.environment)?,
            words: format!("{} {} {}", session.agent, session.owner, session.domain),
        };
        for (node, action) in std::mem::take(&mut tale.below) {
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO below (session, n, action) VALUES (?1, ?2, ?3)")?
                .execute(params![row, signed(node), signed(action)])?;
        }
        let taken = self.is_taken(&tale.id)?;
        for facts in actions {
            self.action(&shared, &facts)?;
            if taken {
                self.unsettled.insert(facts.id);
            }
        }
        for took in tale.took() {
            self.took(row, &took)?;
        }
        for of in &session.undoes {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO undone (sid, undo) VALUES (?1, ?2)")?
                .execute([of.as_str(), tale.id.as_str()])?;
        }
        if let Some(undo) = &facts.undo {
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO undos (undo, body) VALUES (?1, ?2)")?
                .execute([tale.id.as_str(), &serde_json::to_string(undo)?])?;
        }
        self.session(&shared, &session, &facts.supervisor, offset)
    }

    fn session(
        &mut self,
        shared: &Shared,
        session: &SessionRow,
        supervisor: &str,
        offset: u64,
    ) -> Result<()> {
        let text = format!(
            "{} {} {} {} {}",
            session.session, session.command, shared.words, session.environment, session.cwd
        );
        let kind = self.word(&session.kind)?;
        self.connection
            .prepare_cached(
                "UPDATE sessions SET kind = ?2, agent = ?3, owner = ?4, domain = ?5, environment = ?6, failures = ?7,
                 waiting = ?8, supervisor = ?9, offset = ?10, text = ?11, body = ?12 WHERE id = ?1",
            )?
            .execute(params![
                shared.row,
                kind,
                shared.agent,
                shared.owner,
                shared.domain,
                shared.environment,
                signed(session.failures),
                signed(session.waiting),
                supervisor,
                signed(offset),
                text.to_lowercase(),
                serde_json::to_string(session)?,
            ])?;
        Ok(())
    }

    /// How far the ledger is taken in now.
    pub fn position(&self, position: u64, next: i64, last: &str) -> Result<()> {
        let mut set = self
            .connection
            .prepare_cached("UPDATE meta SET value = ?2 WHERE key = ?1")?;
        set.execute(params!["position", signed(position)])?;
        set.execute(params!["next", next])?;
        set.execute(params!["last", last])?;
        Ok(())
    }
}

/// Whether an action in this state failed.
pub(crate) fn is_failure(state: &str) -> bool {
    matches!(state, "failed" | "killed" | "in_doubt")
}

/// A number as SQLite has it.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A time of the record in ms since the epoch.
fn milliseconds(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, Timestamp::milliseconds)
}
