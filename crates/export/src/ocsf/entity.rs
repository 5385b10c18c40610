//! What comes and goes: credentials, content, rules and stages (Entity Management, 3004), and who may do what (Account Change, 3001,
//! where a person is named).

use super::Class;
use crate::{Source, said};
use rescind_index::Event;
use serde_json::{Map, Value, json};

/// A credential of a session: created, or deleted.
pub(super) fn credential(event: &Event, source: &Source) -> Map<String, Value> {
    let (activity, name) = match event.kind.as_str() {
        "credential.issuing" => (6, "Enroll"),
        "credential.issued" => (1, "Create"),
        "credential.revoked" | "credential.unproved" => (4, "Delete"),
        _ => (99, "Other"),
    };
    let mut made = Class::ENTITY.begin(event, source, activity, name);
    let form = said::credential(event);
    let named = form.as_ref().map_or("a credential", |form| form.name.as_str());
    let uid = form.as_ref().map_or("", |form| form.credential.as_str());
    made.set("entity", entity("credential", named, uid));
    if let Some(form) = form {
        made.message(&form.said);
        made.keep("issuer", json!(said::short(&form.issuer)));
        made.keep("until", json!(said::short(&form.until)));
    } else if let Some(text) = said::sentence(event) {
        made.message(&text);
    }
    if event.kind == "credential.unproved" {
        made.status(false, "nobody can say that it does not work any more");
        made.set("severity_id", 4);
    }
    made.end()
}

/// Something that was given up.
pub(super) fn gone(event: &Event, source: &Source) -> Map<String, Value> {
    let kind = match event.kind.as_str() {
        "stage.discarded" => "stage",
        "rule.forgotten" => "rule",
        _ => "content of a session",
    };
    let mut made = Class::ENTITY.begin(event, source, 4, "Delete");
    made.set("entity", entity(kind, &event.session, &event.session));
    if let Some(text) = said::sentence(event) {
        made.message(&text);
    }
    made.end()
}

/// What was changed of who may do what: of a person an account, of a token or an agent an entity.
pub(super) fn access(event: &Event, source: &Source) -> Map<String, Value> {
    let what = said::noted(event, "what").unwrap_or_default();
    let who = said::noted(event, "who").unwrap_or_default();
    let mut made = match what.split_once('.') {
        Some(("person", change)) => {
            let (activity, name) = account(change);
            let mut made = Class::ACCOUNT.begin(event, source, activity, name);
            made.set("user", json!({"name": said::short(who), "uid": said::short(who)}));
            made
        }
        change => {
            let (kind, change) = change.unwrap_or(("access", what));
            let (activity, name) = match change {
                "made" | "issued" => (1, "Create"),
                "revoked" | "session-ended" => (4, "Delete"),
                _ => (3, "Update"),
            };
            let mut made = Class::ENTITY.begin(event, source, activity, name);
            made.set("entity", entity(kind, who, ""));
            made
        }
    };
    made.set("severity_id", 2);
    made.keep("change", json!(said::short(what)));
    made.message(&format!("{what} {who}"));
    if let Some(by) = said::noted(event, "by") {
        made.set("actor", json!({"user": {"name": said::short(by)}}));
    }
    if let Some(text) = said::sentence(event) {
        made.keep("note", json!(text));
    }
    made.end()
}

/// `activity_id` of an account change.
fn account(change: &str) -> (u32, &'static str) {
    match change {
        "added" => (1, "Create"),
        "enabled" => (2, "Enable"),
        "password-changed" => (3, "Password Change"),
        "disabled" => (5, "Disable"),
        "removed" => (6, "Delete"),
        "granted" | "regranted" => (7, "Attach Policy"),
        "grant-revoked" => (8, "Detach Policy"),
        _ => (99, "Other"),
    }
}

/// A managed entity; it must have a name or an id.
fn entity(kind: &str, name: &str, uid: &str) -> Value {
    let mut entity = json!({"type": kind, "type_id": 99});
    if let Some(fields) = entity.as_object_mut() {
        let name = if name.is_empty() { kind } else { name };
        fields.insert("name".to_owned(), json!(said::short(name)));
        if !uid.is_empty() {
            fields.insert("uid".to_owned(), json!(said::short(uid)));
        }
    }
    entity
}
