//! The catalog: everything that was loaded, and which entry a command is.

use crate::embedded;
use crate::entry::{Effects, Entry};
use crate::field::{Field, HOLE};
use crate::line::Line;
use crate::load::{self, Compiled, LoadError};
use crate::pattern::{Bindings, Fit, Glob};
use crate::tool::{Tool, ToolSpec};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// Entries and descriptions of programs, ready for judging.
#[derive(Debug)]
pub struct Catalog {
    entries: Vec<Arc<Entry>>,
    compiled: Compiled,
    /// Programs of which more entries act elsewhere than here.
    elsewhere: HashSet<String>,
}

/// Collects what a catalog is made of.
#[derive(Debug, Default)]
pub struct Builder {
    tools: Vec<ToolSpec>,
    entries: Vec<Entry>,
}

/// What the catalog knows of a command.
#[derive(Debug)]
pub struct Match<'a> {
    /// How its program is read.
    pub tool: &'a Tool,
    /// Its words and flags.
    pub line: Line,
    /// The entry that names most of it.
    pub best: Option<Best>,
    /// The worst entry that it may be, depending on what is not known.
    pub maybe: Option<Arc<Entry>>,
    /// How many others fit as well.
    pub others: usize,
    /// A flag through which other code runs, or which is not known for sure.
    pub doubt: Option<String>,
}

/// The entry that a command is.
#[derive(Debug)]
pub struct Best {
    /// It.
    pub entry: Arc<Entry>,
    /// What the wildcards stand for, for each target.
    pub targets: Vec<Bindings>,
}

impl Builder {
    /// With the built-in catalog.
    ///
    /// # Errors
    /// It can't be read, which its tests exclude.
    pub fn with_builtin() -> Result<Self, LoadError> {
        let mut builder = Self::default();
        for (origin, text) in embedded::FILES {
            builder.add(origin, text, false)?;
        }
        Ok(builder)
    }

    /// Add a file's text. Entries of one's `own` come before built-in ones that name as much.
    ///
    /// # Errors
    /// It is not understood; nothing of it is taken then.
    pub fn add(&mut self, origin: &str, text: &str, own: bool) -> Result<(), LoadError> {
        let file = load::read(origin, text)?;
        self.tools.extend(file.tools);
        self.entries.extend(file.entries.into_iter().map(|mut entry| {
            entry.own = own;
            entry
        }));
        Ok(())
    }

    /// The catalog.
    ///
    /// # Errors
    /// A pattern can't be read.
    pub fn build(self) -> Result<Catalog, LoadError> {
        let compiled = load::compile(self.tools, &self.entries).map_err(|(number, error)| {
            let entry = self.entries.get(number);
            LoadError::Entry {
                origin: entry.map(|entry| entry.origin.clone()).unwrap_or_default(),
                entry: entry
                    .map(|entry| entry.command_pattern.clone())
                    .unwrap_or_default(),
                why: error.to_string(),
            }
        })?;
        let elsewhere = elsewhere(&self.entries);
        let entries = self.entries.into_iter().map(Arc::new).collect();
        Ok(Catalog {
            entries,
            compiled,
            elsewhere,
        })
    }
}

impl Catalog {
    /// The built-in catalog, read once.
    ///
    /// # Errors
    /// It can't be read, which its tests exclude.
    pub fn builtin() -> Result<&'static Self, &'static LoadError> {
        static BUILTIN: OnceLock<Result<Catalog, LoadError>> = OnceLock::new();
        BUILTIN
            .get_or_init(|| Builder::with_builtin().and_then(Builder::build))
            .as_ref()
    }

    /// All entries.
    #[must_use]
    pub fn entries(&self) -> &[Arc<Entry>] {
        &self.entries
    }

    /// Whether anything is known of a program of that name.
    #[must_use]
    pub fn knows(&self, program: &str) -> bool {
        self.compiled.by_name.contains_key(program)
    }

    /// Whether a program is known to act elsewhere most of the time.
    #[must_use]
    pub fn acts_elsewhere(&self, program: &str) -> bool {
        self.elsewhere.contains(program)
    }

