//! Each form says every event in one line of JSON, whatever is in it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption ends the test"
)]

mod common;

use common::{entry, erased, every_kind, hostile, source};
use rescind_export::{Event, Form, Format, cloudevents, jsonl};
use serde_json::Value;

/// The lines of these events.
fn lines(format: Format, events: &[Event]) -> Vec<String> {
    let mut form = Form::new(format, source());
    events
        .iter()
        .filter_map(|event| form.line(event, &entry(event)).unwrap())
        .map(|(line, _)| line)
        .collect()
}

#[test]
fn every_event_is_one_line_of_json_in_every_form() {
    for events in [every_kind(), erased(), hostile()] {
        for format in Format::ALL {
            let lines = lines(format, &events);
            if format.is_line_by_line() {
                assert_eq!(lines.len(), events.len(), "{format}");
            }
            for line in lines {
                assert!(!line.contains(['\n', '\r']), "{format}: {line}");
                let value: Value =
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{format}: {error}"));
                assert!(value.is_object());
            }
        }
    }
}

#[test]
fn jsonl_holds_the_event_and_the_entry_byte_for_byte() {
    for event in every_kind().into_iter().chain(hostile()) {
        let entry = entry(&event);
        let line: Value = serde_json::from_str(&jsonl(&event, &entry).unwrap()).unwrap();
        assert_eq!(line["entry"].as_str().unwrap().as_bytes(), entry);
        let back: Event = serde_json::from_value(line).unwrap();
        assert_eq!(back, event);
    }
    // Entries are opaque to the ledger: one that is no UTF-8 is not bent.
    let event = &every_kind()[0];
    let line: Value = serde_json::from_str(&jsonl(event, b"\xff\x00").unwrap()).unwrap();
    assert_eq!(
        (&line["entry"], &line["entry_base64"]),
        (&Value::Null, &Value::from("/wA="))
    );
}

#[test]
fn cloudevents_have_what_the_specification_requires() {
    let mut before = String::new();
    for event in every_kind() {
        let made = cloudevents(&event, &source());
        assert_eq!(made["specversion"], "1.0");
        assert_eq!(made["id"], event.seq.to_string());
        assert_eq!(made["source"], "rescind:rescind.local/1f0c22ab");
        assert_eq!(made["type"], format!("dev.rescind.{}", event.kind));
        assert_eq!(made["time"], event.time);
        assert_eq!(made["datacontenttype"], "application/json");
        let subject = event.action.as_ref().unwrap_or(&event.session);
        match subject.is_empty() {
            true => assert!(made.get("subject").is_none(), "an empty subject is not allowed"),
            false => assert_eq!(made["subject"], **subject),
        }
        let sequence = made["sequence"].as_str().unwrap().to_owned();
        assert!(sequence > before, "the order of the texts is that of the events");
        before = sequence;
        assert_eq!(
            serde_json::from_value::<Event>(made["data"].clone()).unwrap(),
            event
        );
        for name in made.as_object().unwrap().keys() {
            let fine = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            assert!(fine && name.len() <= 20, "`{name}` is no name of an attribute");
        }
    }
}

#[test]
fn what_is_erased_is_said_to_be() {
    for format in [Format::Jsonl, Format::CloudEvents, Format::Ocsf] {
        for line in lines(format, &erased()) {
            assert!(
                line.contains("the session's content was erased"),
                "{format}: {line}"
            );
        }
    }
    let spans = lines(Format::Otlp, &erased());
    assert!(!spans.is_empty());
    assert!(
        spans.iter().all(|line| line.contains("rescind.missing")),
        "{spans:?}"
    );
}

#[test]
fn nothing_huge_gets_into_the_forms_that_have_limits() {
    for format in [Format::Ocsf, Format::Otlp] {
        for line in lines(format, &hostile()) {
            assert!(line.len() < 1 << 20, "{format}: {} bytes", line.len());
        }
    }
}
