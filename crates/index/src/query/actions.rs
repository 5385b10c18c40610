//! Actions.

use super::scan::{self, Narrowed};
use super::{Words, asked, domains};
use crate::body::Body;
use crate::filter::milliseconds;
use crate::names::Of;
use crate::page::{Page, Paged};
use crate::rows::{ActionDetail, ActionRow, ChangeRow};
use crate::{ActionFilter, DomainSet, Index, Result};
use rescind_model::ActionId;
use rusqlite::{Connection, OptionalExtension as _, Row};

/// Words of fewer letters are looked for as they are, others also as the beginning of one.
const SHORTEST: usize = 3;

/// More actions than this that changed something below a folder are frequent: they are met on the way.
const RARE: usize = 4000;

const COLUMNS: &str = "
SELECT s.sid, a.n, a.seq, a.agent, a.owner, a.domain, a.environment, a.role, a.class, a.verdict, a.state, a.coverage,
    a.surface, a.score, a.effects, a.body
FROM actions a JOIN sessions s ON s.id = a.session WHERE a.id = ?1";

impl Index {
    /// A page of actions.
    ///
    /// # Errors
    /// A time or the cursor is none, or the database can't be read.
    pub fn actions(&self, filter: &ActionFilter, page: &Page) -> Result<Paged<ActionRow>> {
        self.read(|connection| {
            let narrowed = narrowed(connection, filter)?;
            let found = scan::page(connection, "actions", &narrowed, page)?;
            let mut rows = Vec::with_capacity(found.rows.len());
            let mut words = Words::of(connection);
            for id in found.rows {
                rows.extend(row(&mut words, id)?);
            }
            Ok(Paged {
                rows,
                next: found.next,
                cut: found.cut,
            })
        })
    }

    /// An action with what it changed; `None`: there is none that the reader may see. A process of an action is shown as
    /// that action.
    ///
    /// # Errors
    /// The database can't be read.
    pub fn action(&self, id: &ActionId, may: &DomainSet) -> Result<Option<ActionDetail>> {
        self.read(|connection| {
            let mut ask = connection.prepare_cached(
                "SELECT a.id FROM sessions s JOIN actions a ON a.session = s.id AND a.n = ifnull(
                     (SELECT b.action FROM below b WHERE b.session = s.id AND b.n = ?2), ?2) WHERE s.sid = ?1",
            )?;
            let n = crate::write::signed(id.number);
            let found = ask.query_row((id.session.as_str(), n), |row| row.get::<_, i64>(0));
            let Some(place) = found.optional()? else {
                return Ok(None);
            };
            let found = row(&mut Words::of(connection), place)?;
            let Some(action) = found.filter(|row| may.covers(&row.domain)) else {
                return Ok(None);
            };
            Ok(Some(ActionDetail {
                action,
                changes: changes(connection, place)?,
            }))
        })
    }
}

/// The row of an action.
fn row(words: &mut Words<'_>, id: i64) -> Result<Option<ActionRow>> {
    let mut ask = words.connection.prepare_cached(COLUMNS)?;
    let mut found = ask.query([id])?;
    let Some(columns) = found.next()? else {
        return Ok(None);
    };
    let mut row = filled(columns, words)?;
    serde_json::from_str::<Body>(columns.get_ref(15)?.as_str().unwrap_or("{}"))?.fill(&mut row);
    Ok(Some(row))
}

fn filled(row: &Row<'_>, words: &mut Words<'_>) -> Result<ActionRow> {
    let session: String = row.get(0)?;
    let number = |place: usize| -> Result<u64> {
        let number: i64 = row.get(place)?;
        Ok(u64::try_from(number).unwrap_or(0))
    };
    let mut text = |of: Of, place: usize| words.text(of, row.get(place)?);
    Ok(ActionRow {
        action: format!("{session}.{}", number(1)?),
        session,
        n: number(1)?,
        seq: number(2)?,
        agent: text(Of::Names, 3)?,
        owner: text(Of::Names, 4)?,
        domain: text(Of::Names, 5)?,
        environment: text(Of::Names, 6)?,
        role: text(Of::Words, 7)?,
        class: text(Of::Words, 8)?,
        verdict: text(Of::Words, 9)?,
        state: text(Of::Words, 10)?,
        coverage: text(Of::Words, 11)?,
        surface: text(Of::Words, 12)?,
        score: row.get(13)?,
        effects: number(14)?,
        ..ActionRow::default()
    })
}

