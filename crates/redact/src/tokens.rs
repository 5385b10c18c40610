//! Tokens that their own shape gives away: a prefix and a body of a known alphabet and length.

use crate::bytes::{byte, distinct, edge, holds, part, run};
use crate::scan::Found;

/// A kind of token.
#[derive(Clone, Copy)]
pub(crate) struct Token {
    pub kind: &'static str,
    pub prefix: &'static str,
    pub body: Body,
    /// The fewest bytes of the body.
    pub least: usize,
    /// The most; a longer run is something else. 0: no limit.
    pub most: usize,
    /// What else must hold.
    pub also: Also,
}

/// The alphabet of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    /// `0-9a-fA-F`
    Hex,
    /// `A-Z0-9`
    Upper,
    /// `A-Za-z0-9`
    Alnum,
    /// `A-Za-z0-9_`
    Word,
    /// `A-Za-z0-9_-`
    Url,
    /// `A-Za-z0-9_.-`
    Dotted,
    /// `A-Za-z0-9_.=+/-`
    Wide,
}

/// What must hold beyond prefix, alphabet and length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Also {
    /// Nothing: the prefix occurs nowhere else.
    Free,
    /// The prefix begins a word.
    Edge,
    /// It begins a word, and the body has a digit and a letter.
    Mixed,
}

impl Body {
    fn has(self, own: u8) -> bool {
        match self {
            Self::Hex => own.is_ascii_hexdigit(),
            Self::Upper => own.is_ascii_uppercase() || own.is_ascii_digit(),
            Self::Alnum => own.is_ascii_alphanumeric(),
            Self::Word => own.is_ascii_alphanumeric() || own == b'_',
            Self::Url => own.is_ascii_alphanumeric() || matches!(own, b'_' | b'-'),
            Self::Dotted => own.is_ascii_alphanumeric() || matches!(own, b'_' | b'-' | b'.'),
            Self::Wide => {
                own.is_ascii_alphanumeric() || matches!(own, b'_' | b'-' | b'.' | b'=' | b'+' | b'/')
            }
        }
    }
}

impl Token {
    /// Whether the prefix at `at` begins such a token.
    pub fn find(&self, text: &[u8], at: usize, found: &mut Found<'_>) {
        let start = at + self.prefix.len();
        if !self.body.has(byte(text, start)) || (self.also != Also::Free && !edge(text, at)) {
            return;
        }
        let mut end = run(text, start, |own| self.body.has(own));
        if matches!(self.body, Body::Dotted | Body::Wide) {
            end = start + part(text, start, end).trim_ascii_end().len();
            while end > start && matches!(byte(text, end - 1), b'.' | b'/') {
                end -= 1;
            }
        }
        let body = part(text, start, end);
        let glued = self.most != 0 && body.len() > self.most;
        // A run of one or two characters is a placeholder: xxxx, XXXX-XXXX.
        if body.len() < self.least || glued || distinct(body) < 3 || holds(body, b"xxxxxxxx") {
            return;
        }
        // Where the alphabet has separators, words can be written in it: your-token-goes-here.
        let words = !matches!(self.body, Body::Hex | Body::Upper | Body::Alnum);
        if words && !(mixed(body) || cased(body)) {
            return;
        }
        if self.also == Also::Mixed && !mixed(body) {
            return;
        }
        found.add(at, end, self.kind, 8);
    }
}

/// Whether there is a digit and a letter.
pub(crate) fn mixed(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic)
}

/// Whether there is a lower-case and an upper-case letter.
pub(crate) fn cased(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_lowercase) && body.iter().any(u8::is_ascii_uppercase)
}
