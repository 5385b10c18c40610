//! Actions: Process Activity (1007), Launch and Terminate, with the verdict as a security control's disposition.

use super::{Class, Made};
use crate::{Source, said};
use rescind_index::Event;
use rescind_supervisor::journal::{ExitForm, JudgedForm, NodeStarted};
use serde_json::{Map, Value, json};

pub(super) fn launch(event: &Event, source: &Source) -> Map<String, Value> {
    let mut made = Class::PROCESS.begin(event, source, 1, "Launch");
    let node = said::started(event);
    made.set("process", process(event, node.as_ref()));
    // An exec of a process that was there.
    made.set("launch_type_id", 3);
    made.set("launch_type", "Exec");
    if let Some(node) = node {
        made.message(&said::command_line(&node.argv));
        made.keep("role", json!(node.role.name()));
        if let Some(reasoning) = &node.reasoning {
            made.keep("reasoning", json!(said::short(reasoning)));
        }
        if let Some(judged) = said::verdict(&node) {
            verdict(&mut made, judged);
        }
    }
    made.end()
}

pub(super) fn terminate(event: &Event, source: &Source) -> Map<String, Value> {
    let mut made = Class::PROCESS.begin(event, source, 2, "Terminate");
    made.set("process", process(event, None));
    if let Some(ended) = said::ended(event) {
        let (how, well) = said::exit(ended.exit);
        made.status(well, &how);
        made.message(&how);
        if let ExitForm::Code(code) = ended.exit {
            made.set("exit_code", code);
        }
        made.keep("effects", json!(ended.effects));
        made.keep("output_bytes", json!(ended.output.bytes));
        super::session::coverage(&mut made, &ended.missing);
    }
    made.end()
}

/// The process of an action. Its `uid` is the action, also where nothing else is known of it any more.
pub(super) fn process(event: &Event, node: Option<&NodeStarted>) -> Value {
    let mut process = Map::new();
    let mut set = |name: &str, value: Value| drop(process.insert(name.to_owned(), value));
    set("uid", json!(event.action.as_deref().unwrap_or(&event.session)));
    if !event.owner.is_empty() {
        set("user", json!({"name": said::short(&event.owner)}));
    }
    if let Some(node) = node {
        let name = said::program(node);
        set("pid", json!(node.pid));
        set("cmd_line", json!(said::command_line(&node.argv)));
        set("working_directory", json!(said::short(&node.cwd)));
        set("created_time", json!(said::millis(&node.time)));
        set("path", json!(said::short(&node.exe)));
        if !name.is_empty() {
            set("name", json!(name));
            set(
                "file",
                json!({"name": name, "path": said::short(&node.exe), "type_id": 1}),
            );
        }
        if node.parent > 0 {
            let parent = format!("{}.{}", event.session, node.parent);
            set("parent_process", json!({ "uid": parent }));
        }
    }
    Value::Object(process)
}

/// What was judged: `action_id` and `disposition_id` of the profile `security_control`.
fn verdict(made: &mut Made, judged: &JudgedForm) {
    let (action, action_name, disposition, disposition_name) = match judged.verdict.as_str() {
        "allow" => (1, "Allowed", 1, "Allowed"),
        "deny" => (2, "Denied", 2, "Blocked"),
        "hold" => (99, "Held", 14, "Delayed"),
        _ => (0, "Unknown", 0, "Unknown"),
    };
    made.set("action_id", action);
    made.set("action", action_name);
    made.set("disposition_id", disposition);
    made.set("disposition", disposition_name);
    made.set("is_alert", judged.verdict != "allow");
    made.severity(judged.score);
    made.set(
        "policy",
        json!({"name": "rescind", "uid": judged.policy, "is_applied": true}),
    );
    let reasons = said::shorts(judged.reasons.iter().map(String::as_str));
    made.set("risk_details", said::short(&reasons.join("; ")));
    made.keep("class", json!(judged.class));
    made.keep("verdict", json!(judged.verdict));
    made.keep("reasons", json!(reasons));
    if !judged.uncovered.is_empty() {
        made.keep(
            "uncovered",
            json!(said::shorts(judged.uncovered.iter().map(String::as_str))),
        );
    }
}
