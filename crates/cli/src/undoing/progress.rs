//! A line that says how far an undo is, once it takes longer than a second, where there is a terminal; or JSON lines, for a
//! program that asked for them.

use crate::text::clean;
use rescind_recovery::Progress;
use serde_json::json;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

const AFTER: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(100);
const WIDTH: usize = 60;

/// The line.
pub struct Line {
    begun: Instant,
    shown: Option<Instant>,
    terminal: bool,
    lines: bool,
}

impl Line {
    /// Nothing is shown yet. `lines`: a program reads it.
    #[must_use]
    pub fn new(lines: bool) -> Self {
        Self {
            begun: Instant::now(),
            shown: None,
            terminal: io::stderr().is_terminal(),
            lines,
        }
    }

    /// Say how far it is, if it is time to.
    pub fn tell(&mut self, progress: Progress<'_>) {
        if self.lines {
            return self.tell_program(progress);
        }
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= EVERY);
        if !self.terminal || self.begun.elapsed() < AFTER || !due {
            return;
        }
        let name = clean(progress.name);
        let skip = name.chars().count().saturating_sub(WIDTH);
        let name: String = name.chars().skip(skip).collect();
        let _unseen = write!(
            io::stderr(),
            "\r\x1b[2K{} of {}  {name}",
            progress.done,
            progress.of
        );
        self.shown = Some(Instant::now());
    }

    /// The first, the last, and ten a second between them.
    fn tell_program(&mut self, progress: Progress<'_>) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() >= EVERY);
        if due || progress.done == progress.of {
            let step = json!({"done": progress.done, "of": progress.of, "name": clean(progress.name)});
            let _unread = writeln!(io::stderr(), "{}", json!({"progress": step}));
            self.shown = Some(Instant::now());
        }
    }

    /// Take the line away.
    pub fn clear(&mut self) {
        if self.lines {
            return;
        }
        if self.shown.take().is_some() {
            let _unseen = write!(io::stderr(), "\r\x1b[2K");
        }
    }
}