fn changes(connection: &Connection, id: i64) -> Result<Vec<ChangeRow>> {
    let mut ask = connection.prepare_cached(
        "SELECT p.path, (SELECT text FROM words WHERE id = c.kind), c.source, c.captured FROM changes c
         JOIN paths p ON p.id = c.path WHERE c.action = ?1 ORDER BY p.path",
    )?;
    let rows = ask.query_map([id], |row| {
        Ok(ChangeRow {
            path: row.get(0)?,
            kind: row.get(1)?,
            from: row.get(2)?,
            captured: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<std::result::Result<_, _>>()?)
}

fn narrowed(connection: &Connection, filter: &ActionFilter) -> Result<Narrowed> {
    let mut narrowed = Narrowed::default();
    let mut facets = Vec::new();
    let words = [
        (Of::Names, "agent", "actions_agent", "a", &filter.agent),
        (Of::Names, "owner", "actions_owner", "o", &filter.owner),
        (Of::Names, "environment", "", "e", &filter.environment),
        (Of::Words, "class", "actions_class", "c", &filter.class),
        (Of::Words, "role", "", "", &filter.role),
        (Of::Words, "verdict", "actions_verdict", "", &filter.verdict),
        (Of::Words, "state", "actions_state", "", &filter.state),
        (Of::Words, "coverage", "actions_coverage", "", &filter.coverage),
        (Of::Words, "surface", "", "", &filter.surface),
    ];
    for (of, column, index, facet, word) in words {
        match asked(connection, of, word.as_ref())? {
            Some(None) => {}
            Some(Some(number)) => {
                narrowed.equal(column, index, vec![number]);
                facets.extend((!facet.is_empty()).then(|| format!("{facet}{number}")));
            }
            None => narrowed.nothing = true,
        }
    }
    if let Some(session) = &filter.session {
        let mut ask = connection.prepare_cached("SELECT id FROM sessions WHERE sid = ?1")?;
        let found: Option<i64> = ask.query_row([session], |row| row.get(0)).optional()?;
        facets.extend(found.map(|id| format!("s{id}")));
        narrowed.equal("session", "actions_session", found.into_iter().collect());
    }
    if let Some(domains) = domains(connection, &filter.domains, filter.domain.as_ref())? {
        if let [one] = domains.as_slice() {
            facets.push(format!("d{one}"));
        }
        narrowed.equal("domain", "actions_domain", domains);
    }
    if filter.failures {
        narrowed.partial("failed = 1", "actions_failed");
    }
    if let Some(least) = filter.min_score {
        narrowed.only(format!("r.score >= {least}"));
        if least >= 70 {
            narrowed.partial("score >= 70", "actions_risky");
        }
    }
    times(connection, filter, &mut narrowed)?;
    if let Some(text) = &filter.text {
        narrowed.text = question(text, &facets);
    }
    if let Some(path) = &filter.path {
        under(connection, path, &mut narrowed)?;
    }
    Ok(narrowed)
}

/// Narrow to a time: exactly, and to the places where such actions are.
fn times(connection: &Connection, filter: &ActionFilter, narrowed: &mut Narrowed) -> Result<()> {
    if let Some(since) = milliseconds(filter.since.as_ref())? {
        narrowed.only(format!("r.at_ms >= {since}"));
        let mut ask = connection.prepare_cached("SELECT min(first) FROM minutes WHERE minute >= ?1")?;
        let first: Option<i64> = ask.query_row([since.div_euclid(60_000)], |row| row.get(0))?;
        narrowed.bounds.0 = first;
        narrowed.nothing |= first.is_none();
    }
    if let Some(until) = milliseconds(filter.until.as_ref())? {
        narrowed.only(format!("r.at_ms < {until}"));
        let mut ask = connection.prepare_cached("SELECT max(last) FROM minutes WHERE minute <= ?1")?;
        let last: Option<i64> = ask.query_row([until.div_euclid(60_000)], |row| row.get(0))?;
        narrowed.bounds.1 = last;
        narrowed.nothing |= last.is_none();
    }
    Ok(())
}

/// A question to the full text: all words, and what is narrowed besides.
fn question(text: &str, facets: &[String]) -> Option<String> {
    let words: Vec<String> = text
        .split(|letter: char| letter.is_whitespace() || letter == '"' || letter == '\0')
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(|word| {
            // What begins with a letter or two is nearly everything.
            let begun = if word.chars().count() < SHORTEST { "" } else { " *" };
            format!("text : \"{word}\"{begun}")
        })
        .collect();
    if words.is_empty() {
        return None;
    }
    let facets = facets.iter().map(|facet| format!("facets : {facet}"));
    Some(words.into_iter().chain(facets).collect::<Vec<_>>().join(" AND "))
}

/// Narrow to what changed a path or something below it.
fn under(connection: &Connection, path: &str, narrowed: &mut Narrowed) -> Result<()> {
    let path = match path.trim_end_matches('/') {
        "" => "/",
        path => path,
    };
    let below = if path == "/" {
        "/".to_owned()
    } else {
        format!("{path}/")
    };
    // What comes right behind everything that begins with the folder: `0` follows `/`.
    let end = format!("{}0", below.trim_end_matches('/'));
    let mut ask = connection.prepare_cached(
        "SELECT c.action FROM paths p JOIN changes c ON c.path = p.id
         WHERE p.path = ?1 OR (p.path >= ?2 AND p.path < ?3) LIMIT ?4",
    )?;
    let limit = i64::try_from(RARE).unwrap_or(i64::MAX) + 1;
    let rows = ask.query_map((path, &below, &end, limit), |row| row.get::<_, i64>(0))?;
    let mut ids: Vec<i64> = rows.collect::<std::result::Result<_, _>>()?;
    if ids.len() <= RARE {
        ids.sort_unstable();
        ids.dedup();
        narrowed.among = Some(ids);
        return Ok(());
    }
    let text = |text: &str| format!("'{}'", text.replace('\'', "''"));
    narrowed.only(format!(
        "EXISTS (SELECT 1 FROM changes c JOIN paths p ON p.id = c.path WHERE c.action = r.id
         AND (p.path = {} OR (p.path >= {} AND p.path < {})))",
        text(path),
        text(&below),
        text(&end)
    ));
    Ok(())
}
