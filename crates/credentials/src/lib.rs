//! Credentials for one session: issuers as data, and what of a credential may be known where.
//!
//! An issuer says which commands issue, revoke and check, and what the session is given. Absences that hold: no I/O, no
//! clock, no randomness; no command is run here. A secret never becomes a word of a command line: an issuer that asks for
//! that is refused when it is read.

mod file;
mod issuer;
mod step;

pub use file::{Credential, Credentials};
pub use issuer::{GENERATED, Issuer, Issuers, KNOWN};
pub use step::{Check, Finding, Ready, Step};

/// Values by name.
pub type Values = std::collections::BTreeMap<String, String>;

/// Why issuers or credentials can't be used. None of the file is, then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// The file is not of its form.
    #[error("`{file}` is not of its form: {why}")]
    Form {
        /// Which file.
        file: String,
        /// What is wrong, and where.
        why: String,
    },
    /// An issuer contradicts itself.
    #[error("the issuer `{issuer}` can't be used: {why}")]
    Issuer {
        /// Which.
        issuer: String,
        /// What is wrong.
        why: String,
    },
    /// A credential contradicts its issuer.
    #[error("the credential `{credential}` can't be used: {why}")]
    Credential {
        /// Which.
        credential: String,
        /// What is wrong.
        why: String,
    },
    /// Nobody knows how to issue it.
    #[error("no credential is called `{asked}`: there {known}")]
    Unknown {
        /// What was asked for.
        asked: String,
        /// What there is, in words.
        known: String,
    },
    /// A value was not given, or not printed.
    #[error("`{{{name}}}` has no value, so that `{what}` can't be filled")]
    Missing {
        /// The placeholder.
        name: String,
        /// Where it stands; never a value.
        what: String,
    },
    /// What a command printed does not have a value.
    #[error("what was issued can't be read from what the command printed: {why}")]
    Taken {
        /// What is missing; never what was printed.
        why: String,
    },
}
