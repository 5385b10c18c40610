//! `rescind plan`: what an undo would do. Touches nothing.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, say};
use crate::text::{command_line, local_time};
use crate::undoing::{Prepared, ScopeArgs, plan_json, print_plan};
use clap::Args;
use rescind_recovery::OnConflict;
use rescind_supervisor::{Life, SessionView};

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
    let view = prepared.view()?;
    if view.life() == Life::Running {
        say(format!(
            "rescind: session {} is running; an undo stops it first, and its plan may be another",
            view.id
        ));
    }
    let mut out = Out::new();
    if context.json {
        out.json(&plan_json(&prepared.session, &plan))?;
    } else {
        print_plan(&mut out, &prepared.session, &head(view), &plan)?;
    }
    out.end()?;
    Ok(if plan.undecided() > 0 {
        Exit::Conflicts
    } else {
        Exit::Ok
    })
}

/// The session in a few words.
#[must_use]
pub fn head(view: &SessionView) -> String {
    format!(
        "({}, {})",
        command_line(&view.opened.argv),
        local_time(&view.opened.time)
    )
}
