//! Rules learned from approvals: what a person let go once, and wants to let go again. Never wider than what was shown.

mod form;

pub use form::GrantError;

use crate::{Blast, Environment, Proposal, Session, Spend, Who};
use rescind_model::{Coverage, Digest, Operation, Reversibility, SessionId, Surface, Timestamp};
use std::collections::BTreeSet;

/// The rules that stand, in the order in which they were learned.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whitelist {
    grants: Vec<Grant>,
}

/// One learned rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Its name, for the record and for taking it back.
    pub id: String,
    /// Who gave it. As many different persons as it counts for.
    pub persons: BTreeSet<String>,
    /// The groups they decided for: `reviewer`, `oncall`.
    pub groups: BTreeSet<String>,
    /// For which sessions.
    pub granting: Granting,
    /// How like the shown action another has to be.
    pub reach: Reach,
    /// Until when.
    pub until: Timestamp,
    /// The agent it is about.
    pub agent: String,
    /// Its domain.
    pub domain: String,
    environment: Environment,
    shown: Shown,
}

/// For which sessions a rule holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Granting {
    /// The one in which it was shown.
    Session(SessionId),
    /// Every session of the same agent in the same domain and environment.
    Agent,
}

/// How like the shown action another has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The same action to the letter.
    Exact,
    /// The same kind of action on targets that were all shown, with no force flag that was not, no worse in class,
    /// coverage, operation or in how much it touches.
    Targets,
    /// The same kind of action on no more targets, which may be others: whoever asks has compared the command's words
    /// with a pattern that a person gave.
    Words,
}

/// What the person saw.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shown {
    digest: Digest,
    operation: Operation,
    surface: Surface,
    kind: String,
    targets: BTreeSet<String>,
    severity: Reversibility,
    coverage: Coverage,
    blast: Blast,
    force: BTreeSet<String>,
}

impl Grant {
    /// The rule that follows from an approval: of this proposal, as it was shown, in this session, by these persons for
    /// these groups.
    #[must_use]
    pub fn learned(
        id: impl Into<String>,
        proposal: &Proposal,
        session: &Session,
        reach: Reach,
        until: Timestamp,
    ) -> Self {
        Self {
            id: id.into(),
            persons: BTreeSet::new(),
            groups: BTreeSet::new(),
            granting: Granting::Session(session.id.clone()),
            reach,
            until,
            agent: session.agent.clone(),
            domain: session.domain.clone(),
            environment: session.environment,
            shown: Shown {
                digest: proposal.digest,
                operation: proposal.operation,
                surface: proposal.surface,
                kind: proposal.kind.clone(),
                targets: proposal.targets.iter().cloned().collect(),
                severity: proposal.severity(),
                coverage: proposal.coverage.clone(),
                blast: proposal.blast.clone(),
                force: proposal.force.clone(),
            },
        }
    }

    /// Given by this person, for this group.
    #[must_use]
    pub fn by(mut self, person: impl Into<String>, group: impl Into<String>) -> Self {
        self.persons.insert(person.into());
        self.groups.insert(group.into());
        self
    }

    /// For every session of the agent in that domain, not only this one.
    #[must_use]
    pub fn for_agent(mut self) -> Self {
        self.granting = Granting::Agent;
        self
    }

    /// Whether it lets this proposal go. That it does says nothing yet of who would have to be asked: see
    /// [`Grant::answers`].
    #[must_use]
    pub fn covers(&self, proposal: &Proposal, session: &Session, now: Timestamp) -> bool {
        let who = match &self.granting {
            Granting::Session(id) => *id == session.id,
            Granting::Agent => true,
        };
        let same_place = self.agent == session.agent
            && self.domain == session.domain
            && self.environment == session.environment;
        who && same_place && now < self.until && self.shown.holds(proposal, self.reach)
    }

    /// Whether those who gave it are those who would have to be asked.
    #[must_use]
    pub fn answers(&self, who: &Who) -> bool {
        let enough = usize::from(who.persons) <= self.persons.len();
        enough && who.groups.iter().all(|group| self.groups.contains(group))
    }
}

impl Shown {
    fn holds(&self, proposal: &Proposal, reach: Reach) -> bool {
        let like = match reach {
            Reach::Exact => self.digest == proposal.digest,
            Reach::Targets => !proposal.targets.is_empty(),
            Reach::Words => proposal.targets.len() <= self.targets.len(),
        };
        let others = reach == Reach::Words;
        like && self.surface == proposal.surface
            && self.kind == proposal.kind
            && proposal.operation <= self.operation
            && proposal.severity() <= self.severity
            && proposal
                .targets
                .iter()
                .all(|target| others || self.targets.contains(target))
            && proposal.force.is_subset(&self.force)
            && no_worse(&proposal.coverage, &self.coverage)
            && self.blast.holds(&proposal.blast)
    }
}

/// Coverage with nothing missing that was not missing when it was shown.
fn no_worse(now: &Coverage, shown: &Coverage) -> bool {
    match (now, shown) {
        (Coverage::Captured, _) | (_, Coverage::NotCaptured(_)) => true,
        (Coverage::Partial(now), Coverage::Partial(shown)) => {
            now.iter().all(|missing| shown.contains(missing))
        }
        _ => false,
    }
}

impl Blast {
    /// Whether another touches no more than this. What was not known when it was shown bounds nothing that is.
    fn holds(&self, now: &Self) -> bool {
        let count = |now: Option<u64>, shown: Option<u64>| match (now, shown) {
            (_, None) => now.is_none(),
            (None, Some(_)) => false,
            (Some(now), Some(shown)) => now <= shown,
        };
        count(now.files, self.files)
            && count(now.rows, self.rows)
            && count(now.objects, self.objects)
            && match (&now.spend, &self.spend) {
                (Spend::None, _) => true,
                (Spend::Known(now), Spend::Known(shown)) => now
                    .iter()
                    .all(|(currency, sum)| shown.get(currency).is_some_and(|shown| sum <= shown)),
                _ => false,
            }
    }
}

impl Whitelist {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.grants.is_empty()
    }

    /// These rules.
    #[must_use]
    pub fn new(grants: Vec<Grant>) -> Self {
        Self { grants }
    }

    /// Those that let a proposal go.
    pub fn covering<'w>(
        &'w self,
        proposal: &'w Proposal,
        session: &'w Session,
        now: Timestamp,
    ) -> impl Iterator<Item = &'w Grant> {
        self.grants
            .iter()
            .filter(move |grant| grant.covers(proposal, session, now))
    }
}

#[cfg(test)]
mod tests;
