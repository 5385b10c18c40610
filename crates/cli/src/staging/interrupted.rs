//! Promotions that did not come to their end: they are taken back before anything else is done with the stage.

use super::Staged;
use crate::error::{Code, Done, Failure};
use crate::out::say;
use crate::undoing::{Cause, Prepared, ScopeArgs, apply};
use rescind_model::SessionId;
use rescind_recovery::OnConflict;
use rescind_supervisor::journal::ExitForm;
use rescind_supervisor::{Life, SessionView, Store, opened};

/// Take back what promotions of this stage left that were interrupted. To be called in turn.
///
/// # Errors
/// Somebody else has changed what such a promotion had made real; or it can't be taken back.
pub fn settle(store: &Store, staged: &Staged) -> Done<()> {
    let own = staged.view.id.to_string();
    for id in store
        .sessions()?
        .iter()
        .rev()
        .take_while(|id| **id > staged.view.id)
    {
        let is_promotion = opened(store, id).is_ok_and(|opened| opened.promotes.as_ref() == Some(&own));
        if is_promotion && is_half_done(store, id)? && take_back(store, id)? {
            say(format!(
                "rescind: promotion {id} did not come to its end; what it had done is taken back"
            ));
        }
    }
    Ok(())
}

/// Whether a promotion has not come to its end.
fn is_half_done(store: &Store, id: &SessionId) -> Done<bool> {
    let view = SessionView::load(store, id)?;
    if view.life() == Life::Running {
        // Its processes have ended, or it would still be somebody's turn.
        crate::undoing::stop(store, id, true).or_else(|failure| {
            if failure.is(Code::NotRunning) {
                Ok(())
            } else {
                Err(failure)
            }
        })?;
        return is_half_done(store, id);
    }
    let ended = view.ended.map(|ended| ended.exit);
    Ok(ended != Some(ExitForm::Code(0)))
}

/// Take back a promotion as a whole; whether there was anything left to take back.
fn take_back(store: &Store, promotion: &SessionId) -> Done<bool> {
    let scope = ScopeArgs {
        session: Some(promotion.to_string()),
        ..ScopeArgs::default()
    };
    let prepared = Prepared::new(store, &scope, true)?;
    let plan = prepared.plan(OnConflict::Ask);
    if plan.is_empty() && prepared.resume.is_none() {
        return Ok(false);
    }
    let not_whole = |why: String| {
        Failure::new(Code::StageConflicts, why)
            .means("part of the promotion is real, and all of it is on record")
            .help(format!(
                "`rescind undo {promotion}` shows what stands against it, and asks"
            ))
    };
    if !plan.conflicts.is_empty() || !plan.lost.is_empty() {
        return Err(not_whole(format!(
            "promotion {promotion} was interrupted, and somebody else has changed what it had made real"
        )));
    }
    let applied = apply(&prepared, &plan, Cause::Failure)?;
    if applied.receipt.proved() {
        return Ok(true);
    }
    Err(not_whole(format!(
        "promotion {promotion} was interrupted, and could not be taken back as a whole"
    )))
}
