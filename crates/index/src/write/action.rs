//! An action's rows: its own, what is searched of it, what it changed.

use super::{Shared, Writer, is_failure, milliseconds, signed};
use crate::Result;
use crate::body::Body;
use crate::rows::{ActionRow, ChangeRow};
use crate::tale::ActionFacts;
use rusqlite::{OptionalExtension as _, params};

impl Writer<'_> {
    pub(super) fn action(&mut self, shared: &Shared, facts: &ActionFacts) -> Result<()> {
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
}
