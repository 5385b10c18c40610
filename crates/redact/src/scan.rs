//! The scanner: finds anchors, asks their rules, and copies what is no secret.
//!
//! INVARIANT: what a rule says of an anchor at `p` depends on the bytes from `p - BACK` to `p + FORWARD` only, cut after the
//! second line end behind `p` (for key blocks: to `p + BLOCK`). A rule is asked once those bytes are there. So the
//! outcome doesn't depend on how a stream was cut.

use crate::bytes::{byte, find, part, rest, space};
use crate::hints::Near;
use crate::rules::{Kind, MARK, Matcher, Rules};

/// How many bytes before an anchor a rule may look at.
pub const BACK: usize = 1024;
/// How many bytes from an anchor on a rule may look at; a secret that is longer is followed to its end.
pub const FORWARD: usize = 8 * 1024;
/// How many bytes of a key block are looked at.
pub const BLOCK: usize = 64 * 1024;
/// How far before its anchor a secret may begin.
pub(crate) const LEAD: usize = 128;

/// Hits of this rank and above are told by the shape of the secret itself, which chance doesn't make.
const SHAPED: u8 = 8;

/// How many bytes from the begin of a block's closing words on a rule may look at.
const CLOSING: usize = 256;

/// What a rule sees: a window of the text around an anchor.
pub(crate) struct View<'a> {
    /// The window.
    pub text: &'a [u8],
    /// Where the anchor begins in it.
    pub at: usize,
    /// Where the anchor ends in it.
    pub after: usize,
    /// Where the anchor's line ends in it; there may be one more line behind. Backslash at its end continues a line.
    pub line_end: usize,
}

/// A secret, in positions of the text that was scanned.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    pub start: u64,
    pub end: u64,
    pub kind: Kind,
    /// Of hits that begin together, the one with the highest rank names the kind.
    pub rank: u8,
    /// The secret goes on behind the window, until white space or a quote.
    pub open: bool,
}

/// What a rule found, in positions of its window.
pub(crate) struct Found<'a> {
    hits: &'a mut Vec<Hit>,
    rules: &'a Rules,
    text: &'a [u8],
    at: usize,
    base: u64,
    /// The window ends because it may be no longer, not because the line or the text ends.
    cut: bool,
}

/// Where the scanner's output goes.
pub(crate) trait Sink {
    /// These bytes, which stand at `at` of the whole text, are none of a secret.
    fn plain(&mut self, at: u64, bytes: &[u8]);
    /// At `at` a secret begins.
    fn secret(&mut self, at: u64, kind: &Kind);
}

/// The state between two calls of [`Scanner::advance`]. Positions count from the start of the whole text.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    /// Everything before is written or covered.
    written: u64,
    /// Every anchor that begins before has been asked.
    scanned: u64,
    /// Everything before belongs to the last secret.
    covered: u64,
    /// The last secret goes on until white space or a quote.
    open: bool,
    hits: Vec<Hit>,
    /// With fewer bytes and no new line, nothing new can be decided.
    pub wanted: u64,
}

impl Found<'_> {
    /// There is a secret from `start` to `end` of the window. What is marked already, and what the rules say to leave
    /// alone, is none. No secret begins more than [`LEAD`] bytes before its anchor: what lies before may be written.
    pub fn add(&mut self, start: usize, end: usize, kind: impl Into<Kind>, rank: u8) {
        let start = start.max(self.at.saturating_sub(LEAD));
        let secret = part(self.text, start, end);
        if rank < SHAPED && binary(part(self.text, start.saturating_sub(24), end.min(start + 24) + 8)) {
            return;
        }
        if secret.is_empty()
            || secret.starts_with(MARK)
            || part(self.text, 0, start).ends_with(MARK)
            || self.rules.leaves(secret)
        {
            return;
        }
        self.hits.push(Hit {
            start: self.base + start as u64,
            end: self.base + end.min(self.text.len()) as u64,
            kind: kind.into(),
            rank,
            open: self.cut && end >= self.text.len(),
        });
    }
}

impl Scanner {
    /// Where the bytes that are still needed begin.
    pub fn needed(&self) -> u64 {
        self.written.min(self.scanned.saturating_sub(BACK as u64))
    }

    /// Go on with `bytes`, which begin at position `base` of the whole text and hold everything from
    /// [`Self::needed`] on. `last`: nothing will follow.
    pub fn advance(&mut self, rules: &Rules, bytes: &[u8], base: u64, last: bool, sink: &mut impl Sink) {
        let from = (self.scanned - base) as usize;
        let longest = rules.longest();
        let mut waiting: Option<(usize, usize)> = None;
        for (id, start, end) in rules.anchors(bytes, from) {
            if let Some((first, _)) = waiting {
                if end > first + longest {
                    break;
                }
                if start >= first {
                    continue;
                }
            }
            let Some(matcher) = rules.matcher(id) else {
                continue;
            };
            if let Matcher::Line(_, hint) = matcher
                && !hint(&Near {
                    text: bytes,
                    start,
                    end,
                })
            {
                continue;
            }
            match window(matcher, bytes, start, last) {
                Ok(limit) => ask(rules, matcher, bytes, base, (start, end), limit, &mut self.hits),
                Err(wanted) => waiting = Some((start, wanted)),
            }
        }
        // A longer anchor may begin before the one that waits and end behind what is here.
        let complete = bytes.len().saturating_sub(longest.saturating_sub(1)).max(from);
        let settled = match waiting {
            Some((start, _)) => start.min(complete),
            None if last => bytes.len(),
            None => complete,
        };
        self.wanted = waiting.map_or(0, |(_, wanted)| base + wanted as u64);
        self.scanned = base + settled as u64;
        let frontier = if last {
            bytes.len()
        } else {
            settled.saturating_sub(LEAD)
        };
        self.write(bytes, base, base + frontier as u64, sink);
    }

