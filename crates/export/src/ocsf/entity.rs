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

/// A person, a role or a token that was changed.
pub(super) fn access(event: &Event, source: &Source) -> Map<String, Value> {
    let what = said::noted(event, &["what", "change", "change_kind"]).unwrap_or_default();
    let mut made = match said::noted(event, &["person", "user", "name"]) {
        Some(person) => {
            let (activity, name) = account(what);
            let mut made = Class::ACCOUNT.begin(event, source, activity, name);
            made.set("user", json!({"name": said::short(person)}));
            made
        }
        None => {
            let mut made = Class::ENTITY.begin(event, source, 3, "Update");
            made.set("entity", entity("access", what, ""));
            made
        }
    };
    made.set("severity_id", 2);
    if let Some(by) = said::noted(event, &["by", "who"]) {
        made.set("actor", json!({"user": {"name": said::short(by)}}));
    }
    if let Some(text) = said::sentence(event) {
        made.message(&text);
    }
    made.end()
}

/// `activity_id` of an account change, by the words that it is told in.
fn account(what: &str) -> (u32, &'static str) {
    let has = |words: &[&str]| words.iter().any(|word| what.contains(word));
    if has(&["password"]) {
        (3, "Password Change")
    } else if has(&["token", "role", "grant", "scope"]) && has(&["revok", "remov", "taken"]) {
        (8, "Detach Policy")
    } else if has(&["token", "role", "grant", "scope"]) {
        (7, "Attach Policy")
    } else if has(&["disabl", "lock"]) {
        (5, "Disable")
    } else if has(&["enabl"]) {
        (2, "Enable")
    } else if has(&["remov", "delet"]) {
        (6, "Delete")
    } else if has(&["add", "creat", "made"]) {
        (1, "Create")
    } else {
        (99, "Other")
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
