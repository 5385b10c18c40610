//! What a kill is about, what is in force, and who is under it: the words of the board.

use rescind_model::domain;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What is stopped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "name", rename_all = "snake_case")]
pub enum KillScope {
    /// One session, by its whole id.
    Session(String),
    /// All sessions of an agent, by its name.
    Agent(String),
    /// All sessions in a domain, and in those below it: `payments` covers `payments/prod`.
    Domain(String),
    /// All sessions.
    Everything,
}

/// How hard it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Held in place: it can go on.
    Pause,
    /// Ended.
    Kill,
}

/// Who a gateway acts for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Member {
    /// The session.
    pub session: String,
    /// The agent's name.
    pub agent: String,
    /// The domain; empty for none.
    pub domain: String,
}

/// Names are compared up to this many bytes: what begins alike for so long is taken for the same, and stops together.
pub const MOST_NAME: usize = 248;

/// The beginning of a name that counts.
pub(super) fn cut(name: &str) -> &str {
    let mut end = name.len().min(MOST_NAME);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or(name)
}

impl KillScope {
    /// Whether it covers this session.
    #[must_use]
    pub fn covers(&self, member: &Member) -> bool {
        match self {
            Self::Session(session) => cut(session) == cut(&member.session),
            Self::Agent(agent) => cut(agent) == cut(&member.agent),
            Self::Domain(around) => {
                let (own, around) = (cut(&member.domain), cut(around));
                domain::covers(around, own) || around.len() >= MOST_NAME - 3 && own.starts_with(around)
            }
            Self::Everything => true,
        }
    }

    /// Its kind as a number on the board.
    pub(super) fn number(&self) -> u64 {
        match self {
            Self::Session(_) => 1,
            Self::Agent(_) => 2,
            Self::Domain(_) => 3,
            Self::Everything => 4,
        }
    }

    /// Its name; empty for everything.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Session(name) | Self::Agent(name) | Self::Domain(name) => name,
            Self::Everything => "",
        }
    }

    pub(super) fn of(number: u64, name: String) -> Option<Self> {
        Some(match number {
            1 => Self::Session(name),
            2 => Self::Agent(name),
            3 => Self::Domain(name),
            4 => Self::Everything,
            _ => return None,
        })
    }
}

impl fmt::Display for KillScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(name) => write!(f, "session {name}"),
            Self::Agent(name) => write!(f, "agent `{name}`"),
            Self::Domain(name) => write!(f, "domain `{name}`"),
            Self::Everything => f.write_str("everything"),
        }
    }
}

impl Mode {
    /// What has become of what it is about.
    #[must_use]
    pub fn done(self) -> &'static str {
        match self {
            Self::Pause => "paused",
            Self::Kill => "killed",
        }
    }
}

/// A stop in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stop {
    /// Its number, for as long as the board lives.
    pub id: u64,
    /// What is stopped.
    pub scope: KillScope,
    /// How.
    pub mode: Mode,
    /// Who said so.
    pub by: String,
    /// Why.
    pub why: String,
    /// When, RFC 3339.
    pub at: String,
    /// Whether the ledger has it yet.
    pub recorded: bool,
}

impl Stop {
    /// For whom it stops: who, and why.
    #[must_use]
    pub fn sentence(&self) -> String {
        let why = if self.why.is_empty() {
            String::new()
        } else {
            format!(": {}", self.why)
        };
        format!("{} is {} by {}{why}", self.scope, self.mode.done(), self.by)
    }
}

/// Whether a gateway lets actions start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// It does.
    Run,
    /// It is held in place.
    Paused,
    /// It is ended.
    Killed,
    /// It has lost control, and holds what comes.
    Held,
}

/// A gateway as the board has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatewayStatus {
    /// Who it acts for.
    #[serde(flatten)]
    pub member: Member,
    /// The supervisor's process.
    pub process: u32,
    /// Whether it lets actions start.
    pub order: Order,
    /// For how much longer, in milliseconds, unless it renews its lease.
    pub lease_ms: u64,
    /// The numbers of actions that are under way.
    pub in_flight: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::{KillScope, MOST_NAME, Member};

    fn member(domain: &str) -> Member {
        Member {
            session: "s-1".to_owned(),
            agent: "coder".to_owned(),
            domain: domain.to_owned(),
        }
    }

    #[test]
    fn a_domain_covers_those_below_it_and_no_other() {
        let payments = KillScope::Domain("payments".to_owned());
        assert!(payments.covers(&member("payments")) && payments.covers(&member("payments/prod")));
        assert!(KillScope::Domain("payments/".to_owned()).covers(&member("payments/prod")));
        assert!(!payments.covers(&member("payments2")) && !payments.covers(&member("")));
        assert!(!KillScope::Domain(String::new()).covers(&member("")));
        assert!(KillScope::Everything.covers(&member("")));
        assert!(KillScope::Agent("coder".to_owned()).covers(&member("x")));
        assert!(!KillScope::Session("s-2".to_owned()).covers(&member("x")));
    }

    #[test]
    fn names_that_begin_alike_for_long_stop_together() {
        let long = "d".repeat(MOST_NAME + 40);
        assert!(KillScope::Domain(long.clone()).covers(&member(&format!("{long}-other"))));
        let letters = "ü".repeat(MOST_NAME);
        assert!(KillScope::Domain(letters.clone()).covers(&member(&letters)));
    }
}
