//! stdout is data, stderr is talk. Colour only where a terminal shows it; a reader that goes away is no error.

use crate::error::Done;
use crate::text::json_text;
use anstyle::{AnsiColor, Effects, Style};
use serde_json::Value;
use std::fmt::Display;
use std::io::{self, BufWriter, IsTerminal as _, StdoutLock, Write as _};

/// The data.
pub struct Out {
    to: BufWriter<anstream::AutoStream<StdoutLock<'static>>>,
}

impl Out {
    /// stdout, locked.
    #[must_use]
    pub fn new() -> Self {
        Self {
            to: BufWriter::new(anstream::AutoStream::auto(io::stdout().lock())),
        }
    }

    /// A line.
    ///
    /// # Errors
    /// It can't be written; where the reader is gone, silently.
    pub fn line(&mut self, text: impl Display) -> Done<()> {
        Ok(writeln!(self.to, "{text}")?)
    }

    /// Text with its own line ends.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn text(&mut self, text: &str) -> Done<()> {
        Ok(self.to.write_all(text.as_bytes())?)
    }

    /// A JSON value, one line.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn json(&mut self, value: &Value) -> Done<()> {
        self.line(json_text(value))
    }

    /// Lines of a table under a head, each column as wide as its widest cell.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn table(&mut self, head: &[&str], rows: &[Vec<String>]) -> Done<()> {
        let width = |column: usize| {
            let cells = rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            cells
                .chain(head.get(column).map(|name| name.len()))
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
        self.line(dim(&line(&head)))?;
        for row in rows {
            self.line(line(row))?;
        }
        Ok(())
    }

    /// Hand everything to the reader.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub fn end(mut self) -> Done<()> {
        Ok(self.to.flush()?)
    }
}

/// Say something to the person, on stderr.
pub fn say(text: impl Display) {
    // Nobody listens any more where this fails.
    let _unheard = writeln!(anstream::stderr(), "{text}");
}

/// Whether a person can be asked: both stdin and stderr are terminals.
#[must_use]
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Ask a question on stderr and read one line; `None` at the end of input.
///
/// # Errors
/// The terminal can't be read.
pub fn ask(question: &str) -> io::Result<Option<String>> {
    Ok(ask_text(question)?.map(|answer| answer.to_lowercase()))
}

/// The same for a text of the person's own.
///
/// # Errors
/// As [`ask`].
pub fn ask_text(question: &str) -> io::Result<Option<String>> {
    write!(anstream::stderr(), "{question} ")?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer)?;
    Ok((read > 0).then(|| answer.trim().to_owned()))
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Heads and side remarks.
#[must_use]
pub fn dim(text: &str) -> String {
    styled(Style::new().effects(Effects::DIMMED), text)
}

/// What the eye should find.
#[must_use]
pub fn bold(text: &str) -> String {
    styled(Style::new().bold(), text)
}

/// Good.
#[must_use]
pub fn green(text: &str) -> String {
    styled(AnsiColor::Green.on_default(), text)
}

/// To be looked at.
#[must_use]
pub fn yellow(text: &str) -> String {
    styled(AnsiColor::Yellow.on_default(), text)
}

/// Bad.
#[must_use]
pub fn red(text: &str) -> String {
    styled(AnsiColor::Red.on_default(), text)
}
