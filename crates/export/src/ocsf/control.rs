//! Kills: Remediation Activity (7001): Evict when called and answered (of a pause Isolate), Restore when lifted.

use super::{Class, Made};
use crate::{Source, said};
use rescind_index::Event;
use serde_json::{Map, Value, json};

pub(super) fn remediation(event: &Event, source: &Source) -> Map<String, Value> {
    let (activity, name) = match event.kind.as_str() {
        "kill.lifted" => (3, "Restore"),
        _ if said::noted(event, "mode") == Some("pause") => (1, "Isolate"),
        _ => (2, "Evict"),
    };
    let mut made = Class::REMEDIATION.begin(event, source, activity, name);
    let stop = said::stop(event).unwrap_or_else(|| format!("entry {}", event.seq));
    made.set("command_uid", stop);
    made.set("severity_id", if event.kind == "kill.lifted" { 1 } else { 4 });
    made.set("is_alert", event.kind == "kill.called");
    if let Some(person) = said::noted(event, "by") {
        made.set("actor", json!({"user": {"name": said::short(person)}}));
    }
    if let Some(scope) = said::scope(event) {
        made.message(&format!("{} {scope}", event.kind));
        made.keep("scope", json!(scope));
    }
    if let Some(why) = said::noted(event, "why") {
        made.keep("why", json!(said::short(why)));
    }
    if event.kind == "kill.answered" {
        answer(&mut made, event);
    }
    made.end()
}

/// Who stopped: `status_id` 1 all, 4 a part, 2 none, 0 where nobody can say.
fn answer(made: &mut Made, event: &Event) {
    let note = said::note(event);
    let sessions = note.and_then(|note| note.get("sessions")?.as_array());
    let Some(sessions) = sessions else {
        made.set("status_id", 0);
        return;
    };
    let running = |session: &&Value| session.get("how").and_then(Value::as_str) == Some("not_stopped");
    let left = sessions.iter().filter(running).count();
    let (status, name) = match left {
        0 => (1, "Success"),
        left if left == sessions.len() => (2, "Failure"),
        _ => (4, "Partial"),
    };
    made.set("status_id", status);
    made.set("status", name);
    made.keep("sessions", json!(sessions.len()));
    made.keep("not_stopped", json!(left));
    if let Some(took) = note.and_then(|note| note.get("milliseconds")?.as_f64()) {
        // Whole milliseconds, rounded up: one that took a part of one did not take none.
        made.set("duration", took.ceil().clamp(0.0, 1e15) as i64);
    }
}
