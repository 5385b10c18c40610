//! Clients whose SQL is an argument among others, and what is special about each.

use super::input::Input;
use super::walk::Judge;
use super::{Doubt, Place};
use crate::entry::Effects;
use crate::field::{Field, HOLE};
use rescind_model::{Class, Reversibility};

impl Judge<'_> {
    /// `sqlite3 FILE TEXT`: what it changes is a file. `false`: nothing of it is known.
    pub(super) fn sqlite(&mut self, fields: &[Field], input: &Input) -> bool {
        let values = [
            "-separator",
            "-newline",
            "-nullvalue",
            "-mmap",
            "-vfs",
            "-lookaside",
            "-maxsize",
            "-pagecache",
        ];
        let mut texts: Vec<String> = Vec::new();
        let mut files = 0;
        let mut rest = fields.get(1..).unwrap_or_default().iter();
        while let Some(field) = rest.next() {
            let flag = field.text.replacen("--", "-", 1);
            match flag.as_str() {
                "-cmd" => texts.extend(rest.next().map(|field| field.text.clone())),
                "-init" => return false,
                flag if values.contains(&flag) => drop(rest.next()),
                flag if flag.starts_with('-') => {}
                _ if field.many => return false,
                _ if files == 0 => files = 1,
                _ => texts.push(field.text.clone()),
            }
        }
        if texts.is_empty() {
            match input {
                Input::Text(text) | Input::About(text) => texts.push(text.clone()),
                Input::Own | Input::Unknown => return false,
            }
        }
        if texts.iter().any(|text| runs_more(text)) {
            return false;
        }
        let before = self.parts.len();
        for text in &texts {
            let statements: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim_start().starts_with('.'))
                .collect();
            self.sql(&statements.join("\n"), "sqlite");
        }
        let here = self.place == Place::Here;
        let state = Class::Known(Reversibility::ReversibleWithState);
        let lost = Class::Known(Reversibility::Irreversible);
        for part in self
            .parts
            .iter_mut()
            .skip(before)
            .filter(|part| part.class > Class::NoEffect)
        {
            part.class = if here { state } else { lost };
            part.uncaptured = lost;
            part.doubt = None;
            part.recoveries.clear();
            if here {
                part.effects = Effects::LocalFiles;
                part.why = format!("{}; the database is a file, which is captured before", part.why);
            }
        }
        if self.parts.len() == before {
            self.plain(fields, Class::NoEffect, Effects::None, "it only reads");
        }
        true
    }

    /// `bq query TEXT`. `false`: something else.
    pub(super) fn bigquery(&mut self, fields: &[Field]) -> bool {
        let words = || fields.iter().skip(1).filter(|field| !field.text.starts_with('-'));
        let (Some(first), Some(text)) = (words().next(), fields.last()) else {
            return false;
        };
        if first.text != "query" || !text.text.contains([' ', '\n', HOLE]) || text.text.starts_with('-') {
            return false;
        }
        let replaces = fields.iter().any(|field| {
            field
                .text
                .trim_start_matches('-')
                .starts_with("destination_table")
        });
        if replaces {
            self.doubt(
                &super::walk::words(fields),
                Doubt::Code,
                "it writes its result into a table",
            );
        }
        self.sql(&text.text, "bq");
        true
    }
}

/// Whether a text for sqlite3 holds more than statements: a command that reads files or runs programs, or a function that does.
fn runs_more(text: &str) -> bool {
    const READS: [&str; 24] = [
        ".tables",
        ".table",
        ".schema",
        ".dump",
        ".headers",
        ".header",
        ".mode",
        ".quit",
        ".exit",
        ".help",
        ".databases",
        ".indexes",
        ".indices",
        ".width",
        ".nullvalue",
        ".separator",
        ".show",
        ".stats",
        ".timer",
        ".echo",
        ".bail",
        ".print",
        ".changes",
        ".explain",
    ];
    let commands = text
        .lines()
        .map(str::trim_start)
        .filter(|line| line.starts_with('.'));
    let strange = commands
        .filter_map(|line| line.split_whitespace().next())
        .any(|command| !READS.contains(&command));
    let lower = text.to_lowercase();
    let calls = ["load_extension", "writefile", "edit", "fts3_tokenizer"];
    strange || text.contains(HOLE) || calls.iter().any(|name| lower.contains(name))
}
