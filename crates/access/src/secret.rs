//! Secrets as they are handed out, and what is kept of them.
//!
//! `rsc_KIND_` + 43 characters of base 62 (each random: 256.03 bit) + 6 characters of base 62 with the CRC-32 (IEEE 802.3)
//! of everything before, so that scanners know a real one without asking. What is kept is the SHA-256 of all of it: with
//! 256 random bits nothing slower is needed.

use crate::error::AccessError;
use sha2::{Digest as _, Sha256};
use std::fmt;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// A secret. Printed only on request, and wiped from memory when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An API token.
    Token,
    /// An agent's token.
    Agent,
    /// A browser's cookie.
    Cookie,
    /// What ties a browser to a sign-in that has begun elsewhere.
    Browser,
}

/// The SHA-256 of a secret.
#[derive(Clone, Copy)]
pub(crate) struct Hashed([u8; 32]);

const BODY: usize = 43;
const CHECK: usize = 6;

impl Kind {
    const ALL: [Self; 4] = [Self::Token, Self::Agent, Self::Cookie, Self::Browser];

    fn prefix(self) -> &'static str {
        match self {
            Self::Token => "rsc_api_",
            Self::Agent => "rsc_agt_",
            Self::Cookie => "rsc_web_",
            Self::Browser => "rsc_oid_",
        }
    }
}

impl Secret {
    /// A new one.
    pub(crate) fn new(kind: Kind) -> Result<Self, AccessError> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(kind.prefix());
        letters(&mut text, BODY)?;
        let check = check(&text);
        text.push_str(&check);
        Ok(Self(text))
    }

    /// One that came from elsewhere: our own secret at a provider.
    #[must_use]
    pub fn of(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself: to be shown once, or put into a cookie.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::of(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What a text is by its shape. A mistyped one is found without looking anything up.
pub(crate) fn kind_of(text: &str) -> Option<Kind> {
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| text.starts_with(kind.prefix()))?;
    let (body, end) = text.split_at_checked(kind.prefix().len() + BODY)?;
    (end.len() == CHECK && check(body) == end).then_some(kind)
}

impl Hashed {
    pub(crate) fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// What the secret is called by: 64 bits of the hash in hexadecimal.
    pub(crate) fn id(&self) -> String {
        self.hex().chars().take(16).collect()
    }

    pub(crate) fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is the hash that is kept, in a time that says nothing.
    pub(crate) fn is(&self, kept: &[u8]) -> bool {
        self.0.ct_eq(kept).into()
    }
}

fn check(text: &str) -> String {
    let mut number = crc32fast::hash(text.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = letter(u8::try_from(number % 62).unwrap_or(0));
        number /= 62;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}

fn letter(number: u8) -> u8 {
    match number {
        0..10 => b'0' + number,
        10..36 => b'A' + (number - 10),
        _ => b'a' + (number - 36),
    }
}

/// So many letters and digits, each as likely as any other.
pub(crate) fn letters(text: &mut String, length: usize) -> Result<(), AccessError> {
    let end = text.len() + length;
    while text.len() < end {
        let mut bytes = Zeroizing::new([0_u8; 64]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|_| AccessError::NoRandomness)?;
        // 248 is the largest multiple of 62 that a byte holds.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let missing = end - text.len();
        text.extend(fair.take(missing).map(|byte| char::from(letter(byte % 62))));
    }
    Ok(())
}

/// A name for a record that is no secret: 20 random letters and digits.
pub(crate) fn random_id() -> Result<String, AccessError> {
    let mut text = String::new();
    letters(&mut text, 20)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Hashed, Kind, Secret, kind_of};
    use std::collections::BTreeSet;

    #[test]
    fn a_secret_is_known_by_its_shape_and_no_mistyped_one_is() {
        for kind in Kind::ALL {
            let secret = Secret::new(kind).unwrap();
            let text = secret.expose();
            assert_eq!(kind_of(text), Some(kind));
            assert_eq!(text.len(), 57);
            assert!(text.bytes().skip(8).all(|byte| byte.is_ascii_alphanumeric()));
            let swapped: String = text.chars().rev().collect();
            assert_eq!(kind_of(&swapped), None);
            assert_eq!(kind_of(&text[..56]), None);
            assert_eq!(kind_of(&format!("{text}0")), None);
        }
    }

    #[test]
    fn the_checksum_is_the_one_of_the_document() {
        // CRC-32 of the text before, by Python's zlib.crc32, in base 62.
        let text = format!("rsc_api_{}", "0".repeat(43));
        assert_eq!(super::check(&text), CHECKED);
    }

    const CHECKED: &str = "4E356L";

    #[test]
    fn letters_are_spread_over_the_alphabet_and_secrets_differ() {
        let mut seen = BTreeSet::new();
        let mut letters = BTreeSet::new();
        for _ in 0..200 {
            let secret = Secret::new(Kind::Token).unwrap();
            letters.extend(secret.expose().bytes().skip(8).take(43));
            assert!(seen.insert(Hashed::of(secret.expose()).hex()));
        }
        assert_eq!(letters.len(), 62);
    }
}
