//! Sign-ins that have begun and wait for the provider's answer: in memory, since after a restart people just begin again.

use crate::oidc::OidcError;
use crate::secret::{Hashed, Secret};
use openidconnect::{Nonce, PkceCodeVerifier};
use rescind_model::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// One of them.
pub(crate) struct Waiting {
    pub nonce: Nonce,
    pub verifier: PkceCodeVerifier,
    pub browser: Hashed,
    pub fresh: bool,
    /// The cookie of the sign-in that is to be renewed.
    pub renews: Option<Secret>,
    pub begun: Timestamp,
}

/// All of them, by state.
#[derive(Default)]
pub(crate) struct Pending(Mutex<HashMap<String, Waiting>>);

/// How long the provider's answer may take: 10 minutes.
const LONGEST: i64 = 600_000_000_000;
/// The most that wait. The oldest goes for a new one.
const MOST: usize = 10_000;

impl Pending {
    pub fn add(&self, state: &str, waiting: Waiting) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = waiting.begun;
        if all.len() >= MOST {
            all.retain(|_, other| !late(other, now));
        }
        while all.len() >= MOST {
            let oldest = all.iter().min_by_key(|(_, other)| other.begun);
            let Some(oldest) = oldest.map(|(state, _)| state.clone()) else {
                break;
            };
            all.remove(&oldest);
        }
        all.insert(state.to_owned(), waiting);
    }

    /// Take one out: whatever comes of it, it answers nothing else.
    pub fn take(&self, state: &str, browser: &Secret, now: Timestamp) -> Result<Waiting, OidcError> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = all.remove(state).ok_or(OidcError::State)?;
        if late(&waiting, now) {
            return Err(OidcError::TooLate);
        }
        if !Hashed::of(browser.expose()).is(waiting.browser.bytes()) {
            return Err(OidcError::OtherBrowser);
        }
        Ok(waiting)
    }
}

fn late(waiting: &Waiting, now: Timestamp) -> bool {
    now.0.saturating_sub(waiting.begun.0) >= LONGEST
}
