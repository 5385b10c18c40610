//! What is to be taken back: filters on the effects of a session.

use crate::Pattern;
use rescind_model::{ActionId, Effect, ResourceId, Seq, SessionId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The effects of a session to take back: those that pass every filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    session: SessionId,
    filters: Vec<Filter>,
}

/// One filter on effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// The effects of these actions.
    Only(BTreeSet<ActionId>),
    /// The effects of this action and everything after: of actions that started later, and what earlier ones did after
    /// the first of them.
    From(ActionId),
    /// The effects on resources of which a name they had in the session matches.
    Path(Pattern),
}

/// Effects, divided by a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// All effects that are known, in the order of the ledger.
    pub effects: Vec<Effect>,
    /// For each of them, whether it is in the scope.
    pub inside: Vec<bool>,
}

impl Split {
    /// All of these effects are in the scope: an undo of an undo.
    #[must_use]
    pub fn all(effects: Vec<Effect>) -> Self {
        let inside = vec![true; effects.len()];
        Self { effects, inside }
    }

    /// The effects in the scope.
    pub fn inside(&self) -> impl Iterator<Item = &Effect> {
        self.effects
            .iter()
            .zip(&self.inside)
            .filter(|(_, inside)| **inside)
            .map(|(effect, _)| effect)
    }

    /// Whether the scope has no effects.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.inside.contains(&true)
    }

    /// The effects of each session in the order of their `seq`, the order between sessions as it is given: each with
    /// whether it is in the scope.
    pub(crate) fn in_order(&self) -> Vec<(&Effect, bool)> {
        let all = || self.effects.iter().zip(self.inside.iter().copied());
        let mut queues: BTreeMap<&SessionId, Vec<(&Effect, bool)>> = BTreeMap::new();
        for (effect, inside) in all() {
            queues
                .entry(&effect.action.session)
                .or_default()
                .push((effect, inside));
        }
        for queue in queues.values_mut() {
            queue.sort_by_key(|(effect, _)| std::cmp::Reverse(effect.seq));
        }
        all()
            .filter_map(|(effect, _)| queues.get_mut(&effect.action.session)?.pop())
            .collect()
    }
}

impl Scope {
    /// Everything a session did.
    #[must_use]
    pub fn session(session: SessionId) -> Self {
        Self {
            session,
            filters: Vec::new(),
        }
    }

    /// The same scope, narrowed.
    #[must_use]
    pub fn and(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// The session.
    #[must_use]
    pub fn session_id(&self) -> &SessionId {
        &self.session
    }

    /// Divide `effects`, which are in the order of the ledger: those of the session, and of others on the same resources
    /// as far as they are known. Effects of other sessions are never inside.
    #[must_use]
    pub fn split(&self, effects: Vec<Effect>) -> Split {
        let own: Vec<&Effect> = effects
            .iter()
            .filter(|effect| effect.action.session == self.session)
            .collect();
        let tests: Vec<Test<'_>> = self.filters.iter().map(|filter| filter.over(&own)).collect();
        let passes = |effect: &Effect| {
            effect.action.session == self.session && tests.iter().all(|test| test.passes(effect))
        };
        let inside = effects.iter().map(passes).collect();
        drop(tests);
        Split { effects, inside }
    }
}

/// A filter, made ready for the effects of one session.
enum Test<'a> {
    Only(&'a BTreeSet<ActionId>),
    From { number: u64, start: Option<Seq> },
    On(BTreeSet<&'a ResourceId>),
}

impl Filter {
    fn over<'a>(&'a self, own: &[&'a Effect]) -> Test<'a> {
        match self {
            Self::Only(actions) => Test::Only(actions),
            Self::From(action) => {
                let after = own.iter().filter(|effect| effect.action.number >= action.number);
                Test::From {
                    number: action.number,
                    start: after.map(|effect| effect.seq).min(),
                }
            }
            Self::Path(pattern) => {
                let matching = own.iter().filter(|effect| pattern.matches(&effect.name));
                Test::On(matching.map(|effect| &effect.resource).collect())
            }
        }
    }
}

impl Test<'_> {
    fn passes(&self, effect: &Effect) -> bool {
        match self {
            Self::Only(actions) => actions.contains(&effect.action),
            Self::From { number, start } => {
                effect.action.number >= *number || start.is_some_and(|start| effect.seq >= start)
            }
            Self::On(resources) => resources.contains(&effect.resource),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "session {}", self.session)?;
        for filter in &self.filters {
            match filter {
                Filter::Only(actions) => {
                    let actions: Vec<String> = actions.iter().map(ToString::to_string).collect();
                    write!(f, ", only {}", actions.join(" "))?;
                }
                Filter::From(action) => write!(f, ", from {action}")?,
                Filter::Path(pattern) => write!(f, ", path {}", pattern.as_str())?,
            }
        }
        Ok(())
    }
}
