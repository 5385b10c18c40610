//! How the command line of a program is read: which flags take a value, which names mean the same.

use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A program's command line, as a catalog file describes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ToolSpec {
    /// The command word.
    pub name: String,
    /// Other names of the same program.
    pub aliases: Vec<String>,
    /// Flags in every place: `-n/--namespace=` takes a value, `-A/--all-namespaces` does not.
    pub flags: Vec<String>,
    /// Flags behind a subcommand (`logs`, `remote add`); they hide those of the same spelling.
    pub scopes: BTreeMap<String, Vec<String>>,
    /// Flags that say where an action happens: they go into its compensation and captures, too.
    pub carry: Vec<String>,
    /// Words with the same meaning, under the one that patterns use.
    pub words: BTreeMap<String, Vec<String>>,
    /// `TYPE NAME` means `TYPE/NAME`.
    pub slash_names: bool,
    /// Words mean the same in capitals.
    pub ignore_case: bool,
    /// `-name` is one flag, the same as `--name`.
    pub one_dash: bool,
    /// A long flag may be cut short.
    pub abbreviates: bool,
    /// `name=value` words are flags.
    pub keywords: bool,
    /// A flag that is not declared takes the words that follow it as its value.
    pub value_flags: bool,
    /// There are no flags: every word is one.
    pub raw: bool,
    /// Flags through which other code runs; with the values that are harmless.
    pub opaque: BTreeMap<String, Vec<String>>,
    /// Where placeholders are found in the output of a pre_capture, if an entry does not say (RFC 9535).
    pub captures: BTreeMap<String, String>,
    /// Flags (or `stdin`, or the number of a word) whose value is a text in a language that is judged: `sql`.
    pub languages: BTreeMap<String, String>,
    /// Where this comes from.
    pub source: String,
}

/// A flag of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlagInfo {
    /// The one spelling that stands for all: the first long one.
    pub name: Arc<str>,
    /// It takes a value.
    pub value: bool,
}

type Flags = HashMap<String, FlagInfo>;

/// A program's command line, ready for reading.
#[derive(Debug, Default)]
pub struct Tool {
    /// As it was described.
    pub spec: ToolSpec,
    flags: Flags,
    scopes: HashMap<String, Flags>,
    synonyms: HashMap<String, String>,
}

impl Tool {
    /// From its description.
    #[must_use]
    pub fn new(spec: ToolSpec) -> Self {
        let mut tool = Self::default();
        for flag in &spec.flags {
            declare(&mut tool.flags, flag);
        }
        for (scope, flags) in &spec.scopes {
            let table = tool.scopes.entry(scope.clone()).or_default();
            for flag in flags {
                declare(table, flag);
            }
        }
        for (name, others) in &spec.words {
            for other in others {
                tool.synonyms.insert(other.clone(), name.clone());
            }
        }
        tool.spec = spec;
        tool
    }

    /// Learn a flag from a pattern; what is declared already stays.
    pub fn learn(&mut self, scope: &str, spelling: &str, value: bool) {
        // Where flags take all the words that follow, one that a pattern names does, too.
        if self.find(&[scope], spelling).is_some() || self.spec.value_flags && value {
            return;
        }
        let table = if scope.is_empty() {
            &mut self.flags
        } else {
            self.scopes.entry(scope.to_owned()).or_default()
        };
        let name = Arc::from(spelling);
        table.insert(spelling.to_owned(), FlagInfo { name, value });
    }

    /// The flag of that spelling behind these subcommands (`remote`, `remote add`, ...).
    #[must_use]
    pub fn find(&self, scopes: &[&str], spelling: &str) -> Option<&FlagInfo> {
        let scoped = scopes
            .iter()
            .rev()
            .find_map(|scope| self.scopes.get(*scope)?.get(spelling));
        scoped.or_else(|| self.flags.get(spelling))
    }

    /// The flags that a long spelling can be short for.
    #[must_use]
    pub fn abbreviated(&self, scopes: &[&str], spelling: &str) -> Vec<&FlagInfo> {
        let scoped = scopes.iter().filter_map(|scope| self.scopes.get(*scope));
        let mut found: Vec<&FlagInfo> = scoped
            .chain([&self.flags])
            .flat_map(|table| table.iter())
            .filter(|(name, _)| name.starts_with(spelling) && name.starts_with("--"))
            .map(|(_, info)| info)
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found.dedup_by(|a, b| a.name == b.name);
        found
    }

    /// Whether the flags are known well enough that an unknown one is worth a doubt.
    #[must_use]
    pub fn knows_flags(&self) -> bool {
        !self.spec.flags.is_empty()
    }

    /// Whether any subcommand begins so.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains_key(scope)
    }

    /// The word that patterns use for this one.
    #[must_use]
    pub fn canonical<'a>(&'a self, word: &'a str) -> &'a str {
        self.synonyms.get(word).map_or(word, String::as_str)
    }
}

fn declare(table: &mut Flags, text: &str) {
    let (names, value) = match text.strip_suffix('=') {
        Some(names) => (names, true),
        None => (text, false),
    };
    let spellings: Vec<&str> = names.split('/').collect();
    let long = spellings.iter().find(|name| name.starts_with("--"));
    let Some(name) = long.or(spellings.first()) else {
        return;
    };
    let name: Arc<str> = Arc::from(*name);
    for spelling in spellings {
        let info = FlagInfo {
            name: name.clone(),
            value,
        };
        table.insert(spelling.to_owned(), info);
    }
}
