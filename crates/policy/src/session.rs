//! Who acts: the facts of a session that judging needs.

use rescind_model::{Scopes, SessionId, Timestamp};
use std::fmt;
use std::str::FromStr;

/// A session as the judge sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Which.
    pub id: SessionId,
    /// The agent's name.
    pub agent: String,
    /// The teams the agent belongs to.
    pub teams: Vec<String>,
    /// Who answers for the agent.
    pub owner: String,
    /// The domain it works in, a path: `payments/prod` is within `payments`.
    pub domain: String,
    /// What kind of environment that is.
    pub environment: Environment,
    /// What its credentials permit.
    pub scopes: Scopes,
    /// When it began.
    pub started: Timestamp,
    /// How many actions it has had permitted.
    pub actions: u64,
}

/// What an environment is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Environment {
    /// One person's own.
    Development,
    /// For tests: made anew at any time.
    Test,
    /// Shared, before production.
    Staging,
    /// Nobody said.
    Unknown,
    /// What users depend on.
    Production,
}

/// A text that names no environment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an environment: they are development, test, staging, production, unknown")]
pub struct EnvironmentError {
    /// What was given.
    pub text: String,
}

impl Session {
    /// The domain and the domains around it, innermost first.
    pub fn domains(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.domain.as_str()), |domain| {
            domain.rsplit_once('/').map(|(outer, _)| outer)
        })
    }
}

impl Environment {
    /// All of them, least risky first.
    pub const ALL: [Self; 5] = [
        Self::Development,
        Self::Test,
        Self::Staging,
        Self::Unknown,
        Self::Production,
    ];

    /// Its name in records and policies.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Test => "test",
            Self::Staging => "staging",
            Self::Unknown => "unknown",
            Self::Production => "production",
        }
    }
}

impl FromStr for Environment {
    type Err = EnvironmentError;

    fn from_str(text: &str) -> Result<Self, EnvironmentError> {
        let known = Self::ALL.into_iter().find(|known| known.name() == text);
        known.ok_or_else(|| EnvironmentError {
            text: text.to_owned(),
        })
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
