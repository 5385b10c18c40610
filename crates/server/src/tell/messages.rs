//! What is told, as messages: of holds, of stops, of undos.

use crate::app::App;
use rescind_index::{ActionRow, Event as Entry, SessionRow, UndoRow};
use rescind_model::{Class, Timestamp};
use rescind_notify::{Event, Message};
use rescind_supervisor::control::{KillReport, KillScope, Mode};
use rescind_supervisor::holds::{Closed, ClosedForm, Decision, Hold};
use rescind_supervisor::now;
use serde::Deserialize;

fn time(at: &str) -> Timestamp {
    at.parse().unwrap_or_else(|_| now())
}

fn about(app: &App, hold: &Hold, event: Event, key: String, at: &str) -> Message {
    let form = &hold.form;
    let link = format!("{}/holds/{}", app.base_url, form.action);
    let mut message = Message::new(key, event, time(at), link);
    message.domain.clone_from(&form.domain);
    message.environment.clone_from(&form.environment);
    message.agent.clone_from(&form.agent);
    message.owner.clone_from(&form.requester);
    message.session = session_of(&form.action);
    message.action = Some(form.action.clone());
    message.what = rescind_model::command_line(&form.argv);
    message.why = form.reasoning.clone().unwrap_or_default();
    message.reasons.clone_from(&form.judged.reasons);
    message.class = Class::from_name(&form.judged.class);
    message.score = Some(form.judged.score);
    let paths = form.preview.iter().flat_map(|preview| &preview.paths);
    message.changes = paths
        .map(|path| format!("{} ({})", path.path, path.kind))
        .collect();
    message
}

fn session_of(action: &str) -> String {
    action.split('.').next().unwrap_or_default().to_owned()
}

/// Something waits, again, or for others.
pub fn held(app: &App, hold: &Hold, event: Event, tier: &str) -> Message {
    let form = &hold.form;
    // Without the event: after a restart nobody knows which of them it was, and it is told already.
    let key = format!("hold:{}:{}:{tier}", form.action, form.moved);
    let mut message = about(app, hold, event, key, &form.since);
    message.until = form.expires.parse().ok();
    message.groups = match tier {
        "" => form.judged.groups.clone(),
        tier => vec![tier.to_owned()],
    };
    message
}

/// How a hold ended. Whoever tells it, by the hold's files or by the ledger: one key, so that it is told once.
pub fn decided(app: &App, hold: &Hold, closed: &ClosedForm) -> Message {
    let key = decided_key(&hold.form.action);
    let message = about(app, hold, Event::Decided, key, &closed.at);
    outcome(message, closed)
}

fn decided_key(action: &str) -> String {
    format!("decided:{action}")
}

/// The same of a hold whose files were swept away: what the record has.
pub fn decided_by_record(
    app: &App,
    action: &str,
    entry: &Entry,
    row: Option<&ActionRow>,
    closed: &ClosedForm,
) -> Message {
    let link = format!("{}/actions/{action}", app.base_url);
    let mut message = Message::new(decided_key(action), Event::Decided, time(&closed.at), link);
    message.domain.clone_from(&entry.domain);
    message.environment.clone_from(&entry.environment);
    message.agent.clone_from(&entry.agent);
    message.owner.clone_from(&entry.owner);
    message.session.clone_from(&entry.session);
    message.action = Some(action.to_owned());
    if let Some(row) = row {
        message.what.clone_from(&row.command);
        message.reasons.clone_from(&row.reasons);
        message.class = Class::from_name(&row.class);
        message.score = row.score;
    }
    outcome(message, closed)
}

fn outcome(mut message: Message, closed: &ClosedForm) -> Message {
    let by: Vec<&str> = closed.decisions.iter().map(|said| said.person.as_str()).collect();
    message.by = by.join(", ");
    let said = closed
        .decisions
        .iter()
        .rev()
        .find(|said| said.decision == Decision::Reject)
        .and_then(|said| said.message.clone());
    message.outcome = match said {
        Some(text) => format!("{}: {text}", closed.how.name()),
        None => closed.how.name().to_owned(),
    };
    message
}

/// A hold that nobody waits for any more, and that nobody could close: its supervisor died.
pub fn void(app: &App, hold: &Hold) -> Message {
    let closed = ClosedForm {
        how: Closed::Void,
        at: now().to_string(),
        decisions: hold.decisions.clone(),
    };
    let mut message = decided(app, hold, &closed);
    message.outcome = "void: whoever waited for it is gone, and nothing ran".to_owned();
    message
}

