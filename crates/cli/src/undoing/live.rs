//! Taking back an action that failed while its session goes on.

use super::{Applied, Cause, Prepared, ScopeArgs, apply};
use crate::error::Done;
use crate::undoing::scope::Decide;
use rescind_model::ActionId;
use rescind_recovery::OnConflict;
use rescind_supervisor::{Store, Undo};
use std::sync::{Arc, Mutex, PoisonError};

/// Undoes from within the supervisor of a session, one at a time. What others changed since stays.
pub struct LiveUndo {
    store: Arc<Store>,
    busy: Mutex<()>,
}

impl LiveUndo {
    /// In this store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            busy: Mutex::new(()),
        }
    }

    fn take_back(&self, action: &ActionId) -> Done<String> {
        let args = ScopeArgs {
            session: Some(action.session.to_string()),
            only: vec![action.to_string()],
            on_conflict: Decide::Keep,
            ..ScopeArgs::default()
        };
        let prepared = Prepared::new(&self.store, &args, true)?;
        let plan = prepared.plan(OnConflict::from(prepared.args.on_conflict));
        if plan.is_empty() && prepared.resume.is_none() {
            return Ok("it had changed nothing that is to be undone".to_owned());
        }
        let Applied { undo, receipt, .. } = apply(&prepared, &plan, Cause::Failure)?;
        let whole = if receipt.complete() {
            "undone"
        } else {
            "undone in part"
        };
        Ok(format!("{whole}, by undo {undo}"))
    }
}

impl Undo for LiveUndo {
    fn undo(&self, action: &ActionId, _why: &str) -> Result<String, String> {
        let _one_at_a_time = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_back(action)
            .map_err(|failure| failure.message().to_owned())
    }
}
