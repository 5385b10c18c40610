//! An output as a state: the values that a compensation needs, or all of it.

use crate::command::Answer;
use rescind_catalog::{Bindings, Capture, CaptureFrom, Find, take};
use rescind_model::{Digest, Fields, State, Value};
use rescind_supervisor::journal::FoundForm;
use std::collections::BTreeMap;

/// An output without values of its own is compared as it is up to this length, in bytes, and by its digest above it.
const SHOWN: usize = 2 << 10;
/// Of a complaint this many characters are shown.
const MOST_COMPLAINT: usize = 200;

/// The field of a state that could not be read.
const ANSWER: &str = "answer";

/// The state that an answer tells of; and why it is not complete, where it is not.
pub(crate) fn state(values: &BTreeMap<String, FoundForm>, answer: &Answer) -> (State, Option<String>) {
    if answer.code != 0 {
        let line = answer.complaint.lines().find(|line| !line.trim().is_empty());
        let line: String = line
            .unwrap_or_default()
            .trim()
            .chars()
            .take(MOST_COMPLAINT)
            .collect();
        let why = format!("it ended with {}: {line}", answer.code);
        let why = why.trim_end_matches([':', ' ']).to_owned();
        return (no_value(&why), Some(why));
    }
    let output = String::from_utf8_lossy(&answer.output);
    if values.is_empty() {
        let output = output.trim();
        let text = if output.len() <= SHOWN {
            output.to_owned()
        } else {
            format!("{} bytes, {}", output.len(), Digest::of(output.as_bytes()))
        };
        return (
            State::Present(Fields::new().with("output", Value::Text(text))),
            None,
        );
    }
    let captures: BTreeMap<String, Capture> = values
        .iter()
        .map(|(name, found)| (name.clone(), capture(found)))
        .collect();
    let mut bound = Bindings::new();
    if let Err(error) = take(&captures, CaptureFrom::PreCapture, &output, &mut bound) {
        let why = error.to_string();
        return (no_value(&why), Some(why));
    }
    let fields = bound.into_iter().map(|(name, value)| (name, Value::Text(value)));
    (State::Present(fields.collect()), None)
}

fn no_value(why: &str) -> State {
    State::Present(Fields::new().with(ANSWER, Value::Text(why.to_owned())))
}

fn capture(found: &FoundForm) -> Capture {
    Capture {
        from: CaptureFrom::PreCapture,
        find: match (&found.path, &found.regex) {
            (Some(path), _) => Find::Path(path.clone()),
            (None, Some(regex)) => Find::Regex(regex.clone()),
            (None, None) => Find::Text,
        },
        all: found.all,
        default: found.default.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::state;
    use crate::command::Answer;
    use rescind_model::{Fields, State, Value};
    use rescind_supervisor::journal::FoundForm;
    use std::collections::BTreeMap;

    fn answer(code: i32, output: &str, complaint: &str) -> Answer {
        Answer {
            code,
            output: output.as_bytes().to_vec(),
            complaint: complaint.to_owned(),
        }
    }

    fn count() -> BTreeMap<String, FoundForm> {
        let found = FoundForm {
            path: Some("$.spec.replicas".to_owned()),
            ..FoundForm::default()
        };
        [("count".to_owned(), found)].into()
    }

    fn one(name: &'static str, value: &str) -> State {
        State::Present(Fields::new().with(name, Value::Text(value.to_owned())))
    }

    #[test]
    fn only_the_values_make_the_state_and_what_is_not_there_is_said() {
        let three = answer(0, "{\"spec\": {\"replicas\": 3}, \"resourceVersion\": 7}", "");
        let later = answer(0, "{\"spec\": {\"replicas\": 3}, \"resourceVersion\": 8}", "");
        assert_eq!(state(&count(), &three), (one("count", "3"), None));
        assert_eq!(state(&count(), &three), state(&count(), &later));
        let (found, lacks) = state(&count(), &answer(0, "{\"spec\": {}}", ""));
        assert!(lacks.is_some() && found.fields().is_some_and(|fields| fields.get("count").is_none()));
        let (_, lacks) = state(&count(), &answer(0, "", ""));
        assert!(lacks.is_some());
    }

    #[test]
    fn an_output_without_values_is_compared_whole() {
        let none = BTreeMap::new();
        assert_eq!(
            state(&none, &answer(0, "  a b\n", "")),
            (one("output", "a b"), None)
        );
        let (long, other) = ("x".repeat(5_000), "y".repeat(5_000));
        assert_ne!(
            state(&none, &answer(0, &long, "")),
            state(&none, &answer(0, &other, ""))
        );
    }

    #[test]
    fn a_reading_that_fails_is_no_value_and_looks_the_same_each_time() {
        let gone = answer(1, "", "\nError from server (NotFound)\nmore");
        let (found, lacks) = state(&count(), &gone);
        assert_eq!(
            lacks.as_deref(),
            Some("it ended with 1: Error from server (NotFound)")
        );
        assert_eq!(found, state(&count(), &gone).0);
        assert_eq!(
            state(&count(), &answer(3, "inactive", "")).1.as_deref(),
            Some("it ended with 3")
        );
    }
}
