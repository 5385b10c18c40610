//! A command line taken apart: words and flags, flags in one spelling.

use crate::field::{Field, HOLE};
use crate::tool::{FlagInfo, Tool};
use std::collections::HashSet;
use std::iter::Peekable;
use std::sync::Arc;

/// A command line behind its command word.
#[derive(Debug, Clone)]
pub struct Line {
    /// The words that are neither flags nor their values, in the program's own spelling.
    pub words: Vec<Field>,
    /// The flags.
    pub flags: Vec<Flag>,
    /// Some word may become further words, flags among them.
    pub open: bool,
    /// How many words stood before the first flag that nobody declared: what follows may be its value.
    pub strange_after: Option<usize>,
    /// A flag that could be several.
    pub ambiguous: Option<String>,
}

/// A flag.
#[derive(Debug, Clone)]
pub struct Flag {
    /// Its one spelling.
    pub name: Arc<str>,
    /// Its value, where it has one.
    pub value: Option<Field>,
}

impl Line {
    /// Take a command line apart as the program would.
    #[must_use]
    pub fn read(tool: &Tool, arguments: &[Field]) -> Self {
        let mut line = Self {
            words: Vec::new(),
            flags: Vec::new(),
            open: arguments.iter().any(|field| field.many),
            strange_after: None,
            ambiguous: None,
        };
        if tool.spec.raw {
            line.open = arguments.iter().any(may_be_flag);
            line.words = arguments.to_vec();
            return line;
        }
        let mut reader = Reader {
            tool,
            scopes: Vec::new(),
            line,
        };
        let mut rest = arguments.iter().peekable();
        while let Some(field) = rest.next() {
            if field.text == "--" {
                for field in rest.by_ref() {
                    reader.word(field);
                }
                break;
            }
            reader.field(field, &mut rest);
        }
        reader.line
    }

    /// One line for each object that a line names, where each is something for itself: `delete deploy/web ns/prod`.
    #[must_use]
    pub fn each(&self) -> Vec<Self> {
        let object = |word: &Field| word.text.contains('/') || word.many;
        // Where paths stand, a slash makes no object.
        if self.words.first().is_some_and(|verb| verb.text == "cp") {
            return Vec::new();
        }
        if let Some(at) = self
            .words
            .iter()
            .take(4)
            .position(|word| word.text.contains(',') && !object(word))
        {
            return self.each_kind(at);
        }
        let objects: Vec<&Field> = self.words.iter().skip(1).filter(|word| object(word)).collect();
        if objects.len() < 2 {
            return Vec::new();
        }
        let verbs: Vec<Field> = self.words.iter().filter(|word| !object(word)).cloned().collect();
        let line = |object: &Field| self.with(verbs.iter().chain([object]).cloned().collect());
        objects.into_iter().map(line).collect()
    }

    /// One line for each of the kinds that a word names: `delete ns,deploy prod`.
    fn each_kind(&self, at: usize) -> Vec<Self> {
        /// More kinds times words than these are not told apart.
        const MOST: usize = 20_000;
        let text = self
            .words
            .get(at)
            .map(|word| word.text.as_str())
            .unwrap_or_default();
        let mut seen = HashSet::new();
        let kinds = text.split(',').filter(|kind| !kind.is_empty());
        let kinds: Vec<&str> = kinds.filter(|kind| seen.insert(*kind)).collect();
        if kinds.len().saturating_mul(self.words.len()) > MOST {
            return vec![self.with(self.words.get(..at).unwrap_or_default().to_vec())];
        }
        let line = |kind: &str| {
            let mut words = self.words.clone();
            if let Some(word) = words.get_mut(at) {
                kind.clone_into(&mut word.text);
            }
            self.with(words)
        };
        kinds.into_iter().map(line).collect()
    }

    /// The same with other words.
    fn with(&self, words: Vec<Field>) -> Self {
        Self {
            words,
            flags: self.flags.clone(),
            open: self.open,
            strange_after: self.strange_after,
            ambiguous: self.ambiguous.clone(),
        }
    }

    /// The flag of that name, the last one where it is repeated.
    #[must_use]
    pub fn flag(&self, name: &str) -> Option<&Flag> {
        self.flags.iter().rev().find(|flag| &*flag.name == name)
    }
}

/// Whether a word may turn out to be a flag. What stands in quotes is taken for the word that it is meant to be: when
/// the program is started, its real words are judged again.
fn may_be_flag(field: &Field) -> bool {
    field.many || field.text.starts_with(HOLE) && !field.quoted
}

struct Reader<'a> {
    tool: &'a Tool,
    /// The subcommands so far, each with those before it.
    scopes: Vec<String>,
    line: Line,
}

