//! Secrets that their place gives away: addresses, headers, cookies, password files.

use crate::bytes::{
    before, blank, byte, edge, find as find_bytes, ident, is_hex, part, rest, run, run_back, space, starts,
};
use crate::scan::{Found, View};
use crate::tokens::mixed;
use crate::values::{self, random};

/// What is looked for as it stands.
pub(crate) const ANCHORS: &[&str] = &[
    "://",
    "hooks.slack.com/",
    "/api/webhooks/",
    "webhook.office.com/",
    "hooks.zapier.com/",
    "sig=",
    "Signature=",
    "signature=",
    ":5432:",
    ":*:",
    "thin:",
    "SSWS ",
    "AUTH ",
];
/// Words in any case.
pub(crate) const WORDS: &[&str] = &[
    "bearer",
    "authorization",
    "cookie",
    "identified",
    "mnemonic",
    "phrase",
];

/// Look at the anchor of `view`.
pub(crate) fn find(view: &View<'_>, found: &mut Found<'_>) {
    let line = part(view.text, 0, view.line_end);
    let anchor = part(line, view.at, view.after).to_ascii_lowercase();
    let (at, after) = (view.at, view.after);
    let hit = match anchor.as_slice() {
        b"://" => return address(line, at, after, found),
        b"hooks.slack.com/" => after_part(line, after, 1, "slack-webhook"),
        b"/api/webhooks/" => after_part(line, after, 1, "discord-webhook"),
        b"webhook.office.com/" => after_part(line, after, 1, "teams-webhook"),
        b"hooks.zapier.com/" => after_part(line, after, 2, "webhook"),
        b"sig=" | b"signature=" => signature(line, at, after),
        b":5432:" | b":*:" => pgpass(line, after),
        b"thin:" => oracle(line, after),
        b"ssws " => word(line, after, 20, "okta-token"),
        b"auth " => redis(line, at, after),
        b"bearer" => bearer(line, at, after),
        b"authorization" => authorization(line, at, after),
        b"cookie" => return cookies(line, after, found),
        b"identified" => identified(line, after),
        _ => mnemonic(line, after),
    };
    if let Some((start, end, kind)) = hit {
        found.add(start, end, kind, 6);
    }
}

