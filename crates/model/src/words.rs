//! The field's words: reversibility, coverage, verdict, risk, approval, durability.

use crate::{RiskScore, Timestamp};
use std::fmt;

/// A kind of thing agents touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Surface {
    /// Files and processes of the local machine.
    Files,
    /// Commands, judged by their words.
    Shell,
    /// PostgreSQL databases.
    Postgres,
    /// Kubernetes clusters.
    Kubernetes,
    /// HTTP APIs.
    Http,
    /// MCP tools.
    Mcp,
    /// The in-memory surface of records, used to prove the contracts.
    Memory,
}

/// How far an action can be taken back, best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reversibility {
    /// Changes nothing, or the inverse needs no saved state.
    TriviallyReversible,
    /// Exactly reversible with the snapshot that was taken.
    ReversibleWithState,
    /// Reversible from a backup, at a cost.
    ReversibleWithBackup,
    /// A part of it can't be taken back.
    PartiallyReversible,
    /// Nothing of it can be taken back.
    Irreversible,
}

/// What of an action's effects was captured before it happened. Stated for every action, never silent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Coverage {
    /// Everything.
    Captured,
    /// All but what is listed.
    Partial(Vec<Missing>),
    /// Nothing, and why.
    NotCaptured(String),
}

/// One thing that was not captured, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Missing {
    /// What it is: a path, an address.
    pub what: String,
    /// Why it was not captured.
    pub why: String,
}

/// What the judge says of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Allow,
    /// It waits for a person, for these reasons.
    Hold(Vec<String>),
    /// It does not run, for these reasons.
    Deny(Vec<String>),
}

impl Verdict {
    /// `allow`, `hold` or `deny`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Hold(_) => "hold",
            Self::Deny(_) => "deny",
        }
    }

    /// The stricter of both; where both hold or both deny, with the reasons of both. A later verdict never loosens.
    #[must_use]
    pub fn tightened(self, later: Self) -> Self {
        let join = |mut reasons: Vec<String>, more: Vec<String>| {
            for reason in more {
                if !reasons.contains(&reason) {
                    reasons.push(reason);
                }
            }
            reasons
        };
        match (self, later) {
            (Self::Deny(one), Self::Deny(two)) => Self::Deny(join(one, two)),
            (deny @ Self::Deny(_), _) | (_, deny @ Self::Deny(_)) => deny,
            (Self::Hold(one), Self::Hold(two)) => Self::Hold(join(one, two)),
            (hold @ Self::Hold(_), _) | (_, hold @ Self::Hold(_)) => hold,
            (Self::Allow, Self::Allow) => Self::Allow,
        }
    }
}

/// A risk score, 0 to 100, or that none was computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Risk {
    /// This build does not judge yet: the record carries the default.
    NotJudged,
    /// A score with the factors that made it.
    Scored(RiskScore),
}

/// Who approved an action, if anybody had to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approval {
    /// Whether the policy asked for a person.
    pub required: bool,
    /// Who decided.
    pub reviewer: Option<String>,
    /// When.
    pub approved_at: Option<Timestamp>,
}

/// What a durable write survives. Every figure names its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// The death of any process at any instant: the bytes are with the kernel. An fsync follows within 50 ms.
    Process,
    /// A power cut: the bytes are on the disk.
    Power,
}

impl Surface {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Files,
        Self::Shell,
        Self::Postgres,
        Self::Kubernetes,
        Self::Http,
        Self::Mcp,
        Self::Memory,
    ];

    /// The surface's name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Shell => "shell",
            Self::Postgres => "postgres",
            Self::Kubernetes => "kubernetes",
            Self::Http => "http",
            Self::Mcp => "mcp",
            Self::Memory => "memory",
        }
    }
}

impl Reversibility {
    /// All classes, best first.
    pub const ALL: [Self; 5] = [
        Self::TriviallyReversible,
        Self::ReversibleWithState,
        Self::ReversibleWithBackup,
        Self::PartiallyReversible,
        Self::Irreversible,
    ];

    /// The class's name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::TriviallyReversible => "trivially_reversible",
            Self::ReversibleWithState => "reversible_with_state",
            Self::ReversibleWithBackup => "reversible_with_backup",
            Self::PartiallyReversible => "partially_reversible",
            Self::Irreversible => "irreversible",
        }
    }
}

impl Coverage {
    /// `captured`, `partial` or `not captured`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Captured => "captured",
            Self::Partial(_) => "partial",
            Self::NotCaptured(_) => "not captured",
        }
    }

    /// Coverage with one more thing missing.
    #[must_use]
    pub fn without(self, missing: Missing) -> Self {
        match self {
            Self::Captured => Self::Partial(vec![missing]),
            Self::Partial(mut list) => {
                if !list.contains(&missing) {
                    list.push(missing);
                }
                Self::Partial(list)
            }
            none @ Self::NotCaptured(_) => none,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}
