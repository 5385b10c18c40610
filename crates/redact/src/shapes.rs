//! Tokens whose shape is more than a prefix and a body: parts with dots, marks in the middle or at the end.

use crate::bytes::{before, byte, distinct, edge, is_hex, part, rest, run, run_back};
use crate::scan::{Found, View};
use crate::tokens::{cased, mixed};
use base64::Engine as _;

/// What these shapes are found by.
pub(crate) const ANCHORS: &[&str] = &[
    "eyJ",
    "AKIA",
    "ASIA",
    "AC",
    "SG.",
    ":AA",
    "Q~",
    "AZDO",
    "+ASt",
    "+ACR",
    "ACDb",
    "-us",
    "NRAL",
    ".atlasv1.",
    "s.",
    "access_token$",
    "access-",
    "pat",
    "re_",
    "A3-",
    "oauth:",
    "LS0tLS1CRUdJTi",
    "AAAAAAAAAAAAAAAAAAAAA",
    ":$",
    "\"d\"",
    "MT",
    "Mj",
    "Mz",
    "ND",
    "NT",
    "Nj",
    "Nz",
    "OD",
    "OT",
];

/// Look at the anchor of `view`.
pub(crate) fn find(view: &View<'_>, found: &mut Found<'_>) {
    let (text, at, after) = (view.text, view.at, view.after);
    let hit = match part(text, at, after) {
        b"eyJ" => json_token(text, at).map(|end| (at, end, "jwt")),
        b"AKIA" | b"ASIA" => aws_secret(text, after + 16),
        b"AC" => twilio(text, at),
        b"SG." => sendgrid(text, at),
        b":AA" => telegram(text, at),
        b"Q~" => azure_client(text, at),
        b"AZDO" => within(text, at, 76, 8, 84, "azure-devops-token"),
        b"+ASt" | b"+ACR" | b"ACDb" => azure_storage(text, at),
        b"-us" => mailchimp(text, at),
        b"NRAL" => within(text, at, 36, 4, 40, "new-relic-key"),
        b".atlasv1." => terraform(text, at, after),
        b"s." => vault(text, at),
        b"access_token$" => paypal(text, at, after),
        b"access-" => plaid(text, at, after),
        b"pat" => airtable_or_hubspot(text, at),
        b"re_" => resend(text, at),
        b"A3-" => onepassword(text, at),
        b"oauth:" => twitch(text, at, after),
        b"LS0tLS1CRUdJTi" => encoded_key(text, at),
        b"AAAAAAAAAAAAAAAAAAAAA" => twitter(text, at),
        b":$" => crypt(text, at),
        b"\"d\"" => json_web_key(text, after),
        _ => discord(text, at),
    };
    if let Some((start, end, kind)) = hit {
        found.add(start, end, kind, 8);
    }
}

