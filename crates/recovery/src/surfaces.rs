//! The surfaces an undo may touch.

use rescind_model::ResourceId;
use rescind_supervisor::{Caller, Driver};

/// The resource halves of the surfaces that are at hand.
#[derive(Default)]
pub struct Surfaces<'a> {
    /// What restores resources, one for each surface.
    pub drivers: Vec<&'a dyn Driver>,
    /// What makes compensating calls.
    pub callers: Vec<&'a dyn Caller>,
}

impl<'a> Surfaces<'a> {
    /// The driver that knows a resource.
    #[must_use]
    pub fn driver(&self, resource: &ResourceId) -> Option<&'a dyn Driver> {
        self.drivers
            .iter()
            .copied()
            .find(|driver| driver.surface() == resource.surface)
    }
}
