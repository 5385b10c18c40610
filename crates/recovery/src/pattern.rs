//! Glob patterns over names of resources.

/// A glob over names: `*` is any text within one part of a path, `**` any number of parts, `?` one character, `[a-z]` and
/// `[!a-z]` one of a set, `\` takes the next character as it is. A pattern that matches a folder matches everything
/// below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `**`: any number of parts, none included.
    Any,
    One(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Char(char),
    AnyChar,
    AnyText,
    Set { not: bool, ranges: Vec<(char, char)> },
}

/// A text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// There is nothing in it.
    #[error("an empty pattern matches nothing")]
    Empty,
    /// A `[` that is not closed in its part of the path.
    #[error("`{pattern}` has a `[` without a `]`; write `\\[` for the character itself")]
    OpenSet {
        /// The pattern.
        pattern: String,
    },
}

impl Pattern {
    /// Parse a pattern.
    ///
    /// # Errors
    /// [`PatternError`].
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let trimmed = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        let open = || PatternError::OpenSet {
            pattern: text.to_owned(),
        };
        let parts = trimmed
            .split('/')
            .map(|part| {
                if part == "**" {
                    Some(Part::Any)
                } else {
                    tokens(part).map(Part::One)
                }
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(open)?;
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `name`, or a folder that it is in, matches.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let names: Vec<&str> = name.split('/').collect();
        // Which prefixes of the pattern match the names so far.
        let mut reached = vec![false; self.parts.len() + 1];
        if let Some(first) = reached.first_mut() {
            *first = true;
        }
        skip_any(&self.parts, &mut reached);
        for name in names {
            let mut next = vec![false; reached.len()];
            for (at, (part, here)) in self.parts.iter().zip(&reached).enumerate() {
                if !here {
                    continue;
                }
                let (stay, go) = match part {
                    Part::Any => (true, false),
                    Part::One(tokens) => (false, fits(tokens, name)),
                };
                set(&mut next, at, stay);
                set(&mut next, at + 1, go);
            }
            skip_any(&self.parts, &mut next);
            if next.last() == Some(&true) {
                return true;
            }
            reached = next;
        }
        false
    }
}

fn set(flags: &mut [bool], at: usize, value: bool) {
    if let Some(flag) = flags.get_mut(at) {
        *flag |= value;
    }
}

/// `**` matches no part at all, too.
fn skip_any(parts: &[Part], reached: &mut [bool]) {
    for (at, part) in parts.iter().enumerate() {
        if *part == Part::Any && reached.get(at) == Some(&true) {
            set(reached, at + 1, true);
        }
    }
}

fn tokens(part: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut chars = part.chars();
    while let Some(char) = chars.next() {
        tokens.push(match char {
            '*' => Token::AnyText,
            '?' => Token::AnyChar,
            '\\' => Token::Char(chars.next().unwrap_or('\\')),
            '[' => set_of(&mut chars)?,
            other => Token::Char(other),
        });
    }
    Some(tokens)
}

/// The rest of a `[...]`; a `]` right at its start is a member.
fn set_of(chars: &mut std::str::Chars<'_>) -> Option<Token> {
    let mut members = Vec::new();
    let mut not = false;
    let mut first = true;
    loop {
        let char = chars.next()?;
        match char {
            '!' | '^' if first && !not => {
                not = true;
                continue;
            }
            ']' if !first => break,
            other => members.push(other),
        }
        first = false;
    }
    let mut ranges = Vec::new();
    let mut members = members.into_iter().peekable();
    while let Some(from) = members.next() {
        let mut ahead = members.clone();
        match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) => {
                ranges.push((from, to));
                members = ahead;
            }
            _ => ranges.push((from, from)),
        }
    }
    Some(Token::Set { not, ranges })
}

/// Whether one part of a path fits: greedy with one place to come back to, so linear times the number of stars at worst.
fn fits(tokens: &[Token], name: &str) -> bool {
    let chars: Vec<char> = name.chars().collect();
    let (mut token, mut char) = (0, 0);
    let mut back: Option<(usize, usize)> = None;
    loop {
        let fit = match (tokens.get(token), chars.get(char)) {
            (None, None) => return true,
            (Some(Token::AnyText), _) => {
                back = Some((token, char));
                token += 1;
                continue;
            }
            (Some(token), Some(char)) => one(token, *char),
            _ => false,
        };
        if fit {
            (token, char) = (token + 1, char + 1);
            continue;
        }
        match back {
            Some((star, from)) if from < chars.len() => {
                back = Some((star, from + 1));
                (token, char) = (star + 1, from + 1);
            }
            _ => return false,
        }
    }
}

fn one(token: &Token, char: char) -> bool {
    match token {
        Token::Char(own) => *own == char,
        Token::AnyChar | Token::AnyText => true,
        Token::Set { not, ranges } => ranges.iter().any(|(from, to)| (*from..=*to).contains(&char)) != *not,
    }
}

#[cfg(test)]
mod tests {
    use super::{Pattern, PatternError};

    #[test]
    fn patterns_match_names_and_what_is_below_them() {
        for (pattern, name, expect) in [
            ("/a/b", "/a/b", true),
            ("/a/b", "/a/b/c/d", true),
            ("/a/b/", "/a/b/c", true),
            ("/a/b", "/a/bc", false),
            ("/a/*", "/a/b/c", true),
            ("/a/*.rs", "/a/main.rs", true),
            ("/a/*.rs", "/a/b/main.rs", false),
            ("/a/**/*.rs", "/a/b/c/main.rs", true),
            ("/a/**/*.rs", "/a/main.rs", true),
            ("**/target", "/x/y/target/debug/z", true),
            ("**", "/anything", true),
            ("/a/?", "/a/é", true),
            ("/a/[a-c]x", "/a/bx", true),
            ("/a/[!a-c]x", "/a/bx", false),
            ("/a/[]]", "/a/]", true),
            ("/a/\\*", "/a/*", true),
            ("/a/\\*", "/a/b", false),
            ("/a/*b*c*", "/a/xxbyybzzc", true),
            ("/a/*b*c*", "/a/xxcyyb", false),
        ] {
            assert_eq!(
                Pattern::new(pattern).unwrap().matches(name),
                expect,
                "{pattern} {name}"
            );
        }
    }

    #[test]
    fn an_open_set_is_no_pattern() {
        assert_eq!(
            Pattern::new("/a/[b"),
            Err(PatternError::OpenSet {
                pattern: "/a/[b".to_owned()
            })
        );
        assert_eq!(Pattern::new(""), Err(PatternError::Empty));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let pattern = Pattern::new(&("*a".repeat(30) + "b")).unwrap();
        assert!(!pattern.matches(&"a".repeat(5_000)));
    }
}
