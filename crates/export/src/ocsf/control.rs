//! Kills: Remediation Activity (7001): Evict when called and answered, Restore when lifted.

use super::Class;
use crate::{Source, said};
use rescind_index::Event;
use serde_json::{Map, Value, json};

pub(super) fn remediation(event: &Event, source: &Source) -> Map<String, Value> {
    let (activity, name) = match event.kind.as_str() {
        "kill.lifted" => (3, "Restore"),
        _ if said::noted(event, &["how", "mode", "what"]) == Some("pause") => (1, "Isolate"),
        _ => (2, "Evict"),
    };
    let mut made = Class::REMEDIATION.begin(event, source, activity, name);
    let uid = said::noted(event, &["kill", "id"]).map_or_else(|| event.seq.to_string(), said::short);
    made.set("command_uid", uid);
    made.set("severity_id", if event.kind == "kill.lifted" { 1 } else { 4 });
    made.set("is_alert", event.kind == "kill.called");
    if let Some(text) = said::sentence(event) {
        made.message(&text);
    }
    if let Some(person) = said::noted(event, &["by", "person", "who"]) {
        made.set("actor", json!({"user": {"name": said::short(person)}}));
    }
    if let Some(scope) = said::noted(event, &["scope"]) {
        made.keep("scope", json!(said::short(scope)));
    }
    made.end()
}
