//! Rules: the standard set, and what a site adds to it.

use crate::extension::{self, Addition};
use crate::hints::{self, Near};
use crate::scan::{Found, Scanner, Sink, View};
use crate::tokens::Token;
use crate::{assign, blocks, commands, places, shapes, table};
use aho_corasick::{AhoCorasick, AhoCorasickKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

/// What a secret is, as it stands in the marker: `github-token`, `password`. Lower case, digits and dashes.
pub type Kind = Cow<'static, str>;

/// A secret that is known is not searched for where it is shorter than this, in bytes.
const SHORTEST_KNOWN: usize = 6;

/// Searched for are this many bytes of a known secret: the table of the search grows with them.
const KNOWN_ANCHOR: usize = 24;

/// How every marker begins.
pub(crate) const MARK: &[u8] = b"[redacted:";

/// A rule set. Cheap to clone, safe to share between threads.
#[derive(Clone)]
pub struct Rules {
    inner: Arc<Inner>,
}

struct Inner {
    automaton: AhoCorasick,
    literals: Vec<Vec<u8>>,
    /// By the automaton's pattern numbers.
    matchers: Vec<Matcher>,
    longest: usize,
    leave: BTreeSet<Vec<u8>>,
}

/// What is asked when an anchor is seen.
#[derive(Clone)]
pub(crate) enum Matcher {
    /// A token that its own shape gives away.
    Token(Token),
    /// A function, for what one line and the next one tell.
    Line(fn(&View<'_>, &mut Found<'_>), fn(&Near<'_>) -> bool),
    /// A function, for a block that ends with these words.
    Block(fn(&View<'_>, &mut Found<'_>), &'static [u8]),
    /// A name whose values a site wants redacted as this kind.
    Named(Kind),
    /// The anchor begins a secret that somebody knows: this one.
    Exact(Kind, Arc<[u8]>),
    /// A site's own token: what must follow the anchor.
    Pattern(Kind, regex::bytes::Regex),
}

/// One secret that was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it was.
    pub kind: Kind,
    /// Where its marker stands in the redacted text, in bytes.
    pub range: std::ops::Range<usize>,
}

/// A text after redaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redacted<'t> {
    /// The text; borrowed where nothing was found.
    pub text: Cow<'t, str>,
    /// What was replaced, in the order of the text.
    pub found: Vec<Finding>,
}

/// Why additional rules can't be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// A line is not of the documented form.
    #[error("line {line} of the redaction rules, `{text}`, is not {expected}; no rule was taken over")]
    Line {
        /// The line, from 1.
        line: usize,
        /// What stands there.
        text: String,
        /// What could stand there.
        expected: &'static str,
    },
    /// A pattern is no regular expression.
    #[error("the pattern in line {line} of the redaction rules can't be read; no rule was taken over")]
    Pattern {
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// The rules are too many or too long to search for.
    #[error("the redaction rules can't be searched for together; no rule was taken over")]
    Automaton {
        /// What is wrong with them.
        source: Box<aho_corasick::BuildError>,
    },
}

static STANDARD: LazyLock<Option<Rules>> =
    LazyLock::new(|| Rules::build(standard_anchors(), BTreeSet::new()).ok());

impl Rules {
    /// The rules that come with rescind.
    #[must_use]
    pub fn standard() -> Self {
        // INVARIANT: the standard table builds; `standard_rules_build` in the tests holds it to that. Were it ever not
        // so, nothing may be let through: see `nothing_passes`.
        STANDARD.clone().unwrap_or_else(nothing_passes)
    }

    /// The standard rules and those of `text`, in the line format of `docs/redaction.md`.
    ///
    /// # Errors
    /// A line that is not of that format, or a pattern that is no regular expression.
    pub fn extended(text: &str) -> Result<Self, RulesError> {
        let mut anchors = standard_anchors();
        let mut leave = BTreeSet::new();
        for addition in extension::parse(text)? {
            match addition {
                Addition::Token {
                    kind,
                    literal,
                    pattern,
                } => {
                    anchors.push((literal.into_bytes(), Matcher::Pattern(kind.into(), pattern)));
                }
                Addition::Name { kind, word } => {
                    let both = [word.replace('-', "_"), word.replace('_', "-")];
                    let forms: BTreeSet<Vec<u8>> = both.iter().flat_map(|word| cases(word)).collect();
                    for form in forms {
                        anchors.push((form, Matcher::Named(kind.clone().into())));
                    }
                }
                Addition::Leave { value } => {
                    leave.insert(value.into_bytes());
                }
            }
        }
        Self::build(anchors, leave)
    }

    /// These rules, and these very secrets, which are redacted as this kind wherever they stand, also as base64 and as
    /// in a URL. What is shorter than six bytes is left out: it stands anywhere.
    ///
    /// # Errors
    /// They are too many or too long to search for.
    pub fn knowing<'s>(
        &self,
        kind: &'static str,
        secrets: impl IntoIterator<Item = &'s str>,
    ) -> Result<Self, RulesError> {
        let own = self
            .inner
            .literals
            .iter()
            .cloned()
            .zip(self.inner.matchers.iter().cloned());
        let mut anchors: Vec<(Vec<u8>, Matcher)> = own.collect();
        for secret in secrets
            .into_iter()
            .filter(|secret| secret.len() >= SHORTEST_KNOWN)
        {
            let forms: BTreeSet<Vec<u8>> = crate::encoded::forms(secret.as_bytes()).into_iter().collect();
            anchors.extend(forms.into_iter().map(|form| {
                let anchor = form.iter().copied().take(KNOWN_ANCHOR).collect();
                (anchor, Matcher::Exact(kind.into(), form.into()))
            }));
        }
        Self::build(anchors, self.inner.leave.clone())
    }

    fn build(anchors: Vec<(Vec<u8>, Matcher)>, leave: BTreeSet<Vec<u8>>) -> Result<Self, RulesError> {
        let longest = anchors
            .iter()
            .map(|(literal, _)| literal.len())
            .max()
            .unwrap_or(1);
        let (literals, matchers): (Vec<_>, Vec<_>) = anchors.into_iter().unzip();
        let automaton = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::DFA))
            .build(&literals)
            .map_err(|source| RulesError::Automaton {
                source: Box::new(source),
            })?;
        Ok(Self {
            inner: Arc::new(Inner {
                automaton,
                literals,
                matchers,
                longest,
                leave,
            }),
        })
    }

    /// `text` with every secret in it replaced by `[redacted:<kind>]`.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Redacted<'t> {
        let mut whole = Whole::default();
        Scanner::default().advance(self, text.as_bytes(), 0, true, &mut whole);
        if whole.found.is_empty() {
            return Redacted {
                text: Cow::Borrowed(text),
                found: Vec::new(),
            };
        }
        // Secrets begin and end at ASCII bytes or white space, so this is text again.
        let text = String::from_utf8(whole.bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        Redacted {
            text: Cow::Owned(text),
            found: whole.found,
        }
    }

    /// `bytes` with every secret in them replaced; for what need not be text: a path, a raw argument.
    #[must_use]
    pub fn redact_bytes<'t>(&self, bytes: &'t [u8]) -> Cow<'t, [u8]> {
        let mut whole = Whole::default();
        Scanner::default().advance(self, bytes, 0, true, &mut whole);
        if whole.found.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            Cow::Owned(whole.bytes)
        }
    }

    /// Where the secrets of `bytes` stand, and what they are, in order.
    pub(crate) fn places(&self, bytes: &[u8]) -> Vec<(usize, usize, Kind)> {
        let mut places = Places::default();
        Scanner::default().advance(self, bytes, 0, true, &mut places);
        places.close(bytes.len() as u64);
        places.list
    }

    /// The anchors in `bytes` from `from` on: rule, begin, end; in the order of their ends.
    pub(crate) fn anchors<'a>(
        &'a self,
        bytes: &'a [u8],
        from: usize,
    ) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        let input = aho_corasick::Input::new(bytes).range(from.min(bytes.len())..);
        self.inner
            .automaton
            .find_overlapping_iter(input)
            .map(|hit| (hit.pattern().as_usize(), hit.start(), hit.end()))
    }

    pub(crate) fn matcher(&self, id: usize) -> Option<&Matcher> {
        self.inner.matchers.get(id)
    }

    pub(crate) fn longest(&self) -> usize {
        self.inner.longest
    }

    pub(crate) fn leaves(&self, secret: &[u8]) -> bool {
        self.inner.leave.contains(secret)
    }
}

