//! Cases: proposals with the verdict that is expected of them, so that a policy can be tested like a program. TOML,
//! described in `docs/guide/policy.md`.

mod form;

use crate::{
    Bounds, Counters, History, Input, Judge, Judgement, Place, Problems, Proposal, Rules, Session, Whitelist,
};
use rescind_model::{Timestamp, Verdict};

/// The cases that are shipped: the incidents, and ordinary development work.
pub const DEFAULT_CASES: [(&str, &str); 3] = [
    (
        "incidents.toml",
        include_str!("../../../policies/tests/incidents.toml"),
    ),
    (
        "development.toml",
        include_str!("../../../policies/tests/development.toml"),
    ),
    ("tiers.toml", include_str!("../../../policies/tests/tiers.toml")),
];

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// What it is from, or why the verdict is right.
    pub because: String,
    /// Who.
    pub session: Session,
    /// What.
    pub proposal: Proposal,
    /// What happened before.
    pub history: History,
    /// Limits, freezes and the breaker of the file.
    pub bounds: Bounds,
    /// When.
    pub now: Timestamp,
    /// What has to come of it.
    pub expected: Expected,
}

/// What a case expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// `allow`, `hold` or `deny`.
    pub verdict: String,
    /// How many persons decide, where it matters.
    pub persons: Option<u8>,
    /// Who is told, where it matters.
    pub notify: Option<String>,
    /// Whether the session is halted, where it matters.
    pub halts: Option<bool>,
}

/// A file of cases that can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cases can't be run: {problems}")]
pub struct CaseError {
    /// Where and what.
    pub problems: Problems,
}

/// A case that did not come out as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct CaseFailure {
    /// What was expected and what was found, a sentence.
    pub message: String,
    /// What was judged.
    pub judgement: Box<Judgement>,
}

/// Read a file of cases. `file` is its name, for messages; `zones` finds time zones, for freezes.
///
/// # Errors
/// Everything that is wrong with it, with line and column.
pub fn cases(file: &str, text: &str, zones: crate::Zones<'_>) -> Result<Vec<Case>, CaseError> {
    form::read(file, text, zones)
}

impl Case {
    /// Judge it with these policies, and with the limits and freezes of its own file.
    ///
    /// # Errors
    /// It comes out otherwise.
    pub fn run(&self, rules: &Rules) -> Result<Judgement, CaseFailure> {
        let judge = Judge {
            rules,
            bounds: &self.bounds,
        };
        let judgement = judge.judge(&Input {
            proposal: &self.proposal,
            session: &self.session,
            history: &self.history,
            whitelist: &Whitelist::default(),
            counters: &Counters::default(),
            now: self.now,
        });
        match self.expected.differs(&judgement) {
            None => Ok(judgement),
            Some(message) => Err(CaseFailure {
                message,
                judgement: Box::new(judgement),
            }),
        }
    }
}

impl Expected {
    fn differs(&self, found: &Judgement) -> Option<String> {
        let name = found.verdict.name();
        if self.verdict != name {
            let reasons = match &found.verdict {
                Verdict::Allow => found.reasons.iter().map(ToString::to_string).collect::<Vec<_>>(),
                Verdict::Hold(reasons) | Verdict::Deny(reasons) => reasons.clone(),
            };
            return Some(format!(
                "{} was expected, and it is {name}: {}",
                self.verdict,
                reasons.join("; ")
            ));
        }
        let persons = found.who.as_ref().map_or(0, |who| who.persons);
        if let Some(expected) = self.persons.filter(|expected| *expected != persons) {
            return Some(format!(
                "{expected} persons were expected to decide, and it is {persons}"
            ));
        }
        if let Some(expected) = self
            .notify
            .as_ref()
            .filter(|expected| !found.notify.contains(*expected))
        {
            return Some(format!("{expected} was expected to be told, and is not"));
        }
        let halts = self.halts.filter(|expected| *expected != found.halts)?;
        Some(format!(
            "the session was expected {}to be halted",
            if halts { "" } else { "not " }
        ))
    }
}

#[cfg(test)]
mod tests;
