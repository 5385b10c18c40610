//! Values that their names give away: `NAME=value`, `name: value`, `"name": "value"`, `--name value`, `<name>value<`.

use crate::bytes::{
    before, blank, byte, find as find_bytes, holds, ident, part, rest, run, run_back, space, starts,
};
use crate::names::{self, Class};
use crate::rules::Kind;
use crate::scan::{Found, View};
use crate::values::{self, Form};

/// What names of secrets have in them.
pub(crate) const WORDS: &[&str] = &[
    "pass", "pwd", "psk", "pw", "secret", "token", "key", "auth", "cred", "jwt", "_pat", "mnemonic",
];

/// A name and the value it is given.
struct Given {
    /// The name, with what stands before it where that belongs to it (`private key`).
    class: Option<Class>,
    form: Form,
    quoted: bool,
    value: (usize, usize),
}

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    Equals,
    Colon,
    /// White space only.
    Gap,
    /// The next element of a list in quotes.
    Next,
    /// `>`, in XML.
    Tag,
}

/// The value given to the name at the anchor.
pub(crate) fn find(view: &View<'_>, found: &mut Found<'_>) {
    let Some(given) = given(view, None) else { return };
    let Some(class) = given.class else { return };
    let value = part(view.text, given.value.0, given.value.1);
    if values::secret(class, given.form, given.quoted, value) {
        found.add(given.value.0, given.value.1, class.kind(), 5);
    }
}

/// The same for a name that a site has listed: everything but placeholders counts.
pub(crate) fn named(view: &View<'_>, kind: &Kind, found: &mut Found<'_>) {
    if ident(byte(view.text, view.after)) {
        return;
    }
    let Some(given) = given(view, Some(Class::Password)) else {
        return;
    };
    if !values::placeholder(part(view.text, given.value.0, given.value.1)) {
        found.add(given.value.0, given.value.1, kind.clone(), 9);
    }
}

fn given(view: &View<'_>, class: Option<Class>) -> Option<Given> {
    let text = part(view.text, 0, view.line_end);
    let (start, end) = name(text, view.at)?;
    let flag = byte(text, start) == b'-';
    let (link, place, gap) = match link(text, start, end) {
        Some((Link::Next, ..)) | None if !flag => return entry(view, start, end),
        Some((Link::Colon, _, false)) if before(text, start) == b':' => return None,
        Some(link) => link,
        None => return None,
    };
    let own = part(text, start, end);
    if names::open(own) {
        return None;
    }
    let class = match class {
        Some(class) => Some(class),
        None => classify(text, start, end, link, flag),
    }?;
    let (link, place) = match typed(text, place).filter(|_| link == Link::Colon && !flag) {
        Some(place) => (Link::Equals, place),
        None if !flag && declared(text, start, link) => return None,
        None => (link, place),
    };
    let quote = byte(text, place);
    let unclosed = byte(text, end) != quote && !matches!(byte(text, end), b'\\' | b']');
    if unclosed && matches!(quote, b'"' | b'\'' | b'`') && before(text, start) == quote {
        // The sign was the last thing within quotes: `"--auth="`, `'Password: '`.
        return None;
    }
    let form = match link {
        Link::Gap => {
            let form = gap_form(text, (start, end), place, class)?;
            if form == Form::Prose {
                return told(text, place, class);
            }
            form
        }
        Link::Tag => Form::Part,
        Link::Next => Form::Flag,
        Link::Equals => equals_form(text, start, end, flag, gap),
        Link::Colon => colon_form(text, start, end),
    };
    let (value, quoted) = value(text, place, link, form, gap)?;
    let form = if quoted {
        form
    } else {
        demoted(text, value.1, link, form, gap)
    };
    Some(Given {
        class: Some(class),
        form,
        quoted,
        value,
    })
}

