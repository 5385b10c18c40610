//! Effects: what an action did to one resource.

use crate::{ActionId, State, Surface};
use std::fmt;

/// One resource of a surface, by a key that the surface's driver understands and a name that people do.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceId {
    /// The surface it is on.
    pub surface: Surface,
    /// The driver's key. Equal keys are the same resource; the bytes mean nothing to anybody else.
    pub key: Vec<u8>,
}

/// The place of an effect in its session's order of events: the order in which the changes were captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(pub u64);

/// What became of an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// `after` was read back once the action had ended or moved on.
    Observed,
    /// The intent is known and the outcome is not: resolved by reading the state, never by guessing. `after` is the
    /// state that was intended where the intent says it, else the same as `before`.
    InDoubt,
    /// Nothing was captured before the change: `before` is unknown and can't be restored.
    NotCaptured,
}

/// What an action did to one resource: the state before, and the state it left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// The action that did it.
    pub action: ActionId,
    /// Its place in the session's order.
    pub seq: Seq,
    /// The resource.
    pub resource: ResourceId,
    /// What people call the resource, at the time of the effect: a path.
    pub name: String,
    /// The state before.
    pub before: State,
    /// The state the action left.
    pub after: State,
    /// What is known of it.
    pub outcome: Outcome,
}

/// Which effect it is: its action and its place in the session.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EffectId {
    /// The action that did it.
    pub action: ActionId,
    /// Its place in the session's order.
    pub seq: Seq,
}

impl Effect {
    /// Which effect it is.
    #[must_use]
    pub fn id(&self) -> EffectId {
        EffectId {
            action: self.action.clone(),
            seq: self.seq,
        }
    }
}

impl fmt::Debug for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.surface.name(),
            String::from_utf8_lossy(&self.key)
        )
    }
}
