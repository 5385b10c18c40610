//! Cheap questions before the dear ones: whether an anchor may begin anything at all.
//!
//! INVARIANT: `false` only where the rule would find nothing, whatever follows what is there. Where the answer lies behind the
//! end of the bytes at hand it is `true`. So hints change the time that scanning takes, never its outcome.

use crate::bytes::{before, blank, byte, edge, holds, ident, is_hex, part, run, run_back, space};

/// The bytes at hand around an anchor.
pub(crate) struct Near<'a> {
    pub text: &'a [u8],
    pub start: usize,
    pub end: usize,
}

/// How far to look.
const FAR: usize = 256;

/// For [`crate::assign`]: a sign that links a name to a value must follow.
pub(crate) fn assign(near: &Near<'_>) -> bool {
    let text = part(near.text, 0, near.end + FAR);
    let name = run(text, near.end, ident);
    if name + 8 >= text.len() {
        return true;
    }
    let next = byte(text, name + 1);
    match byte(text, name) {
        b'=' => !matches!(next, b'=' | b'~'),
        b':' => {
            let value = run(text, name + 1, blank);
            let inner = byte(text, value + 1);
            let code =
                matches!(byte(text, value), b'&' | b'*') && (inner.is_ascii_alphabetic() || inner == b'\'');
            next != b':' && !code
        }
        own @ (b'"' | b'\'') => {
            let bare = name == near.end && before(text, near.start) == own;
            !(bare && part(text, near.start, near.end).eq_ignore_ascii_case(b"key"))
        }
        b'(' => matches!(next, b'"' | b'\''),
        b'>' | b'`' | b'\\' | b']' | b'?' => true,
        b',' | b'\n' | b'\r' => {
            let first = run_back(part(text, near.start.saturating_sub(FAR), near.start), FAR, ident);
            let first = near.start - part(text, near.start.saturating_sub(FAR), near.start).len() + first;
            let head = part(text, first.saturating_sub(16), first);
            holds(head, b"name") || holds(head, b"key")
        }
        own if blank(own) => gap(text, near, name),
        _ => false,
    }
}

/// White space behind a name: a sign may follow it, or the name is one that needs none.
fn gap(text: &[u8], near: &Near<'_>, name: usize) -> bool {
    let next = run(text, name, blank);
    if next + 2 >= text.len() {
        return true;
    }
    match byte(text, next) {
        b'=' => return byte(text, next + 1) != b'=',
        b':' | b'(' | b'?' | b'"' | b'\'' | b'\\' => return true,
        own if own.is_ascii_digit() => return true,
        b'[' => return true,
        b'i' | b'w' if matches!(byte(text, next + 1), b's' | b'a') => return true,
        _ => {}
    }
    let digits = run(text, next, |own| own.is_ascii_hexdigit());
    if digits - next >= 32 || digits + 2 >= text.len() {
        return true;
    }
    let back = part(text, near.start.saturating_sub(FAR), near.start);
    let first = near.start - back.len() + run_back(back, back.len(), ident);
    let own = part(text, first, name);
    let anchor = part(text, near.start, near.end);
    if own.starts_with(b"-") || own.contains(&b'_') || holds(own, b"auth") {
        return true;
    }
    let password = matches!(
        anchor.to_ascii_lowercase().as_slice(),
        b"pass" | b"pwd" | b"pw" | b"psk"
    );
    let spoken = matches!(
        byte(text, next),
        b'i' | b'w' | b't' | b's' | b'I' | b'W' | b'T' | b'S'
    );
    password
        && (spoken
            || own.eq_ignore_ascii_case(b"password")
            || own.eq_ignore_ascii_case(b"requirepass")
            || holds(own, b"pw"))
}

/// For [`crate::commands`]: the program's name stands alone.
pub(crate) fn command(near: &Near<'_>) -> bool {
    let text = part(near.text, 0, near.end + FAR);
    let end = run(text, near.start, ident);
    let next = byte(text, end);
    end >= text.len()
        || ((space(next) || matches!(next, b'"' | b'\'' | b'\\' | b'-')) && edge(text, near.start))
}

/// For [`crate::places`]: an address must have a user.
pub(crate) fn place(near: &Near<'_>) -> bool {
    if part(near.text, near.start, near.end) != b"://" {
        return true;
    }
    let text = part(near.text, 0, near.end + FAR);
    let stop = |own: u8| {
        space(own)
            || matches!(
                own,
                b'/' | b'?' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'|' | b','
            )
    };
    let end = run(text, near.end, |own| !stop(own));
    let host = part(text, near.end, end);
    end >= text.len() || host.contains(&b'@') || (host.contains(&b':') && !host.contains(&b'.'))
}

/// For [`crate::shapes`]: most of them begin a word.
pub(crate) fn shape(near: &Near<'_>) -> bool {
    let (text, start) = (near.text, near.start);
    let last = before(text, start);
    match part(text, start, near.end) {
        b"AC" => {
            edge(text, start) && (near.end + 1 >= text.len() || is_hex(part(text, near.end, near.end + 2)))
        }
        b"-us" => last.is_ascii_hexdigit(),
        b":AA" => last.is_ascii_digit(),
        b"AKIA" | b"ASIA" | b"Q~" | b"AZDO" | b"+ASt" | b"+ACR" | b"ACDb" | b"NRAL" | b".atlasv1."
        | b":$" | b"\"d\"" => true,
        b"access_token$" | b"LS0tLS1CRUdJTi" => true,
        _ => edge(text, start) && (near.end >= text.len() || ident(byte(text, near.end))),
    }
}
