//! `rescind release`: go on without the server that was in charge.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::Out;
use crate::stopping;
use clap::Args;
use serde_json::json;

/// Arguments of `rescind release`.
#[derive(Debug, Clone, Args)]
pub struct ReleaseArgs {}

/// Hand control back to the board alone: what is held because the server is gone goes on. Stops stay in force.
///
/// # Errors
/// This process is part of a session, or there is no board.
pub fn run(context: &Context, _args: &ReleaseArgs) -> Done {
    let control = stopping::control_outside(context)?;
    let was = control.release()?;
    let mut out = Out::new();
    if context.json {
        out.json(&json!({"released": was}))?;
    } else if was {
        out.line("no server is in charge any more: what was held for it goes on; stops stay in force")?;
    } else {
        out.line("no server was in charge")?;
    }
    out.end()?;
    Ok(Exit::Ok)
}