/// A stop, as `kill.called` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Called {
    /// Its number, for as long as the board lives.
    #[serde(rename = "stop")]
    pub id: u64,
    scope: KillScope,
    mode: Mode,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
    /// When, RFC 3339.
    pub at: String,
}

/// Something was stopped here: told before it is on record.
pub fn stopped(app: &App, report: &KillReport) -> Message {
    let stop = &report.stop;
    let called = Called {
        id: stop.id,
        scope: stop.scope.clone(),
        mode: stop.mode,
        by: stop.by.clone(),
        why: stop.why.clone(),
        at: stop.at.clone(),
    };
    stop_called(app, &called, Some(report.sessions.len()))
}

/// Something was stopped, by whomever; of so many sessions, where that is known. One key for both ways of telling.
pub fn stop_called(app: &App, called: &Called, sessions: Option<usize>) -> Message {
    let link = format!("{}/stop", app.base_url);
    let key = format!("kill:{}:{}", called.id, called.at);
    let mut message = Message::new(key, Event::Kill, time(&called.at), link);
    message.what = called.scope.to_string();
    message.by.clone_from(&called.by);
    message.reasons = why(&called.why);
    message.outcome = match sessions {
        Some(1) => format!("{}: 1 session", called.mode.done()),
        Some(sessions) => format!("{}: {sessions} sessions", called.mode.done()),
        None => called.mode.done().to_owned(),
    };
    message
}

fn why(text: &str) -> Vec<String> {
    if text.is_empty() {
        Vec::new()
    } else {
        vec![text.to_owned()]
    }
}

/// A stop that was lifted, as `kill.lifted` has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Lifted {
    scope: KillScope,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
}

/// Things may start again.
pub fn lifted(app: &App, seq: u64, at: &str, lifted: &Lifted) -> Message {
    let link = format!("{}/stop", app.base_url);
    let mut message = Message::new(format!("lift:{seq}:{at}"), Event::Kill, time(at), link);
    message.what = lifted.scope.to_string();
    message.by.clone_from(&lifted.by);
    message.reasons = why(&lifted.why);
    message.outcome = "let go on".to_owned();
    message
}

/// Stops that could not be recorded one by one.
pub fn unrecorded(app: &App, seq: u64, at: &str, number: u64) -> Message {
    let link = format!("{}/stop", app.base_url);
    let mut message = Message::new(format!("kills:{seq}:{at}"), Event::Kill, time(at), link);
    message.what = "more stops than could be recorded".to_owned();
    message.outcome = format!("{number} stops");
    message
}

/// An undo has come to its receipt.
pub fn undone(app: &App, entry: &Entry, session: Option<&SessionRow>, undo: Option<&UndoRow>) -> Message {
    let link = format!("{}/sessions/{}", app.base_url, entry.session);
    let key = format!("undo:{}:{}", entry.session, entry.seq);
    let mut message = Message::new(key, Event::Undo, time(&entry.time), link);
    let undone = session.map(|row| row.undoes.as_slice()).unwrap_or_default();
    message.domain = session.map_or_else(|| entry.domain.clone(), |row| row.domain.clone());
    message.by.clone_from(&entry.owner);
    (message.session, message.what) = match undone {
        [] => (entry.session.clone(), "a session".to_owned()),
        [one] => (one.clone(), format!("session {one}")),
        [first, ..] => (first.clone(), format!("{} sessions", undone.len())),
    };
    message.outcome = match undo.and_then(|row| row.proved) {
        Some(true) => "proved".to_owned(),
        Some(false) | None => "not all of it came back".to_owned(),
    };
    message
}

/// An undo that was begun here came to no receipt.
pub fn failed(app: &App, number: u64, session: &str, domain: &str, person: &str, why: &str) -> Message {
    let link = format!("{}/undos/{number}", app.base_url);
    let at = now();
    let mut message = Message::new(format!("undo:{session}:{at}"), Event::Undo, at, link);
    domain.clone_into(&mut message.domain);
    session.clone_into(&mut message.session);
    person.clone_into(&mut message.by);
    message.what = format!("session {session}");
    why.clone_into(&mut message.outcome);
    message
}
