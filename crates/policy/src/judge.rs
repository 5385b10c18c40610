//! The judge: freeze, scope, breaker, whitelist, policy, limits, in this order. Each only tightens what those before it
//! said; what each found is in the judgement, also where another was stricter.

mod stages;

use crate::{
    Annotations, Bounds, Counters, Effect, Evaluation, Exceeded, History, Place, Proposal, Recovery, Rules,
    Session, Trip, Whitelist,
};
use rescind_model::{Digest, RiskScore, Timestamp, Verdict};
use std::collections::BTreeSet;
use std::fmt;

/// What is judged by: policies, limits, freezes, the breaker.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'j> {
    /// The policies.
    pub rules: &'j Rules,
    /// Limits, freezes and the breaker.
    pub bounds: &'j Bounds,
}

/// What is judged, with all that it depends on.
#[derive(Debug, Clone, Copy)]
pub struct Input<'i> {
    /// The action.
    pub proposal: &'i Proposal,
    /// Who wants it.
    pub session: &'i Session,
    /// What happened before.
    pub history: &'i History,
    /// What people let go once and for all.
    pub whitelist: &'i Whitelist,
    /// What of the limits is used.
    pub counters: &'i Counters,
    /// The time.
    pub now: Timestamp,
}

/// The judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict, with the reasons for it.
    pub verdict: Verdict,
    /// Everything that was found, stage by stage, also what the verdict does not rest on.
    pub reasons: Vec<Reason>,
    /// Who has to decide, where it is held.
    pub who: Option<Who>,
    /// Whether the whole session is halted: its next action waits, too.
    pub halts: bool,
    /// Who is told.
    pub notify: BTreeSet<String>,
    /// Whether it is undone at once if it fails.
    pub auto_undo: bool,
    /// The risk score.
    pub risk: RiskScore,
    /// The way back.
    pub recovery: Recovery,
    /// The policies that matched.
    pub matched: Vec<Match>,
    /// The learned rule that answered for a person.
    pub whitelisted: Option<String>,
    /// The limit that was hit.
    pub limit: Option<Exceeded>,
    /// The policies' digest: an approval is bound to it.
    pub policy_version: Digest,
}

/// The stages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Freezes.
    Freeze,
    /// What the session's credentials permit.
    Scope,
    /// The breaker.
    Breaker,
    /// Learned rules.
    Whitelist,
    /// Policies.
    Policy,
    /// Limits.
    Limits,
}

/// What a stage found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The stage.
    pub stage: Stage,
    /// What it found, a sentence.
    pub text: String,
    /// What it alone would have said: `allow`, `hold` or `deny`.
    pub says: Says,
}

/// What a single finding asks for, in order of strictness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Says {
    /// Nothing against it.
    Allow,
    /// A person.
    Hold,
    /// No.
    Deny,
}

/// A policy that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// Its id.
    pub id: String,
    /// Where it is written.
    pub place: Place,
    /// What it said.
    pub effect: Effect,
    /// Its annotations.
    pub annotations: Annotations,
    /// Why it could not be evaluated, where it could not: the action is held for it.
    pub failed: Option<String>,
}

/// Who has to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// The groups that have to be heard, each by at least one person.
    pub groups: BTreeSet<String>,
    /// How many different persons.
    pub persons: u8,
}

impl Judge<'_> {
    /// Judge. The same input gives the same judgement.
    #[must_use]
    pub fn judge(&self, input: &Input<'_>) -> Judgement {
        let stronger = crate::breaker::stronger(input.proposal, input.history);
        let new = !input.history.known_kinds.contains(&input.proposal.kind);
        let risk = crate::score(input.proposal, input.session, new, stronger.as_ref());
        let mut judging = stages::Judging::new(self.rules, input, risk, new, stronger.is_some());
        judging.freeze(&self.bounds.freezes);
        judging.scope();
        judging.breaker(self.bounds.breaker);
        judging.policy();
        judging.limits(&self.bounds.limits);
        judging.end()
    }

    /// Only the policies: which match, and which can't be evaluated.
    #[must_use]
    pub fn evaluate(&self, input: &Input<'_>) -> Evaluation {
        let stronger: Option<Trip> = crate::breaker::stronger(input.proposal, input.history);
        let new = !input.history.known_kinds.contains(&input.proposal.kind);
        let risk = crate::score(input.proposal, input.session, new, stronger.as_ref());
        self.rules.evaluate(&crate::facts::Facts {
            proposal: input.proposal,
            session: input.session,
            risk: risk.points(),
            new,
            stronger: stronger.is_some(),
        })
    }
}

impl Judgement {
    /// This judgement after a later one of the same action, which knew more: it only tightens.
    #[must_use]
    pub fn tightened(mut self, later: Self) -> Self {
        let verdict = self.verdict.tightened(later.verdict);
        for reason in later.reasons {
            if !self.reasons.contains(&reason) {
                self.reasons.push(reason);
            }
        }
        let who = match (self.who, later.who) {
            (Some(one), Some(two)) => Some(one.and(two)),
            (one, two) => one.or(two),
        };
        Self {
            who: who.filter(|_| matches!(verdict, Verdict::Hold(_))),
            verdict,
            reasons: self.reasons,
            halts: self.halts || later.halts,
            notify: self.notify.into_iter().chain(later.notify).collect(),
            auto_undo: self.auto_undo || later.auto_undo,
            ..later
        }
    }
}

impl Who {
    /// One person of a group.
    #[must_use]
    pub fn one(group: impl Into<String>) -> Self {
        Self {
            groups: BTreeSet::from([group.into()]),
            persons: 1,
        }
    }

    /// All that both ask for.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.groups.extend(other.groups);
        self.persons = self.persons.max(other.persons);
        self
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<&str> = self.groups.iter().map(String::as_str).collect();
        let persons = if self.persons > 1 {
            format!("{} persons: ", self.persons)
        } else {
            String::new()
        };
        write!(f, "{persons}{}", groups.join(" and "))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Freeze => "freeze",
            Self::Scope => "scope",
            Self::Breaker => "breaker",
            Self::Whitelist => "whitelist",
            Self::Policy => "policy",
            Self::Limits => "limits",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.stage, self.text)
    }
}

#[cfg(test)]
mod tests;
