//! A span.

use super::value::attributes;
use serde_json::{Map, Value, json};

/// How many events a span has at most; more are counted.
const EVENTS: usize = 128;

/// Names and values.
pub type Attributes = Vec<(String, Value)>;

/// A span: an action, a session, or something that happened at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// 32 hex digits.
    pub trace: String,
    /// 16 hex digits.
    pub id: String,
    /// The span it belongs to.
    pub parent: Option<String>,
    /// Its name: few of them, as the conventions want it.
    pub name: String,
    /// Nanoseconds since 1970.
    pub start: u64,
    /// The same.
    pub end: u64,
    /// Names and values.
    pub attributes: Attributes,
    /// What happened in between: time, name, attributes.
    pub events: Vec<(u64, String, Attributes)>,
    /// How many more events there were.
    pub dropped_events: u32,
    /// Why it is a failure, where it is one.
    pub error: Option<String>,
}

impl Span {
    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        match self.attributes.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    pub(super) fn set_some(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.set(name, crate::said::short(value));
        }
    }

    pub(super) fn happened(&mut self, time: u64, name: &str, attributes: Attributes) {
        if self.events.len() < EVENTS {
            self.events.push((time, name.to_owned(), attributes));
        } else {
            self.dropped_events = self.dropped_events.saturating_add(1);
        }
    }

    /// The JSON encoding.
    pub(super) fn form(&self) -> Value {
        let mut form = Map::new();
        let mut set = |name: &str, value: Value| drop(form.insert(name.to_owned(), value));
        set("traceId", json!(self.trace));
        set("spanId", json!(self.id));
        if let Some(parent) = &self.parent {
            set("parentSpanId", json!(parent));
        }
        set("name", json!(self.name));
        // SPAN_KIND_INTERNAL: nothing of it is a call that a peer would answer with a span of its own.
        set("kind", json!(1));
        set("startTimeUnixNano", json!(self.start.to_string()));
        set("endTimeUnixNano", json!(self.end.max(self.start).to_string()));
        set("attributes", json!(attributes(&self.attributes)));
        let events = self.events.iter().map(|(time, name, of)| {
            json!({"timeUnixNano": time.to_string(), "name": name, "attributes": attributes(of)})
        });
        set("events", Value::Array(events.collect()));
        if self.dropped_events > 0 {
            set("droppedEventsCount", json!(self.dropped_events));
        }
        // STATUS_CODE_ERROR; what went well stays unset, as instrumentation should leave it.
        set(
            "status",
            match &self.error {
                Some(why) => json!({"code": 2, "message": why}),
                None => json!({}),
            },
        );
        Value::Object(form)
    }
}
