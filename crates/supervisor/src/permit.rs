//! The evidence that an action was judged, captured and recorded, which every executing function demands.

use rescind_model::ActionId;

/// Leave to carry out one action. Only this crate can make one, and it does so after the action's intent is in the
/// ledger, so that holding a `Permit` is proof of laws 1 and 2. Not `Clone`: it is lent, never copied.
#[derive(Debug)]
pub struct Permit {
    action: ActionId,
}

impl Permit {
    /// Made where the intent of `action` has just become durable.
    pub(crate) fn for_recorded(action: ActionId) -> Self {
        Self { action }
    }

    /// The action it is for.
    #[must_use]
    pub fn action(&self) -> &ActionId {
        &self.action
    }
}
