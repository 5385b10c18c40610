//! The words of a command line, as far as redaction needs them: where each argument's bytes stand.

use crate::bytes::{before, byte, part, space};

/// One argument: its bytes stand from `start` to `end`; quotes around it are outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub start: usize,
    pub end: usize,
}

/// At most so many words are read; what secrets commands take stands near their begin.
const LIMIT: usize = 256;

/// The words of the command that begins at `start`, up to `end` or the first operator of the shell. `start` may stand
/// within quotes, as in `sh -c "..."`: the quote that closes them ends the command. Lists as in
/// `["curl", "-u"]` are read too.
pub(crate) fn words(text: &[u8], start: usize, end: usize) -> Vec<Word> {
    let text = part(text, 0, end);
    let mut list = Vec::new();
    let quote = Some(before(text, start)).filter(|own| matches!(own, b'"' | b'\''));
    let mut place = start;
    // The command's own name, which may stand in quotes of its own.
    let first = word_end(text, place);
    list.push(Word {
        start: place,
        end: first,
    });
    place = first;
    let listed = quote.is_some_and(|own| byte(text, place) == own);
    place += usize::from(listed);
    while place < text.len() && list.len() < LIMIT {
        let own = byte(text, place);
        if space(own)
            || (own == b',' && listed)
            || (own == b'\\' && matches!(byte(text, place + 1), b'\n' | b'\r'))
        {
            place += 1;
            continue;
        }
        if matches!(own, b';' | b'|' | b'&' | b')') || (listed && own == b']') {
            break;
        }
        let Some((word, next)) = one(text, place) else {
            break;
        };
        list.push(word);
        place = next;
    }
    list
}

/// The argument at `place` and where to go on; none where a quote closes the command.
fn one(text: &[u8], place: usize) -> Option<(Word, usize)> {
    let escaped = byte(text, place) == b'\\' && matches!(byte(text, place + 1), b'"' | b'\'');
    let open = place + usize::from(escaped);
    let quote = byte(text, open);
    if matches!(quote, b'"' | b'\'') {
        let start = open + 1;
        let end = closing(text, start, quote, escaped)?;
        let after = end + 1 + usize::from(escaped);
        if !ends(byte(text, after)) {
            // `'a'b`, `"$x"y`: one word of several parts.
            return Some((
                Word {
                    start,
                    end: word_end(text, after),
                },
                word_end(text, after),
            ));
        }
        return Some((Word { start, end }, after));
    }
    let mut end = word_end(text, place);
    if end > place && byte(text, end) == b'\\' {
        return Some((Word { start: place, end }, text.len()));
    }
    let own = byte(text, end);
    if matches!(own, b'"' | b'\'') {
        // `-p'a b'`, `--x="a b"`: a quoted part within the word; or the quote that closes the command.
        match closing(text, end + 1, own, false) {
            Some(close) if !ends(byte(text, end + 1)) => end = word_end(text, close + 1),
            _ => {
                return Some((Word { start: place, end }, text.len()))
                    .filter(|(word, _)| word.end > word.start);
            }
        }
    }
    (end > place).then_some((Word { start: place, end }, end))
}

/// The quote that closes what begins at `start`.
fn closing(text: &[u8], start: usize, quote: u8, escaped: bool) -> Option<usize> {
    let mut place = start;
    while place < text.len() {
        let own = byte(text, place);
        if own == b'\\' && escaped && byte(text, place + 1) == quote {
            return Some(place);
        }
        if own == b'\\' && quote == b'"' {
            place += 2;
            continue;
        }
        if own == quote {
            return Some(place);
        }
        place += 1;
    }
    None
}

/// The end of what stands unquoted at `start`.
fn word_end(text: &[u8], start: usize) -> usize {
    let mut place = start;
    while place < text.len() {
        let own = byte(text, place);
        if own == b'\\' && !matches!(byte(text, place + 1), b'"' | b'\'' | b'\n' | b'\r') {
            place += 2;
            continue;
        }
        if ends(own) || matches!(own, b'"' | b'\'' | b'\\') {
            break;
        }
        place += 1;
    }
    place.min(text.len())
}

fn ends(own: u8) -> bool {
    space(own) || matches!(own, b';' | b'|' | b')' | b'\0')
}

/// The bytes of a word.
pub(crate) fn get(text: &[u8], word: Word) -> &[u8] {
    part(text, word.start, word.end)
}
