//! A site's own rules, one a line.

use crate::rules::RulesError;

/// One line.
pub(crate) enum Addition {
    /// `token KIND LITERAL PATTERN`: the literal and what must follow it.
    Token {
        kind: String,
        literal: String,
        pattern: regex::bytes::Regex,
    },
    /// `name KIND WORD`: the value given to any name that ends with the word.
    Name { kind: String, word: String },
    /// `leave VALUE`: never a secret.
    Leave { value: String },
}

const FORMS: &str = "`token KIND LITERAL PATTERN`, `name KIND WORD`, `leave VALUE`, a comment or empty";
const KIND: &str = "a kind of lower-case letters, digits and dashes, at most 40 of them";
const LITERAL: &str =
    "a literal of 3 to 32 bytes for a token, of 3 to 32 letters, digits, `_` or `-` for a name";

/// Read the lines.
pub(crate) fn parse(text: &str) -> Result<Vec<Addition>, RulesError> {
    let lines = text
        .lines()
        .enumerate()
        .map(|(number, line)| (number + 1, line.trim()));
    lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| addition(number, line))
        .collect()
}

fn addition(line: usize, text: &str) -> Result<Addition, RulesError> {
    let wrong = |expected| RulesError::Line {
        line,
        text: text.to_owned(),
        expected,
    };
    let (verb, rest) = next(text);
    if verb == "leave" && !rest.is_empty() {
        return Ok(Addition::Leave {
            value: rest.to_owned(),
        });
    }
    let (kind, rest) = next(rest);
    let (literal, rest) = next(rest);
    if !matches!(verb, "token" | "name") || literal.is_empty() || (verb == "token") == rest.is_empty() {
        return Err(wrong(FORMS));
    }
    let plain = |own: char| own.is_ascii_lowercase() || own.is_ascii_digit() || own == '-';
    if kind.len() > 40 || !kind.chars().all(plain) {
        return Err(wrong(KIND));
    }
    let word = |own: char| own.is_ascii_alphanumeric() || own == '_' || own == '-';
    if !(3..=32).contains(&literal.len()) || (verb == "name" && !literal.chars().all(word)) {
        return Err(wrong(LITERAL));
    }
    if verb == "name" {
        return Ok(Addition::Name {
            kind: kind.to_owned(),
            word: literal.to_owned(),
        });
    }
    let pattern = regex::bytes::RegexBuilder::new(&format!("^(?:{rest})"))
        .unicode(false)
        .size_limit(1 << 20)
        .build()
        .map_err(|source| RulesError::Pattern {
            line,
            source: Box::new(source),
        })?;
    Ok(Addition::Token {
        kind: kind.to_owned(),
        literal: literal.to_owned(),
        pattern,
    })
}

/// The first word and what follows it.
fn next(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    (word, rest.trim_start())
}
