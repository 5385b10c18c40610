//! Judging: a command, as text or as words, into its parts with their classes.
//!
//! Pure: no clock, no files, nothing but the catalog, the command and what is known of the environment.

mod awk;
mod builtin;
mod dispatch;
mod expand;
mod git;
mod input;
mod languages;
mod prefixes;
mod programs;
mod runners;
mod scope;
mod sed;
mod sql;
mod sqlite;
mod verbs;
mod walk;
mod wrap;

use crate::catalog::Catalog;
use crate::entry::{Effects, Entry};
use crate::field::Field;
use crate::pattern::Bindings;
use crate::recovery::Recovery;
use rescind_model::{Class, Reversibility};
use scope::Scope;
use std::collections::HashMap;
use std::sync::Arc;
use walk::Judge;

/// What is known around a command.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// The environment, as far as it is known.
    pub variables: HashMap<String, String>,
    /// The environment is all there is: other variables are empty.
    pub complete: bool,
    /// Folders whose programs are what they are called, besides the system's own.
    pub trusted: Vec<String>,
}

/// What is thought of a command.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// As bad as its worst part, with what the files surface captures.
    pub class: Class,
    /// The same without any capture.
    pub uncaptured: Class,
    /// Why, the worst first.
    pub reasons: Vec<String>,
    /// Its parts, in the order in which they would run.
    pub parts: Vec<Part>,
    /// All it changes are files of this machine: the kernel shows each change before it happens.
    pub local_files_only: bool,
}

/// A simple command in it, or a redirection that stands alone.
#[derive(Debug, Clone)]
pub struct Part {
    /// As a person would type it; what is not known is marked.
    pub text: String,
    /// With what the files surface captures.
    pub class: Class,
    /// Without.
    pub uncaptured: Class,
    /// Where it runs.
    pub place: Place,
    /// Where its effects are.
    pub effects: Effects,
    /// Why.
    pub why: String,
    /// Why it is not known, where it is not.
    pub doubt: Option<Doubt>,
    /// The entry that says so.
    pub entry: Option<Arc<Entry>>,
    /// How many others fit it.
    pub others: usize,
    /// The way back, for each target.
    pub recoveries: Vec<Recovery>,
    /// What its wildcards stand for, for each target.
    pub targets: Vec<Bindings>,
    /// The files that its redirections write.
    pub writes: Vec<String>,
}

/// Where a part runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Place {
    /// On this machine, as the user who runs it.
    #[default]
    Here,
    /// On this machine as another user, where capture is not assured.
    Privileged,
    /// On another machine or in a container, where nothing is captured.
    Elsewhere(String),
}

/// Why something is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// The catalog has no entry for it.
    NoEntry,
    /// It runs a project's own code; what that starts is judged by itself when it starts.
    ProjectCode,
    /// It runs code that is not read: another language, a file, a flag.
    Code,
    /// A word of it is only known when it runs.
    Word,
    /// It reads commands that are only known when it runs.
    Input,
    /// The program may not be what it is called.
    Program,
    /// The text is not understood.
    Syntax,
    /// It is too long or nested too deep.
    Limit,
}

impl Doubt {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoEntry => "no_entry",
            Self::ProjectCode => "project_code",
            Self::Code => "code",
            Self::Word => "word",
            Self::Input => "input",
            Self::Program => "program",
            Self::Syntax => "syntax",
            Self::Limit => "limit",
        }
    }
}

impl Place {
    /// In words, for those that are not here.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Here => "here".to_owned(),
            Self::Privileged => "here, as another user".to_owned(),
            Self::Elsewhere(place) => format!("in {place}"),
        }
    }
}

/// More reasons than this are only counted.
const MAX_REASONS: usize = 8;

impl Catalog {
    /// Judge a shell text.
    #[must_use]
    pub fn judge_text(&self, text: &str, context: &Context) -> Judgement {
        let mut judge = Judge::new(self, context);
        judge.text(text, &mut Scope::default());
        judge.end()
    }

    /// Judge a command in words, as it is given to `execve`.
    #[must_use]
    pub fn judge_argv<S: AsRef<str>>(&self, argv: &[S], context: &Context) -> Judgement {
        let fields: Vec<Field> = argv.iter().map(|word| Field::known(word.as_ref())).collect();
        let mut judge = Judge::new(self, context);
        judge.argv(&fields, &mut Scope::default());
        judge.end()
    }
}

impl Judgement {
    pub(crate) fn of(parts: Vec<Part>) -> Self {
        let worst = |class: fn(&Part) -> Class| parts.iter().map(class).max().unwrap_or(Class::NoEffect);
        let class = worst(|part| part.class);
        let uncaptured = worst(|part| part.uncaptured);
        let local = |part: &Part| match part.effects {
            Effects::None => part.class == Class::NoEffect,
            Effects::LocalFiles => {
                part.place == Place::Here && part.class <= Class::Known(Reversibility::ReversibleWithState)
            }
            _ => false,
        };
        let local_files_only =
            parts.iter().all(local) && parts.iter().any(|part| part.effects == Effects::LocalFiles);
        let mut sorted: Vec<&Part> = parts.iter().filter(|part| part.class > Class::NoEffect).collect();
        sorted.sort_by_key(|part| std::cmp::Reverse(part.class));
        let mut reasons: Vec<String> = sorted
            .iter()
            .take(MAX_REASONS)
            .map(|part| format!("`{}`: {}: {}", part.text, part.class, part.why))
            .collect();
        if sorted.len() > MAX_REASONS {
            reasons.push(format!("and {} more parts", sorted.len() - MAX_REASONS));
        }
        if reasons.is_empty() {
            reasons.push("all of it only reads".to_owned());
        }
        Self {
            class,
            uncaptured,
            reasons,
            parts,
            local_files_only,
        }
    }
}