type Hit = Option<(usize, usize, &'static str)>;

fn url(own: u8) -> bool {
    own.is_ascii_alphanumeric() || matches!(own, b'_' | b'-')
}

fn wide(own: u8) -> bool {
    own.is_ascii_alphanumeric() || matches!(own, b'+' | b'/')
}

fn alnum(own: u8) -> bool {
    own.is_ascii_alphanumeric()
}

/// JSON Web Tokens in compact form (RFC 7515, 7516): two or four dots, the first part a JSON object in base64url.
fn json_token(text: &[u8], at: usize) -> Option<usize> {
    if !edge(text, at) {
        return None;
    }
    let head = run(text, at, url);
    if head - at < 12 || byte(text, head) != b'.' {
        return None;
    }
    let second = run(text, head + 1, url);
    let body = part(text, head + 1, second);
    if byte(text, second) != b'.' || (body.len() < 4 && byte(text, second + 1) != b'.' && !body.is_empty()) {
        return None;
    }
    let mut end = run(text, second + 1, url);
    let third = end - second - 1;
    let mut parts = 3;
    while parts < 5 && byte(text, end) == b'.' && url(byte(text, end + 1)) {
        end = run(text, end + 1, url);
        parts += 1;
    }
    (third >= 8 || body.starts_with(b"eyJ") || parts == 5).then_some(end)
}

/// Behind an access key id, within the same or the next line: 40 characters of base64 that are no hash and no path.
fn aws_secret(text: &[u8], after: usize) -> Hit {
    let mut place = after;
    let limit = after + 200;
    while place < limit.min(text.len()) {
        let end = run(text, place, wide);
        let body = part(text, place, end);
        if body.len() == 40 && !is_hex(body) && cased(body) && mixed(body) && byte(text, end) != b'=' {
            return Some((place, end, "aws-secret-key"));
        }
        place = end + 1;
    }
    None
}

/// Behind the number of an account, within 80 bytes of its line: 32 hexadecimal digits.
fn twilio(text: &[u8], at: usize) -> Hit {
    let after = at + 34;
    if run(text, at + 2, |own| own.is_ascii_hexdigit()) != after {
        return None;
    }
    let end = run(text, after, |own| own != b'\n').min(after + 80);
    let mut place = after;
    while place < end {
        let last = run(text, place, |own| alnum(own) || own == b'_');
        if last - place == 32 && is_hex(part(text, place, last)) {
            return Some((place, last, "twilio-token"));
        }
        place = last + 1;
    }
    None
}

fn sendgrid(text: &[u8], at: usize) -> Hit {
    let middle = run(text, at + 3, url);
    let end = run(text, middle + 1, url);
    let lengths = (16..=40).contains(&(middle - at - 3)) && end.saturating_sub(middle + 1) >= 16;
    let whole = lengths && byte(text, middle) == b'.' && edge(text, at) && mixed(part(text, at, end));
    whole.then_some((at, end, "sendgrid-key"))
}

/// The number of the bot stays; it is no secret.
fn telegram(text: &[u8], at: usize) -> Hit {
    let id = run_back(part(text, 0, at), at, |own| own.is_ascii_digit());
    let end = run(text, at + 1, url);
    let fits = (8..=10).contains(&(at - id)) && (33..=36).contains(&(end - at - 1));
    (fits && distinct(part(text, at + 1, end)) > 5).then_some((at + 1, end, "telegram-token"))
}

fn azure_client(text: &[u8], at: usize) -> Hit {
    let own = |own: u8| url(own) || matches!(own, b'~' | b'.');
    let start = at.checked_sub(4)?;
    let end = run(text, at + 2, own);
    let head = part(text, start, at);
    let fits = (30..=36).contains(&(end - at - 2))
        && head.iter().all(|byte| own(*byte))
        && byte(text, at - 1).is_ascii_digit()
        && edge(text, start);
    fits.then_some((start, end, "azure-client-secret"))
}

/// A run of letters and digits of exactly `length`, in which the mark stands behind `lead` of them.
fn within(text: &[u8], at: usize, lead: usize, tail: usize, length: usize, kind: &'static str) -> Hit {
    let start = at.checked_sub(lead)?;
    let end = run(text, at, alnum);
    let own = part(text, start, end);
    let fits =
        own.len() == length && end - at == tail && edge(text, start) && own.iter().all(|own| alnum(*own));
    (fits && mixed(part(text, start, end))).then_some((start, end, kind))
}

/// Keys of storage accounts and their like carry a mark before a checksum (Microsoft's common annotated keys).
fn azure_storage(text: &[u8], at: usize) -> Hit {
    let start = run_back(text, at, wide);
    let end = run(text, run(text, at, wide), |own| own == b'=');
    let length = end - start;
    let fits = (40..=88).contains(&length) && at - start >= 24 && end - at <= 16;
    (fits && cased(part(text, start, end))).then_some((start, end, "azure-key"))
}

fn mailchimp(text: &[u8], at: usize) -> Hit {
    let start = at.checked_sub(32)?;
    let end = run(text, at + 3, |own| own.is_ascii_digit());
    let fits = is_hex(part(text, start, at)) && (1..=2).contains(&(end - at - 3)) && edge(text, start);
    (fits && !alnum(byte(text, end)) && mixed(part(text, start, at))).then_some((start, end, "mailchimp-key"))
}

fn terraform(text: &[u8], at: usize, after: usize) -> Hit {
    let start = at.checked_sub(14)?;
    let end = run(text, after, url);
    let fits = part(text, start, at).iter().all(|own| alnum(*own)) && edge(text, start);
    (fits && end - after >= 20).then_some((start, end, "terraform-token"))
}

/// Vault's tokens before 1.10: `s.` and 24 letters and digits.
fn vault(text: &[u8], at: usize) -> Hit {
    if !edge(text, at) || before(text, at) == b'\'' && alnum(byte(text, at.wrapping_sub(2))) {
        return None;
    }
    let end = run(text, at + 2, alnum);
    let body = part(text, at + 2, end);
    let next = byte(text, end);
    let code = matches!(next, b'(' | b'.' | b'_' | b'[');
    (body.len() == 24 && mixed(body) && cased(body) && !code).then_some((at, end, "vault-token"))
}

fn paypal(text: &[u8], at: usize, after: usize) -> Hit {
    let environment = run(text, after, alnum);
    let end = run(text, environment, |own| alnum(own) || own == b'$');
    (byte(text, environment) == b'$' && end - environment > 30).then_some((at, end, "paypal-token"))
}

fn plaid(text: &[u8], at: usize, after: usize) -> Hit {
    let environment = run(text, after, |own| own.is_ascii_lowercase());
    let named = matches!(
        part(text, after, environment),
        b"sandbox" | b"development" | b"production"
    );
    let end = run(text, environment + 1, |own| {
        own.is_ascii_hexdigit() || own == b'-'
    });
    (named && end - environment == 37).then_some((at, end, "plaid-token"))
}

fn airtable_or_hubspot(text: &[u8], at: usize) -> Hit {
    if !edge(text, at) {
        return None;
    }
    if byte(text, at + 3) == b'-' {
        let region = run(text, at + 4, alnum);
        let end = run(text, region + 1, |own| own.is_ascii_hexdigit() || own == b'-');
        let fits = region - at - 4 <= 4 && byte(text, region) == b'-' && end - region == 37;
        return fits.then_some((at, end, "hubspot-token"));
    }
    let dot = run(text, at + 3, alnum);
    let end = run(text, dot + 1, |own| own.is_ascii_hexdigit());
    (dot - at == 17 && byte(text, dot) == b'.' && end - dot == 65).then_some((at, end, "airtable-token"))
}

fn resend(text: &[u8], at: usize) -> Hit {
    let middle = run(text, at + 3, alnum);
    let end = run(text, middle + 1, alnum);
    let fits = middle - at == 11 && byte(text, middle) == b'_' && end - middle == 25 && edge(text, at);
    (fits && mixed(part(text, middle, end))).then_some((at, end, "resend-key"))
}

/// The secret key of an account: `A3`, then groups of capitals and digits of 6, 6 or 11, 5, 5, 5 and 5.
fn onepassword(text: &[u8], at: usize) -> Hit {
    let upper = |own: u8| own.is_ascii_uppercase() || own.is_ascii_digit() || own == b'-';
    let end = run(text, at, upper);
    let groups: Vec<usize> = part(text, at, end)
        .split(|own| *own == b'-')
        .map(<[u8]>::len)
        .collect();
    let fits = matches!(groups.as_slice(), [2, 6, 6, 5, 5, 5, 5] | [2, 6, 11, 5, 5, 5]);
    (fits && edge(text, at)).then_some((at, end, "onepassword-key"))
}

fn twitch(text: &[u8], at: usize, after: usize) -> Hit {
    let end = run(text, after, |own| {
        own.is_ascii_lowercase() || own.is_ascii_digit()
    });
    let fits = end - after == 30 && edge(text, at) && !alnum(byte(text, end));
    (fits && mixed(part(text, after, end))).then_some((after, end, "twitch-token"))
}

/// A PEM block in base64, as kubeconfigs and secrets of clusters carry it. Certificates are no secrets.
fn encoded_key(text: &[u8], at: usize) -> Hit {
    let head = part(text, at, at + 64);
    let decoded = base64::engine::general_purpose::STANDARD.decode(head).ok()?;
    crate::bytes::find(&decoded, 0, b"PRIVATE KEY")?;
    Some((at, run(text, at, |own| wide(own) || own == b'='), "private-key"))
}

fn twitter(text: &[u8], at: usize) -> Hit {
    let end = run(text, at, |own| alnum(own) || own == b'%');
    let fits =
        (90..=130).contains(&(end - at)) && edge(text, at) && !matches!(byte(text, end), b'+' | b'/' | b'=');
    (fits && distinct(part(text, at, end)) > 12).then_some((at, end, "twitter-token"))
}

/// The hash of a password in a line of shadow(5) or of a web server's password file.
fn crypt(text: &[u8], at: usize) -> Hit {
    let id = run(text, at + 2, |own| alnum(own) || own == b'-');
    let known = matches!(
        part(text, at + 2, id),
        b"1" | b"5" | b"6" | b"y" | b"7" | b"gy" | b"2a" | b"2b" | b"2y" | b"apr1" | b"argon2i" | b"argon2id"
    );
    let end = run(text, id, |own| own != b':' && !crate::bytes::space(own));
    let name = run_back(text, at, |own| url(own) || own == b'.');
    let line = matches!(before(text, name), 0 | b'\n' | b'"' | b'\'' | b' ') && name < at;
    (known && line && end - id > 20).then_some((at + 1, end, "password-hash"))
}

/// The private part of a JSON Web Key (RFC 7518): `"d"`, at least 32 bytes in base64url.
fn json_web_key(text: &[u8], after: usize) -> Hit {
    let start = run(text, after, |own| matches!(own, b' ' | b':'));
    let end = run(text, start + 1, url);
    let fits = byte(text, start) == b'"' && byte(text, end) == b'"' && end - start > 42;
    (fits && mixed(rest(part(text, 0, end), start + 1))).then_some((start + 1, end, "private-key"))
}

/// Tokens of bots: the bot's number in base64, a time and a digest.
fn discord(text: &[u8], at: usize) -> Hit {
    let first = run(text, at, url);
    if !(23..=28).contains(&(first - at)) || byte(text, first) != b'.' || !edge(text, at) {
        return None;
    }
    let second = run(text, first + 1, url);
    let third = run(text, second + 1, url);
    let lengths =
        second - first == 7 && byte(text, second) == b'.' && (27..=45).contains(&(third - second - 1));
    lengths.then_some((at, third, "discord-token"))
}
