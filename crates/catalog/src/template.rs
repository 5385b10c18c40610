//! Templates of commands: `kubectl scale deployment/{name} --replicas={previous_count} -n {namespace}`.
//!
//! A filled template is a list of words, never a text for a shell: whatever a value holds, it stays one word.

use crate::entry::{Capture, CaptureFrom, Find};
use crate::pattern::Bindings;
use rescind_model::quote;
use serde_json::Value;

/// A template, in words and their pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    words: Vec<Vec<Piece>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(String),
    /// Becomes as many words as its value has.
    Several(String),
}

/// A template as far as it could be filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The words; placeholders without a value stand as they were.
    pub argv: Vec<String>,
    /// The placeholders without a value, each once.
    pub missing: Vec<String>,
    /// A word that is a flag only because a value begins so: a name like `--all`, of which a program takes more than a name.
    pub made_flag: Option<String>,
}

/// Why a template can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the command `{template}` can't be read: {why}")]
pub struct TemplateError {
    /// It.
    pub template: String,
    /// What is wrong.
    pub why: &'static str,
}

/// Why a value can't be taken from an output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The output is no JSON.
    #[error("the output is no JSON, in which `{path}` could be found")]
    NoJson {
        /// What was asked for.
        path: String,
    },
    /// There is nothing at that place.
    #[error("the output has nothing that `{asked}` finds")]
    Nothing {
        /// What was asked for.
        asked: String,
    },
    /// It is there, and is no single value.
    #[error("what `{path}` finds is no single value")]
    NoValue {
        /// What was asked for.
        path: String,
    },
}

impl Template {
    /// From its text: one command, quoted as for a shell, without anything else of a shell.
    ///
    /// # Errors
    /// It is empty, a quotation is not ended, or it needs a shell.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        let fail = |why| TemplateError {
            template: text.to_owned(),
            why,
        };
        let mut words: Vec<Vec<Piece>> = Vec::new();
        let mut word: Option<Vec<Piece>> = None;
        let mut quote: Option<char> = None;
        let mut rest = text.trim();
        while let Some(sign) = rest.chars().next() {
            let mut length = sign.len_utf8();
            match (quote, sign) {
                (Some(mark), sign) if sign == mark => quote = None,
                (None, '\'' | '"') => {
                    quote = Some(sign);
                    word.get_or_insert_default();
                }
                (None, ' ' | '\n' | '\t') => words.extend(word.take()),
                (None, '|' | '&' | ';' | '<' | '>' | '`' | '$') => return Err(fail("it needs a shell")),
                (_, '{') => {
                    let name = rest
                        .get(1..)
                        .and_then(|inside| inside.split_once('}'))
                        .map(|(name, _)| name)
                        .filter(|name| {
                            let name = name.strip_suffix("...").unwrap_or(name);
                            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                        });
                    let word = word.get_or_insert_default();
                    if let Some(name) = name {
                        length = name.len() + 2;
                        word.push(match name.strip_suffix("...") {
                            Some(name) => Piece::Several(name.to_owned()),
                            None => Piece::Placeholder(name.to_owned()),
                        });
                    } else {
                        push(word, '{');
                    }
                }
                (_, sign) => push(word.get_or_insert_default(), sign),
            }
            rest = rest.get(length..).unwrap_or_default();
        }
        words.extend(word);
        if quote.is_some() {
            return Err(fail("a quotation is not ended"));
        }
        if words.is_empty() {
            return Err(fail("it is empty"));
        }
        Ok(Self { words })
    }

    /// Its placeholders.
    pub fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.words.iter().flatten().filter_map(|piece| match piece {
            Piece::Placeholder(name) | Piece::Several(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// Fill it. A flag of `optional` (`--namespace`, `-n`) whose placeholder has no value is left out with it: the
    /// program then decides as it did for the action itself.
    #[must_use]
    pub fn fill(&self, bound: &Bindings, optional: impl Fn(&str) -> bool) -> Filled {
        let mut filled = Filled {
            argv: Vec::new(),
            missing: Vec::new(),
            made_flag: None,
        };
        let is_flag = |word: &str| word.len() > 1 && word.starts_with('-');
        for word in &self.words {
            if let [Piece::Several(name)] = word.as_slice()
                && let Some(value) = bound
                    .get(name)
                    .filter(|value| !value.contains(crate::field::HOLE))
            {
                filled.made_flag = filled.made_flag.or_else(|| {
                    value
                        .split_whitespace()
                        .find(|word| is_flag(word))
                        .map(str::to_owned)
                });
                filled.argv.extend(value.split_whitespace().map(str::to_owned));
                continue;
            }
            let mut text = String::new();
            let mut missing = Vec::new();
            for piece in word {
                match piece {
                    Piece::Text(literal) => text.push_str(literal),
                    Piece::Placeholder(name) | Piece::Several(name) => match bound.get(name) {
                        Some(value) if !value.contains(crate::field::HOLE) => text.push_str(value),
                        _ => {
                            missing.push(name.clone());
                            text.push_str(&format!("{{{name}}}"));
                        }
                    },
                }
            }
            if !missing.is_empty() {
                let own_flag = text
                    .split_once('=')
                    .map(|(flag, _)| flag)
                    .filter(|flag| flag.starts_with('-'));
                if own_flag.is_some_and(&optional) {
                    continue;
                }
                if filled.argv.last().is_some_and(|flag| optional(flag)) && word.len() == 1 {
                    filled.argv.pop();
                    continue;
                }
            }
            for name in missing {
                if !filled.missing.contains(&name) {
                    filled.missing.push(name);
                }
            }
            let by_value = matches!(word.first(), Some(Piece::Placeholder(_) | Piece::Several(_)));
            if by_value && is_flag(&text) && filled.made_flag.is_none() {
                filled.made_flag = Some(text.clone());
            }
            filled.argv.push(text);
        }
        filled
    }
}

fn push(word: &mut Vec<Piece>, sign: char) {
    if let Some(Piece::Text(text)) = word.last_mut() {
        text.push(sign);
    } else {
        word.push(Piece::Text(sign.to_string()));
    }
}

/// A text with placeholders, filled; `None` while one has no value.
#[must_use]
pub fn fill_text(text: &str, bound: &Bindings) -> Option<String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once('{') {
        filled.push_str(before);
        match behind.split_once('}') {
            Some((name, after))
                if !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') =>
            {
                filled.push_str(bound.get(name)?);
                rest = after;
            }
            _ => {
                filled.push('{');
                rest = behind;
            }
        }
    }
    filled.push_str(rest);
    Some(filled)
}

impl Filled {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// As a person would type it; a placeholder without a value stands as it is, for nobody would type that.
    #[must_use]
    pub fn text(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| self.word(word)).collect();
        words.join(" ")
    }

    fn word(&self, word: &str) -> String {
        let missing = self.missing.iter();
        let named = missing.fold(word.to_owned(), |text, name| {
            text.replace(&format!("{{{name}}}"), name)
        });
        if quote(&named) == named {
            return word.to_owned();
        }
        quote(word)
    }
}

