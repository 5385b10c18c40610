//! `rescind plan`: what an undo would do. Touches nothing.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, say};
use crate::text::local_time;
use crate::undoing::{Prepared, ScopeArgs, plan_json, print_plan};
use clap::Args;
use rescind_model::command_line;
use rescind_recovery::OnConflict;

/// Arguments of `rescind plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// What to take back
    #[command(flatten)]
    pub scope: ScopeArgs,
}

/// Print the plan; exit code 3 where there is something to decide.
///
/// # Errors
/// What is asked for is not found or can't be read.
pub fn run(context: &Context, args: &PlanArgs) -> Done {
    let store = context.store()?;
    let prepared = Prepared::new(&store, &args.scope, false)?;
    let plan = prepared.plan(OnConflict::from(prepared.args.on_conflict));
    for id in prepared.running() {
        say(format!(
            "rescind: session {id} is running; an undo stops it first, and its plan may be another"
        ));
    }
    let mut out = Out::new();
    if context.json {
        out.json(&plan_json(&prepared, &plan))?;
    } else {
        print_plan(&mut out, &prepared, &head(&prepared), &plan)?;
    }
    out.end()?;
    Ok(if plan.undecided() > 0 {
        Exit::Conflicts
    } else {
        Exit::Ok
    })
}

/// The session in a few words, or the oldest of several.
#[must_use]
pub fn head(prepared: &Prepared<'_>) -> String {
    let views = prepared.views();
    let Some((first, others)) = views.split_first() else {
        return String::new();
    };
    let one = format!(
        "{}, {}",
        command_line(&first.opened.argv),
        local_time(&first.opened.time)
    );
    if others.is_empty() {
        format!("({one})")
    } else {
        format!("(the oldest: {one})")
    }
}
