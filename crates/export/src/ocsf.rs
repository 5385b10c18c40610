//! OCSF, the Open Cybersecurity Schema Framework, of one version. Which event becomes which class: docs/formats/export.md, section 2.
//!
//! Checked against the schema of that version in `tests/ocsf.rs`. Where the schema has no word for something it stands in
//! `unmapped`, and a kind that this version does not know is a Base Event: nothing is left out.

mod control;
mod entity;
mod hold;
mod process;
mod session;
mod undo;

use crate::{Source, said};
use rescind_index::Event;
use serde_json::{Map, Value, json};
pub(crate) use undo::status as undo_status;

/// The version of the schema.
pub const OCSF_VERSION: &str = "1.8.0";

/// The event as one of OCSF.
#[must_use]
pub fn ocsf(event: &Event, source: &Source) -> Value {
    match event.kind.as_str() {
        "session.started" | "session.ended" | "session.recovered" => session::lifecycle(event, source),
        "action.started" => process::launch(event, source),
        "action.ended" => process::terminate(event, source),
        "action.held" | "action.decided" => hold::finding(event, source),
        "undo.step" | "undo.receipt" => undo::remediation(event, source),
        "kill.called" | "kill.answered" | "kill.lifted" => control::remediation(event, source),
        "access.changed" => entity::access(event, source),
        kind if kind.starts_with("credential.") => entity::credential(event, source),
        "stage.discarded" | "rule.forgotten" | "vault.erased" | "vault.pruned" => entity::gone(event, source),
        _ => Class::BASE.begin(event, source, 99, "Other").end(),
    }
    .into()
}

/// A class of the schema.
struct Class {
    uid: u32,
    name: &'static str,
    category: u32,
    category_name: &'static str,
}

impl Class {
    const BASE: Self = Self::new(0, "Base Event", 0, "Uncategorized");
    const PROCESS: Self = Self::new(1007, "Process Activity", 1, "System Activity");
    const FINDING: Self = Self::new(2004, "Detection Finding", 2, "Findings");
    const ACCOUNT: Self = Self::new(3001, "Account Change", 3, "Identity & Access Management");
    const ENTITY: Self = Self::new(3004, "Entity Management", 3, "Identity & Access Management");
    const LIFECYCLE: Self = Self::new(6002, "Application Lifecycle", 6, "Application Activity");
    const REMEDIATION: Self = Self::new(7001, "Remediation Activity", 7, "Remediation");

    const fn new(uid: u32, name: &'static str, category: u32, category_name: &'static str) -> Self {
        Self {
            uid,
            name,
            category,
            category_name,
        }
    }

    /// What every event has.
    fn begin(&self, event: &Event, source: &Source, activity: u32, activity_name: &str) -> Made {
        let mut made = Made {
            fields: Map::new(),
            unmapped: Map::new(),
        };
        made.set("class_uid", self.uid);
        made.set("class_name", self.name);
        made.set("category_uid", self.category);
        made.set("category_name", self.category_name);
        made.set("activity_id", activity);
        made.set("activity_name", activity_name);
        made.set("type_uid", self.uid * 100 + activity);
        made.set("type_name", format!("{}: {activity_name}", self.name));
        made.set("time", said::millis(&event.time));
        made.set("severity_id", 1);
        made.set("metadata", metadata(event, source));
        made.set("device", device(source));
        made.set("actor", actor(event, source));
        made.keep("kind", json!(event.kind));
        for (name, value) in [
            ("session", &event.session),
            ("domain", &event.domain),
            ("environment", &event.environment),
        ] {
            if !value.is_empty() {
                made.keep(name, json!(said::short(value)));
            }
        }
        if let Some(action) = &event.action {
            made.keep("action", json!(action));
        }
        if let Some(digest) = &event.digest {
            made.keep("body_digest", json!(digest));
        }
        if let Some(missing) = &event.missing {
            made.set("status_detail", said::short(missing));
            made.keep("missing", json!(said::short(missing)));
        }
        made
    }
}

/// An event being made.
struct Made {
    fields: Map<String, Value>,
    /// What the schema has no word for.
    unmapped: Map<String, Value>,
}

impl Made {
    fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    fn keep(&mut self, name: &str, value: Value) {
        self.unmapped.insert(name.to_owned(), value);
    }

    /// `status_id` 1 or 2, with why.
    fn status(&mut self, well: bool, detail: &str) {
        self.set("status_id", if well { 1 } else { 2 });
        self.set("status", if well { "Success" } else { "Failure" });
        self.set("status_detail", said::short(detail));
    }

    fn message(&mut self, text: &str) {
        self.set("message", said::short(text));
    }

    /// `severity_id` of a risk score: informational, low, medium, high.
    fn severity(&mut self, score: u8) {
        let severity = match score {
            0..=24 => 1,
            25..=49 => 2,
            50..=74 => 3,
            _ => 4,
        };
        self.set("severity_id", severity);
        self.set("risk_score", score);
    }

    fn end(mut self) -> Map<String, Value> {
        self.fields
            .insert("unmapped".to_owned(), Value::Object(self.unmapped));
        self.fields
    }
}

fn metadata(event: &Event, source: &Source) -> Value {
    let mut metadata = json!({
        "version": OCSF_VERSION,
        "product": {"name": "rescind", "vendor_name": "rescind", "version": source.version},
        "profiles": ["host", "security_control"],
        "uid": format!("{}/{}", source.origin, event.seq),
        "sequence": event.seq,
        "log_name": source.origin,
        "event_code": event.kind,
        "original_time": event.time,
    });
    if let Some(fields) = metadata.as_object_mut()
        && !event.session.is_empty()
    {
        fields.insert("correlation_uid".to_owned(), json!(event.session));
    }
    metadata
}

fn device(source: &Source) -> Value {
    // The type is not known: 0.
    json!({"type_id": 0, "type": "Unknown", "hostname": source.host, "name": source.host, "uid": source.origin})
}

/// Who acted: the agent, in its session, for its owner.
fn actor(event: &Event, source: &Source) -> Value {
    let mut actor = Map::new();
    let app = if event.agent.is_empty() {
        "rescind"
    } else {
        &event.agent
    };
    actor.insert("app_name".to_owned(), json!(said::short(app)));
    if !event.owner.is_empty() {
        actor.insert("user".to_owned(), json!({"name": said::short(&event.owner)}));
    }
    if !event.session.is_empty() {
        let session = json!({"uid": event.session, "issuer": source.origin});
        actor.insert("session".to_owned(), session);
    }
    Value::Object(actor)
}
