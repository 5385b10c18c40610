//! How one target of a command is taken back: what runs before, what runs to undo it, what proves it.

use crate::entry::{Capture, CaptureFrom, Entry, RollbackSafe};
use crate::expression::{Condition, Decimal, Measure};
use crate::line::Line;
use crate::pattern::{Bindings, placeholder};
use crate::template::{CaptureError, Filled, Template, fill_text, take};
use crate::tool::Tool;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The way back for one target of a command, filled as far as is known.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The entry that says so.
    pub entry: Arc<Entry>,
    /// What the placeholders stand for, so far.
    pub bindings: Bindings,
    captures: BTreeMap<String, Capture>,
    place: Place,
    /// What stood before the command, and stands before each of these: `sudo -u postgres`.
    prefix: Vec<String>,
}

/// Flags that say where a command happens.
#[derive(Debug, Clone, Default)]
struct Place {
    /// The program's names.
    programs: Vec<String>,
    /// All spellings of such flags: they are left out where their value is not known.
    optional: Vec<String>,
    /// Those that were given: their spellings, and the words that repeat them.
    given: Vec<(Vec<String>, Vec<String>)>,
}

/// Whether an undo may run by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Safe {
    /// It may.
    Yes,
    /// It may not.
    No,
    /// It may when this command ends with 0.
    If(Filled),
    /// That depends on values which are not known yet.
    NotYetKnown,
}

impl Recovery {
    pub(crate) fn new(entry: Arc<Entry>, tool: &Tool, line: &Line, target: Bindings) -> Self {
        let mut bindings = target;
        for flag in &line.flags {
            if let Some(value) = &flag.value {
                bindings
                    .entry(placeholder(&flag.name))
                    .or_insert_with(|| value.text.clone());
            }
        }
        let mut captures: BTreeMap<String, Capture> = entry.captures.clone();
        for (name, path) in &tool.spec.captures {
            captures.entry(name.clone()).or_insert_with(|| Capture {
                from: CaptureFrom::PreCapture,
                find: crate::entry::Find::Path(path.clone()),
                all: false,
                default: None,
            });
        }
        let wanted = wanted(&entry);
        captures.retain(|name, _| wanted.contains(name) && !bindings.contains_key(name));
        Self {
            place: Place::new(tool, line),
            entry,
            bindings,
            captures,
            prefix: Vec::new(),
        }
    }

    /// The same, behind words that run a command as another user.
    pub(crate) fn behind(mut self, prefix: &[String]) -> Self {
        self.prefix = prefix.to_vec();
        self
    }

    /// The placeholders whose values come from an output, and from which.
    #[must_use]
    pub fn captures(&self) -> &BTreeMap<String, Capture> {
        &self.captures
    }

    /// Take what comes from an output of the pre_capture or of the command itself.
    ///
    /// # Errors
    /// A value is not there: the compensation can't be filled, and the way back is not known.
    pub fn capture(&mut self, from: CaptureFrom, output: &str) -> Result<(), CaptureError> {
        take(&self.captures, from, output, &mut self.bindings)
    }

    /// The command that runs before.
    #[must_use]
    pub fn pre_capture(&self) -> Option<Filled> {
        self.fill(self.entry.pre_capture.as_deref()?)
    }

    /// The command that takes it back.
    #[must_use]
    pub fn compensation(&self) -> Option<Filled> {
        self.fill(self.entry.compensating_action.as_deref()?)
    }

    /// What that command reads from its standard input. `None`: nothing; `Some(None)`: not known yet.
    #[must_use]
    pub fn compensation_stdin(&self, pre_capture: Option<&str>) -> Option<Option<String>> {
        let text = self.entry.compensation_stdin.as_deref()?;
        if text == "pre_capture" {
            return Some(pre_capture.map(str::to_owned));
        }
        Some(fill_text(text, &self.bindings))
    }

    /// The command that shows that it is taken back.
    #[must_use]
    pub fn verify(&self) -> Option<Filled> {
        self.fill(self.entry.verify.as_deref()?)
    }