impl std::fmt::Debug for Rules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rules")
            .field("anchors", &self.inner.matchers.len())
            .finish_non_exhaustive()
    }
}

impl Matcher {
    /// Ask about the anchor in `view`. Tokens are asked by [`Token::find`], which needs no view.
    pub(crate) fn find(&self, view: &View<'_>, found: &mut Found<'_>) {
        match self {
            Self::Token(token) => token.find(view.text, view.at, found),
            Self::Line(rule, _) | Self::Block(rule, _) => rule(view, found),
            Self::Exact(kind, whole) => {
                if crate::bytes::rest(view.text, view.at).starts_with(whole) {
                    found.add(view.at, view.at + whole.len(), kind.clone(), 10);
                }
            }
            Self::Named(kind) => assign::named(view, kind, found),
            Self::Pattern(kind, pattern) => {
                let tail = crate::bytes::rest(view.text, view.after);
                let end = pattern.find(tail).map_or(0, |hit| hit.end());
                if end > 0 && crate::bytes::edge(view.text, view.at) {
                    found.add(view.at, view.after + end, kind.clone(), 9);
                }
            }
        }
    }
}

/// A word as it stands in texts: `token`, `Token`, `TOKEN`.
pub(crate) fn cases(word: &str) -> Vec<Vec<u8>> {
    let lower = word.to_ascii_lowercase();
    let mut capital = lower.clone().into_bytes();
    if let Some(first) = capital.first_mut() {
        first.make_ascii_uppercase();
    }
    let mut forms = vec![
        lower.into_bytes(),
        capital,
        word.to_ascii_uppercase().into_bytes(),
    ];
    forms.sort();
    forms.dedup();
    forms
}

