//! Signed notes (C2SP signed-note) with Ed25519 keys, and the text forms of the keys.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The signature type of Ed25519.
const ED25519: u8 = 1;

/// How many signature lines are looked at.
const MAX_SIGNATURES: usize = 64;

/// Why a note or key was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// It is no signed note at all.
    #[error("it is no signed note: {what}")]
    Form {
        /// What is wrong.
        what: &'static str,
    },
    /// It carries no signature by the key that is trusted.
    #[error("it is not signed by `{key}`")]
    Unsigned {
        /// The key, as name and id.
        key: String,
    },
    /// A signature claims to be by the trusted key and is not.
    #[error("its signature by `{key}` is wrong")]
    Signature {
        /// The key, as name and id.
        key: String,
    },
    /// A text is no key.
    #[error("`{text}` is no key: {what}")]
    Key {
        /// The text, or what of it can be shown.
        text: String,
        /// What is wrong.
        what: &'static str,
    },
}

/// A public key and its name. As text a *vkey*: `<name>+<key id>+<base64(0x01 || key)>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verifier {
    name: String,
    id: u32,
    key: VerifyingKey,
}

/// A private key and its name.
pub(crate) struct Signer {
    verifier: Verifier,
    key: SigningKey,
}

/// A note whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// The text, with its last newline.
    pub text: &'a str,
}

fn key_id(name: &str, key: &VerifyingKey) -> u32 {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', ED25519]);
    hasher.update(key.as_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    let [a, b, c, d, ..] = hash;
    u32::from_be_bytes([a, b, c, d])
}

fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && !name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

impl Verifier {
    fn new(name: String, key: VerifyingKey) -> Self {
        Self {
            id: key_id(&name, &key),
            name,
            key,
        }
    }

    /// The key's name, which is the origin of its ledger.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn label(&self) -> String {
        format!("{}+{:08x}", self.name, self.id)
    }

    /// Check the note's signatures: one by this key must be there and right, those by others are ignored.
    pub(crate) fn open<'a>(&self, note: &'a [u8]) -> Result<Note<'a>, NoteError> {
        let form = |what| NoteError::Form { what };
        let note = std::str::from_utf8(note).map_err(|_| form("it is not UTF-8"))?;
        if note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(form("it has control characters"));
        }
        let middle = note
            .rfind("\n\n")
            .ok_or(form("it has no blank line before the signatures"))?;
        let (text, signatures) = note.split_at(middle + 1);
        let signatures = signatures.get(1..).unwrap_or_default();
        let lines = signatures
            .strip_suffix('\n')
            .ok_or(form("its last line is not ended"))?;
        let mut signed = false;
        for line in lines.split('\n').take(MAX_SIGNATURES) {
            let (name, value) = line
                .strip_prefix("— ")
                .and_then(|line| line.split_once(' '))
                .ok_or(form("a signature line has another form"))?;
            let value = BASE64
                .decode(value)
                .map_err(|_| form("a signature is not base64"))?;
            let (id, signature) = value
                .split_first_chunk::<4>()
                .ok_or(form("a signature is too short"))?;
            if name != self.name || u32::from_be_bytes(*id) != self.id {
                continue;
            }
            let wrong = || NoteError::Signature { key: self.label() };
            let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
            self.key
                .verify_strict(text.as_bytes(), &signature)
                .map_err(|_| wrong())?;
            signed = true;
        }
        if !signed {
            return Err(NoteError::Unsigned { key: self.label() });
        }
        Ok(Note { text })
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64.encode(key))
    }
}

impl FromStr for Verifier {
    type Err = NoteError;

    fn from_str(text: &str) -> Result<Self, NoteError> {
        let error = |what| NoteError::Key {
            text: text.to_owned(),
            what,
        };
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(error("it is not of the form NAME+ID+BASE64"));
        };
        let key = decode_key(key).ok_or(error("it holds no Ed25519 key"))?;
        let key =
            VerifyingKey::from_bytes(&key).map_err(|_| error("its Ed25519 key is no point of the curve"))?;
        if !valid_name(name) {
            return Err(error("its name is empty or has spaces"));
        }
        let verifier = Self::new(name.to_owned(), key);
        if verifier.to_string() != text {
            return Err(error("its id is not that of its name and key"));
        }
        Ok(verifier)
    }
}

impl Signer {
    pub fn new(name: &str, seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        Self {
            verifier: Verifier::new(name.to_owned(), key.verifying_key()),
            key,
        }
    }

    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// The private key as text, without a newline.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut key = Zeroizing::new(vec![ED25519]);
        key.extend_from_slice(self.key.as_bytes());
        let key = Zeroizing::new(BASE64.encode(&*key));
        Zeroizing::new(format!("PRIVATE+KEY+{}+{}", self.verifier.label(), *key))
    }

    /// Read what [`Signer::to_text`] wrote. The errors don't quote the text.
    pub fn from_text(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("PRIVATE+KEY+")
            .ok_or("it does not begin with PRIVATE+KEY+")?;
        let mut parts = rest.splitn(3, '+');
        let (Some(name), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("it is not of the form PRIVATE+KEY+NAME+ID+BASE64");
        };
        let seed = Zeroizing::new(decode_key(key).ok_or("it holds no Ed25519 seed")?);
        if !valid_name(name) {
            return Err("its name is empty or has spaces");
        }
        let signer = Self::new(name, &seed);
        if *signer.to_text() != text {
            return Err("its id is not that of its name and key");
        }
        Ok(signer)
    }

    /// `text`, which ends with a newline, as a signed note.
    pub fn sign(&self, text: &str) -> String {
        let mut value = self.verifier.id.to_be_bytes().to_vec();
        value.extend_from_slice(&self.key.sign(text.as_bytes()).to_bytes());
        format!("{text}\n— {} {}\n", self.verifier.name, BASE64.encode(value))
    }
}

fn decode_key(text: &str) -> Option<[u8; 32]> {
    let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
    let key = bytes.strip_prefix(&[ED25519])?;
    key.try_into().ok()
}

/// A 32-byte hash from its base64 form.
pub(crate) fn decode_hash(text: &str) -> Option<[u8; 32]> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// A hash in base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// Bytes from base64.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}

/// A decimal number without sign or leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}
