//! What an event's body says, as far as it can be read. Forms differ in how they say it, not in what they look at.

use rescind_index::Event;
use rescind_model::quote;
use rescind_supervisor::journal::{
    CredentialForm, DecidedForm, ExitForm, JudgedForm, NodeEnded, NodeStarted, SessionEnded, SessionOpened,
    SystemForm, WaitedForm,
};
use serde::Deserialize;
use serde_json::Value;

/// The longest text that OCSF and OpenTelemetry are given, in bytes. JSON Lines and CloudEvents have all of it.
pub(crate) const LONGEST: usize = 16 << 10;

/// How many texts of a list.
pub(crate) const MOST: usize = 256;

/// The record with this tag: the body itself, or one of the list that a frame can hold.
fn tagged<'a, T: Deserialize<'a>>(event: &'a Event, tag: &str) -> Option<T> {
    let is = |value: &&Value| value.get("t").and_then(Value::as_str) == Some(tag);
    let found = match event.body.as_ref()? {
        Value::Array(list) => list.iter().find(is),
        one => Some(one).filter(is),
    };
    T::deserialize(found?).ok()
}

pub(crate) fn opened(event: &Event) -> Option<SessionOpened> {
    tagged(event, "session")
}

pub(crate) fn closed(event: &Event) -> Option<SessionEnded> {
    tagged(event, "session_end")
}

pub(crate) fn started(event: &Event) -> Option<NodeStarted> {
    tagged(event, "node")
}

pub(crate) fn ended(event: &Event) -> Option<NodeEnded> {
    tagged(event, "node_end")
}

pub(crate) fn waited(event: &Event) -> Option<WaitedForm> {
    tagged(event, "waited")
}

pub(crate) fn decided(event: &Event) -> Option<DecidedForm> {
    tagged(event, "decided")
}

pub(crate) fn credential(event: &Event) -> Option<CredentialForm> {
    tagged(event, "credential")
}

pub(crate) fn system(event: &Event) -> Option<SystemForm> {
    tagged(event, "system")
}

/// The object or the sentence of a note: of what has no journal behind it.
pub(crate) fn note(event: &Event) -> Option<&Value> {
    event.body.as_ref().filter(|body| body.get("t").is_none())
}

/// A text of a note's object.
pub(crate) fn noted<'a>(event: &'a Event, name: &str) -> Option<&'a str> {
    note(event)?.get(name)?.as_str()
}

/// Which kill an event is about: its own name, or of what lifts several that of the first.
pub(crate) fn stop(event: &Event) -> Option<String> {
    let note = note(event)?;
    let first = || note.get("stops")?.as_array()?.first();
    match note.get("stop").or_else(first)? {
        Value::String(text) => Some(short(text)),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A scope, as `domain payments/prod`.
pub(crate) fn scope(event: &Event) -> Option<String> {
    let scope = note(event)?.get("scope")?;
    let text = |name: &str| scope.get(name).and_then(Value::as_str).unwrap_or_default();
    let whole = format!("{} {}", text("kind"), text("name"));
    Some(short(whole.trim())).filter(|whole| !whole.is_empty())
}

/// A note as a sentence.
pub(crate) fn sentence(event: &Event) -> Option<String> {
    match note(event)? {
        Value::String(text) => Some(short(text)),
        Value::Null => None,
        other => Some(short(&other.to_string())),
    }
}

/// The program's own name: the last part of its path.
pub(crate) fn program(node: &NodeStarted) -> String {
    let path = if node.exe.is_empty() {
        node.argv.first().map_or("", String::as_str)
    } else {
        node.exe.as_str()
    };
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    short(name)
}

/// A command line for people: the words, quoted where they have to be.
pub(crate) fn command_line(argv: &[String]) -> String {
    let mut line = String::new();
    for word in argv {
        if line.len() > LONGEST {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&quote(word));
    }
    short(&line)
}

/// How a program ended, in words, and whether that was well.
pub(crate) fn exit(exit: ExitForm) -> (String, bool) {
    match exit {
        ExitForm::Code(0) => ("exit code 0".to_owned(), true),
        ExitForm::Code(code) => (format!("exit code {code}"), false),
        ExitForm::Signal(signal) => (format!("ended by signal {signal}"), false),
        ExitForm::Exec(node) => (format!("became action {node}"), true),
        ExitForm::NotStarted => ("it never ran".to_owned(), false),
        ExitForm::Unknown => ("nobody saw how it ended".to_owned(), false),
    }
}

/// Whether a person has to be asked, or nobody may.
pub(crate) fn verdict(node: &NodeStarted) -> Option<&JudgedForm> {
    node.judged.as_deref()
}

/// A text, at most [`LONGEST`] bytes of it.
pub(crate) fn short(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let end = (0..=LONGEST).rev().find(|end| text.is_char_boundary(*end));
    let kept = text.get(..end.unwrap_or(0)).unwrap_or_default();
    format!("{kept}… ({} bytes)", text.len())
}

/// The first texts of a list, each as [`short`], all of them together not much longer than one may be.
pub(crate) fn shorts<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut room = 2 * LONGEST;
    let mut kept = Vec::new();
    for text in texts {
        if kept.len() >= MOST || room == 0 {
            kept.push("…".to_owned());
            break;
        }
        let text = short(text);
        room = room.saturating_sub(text.len());
        kept.push(text);
    }
    kept
}

/// Nanoseconds since 1970 of a time in RFC 3339; 0: it is none.
pub(crate) fn nanos(time: &str) -> u64 {
    let time = time.parse::<jiff::Timestamp>().ok();
    time.and_then(|time| u64::try_from(time.as_nanosecond()).ok())
        .unwrap_or(0)
}

/// Milliseconds since 1970.
pub(crate) fn millis(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>()
        .map_or(0, jiff::Timestamp::as_millisecond)
}
