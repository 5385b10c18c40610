//! A session as a picture: its actions by time and surface.

use crate::names::{Of, number};
use crate::rows::{Mark, Timeline};
use crate::{DomainSet, Index, Result};
use rescind_model::Timestamp;
use rescind_supervisor::now;

impl Index {
    /// A session's actions by time and surface, in at most about `most` marks: where there are more, those of a stretch of
    /// time are one. `None`: there is no such session that the reader may see.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn timeline(&self, session: &str, most: usize, may: &DomainSet) -> Result<Option<Timeline>> {
        let Some(row) = self.session(session, may)? else {
            return Ok(None);
        };
        let began = milliseconds(&row.started);
        let ended = row
            .ended
            .as_deref()
            .map_or_else(|| now().milliseconds(), milliseconds);
        let length = u64::try_from(ended.saturating_sub(began)).unwrap_or(0);
        let most = most.clamp(1, 10_000) as u64;
        let id = crate::write::signed(row.first_seq);
        self.read(|connection| {
            let (actions, surfaces): (u32, u32) = connection
                .prepare_cached(
                    "SELECT count(*), count(DISTINCT surface) FROM actions INDEXED BY actions_timeline WHERE session = ?1",
                )?
                .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let single = u64::from(actions) <= most;
            let bins = (most / u64::from(surfaces.max(1))).max(1);
            let bin = if single { 0 } else { (length / bins + 1).max(1) };
            let group = if single { "n" } else { "at, surface" };
            let numbers = ["hold", "deny"].map(|word| number(connection, Of::Words, word));
            let [hold, deny] = numbers;
            let (hold, deny) = (hold?.unwrap_or(-1), deny?.unwrap_or(-1));
            let mut ask = connection.prepare_cached(&format!(
                "SELECT (max(at_ms - ?2, 0) / ?3) * ?3 AS at, (SELECT text FROM words WHERE id = surface), count(*),
                 sum(effects), sum(failed), sum(verdict = {hold}), sum(verdict = {deny}), min(n)
                 FROM actions INDEXED BY actions_timeline WHERE session = ?1 GROUP BY {group} ORDER BY at, 2, 8"
            ))?;
            let step = crate::write::signed(bin.max(1));
            let rows = ask.query_map([id, began, step], |row| {
                let unsigned = |place: usize| -> rusqlite::Result<u64> {
                    let number: i64 = row.get(place)?;
                    Ok(u64::try_from(number).unwrap_or(0))
                };
                Ok(Mark {
                    at: unsigned(0)?,
                    length: bin,
                    surface: row.get(1)?,
                    actions: unsigned(2)?,
                    effects: unsigned(3)?,
                    failures: unsigned(4)?,
                    holds: unsigned(5)?,
                    denials: unsigned(6)?,
                    first: unsigned(7)?,
                })
            })?;
            Ok(Some(Timeline {
                session: row.session.clone(),
                started: row.started.clone(),
                length,
                bin,
                marks: rows.collect::<std::result::Result<_, _>>()?,
            }))
        })
    }
}

fn milliseconds(time: &str) -> i64 {
    time.parse::<Timestamp>().map_or(0, Timestamp::milliseconds)
}
