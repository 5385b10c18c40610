//! How a value is given: as a flag, a variable, a field, in a sentence.

use super::extent::value;
use super::{Given, Link};
use crate::bytes::{
    before, blank, byte, find as find_bytes, is_hex, part, rest, run, run_back, space, starts,
};
use crate::names::Class;
use crate::values::{self, Form};

/// `name value` without any sign between: flags, some files and SQL.
pub(super) fn gap_form(
    text: &[u8],
    (start, end): (usize, usize),
    place: usize,
    class: Class,
) -> Option<Form> {
    let own = part(text, start, end);
    let next = byte(text, place);
    let quoted =
        matches!(next, b'"' | b'\'') || (next == b'\\' && matches!(byte(text, place + 1), b'"' | b'\''));
    if own.starts_with(b"-") {
        let usage = place > end + 1 || (next == b'-' && !quoted);
        return (!usage && !stop_word(text, place)).then_some(Form::Flag);
    }
    let lower = own.to_ascii_lowercase();
    let settings: [&[u8]; 11] = [
        b"secret_access_key",
        b"access_key_secret",
        b"requirepass",
        b"masterauth",
        b"bindpw",
        b"rootpw",
        b"aws_secret_access_key",
        b"_authtoken",
        b"authtoken",
        b"add-authtoken",
        b"aws_session_token",
    ];
    if settings.contains(&lower.as_slice()) && !stop_word(text, place) {
        return Some(Form::Variable);
    }
    let head = part(text, start.saturating_sub(12), start);
    let capitals = own
        .iter()
        .all(|own| own.is_ascii_uppercase() || own.is_ascii_digit() || *own == b'_');
    let shell = ["ENV ", "setenv ", "setx ", "set -x ", "set -gx ", "set -Ux "];
    if capitals && shell.iter().any(|word| head.ends_with(word.as_bytes())) {
        return Some(Form::Variable);
    }
    let word = part(text, place, run(text, place, |own| !space(own)));
    let bare = word.strip_prefix(b"0x").unwrap_or(word);
    if class == Class::Secret && bare.len() == 64 && is_hex(bare) {
        return Some(Form::Variable);
    }
    if class != Class::Password {
        let says = ["is ", "is: ", "was "]
            .iter()
            .any(|word| starts(rest(text, place), word.as_bytes()));
        return says.then_some(Form::Prose);
    }
    let near = part(text, start.saturating_sub(512), start);
    let netrc = lower == b"password"
        && (find_bytes(near, 0, b"machine ").is_some() || find_bytes(near, 0, b"login ").is_some())
        && netrc_ends(text, place + word.len())
        && !stop_word(text, place)
        && !values::variable(word);
    let sql = quoted && lower.len() > 4 && before(text, start) != b'-';
    if netrc || sql {
        return Some(Form::Variable);
    }
    (lower != b"pass").then_some(Form::Prose)
}

/// Whether nothing follows but what may follow a password in a netrc file.
pub(super) fn netrc_ends(text: &[u8], end: usize) -> bool {
    let next = run(text, end, |own| {
        matches!(own, b' ' | b'\t' | b'\r' | b'"' | b'\'')
    });
    let words = [
        "machine ", "login ", "account ", "port ", "default", "macdef ", "#", "\\n", "|", ">", "&",
    ];
    next >= text.len() || words.iter().any(|word| starts(rest(text, next), word.as_bytes()))
}

/// `password is hunter2`, and what a database says at its first start.
pub(super) fn told(text: &[u8], place: usize, class: Class) -> Option<Given> {
    let tail = rest(text, place);
    let start = if starts(tail, b"is generated for ") {
        run(text, place + find_bytes(tail, 0, b": ")? + 2, blank)
    } else {
        let link = ["is ", "was ", "to ", "is: ", "set to "]
            .iter()
            .find(|word| starts(tail, word.as_bytes()))?;
        run(text, place + link.len(), blank)
    };
    let (value, _) = value(text, start, Link::Gap, Form::Prose, true)?;
    Some(Given {
        class: Some(class),
        form: Form::Prose,
        // In a sentence quotes say nothing: what stands in them must look like a secret too.
        quoted: false,
        value,
    })
}

/// Words that follow a flag or a name in sentences.
pub(super) fn stop_word(text: &[u8], place: usize) -> bool {
    let end = run(text, place, |own| own.is_ascii_alphabetic() || own == b'\'');
    if !(space(byte(text, end)) || matches!(byte(text, end), b',' | b'.' | b';')) {
        return false;
    }
    let words: [&[u8]; 44] = [
        b"flag",
        b"option",
        b"options",
        b"argument",
        b"parameter",
        b"is",
        b"and",
        b"or",
        b"to",
        b"with",
        b"for",
        b"must",
        b"requires",
        b"cannot",
        b"was",
        b"if",
        b"in",
        b"as",
        b"instead",
        b"are",
        b"can",
        b"should",
        b"will",
        b"from",
        b"the",
        b"a",
        b"an",
        b"value",
        b"required",
        b"not",
        b"on",
        b"at",
        b"of",
        b"has",
        b"have",
        b"may",
        b"when",
        b"that",
        b"which",
        b"does",
        b"incorrect",
        b"changed",
        b"authentication",
        b"expired",
    ];
    words
        .iter()
        .any(|word| part(text, place, end).eq_ignore_ascii_case(word))
}

/// Whether the whole of `value` is such a word.
pub(crate) fn speaks(value: &[u8]) -> bool {
    let mut value = value.to_vec();
    value.push(b' ');
    stop_word(&value, 0)
}

pub(super) fn equals_form(text: &[u8], start: usize, end: usize, flag: bool, gap: bool) -> Form {
    let last = before(text, start);
    let own = part(text, start, end);
    let capitals = own
        .iter()
        .all(|own| own.is_ascii_uppercase() || own.is_ascii_digit() || *own == b'_');
    if matches!(last, b'?' | b'&' | b';') && !gap {
        Form::Part
    } else if flag || (own.starts_with(b"D") && last == b'-') {
        Form::Flag
    } else if capitals && !gap {
        Form::Variable
    } else if gap {
        // A line of a file: `name = value`.
        Form::Field
    } else {
        Form::Assign
    }
}

/// A line of its own, a header, a member of a list in braces, or a part of a sentence.
pub(super) fn colon_form(text: &[u8], start: usize, end: usize) -> Form {
    if matches!(byte(text, end), b'"' | b'\'' | b'\\' | b'`') {
        return Form::Field;
    }
    let line = run_back(text, start, |own| own != b'\n' && own != b'\r');
    let head = part(text, line, start);
    let mark = head.iter().rfind(|own| !blank(**own)).copied().unwrap_or(b'\n');
    let indented = head
        .iter()
        .all(|own| blank(*own) || matches!(own, b'-' | b'+' | b'*' | b'>' | b'|' | b'#' | b'/'));
    if indented || matches!(mark, b'{' | b',' | b'(' | b'[' | b'"' | b'\'' | b'H') || head.ends_with(b"\\n") {
        return Form::Field;
    }
    // `file.yml:12:password: x`, as grep prints it; and a name of two words at the begin of a line.
    let grep = mark == b':' && head.iter().any(u8::is_ascii_digit);
    let spoken = head.len() <= 40 && head.iter().all(|own| own.is_ascii_alphabetic() || *own == b' ');
    if grep || (spoken && head.split(|own| *own == b' ').count() <= 4) {
        Form::Field
    } else {
        Form::Prose
    }
}