fn standard_anchors() -> Vec<(Vec<u8>, Matcher)> {
    let mut anchors: Vec<(Vec<u8>, Matcher)> = table::TOKENS
        .iter()
        .map(|token| (token.prefix.as_bytes().to_vec(), Matcher::Token(*token)))
        .collect();
    type Question = (
        &'static [&'static str],
        fn(&View<'_>, &mut Found<'_>),
        fn(&Near<'_>) -> bool,
    );
    let lines: [Question; 5] = [
        (shapes::ANCHORS, shapes::find, hints::shape),
        (places::ANCHORS, places::find, hints::place),
        (places::WORDS, places::find, hints::place),
        (commands::ANCHORS, commands::find, hints::command),
        (assign::WORDS, assign::find, hints::assign),
    ];
    // One anchor, one question per function: a word that is listed twice would only be asked twice.
    let mut seen: BTreeMap<(usize, Vec<u8>), ()> = BTreeMap::new();
    for (number, (words, rule, hint)) in lines.into_iter().enumerate() {
        for word in words {
            let both = number >= 2 && number != 3 && word.bytes().any(|own| own.is_ascii_alphabetic());
            let forms = if both {
                cases(word)
            } else {
                vec![word.as_bytes().to_vec()]
            };
            for form in forms {
                if seen.insert((number, form.clone()), ()).is_none() {
                    anchors.push((form, Matcher::Line(rule, hint)));
                }
            }
        }
    }
    for (literal, closing) in blocks::ANCHORS {
        anchors.push((
            literal.as_bytes().to_vec(),
            Matcher::Block(blocks::find_in, closing.as_bytes()),
        ));
    }
    anchors
}

/// The rule set of last resort: every byte is an anchor and every line a secret, so that nothing is let through.
fn nothing_passes() -> Rules {
    fn line(view: &View<'_>, found: &mut Found<'_>) {
        found.add(view.at, view.line_end.max(view.after), "unchecked", 0);
    }
    let anchors = (0..=255_u8)
        .filter(|own| *own != b'\n')
        .map(|own| (vec![own], Matcher::Line(line, |_| true)));
    match Rules::build(anchors.collect(), BTreeSet::new()) {
        Ok(rules) => rules,
        // 255 literals of one byte: there is no limit of the automaton that they could exceed.
        Err(_) => std::process::abort(),
    }
}

#[derive(Default)]
struct Whole {
    bytes: Vec<u8>,
    found: Vec<Finding>,
}

impl Sink for Whole {
    fn plain(&mut self, _at: u64, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn secret(&mut self, _at: u64, kind: &Kind) {
        let start = self.bytes.len();
        write_mark(kind, &mut self.bytes);
        self.found.push(Finding {
            kind: kind.clone(),
            range: start..self.bytes.len(),
        });
    }
}

/// Where the secrets stand in a text, rather than the text without them.
#[derive(Default)]
struct Places {
    list: Vec<(usize, usize, Kind)>,
    open: bool,
}

impl Sink for Places {
    fn plain(&mut self, at: u64, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.close(at);
        }
    }

    fn secret(&mut self, at: u64, kind: &Kind) {
        self.close(at);
        self.list.push((at as usize, at as usize, kind.clone()));
        self.open = true;
    }
}

impl Places {
    fn close(&mut self, at: u64) {
        if let Some((_, end, _)) = self.list.last_mut().filter(|_| self.open) {
            *end = at as usize;
        }
        self.open = false;
    }
}

/// Write the marker of `kind`.
pub(crate) fn write_mark(kind: &str, to: &mut Vec<u8>) {
    to.extend_from_slice(MARK);
    to.extend_from_slice(kind.as_bytes());
    to.push(b']');
}

/// The marker of `kind`.
pub(crate) fn mark(kind: &str) -> String {
    format!("[redacted:{kind}]")
}
