//! The decisions of a person before an undo: each conflict, then the whole.

use super::prepare::Prepared;
use super::scope::Decide;
use super::show::print_conflict;
use crate::error::{Code, Done, Failure};
use crate::out::{Out, ask, can_ask, say};
use rescind_recovery::{OnConflict, Plan};

/// What came of asking.
pub enum Decision {
    /// Apply this plan.
    Apply(Box<Plan>),
    /// Leave everything as it is.
    Leave,
}

/// Have the open conflicts of a plan decided and the whole confirmed. The scope's arguments then say what was decided.
///
/// # Errors
/// There are open conflicts and nobody to ask, or `--yes` is missing and nobody is there to ask.
pub fn decide(prepared: &mut Prepared<'_>, plan: Plan, yes: bool) -> Done<Decision> {
    let plan = if plan.undecided() > 0 {
        if !can_ask() {
            return Err(undecided(plan.undecided()));
        }
        match conflicts(prepared, &plan)? {
            Some(plan) => plan,
            None => return Ok(Decision::Leave),
        }
    } else {
        plan
    };
    if yes || plan.is_empty() {
        return Ok(Decision::Apply(Box::new(plan)));
    }
    if !can_ask() {
        return Err(Failure::new(Code::NeedsYes, "there is no terminal to ask on")
            .help("look at the plan above and give the command with --yes"));
    }
    let question = if plan.dependents.is_empty() {
        "apply this? [y/N]"
    } else {
        "later actions built on this; apply it? [y/N]"
    };
    match ask(question)?.as_deref() {
        Some("y" | "yes") => Ok(Decision::Apply(Box::new(plan))),
        _ => Ok(Decision::Leave),
    }
}

/// What is said where conflicts are open and nobody can be asked.
#[must_use]
pub fn undecided(count: usize) -> Failure {
    let what = if count == 1 {
        "conflict is"
    } else {
        "conflicts are"
    };
    Failure::new(Code::Conflicts, format!("{count} {what} to be decided first"))
        .help(
            "--on-conflict keep leaves what is there now, --on-conflict restore brings the state before back",
        )
        .help("--path and --only narrow what is undone")
}

/// Ask about each conflict. Where the answers differ, paths of which the present state is to be kept are left wholly as
/// they are, and the rest is restored.
fn conflicts(prepared: &mut Prepared<'_>, plan: &Plan) -> Done<Option<Plan>> {
    let mut kept = Vec::new();
    for conflict in &plan.conflicts {
        let mut out = Out::new();
        print_conflict(&mut out, conflict)?;
        out.end()?;
        loop {
            match ask("keep what is there now, restore what was before, or quit? [k/r/q]")?.as_deref() {
                Some("k" | "keep") => kept.push(conflict.name.clone()),
                Some("r" | "restore") => {}
                Some("q" | "quit") | None => return Ok(None),
                Some(_) => continue,
            }
            break;
        }
    }
    if kept.len() == plan.conflicts.len() {
        prepared.decided(Decide::Keep, Vec::new())?;
    } else {
        prepared.decided(Decide::Restore, kept)?;
    }
    let torn: Vec<_> = plan.held.iter().filter(|held| held.tears()).collect();
    if !torn.is_empty() {
        say("what stands in the way of the following stays, and so do they:");
        for held in torn {
            say(format!("  {}", crate::text::clean(&held.held.step.name)));
        }
    }
    Ok(Some(prepared.plan(OnConflict::from(prepared.args.on_conflict))))
}
