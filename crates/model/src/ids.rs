//! Identities of sessions and actions.

use std::fmt;
use std::str::FromStr;

/// A session: 13 lower-case Crockford base 32 characters, the first nine of them the milliseconds since the
/// Unix epoch, so that ids sort by time; the last four random.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionId(String);

/// An action or any other node of a session's process tree: the session and a number that counts from 1 in the
/// order of starting. Written `<session>.<number>`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ActionId {
    /// The session it belongs to.
    pub session: SessionId,
    /// Its number in the session, from 1.
    pub number: u64,
}

/// A text that is no id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct IdError {
    /// The text that was given.
    pub text: String,
    /// What was expected.
    pub expected: &'static str,
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 13;

impl SessionId {
    /// Make an id from a time in milliseconds since the Unix epoch and 20 random bits.
    #[must_use]
    pub fn new(milliseconds: u64, random: u32) -> Self {
        let number = (milliseconds << 20) | u64::from(random & 0xf_ffff);
        let text = (0..LENGTH)
            .rev()
            .map(|place| {
                let digit = (number >> (5 * place)) & 31;
                ALPHABET.get(digit as usize).map_or('0', |byte| char::from(*byte))
            })
            .collect();
        Self(text)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The action of this session with this number.
    #[must_use]
    pub fn action(&self, number: u64) -> ActionId {
        ActionId {
            session: self.clone(),
            number,
        }
    }
}

impl FromStr for SessionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte)) {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError {
            text: text.to_owned(),
            expected: "a session id",
        })
    }
}

impl FromStr for ActionId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError {
            text: text.to_owned(),
            expected: "an action id of the form SESSION.NUMBER",
        };
        let (session, number) = text.split_once('.').ok_or_else(error)?;
        Ok(Self {
            session: session.parse().map_err(|_| error())?,
            number: number.parse().map_err(|_| error())?,
        })
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.session, self.number)
    }
}

impl fmt::Debug for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
