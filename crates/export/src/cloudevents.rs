//! CloudEvents 1.0 in structured JSON (<https://github.com/cloudevents/spec>, `formats/json-format.md`), with the extension
//! `sequence`.

use crate::Source;
use rescind_index::Event;
use serde_json::{Map, Value, json};

/// The event as a CloudEvent. `source` and `id` are the ledger and the place in it, so that duplicates are told by them.
#[must_use]
pub fn cloudevents(event: &Event, source: &Source) -> Value {
    let subject = event
        .action
        .as_deref()
        .filter(|action| !action.is_empty())
        .or(Some(event.session.as_str()).filter(|session| !session.is_empty()));
    let mut fields = Map::new();
    let mut set = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    set("specversion", json!("1.0"));
    set("id", json!(event.seq.to_string()));
    set("source", json!(source.uri()));
    set("type", json!(format!("dev.rescind.{}", event.kind)));
    set("time", json!(event.time));
    if let Some(subject) = subject {
        set("subject", json!(subject));
    }
    set("datacontenttype", json!("application/json"));
    // The extension demands that the order of the texts is the order of the events.
    set("sequence", json!(format!("{:020}", event.seq)));
    set("data", data(event));
    Value::Object(fields)
}

/// All of the event: what CloudEvents has attributes for stands in both.
fn data(event: &Event) -> Value {
    serde_json::to_value(event).unwrap_or(Value::Null)
}
