//! `rescind resume`: what was taken back of a session and why, for the agent to try again, if its domain is healthy.

mod go_on;

use crate::changes::summary;
use crate::context::{self, Context};
use crate::error::{Code, Done, Failure};
use crate::exit::Exit;
use crate::health::{self, Checks};
use crate::history::{History, receipt, receipt_json};
use crate::out::{Out, bold, dim, green, red, yellow};
use crate::record::{SystemStep, exit_word, system_steps};
use crate::stopping::StopScopeArgs;
use crate::text::{clean, clean_lines, count, local_time};
use clap::Args;
use rescind_model::ActionId;
use rescind_supervisor::journal::CheckForm;
use rescind_supervisor::{Life, SessionView};
use serde_json::{Value, json};

/// Arguments of `rescind resume`.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// The session, by its id or a part of it; the last run if none is given
    #[arg(conflicts_with = "stopped")]
    pub session: Option<String>,
    /// Let this session go on that is paused
    #[arg(long = "session", value_name = "SESSION", group = "stopped", requires = "why")]
    pub paused: Option<String>,
    /// Or what else is paused or killed.
    #[command(flatten)]
    pub scope: StopScopeArgs,
    /// Why it may go on, for the record
    #[arg(long, value_name = "TEXT", requires = "stopped")]
    pub why: Option<String>,
}

/// How many paths are named for a person.
const PATHS: usize = 40;

/// Say what was undone and why, run the health checks, and say whether to go on.
///
/// # Errors
/// Nothing of the session is undone, its undo is not finished, or a health check failed.
pub fn run(context: &Context, args: &ResumeArgs) -> Done {
    if args.paused.is_some() || args.scope.scope().is_some() {
        return go_on::run(context, args);
    }
    let store = context.store_outside()?;
    let id = context::session(&store, args.session.as_deref())?;
    let history = History::load(&store, &id)?;
    let view = history.session(&id)?;
    if view.life() == Life::Running {
        let message = format!("session {id} is still running");
        return Err(Failure::new(Code::SessionBusy, message).help("it needs no resuming"));
    }
    if let Some(undo) = history.unfinished(&id) {
        let message = format!("undo {} of session {id} was interrupted", undo.id);
        return Err(
            Failure::new(Code::UndoIncomplete, message).help(format!("`rescind undo {id}` goes on with it"))
        );
    }
    let undos = in_force(&history, view);
    if undos.is_empty() {
        let message = format!("nothing of session {id} is undone");
        return Err(Failure::new(Code::NothingUndone, message).help(format!(
            "`rescind undo {id} --to last-good` goes back to where nothing had failed"
        )));
    }
    let checks = Checks::of_user().run([view.opened.domain.as_str()]);
    let go = health::all_passed(&checks);
    let mut out = Out::new();
    if context.json {
        out.json(&json(view, &undos, &checks)?)?;
    } else {
        print(&mut out, view, &undos, &checks)?;
    }
    out.end()?;
    if go {
        return Ok(Exit::Ok);
    }
    let failed = checks.iter().filter(|check| !check.passed).count() as u64;
    Err(Failure::new(
        Code::HealthFailed,
        format!(
            "{} failed; session {id} is not to be resumed",
            count(failed, "health check", "health checks")
        ),
    )
    .help("mend what they say, then give the command again"))
}

/// The undos of a session that were not themselves taken back, oldest first.
fn in_force<'h>(history: &'h History, view: &SessionView) -> Vec<&'h SessionView> {
    let own = view.id.to_string();
    let undos = history.sessions.iter();
    let undos = undos.filter(|undo| undo.opened.undoes.as_ref() == Some(&own));
    undos.filter(|undo| in_force(history, undo).is_empty()).collect()
}