type Hit = Option<(usize, usize, &'static str)>;

/// `scheme://user:HERE@host`. A user without a password is one where it looks like a token or a Sentry key.
fn address(line: &[u8], at: usize, after: usize, found: &mut Found<'_>) {
    if !before(line, at).is_ascii_alphanumeric() {
        return;
    }
    let stop = |own: u8| {
        space(own)
            || matches!(
                own,
                b'/' | b'?' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'|' | b','
            )
    };
    let mut end = run(line, after, |own| !stop(own));
    let mut sign = part(line, after, end).iter().rposition(|own| *own == b'@');
    if sign.is_none() && matches!(byte(line, end), b'/' | b'?' | b'|' | b',') {
        // A password may hold these, though it should not: then there is no port before, and a host behind the sign.
        let port = part(line, after, end)
            .rsplit(|own| *own == b':')
            .next()
            .unwrap_or_default();
        let host = part(line, after, end).contains(&b':') && !port.iter().all(u8::is_ascii_digit);
        let wider = run(line, after, |own| {
            !stop(own) || matches!(own, b'/' | b'?' | b'|' | b',')
        });
        if host && !part(line, after, end).contains(&b'.') {
            end = wider;
            sign = part(line, after, end).iter().rposition(|own| *own == b'@');
        }
    }
    let Some(sign) = sign.map(|place| after + place) else {
        return;
    };
    let user = part(line, after, sign);
    let colon = user
        .iter()
        .position(|own| *own == b':')
        .map(|place| after + place);
    if let Some(colon) = colon {
        let password = part(line, colon + 1, sign);
        let named = part(line, after, colon);
        if password == b"x-oauth-basic" || password.is_empty() || (password == b"x" && named.len() >= 16) {
            if random(named, 16) {
                found.add(after, colon, "url-credential", 6);
            }
        } else if !masked(password) {
            if named.len() >= 32 && is_hex(named) {
                found.add(after, colon, "url-credential", 6);
            }
            found.add(colon + 1, sign, "url-password", 6);
        }
        return;
    }
    if (user.len() >= 32 && is_hex(user))
        || random(user, 20) && user.iter().all(|own| ident(*own) || matches!(own, b'~' | b'%'))
    {
        found.add(after, sign, "url-credential", 6);
    }
}

/// A variable or a mask; in an address even `password` counts as a password.
fn masked(password: &[u8]) -> bool {
    values::variable(password) || password.iter().all(|own| *own == b'.')
}

/// What follows `parts` further parts of a path.
fn after_part(line: &[u8], after: usize, parts: usize, kind: &'static str) -> Hit {
    let own = |own: u8| own.is_ascii_alphanumeric() || matches!(own, b'_' | b'-' | b'@');
    let mut start = after;
    for _ in 0..parts {
        let end = run(line, start, own);
        if byte(line, end) != b'/' {
            return None;
        }
        start = end + 1;
    }
    let end = run(line, start, |byte| own(byte) || byte == b'/');
    let secret = part(line, start, end);
    let spelled = values::variable(secret) || crate::bytes::distinct(secret) < 6;
    (secret.len() >= 12 && !spelled).then_some((start, end, kind))
}

/// The signature of a signed address (Azure SAS, AWS, Google): whoever has it has access until it expires.
fn signature(line: &[u8], at: usize, after: usize) -> Hit {
    if ident(before(line, at))
        && !part(line, 0, at).ends_with(b"X-Amz-")
        && !part(line, 0, at).ends_with(b"X-Goog-")
    {
        return None;
    }
    let end = run(line, after, |own| {
        own.is_ascii_alphanumeric() || matches!(own, b'%' | b'+' | b'/' | b'=' | b'-' | b'_')
    });
    (end - after >= 32 && mixed(part(line, after, end))).then_some((after, end, "url-signature"))
}

/// `host:5432:database:user:HERE`, a line of .pgpass.
fn pgpass(line: &[u8], after: usize) -> Hit {
    let line = part(line, 0, after + 600);
    let own = |own: u8| !space(own) && !matches!(own, b':' | b'"' | b'\'' | b'/');
    let database = run(line, after, own);
    let user = run(line, database + 1, own);
    let start = user + 1;
    let end = run(line, start, |own| !space(own) && !matches!(own, b'"' | b'\''));
    let lined =
        byte(line, database) == b':' && byte(line, user) == b':' && database > after && user > database + 1;
    let over = run(line, end, |own| matches!(own, b'\r' | b'"' | b'\'')) >= line.len();
    (lined && over && end > start && !masked(part(line, start, end))).then_some((start, end, "password"))
}

/// `jdbc:oracle:thin:user/HERE@host`.
fn oracle(line: &[u8], after: usize) -> Hit {
    let user = run(line, after, |own| own.is_ascii_alphanumeric() || own == b'_');
    let sign = run(line, user, |own| own != b'@' && !space(own));
    let fits = byte(line, user) == b'/' && byte(line, sign) == b'@' && user > after;
    (fits && !masked(part(line, user + 1, sign))).then_some((user + 1, sign, "password"))
}

fn word(line: &[u8], start: usize, least: usize, kind: &'static str) -> Hit {
    let end = run(line, start, |own| {
        ident(own) || matches!(own, b'~' | b'+' | b'/' | b'=')
    });
    (end - start >= least && mixed(part(line, start, end))).then_some((start, end, kind))
}

/// `AUTH [user] HERE`, as a command of Redis; not in a sentence.
fn redis(line: &[u8], at: usize, after: usize) -> Hit {
    let head = part(line, run_back(line, at, |own| own != b'\n'), at);
    let prompt = head.iter().all(|own| blank(*own))
        || head.ends_with(b"> ")
        || head.ends_with(b"\" ")
        || crate::bytes::holds(head, b"redis");
    let end = run(line, after, |own| !space(own) && !matches!(own, b'"' | b'\''));
    let second = run(line, end, blank);
    let two = second < line.len()
        && !matches!(
            byte(line, second),
            b'"' | b'\'' | b'\r' | b'\n' | b'|' | b';' | b'&'
        );
    let (start, end) = if two {
        (
            second,
            run(line, second, |own| !space(own) && !matches!(own, b'"' | b'\'')),
        )
    } else {
        (after, end)
    };
    let over = run(line, end, |own| space(own) || matches!(own, b'"' | b'\'')) >= line.len();
    let own = part(line, start, end);
    let spelled = values::placeholder(own)
        || matches!(
            own,
            b"PLAIN" | b"LOGIN" | b"TLS" | b"SSL" | b"XOAUTH2" | b"CRAM-MD5"
        );
    (prompt
        && over
        && own.len() >= 4
        && !spelled
        && (crate::bytes::holds(head, b"redis") || values::strong(own)))
    .then_some((start, end, "password"))
}

/// `Bearer HERE` outside a header: only what looks generated.
fn bearer(line: &[u8], at: usize, after: usize) -> Hit {
    let start = run(line, after, |own| own == b' ');
    if start == after || !edge(line, at) {
        return None;
    }
    let end = run(line, start, credential);
    let own = part(line, start, end);
    let spelled = values::placeholder(own) || own.len() < 12;
    (!spelled && (mixed(own) || own.len() >= 24)).then_some((start, end, "bearer-token"))
}

/// The characters of credentials in a header (RFC 7235 `token68`), and those that people use besides.
fn credential(own: u8) -> bool {
    ident(own)
        || matches!(
            own,
            b'~' | b'+' | b'/' | b'=' | b':' | b'|' | b'!' | b'$' | b'%' | b'*' | b'&' | b'@'
        )
}

/// `Authorization: SCHEME HERE`, also as a member of JSON, a setting of git or an argument.
fn authorization(line: &[u8], at: usize, after: usize) -> Hit {
    let sign = run(line, after, |own| {
        matches!(own, b'"' | b'\'' | b'\\' | b']' | b' ')
    });
    if !matches!(byte(line, sign), b':' | b'=' | b',') {
        return None;
    }
    let first = run(line, sign + 1, |own| {
        blank(own) || matches!(own, b'"' | b'\'' | b'\\' | b'>' | b'`' | b'[' | b'f')
    });
    let end = run(line, first, credential);
    let scheme = part(line, first, end).to_ascii_lowercase();
    let schemed = matches!(
        scheme.as_slice(),
        b"bearer"
            | b"basic"
            | b"token"
            | b"apikey"
            | b"negotiate"
            | b"ntlm"
            | b"digest"
            | b"ssws"
            | b"key"
            | b"bot"
            | b"splunk"
            | b"genieauth"
            | b"api-key"
            | b"apitoken"
            | b"jwt"
            | b"klaviyo-api-key"
            | b"gotokey"
    );
    if !schemed {
        if scheme.starts_with(b"aws4-") || scheme.starts_with(b"aws") {
            return find_bytes(line, end, b"ignature=")
                .and_then(|place| word(line, place + 9, 20, "url-signature"));
        }
        let own = part(line, first, end);
        let whole = edge(line, at) && !values::placeholder(own) && random(own, 10);
        return whole.then_some((first, end, "authorization"));
    }
    let start = run(line, end, |own| own == b' ');
    if start == end {
        return None;
    }
    if scheme == b"digest" {
        let place = find_bytes(line, start, b"response=\"")? + 10;
        return Some((
            place,
            run(line, place, |own| own.is_ascii_hexdigit()),
            "authorization",
        ));
    }
    let key = b"token=";
    let start = if starts(rest(line, start), key) {
        start + key.len()
    } else {
        start
    };
    let start = start + usize::from(matches!(byte(line, start), b'"' | b'\''));
    let end = run(line, start, credential);
    let kind = if scheme == b"basic" {
        "basic-auth"
    } else {
        "bearer-token"
    };
    (!values::placeholder(part(line, start, end))).then_some((start, end, kind))
}

/// The values of a cookie header that look generated.
fn cookies(line: &[u8], after: usize, found: &mut Found<'_>) {
    let sign = run(line, after, |own| matches!(own, b'"' | b'\'' | b'\\' | b' '));
    if !matches!(byte(line, sign), b':' | b'=') {
        return;
    }
    let mut place = sign + 1;
    for _ in 0..64 {
        let name = run(line, place, |own| {
            blank(own) || matches!(own, b'"' | b'\'' | b'\\')
        });
        let equals = run(line, name, ident);
        if byte(line, equals) != b'=' {
            return;
        }
        let start = equals + 1;
        let end = run(line, start, |own| {
            !space(own) && !matches!(own, b';' | b'"' | b'\'' | b'\\')
        });
        let own = part(line, start, end);
        let attribute = [&b"expires"[..], b"path", b"domain", b"max-age", b"samesite"];
        let attribute = attribute
            .iter()
            .any(|known| part(line, name, equals).eq_ignore_ascii_case(known));
        if !attribute && random(own, 16) {
            found.add(start, end, "cookie", 6);
        }
        if byte(line, end) != b';' {
            return;
        }
        place = end + 1;
    }
}

/// `IDENTIFIED [WITH plugin] BY [PASSWORD] 'HERE'`.
fn identified(line: &[u8], after: usize) -> Hit {
    let by = find_bytes(&line.to_ascii_lowercase(), after, b" by ").filter(|place| *place < after + 64)? + 4;
    let quote = run(line, by, |own| {
        own.is_ascii_alphabetic() || matches!(own, b' ' | b'\\')
    });
    let own = byte(line, quote);
    if !matches!(own, b'\'' | b'"') {
        return None;
    }
    let end = run(line, quote + 1, |byte| byte != own && byte != b'\\');
    (end > quote + 1 && !masked(part(line, quote + 1, end))).then_some((quote + 1, end, "password"))
}

/// Twelve to twenty-four small words behind `mnemonic` or `seed phrase` (BIP 39).
fn mnemonic(line: &[u8], after: usize) -> Hit {
    let start = run(line, after, |own| {
        matches!(own, b' ' | b':' | b'=' | b'"' | b'\'' | b'\\')
    });
    if start == after {
        return None;
    }
    let end = run(line, start, |own| own.is_ascii_lowercase() || own == b' ');
    let text = part(line, start, end).trim_ascii_end();
    let words = text.split(|own| *own == b' ').filter(|own| !own.is_empty());
    let small = words.clone().all(|own| (3..=8).contains(&own.len()));
    (small && matches!(words.count(), 12 | 15 | 18 | 21 | 24)).then_some((
        start,
        start + text.len(),
        "mnemonic",
    ))
}