impl Reader<'_> {
    fn find(&self, spelling: &str) -> Option<&FlagInfo> {
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        self.tool.find(&scopes, spelling)
    }

    fn field<'f>(&mut self, field: &Field, rest: &mut Peekable<impl Iterator<Item = &'f Field>>) {
        let text = field.text.as_str();
        if self.tool.spec.keywords
            && let Some((name, value)) = text.split_once('=')
        {
            let value = part_of(field, value);
            self.push(Arc::from(name), Some(value));
        } else if text.starts_with("--")
            || (text.len() > 2 && text.starts_with('-') && self.tool.spec.one_dash)
        {
            self.long(field, rest);
        } else if text.len() > 1 && text.starts_with('-') {
            self.short(field, rest);
        } else {
            self.line.open |= may_be_flag(field);
            self.word(field);
        }
    }

    fn word(&mut self, field: &Field) {
        let mut field = field.clone();
        if self.tool.spec.ignore_case {
            field.text = field.text.to_ascii_uppercase();
        }
        field.text = match field.text.split_once('/') {
            Some((kind, name)) if self.tool.spec.slash_names => {
                format!("{}/{name}", self.kinds(kind))
            }
            None if self.tool.spec.slash_names => {
                // A kind follows the verb; what follows the kind are names, which stay as they are.
                let verb = self.line.words.first().map(|word| word.text.as_str());
                let at = match verb {
                    Some("rollout" | "set") => 2,
                    _ => 1,
                };
                match self.line.words.len() == at {
                    true => self.kinds(&field.text),
                    false => field.text,
                }
            }
            _ => self.tool.canonical(&field.text).to_owned(),
        };
        if self.scopes.len() == self.line.words.len() && self.scopes.len() < 3 {
            let scope = match self.scopes.last() {
                Some(before) => format!("{before} {}", field.text),
                None => field.text.clone(),
            };
            self.scopes.push(scope);
        }
        self.line.words.push(field);
    }

    /// Kinds of objects by the name that patterns use: `Deployments.v1.apps,ns` is `deployment,namespace`.
    fn kinds(&self, text: &str) -> String {
        let kind = |text: &str| {
            let lower = text.to_ascii_lowercase();
            let short = lower.split('.').next().unwrap_or_default();
            let known = [lower.as_str(), short].into_iter().find_map(|text| {
                let canonical = self.tool.canonical(text);
                (canonical != text || self.tool.spec.words.contains_key(text)).then(|| canonical.to_owned())
            });
            known.unwrap_or_else(|| text.to_owned())
        };
        text.split(',').map(kind).collect::<Vec<_>>().join(",")
    }

    fn push(&mut self, name: Arc<str>, value: Option<Field>) {
        self.line.flags.push(Flag { name, value });
    }

    fn strange(&mut self) {
        if self.tool.knows_flags() && self.line.strange_after.is_none() {
            self.line.strange_after = Some(self.line.words.len());
        }
    }

    /// `--flag`, `--flag=value`, `--flag value`, and `-flag` where one dash is enough.
    fn long<'f>(&mut self, field: &Field, rest: &mut Peekable<impl Iterator<Item = &'f Field>>) {
        let (spelling, inline) = match field.text.split_once('=') {
            Some((spelling, value)) => (spelling, Some(part_of(field, value))),
            None => (field.text.as_str(), None),
        };
        let spelling = match spelling.starts_with("--") {
            true => spelling.to_owned(),
            false => format!("-{spelling}"),
        };
        let mut known = self.find(&spelling).cloned();
        if known.is_none() && self.tool.spec.abbreviates && spelling.len() > 2 {
            let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
            match self.tool.abbreviated(&scopes, &spelling).as_slice() {
                [] => {}
                [one] => known = Some((*one).clone()),
                _ => self.line.ambiguous = Some(spelling.clone()),
            }
        }
        let Some(info) = known else {
            // By convention this one takes no value.
            if inline.is_none() && spelling != "--help" {
                self.strange();
            }
            let mut value = inline;
            if self.tool.spec.value_flags && value.is_none() {
                while let Some(next) = rest.next_if(|next| !next.text.starts_with('-')) {
                    let so_far: Field = value.take().unwrap_or_default();
                    let blank = if so_far.text.is_empty() { "" } else { " " };
                    value = Some(Field {
                        text: format!("{}{blank}{}", so_far.text, next.text),
                        many: so_far.many || next.many,
                        ..next.clone()
                    });
                }
            }
            self.push(Arc::from(spelling), value);
            return;
        };
        let value = match inline {
            None if info.value => rest.next().cloned(),
            inline => inline,
        };
        self.push(info.name, value);
    }

    /// `-f`, `-fvalue`, `-f value`, and several in one.
    fn short<'f>(&mut self, field: &Field, rest: &mut Peekable<impl Iterator<Item = &'f Field>>) {
        if let Some(info) = self.find(&field.text).cloned() {
            let value = if info.value { rest.next().cloned() } else { None };
            self.push(info.name, value);
            return;
        }
        let mut signs = field.text.chars();
        signs.next();
        while let Some(sign) = signs.next() {
            let spelling = format!("-{sign}");
            match self.find(&spelling).cloned() {
                Some(info) if info.value => {
                    let attached = signs.as_str();
                    let attached = attached.strip_prefix('=').unwrap_or(attached);
                    let value = if attached.is_empty() {
                        rest.next().cloned()
                    } else {
                        Some(part_of(field, attached))
                    };
                    self.push(info.name, value);
                    return;
                }
                Some(info) => self.push(info.name, None),
                None => {
                    self.strange();
                    self.push(Arc::from(spelling), None);
                }
            }
        }
    }
}

fn part_of(field: &Field, text: &str) -> Field {
    Field {
        text: text.to_owned(),
        ..field.clone()
    }
}
