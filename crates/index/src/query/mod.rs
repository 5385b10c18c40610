//! What can be asked of the projection. Every answer is of what its reader may see, and of one moment.

mod actions;
mod scan;
mod sessions;
mod summary;
mod timeline;

use crate::names::{Of, number, text};
use crate::{DomainSet, Result};
use rescind_model::domain::covers;
use rusqlite::Connection;
use std::collections::HashMap;

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
        .prepare_cached("SELECT id, text FROM names WHERE id IN (SELECT DISTINCT domain FROM sessions)")?;
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
pub(crate) fn asked(connection: &Connection, of: Of, word: Option<&String>) -> Result<Option<Option<i64>>> {
    match word {
        None => Ok(Some(None)),
        Some(word) => Ok(number(connection, of, word)?.map(Some)),
    }
}

/// The words and names of a page's rows: each is looked up once.
pub(crate) struct Words<'c> {
    pub connection: &'c Connection,
    known: HashMap<(Of, i64), String>,
}

impl<'c> Words<'c> {
    pub fn of(connection: &'c Connection) -> Self {
        Self {
            connection,
            known: HashMap::new(),
        }
    }

    /// The text of this number.
    pub fn text(&mut self, of: Of, id: i64) -> Result<String> {
        if let Some(known) = self.known.get(&(of, id)) {
            return Ok(known.clone());
        }
        let found = text(self.connection, of, id)?;
        self.known.insert((of, id), found.clone());
        Ok(found)
    }
}
