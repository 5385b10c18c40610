//! Sessions: Application Lifecycle (6002), Start and Stop of the agent. An undo is rescind itself that starts.

use super::{Class, Made};
use crate::{Source, said};
use rescind_index::Event;
use serde_json::{Map, Value, json};

pub(super) fn lifecycle(event: &Event, source: &Source) -> Map<String, Value> {
    let starts = event.kind == "session.started";
    let (activity, name) = if starts { (3, "Start") } else { (4, "Stop") };
    let mut made = Class::LIFECYCLE.begin(event, source, activity, name);
    made.set("app", app(event));
    if let Some(opened) = said::opened(event) {
        let line = said::command_line(&opened.argv);
        made.message(&line);
        made.keep("command_line", json!(line));
        made.keep("working_directory", json!(said::short(&opened.cwd)));
        made.keep("host", json!(said::short(&opened.host)));
        if let Some(undoes) = &opened.undoes {
            made.keep("undoes", json!(undoes));
        }
    }
    if let Some(closed) = said::closed(event) {
        let (how, well) = said::exit(closed.exit);
        made.status(well, &how);
        made.keep("how", json!(said::short(&closed.how)));
        made.keep("effects", json!(closed.effects));
        coverage(&mut made, &closed.missing);
    } else if event.kind == "session.recovered" {
        made.status(false, "its supervisor died; its books were finished later");
        made.set("severity_id", 3);
    }
    made.end()
}

fn app(event: &Event) -> Value {
    let name = if event.agent.is_empty() {
        "unknown"
    } else {
        &event.agent
    };
    json!({"name": said::short(name)})
}

/// Law 7: what was not captured is said.
pub(super) fn coverage(made: &mut Made, missing: &[(String, String)]) {
    let coverage = if missing.is_empty() { "captured" } else { "partial" };
    made.keep("coverage", json!(coverage));
    if !missing.is_empty() {
        let texts: Vec<String> = missing
            .iter()
            .map(|(what, why)| format!("{what}: {why}"))
            .collect();
        made.keep(
            "not_captured",
            json!(said::shorts(texts.iter().map(String::as_str))),
        );
    }
}
