//! What a list is narrowed to. Everything that is not given narrows nothing.

use crate::{DomainSet, Error, Result};
use rescind_model::Timestamp;
use serde::{Deserialize, Serialize};

/// Which sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionFilter {
    /// What the reader may see.
    pub domains: DomainSet,
    /// The agent's name.
    pub agent: Option<String>,
    /// Who started it.
    pub owner: Option<String>,
    /// A domain and what is below it.
    pub domain: Option<String>,
    /// The kind of environment.
    pub environment: Option<String>,
    /// `run`, `undo` or `promote`.
    pub kind: Option<String>,
    /// `running`, `ended`, `interrupted` or `erased`.
    pub state: Option<String>,
    /// Began at this time or later, RFC 3339.
    pub since: Option<String>,
    /// Began before this time, RFC 3339.
    pub until: Option<String>,
    /// A text in its id, command, agent, owner, domain or folder.
    pub text: Option<String>,
    /// Only those of which an action failed.
    pub failures: bool,
    /// Only those of which an action waits for a person.
    pub waiting: bool,
}

impl SessionFilter {
    /// All sessions that a reader may see.
    #[must_use]
    pub fn of(domains: DomainSet) -> Self {
        Self {
            domains,
            agent: None,
            owner: None,
            domain: None,
            environment: None,
            kind: None,
            state: None,
            since: None,
            until: None,
            text: None,
            failures: false,
            waiting: false,
        }
    }
}

/// Which actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionFilter {
    /// What the reader may see.
    pub domains: DomainSet,
    /// The session.
    pub session: Option<String>,
    /// The agent's name.
    pub agent: Option<String>,
    /// Who started the session.
    pub owner: Option<String>,
    /// A domain and what is below it.
    pub domain: Option<String>,
    /// The kind of environment.
    pub environment: Option<String>,
    /// `action`, `agent`, `launcher`, `direct` or `system`.
    pub role: Option<String>,
    /// The reversibility class that was judged, or `unknown`.
    pub class: Option<String>,
    /// `allow`, `hold` or `deny`.
    pub verdict: Option<String>,
    /// A state of an action.
    pub state: Option<String>,
    /// `captured`, `partial` or `not_captured`.
    pub coverage: Option<String>,
    /// `files`, `shell`, ...
    pub surface: Option<String>,
    /// Began at this time or later, RFC 3339.
    pub since: Option<String>,
    /// Began before this time, RFC 3339.
    pub until: Option<String>,
    /// Words of its command, program, agent, owner, domain, reasons and gaps: all of them, of three
    /// letters and more at least begun.
    pub text: Option<String>,
    /// A path that it changed, or a folder below which it changed something.
    pub path: Option<String>,
    /// The lowest score.
    pub min_score: Option<u8>,
    /// Only what failed, was killed or is in doubt.
    pub failures: bool,
}

impl ActionFilter {
    /// All actions that a reader may see.
    #[must_use]
    pub fn of(domains: DomainSet) -> Self {
        Self {
            domains,
            session: None,
            agent: None,
            owner: None,
            domain: None,
            environment: None,
            role: None,
            class: None,
            verdict: None,
            state: None,
            coverage: None,
            surface: None,
            since: None,
            until: None,
            text: None,
            path: None,
            min_score: None,
            failures: false,
        }
    }
}

/// A time of a filter in ms since the epoch.
pub(crate) fn milliseconds(time: Option<&String>) -> Result<Option<i64>> {
    let Some(time) = time else { return Ok(None) };
    let parsed = time
        .parse::<Timestamp>()
        .map_err(|_| Error::Time { time: time.clone() })?;
    Ok(Some(parsed.milliseconds()))
}