    /// Which entry a program with these arguments is.
    #[must_use]
    pub fn find(&self, program: &str, arguments: &[Field]) -> Option<Vec<Match<'_>>> {
        let index = *self.compiled.by_name.get(program)?;
        let tool = self.compiled.tools.get(index)?;
        let line = Line::read(tool, arguments);
        let each = if tool.spec.slash_names {
            line.each()
        } else {
            Vec::new()
        };
        if each.is_empty() {
            return Some(self.find_line(index, tool, line).into_iter().collect());
        }
        Some(
            each.into_iter()
                .filter_map(|line| self.find_line(index, tool, line))
                .collect(),
        )
    }

    fn find_line<'a>(&'a self, index: usize, tool: &'a Tool, line: Line) -> Option<Match<'a>> {
        let mut best: Option<(u32, &Arc<Entry>, Vec<Bindings>)> = None;
        let mut maybe: Option<&Arc<Entry>> = None;
        let mut others = 0;
        let mut alternatives: Vec<&Arc<Entry>> = Vec::new();
        let mut doubt = opaque(tool, &line);
        for (pattern, number) in self.compiled.patterns.get(index)? {
            let Some(entry) = self.entries.get(*number) else {
                continue;
            };
            match pattern.fit(tool, &line) {
                Fit::No => {}
                Fit::Maybe => {
                    alternatives.push(entry);
                    if maybe.is_none_or(|known| known.reversibility < entry.reversibility) {
                        maybe = Some(entry);
                    }
                }
                Fit::Yes { targets } => {
                    if excluded(entry, tool, &line) {
                        continue;
                    }
                    others += 1;
                    alternatives.push(entry);
                    let rank =
                        |entry: &Entry, score: u32| (entry.overrides, score, entry.own, entry.reversibility);
                    let better = best
                        .as_ref()
                        .is_none_or(|(score, known, _)| rank(entry, pattern.score()) > rank(known, *score));
                    if better {
                        best = Some((pattern.score(), entry, targets));
                    }
                }
            }
        }
        if let Some((_, entry, _)) = &best
            && (line.open && entry.unless.iter().any(|flag| flag.starts_with('-'))
                || line.words.iter().any(|word| word.text.contains(HOLE))
                    && entry.unless.iter().any(|text| may_hide(text))
                    && !no_worse(entry, &alternatives))
        {
            doubt.get_or_insert_with(|| "a word that is not known may make it something else".to_owned());
        }
        if line.open && !tool.spec.opaque.is_empty() {
            doubt.get_or_insert_with(|| {
                "a word that is not known may be a flag that runs other code".to_owned()
            });
        }
        let best = best.map(|(_, entry, targets)| Best {
            entry: entry.clone(),
            targets,
        });
        Some(Match {
            tool,
            line,
            best,
            maybe: maybe.cloned(),
            others: others.max(1) - 1,
            doubt,
        })
    }
}

fn elsewhere(entries: &[Entry]) -> HashSet<String> {
    let mut more: HashMap<&str, i64> = HashMap::new();
    for entry in entries {
        let program = entry
            .command_pattern
            .split_whitespace()
            .next()
            .unwrap_or_default();
        *more.entry(program).or_default() += match entry.effects {
            Effects::Remote => 1,
            Effects::LocalFiles | Effects::ProjectCode => -1,
            Effects::None | Effects::LocalHost => 0,
        };
    }
    let elsewhere = more.into_iter().filter(|(_, more)| *more > 0);
    elsewhere.map(|(program, _)| program.to_owned()).collect()
}

/// Whether a command that is not this entry is one of others, none of which is worse.
fn no_worse(entry: &Arc<Entry>, alternatives: &[&Arc<Entry>]) -> bool {
    let mut others = alternatives
        .iter()
        .filter(|other| !Arc::ptr_eq(other, entry))
        .peekable();
    others.peek().is_some() && others.all(|other| other.reversibility <= entry.reversibility)
}