    /// Whether the undo may run by itself.
    #[must_use]
    pub fn safe(&self) -> Safe {
        match &self.entry.rollback_safe {
            RollbackSafe::Always => Safe::Yes,
            RollbackSafe::Never => Safe::No,
            RollbackSafe::Check(text) => match self.fill(text) {
                Some(filled) if filled.is_complete() => Safe::If(filled),
                _ => Safe::NotYetKnown,
            },
            RollbackSafe::Condition(text) => {
                let holds = Condition::new(text)
                    .ok()
                    .and_then(|condition| condition.holds(&self.bindings));
                match holds {
                    Some(true) => Safe::Yes,
                    Some(false) => Safe::No,
                    None => Safe::NotYetKnown,
                }
            }
        }
    }

    /// What it costs, and in which currency, where the entry says and all is known.
    #[must_use]
    pub fn spend(&self, targets: usize) -> Option<(Decimal, String)> {
        self.measure(self.entry.spend.as_deref()?, targets)
    }

    /// How much it touches, and of what, where the entry says and all is known.
    #[must_use]
    pub fn blast_radius(&self, targets: usize) -> Option<(Decimal, String)> {
        self.measure(self.entry.blast_radius.as_deref()?, targets)
    }

    fn measure(&self, text: &str, targets: usize) -> Option<(Decimal, String)> {
        let measure = Measure::new(text).ok()?;
        Some((measure.amount(&self.bindings, targets)?, measure.unit))
    }

    fn fill(&self, text: &str) -> Option<Filled> {
        let template = Template::new(text).ok()?;
        let optional = |flag: &str| self.place.optional.iter().any(|known| known == flag);
        let mut filled = template.fill(&self.bindings, optional);
        self.place.carry(&mut filled.argv);
        filled.argv.splice(0..0, self.prefix.iter().cloned());
        Some(filled)
    }
}

/// All placeholders that an entry's commands use.
fn wanted(entry: &Entry) -> Vec<String> {
    let check = match &entry.rollback_safe {
        RollbackSafe::Check(text) | RollbackSafe::Condition(text) => Some(text),
        RollbackSafe::Always | RollbackSafe::Never => None,
    };
    let texts = [
        entry.compensating_action.as_ref(),
        entry.compensation_stdin.as_ref(),
        entry.verify.as_ref(),
        entry.spend.as_ref(),
        entry.blast_radius.as_ref(),
        check,
    ];
    let mut names = Vec::new();
    for text in texts.into_iter().flatten() {
        for piece in text.split('{').skip(1) {
            if let Some((name, _)) = piece.split_once('}') {
                names.push(name.trim_end_matches("...").to_owned());
            }
        }
    }
    names
}

impl Place {
    fn new(tool: &Tool, line: &Line) -> Self {
        let mut place = Self::default();
        if tool.spec.carry.is_empty() {
            return place;
        }
        place.programs.push(tool.spec.name.clone());
        place.programs.extend(tool.spec.aliases.iter().cloned());
        for declared in tool.spec.flags.iter().chain(&tool.spec.carry) {
            let spellings: Vec<String> = declared
                .trim_end_matches('=')
                .split('/')
                .map(str::to_owned)
                .collect();
            let carried = spellings
                .iter()
                .any(|spelling| tool.spec.carry.contains(spelling));
            if !carried || place.optional.iter().any(|known| spellings.contains(known)) {
                continue;
            }
            place.optional.extend(spellings.iter().cloned());
            let Some(flag) = line
                .flags
                .iter()
                .rfind(|flag| spellings.iter().any(|name| **name == *flag.name))
            else {
                continue;
            };
            let words = match &flag.value {
                None => vec![flag.name.to_string()],
                Some(value) if flag.name.starts_with("--") => vec![format!("{}={}", flag.name, value.text)],
                Some(value) => vec![flag.name.to_string(), value.text.clone()],
            };
            place.given.push((spellings, words));
        }
        place
    }

    /// Put the flags that were given into a command of the same program that has none of its own.
    fn carry(&self, argv: &mut Vec<String>) {
        if !argv
            .first()
            .is_some_and(|program| self.programs.contains(program))
        {
            return;
        }
        for (spellings, words) in self.given.iter().rev() {
            let there = argv.iter().any(|word| {
                let flag = word.split_once('=').map_or(word.as_str(), |(flag, _)| flag);
                spellings.iter().any(|spelling| spelling == flag)
            });
            if !there {
                argv.splice(1..1, words.iter().cloned());
            }
        }
    }
}
