//! Holds: Detection Finding (2004), one finding for each held action, updated while it waits and closed by the decision.

use super::{Class, process};
use crate::{Source, said};
use rescind_index::Event;
use rescind_supervisor::holds::Closed;
use serde_json::{Map, Value, json};

pub(super) fn finding(event: &Event, source: &Source) -> Map<String, Value> {
    let decided = said::decided(event);
    let closes = event.kind == "action.decided";
    let (activity, name) = if closes { (3, "Close") } else { (2, "Update") };
    let mut made = Class::FINDING.begin(event, source, activity, name);
    let uid = event.action.as_deref().unwrap_or(&event.session);
    made.set(
        "finding_info",
        json!({"uid": uid, "title": "an action waits for a person", "types": ["hold"]}),
    );
    made.set(
        "evidences",
        json!([{"process": process::process(event, None), "uid": uid}]),
    );
    made.set("severity_id", 3);
    made.set("status_id", if closes { 4 } else { 2 });
    made.set("status", if closes { "Resolved" } else { "In Progress" });
    if let Some(waited) = said::waited(event) {
        made.message(&waited.what);
        if let Some(tier) = &waited.tier {
            made.keep("tier", json!(said::short(tier)));
        }
    }
    if let Some(decided) = decided {
        let how = decided.closed.how;
        let approved = how == Closed::Approved;
        made.set("action_id", if approved { 1 } else { 2 });
        made.set("action", if approved { "Allowed" } else { "Denied" });
        let (disposition, word) = match how {
            Closed::Approved => (8, "Approved"),
            Closed::Rejected => (25, "Rejected"),
            Closed::Changed | Closed::Expired | Closed::Void => (2, "Blocked"),
        };
        made.set("disposition_id", disposition);
        made.set("disposition", word);
        made.message(how.name());
        let decisions = decided.closed.decisions.iter().take(said::MOST);
        let people: Vec<&str> = decisions.map(|one| one.person.as_str()).collect();
        made.keep("decided", json!(how.name()));
        made.keep("persons", json!(said::shorts(people)));
        let messages = decided
            .closed
            .decisions
            .iter()
            .filter_map(|one| one.message.as_deref());
        made.set("comment", said::short(&said::shorts(messages).join("; ")));
    }
    made.end()
}
