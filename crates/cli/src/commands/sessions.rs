//! `rescind sessions`: the sessions, newest first.

use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, dim};
use crate::record::{exit_numbers, exit_word};
use crate::staging;
use crate::text::{clean, local_time};
use clap::Args;
use rescind_model::command_line;
use rescind_supervisor::journal::{ExitForm, SessionKind};
use rescind_supervisor::{Life, SessionSummary, Store, opened};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Arguments of `rescind sessions`.
#[derive(Debug, Clone, Args)]
pub struct SessionsArgs {
    /// At most so many, the newest; 0 for all
    #[arg(long, short = 'n', default_value_t = 50)]
    pub limit: usize,
}

/// List the sessions.
///
/// # Errors
/// The store can't be read.
pub fn run(context: &Context, args: &SessionsArgs) -> Done {
    let store = context.store()?;
    let ids = store.sessions()?;
    let limit = if args.limit == 0 { ids.len() } else { args.limit };
    let undone_by = undone_by(&store, &ids);
    let waiting = staging::waiting(&store)?;
    let mut out = Out::new();
    let mut rows = Vec::new();
    for id in ids.iter().rev().take(limit) {
        let summary = store.summary(id)?;
        let on_stage = waiting.contains(id);
        let undos = undone_by.get(&id.to_string()).map_or(&[][..], Vec::as_slice);
        if context.json {
            out.json(&json(&summary, undos, on_stage))?;
        } else {
            rows.push(row(&summary, undos, on_stage));
        }
    }
    if !context.json {
        if rows.is_empty() {
            out.line("no sessions yet; `rescind run -- COMMAND` makes one")?;
        } else {
            out.table(
                &["SESSION", "BEGAN", "AGENT", "STATE", "CHANGED", "COMMAND"],
                &rows,
            )?;
        }
        if ids.len() > limit {
            out.line(dim(&format!("{} older ones: --limit 0", ids.len() - limit)))?;
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

/// Undos by the session they undo.
fn undone_by(store: &Store, ids: &[rescind_model::SessionId]) -> BTreeMap<String, Vec<String>> {
    let mut map: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in ids {
        let Ok(begun) = opened(store, id) else { continue };
        for undone in begun.taken_back() {
            map.entry(undone.to_owned()).or_default().push(id.to_string());
        }
    }
    map
}

/// Whether a session goes on, in a word.
pub fn life(life: Life) -> &'static str {
    match life {
        Life::Running => "running",
        Life::Ended => "ended",
        Life::Broken => "interrupted",
        Life::Erased => "erased",
    }
}

fn row(summary: &SessionSummary, undos: &[String], on_stage: bool) -> Vec<String> {
    let state = match (summary.life, summary.exit) {
        (Life::Ended, Some(ExitForm::Unknown)) if undos.is_empty() => "cut short".to_owned(),
        (Life::Ended, Some(ExitForm::Unknown)) => format!("cut short, undo {}", undos.join(" ")),
        (Life::Ended, exit) if undos.is_empty() => exit_word(exit, &summary.id),
        (Life::Ended, exit) => format!("{}, undo {}", exit_word(exit, &summary.id), undos.join(" ")),
        (own, _) => life(own).to_owned(),
    };
    let state = match (&summary.promotes, summary.staged, on_stage) {
        (Some(staged), ..) => format!("{state}, promotes {staged}"),
        (None, true, true) => format!("{state}, on its stage"),
        (None, true, false) => format!("{state}, staged"),
        (None, false, _) => state,
    };
    let command: String = clean(&command_line(&summary.argv)).chars().take(80).collect();
    vec![
        summary.id.to_string(),
        local_time(&summary.time),
        clean(&summary.agent),
        state,
        summary.effects.to_string(),
        command,
    ]
}

fn json(summary: &SessionSummary, undos: &[String], on_stage: bool) -> Value {
    let (exit_code, signal) = exit_numbers(summary.exit);
    json!({
        "session_id": summary.id.to_string(),
        "kind": summary.kind.map(|kind| match kind {
            SessionKind::Run => "run",
            SessionKind::Undo => "undo",
        }),
        "state": life(summary.life),
        "began": summary.time,
        "agent": summary.agent,
        "domain": summary.domain,
        "command": command_line(&summary.argv),
        "argv": summary.argv,
        "exit_code": exit_code,
        "signal": signal,
        "effects": summary.effects,
        "actions": summary.actions,
        "undone_by": undos,
        "staged": summary.staged,
        "on_stage": on_stage,
        "promotes": summary.promotes,
    })
}
