//! What undos made of actions.

use super::{Writer, is_failure, signed};
use crate::Result;
use crate::tale::Took;
use rescind_model::{ActionId, SessionId};
use rusqlite::{OptionalExtension as _, params};

impl Writer<'_> {
    /// Whether an undo took back anything of a session.
    pub(super) fn is_taken(&self, id: &SessionId) -> Result<bool> {
        let mut ask = self
            .connection
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM took WHERE sid = ?1)")?;
        Ok(ask.query_row([id.as_str()], |row| row.get(0))?)
    }

    /// An undo's step settled something.
    pub(super) fn took(&mut self, undo: i64, took: &Took) -> Result<()> {
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
    pub(super) fn target(&self, session: &str, node: i64) -> Result<Option<i64>> {
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