    /// Write everything up to `frontier`; all hits that begin before it are known.
    fn write(&mut self, bytes: &[u8], base: u64, frontier: u64, sink: &mut impl Sink) {
        let frontier = frontier.max(self.written);
        self.hits
            .sort_by(|a, b| (a.start, b.rank, b.end).cmp(&(b.start, a.rank, a.end)));
        let ready = self.hits.partition_point(|hit| hit.start < frontier);
        let ready: Vec<Hit> = self.hits.drain(..ready).collect();
        for hit in ready {
            self.settle(bytes, base, hit.start);
            self.written = self.written.max(self.covered.min(frontier));
            if hit.start < self.covered || (self.open && hit.start == self.covered) {
                // Longer than what it begins in: the same secret, to the end of the longer one.
                self.open = if hit.end > self.covered {
                    hit.open
                } else {
                    self.open
                };
                self.covered = self.covered.max(hit.end);
            } else if hit.start >= self.written {
                sink.plain(
                    self.written,
                    part(bytes, (self.written - base) as usize, (hit.start - base) as usize),
                );
                sink.secret(hit.start, &hit.kind);
                self.written = hit.start;
                self.covered = hit.end;
                self.open = hit.open;
            }
            self.written = self.written.max(self.covered.min(frontier));
        }
        self.settle(bytes, base, frontier);
        self.written = self.written.max(self.covered.min(frontier));
        sink.plain(
            self.written,
            part(bytes, (self.written - base) as usize, (frontier - base) as usize),
        );
        self.written = self.written.max(frontier);
    }

    /// Follow a secret that goes on behind its window, up to `to`.
    fn settle(&mut self, bytes: &[u8], base: u64, to: u64) {
        while self.open && self.covered < to {
            let own = byte(bytes, (self.covered - base) as usize);
            if space(own) || matches!(own, b'"' | b'\'' | b'`') {
                self.open = false;
            } else {
                self.covered += 1;
            }
        }
    }
}

/// Whether these bytes are no text: less than seven tenths of them are printable or white space. NUL counts as white
/// space, since it parts the variables of an environment.
fn binary(bytes: &[u8]) -> bool {
    let text = |own: char| !own.is_control() || matches!(own, '\0' | '\t' | '\n' | '\r' | '\x1b');
    let valid: usize = bytes
        .utf8_chunks()
        .map(|chunk| {
            chunk
                .valid()
                .chars()
                .filter(|own| text(*own))
                .map(char::len_utf8)
                .sum::<usize>()
        })
        .sum();
    valid * 10 < bytes.len() * 7
}

/// The end of what `matcher` may see of an anchor at `start`, or how many bytes there must be before that can be said.
fn window(matcher: &Matcher, bytes: &[u8], start: usize, last: bool) -> Result<usize, usize> {
    match matcher {
        Matcher::Block(_, closing) => {
            let longest = start + BLOCK;
            let closed = find(part(bytes, start, longest), 1, closing).map(|place| start + place + CLOSING);
            let end = closed.unwrap_or(longest);
            if last || bytes.len() >= end {
                Ok(end.min(bytes.len()))
            } else {
                Err(end)
            }
        }
        Matcher::Exact(_, whole) => {
            let end = start + whole.len();
            if bytes.len() >= end || last {
                Ok(end.min(bytes.len()))
            } else {
                Err(end)
            }
        }
        // A token's rule reads the token and one byte more, so the lines don't matter to it.
        Matcher::Token(_) if bytes.len() >= start + FORWARD || last => Ok((start + FORWARD).min(bytes.len())),
        _ => {
            let end = start + FORWARD;
            let whole = bytes.len() >= end || last;
            let seen = part(bytes, start, end);
            match line_end(seen, 0).and_then(|first| line_end(seen, first + 1)) {
                Some(second) => Ok(start + second),
                None if whole => Ok(end.min(bytes.len())),
                None => Err(end),
            }
        }
    }
}

fn ask(
    rules: &Rules,
    matcher: &Matcher,
    bytes: &[u8],
    base: u64,
    (start, end): (usize, usize),
    limit: usize,
    hits: &mut Vec<Hit>,
) {
    let from = start.saturating_sub(BACK);
    let text = part(bytes, from, limit);
    let cut = !matches!(matcher, Matcher::Block(..)) && limit == start + FORWARD;
    let mut found = Found {
        hits,
        rules,
        text,
        at: start - from,
        base: base + from as u64,
        cut,
    };
    if let Matcher::Token(token) = matcher {
        token.find(text, start - from, &mut found);
        return;
    }
    let first_line = line_end(rest(text, start - from), 0).map_or(text.len(), |length| start - from + length);
    let view = View {
        text,
        at: start - from,
        after: end - from,
        line_end: first_line,
    };
    matcher.find(&view, &mut found);
}

/// The first line feed at or after `from` that no backslash takes back.
fn line_end(text: &[u8], from: usize) -> Option<usize> {
    let mut from = from;
    loop {
        let place = from + memchr::memchr(b'\n', rest(text, from))?;
        let line = part(text, 0, place);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if !line.ends_with(b"\\") {
            return Some(place);
        }
        from = place + 1;
    }
}
