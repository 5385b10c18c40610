//! `rescind discard`: give up what a session changed on its stage.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::Out;
use crate::staging::in_turn;
use clap::Args;
use rescind_files::stage::Stage;
use rescind_supervisor::entry::EntryKind;
use serde_json::json;

/// Arguments of `rescind discard`.
#[derive(Debug, Clone, Args)]
pub struct DiscardArgs {
    /// The session, by its id or a part of it
    pub session: String,
}

/// Discard.
///
/// # Errors
/// The session is not found, has no stage, still runs, or its stage can't be removed.
pub fn run(context: &Context, args: &DiscardArgs) -> Done {
    let store = context.store_outside()?;
    let (found, _turn) = in_turn(&store, &args.session)?;
    let id = &found.view.id;
    store.note(EntryKind::StageDiscarded, id, "everything on it".to_owned())?;
    Stage::remove(&found.stage.root)?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"session_id": id.to_string(), "discarded": true}))?;
    } else {
        out.line(format!(
            "the stage of session {id} is gone; nothing of it was real"
        ))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}
