//! An entry of the catalog: a kind of command, what it does, and how it is taken back.

use rescind_model::{Class, Reversibility, read_span};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// An entry, as it stands in a file. `docs/formats/catalog.md` describes each field.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Which commands it is about.
    pub command_pattern: String,
    /// Other patterns for the same.
    #[serde(default)]
    pub also: Vec<String>,
    /// What such a command does, in a sentence.
    #[serde(default)]
    pub does: String,
    /// How far it can be taken back without anything but what this entry says.
    #[serde(deserialize_with = "class")]
    pub reversibility: Class,
    /// Where its effects are.
    #[serde(default)]
    pub effects: Effects,
    /// Flags, or texts in any word, with which this entry does not hold.
    #[serde(default)]
    pub unless: Vec<String>,
    /// What its flags say holds whatever else the command says: `--dry-run`.
    #[serde(default)]
    pub overrides: bool,
    /// A language in which its words are, which can say more than the entry.
    #[serde(default)]
    pub language: Option<Language>,
    /// The command that takes it back.
    #[serde(default)]
    pub compensating_action: Option<String>,
    /// What that command reads: `pre_capture`, or a text with placeholders.
    #[serde(default)]
    pub compensation_stdin: Option<String>,
    /// Whether taking it back is safe.
    #[serde(default)]
    pub rollback_safe: RollbackSafe,
    /// The command that runs before, whose output is kept.
    #[serde(default)]
    pub pre_capture: Option<String>,
    /// Where placeholders come from.
    #[serde(default)]
    pub captures: BTreeMap<String, Capture>,
    /// The command that shows that it is taken back: it ends with 0.
    #[serde(default)]
    pub verify: Option<String>,
    /// Whether doing it twice is doing it once.
    #[serde(default)]
    pub idempotent: Option<bool>,
    /// A form of the command that can be repeated.
    #[serde(default)]
    pub idempotent_form: Option<String>,
    /// What it costs: `EXPRESSION CURRENCY[/UNIT]`.
    #[serde(default)]
    pub spend: Option<String>,
    /// How much it touches: `EXPRESSION THINGS`.
    #[serde(default)]
    pub blast_radius: Option<String>,
    /// What must be so for it, or for taking it back, to work.
    #[serde(default)]
    pub preconditions: Vec<String>,
    /// Who builds on what it changes.
    #[serde(default)]
    pub dependents: Vec<String>,
    /// How long taking it back takes: `30s`, `5m`, `2h`, `1d`.
    #[serde(default, deserialize_with = "span")]
    pub time_to_recover: Option<Duration>,
    /// What else matters.
    #[serde(default)]
    pub notes: String,
    /// Where this is documented.
    #[serde(default)]
    pub source: String,
    /// Commands that it is about, and such that look like it and are not: run as tests.
    #[serde(default)]
    pub examples: Examples,
    /// Where it was read from.
    #[serde(skip)]
    pub origin: String,
    /// It is one of the user's own.
    #[serde(skip)]
    pub own: bool,
}

/// Where the effects of a command are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effects {
    /// Nowhere.
    None,
    /// On files of this machine only: the files surface captures them, whatever the program.
    LocalFiles,
    /// On this machine, and not only on files: processes, services, mounts, the kernel.
    LocalHost,
    /// On other systems, or nobody knows.
    #[default]
    Remote,
    /// Those of code that is not on the command line: a project's scripts, tests, a file. What it starts is judged by
    /// itself when it starts.
    ProjectCode,
}

/// Whether taking an action back is safe.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RollbackSafe {
    /// Always.
    Always,
    /// Never: a person has to.
    #[default]
    Never,
    /// Where this holds: a comparison over placeholders.
    Condition(String),
    /// Where this command ends with 0.
    Check(String),
}

/// Where a placeholder's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Whose output.
    pub from: CaptureFrom,
    /// How the value is found in it.
    pub find: Find,
    /// All that a path finds, with a blank between, instead of the first.
    pub all: bool,
    /// Taken where nothing is found.
    pub default: Option<String>,
}

/// Whose output a value is taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CaptureFrom {
    /// The command that ran before.
    #[default]
    PreCapture,
    /// The action itself.
    Result,
}

/// How a value is found in an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Find {
    /// By a path into JSON (RFC 9535): the first match.
    Path(String),
    /// By a regular expression: its first group, or all of the first match.
    Regex(String),
    /// It is the whole output without the blanks around it.
    Text,
}

/// A language in which a command's words are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// sed's: it can write files and run commands.
    Sed,
    /// awk's: it can write files and run commands.
    Awk,
    /// A copy's: the last word is where it goes.
    Copy,
}

/// Commands that are tests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Examples {
    /// This entry is the one that is found.
    #[serde(rename = "match")]
    pub matching: Vec<Example>,
    /// It is not.
    pub no_match: Vec<Example>,
}

