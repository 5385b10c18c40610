//! What is to be learned from a decision: that the same may run again.

use super::{Closed, ClosedForm, Decision, DecisionForm, HoldForm};
use rescind_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// `--always` as it stands with a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlwaysForm {
    /// Until when, RFC 3339.
    pub until: String,
    /// Only in the session in which it was shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub session: bool,
    /// The command with a `*` for what may be another; absent: this very command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
}

/// A rule to be learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lesson {
    /// The action that was shown, by which the rule goes.
    pub action: String,
    /// The command as it was shown.
    pub shown: Vec<String>,
    /// Who wants it.
    pub persons: BTreeSet<String>,
    /// The groups they were asked for.
    pub groups: Vec<String>,
    /// Until when.
    pub until: Timestamp,
    /// Only in this session.
    pub session: bool,
    /// As in [`AlwaysForm`].
    pub pattern: Option<String>,
}

/// A command that may run once instead of what was held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The action that was held.
    pub action: String,
    /// Its words.
    pub argv: Vec<String>,
    /// The program's path.
    pub exe: String,
    /// Who wants it.
    pub persons: BTreeSet<String>,
    /// The groups they were asked for.
    pub groups: Vec<String>,
    /// Until when.
    pub until: Timestamp,
}

impl ClosedForm {
    /// What is to be learned of an approval: what as many persons wanted as had to approve, and the narrowest of it.
    /// Where one of two said nothing of it, or another pattern, nothing is learned.
    #[must_use]
    pub fn lesson(&self, form: &HoldForm) -> Option<Lesson> {
        let approvals = || {
            let said = self.decisions.iter();
            said.filter(|said| said.decision == Decision::Approve && said.digest == form.digest)
                .filter(|said| said.change.is_none())
        };
        let wanted: Vec<(&DecisionForm, &AlwaysForm)> = approvals()
            .filter_map(|said| Some((said, said.always.as_ref()?)))
            .collect();
        (self.how == Closed::Approved).then_some(())?;
        let (_, first) = wanted.first()?;
        let agreed = wanted.iter().all(|(_, always)| always.pattern == first.pattern);
        let enough = wanted.len() == approvals().count();
        let untils: Option<Vec<Timestamp>> = wanted
            .iter()
            .map(|(_, always)| always.until.parse().ok())
            .collect();
        (agreed && enough && form.learnable).then_some(())?;
        Some(Lesson {
            action: form.action.clone(),
            shown: form.argv.clone(),
            persons: wanted.iter().map(|(said, _)| said.person.clone()).collect(),
            groups: form.judged.groups.clone(),
            until: untils?.into_iter().min()?,
            session: wanted.iter().any(|(_, always)| always.session),
            pattern: first.pattern.clone(),
        })
    }
}
