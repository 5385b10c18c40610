//! Forgetting a session.

use super::Writer;
use crate::Result;
use rescind_model::SessionId;
use rusqlite::params;

impl Writer<'_> {
    /// Forget all that a session's journal said; what the ledger says stays.
    pub fn erase(&mut self, row: i64, id: &SessionId) -> Result<()> {
        let connection = self.connection;
        let steps = "SELECT id FROM actions WHERE session = ?1";
        let targets: Vec<(String, i64)> = {
            let mut ask = connection.prepare(&format!("SELECT sid, n FROM took WHERE step IN ({steps})"))?;
            let rows = ask.query_map([row], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect::<std::result::Result<_, _>>()?
        };
        connection.execute(&format!("DELETE FROM took WHERE step IN ({steps})"), [row])?;
        for (session, node) in targets {
            self.unsettled.extend(self.target(&session, node)?);
        }
        let paths: Vec<i64> = {
            let mut ask = connection.prepare(&format!(
                "SELECT DISTINCT path FROM changes WHERE action IN ({steps})"
            ))?;
            let rows = ask.query_map([row], |row| row.get(0))?;
            rows.collect::<std::result::Result<_, _>>()?
        };
        connection.execute(&format!("DELETE FROM changes WHERE action IN ({steps})"), [row])?;
        for path in paths {
            connection
                .prepare_cached(
                    "DELETE FROM paths WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM changes WHERE path = ?1)",
                )?
                .execute([path])?;
        }
        connection.execute(&format!("DELETE FROM texts WHERE rowid IN ({steps})"), [row])?;
        connection.execute("DELETE FROM actions WHERE session = ?1", [row])?;
        connection.execute("DELETE FROM below WHERE session = ?1", [row])?;
        connection.execute("DELETE FROM undone WHERE undo = ?1", [id.as_str()])?;
        connection.execute("DELETE FROM undos WHERE undo = ?1", [id.as_str()])?;
        let names: [i64; 4] = connection.query_row(
            "SELECT agent, owner, domain, environment FROM sessions WHERE id = ?1",
            [row],
            |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]),
        )?;
        let (kind, none) = (self.word("")?, self.name("")?);
        connection.execute(
            "UPDATE sessions SET kind = ?3, agent = ?2, owner = ?2, domain = ?2, environment = ?2, erased = 1,
             failures = 0, waiting = 0, supervisor = '', offset = 0, text = '', body = NULL WHERE id = ?1",
            params![row, none, kind],
        )?;
        self.names.forget(connection, &names)?;
        connection.execute("UPDATE meta SET value = 1 WHERE key = 'scrub'", [])?;
        Ok(())
    }
}
