//! Sweeping away holds that are over: their files are messages, and the record has what came of them.

use super::files::{self, Files};
use super::{ClosedForm, HoldForm, Holds, read_form};
use crate::lives;
use rescind_model::Timestamp;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::time::Duration;

/// How long the files of a hold that is over stay: whoever decides late is told why it is too late.
pub const KEPT_AFTER: Duration = Duration::from_hours(24);

impl Holds {
    /// Remove the files of holds that were over before this time, and of those that expired before it while nobody
    /// waited for them any more. How many were removed. Any number of processes may do this at once, or be killed at it.
    ///
    /// # Errors
    /// The directory can't be read or written.
    pub fn sweep(&self, before: Timestamp) -> io::Result<u64> {
        let mut alive: HashMap<String, bool> = HashMap::new();
        let mut removed = 0;
        for (action, files) in files::scan(&self.directory)? {
            if self.is_over(&action, &files, before, &mut alive)? {
                self.remove(&action, &files)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    fn is_over(
        &self,
        action: &str,
        files: &Files,
        before: Timestamp,
        alive: &mut HashMap<String, bool>,
    ) -> io::Result<bool> {
        let earlier = |time: &str| time.parse::<Timestamp>().is_ok_and(|time| time < before);
        if files.closed {
            let closed = read_form::<ClosedForm>(&self.path(action, "closed"))?;
            return Ok(closed.is_some_and(|closed| earlier(&closed.at)));
        }
        if !files.hold {
            // A decision without a hold: what is left of a sweep that was killed.
            return Ok(true);
        }
        let Some(form) = read_form::<HoldForm>(&self.path(action, "hold"))? else {
            return Ok(false);
        };
        let waits = *alive
            .entry(form.waiter)
            .or_insert_with_key(|waiter| lives(waiter));
        Ok(!waits && earlier(&form.expires))
    }

    /// The hold goes first, so that nothing is ever taken for one that waits; how it ended goes last.
    fn remove(&self, action: &str, files: &Files) -> io::Result<()> {
        let mut names = vec![self.path(action, "hold")];
        names.extend(
            files
                .persons
                .iter()
                .map(|person| self.path(action, &format!("by-{person}"))),
        );
        names.push(self.path(action, "closed"));
        for name in names {
            match fs::remove_file(&name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}
