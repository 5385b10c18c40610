//! Names, and the signs that link them to values.

use super::Link;
use crate::bytes::{before, blank, byte, ident, part, rest, run, run_back, starts};

/// The identifier around the anchor.
pub(super) fn name(text: &[u8], at: usize) -> Option<(usize, usize)> {
    let mut start = run_back(text, at, ident);
    if before(text, start) == b'\\' && matches!(byte(text, start), b'n' | b't' | b'r') && start < at {
        start += 1;
    }
    let mut end = run(text, at, ident);
    while end > at && matches!(byte(text, end - 1), b'.' | b'-') {
        end -= 1;
    }
    // A colour sequence of a terminal is no part of the name: ESC [ 3 1 m.
    let head = part(text, start.saturating_sub(8), start);
    if head.ends_with(b"\x1b[") || (head.ends_with(b";") && head.contains(&0x1b)) {
        start += part(text, start, end)
            .iter()
            .position(|own| *own == b'm')
            .map_or(0, |place| place + 1);
    }
    (end - start <= 96 && start <= at && end > at).then_some((start, end))
}

/// What follows the name, where the value may begin, and whether there was white space around the link.
pub(super) fn link(text: &[u8], start: usize, end: usize) -> Option<(Link, usize, bool)> {
    let slashes = run(text, end, |own| own == b'\\');
    let quote = byte(text, slashes);
    let closed =
        matches!(quote, b'"' | b'\'' | b'`') && matches!(before(text, start), b'"' | b'\'' | b'`' | b':');
    let mut place = if closed { slashes + 1 } else { end };
    if slashes > end && !closed {
        return None;
    }
    place += usize::from(matches!(byte(text, place), b']' | b'?') && (closed || byte(text, place) == b'?'));
    // `Unseal Key 1:`, `Private key (hex):`.
    let noted = run(text, place + 1, |own| own.is_ascii_digit());
    if byte(text, place) == b' ' && noted > place + 1 && byte(text, noted) == b':' {
        place = noted;
    } else if rest(text, place).starts_with(b" (") {
        let close = run(text, place + 2, |own| {
            own.is_ascii_alphanumeric() || matches!(own, b' ' | b'-')
        });
        place = if rest(text, close).starts_with(b"):") {
            close + 1
        } else {
            place
        };
    }
    // `Secret Access Key [None]:`, as a prompt shows it.
    if rest(text, place).starts_with(b" [") {
        let close = run(text, place + 2, |own| !matches!(own, b']' | b'\n' | b'['));
        place = if rest(text, close).starts_with(b"]:") {
            close + 1
        } else {
            place
        };
    }
    let sign = run(text, place, blank);
    let after = |length: usize| run(text, sign + length, blank);
    let gap = |length: usize| sign > place || after(length) > sign + length;
    let tail = rest(text, sign);
    let two = part(tail, 0, 2);
    match byte(tail, 0) {
        _ if two == b"==" || two == b"=~" || two == b"::" => None,
        _ if matches!(two, b"=>" | b":=" | b"?=") => Some((Link::Equals, after(2), true)),
        b'=' => Some((Link::Equals, after(1), gap(1))),
        b':' => Some((Link::Colon, after(1), gap(1))),
        b'(' if sign == end && setter(text, start, end) => Some((Link::Equals, sign + 1, true)),
        b'>' if tag(text, start) && sign == end => Some((Link::Tag, sign + 1, false)),
        b',' if closed => {
            let next = after(1);
            let next = next + run(rest(text, next), 0, |own| own == b'\\');
            matches!(byte(text, next), b'"' | b'\'').then(|| (Link::Next, after(1), true))
        }
        _ if closed && starts(tail, b"value=") => Some((Link::Equals, sign + 6, true)),
        // `"--password" "x"`: arguments in quotes of their own.
        b'"' | b'\'' if closed && sign > place && byte(text, start) == b'-' => Some((Link::Next, sign, true)),
        _ if !closed && sign > place => Some((Link::Gap, sign, true)),
        _ => None,
    }
}

/// Whether the name is that of a function which is given the secret itself: `setPassword("x")`, `PASSWORD('x')`.
fn setter(text: &[u8], start: usize, end: usize) -> bool {
    let own = part(text, start, end);
    let own = own.rsplit(|own| *own == b'.').next().unwrap_or_default();
    let sets = starts(own, b"set") || starts(own, b"with") || own.eq_ignore_ascii_case(b"password");
    sets && matches!(byte(text, end + 1), b'"' | b'\'')
}

/// Whether the name is that of an opening tag.
pub(super) fn tag(text: &[u8], start: usize) -> bool {
    let colon = before(text, start) == b':';
    let start = if colon {
        run_back(text, start - 1, ident)
    } else {
        start
    };
    before(text, start) == b'<'
}

/// Whether the name is declared here, so that a type follows the colon: `pub password: String`, `type PASSWORD = ...`.
pub(super) fn declared(text: &[u8], start: usize, link: Link) -> bool {
    let head = part(text, start.saturating_sub(16), start);
    let word = head
        .trim_ascii_end()
        .rsplit(|own| !own.is_ascii_alphabetic())
        .next()
        .unwrap_or_default();
    let known: [&[u8]; 13] = [
        b"pub",
        b"const",
        b"let",
        b"static",
        b"mut",
        b"var",
        b"val",
        b"type",
        b"readonly",
        b"def",
        b"fn",
        b"function",
        b"ref",
    ];
    head.ends_with(b" ") && known.contains(&word) && (link == Link::Colon || word == b"type")
}

/// The value behind a type: `password: &str = "..."`.
pub(super) fn typed(text: &[u8], place: usize) -> Option<usize> {
    let own = |own: u8| {
        own.is_ascii_alphanumeric()
            || matches!(
                own,
                b'_' | b'&' | b'<' | b'>' | b'\'' | b'[' | b']' | b':' | b'.' | b' ' | b'|' | b'?'
            )
    };
    let sign = run(part(text, 0, place + 64), place, own);
    let first = run(text, sign + 1, blank);
    let quote = matches!(byte(text, first), b'"' | b'\'')
        || (byte(text, first) == b'b' && byte(text, first + 1) == b'"');
    (sign > place && byte(text, sign) == b'=' && quote).then_some(first)
}
