//! What can go wrong, and what it means.

use crate::grants::GrantFault;
use crate::record::RecordError;
use std::path::PathBuf;

/// A name that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no person's name: `a-z`, `0-9`, `.`, `_`, `-`, 1 to 64 characters, no dot in front")]
pub struct NameFault {
    /// What was given, cut at 64 characters.
    pub text: String,
}

/// Why a password is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Too short.
    #[error("the password has fewer than 12 characters: take a longer one")]
    Short,
    /// Too long to be hashed.
    #[error("the password has more than 1,024 bytes: take a shorter one")]
    Long,
    /// Nearly the name.
    #[error("the password is the name, or little more than it: take another one")]
    Name,
    /// One of those tried first.
    #[error("the password is one of the commonest, or one character over and over: take another one")]
    Common,
    /// The one that is to be changed.
    #[error("the password is the one it is to replace: take another one")]
    Same,
}

/// What can go wrong. Nothing was changed then, unless the text says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// No such token, cookie or agent's token: never known, mistyped, or of the wrong kind.
    #[error("the credential is not known here: sign in again, or ask for a new token")]
    Unknown,
    /// It was good until then.
    #[error("the credential ended: sign in again, or ask for a new token")]
    Expired,
    /// It was taken back.
    #[error("the credential was revoked: ask for a new one")]
    Revoked,
    /// Name or password are wrong, or the person is disabled or signs in elsewhere: nobody is told which.
    #[error("this name with this password signs nobody in")]
    SignInFailed,
    /// Too many failures.
    #[error("too many sign-ins failed: try again in {seconds} s")]
    SlowDown {
        /// When it may be tried again, rounded up.
        seconds: u64,
    },
    /// Too many sign-ins at once.
    #[error("too many people sign in at this moment: try again in a few seconds")]
    Busy,
    /// The form's token does not belong to the sign-in.
    #[error("the request does not come from a page of this sign-in: load the page again")]
    Csrf,
    /// Whoever asked has not the authority.
    #[error("`{who}` may not {what}: it needs {needs}")]
    NotAllowed {
        /// Who asked.
        who: String,
        /// For what.
        what: String,
        /// What it takes.
        needs: String,
    },
    /// The name is none.
    #[error(transparent)]
    Name(#[from] NameFault),
    /// The grant is none.
    #[error(transparent)]
    Grant(#[from] GrantFault),
    /// The password is not taken.
    #[error(transparent)]
    Password(#[from] PasswordFault),
    /// A text is no name for a token or an agent, or a time is too long or none.
    #[error("{what} is not usable: {why}")]
    Unusable {
        /// What.
        what: &'static str,
        /// Why, and what would do.
        why: String,
    },
    /// There is none.
    #[error("there is no {what} `{which}`")]
    NoSuch {
        /// `person`, `token`, `sign-in`, `agent's token`, `grant`.
        what: &'static str,
        /// Which.
        which: String,
    },
    /// The name is taken.
    #[error("`{name}` is taken: {by}")]
    Taken {
        /// The name.
        name: String,
        /// By whom, and what to do.
        by: String,
    },
    /// A person who signs in elsewhere has no password here.
    #[error("`{name}` signs in at {issuer} and has no password here")]
    Elsewhere {
        /// Who.
        name: String,
        /// Where.
        issuer: String,
    },
    /// The session's tokens were all revoked: none is made any more.
    #[error("session {session} has ended, and gets no more tokens")]
    SessionOver {
        /// Which.
        session: String,
    },
    /// A limit.
    #[error("{what} is limited to {limit}: {remedy}")]
    Limit {
        /// What.
        what: &'static str,
        /// How many.
        limit: u64,
        /// What to do.
        remedy: &'static str,
    },
    /// The ledger did not take the record.
    #[error("the change could not be recorded, and was not made")]
    NotRecorded {
        /// Why.
        #[source]
        source: RecordError,
    },
    /// The file can't be used.
    #[error("`{path}` can't be used; nothing was changed")]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rusqlite::Error,
    },
    /// The file can't be reached, or is not what it should be.
    #[error("`{path}` can't be opened; nothing was changed")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is in the file can't be read.
    #[error("`{path}` holds something that can't be read: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What.
        what: String,
    },
    /// The system gives no randomness.
    #[error("the system gives no randomness: no secret was made")]
    NoRandomness,
    /// A password could not be hashed.
    #[error("the password could not be hashed: {why}")]
    Hashing {
        /// Why.
        why: String,
    },
}