/// Whether a text that rules an entry out may be in a word that is not known. An address is taken for one that its
/// program is usually given.
fn may_hide(unless: &str) -> bool {
    !unless.starts_with(['-', '%']) && !unless.ends_with([':', '/'])
}

/// A flag that rules an entry out.
fn excluded(entry: &Entry, tool: &Tool, line: &Line) -> bool {
    entry.unless.iter().any(|unless| {
        if unless.starts_with('-') {
            let (flag, value) = unless
                .split_once('=')
                .map_or((unless.as_str(), None), |(f, v)| (f, Some(v)));
            let spelling = match tool.spec.one_dash && !flag.starts_with("--") && flag.len() > 2 {
                true => format!("-{flag}"),
                false => flag.to_owned(),
            };
            let canonical = tool
                .find(&[], &spelling)
                .map_or_else(|| spelling.clone(), |info| info.name.to_string());
            return line.flags.iter().any(|given| {
                let same = *given.name == *canonical || *given.name == *spelling;
                same && value.is_none_or(|pattern| {
                    let glob = Glob::new(pattern, String::new);
                    given
                        .value
                        .as_ref()
                        .is_some_and(|value| glob.fit(value, &mut Bindings::new()).is_some())
                })
            });
        }
        let values = line.flags.iter().filter_map(|flag| flag.value.as_ref());
        let mut texts = line.words.iter().chain(values);
        texts.any(|field| field.text.contains(unless.as_str()))
    })
}

/// A flag through which other code runs, or that may be one of several.
fn opaque(tool: &Tool, line: &Line) -> Option<String> {
    if let Some(flag) = &line.ambiguous {
        return Some(format!("`{flag}` can be short for several flags"));
    }
    for (flag, fine) in &tool.spec.opaque {
        for given in line.flags.iter().filter(|given| *given.name == **flag) {
            let harmless = given.value.as_ref().is_some_and(|value| {
                let exact = !value.text.contains(HOLE);
                exact
                    && fine.iter().any(|pattern| {
                        Glob::new(pattern, String::new).fit(value, &mut Bindings::new()) == Some(true)
                    })
            });
            if !harmless {
                return Some(format!("`{flag}` can run other code"));
            }
        }
    }
    None
}

impl Catalog {
    /// Whether any flag can give a placeholder of an entry its value.
    pub(crate) fn takes_any_flag(&self, entry: &Entry) -> bool {
        self.compiled
            .tools
            .iter()
            .zip(&self.compiled.patterns)
            .any(|(tool, patterns)| {
                let same = |number: usize| {
                    self.entries
                        .get(number)
                        .is_some_and(|other| std::ptr::eq(other.as_ref(), entry))
                };
                tool.spec.value_flags && patterns.iter().any(|(_, number)| same(*number))
            })
    }

    /// All placeholders that can have a value in an entry's commands.
    pub(crate) fn placeholders(&self, entry: &Entry) -> Vec<String> {
        let mut names: Vec<String> = entry.captures.keys().cloned().collect();
        for (tool, patterns) in self.compiled.tools.iter().zip(&self.compiled.patterns) {
            for (pattern, number) in patterns {
                let same = self
                    .entries
                    .get(*number)
                    .is_some_and(|other| std::ptr::eq(other.as_ref(), entry));
                if same {
                    names.extend(pattern.placeholders());
                    names.extend(tool.spec.captures.keys().cloned());
                    let scoped = tool.spec.scopes.values().flatten();
                    let declared = tool
                        .spec
                        .flags
                        .iter()
                        .chain(scoped)
                        .filter(|flag| flag.ends_with('='));
                    let spellings = declared.flat_map(|flag| flag.trim_end_matches('=').split('/'));
                    names.extend(spellings.map(crate::pattern::placeholder));
                    let carried = tool
                        .spec
                        .carry
                        .iter()
                        .map(|flag| crate::pattern::placeholder(flag));
                    names.extend(carried);
                }
            }
        }
        names
    }
}
