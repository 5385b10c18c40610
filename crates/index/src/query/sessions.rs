//! Sessions, and the undos of a session.

use super::scan::{self, Narrowed};
use super::{asked, domains};
use crate::filter::milliseconds;
use crate::names::Of;
use crate::page::{Page, Paged};
use crate::rows::{SessionRow, UndoRow};
use crate::{DomainSet, Index, Result, SessionFilter};
use rescind_supervisor::lives;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;

impl Index {
    /// A page of sessions.
    ///
    /// # Errors
    /// A time or the cursor is none, or the database can't be read.
    pub fn sessions(&self, filter: &SessionFilter, page: &Page) -> Result<Paged<SessionRow>> {
        self.read(|connection| {
            let narrowed = narrowed(connection, filter)?;
            let found = scan::page(connection, "sessions", &narrowed, page)?;
            let mut rows = Vec::with_capacity(found.rows.len());
            for id in found.rows {
                rows.extend(row(connection, id)?);
            }
            Ok(Paged {
                rows,
                next: found.next,
                cut: found.cut,
            })
        })
    }

    /// A session; `None`: there is none that the reader may see.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn session(&self, id: &str, may: &DomainSet) -> Result<Option<SessionRow>> {
        self.read(|connection| {
            let Some(place) = place(connection, id)? else {
                return Ok(None);
            };
            Ok(row(connection, place)?.filter(|row| may.covers(&row.domain)))
        })
    }

    /// The undos of a session, oldest first.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn undos(&self, session: &str, may: &DomainSet) -> Result<Vec<UndoRow>> {
        self.read(|connection| {
            let mut ask =
                connection.prepare_cached("SELECT undo FROM undone WHERE sid = ?1 ORDER BY undo")?;
            let ids = ask.query_map([session], |row| row.get::<_, String>(0))?;
            let mut undos = Vec::new();
            for id in ids {
                undos.extend(undo(connection, &id?, may)?);
            }
            Ok(undos)
        })
    }

    /// One undo, as it stands; `None`: there is none that the reader may see.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn undo(&self, id: &str, may: &DomainSet) -> Result<Option<UndoRow>> {
        self.read(|connection| undo(connection, id, may))
    }
}

fn undo(connection: &Connection, id: &str, may: &DomainSet) -> Result<Option<UndoRow>> {
    let mut ask = connection.prepare_cached("SELECT body FROM undos WHERE undo = ?1")?;
    let body: Option<String> = ask.query_row([id], |row| row.get(0)).optional()?;
    let (Some(body), Some(place)) = (body, place(connection, id)?) else {
        return Ok(None);
    };
    let session = row(connection, place)?.filter(|row| may.covers(&row.domain));
    let Some(session) = session else { return Ok(None) };
    let undo: UndoRow = serde_json::from_str(&body)?;
    Ok(Some(UndoRow {
        undoes: session.undoes,
        scope: session.scope,
        owner: session.owner,
        started: session.started,
        ended: session.ended,
        state: session.state,
        ..undo
    }))
}

fn place(connection: &Connection, id: &str) -> Result<Option<i64>> {
    let mut ask = connection.prepare_cached("SELECT id FROM sessions WHERE sid = ?1")?;
    Ok(ask.query_row([id], |row| row.get(0)).optional()?)
}

