//! What is going on, and what was done to all at once.

use super::{domains, sessions};
use crate::index::position;
use crate::names::{Of, number};
use crate::page::{Order, Page, Paged, cursor};
use crate::rows::{ControlRow, Summary};
use crate::{DomainSet, Index, Result};
use rescind_supervisor::now;
use rusqlite::Connection;
use std::collections::BTreeMap;

impl Index {
    /// What is going on now.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn summary(&self, may: &DomainSet) -> Result<Summary> {
        let time = now().milliseconds();
        self.read(|connection| {
            let domains = domains(connection, may, None)?;
            let (running, interrupted) = sessions::open(connection, domains.as_ref())?;
            let within = condition(domains.as_ref());
            let mut summary = Summary {
                running: running.len() as u64,
                interrupted: interrupted.len() as u64,
                position: position(connection)?,
                ..Summary::default()
            };
            if let Some(held) = number(connection, Of::Words, "held")? {
                summary.waiting = count(
                    connection,
                    &format!("SELECT count(*) FROM actions WHERE state = {held} {within}"),
                )?;
            }
            let deny = number(connection, Of::Words, "deny")?.unwrap_or(-1);
            let mut ask = connection.prepare_cached(&format!(
                "SELECT (SELECT text FROM words WHERE id = class), count(*), sum(at_ms >= ?2), sum(verdict = {deny}),
                 sum(failed) FROM actions INDEXED BY actions_time WHERE at_ms >= ?1 {within} GROUP BY class"
            ))?;
            let rows = ask.query_map([time - 3_600_000, time - 60_000], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, u32>(1)?,
                    row.get::<_, u32>(2)?,
                    row.get::<_, u32>(3)?,
                    row.get::<_, u32>(4)?,
                ))
            })?;
            for row in rows {
                let (class, hour, minute, denied, failed) = row?;
                add(&mut summary.last_hour, &class, hour);
                add(&mut summary.last_minute, &class, minute);
                summary.denials += u64::from(denied);
                summary.failures += u64::from(failed);
            }
            Ok(summary)
        })
    }

    /// Kills, pauses and what ended them, and changes of who may do what: for those who may see everything.
    ///
    /// # Errors
    /// The cursor is none, or the database can't be read.
    pub fn control(&self, page: &Page) -> Result<Paged<ControlRow>> {
        let (way, compare) = match page.order {
            Order::Newest => ("DESC", "<"),
            Order::Oldest => ("ASC", ">"),
        };
        let begin = match page.order {
            Order::Newest => i64::MAX,
            Order::Oldest => -1,
        };
        let behind = page.behind()?.unwrap_or(begin);
        self.read(|connection| {
            let mut ask = connection.prepare_cached(&format!(
                "SELECT seq, time, kind, note FROM control WHERE seq {compare} ?1 ORDER BY seq {way} LIMIT ?2"
            ))?;
            let limit = i64::try_from(page.rows()).unwrap_or(1);
            let rows = ask.query_map([behind, limit + 1], |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get::<_, String>(3)?,
                ))
            })?;
            let mut found = Vec::new();
            for row in rows {
                let (seq, time, kind, note) = row?;
                found.push(ControlRow {
                    seq: u64::try_from(seq).unwrap_or(0),
                    time,
                    kind,
                    note: serde_json::from_str(&note).unwrap_or(serde_json::Value::String(note)),
                });
            }
            let more = found.len() > page.rows();
            found.truncate(page.rows());
            let last = found.last().map(|row| crate::write::signed(row.seq));
            Ok(Paged {
                rows: found,
                next: last.filter(|_| more).map(cursor),
                cut: false,
            })
        })
    }
}

fn add(counts: &mut BTreeMap<String, u64>, class: &str, count: u32) {
    if count > 0 {
        *counts.entry(class.to_owned()).or_default() += u64::from(count);
    }
}

fn count(connection: &Connection, ask: &str) -> Result<u64> {
    let count: i64 = connection.prepare_cached(ask)?.query_row([], |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// A condition on the domain of a row, to be put behind others.
fn condition(domains: Option<&Vec<i64>>) -> String {
    match domains {
        None => String::new(),
        Some(domains) => {
            let list = domains.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            format!("AND domain IN ({list})")
        }
    }
}
