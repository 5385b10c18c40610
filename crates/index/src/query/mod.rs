//! What can be asked of the projection. Every answer is of what its reader may see, and of one moment.

mod actions;
mod scan;
mod sessions;
mod summary;
mod timeline;

use crate::names::number;
use crate::{DomainSet, Result, covers};
use rusqlite::Connection;

/// The domains that both a reader may see and a filter asks for, by number; `None`: all.
pub(crate) fn domains(
    connection: &Connection,
    may: &DomainSet,
    asked: Option<&String>,
) -> Result<Option<Vec<i64>>> {
    if may.is_everything() && asked.is_none() {
        return Ok(None);
    }
    let mut ask = connection
        .prepare_cached("SELECT id, text FROM words WHERE id IN (SELECT DISTINCT domain FROM sessions)")?;
    let rows = ask.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    let mut found = Vec::new();
    for row in rows {
        let (id, domain) = row?;
        if may.covers(&domain) && asked.is_none_or(|asked| covers(asked, &domain)) {
            found.push(id);
        }
    }
    Ok(Some(found))
}

/// The number of a word that is asked for; `None`: nothing has it. `Some(None)`: nothing is asked.
pub(crate) fn asked(connection: &Connection, word: Option<&String>) -> Result<Option<Option<i64>>> {
    match word {
        None => Ok(Some(None)),
        Some(word) => Ok(number(connection, word)?.map(Some)),
    }
}
