//! The breaker: what halts a whole session. Flapping, denials in a row, and a denied action tried in a stronger form.

use crate::Proposal;
use rescind_model::{Digest, Operation, Reversibility, Surface};
use std::collections::BTreeSet;
use std::fmt;

/// When it trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// So many denials in a row halt the session. Zero is never.
    pub denials: u32,
}

/// What happened before, as far as the breaker and the score look at it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct History {
    /// Denials since the last action of the session that was permitted.
    pub denials_in_a_row: u32,
    /// What was denied to this session, or rejected by a person.
    pub denied: Vec<Attempt>,
    /// The states that undos took back, on every surface, whichever session had made them.
    pub undone: BTreeSet<Undone>,
    /// The kinds of action that this agent has had permitted, ever.
    pub known_kinds: BTreeSet<String>,
}

/// A state that was taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Undone {
    /// Where.
    pub surface: Surface,
    /// Whose state.
    pub target: String,
    /// The digest of the state that was undone.
    pub state: Digest,
}

/// An action that was denied, as far as a later one is compared with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The exact action.
    pub digest: Digest,
    /// As a person would write it.
    pub text: String,
    /// What it would have done.
    pub operation: Operation,
    /// Its kind.
    pub kind: String,
    /// How bad its class was; the unknown counts as irreversible.
    pub severity: Reversibility,
    /// To what.
    pub targets: Vec<Target>,
    /// Its force flags.
    pub force: BTreeSet<String>,
}

/// A target on its surface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where. Files and shell name the same things.
    pub surface: Surface,
    /// Its name.
    pub name: String,
}

/// Why the breaker tripped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trip {
    /// A target is driven again to a state that was undone.
    Flapping {
        /// The target.
        target: String,
    },
    /// Too many denials in a row.
    Denials {
        /// How many.
        count: u32,
    },
    /// What was denied is tried again in a stronger form.
    Stronger {
        /// What was denied.
        denied: String,
        /// In what it is stronger.
        how: Vec<String>,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self { denials: 3 }
    }
}

impl Breaker {
    /// Everything that halts the session here.
    #[must_use]
    pub fn trips(self, proposal: &Proposal, history: &History) -> Vec<Trip> {
        let mut trips: Vec<Trip> = flapping(proposal, history).into_iter().collect();
        if self.denials > 0 && history.denials_in_a_row >= self.denials {
            trips.push(Trip::Denials {
                count: history.denials_in_a_row,
            });
        }
        trips.extend(stronger(proposal, history));
        trips
    }
}

fn flapping(proposal: &Proposal, history: &History) -> Option<Trip> {
    let places = Surface::ALL
        .into_iter()
        .filter(|surface| same_place(*surface, proposal.surface));
    let places: Vec<Surface> = places.collect();
    let again = proposal.drives.iter().find(|driven| {
        places.iter().any(|surface| {
            history.undone.contains(&Undone {
                surface: *surface,
                target: driven.target.clone(),
                state: driven.state,
            })
        })
    })?;
    Some(Trip::Flapping {
        target: again.target.clone(),
    })
}

/// Whether a proposal is a denied action in a stronger form: it has a target in common with one (the same, one around
/// it or one within it), is not weaker in operation or class, and is stronger in at least one of: operation, class,
/// a wider target, a force flag that the denied one had not, another way (a different kind of action) to the same.
#[must_use]
pub(crate) fn stronger(proposal: &Proposal, history: &History) -> Option<Trip> {
    if history.denied.is_empty() {
        return None;
    }
    let now = Attempt::from(proposal);
    history.denied.iter().rev().take(MOST_DENIED).find_map(|denied| {
        let how = how_stronger(&now, denied)?;
        Some(Trip::Stronger {
            denied: denied.text.clone(),
            how,
        })
    })
}

/// So many of the latest denials are compared with. A session is halted long before it has that many.
const MOST_DENIED: usize = 100;

const MOST_PAIRS: usize = 1_000_000;

fn how_stronger(now: &Attempt, denied: &Attempt) -> Option<Vec<String>> {
    // With more pairs of targets than can be looked at, they are taken to have one in common.
    let too_many = now.targets.len().saturating_mul(denied.targets.len()) > MOST_PAIRS;
    let overlaps = too_many
        || now
            .targets
            .iter()
            .any(|one| denied.targets.iter().any(|two| one.overlaps(two)));
    let weaker = now.operation < denied.operation || now.severity < denied.severity;
    if !overlaps || weaker || now.digest == denied.digest {
        return None;
    }
    let mut how = Vec::new();
    if now.operation > denied.operation {
        how.push(format!(
            "{} instead of {}",
            now.operation.name(),
            denied.operation.name()
        ));
    }
    if now.severity > denied.severity {
        how.push(format!(
            "{} instead of {}",
            now.severity.name(),
            denied.severity.name()
        ));
    }
    let wider = |one: &&Target| denied.targets.iter().any(|two| one.is_around(two));
    if let Some(target) = now.targets.iter().filter(|_| !too_many).find(wider) {
        how.push(format!("`{}` is wider", target.name));
    }
    how.extend(
        now.force
            .difference(&denied.force)
            .map(|flag| format!("with `{flag}`")),
    );
    if now.kind != denied.kind {
        how.push(format!("by `{}` instead of `{}`", now.kind, denied.kind));
    }
    (!how.is_empty()).then_some(how)
}

/// Files and shell are two views of the same names.
fn same_place(one: Surface, two: Surface) -> bool {
    let local = |surface| matches!(surface, Surface::Files | Surface::Shell);
    one == two || (local(one) && local(two))
}

impl Target {
    fn overlaps(&self, other: &Self) -> bool {
        same_place(self.surface, other.surface)
            && (self.name == other.name || within(&self.name, &other.name) || within(&other.name, &self.name))
    }

    fn is_around(&self, other: &Self) -> bool {
        same_place(self.surface, other.surface) && within(&other.name, &self.name)
    }
}

/// Whether a name lies within another: below it as a path, or in what its stars stand for.
fn within(inner: &str, outer: &str) -> bool {
    let folder = outer.strip_suffix('/').unwrap_or(outer);
    let below = inner
        .strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/') && rest.len() > 1);
    let starred = outer.contains('*') && inner != outer && rescind_model::Pattern::new(outer).fits(inner);
    below || starred
}

impl From<&Proposal> for Attempt {
    fn from(proposal: &Proposal) -> Self {
        let target = |name: &String| Target {
            surface: proposal.surface,
            name: name.clone(),
        };
        Self {
            digest: proposal.digest,
            text: proposal.text.clone(),
            operation: proposal.operation,
            kind: proposal.kind.clone(),
            severity: proposal.severity(),
            targets: proposal.targets.iter().map(target).collect(),
            force: proposal.force.clone(),
        }
    }
}

impl fmt::Display for Trip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flapping { target } => {
                write!(f, "`{target}` is driven again to a state that was undone")
            }
            Self::Denials { count } => write!(f, "{count} actions in a row were denied"),
            Self::Stronger { denied, how } => {
                write!(
                    f,
                    "`{denied}` was denied, and this is a stronger form of it: {}",
                    how.join(", ")
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
