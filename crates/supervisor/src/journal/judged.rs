//! What was judged of an action, and what people decided, as the journal has them.

use crate::holds::{Closed, ClosedForm};
use serde::{Deserialize, Serialize};

/// A judgement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JudgedForm {
    /// The reversibility class by the words of the command, or `unknown`.
    pub class: String,
    /// What kind of action it is, as policies and novelty have it: `kubectl.delete`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// The risk score, 0 to 100.
    pub score: u8,
    /// What made it.
    pub factors: Vec<FactorForm>,
    /// `allow`, `hold` or `deny`.
    pub verdict: String,
    /// Why, each a sentence.
    pub reasons: Vec<String>,
    /// How it could be taken back, and how long that takes.
    pub recovery: String,
    /// The digest of the policies it was judged by.
    pub policy: String,
    /// What of it can't be captured, and why; empty where all can.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uncovered: Vec<String>,
    /// How many persons have to approve, where it is held; else 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub persons: u8,
    /// The groups to be heard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// Who is told, though it runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notify: Vec<String>,
    /// Whether it is undone at once if it fails.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub auto_undo: bool,
    /// The entry of the catalog it rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// What would take it back, as far as it is known before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compensation: Option<String>,
    /// What the agent could do instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// The rule learned from an approval by which it runs without asking: the action it was learned from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// One factor of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorForm {
    /// Its name.
    pub name: String,
    /// Points it added.
    pub points: u8,
    /// Why.
    pub why: String,
}

/// How a hold ended: before anything of its action runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecidedForm {
    /// The node.
    pub n: u64,
    /// Random, as in [`super::SessionOpened::salt`].
    pub salt: String,
    /// How, when, and by whose word.
    pub closed: ClosedForm,
}

/// What became of a hold while it waited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitedForm {
    /// The node.
    pub n: u64,
    /// Random, as in [`super::SessionOpened::salt`].
    pub salt: String,
    /// When, RFC 3339.
    pub at: String,
    /// The tier that is asked from now on, where that is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What happened, a sentence.
    pub what: String,
}

/// Somebody was told of an action by a configured command, or was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldForm {
    /// The node.
    pub n: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The tier, or whom a policy names.
    pub whom: String,
    /// `told`, or why not.
    pub what: String,
}

impl DecidedForm {
    /// Whether it may run.
    #[must_use]
    pub fn approved(&self) -> bool {
        self.closed.how == Closed::Approved
    }
}

fn is_zero(number: &u8) -> bool {
    *number == 0
}
