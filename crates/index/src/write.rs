//! Writing rows, within the transaction of a batch.

use crate::Result;
use crate::body::Body;
use crate::names::{Names, Of};
use crate::rows::{ActionRow, ChangeRow, SessionRow};
use crate::tale::{ActionFacts, Tale, Took};
use crate::walk::Lost;
use rescind_model::{ActionId, SessionId, Timestamp};
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

    fn action(&mut self, shared: &Shared, facts: &ActionFacts) -> Result<()> {
        let ActionFacts { id, row, changes } = facts;
        let at = milliseconds(&row.time);
        let class = self.word(&row.class)?;
        let state = self.word(&row.state)?;
        let words = [&row.role, &row.verdict, &row.coverage, &row.surface];
        let [role, verdict, coverage, surface] = words.map(|text| self.word(text));
        self.connection
            .prepare_cached(
                "INSERT INTO actions (id, session, n, seq, at_ms, agent, owner, domain, environment, role, class, verdict,
                 state, base, coverage, surface, score, effects, failed, body)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
                 ON CONFLICT (id) DO UPDATE SET class = excluded.class, verdict = excluded.verdict,
                 state = excluded.state, base = excluded.base, coverage = excluded.coverage, score = excluded.score,
                 effects = excluded.effects, failed = excluded.failed, body = excluded.body",
            )?
            .execute(params![
                id,
                shared.row,
                signed(row.n),
                signed(row.seq),
                at,
                shared.agent,
                shared.owner,
                shared.domain,
                shared.environment,
                role?,
                class,
                verdict?,
                state,
                coverage?,
                surface?,
                row.score,
                signed(row.effects),
                is_failure(&row.state),
                serde_json::to_string(&Body::of(row))?,
            ])?;
        let minute = self.minutes.entry(at.div_euclid(60_000)).or_insert((*id, *id));
        *minute = (minute.0.min(*id), minute.1.max(*id));
        self.text(*id, row, shared, class)?;
        match changes {
            Some(changes) => self.changes(*id, changes),
            None => Ok(()),
        }
    }

    /// What is searched of an action: its words, and by which agent and in which session it was.
    fn text(&mut self, id: i64, row: &ActionRow, shared: &Shared, class: i64) -> Result<()> {
        let mut text = format!("{} {} {} {}", row.command, row.program, row.kind, shared.words);
        let gaps = row.gaps.iter().flat_map(|gap| [&gap.what, &gap.why]);
        for more in row.reasons.iter().chain(gaps) {
            text.push(' ');
            text.push_str(more);
        }
        let facets = format!(
            "s{} a{} o{} d{} e{} c{class}",
            shared.row, shared.agent, shared.owner, shared.domain, shared.environment
        );
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO texts (rowid, text, facets) VALUES (?1, ?2, ?3)")?
            .execute(params![id, text, facets])?;
        Ok(())
    }

    fn changes(&mut self, id: i64, changes: &[ChangeRow]) -> Result<()> {
        self.connection
            .prepare_cached("DELETE FROM changes WHERE action = ?1")?
            .execute([id])?;
        for change in changes {
            let path = self.path(&change.path)?;
            let kind = self.word(&change.kind)?;
            self.connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO changes (action, path, kind, source, captured)
                     VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![id, path, kind, change.from, change.captured])?;
        }
        Ok(())
    }

    fn path(&self, path: &str) -> Result<i64> {
        let mut ask = self
            .connection
            .prepare_cached("SELECT id FROM paths WHERE path = ?1")?;
        if let Some(id) = ask.query_row([path], |row| row.get(0)).optional()? {
            return Ok(id);
        }
        self.connection
            .prepare_cached("INSERT INTO paths (path) VALUES (?1)")?
            .execute([path])?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Whether an undo took back anything of a session.
    fn is_taken(&self, id: &SessionId) -> Result<bool> {
        let mut ask = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM took WHERE sid = ?1)")?;
        Ok(ask.query_row([id.as_str()], |row| row.get(0))?)
    }

    /// An undo's step settled something.
    fn took(&mut self, undo: i64, took: &Took) -> Result<()> {
        let Ok(node) = took.node.parse::<ActionId>() else {
            return Ok(());
        };
        let state = self.word(took.state)?;
        let mut ask = self
            .connection
            .prepare_cached("SELECT id FROM actions WHERE session = ?1 AND n = ?2")?;
        let step: Option<i64> = ask
            .query_row(params![undo, signed(took.step)], |row| row.get(0))
            .optional()?;
        let Some(step) = step else { return Ok(()) };
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO took (sid, n, step, state) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![node.session.as_str(), signed(node.number), step, state])?;
        self.unsettled
            .extend(self.target(node.session.as_str(), signed(node.number))?);
        Ok(())
    }

    /// The row of the action that a node belongs to.
    fn target(&self, session: &str, node: i64) -> Result<Option<i64>> {
        let mut ask = self.connection.prepare_cached(
            "SELECT a.id FROM sessions s JOIN actions a ON a.session = s.id AND a.n = ifnull(
                 (SELECT b.action FROM below b WHERE b.session = s.id AND b.n = ?2), ?2) WHERE s.sid = ?1",
        )?;
        Ok(ask
            .query_row(params![session, node], |row| row.get(0))
            .optional()?)
    }

    /// Give actions the state that undos left them in, and write down what was counted.
    pub fn settle(&mut self) -> Result<()> {
        let mut rounds = 0;
        while let Some(id) = self.unsettled.pop_first() {
            rounds += 1;
            if self.state(id)? && rounds < 1_000_000 {
                // It is a step of an undo itself: what it took back is settled otherwise now.
                let mut ask = self
                    .connection
                    .prepare_cached("SELECT sid, n FROM took WHERE step = ?1")?;
                let rows =
                    ask.query_map([id], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?)))?;
                let nodes: Vec<(String, i64)> = rows.collect::<std::result::Result<_, _>>()?;
                for (session, node) in nodes {
                    self.unsettled.extend(self.target(&session, node)?);
                }
            }
        }
        for (minute, (first, last)) in std::mem::take(&mut self.minutes) {
            self.connection
                .prepare_cached(
                    "INSERT INTO minutes (minute, first, last) VALUES (?1, ?2, ?3) ON CONFLICT (minute) DO UPDATE SET
                     first = min(first, excluded.first), last = max(last, excluded.last)",
                )?
                .execute([minute, first, last])?;
        }
        Ok(())
    }

    /// The state of an action after all undos; whether that is another than before.
    ///
    /// The last undo that settled it counts, and in it what is worst. Steps that were undone themselves don't count.
    fn state(&mut self, id: i64) -> Result<bool> {
        let mut ask = self.connection.prepare_cached(
            "SELECT (SELECT text FROM words WHERE id = a.base), a.state, s.sid, a.n, s.id FROM actions a
             JOIN sessions s ON s.id = a.session WHERE a.id = ?1",
        )?;
        let found = ask
            .query_row([id], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, String>(2)?,
                    row.get::<_, i64>(3)?,
                    row.get::<_, i64>(4)?,
                ))
            })
            .optional()?;
        let Some((base, now, sid, n, session)) = found else {
            return Ok(false);
        };
        let mut ask = self.connection.prepare_cached(
            "SELECT step.session, (SELECT text FROM words WHERE id = t.state),
                    (SELECT text FROM words WHERE id = step.state)
             FROM (SELECT ?2 AS n UNION ALL SELECT n FROM below WHERE session = ?3 AND action = ?2) own
             JOIN took t ON t.sid = ?1 AND t.n = own.n
             JOIN actions step ON step.id = t.step ORDER BY step.session DESC",
        )?;
        let rows = ask.query_map(params![sid, n, session], |row| {
            Ok((
                row.get::<_, i64>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, String>(2)?,
            ))
        })?;
        let (mut last, mut state) = (None, base);
        for row in rows {
            let (undo, settled, step) = row?;
            if matches!(step.as_str(), "undone" | "compensated") {
                continue;
            }
            match last {
                None => (last, state) = (Some(undo), settled),
                Some(last) if last == undo && rank(&settled) > rank(&state) => state = settled,
                Some(_) => {}
            }
        }
        let number = self.word(&state)?;
        if number == now {
            return Ok(false);
        }
        self.connection
            .prepare_cached("UPDATE actions SET state = ?2, failed = ?3 WHERE id = ?1")?
            .execute(params![id, number, is_failure(&state)])?;
        Ok(true)
    }

    /// Forget all that a session's journal said; what the ledger says stays.
    pub fn erase(&mut self, row: i64, id: &SessionId) -> Result<()> {
        let connection = self.connection;
        let steps = "SELECT id FROM actions WHERE session = ?1";
        let targets: Vec<(String, i64)> = {
            let mut ask = connection.prepare(&format!("SELECT sid, n FROM took WHERE step IN ({steps})"))?;
            let rows = ask.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<std::result::Result<_, _>>()?
        };
        connection.execute(&format!("DELETE FROM took WHERE step IN ({steps})"), [row])?;
        for (session, node) in targets {
            self.unsettled.extend(self.target(&session, node)?);
        }
        let paths: Vec<i64> = {
            let mut ask = connection.prepare(&format!(
                "SELECT DISTINCT path FROM changes WHERE action IN ({steps})"
            ))?;
            let rows = ask.query_map([row], |row| row.get(0))?;
            rows.collect::<std::result::Result<_, _>>()?
        };
        connection.execute(&format!("DELETE FROM changes WHERE action IN ({steps})"), [row])?;
        for path in paths {
            connection
                .prepare_cached(
                    "DELETE FROM paths WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM changes WHERE path = ?1)",
                )?
                .execute([path])?;
        }
        connection.execute(&format!("DELETE FROM texts WHERE rowid IN ({steps})"), [row])?;
        connection.execute("DELETE FROM actions WHERE session = ?1", [row])?;
        connection.execute("DELETE FROM below WHERE session = ?1", [row])?;
        connection.execute("DELETE FROM undone WHERE undo = ?1", [id.as_str()])?;
        connection.execute("DELETE FROM undos WHERE undo = ?1", [id.as_str()])?;
        let names: [i64; 4] = connection.query_row(
            "SELECT agent, owner, domain, environment FROM sessions WHERE id = ?1",
            [row],
            |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]),
        )?;
        let (kind, none) = (self.word("")?, self.name("")?);
        connection.execute(
            "UPDATE sessions SET kind = ?3, agent = ?2, owner = ?2, domain = ?2, environment = ?2, erased = 1,
             failures = 0, waiting = 0, supervisor = '', offset = 0, text = '', body = NULL WHERE id = ?1",
            params![row, none, kind],
        )?;
        self.names.forget(connection, &names)?;
        connection.execute("UPDATE meta SET value = 1 WHERE key = 'scrub'", [])?;
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

/// What counts more where several resources of an action were settled differently.
fn rank(state: &str) -> u8 {
    match state {
        "undo_conflict" => 3,
        "kept" => 2,
        "compensated" => 1,
        _ => 0,
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
