//! Patterns of commands: `kubectl scale deployment/* --replicas=*`.
//!
//! Words stand in their order, flags in any. `*` is any text, `{name}` any text with a name, `a|b` either, `...` any
//! number of further words and `{name...}` the same with a name. The last word, if it has a `*` or a name, may be
//! repeated: each repetition is one target.

use crate::field::{Field, HOLE};
use crate::line::Line;
use crate::tool::Tool;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What placeholders stand for.
pub type Bindings = BTreeMap<String, String>;

/// A pattern, ready for matching.
#[derive(Debug, Clone)]
pub struct Pattern {
    words: Vec<Glob>,
    rest: Option<Option<String>>,
    flags: Vec<(Arc<str>, Option<Glob>)>,
    score: u32,
    /// Of an entry that holds whatever else is said: a flag counts only where nothing takes it back.
    strict: bool,
}

/// A word with wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Glob {
    pieces: Vec<GlobPiece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum GlobPiece {
    Text(String),
    Any(String),
}

/// How a pattern and a command line agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// They do.
    Yes {
        /// What the wildcards stand for, one for each target.
        targets: Vec<Bindings>,
    },
    /// They may, depending on what is not known.
    Maybe,
    /// They don't.
    No,
}

/// Why a pattern can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` can't be read: {why}")]
pub struct PatternError {
    /// The pattern.
    pub pattern: String,
    /// What is wrong.
    pub why: &'static str,
}

/// The placeholder for what stands before the slash of a `TYPE/NAME`.
const KIND: &str = "type";

/// Patterns with alternatives are written out; more than this is a mistake.
const MAX_ALTERNATIVES: usize = 256;