/// Take the values that come from one output.
///
/// # Errors
/// A value without a default is not there. The others are not taken then either: half a compensation is none.
pub fn take<'a>(
    captures: impl IntoIterator<Item = (&'a String, &'a Capture)>,
    from: CaptureFrom,
    output: &str,
    bound: &mut Bindings,
) -> Result<(), CaptureError> {
    let mut json: Option<Value> = None;
    let mut taken = Vec::new();
    for (name, capture) in captures.into_iter().filter(|(_, capture)| capture.from == from) {
        let found = match &capture.find {
            Find::Text => Ok(output.trim().to_owned()),
            Find::Regex(regex) => by_regex(regex, output),
            Find::Path(path) => {
                if json.is_none() {
                    json = serde_json::from_str(output).ok();
                }
                by_path(path, json.as_ref(), capture.all)
            }
        };
        let value = match (found, &capture.default) {
            (Ok(value), _) => value,
            (Err(_), Some(default)) => default.clone(),
            (Err(error), None) => return Err(error),
        };
        taken.push((name.clone(), value));
    }
    bound.extend(taken);
    Ok(())
}

fn by_regex(regex: &str, output: &str) -> Result<String, CaptureError> {
    let nothing = || CaptureError::Nothing {
        asked: regex.to_owned(),
    };
    let compiled = regex::Regex::new(regex).map_err(|_| nothing())?;
    let found = compiled.captures(output).ok_or_else(nothing)?;
    let group = found.get(1).or_else(|| found.get(0)).ok_or_else(nothing)?;
    Ok(group.as_str().to_owned())
}

fn by_path(path: &str, json: Option<&Value>, all: bool) -> Result<String, CaptureError> {
    let json = json.ok_or_else(|| CaptureError::NoJson {
        path: path.to_owned(),
    })?;
    let nothing = || CaptureError::Nothing {
        asked: path.to_owned(),
    };
    let compiled = serde_json_path::JsonPath::parse(path).map_err(|_| nothing())?;
    let found = compiled.query(json);
    let wanted = if all { found.len() } else { 1 };
    let mut texts = Vec::new();
    for value in found.iter().take(wanted) {
        texts.push(match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            _ => {
                return Err(CaptureError::NoValue {
                    path: path.to_owned(),
                });
            }
        });
    }
    if texts.is_empty() {
        return Err(nothing());
    }
    Ok(texts.join(" "))
}
