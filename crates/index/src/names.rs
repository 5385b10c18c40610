//! Words that many rows share, by number.

use crate::Result;
use rusqlite::{Connection, OptionalExtension as _};
use std::collections::HashMap;

/// The words that the one who writes knows.
pub(crate) struct Names {
    known: HashMap<String, i64>,
}

/// The most that are kept in memory.
const KEPT: usize = 100_000;

impl Names {
    pub fn read(connection: &Connection) -> Result<Self> {
        let mut ask = connection.prepare("SELECT text, id FROM words LIMIT ?1")?;
        let limit = i64::try_from(KEPT).unwrap_or(i64::MAX);
        let rows = ask.query_map([limit], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Self {
            known: rows.collect::<std::result::Result<_, _>>()?,
        })
    }

    /// The number of a word, which is new where it is not known.
    pub fn number(&mut self, connection: &Connection, text: &str) -> Result<i64> {
        if let Some(id) = self.known.get(text) {
            return Ok(*id);
        }
        let id = match number(connection, text)? {
            Some(id) => id,
            None => {
                connection
                    .prepare_cached("INSERT INTO words (text) VALUES (?1)")?
                    .execute([text])?;
                connection.last_insert_rowid()
            }
        };
        if self.known.len() < KEPT {
            self.known.insert(text.to_owned(), id);
        }
        Ok(id)
    }
}

/// The number of a word; `None`: no row has it.
pub(crate) fn number(connection: &Connection, text: &str) -> Result<Option<i64>> {
    let mut ask = connection.prepare_cached("SELECT id FROM words WHERE text = ?1")?;
    Ok(ask.query_row([text], |row| row.get(0)).optional()?)
}
