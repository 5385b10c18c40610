//! Patterns: a command as it was shown, in which a reviewer has named the words that may be others.
//!
//! A star stands for no more than what it stood for when it was shown: letters, digits, `.`, `_`, `-`, and what else the
//! shown text in its place had. It never stands for nothing, begins no flag, and leads to no folder above.

use serde::{Deserialize, Serialize};

/// The words of a command that may be others. All others stay what they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    open: Vec<OpenWord>,
}

/// A word of which a part may be another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenWord {
    /// Which, from 0.
    pub at: usize,
    /// What it begins with.
    pub before: String,
    /// What it ends with.
    pub after: String,
    /// The characters besides letters, digits, `.`, `_` and `-` that may stand between.
    pub letters: String,
}

/// Why a text is no pattern for what was shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A quote is not closed.
    #[error("the pattern has a quote that is not closed")]
    Quote,
    /// It has more or fewer words.
    #[error("the pattern has {words} words and the command that was shown has {shown}")]
    Count {
        /// Those of the pattern.
        words: usize,
        /// Those that were shown.
        shown: usize,
    },
    /// A word is neither the one that was shown nor one with a star.
    #[error("`{word}` was not shown: there, the command has `{shown}`")]
    NotShown {
        /// The pattern's.
        word: String,
        /// The command's.
        shown: String,
    },
    /// The program.
    #[error("the program itself can't be any")]
    Program,
    /// A flag as a whole.
    #[error("`{shown}` is a flag: a star can stand behind its `=` only")]
    Flag {
        /// The word.
        shown: String,
    },
    /// No star in it.
    #[error("the pattern has no `*`: without one, leave it out")]
    NoStar,
}

impl Pattern {
    /// Read a pattern as a shell would read a command, for a command that was shown.
    ///
    /// # Errors
    /// [`PatternError`]: it would be wider than what was shown, or other.
    pub fn parse(text: &str, shown: &[String]) -> Result<Self, PatternError> {
        let words = split(text).ok_or(PatternError::Quote)?;
        if words.len() != shown.len() {
            return Err(PatternError::Count {
                words: words.len(),
                shown: shown.len(),
            });
        }
        let mut open = Vec::new();
        for (at, (word, shown)) in words.iter().zip(shown).enumerate() {
            if word != shown {
                open.push(OpenWord::of(at, word, shown)?);
            }
        }
        if open.is_empty() {
            return Err(PatternError::NoStar);
        }
        Ok(Self { open })
    }

    /// The words that may be others.
    #[must_use]
    pub fn open(&self) -> &[OpenWord] {
        &self.open
    }
}

impl OpenWord {
    fn of(at: usize, word: &str, shown: &str) -> Result<Self, PatternError> {
        let not_shown = || PatternError::NotShown {
            word: word.to_owned(),
            shown: shown.to_owned(),
        };
        let (before, after) = word.split_once('*').ok_or_else(not_shown)?;
        let rest = shown.strip_prefix(before).ok_or_else(not_shown)?;
        let stood = rest.strip_suffix(after).ok_or_else(not_shown)?;
        if at == 0 {
            return Err(PatternError::Program);
        }
        if shown.starts_with('-') && !before.contains('=') {
            return Err(PatternError::Flag {
                shown: shown.to_owned(),
            });
        }
        let word = Self {
            at,
            before: before.to_owned(),
            after: after.to_owned(),
            letters: stood.chars().filter(|letter| !is_plain(*letter)).collect(),
        };
        // What was shown is the least that it has to match.
        if word.matches(shown) {
            Ok(word)
        } else {
            Err(not_shown())
        }
    }

    /// Whether it may be this word.
    #[must_use]
    pub fn matches(&self, word: &str) -> bool {
        let between = word
            .strip_prefix(&*self.before)
            .and_then(|rest| rest.strip_suffix(&*self.after));
        let Some(between) = between.filter(|between| !between.is_empty()) else {
            return false;
        };
        let flag = self.before.is_empty() && between.starts_with('-');
        let above = word.split(['/', '=', ':']).any(|part| part == "..");
        let known = |letter: char| is_plain(letter) || self.letters.contains(letter);
        !flag && !above && between.chars().all(known)
    }
}

fn is_plain(letter: char) -> bool {
    letter.is_alphanumeric() || "._-".contains(letter)
}

/// The words of a command line: quotes and backslashes as a shell has them, nothing is expanded. `None`: a quote is open.
#[must_use]
pub fn split(text: &str) -> Option<Vec<String>> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (None, ' ' | '\t' | '\n') => words.extend(word.take()),
            (None, '\'' | '"') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (Some(open), _) if letter == open => quote = None,
            (None | Some('"'), '\\') => word.get_or_insert_default().push(letters.next()?),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, PatternError, split};

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    fn one(pattern: &str, shown: &str) -> super::OpenWord {
        Pattern::parse(pattern, &words(shown)).unwrap().open[0].clone()
    }

    #[test]
    fn a_star_stands_for_what_it_stood_for_and_for_nothing_wider() {
        let pod = one(
            "kubectl delete pod * -n staging",
            "kubectl delete pod web-1 -n staging",
        );
        assert!(pod.matches("web-2") && pod.matches("db.0"));
        for wider in [
            "", "-A", "--all", "a,b", "a/b", "..", "a b", "$x", "*", "a;b", "ü/",
        ] {
            assert!(!pod.matches(wider), "{wider}");
        }
        let path = one("rm -r /srv/*", "rm -r /srv/releases/7");
        assert!(path.matches("/srv/releases/8"));
        for wider in ["/srv/../etc", "/srv/", "/etc/x", "/srv/a:b"] {
            assert!(!path.matches(wider), "{wider}");
        }
        let count = one("kubectl scale --replicas=*", "kubectl scale --replicas=3");
        assert!(count.matches("--replicas=4") && !count.matches("--replicas=4,5"));
    }

    #[test]
    fn what_was_not_shown_is_no_pattern() {
        let shown = words("kubectl delete pod web-1 --force");
        let wrong = |pattern: &str| Pattern::parse(pattern, &shown).unwrap_err();
        assert_eq!(wrong("* delete pod web-1 --force"), PatternError::Program);
        assert_eq!(wrong("kubectl delete pod web-1 --force"), PatternError::NoStar);
        assert_eq!(wrong("kubectl 'delete pod web-1"), PatternError::Quote);
        assert!(matches!(wrong("kubectl delete *"), PatternError::Count { .. }));
        assert!(matches!(
            wrong("kubectl delete pod web-1 *"),
            PatternError::Flag { .. }
        ));
        for other in [
            "kubectl delete ns web-* --force",
            "kubectl delete pod db-* --force",
            "kubectl delete pod *-* --force",
        ] {
            assert!(matches!(wrong(other), PatternError::NotShown { .. }), "{other}");
        }
    }

    #[test]
    fn words_are_read_as_a_shell_reads_them() {
        let found = split(r#"a 'b  c' "d\"e" f\ g '' "#).unwrap();
        assert_eq!(found, ["a", "b  c", "d\"e", "f g", ""]);
        assert_eq!(split("a \"b"), None);
        assert_eq!(split("a\\"), None);
    }
}