fn print(out: &mut Out, view: &SessionView, undos: &[&SessionView], checks: &[CheckForm]) -> Done<()> {
    let verdict = if health::all_passed(checks) {
        green("go on")
    } else {
        red("do not go on")
    };
    out.line(format!("session {}: {}", view.id, bold(&verdict)))?;
    for undo in undos {
        let began = local_time(&undo.opened.time);
        out.line(format!("\nundone by {} {}", undo.id, dim(&began)))?;
        if let Some(scope) = &undo.opened.scope {
            out.line(format!("  what: {}", clean(scope)))?;
        }
        if let Some(target) = undo.reached.as_ref().and_then(|reached| reached.target.as_ref()) {
            if let Some(why) = Failed::of(view, &target.failed) {
                out.line(format!("  why: {} failed: {}", clean(&why.command), why.how))?;
                for line in clean_lines(&why.said).lines() {
                    out.line(dim(&format!("    {line}")))?;
                }
            }
            out.line(format!("  now: {}", state(view, target.after.as_deref())))?;
        }
        let steps = system_steps(undo);
        out.line(format!(
            "  {} taken back",
            count(steps.len() as u64, "path", "paths")
        ))?;
        for step in steps.iter().take(PATHS) {
            out.line(format!("    {}: {}", step.end, clean(&step.name)))?;
        }
        if steps.len() > PATHS {
            out.line(dim(&format!(
                "    {} more: rescind log {}",
                steps.len() - PATHS,
                undo.id
            )))?;
        }
        let proved = receipt(undo).is_some_and(rescind_supervisor::Receipt::proved);
        if !proved {
            out.line(yellow(&format!(
                "  not all of it came back: rescind log {}",
                undo.id
            )))?;
        }
    }
    if !checks.is_empty() {
        out.line("")?;
    }
    health::print(out, checks)
}

/// The state that an undo led to.
fn state(view: &SessionView, after: Option<&str>) -> String {
    let action = after.and_then(|after| after.parse::<ActionId>().ok());
    match action {
        None => "as before its first action".to_owned(),
        Some(action) => {
            let command = view.nodes.get(&action.number).map(|node| node.started.command());
            format!("as after {action}: {}", clean(&command.unwrap_or_default()))
        }
    }
}

/// An action that failed.
struct Failed {
    command: String,
    how: String,
    said: String,
}

impl Failed {
    fn of(view: &SessionView, action: &str) -> Option<Self> {
        let action: ActionId = action.parse().ok()?;
        let node = view.nodes.get(&action.number)?;
        let ended = view.end_of(action.number);
        Some(Self {
            command: node.started.command(),
            how: exit_word(ended.map(|ended| ended.exit), &view.id),
            said: ended
                .map(|ended| ended.output.preview.clone())
                .unwrap_or_default(),
        })
    }
}

fn json(view: &SessionView, undos: &[&SessionView], checks: &[CheckForm]) -> Done<Value> {
    let undos = undos.iter().map(|undo| undo_json(view, undo));
    Ok(json!({
        "session_id": view.id.to_string(),
        "agent": view.opened.agent,
        "domain": view.opened.domain,
        "go": health::all_passed(checks),
        "undos": undos.collect::<Done<Vec<_>>>()?,
        "health": health::json(checks),
    }))
}

fn undo_json(view: &SessionView, undo: &SessionView) -> Done<Value> {
    let reached = undo.reached.clone().unwrap_or_default();
    let target = reached.target.map(|target| {
        let failed = Failed::of(view, &target.failed);
        json!({
            "after": target.after,
            "state": state(view, target.after.as_deref()),
            "reached": target.reached,
            "failed": {
                "action_id": target.failed,
                "command": failed.as_ref().map(|own| own.command.clone()),
                "exit": failed.as_ref().map(|own| own.how.clone()),
                "output": failed.map(|own| own.said),
            },
        })
    });
    let paths = system_steps(undo);
    let paths = paths.iter().map(|step: &SystemStep| {
        json!({"path": step.name, "end": step.end, "why": step.why, "now": found(undo, step.number)})
    });
    Ok(json!({
        "undo": undo.id.to_string(),
        "timestamp": undo.opened.time,
        "scope": undo.opened.scope,
        "target": target,
        "paths": paths.collect::<Vec<_>>(),
        "receipt": receipt(undo).map(receipt_json).transpose()?,
        "health": health::json(&reached.checks),
    }))
}

/// What a step left, in a few words.
fn found(undo: &SessionView, number: u64) -> Option<String> {
    let effects = crate::history::effects(undo);
    let last = effects.iter().rfind(|effect| effect.action.number == number);
    last.map(|effect| summary(&effect.after))
}