/// The row of a session.
fn row(connection: &Connection, id: i64) -> Result<Option<SessionRow>> {
    let mut ask = connection.prepare_cached(
        "SELECT sid, began, over, erased, pruned, supervisor, last_seq, body FROM sessions WHERE id = ?1",
    )?;
    let found = ask.query_row([id], |row| {
        Ok((
            SessionRow {
                session: row.get(0)?,
                started: row.get(1)?,
                ended: row.get(2)?,
                pruned: row.get(4)?,
                ..SessionRow::default()
            },
            row.get::<_, bool>(3)?,
            row.get::<_, String>(5)?,
            row.get::<_, i64>(6)?,
            row.get::<_, Option<String>>(7)?,
        ))
    });
    let Some((own, erased, supervisor, last, body)) = found.optional()? else {
        return Ok(None);
    };
    let told: SessionRow = match body {
        Some(body) => serde_json::from_str(&body)?,
        None => SessionRow::default(),
    };
    let mut ask = connection.prepare_cached("SELECT undo FROM undone WHERE sid = ?1 ORDER BY undo")?;
    let undone_by = ask.query_map([&own.session], |row| row.get(0))?;
    let state = match (erased, &own.ended) {
        (true, _) => "erased",
        (false, Some(_)) => "ended",
        (false, None) if lives(&supervisor) => "running",
        (false, None) => "interrupted",
    };
    Ok(Some(SessionRow {
        undone_by: undone_by.collect::<std::result::Result<_, _>>()?,
        session: own.session,
        started: own.started,
        ended: own.ended,
        pruned: own.pruned,
        state: state.to_owned(),
        first_seq: u64::try_from(id).unwrap_or(0),
        last_seq: u64::try_from(last).unwrap_or(0),
        ..told
    }))
}

/// Sessions that did not end, by whether their supervisor lives: each process is asked for once.
pub(super) fn open(connection: &Connection, domains: Option<&Vec<i64>>) -> Result<(Vec<i64>, Vec<i64>)> {
    let mut ask = connection
        .prepare_cached("SELECT id, domain, supervisor FROM sessions WHERE over IS NULL AND erased = 0")?;
    let rows = ask.query_map([], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, String>(2)?,
        ))
    })?;
    let mut known: HashMap<String, bool> = HashMap::new();
    let (mut running, mut interrupted) = (Vec::new(), Vec::new());
    for row in rows {
        let (id, domain, supervisor) = row?;
        if domains.is_some_and(|domains| !domains.contains(&domain)) {
            continue;
        }
        let alive = *known
            .entry(supervisor)
            .or_insert_with_key(|supervisor| lives(supervisor));
        if alive { &mut running } else { &mut interrupted }.push(id);
    }
    Ok((running, interrupted))
}

fn narrowed(connection: &Connection, filter: &SessionFilter) -> Result<Narrowed> {
    let mut narrowed = Narrowed::default();
    let words = [
        (Of::Names, "agent", &filter.agent),
        (Of::Names, "owner", &filter.owner),
        (Of::Names, "environment", &filter.environment),
        (Of::Words, "kind", &filter.kind),
    ];
    for (of, column, word) in words {
        match asked(connection, of, word.as_ref())? {
            Some(None) => {}
            Some(Some(number)) => narrowed.equal(column, "", vec![number]),
            None => narrowed.nothing = true,
        }
    }
    let domains = domains(connection, &filter.domains, filter.domain.as_ref())?;
    if let Some(domains) = &domains {
        narrowed.equal("domain", "", domains.clone());
    }
    match filter.state.as_deref() {
        None => {}
        Some("erased") => narrowed.only("r.erased = 1"),
        Some("ended") => narrowed.only("r.over IS NOT NULL AND r.erased = 0"),
        Some(state @ ("running" | "interrupted")) => {
            let (running, interrupted) = open(connection, domains.as_ref())?;
            let mut ids = if state == "running" { running } else { interrupted };
            ids.sort_unstable();
            narrowed.among = Some(ids);
        }
        Some(_) => narrowed.nothing = true,
    }
    if let Some(since) = milliseconds(filter.since.as_ref())? {
        narrowed.only(format!("r.began_ms >= {since}"));
    }
    if let Some(until) = milliseconds(filter.until.as_ref())? {
        narrowed.only(format!("r.began_ms < {until}"));
    }
    if filter.failures {
        narrowed.only("r.failures > 0");
    }
    if filter.waiting {
        narrowed.only("r.waiting > 0");
    }
    for word in filter.text.iter().flat_map(|text| text.split_whitespace()) {
        let word = word.to_lowercase().replace('\'', "''").replace('\0', "");
        narrowed.only(format!("instr(r.text, '{word}') > 0"));
    }
    Ok(narrowed)
}
