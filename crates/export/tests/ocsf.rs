//! OCSF events hold against the schema of the version that they name, by somebody else's validator.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption ends the test"
)]

mod common;

use common::{erased, every_kind, hostile, source};
use rescind_export::{Event, OCSF_VERSION, ocsf};
use serde_json::Value;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A Python that has `ocsf-json-schema` and `jsonschema`: `RESCIND_OCSF_PYTHON`, else below the target directory.
fn python() -> Option<PathBuf> {
    let given = std::env::var_os("RESCIND_OCSF_PYTHON").map(PathBuf::from);
    let usual = std::env::current_exe()
        .ok()?
        .ancestors()
        .find(|dir| dir.ends_with("target"))?
        .join("ocsf/bin/python");
    given.or(Some(usual)).filter(|path| path.exists())
}

/// What the validator says of these events, and whether it is content.
fn validate(python: &PathBuf, events: &[Value]) -> (bool, String) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/validate_ocsf.py");
    let mut command = Command::new(python);
    command
        .args([script, OCSF_VERSION])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::inherit()).spawn().expect("python");
    let mut input = child.stdin.take().unwrap();
    let lines: String = events.iter().map(|event| format!("{event}\n")).collect();
    let writer = std::thread::spawn(move || {
        let _it_may_have_ended = input.write_all(lines.as_bytes());
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_kind_validates_against_the_official_schema() {
    let Some(python) = python() else {
        eprintln!(
            "LEFT OUT: no validator for OCSF is installed; `cargo xtask test` installs it from PyPI where it can"
        );
        return;
    };
    let all: Vec<Event> = [every_kind(), erased(), hostile()].concat();
    let mut made: Vec<Value> = all.iter().map(|event| ocsf(event, &source())).collect();
    let (content, said) = validate(&python, &made);
    assert!(content, "{said}");
    assert!(said.contains(&format!("{} events", made.len())), "{said}");

    // The validator is one: what is wrong is found.
    made[0]["app"] = Value::Null;
    made[1]["no_such_attribute"] = Value::from(1);
    made[2]["activity_id"] = Value::from(77);
    let (content, said) = validate(&python, &made[..2]);
    assert!(
        !content && said.contains("2 events") && said.contains("no_such_attribute"),
        "{said}"
    );
    let (content, _) = validate(&python, &made[2..3]);
    assert!(!content);
}

#[test]
fn classes_are_what_the_documentation_says() {
    let class = |event: &Event| ocsf(event, &source())["class_uid"].as_u64().unwrap();
    let mut found: Vec<(String, u64)> = every_kind()
        .iter()
        .map(|event| (event.kind.clone(), class(event)))
        .collect();
    found.dedup();
    let page = include_str!("../../../docs/formats/export.md");
    for (kind, class) in found {
        let row = format!("{class}");
        let documented = page.lines().any(|line| {
            line.starts_with("| `") && line.contains(&format!("`{kind}`")) && line.contains(&row)
        });
        assert!(
            documented || kind == "something.new",
            "{kind} is {class}, and no row of the page says so"
        );
    }
}

#[test]
fn a_kill_says_whether_all_stopped() {
    let answers: Vec<(u64, u64)> = every_kind()
        .iter()
        .filter(|event| event.kind == "kill.answered")
        .map(|event| ocsf(event, &source()))
        .map(|made| {
            (
                made["status_id"].as_u64().unwrap(),
                made["duration"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    assert_eq!(answers, [(1, 13), (4, 13), (2, 13), (0, 0)]);
    let called: Vec<u64> = every_kind()
        .iter()
        .filter(|event| event.kind == "kill.called")
        .map(|event| ocsf(event, &source())["activity_id"].as_u64().unwrap())
        .collect();
    assert_eq!(called, [2, 1, 2]);
}

#[test]
fn a_verdict_is_a_disposition() {
    let of = |verdict: &str| {
        let node = common::node(
            1,
            0,
            rescind_supervisor::journal::Role::Action,
            &["rm"],
            Some((verdict, 80)),
        );
        let record = common::record(rescind_supervisor::journal::Record::Node(node));
        let made = ocsf(&common::event(0, "action.started", Some(1), record), &source());
        (
            made["action_id"].clone(),
            made["disposition_id"].clone(),
            made["severity_id"].clone(),
            made["unmapped"]["verdict"].clone(),
        )
    };
    assert_eq!(of("allow"), (1.into(), 1.into(), 4.into(), "allow".into()));
    assert_eq!(of("hold"), (99.into(), 14.into(), 4.into(), "hold".into()));
    assert_eq!(of("deny"), (2.into(), 2.into(), 4.into(), "deny".into()));
}
