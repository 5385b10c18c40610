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

/// The effects of a session, divided by a scope.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Split {
    /// To take back.
    pub inside: Vec<Effect>,
    /// Effects after the first of these that are not in the scope: whoever made them may have built on what is taken back.
    pub later: Vec<Effect>,
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

    /// Divide `effects`, which are in the order in which they were recorded. Effects of other sessions are never inside,
    /// and are later ones if they come after one that is.
    #[must_use]
    pub fn split(&self, effects: &[Effect]) -> Split {
        let own: Vec<&Effect> = effects
            .iter()
            .filter(|effect| effect.action.session == self.session)
            .collect();
        let tests: Vec<Test<'_>> = self.filters.iter().map(|filter| filter.over(&own)).collect();
        let mut split = Split::default();
        for effect in effects {
            let inside =
                effect.action.session == self.session && tests.iter().all(|test| test.passes(effect));
            if inside {
                split.inside.push(effect.clone());
            } else if !split.inside.is_empty() {
                split.later.push(effect.clone());
            }
        }
        split
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

/// Put the effects of each session into the order of their `seq`, leaving the order between sessions as it is given:
/// the order of the ledger.
pub(crate) fn in_order(effects: &[Effect]) -> Vec<&Effect> {
    let mut queues: BTreeMap<&SessionId, Vec<&Effect>> = BTreeMap::new();
    for effect in effects {
        queues.entry(&effect.action.session).or_default().push(effect);
    }
    for queue in queues.values_mut() {
        queue.sort_by_key(|effect| std::cmp::Reverse(effect.seq));
    }
    effects
        .iter()
        .filter_map(|effect| queues.get_mut(&effect.action.session)?.pop())
        .collect()
}
