//! Credentials of sessions: issued for one, given to its agent alone, revoked at its end, and proved dead.
//!
//! INVARIANT: what is about to be issued is kept below the state directory, and on record, before the command that issues
//! it runs. So whoever comes next, after whatever crash, knows what to revoke; what is in doubt is revoked all the same.
//! It is forgotten once a check has said that it is dead.

mod command;
mod desk;
mod issue;
mod keep;
mod revoke;

use crate::error::{Code, Done, Failure};
pub use desk::WithCredentials;
pub use issue::issue;
pub use keep::{HANGS, Kept};
use rescind_credentials::{CredentialError, Credentials};
use rescind_desk::{Configuration, Text};
use rescind_supervisor::Store;
pub use revoke::{End, give_up, revoke_session, sweep};

/// The credentials that a person has set up. Without a file there are none.
///
/// # Errors
/// The file can't be read, or is wrong.
pub fn configured() -> Done<Credentials> {
    let path = Configuration::of_user()
        .root()
        .map(|root| root.join("credentials.toml"));
    let text = match path.filter(|path| path.exists()) {
        Some(path) => Text::read(&path)?,
        None => Text {
            name: "credentials.toml".to_owned(),
            text: String::new(),
        },
    };
    Ok(Credentials::parse(&text.name, &text.text)?)
}

/// All that is not proved dead, of all sessions, in no order that means anything.
///
/// # Errors
/// What is kept can't be read.
pub fn outstanding(store: &Store) -> Done<Vec<Kept>> {
    Ok(keep::all(store.home())?)
}

impl From<CredentialError> for Failure {
    fn from(error: CredentialError) -> Self {
        let message = error.to_string();
        match error {
            CredentialError::Missing { .. } | CredentialError::Taken { .. } => {
                Self::new(Code::CredentialNotIssued, message)
            }
            _ => Self::new(Code::CredentialInvalid, message)
                .help("credentials.toml in rescind's configuration has them; see docs/guide/credentials.md"),
        }
    }
}

/// A failure as an error, for what carries errors only.
#[derive(Debug)]
pub struct NotIssued(pub Failure);

impl std::fmt::Display for NotIssued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a credential of the session was not issued")
    }
}

impl std::error::Error for NotIssued {}
