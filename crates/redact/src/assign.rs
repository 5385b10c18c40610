//! Values that their names give away: `NAME=value`, `name: value`, `"name": "value"`, `--name value`, `<name>value<`.

mod extent;
mod form;
mod link;

use crate::bytes::{before, blank, byte, holds, ident, part, rest, run, run_back, space, starts};
use crate::names::{self, Class};
use crate::rules::Kind;
use crate::scan::{Found, View};
use crate::values::{self, Form};
use extent::{demoted, value};
use form::{colon_form, equals_form, gap_form, told};
use link::{declared, link, name, typed};

pub(crate) use form::speaks;

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
    };
    let given = class?;
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
            let form = gap_form(text, (start, end), place, given)?;
            if form == Form::Prose {
                return told(text, place, given);
            }
            form
        }
        Link::Tag => Form::Part,
        Link::Next => Form::Flag,
        Link::Equals => equals_form(text, start, end, flag, gap),
        Link::Colon => colon_form(text, start, end),
    };
    if class == Some(Class::Loose) && link == Link::Equals && byte(text, place) == b'(' {
        return pair(text, place);
    }
    if link == Link::Colon
        && view.line_end < view.text.len()
        && matches!(rest(text, place).trim_ascii_end(), b"|" | b">" | b"|-" | b">-")
    {
        // A block of YAML: the value is the next line.
        let first = run(view.text, view.line_end, space);
        let end = run(view.text, first, |own| !space(own));
        return Some(Given {
            class,
            form: Form::Field,
            quoted: false,
            value: (first, end),
        });
    }
    let (value, quoted) = value(text, place, link, form, gap)?;
    let form = if quoted {
        form
    } else {
        demoted(text, value.1, link, form, gap)
    };
    Some(Given {
        class,
        form,
        quoted,
        value,
    })
}

/// `auth=("user", "HERE")`.
fn pair(text: &[u8], place: usize) -> Option<Given> {
    let quote = byte(text, place + 1);
    if !matches!(quote, b'"' | b'\'') {
        return None;
    }
    let comma = run(text, place + 2, |own| own != quote) + 1;
    let second = run(text, comma, |own| own == b',' || blank(own));
    let (value, quoted) = value(text, second, Link::Equals, Form::Assign, false)?;
    (second > comma && quoted).then_some(Given {
        class: Some(Class::Password),
        form: Form::Assign,
        quoted,
        value,
    })
}

/// The class of the name; a bare `key` or `token` takes the words before it along: `private key`, `API key`.
fn classify(text: &[u8], start: usize, end: usize, link: Link, flag: bool) -> Option<Class> {
    let own = part(text, start, end);
    let alone = !own.iter().any(|own| matches!(own, b'_' | b'-' | b'.'));
    let spoken = alone && link != Link::Next && before(text, start) == b' ';
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