/// The identifier around the anchor.
fn name(text: &[u8], at: usize) -> Option<(usize, usize)> {
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
fn link(text: &[u8], start: usize, end: usize) -> Option<(Link, usize, bool)> {
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

/// Whether the name is that of an opening tag.
fn tag(text: &[u8], start: usize) -> bool {
    let colon = before(text, start) == b':';
    let start = if colon {
        run_back(text, start - 1, ident)
    } else {
        start
    };
    before(text, start) == b'<'
}

/// The class of the name; a bare `key` or `token` takes the words before it along: `private key`, `API key`.
fn classify(text: &[u8], start: usize, end: usize, link: Link, flag: bool) -> Option<Class> {
    let own = part(text, start, end);
    let alone = !own.iter().any(|own| matches!(own, b'_' | b'-' | b'.'));
    let spoken = alone && matches!(link, Link::Colon | Link::Equals) && before(text, start) == b' ';
    if spoken
        && ["key", "keys", "token", "phrase", "word"]
            .iter()
            .any(|word| own.eq_ignore_ascii_case(word.as_bytes()))
    {
        let first = run_back(text, start - 1, ident);
        let mut whole = part(text, first, start - 1).to_vec();
        if before(text, first) == b' ' {
            let second = run_back(text, first - 1, ident);
            whole.splice(0..0, part(text, second, first - 1).iter().copied().chain([b'_']));
        }
        whole.push(b'_');
        whole.extend_from_slice(own);
        let whole = whole.to_ascii_lowercase();
        if matches!(names::class(&whole), Some(Class::Secret | Class::Password)) {
            return names::class(&whole);
        }
        return names::class(own).filter(|class| *class == Class::Token && names::class(&whole).is_some());
    }
    let class = names::class(own)?;
    // A bare `key` is nearly always one of a map; a bare `pass` counts tests.
    let bare = own.eq_ignore_ascii_case(b"key") && !flag;
    let queried = link == Link::Equals && matches!(before(text, start), b'?' | b'&');
    (!bare || queried).then_some(class)
}

/// The value behind a type: `password: &str = "..."`.
fn typed(text: &[u8], place: usize) -> Option<usize> {
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

/// Whether the name is declared here, so that a type follows the colon: `pub password: String`, `type PASSWORD = ...`.
fn declared(text: &[u8], start: usize, link: Link) -> bool {
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

/// `name value` without any sign between: flags, some files and SQL.
fn gap_form(text: &[u8], (start, end): (usize, usize), place: usize, class: Class) -> Option<Form> {
    let own = part(text, start, end);
    let next = byte(text, place);
    let quoted =
        matches!(next, b'"' | b'\'') || (next == b'\\' && matches!(byte(text, place + 1), b'"' | b'\''));
    if own.starts_with(b"-") {
        let usage = place > end + 1 || (next == b'-' && !quoted);
        return (!usage && !stop_word(text, place)).then_some(Form::Flag);
    }
    let lower = own.to_ascii_lowercase();
    let settings: [&[u8]; 9] = [
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
    if class != Class::Password {
        return None;
    }
    let word = part(text, place, run(text, place, |own| !space(own)));
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
fn netrc_ends(text: &[u8], end: usize) -> bool {
    let next = run(text, end, |own| {
        matches!(own, b' ' | b'\t' | b'\r' | b'"' | b'\'')
    });
    let words = [
        "machine ", "login ", "account ", "port ", "default", "macdef ", "#", "\\n", "|", ">", "&",
    ];
    next >= text.len() || words.iter().any(|word| starts(rest(text, next), word.as_bytes()))
}

/// `password is hunter2`, and what a database says at its first start.
fn told(text: &[u8], place: usize, class: Class) -> Option<Given> {
    let tail = rest(text, place);
    let start = if starts(tail, b"is generated for ") {
        run(text, place + find_bytes(tail, 0, b": ")? + 2, blank)
    } else {
        let link = ["is ", "was ", "to ", "is: ", "set to "]
            .iter()
            .find(|word| starts(tail, word.as_bytes()))?;
        run(text, place + link.len(), blank)
    };
    let (value, quoted) = value(text, start, Link::Gap, Form::Prose, true)?;
    Some(Given {
        class: Some(class),
        form: Form::Prose,
        quoted: quoted && false,
        value,
    })
}

/// Words that follow a flag or a name in sentences.
fn stop_word(text: &[u8], place: usize) -> bool {
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

fn equals_form(text: &[u8], start: usize, end: usize, flag: bool, gap: bool) -> Form {
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
    } else {
        Form::Assign
    }
}

/// A line of its own, a header, a member of a list in braces, or a part of a sentence.
fn colon_form(text: &[u8], start: usize, end: usize) -> Form {
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

/// The value's bytes without its quotes, and whether it had any.
fn value(text: &[u8], place: usize, link: Link, form: Form, gap: bool) -> Option<((usize, usize), bool)> {
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
fn closing(text: &[u8], start: usize, quote: u8, slashes: usize) -> usize {
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
pub(crate) fn unquoted(text: &[u8], start: usize, form: Form, gap: bool) -> usize {
    let mut end = start;
    while end < text.len() && !space(byte(text, end)) && !stops(text, end, form) {
        end += 1;
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
fn stops(text: &[u8], at: usize, form: Form) -> bool {
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
fn demoted(text: &[u8], end: usize, link: Link, form: Form, gap: bool) -> Form {
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

/// `name: DB_PASSWORD` with `value: x` in the next line or member, as clusters' manifests have it.
fn entry(view: &View<'_>, start: usize, end: usize) -> Option<Given> {
    let text = view.text;
    let head = part(text, start.saturating_sub(16), start);
    if !holds(head, b"name") && !holds(head, b"key") {
        return None;
    }
    let class = names::class(part(text, start, end))?;
    let place = run(text, end, |own| {
        space(own) || matches!(own, b'"' | b'\'' | b',' | b'\\')
    });
    let tail = rest(text, place);
    if !starts(tail, b"value") {
        return None;
    }
    let colon = run(text, place + 5, |own| matches!(own, b'"' | b'\'' | b'\\' | b' '));
    if !matches!(byte(text, colon), b':' | b'=') {
        return None;
    }
    let first = run(text, colon + 1, blank);
    let (value, quoted) = value(text, first, Link::Colon, Form::Variable, true)?;
    Some(Given {
        class: Some(class),
        form: Form::Variable,
        quoted,
        value,
    })
}
