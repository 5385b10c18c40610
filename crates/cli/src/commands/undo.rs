//! `rescind undo`: take back a session, or a part of it.

use super::plan::head;
use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::health;
use crate::history::receipt_json;
use crate::out::{Out, ask, can_ask, say};
use crate::undoing::{
    Applied, Cause, Decision, Prepared, ScopeArgs, apply, decide, plan_json, print_plan, print_receipt, stop,
};
use clap::Args;
use rescind_model::SessionId;
use rescind_recovery::{OnConflict, Plan};
use rescind_supervisor::Store;
use serde_json::json;

/// Arguments of `rescind undo`.
#[derive(Debug, Clone, Args)]
pub struct UndoArgs {
    /// What to take back
    #[command(flatten)]
    pub scope: ScopeArgs,
    /// Apply without asking
    #[arg(long, short)]
    pub yes: bool,
    /// Let a session that is running go on, and take back what it has done up to now
    #[arg(long)]
    pub keep_running: bool,
    /// Only if the plan is this one: its `digest`, as `plan --json` has it
    #[arg(long, value_name = "DIGEST")]
    pub plan: Option<String>,
    /// In whose name, where it is given for somebody who has signed in elsewhere
    #[arg(long, hide = true, value_name = "NAME")]
    pub by: Option<String>,
    /// Say how far it is, as JSON lines on stderr
    #[arg(long, hide = true)]
    pub progress: bool,
    /// Only show the plan
    #[arg(long, short = 'n')]
    pub dry_run: bool,
}

/// Plan, show, ask, apply, prove.
///
/// # Errors
/// What is asked for is not found, is refused, or could not be recorded.
pub fn run(context: &Context, args: &UndoArgs) -> Done {
    if args.dry_run {
        return super::plan::run(
            context,
            &super::plan::PlanArgs {
                scope: args.scope.clone(),
            },
        );
    }
    let store = context.store_outside()?;
    if let Some(name) = &args.by {
        crate::person::act_for(name)?;
    }
    let mut prepared = Prepared::new(&store, &args.scope, true)?;
    prepared.lines = args.progress;
    // Nobody's session is stopped for a plan that nobody would apply.
    if let Some(shown) = &args.plan {
        is_as_shown(&prepared, shown)?;
    }
    let running = prepared.running();
    if !running.is_empty() && !args.keep_running {
        match stopped(context, &store, prepared, &running, args)? {
            Some(again) => {
                prepared = again;
                prepared.lines = args.progress;
                if let Some(shown) = &args.plan {
                    is_as_shown(&prepared, shown)?;
                }
            }
            None => return Ok(Exit::Failed),
        }
    }
    let plan = prepared.plan(OnConflict::from(prepared.args.on_conflict));
    if !context.json || !args.yes {
        show(context, &prepared, &plan)?;
    }
    let plan = match decide(&mut prepared, plan, args.yes)? {
        Decision::Apply(plan) => plan,
        Decision::Leave => {
            say("nothing was changed");
            return Ok(Exit::Failed);
        }
    };
    if plan.is_empty() && prepared.resume.is_none() {
        return nothing(context, &prepared, &plan);
    }
    let Applied {
        undo,
        receipt,
        reached,
    } = apply(&prepared, &plan, Cause::Person)?;
    let mut out = Out::new();
    if context.json {
        let plan = plan_json(&prepared, &plan);
        out.json(&json!({
            "undo": undo.to_string(),
            "session_id": prepared.session.to_string(),
            "plan": plan,
            "receipt": receipt_json(&receipt)?,
            "target": reached.target,
            "health": health::json(&reached.checks),
        }))?;
    } else {
        print_receipt(&mut out, &undo, &receipt)?;
        health::print(&mut out, &reached.checks)?;
    }
    out.end()?;
    // Its log is closed with it.
    drop(prepared);
    if let Some(said) = super::prune::give_back(&store, &undo)? {
        say(format!("rescind: {said}"));
    }
    Ok(if !receipt.complete() {
        Exit::Incomplete
    } else if !health::all_passed(&reached.checks) {
        Exit::Unhealthy
    } else {
        Exit::Ok
    })
}

/// Whether the plan is the one that somebody was shown: what is decided about conflicts is not part of what is shown.
///
/// # Errors
/// It is another one.
fn is_as_shown(prepared: &Prepared<'_>, shown: &str) -> Done<()> {
    let asking = prepared.plan(OnConflict::Ask);
    if asking.digest().to_string() == shown {
        return Ok(());
    }
    Err(Failure::new(
        Code::PlanChanged,
        "what an undo would do has changed since it was shown",
    )
    .help("look at the plan again: `rescind plan`"))
}

/// The plan: an answer where nothing follows it, else talk.
fn show(context: &Context, prepared: &Prepared<'_>, plan: &Plan) -> Done<()> {
    let mut out = Out::new();
    if context.json {
        out.json(&plan_json(prepared, plan))?;
    } else {
        print_plan(&mut out, prepared, &head(prepared), plan)?;
    }
    out.end()
}

/// There is nothing left to take back: no session is made of it.
fn nothing(context: &Context, prepared: &Prepared<'_>, plan: &Plan) -> Done {
    if context.json {
        let mut out = Out::new();
        let plan = plan_json(prepared, plan);
        out.json(
            &json!({"undo": null, "session_id": prepared.session.to_string(), "plan": plan, "receipt": null}),
        )?;
        out.end()?;
    }
    let whole = plan.lost.is_empty() && plan.conflicts.is_empty();
    Ok(if whole { Exit::Ok } else { Exit::Incomplete })
}

/// Stop the running sessions and prepare again from where they ended; `None`: the person would rather not.
fn stopped<'s>(
    context: &Context,
    store: &'s Store,
    prepared: Prepared<'s>,
    running: &[SessionId],
    args: &UndoArgs,
) -> Done<Option<Prepared<'s>>> {
    let names: Vec<String> = running.iter().map(ToString::to_string).collect();
    let names = names.join(", ");
    if !args.yes {
        if !can_ask() {
            let plan = prepared.plan(OnConflict::from(prepared.args.on_conflict));
            show(context, &prepared, &plan)?;
            return Err(Failure::new(
                Code::NeedsYes,
                format!("session {names} is running and would be stopped first"),
            )
            .help("give the command with --yes to stop it and undo it"));
        }
        let answer = ask(&format!("session {names} is running; stop it now? [y/N]"))?;
        if !matches!(answer.as_deref(), Some("y" | "yes")) {
            say("nothing was changed");
            return Ok(None);
        }
    }
    for id in running {
        match stop(store, id, false) {
            Ok(()) => say(format!("rescind: session {id} was stopped")),
            // It ended by itself meanwhile.
            Err(failure) if failure.is(Code::NotRunning) => {}
            Err(failure) => return Err(failure),
        }
    }
    let mut scope = args.scope.clone();
    if scope.is_wide() {
        scope = prepared.args.clone();
    } else {
        scope.session = Some(prepared.session.to_string());
    }
    drop(prepared);
    Prepared::new(store, &scope, true).map(Some)
}
