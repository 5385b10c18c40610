//! Private keys in blocks: PEM (RFC 7468), OpenSSH, SSH2 (RFC 4716 framing), OpenPGP armor (RFC 9580), PuTTY, OpenVPN.

use crate::bytes::{byte, find, part, run};
use crate::scan::{Found, View};
use crate::tokens::mixed;

/// How a block begins, and the words it ends with.
pub(crate) const ANCHORS: &[(&str, &str)] = &[
    ("-----BEGIN PRIVATE KEY", "-----END"),
    ("-----BEGIN RSA PRIVATE KEY", "-----END"),
    ("-----BEGIN EC PRIVATE KEY", "-----END"),
    ("-----BEGIN DSA PRIVATE KEY", "-----END"),
    ("-----BEGIN DH PRIVATE KEY", "-----END"),
    ("-----BEGIN ANY PRIVATE KEY", "-----END"),
    ("-----BEGIN OPENSSH PRIVATE KEY", "-----END"),
    ("-----BEGIN ENCRYPTED PRIVATE KEY", "-----END"),
    ("-----BEGIN PGP PRIVATE KEY", "-----END"),
    ("-----BEGIN TSS2 PRIVATE KEY", "-----END"),
    ("-----BEGIN COSIGN PRIVATE KEY", "-----END"),
    ("-----BEGIN SIGSTORE PRIVATE KEY", "-----END"),
    ("-----BEGIN ENCRYPTED COSIGN PRIVATE", "-----END"),
    ("-----BEGIN ENCRYPTED SIGSTORE PRIV", "-----END"),
    ("-----BEGIN X25519 PRIVATE KEY", "-----END"),
    ("-----BEGIN ED25519 PRIVATE KEY", "-----END"),
    ("-----BEGIN SSH2 ENCRYPTED PRIVATE", "-----END"),
    ("---- BEGIN SSH2 ENCRYPTED PRIVATE", "---- END"),
    ("---- BEGIN SSH2 PRIVATE KEY", "---- END"),
    ("-----BEGIN OpenVPN Static key", "-----END"),
    ("PuTTY-User-Key-File-", "Private-MAC:"),
];

/// The block that begins at the anchor. Without its end, as far as there is anything like a key.
pub(crate) fn find_block(view: &View<'_>) -> Option<(usize, usize)> {
    let text = view.text;
    if byte(text, view.at) == b'P' {
        return putty(view);
    }
    let dashes = run(text, view.at, |own| own == b'-');
    let line: &[u8] = part(text, view.at, dashes);
    let body = find(text, view.after, line)? + line.len();
    if body > view.after + 40 {
        return None;
    }
    let closing: &[u8] = if line.len() == 4 { b"---- END" } else { b"-----END" };
    let opening: &[u8] = if line.len() == 4 {
        b"---- BEGIN"
    } else {
        b"-----BEGIN"
    };
    // Nothing behind the begin of another block belongs to this one.
    let text = part(text, 0, find(text, body, opening).unwrap_or(text.len()));
    let Some(end) = find(text, body, closing) else {
        let end = torn(text, body);
        return key_like(part(text, body, end)).then_some((view.at, end));
    };
    if !key_like(part(text, body, end)) {
        return None;
    }
    let label = run(text, end + closing.len(), |own| {
        own.is_ascii_alphanumeric() || own == b' '
    });
    Some((view.at, run(text, label, |own| own == b'-')))
}

pub(crate) fn find_in(view: &View<'_>, found: &mut Found<'_>) {
    if let Some((start, end)) = find_block(view) {
        found.add(start, end, "private-key", 9);
    }
}

/// The public lines of a PuTTY file stay; everything from the private lines on goes.
fn putty(view: &View<'_>) -> Option<(usize, usize)> {
    let start = find(view.text, view.at, b"Private-Lines:")? + b"Private-Lines:".len();
    let mac = find(view.text, start, b"Private-MAC:").map(|place| place + b"Private-MAC:".len());
    let end = mac.map_or_else(
        || torn(view.text, start),
        |place| run(view.text, place, |own| own == b' ' || own.is_ascii_hexdigit()),
    );
    key_like(part(view.text, start, end)).then_some((start + 1, end))
}

/// Whether there is something like key material: a long run of base64 or a short one with digits and letters.
fn key_like(body: &[u8]) -> bool {
    body.split(|own| !(own.is_ascii_alphanumeric() || matches!(own, b'+' | b'/' | b'=')))
        .any(|own| own.len() >= 20 || (own.len() >= 6 && mixed(own)))
}

/// The end of a block whose last line is missing: up to the first line that has a character no such block has.
fn torn(text: &[u8], from: usize) -> usize {
    let fits = |own: u8| {
        own.is_ascii_alphanumeric()
            || matches!(
                own,
                b'+' | b'/' | b'=' | b'\\' | b':' | b'-' | b',' | b' ' | b'\t' | b'\r' | b'"' | b'\''
            )
    };
    let mut end = from;
    loop {
        let line = run(text, end, fits);
        // Words between spaces are no key: a sentence follows.
        let words = part(text, end, line)
            .split(|own| *own == b' ')
            .filter(|own| own.len() > 1)
            .count();
        if words > 3 {
            return end;
        }
        if byte(text, line) != b'\n' {
            return line;
        }
        end = line + 1;
    }
}
