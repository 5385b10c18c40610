//! Where a value ends.

use super::Link;
use crate::bytes::{blank, byte, ident, part, rest, run, space};
use crate::values::Form;

/// The value's bytes without its quotes, and whether it had any.
pub(super) fn value(
    text: &[u8],
    place: usize,
    link: Link,
    form: Form,
    gap: bool,
) -> Option<((usize, usize), bool)> {
    let place = place
        + if rest(text, place).starts_with(b"!!str ") {
            6
        } else {
            0
        };
    // `b"..."`, `r'...'`, `$'...'`.
    let marked = matches!(byte(text, place), b'b' | b'r' | b'u' | b'$' | b'@' | b'N')
        && matches!(byte(text, place + 1), b'"' | b'\'');
    let place = place + usize::from(marked);
    let slashes = run(text, place, |own| own == b'\\');
    let quote = byte(text, slashes);
    let quotes = matches!(quote, b'"' | b'\'') || (quote == b'`' && slashes == place);
    if quotes && slashes - place <= 3 {
        let triple = byte(text, slashes + 1) == quote && byte(text, slashes + 2) == quote;
        let start = slashes + if triple { 3 } else { 1 };
        let end = closing(text, start, quote, slashes - place);
        return (end > start).then_some(((start, end), true));
    }
    if link == Link::Next || byte(text, place) == b'\n' {
        return None;
    }
    if link == Link::Tag {
        let end = run(text, place, |own| own != b'<');
        return (end > place && byte(text, end) == b'<' && byte(text, end + 1) == b'/')
            .then_some(((place, end), false));
    }
    let end = unquoted(text, place, form, gap);
    (end > place).then_some(((place, end), false))
}

/// The quote that closes a value, after as many backslashes as stood before the one that opened it.
pub(super) fn closing(text: &[u8], start: usize, quote: u8, slashes: usize) -> usize {
    let mut place = start;
    while place < text.len() {
        let ahead = run(text, place, |own| own == b'\\');
        if byte(text, ahead) == quote && ahead - place <= slashes {
            return place;
        }
        place = ahead + 1;
    }
    // It is closed in another line, or was cut off: as far as it is one word.
    run(text, start, |own| !space(own))
}

/// The end of a value without quotes.
pub(super) fn unquoted(text: &[u8], start: usize, form: Form, gap: bool) -> usize {
    let plain =
        |own: u8| own.is_ascii_alphanumeric() || matches!(own, b'=' | b'_' | b'-' | b'.' | b'/' | b'+');
    let mut end = run(text, start, plain);
    while end < text.len() && !space(byte(text, end)) && !stops(text, end, form) {
        end = run(text, end + 1, plain);
    }
    let _ = gap;
    while end > start {
        let last = byte(text, end - 1);
        let own = part(text, start, end);
        let balanced = |open: u8| {
            own.iter().filter(|byte| **byte == open).count()
                >= own.iter().filter(|byte| **byte == last).count()
        };
        let trailing = match last {
            b',' | b';' => true,
            b')' => !balanced(b'('),
            b']' => !balanced(b'['),
            b'}' => !balanced(b'{'),
            _ => false,
        };
        if !trailing {
            break;
        }
        end -= 1;
    }
    end
}

/// Whether the byte at `at` ends an unquoted value rather than being a part of it.
pub(super) fn stops(text: &[u8], at: usize, form: Form) -> bool {
    let next = byte(text, at + 1);
    let over = |own: u8| {
        space(own)
            || matches!(
                own,
                b',' | b';' | b')' | b']' | b'}' | b'"' | b'\'' | b'\\' | b'>' | b'<' | b'|'
            )
    };
    match byte(text, at) {
        b'"' | b'\'' | b'`' => over(next) || at + 1 >= text.len(),
        b'\\' => matches!(next, b'"' | b'\'' | b'n' | b'r' | b't' | b'\\' | b'\n'),
        b'#' => form == Form::Part,
        b'<' => next == b'/' || form == Form::Part,
        b'&' if form == Form::Part => true,
        b';' if form == Form::Part => true,
        b'&' | b';' | b',' | b'|' => {
            let word = run(text, at + 1, blank);
            let end = run(text, word, |own| {
                ident(own) || own == b' ' || own == b'"' || own == b'\''
            });
            let keyed = end > word && matches!(byte(text, end), b'=' | b':');
            keyed || over(next) || next == byte(text, at)
        }
        _ => false,
    }
}

/// A value that is the first word of several stands in a sentence, unless the sign before it says otherwise.
pub(super) fn demoted(text: &[u8], end: usize, link: Link, form: Form, gap: bool) -> Form {
    let loose = matches!(form, Form::Field) || (form == Form::Assign && gap);
    let next = run(text, end, |own| {
        matches!(
            own,
            b',' | b';' | b'}' | b')' | b']' | b' ' | b'\t' | b'\r' | b'\\' | b'"' | b'\''
        )
    });
    let tail = rest(text, next);
    let over = tail.is_empty()
        || matches!(byte(tail, 0), b'\n' | b'#' | b'|' | 0x1b)
        || tail.starts_with(b"//")
        || part(text, end, next)
            .iter()
            .any(|own| matches!(own, b',' | b'}' | b'"' | b'\'' | b'\\'));
    if loose && link != Link::Tag && !over {
        Form::Prose
    } else {
        form
    }
}
