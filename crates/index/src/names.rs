//! What many rows share, by number: words of rescind's own, and names that people gave.

use crate::Result;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;

/// Which table of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// Kinds, classes, states: they stay.
    Words,
    /// Agents, owners, domains, environments: they go with the last session that has them.
    Names,
}

impl Of {
    fn table(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Names => "names",
        }
    }
}

/// The numbers that the one who writes knows.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<(Of, String), i64>,
}

/// The most that are kept in memory.
const KEPT: usize = 100_000;

impl Names {
    /// The number of a text, which is new where it is not known.
    pub fn number(&mut self, connection: &Connection, of: Of, text: &str) -> Result<i64> {
        let key = (of, text.to_owned());
        if let Some(id) = self.known.get(&key) {
            return Ok(*id);
        }
        let id = match number(connection, of, text)? {
            Some(id) => id,
            None => {
                connection
                    .prepare_cached(&format!("INSERT INTO {} (text) VALUES (?1)", of.table()))?
                    .execute([text])?;
                connection.last_insert_rowid()
            }
        };
        if self.known.len() < KEPT {
            self.known.insert(key, id);
        }
        Ok(id)
    }

    /// Forget names that no session has any more.
    pub fn forget(&mut self, connection: &Connection, ids: &[i64]) -> Result<()> {
        for id in ids {
            let gone = connection
                .prepare_cached(
                    "DELETE FROM names WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM sessions WHERE agent = ?1)
                     AND NOT EXISTS (SELECT 1 FROM sessions WHERE owner = ?1)
                     AND NOT EXISTS (SELECT 1 FROM sessions WHERE domain = ?1)
                     AND NOT EXISTS (SELECT 1 FROM sessions WHERE environment = ?1)",
                )?
                .execute([id])?;
            if gone > 0 {
                self.known
                    .retain(|(of, _), known| *of != Of::Names || known != id);
            }
        }
        Ok(())
    }
}

/// The number of a text; `None`: no row has it.
pub(crate) fn number(connection: &Connection, of: Of, text: &str) -> Result<Option<i64>> {
    let mut ask = connection.prepare_cached(&format!("SELECT id FROM {} WHERE text = ?1", of.table()))?;
    Ok(ask.query_row([text], |row| row.get(0)).optional()?)
}

/// The text of a number.
pub(crate) fn text(connection: &Connection, of: Of, id: i64) -> Result<String> {
    let mut ask = connection.prepare_cached(&format!("SELECT text FROM {} WHERE id = ?1", of.table()))?;
    Ok(ask.query_row([id], |row| row.get(0))?)
}