/// A command that is a test.
#[derive(Debug, Clone)]
pub struct Example {
    /// It.
    pub command: String,
    /// What some placeholders stand for.
    pub binds: BTreeMap<String, String>,
    /// The compensation, as far as it is known then.
    pub compensation: Option<String>,
}

impl Entry {
    /// Its patterns.
    pub fn patterns(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.command_pattern.as_str()).chain(self.also.iter().map(String::as_str))
    }
}

impl Effects {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::LocalFiles => "local_files",
            Self::LocalHost => "local_host",
            Self::Remote => "remote",
            Self::ProjectCode => "project_code",
        }
    }
}

impl RollbackSafe {
    /// As it stands in a file.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Always => "always",
            Self::Never => "never",
            Self::Condition(text) | Self::Check(text) => text,
        }
    }
}

fn class<'de, D: Deserializer<'de>>(from: D) -> Result<Class, D::Error> {
    let name = String::deserialize(from)?;
    let unknown = || {
        let names: Vec<&str> = Class::ALL.into_iter().map(Class::name).collect();
        serde::de::Error::custom(format!("`{name}` is none of {}", names.join(", ")))
    };
    Class::from_name(&name).ok_or_else(unknown)
}

fn span<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    let Some(text) = Option::<String>::deserialize(from)? else {
        return Ok(None);
    };
    let unreadable =
        || serde::de::Error::custom(format!("`{text}` is no time like `30s`, `5m`, `2h` or `1d`"));
    // `5 m` is written, too.
    read_span(&text.replacen(' ', "", 1))
        .map(Some)
        .ok_or_else(unreadable)
}

/// How long taking a command of a class back takes where an entry does not say.
#[must_use]
pub fn usual_time(class: Class) -> Option<Duration> {
    let seconds = match class {
        Class::NoEffect => 0,
        Class::Known(Reversibility::TriviallyReversible) => 10,
        Class::Known(Reversibility::ReversibleWithState) => 60,
        Class::Known(Reversibility::ReversibleWithBackup) => 3_600,
        Class::Known(Reversibility::PartiallyReversible) => 14_400,
        Class::Known(Reversibility::Irreversible) | Class::Unknown => return None,
    };
    Some(Duration::from_secs(seconds))
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RollbackForm {
    Text(String),
    Full(RollbackFull),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RollbackFull {
    condition: Option<String>,
    check: Option<String>,
}

impl<'de> Deserialize<'de> for RollbackSafe {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fail = || serde::de::Error::custom("rollback_safe is `always`, `never`, a condition, or a check");
        Ok(match RollbackForm::deserialize(from).map_err(|_| fail())? {
            RollbackForm::Text(text) => match text.as_str() {
                "always" => Self::Always,
                "never" => Self::Never,
                _ => Self::Condition(text),
            },
            RollbackForm::Full(RollbackFull {
                condition: Some(text),
                check: None,
            }) => Self::Condition(text),
            RollbackForm::Full(RollbackFull {
                condition: None,
                check: Some(text),
            }) => Self::Check(text),
            RollbackForm::Full(_) => return Err(fail()),
        })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CaptureForm {
    Path(String),
    Full(CaptureFull),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureFull {
    #[serde(default)]
    from: CaptureFrom,
    path: Option<String>,
    regex: Option<String>,
    #[serde(default)]
    all: bool,
    default: Option<String>,
}

impl<'de> Deserialize<'de> for Capture {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fail =
            || serde::de::Error::custom("a capture is a JSONPath, or from, path or regex, and default");
        let full = match CaptureForm::deserialize(from).map_err(|_| fail())? {
            CaptureForm::Path(path) => CaptureFull {
                from: CaptureFrom::PreCapture,
                path: Some(path),
                regex: None,
                all: false,
                default: None,
            },
            CaptureForm::Full(full) => full,
        };
        let find = match (full.path, full.regex) {
            (Some(path), None) => Find::Path(path),
            (None, Some(regex)) => Find::Regex(regex),
            (None, None) => Find::Text,
            (Some(_), Some(_)) => return Err(fail()),
        };
        Ok(Self {
            from: full.from,
            find,
            all: full.all,
            default: full.default,
        })
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ExampleForm {
    Command(String),
    Full(ExampleFull),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExampleFull {
    command: String,
    #[serde(default)]
    binds: BTreeMap<String, String>,
    compensation: Option<String>,
}

impl<'de> Deserialize<'de> for Example {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let fail = || serde::de::Error::custom("an example is a command, or command, binds and compensation");
        let full = match ExampleForm::deserialize(from).map_err(|_| fail())? {
            ExampleForm::Command(command) => ExampleFull {
                command,
                binds: BTreeMap::new(),
                compensation: None,
            },
            ExampleForm::Full(full) => full,
        };
        Ok(Self {
            command: full.command,
            binds: full.binds,
            compensation: full.compensation,
        })
    }
}