/// A pattern's words, split at blanks; quotes keep blanks together.
fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for sign in text.chars() {
        match (quote, sign) {
            (Some(mark), sign) if sign == mark => quote = None,
            (None, '\'' | '"') => {
                quote = Some(sign);
                word.get_or_insert_default();
            }
            (None, ' ') => words.extend(word.take()),
            (_, sign) => word.get_or_insert_default().push(sign),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// All the patterns that one with alternatives stands for, as words.
///
/// # Errors
/// A quotation is not ended, or there are too many alternatives.
pub fn alternatives(text: &str) -> Result<Vec<Vec<String>>, PatternError> {
    let fail = |why| PatternError {
        pattern: text.to_owned(),
        why,
    };
    let words = split(text).ok_or_else(|| fail("a quotation is not ended"))?;
    let mut all: Vec<Vec<String>> = vec![Vec::new()];
    for word in words {
        let choices: Vec<&str> = match word.starts_with('-') {
            true => vec![&word],
            false => word.split('|').collect(),
        };
        if all.len() * choices.len() > MAX_ALTERNATIVES {
            return Err(fail("it has too many alternatives"));
        }
        let mut longer = Vec::with_capacity(all.len() * choices.len());
        for before in &all {
            for choice in &choices {
                let mut words = before.clone();
                words.push((*choice).to_owned());
                longer.push(words);
            }
        }
        all = longer;
    }
    Ok(all)
}

/// The literal words at the beginning of a pattern: the subcommand whose flags it names.
fn scope(words: &[String]) -> String {
    let literal = |word: &&String| !word.contains(['*', '{', '/']) && *word != "...";
    let names = words
        .iter()
        .skip(1)
        .filter(|word| !word.starts_with('-'))
        .take_while(literal)
        .take(3);
    names.cloned().collect::<Vec<_>>().join(" ")
}

/// Tell the program's description of the flags that a pattern names.
pub fn teach(tool: &mut Tool, words: &[String]) {
    if tool.spec.raw {
        return;
    }
    let scope = scope(words);
    for word in words
        .iter()
        .skip(1)
        .filter(|word| word.starts_with('-') && word.len() > 1)
    {
        let (name, value) = match word.split_once('=') {
            Some((name, _)) => (name, true),
            None => (word.as_str(), false),
        };
        tool.learn(&scope, &spelled(tool, name), value);
    }
}

fn spelled(tool: &Tool, name: &str) -> String {
    if tool.spec.one_dash && name.len() > 2 && !name.starts_with("--") {
        return format!("-{name}");
    }
    name.to_owned()
}

impl Pattern {
    /// From its words, for a program whose flags are known.
    ///
    /// # Errors
    /// It is empty, or something follows `...`.
    pub fn new(words: &[String], tool: &Tool, strict: bool) -> Result<Self, PatternError> {
        let fail = |why| PatternError {
            pattern: words.join(" "),
            why,
        };
        let Some((command, arguments)) = words.split_first() else {
            return Err(fail("it is empty"));
        };
        if command.contains(['*', '{']) {
            return Err(fail("its command word has a wildcard"));
        }
        let scope = scope(words);
        let scopes: Vec<String> = scope
            .split(' ')
            .scan(String::new(), |so_far, word| {
                *so_far = if so_far.is_empty() {
                    word.to_owned()
                } else {
                    format!("{so_far} {word}")
                };
                Some(so_far.clone())
            })
            .collect();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let mut pattern = Self {
            words: Vec::new(),
            rest: None,
            flags: Vec::new(),
            score: 0,
            strict,
        };
        let mut unnamed = 0;
        let named = arguments.iter().any(|word| word.contains("{name}"));
        for word in arguments {
            if pattern.rest.is_some() && !word.starts_with('-') {
                return Err(fail("words follow `...`"));
            }
            let keyword = tool.spec.keywords && word.contains('=');
            if !tool.spec.raw && (keyword || (word.starts_with('-') && word.len() > 1)) {
                pattern.flag(word, tool, &scopes);
            } else if word == "..." {
                pattern.rest = Some(None);
            } else if let Some(name) = word.strip_prefix('{').and_then(|word| word.strip_suffix("...}")) {
                pattern.rest = Some(Some(name.to_owned()));
            } else {
                let glob = Glob::new(word, || {
                    unnamed += 1;
                    match unnamed {
                        1 if !named => "name".to_owned(),
                        number => number.to_string(),
                    }
                });
                pattern.score += glob.score();
                pattern.words.push(glob);
            }
        }
        // `mount` alone names more than `mount ...`.
        if pattern.rest.is_none() {
            pattern.score += 5;
        }
        Ok(pattern)
    }

    fn flag(&mut self, word: &str, tool: &Tool, scopes: &[&str]) {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (word, None),
        };
        let spelling = spelled(tool, name);
        let name = tool
            .find(scopes, &spelling)
            .map_or_else(|| Arc::from(spelling.as_str()), |info| info.name.clone());
        let glob = value.map(|value| Glob::new(value, || placeholder(&name)));
        self.score += match &glob {
            Some(glob) if glob.is_wild() => 550,
            Some(glob) => 600 + glob.score() / 10,
            None => 600,
        };
        self.flags.push((name, glob));
    }

    /// How much of a command it names.
    #[must_use]
    pub fn score(&self) -> u32 {
        self.score
    }

    /// Its placeholders.
    #[must_use]
    pub fn placeholders(&self) -> Vec<String> {
        let flags = self.flags.iter().filter_map(|(_, glob)| glob.as_ref());
        let globs = self.words.iter().chain(flags);
        let names = globs
            .flat_map(|glob| &glob.pieces)
            .filter_map(|piece| match piece {
                GlobPiece::Any(name) => Some(name.clone()),
                GlobPiece::Text(_) => None,
            });
        let kind = self.words.iter().any(Glob::has_slash).then(|| KIND.to_owned());
        let flags = self.flags.iter().map(|(name, _)| placeholder(name)).chain(kind);
        names.chain(flags).chain(self.rest.clone().flatten()).collect()
    }

    /// Whether and how it fits a command line.
    #[must_use]
    pub fn fit(&self, tool: &Tool, line: &Line) -> Fit {
        if self.begins_otherwise(line) {
            return Fit::No;
        }
        let joined = tool.spec.slash_names.then(|| self.join(line)).flatten();
        let words = joined.as_deref().unwrap_or(&line.words);
        let mut certain = true;
        let mut bound = Bindings::new();
        for (index, glob) in self.words.iter().enumerate() {
            let Some(word) = words.get(index) else {
                if line.open {
                    return Fit::Maybe;
                }
                return Fit::No;
            };
            if line
                .strange_after
                .is_some_and(|strange| index >= strange && glob.score() >= 1000)
            {
                certain = false;
            }
            if tool.spec.slash_names {
                glob.kind(word, &mut bound);
            }
            match glob.fit(word, &mut bound) {
                Some(true) => {}
                Some(false) => certain = false,
                // Behind words that may become more or fewer, another one may stand here.
                None if words.iter().take(index + 1).any(|word| word.many) => certain = false,
                None => return Fit::No,
            }
        }
        let more = words.get(self.words.len()..).unwrap_or_default();
        let mut targets = vec![bound.clone()];
        match &self.rest {
            Some(None) => {}
            Some(Some(name)) => {
                let text: Vec<&str> = more.iter().map(|word| word.text.as_str()).collect();
                for target in &mut targets {
                    target.insert(name.clone(), text.join(" "));
                }
            }
            None => match self.words.last() {
                Some(last) if !more.is_empty() && last.has_wild() => {
                    for word in more {
                        let mut again = bound.clone();
                        match last.fit(word, &mut again) {
                            Some(true) => targets.push(again),
                            Some(false) => certain = false,
                            None => return Fit::No,
                        }
                    }
                }
                _ if more.is_empty() => {}
                _ if more.iter().all(|word| word.many) => certain = false,
                _ => return Fit::No,
            },
        }
        for (name, glob) in &self.flags {
            let Some(flag) = line.flag(name) else {
                if line.open
                    || line
                        .ambiguous
                        .as_deref()
                        .is_some_and(|short| name.starts_with(short))
                {
                    certain = false;
                    continue;
                }
                return Fit::No;
            };
            let Some(glob) = glob else {
                let off = |flag: &crate::line::Flag| {
                    let value = flag.value.as_ref().map(|value| value.text.as_str());
                    value.is_some_and(|value| !matches!(value, "true" | "1" | "client" | "server" | "yes"))
                };
                if self.strict && line.flags.iter().any(|flag| flag.name == *name && off(flag)) {
                    return Fit::No;
                }
                continue;
            };
            let mut fits = None;
            let same = line.flags.iter().filter(|other| other.name == flag.name);
            for value in same.filter_map(|flag| flag.value.as_ref()) {
                let fit = match &mut *targets {
                    [first, others @ ..] => {
                        let fit = glob.fit(value, first);
                        for other in others {
                            let _same_for_each = glob.fit(value, other);
                        }
                        fit
                    }
                    [] => None,
                };
                fits = fits.max(fit);
                if self.strict && fit != Some(true) {
                    return Fit::No;
                }
            }
            match fits {
                Some(true) => {}
                Some(false) => certain = false,
                None => return Fit::No,
            }
        }
        if certain { Fit::Yes { targets } } else { Fit::Maybe }
    }

    /// Whether a known word of the line stands where the pattern begins with another one: that rules out most patterns
    /// at once.
    fn begins_otherwise(&self, line: &Line) -> bool {
        for (glob, word) in self.words.iter().zip(&line.words) {
            let [GlobPiece::Text(text)] = glob.pieces.as_slice() else {
                return false;
            };
            if word.many || text.contains('/') || word.text.contains(HOLE) {
                return false;
            }
            if word.text != *text {
                return true;
            }
        }
        false
    }

    /// The words with `TYPE NAME...` as `TYPE/NAME`, where the pattern has a word with a slash.
    fn join(&self, line: &Line) -> Option<Vec<Field>> {
        let index = self.words.iter().position(Glob::has_slash)?;
        let kind = line.words.get(index)?;
        if kind.text.contains('/') || kind.many {
            return None;
        }
        let mut words: Vec<Field> = line.words.get(..index)?.to_vec();
        let names = line.words.get(index + 1..)?;
        if names.is_empty() || names.iter().any(|name| name.text.contains('/')) {
            return None;
        }
        words.extend(names.iter().map(|name| Field {
            text: format!("{}/{}", kind.text, name.text),
            ..name.clone()
        }));
        Some(words)
    }
}

/// The placeholder that a flag's value is known by.
#[must_use]
pub fn placeholder(flag: &str) -> String {
    flag.trim_start_matches('-').replace('-', "_")
}

impl Glob {
    /// From a text; wildcards without a name get one.
    pub fn new(text: &str, mut name: impl FnMut() -> String) -> Self {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(sign) = rest.chars().next() {
            let wild = if sign == '*' {
                Some((1, name()))
            } else {
                let inside = rest.strip_prefix('{').and_then(|inside| inside.split_once('}'));
                inside
                    .filter(|(name, _)| is_name(name))
                    .map(|(name, _)| (name.len() + 2, name.to_owned()))
            };
            let length = match wild {
                Some((length, name)) => {
                    if !literal.is_empty() {
                        pieces.push(GlobPiece::Text(std::mem::take(&mut literal)));
                    }
                    pieces.push(GlobPiece::Any(name));
                    length
                }
                None => {
                    literal.push(sign);
                    sign.len_utf8()
                }
            };
            rest = rest.get(length..).unwrap_or_default();
        }
        if !literal.is_empty() {
            pieces.push(GlobPiece::Text(literal));
        }
        Self { pieces }
    }

    fn is_wild(&self) -> bool {
        matches!(self.pieces.as_slice(), [GlobPiece::Any(_)])
    }

    fn has_wild(&self) -> bool {
        self.pieces.iter().any(|piece| matches!(piece, GlobPiece::Any(_)))
    }

    fn has_slash(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, GlobPiece::Text(text) if text.contains('/')))
    }

    /// Bind the kind of an object, where the pattern names it.
    fn kind(&self, field: &Field, bound: &mut Bindings) {
        if let [GlobPiece::Text(_), ..] = self.pieces.as_slice()
            && self.has_slash()
            && let Some((kind, _)) = field.text.split_once('/')
        {
            bound.insert(KIND.to_owned(), kind.to_owned());
        }
    }

    fn score(&self) -> u32 {
        if !self.has_wild() {
            return 1000;
        }
        let literal: usize = self
            .pieces
            .iter()
            .map(|piece| match piece {
                GlobPiece::Text(text) => text.len(),
                GlobPiece::Any(_) => 0,
            })
            .sum();
        if literal == 0 {
            return 10;
        }
        500 + u32::try_from(literal.min(100)).unwrap_or(100)
    }

    /// `Some(true)`: it fits; `Some(false)`: it may; `None`: it does not.
    pub fn fit(&self, field: &Field, bound: &mut Bindings) -> Option<bool> {
        let before = field.text.split(HOLE).next()?;
        if before.len() == field.text.len() {
            let fits = fit_text(&self.pieces, &field.text, bound);
            return fits.then_some(!field.many || self.is_wild());
        }
        match self.pieces.as_slice() {
            [GlobPiece::Any(name)] => {
                bound.insert(name.clone(), field.text.clone());
                Some(true)
            }
            [GlobPiece::Text(text), GlobPiece::Any(name)] if before.starts_with(text.as_str()) => {
                let value = field.text.get(text.len()..).unwrap_or_default();
                bound.insert(name.clone(), value.to_owned());
                Some(true)
            }
            [
                GlobPiece::Any(first),
                GlobPiece::Text(text),
                GlobPiece::Any(second),
            ] if before.contains(text.as_str()) => {
                let (value, rest) = field.text.split_once(text.as_str())?;
                bound.insert(first.clone(), value.to_owned());
                bound.insert(second.clone(), rest.to_owned());
                Some(true)
            }
            // A value that is not known is not taken for the one that means standard input.
            [GlobPiece::Text(text)] if text == "-" || text == "/dev/stdin" => None,
            [GlobPiece::Text(text), ..] => {
                let shorter = text.len().min(before.len());
                (text.as_bytes().get(..shorter) == before.as_bytes().get(..shorter)).then_some(false)
            }
            _ => Some(false),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The first wildcard takes as little as it can, the last one all that is left.
fn fit_text(pieces: &[GlobPiece], text: &str, bound: &mut Bindings) -> bool {
    match pieces {
        [] => text.is_empty(),
        [GlobPiece::Text(literal), rest @ ..] => text
            .strip_prefix(literal.as_str())
            .is_some_and(|text| fit_text(rest, text, bound)),
        [GlobPiece::Any(name)] => {
            bound.insert(name.clone(), text.to_owned());
            true
        }
        [GlobPiece::Any(name), rest @ ..] => {
            let Some(GlobPiece::Text(literal)) = rest.first() else {
                return false;
            };
            // With one literal at the end it has to stand at the end; else the first place is taken, so that the
            // time stays linear in the text.
            let found = if rest.len() == 1 {
                text.strip_suffix(literal.as_str()).map(str::len)
            } else {
                text.find(literal.as_str())
            };
            let Some(at) = found else { return false };
            let (value, behind) = text.split_at(at);
            bound.insert(name.clone(), value.to_owned());
            fit_text(rest, behind, bound)
        }
    }
}
