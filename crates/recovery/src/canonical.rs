//! A plan as canonical text: equal plans give equal text, and whatever a plan would do shows in it.
//!
//! One line an item, tab separated; texts and bytes in hexadecimal where they could hold a separator. The text is
//! made to be hashed, not read back.

use crate::{Clash, OnConflict, Plan};
use rescind_model::{Content, State, Value};
use rescind_supervisor::{HeldCause, Step};
use std::fmt::Write as _;

impl Plan {
    /// The canonical text.
    #[must_use]
    pub fn canonical(&self) -> String {
        let mut text = String::from("rescind plan 1\n");
        let on_conflict = match self.on_conflict {
            OnConflict::Keep => "keep",
            OnConflict::Restore => "restore",
            OnConflict::Ask => "ask",
        };
        line(
            &mut text,
            "scope",
            &[hex(self.scope.as_bytes()), on_conflict.to_owned()],
        );
        for planned in &self.steps {
            line(&mut text, "step", &step(&planned.step));
            let took = planned
                .lane
                .took
                .iter()
                .map(|id| format!("{}/{}", id.action, id.seq.0));
            line(
                &mut text,
                "took",
                &took.chain([planned.whole.to_string()]).collect::<Vec<_>>(),
            );
        }
        for settled in &self.settled {
            let took = settled
                .took
                .iter()
                .map(|id| format!("{}/{}", id.action, id.seq.0));
            line(
                &mut text,
                "settled",
                &[key(&settled.resource)]
                    .into_iter()
                    .chain(took)
                    .collect::<Vec<_>>(),
            );
        }
        for call in &self.compensations {
            let id = call.effect.id();
            let after = state(&call.effect.after);
            let expected = call.expected.as_ref().map_or_else(String::new, state);
            let wording = hex(call.wording.as_deref().unwrap_or_default().as_bytes());
            line(
                &mut text,
                "call",
                &[
                    call.key.clone(),
                    format!("{}/{}", id.action, id.seq.0),
                    after,
                    expected,
                    wording,
                ],
            );
        }
        for conflict in &self.conflicts {
            line(
                &mut text,
                "conflict",
                &[key(&conflict.resource), hex(conflict.name.as_bytes())],
            );
            for clash in &conflict.clashes {
                line(&mut text, "clash", &clash_parts(clash));
            }
        }
        for lost in &self.lost {
            line(
                &mut text,
                "lost",
                &[key(&lost.resource), hex(lost.remark().why.as_bytes())],
            );
        }
        for held in &self.held {
            let cause = match held.held.cause {
                HeldCause::Stays => "stays",
                HeldCause::NoPlace => "no place",
            };
            let mut parts = step(&held.held.step);
            parts.push(cause.to_owned());
            line(&mut text, "held", &parts);
        }
        for flapping in &self.flapping {
            line(
                &mut text,
                "flapping",
                &[key(&flapping.resource), flapping.times.to_string()],
            );
        }
        for action in &self.dependents {
            line(&mut text, "dependent", &[action.to_string()]);
        }
        for disturbed in &self.disturbed {
            line(&mut text, "disturbed", &step(disturbed));
        }
        text
    }
}

fn line(text: &mut String, kind: &str, parts: &[String]) {
    text.push_str(kind);
    for part in parts {
        text.push('\t');
        text.push_str(part);
    }
    text.push('\n');
}

fn step(step: &Step) -> Vec<String> {
    vec![
        key(&step.resource),
        hex(step.name.as_bytes()),
        state(&step.expected),
        state(&step.target),
    ]
}

fn clash_parts(clash: &Clash) -> Vec<String> {
    let after = clash.after.as_ref().map_or_else(|| "?".to_owned(), state);
    let mut parts = vec![state(&clash.before), after, state(&clash.now)];
    parts.extend(clash.fields.iter().map(|field| {
        let values = [&field.keep, &field.restore].map(|side| side.as_ref().map_or("-".to_owned(), value));
        format!("{}={}", field.field.as_deref().unwrap_or("*"), values.join("|"))
    }));
    parts
}

fn key(resource: &rescind_model::ResourceId) -> String {
    format!("{}:{}", resource.surface.name(), hex(&resource.key))
}

fn state(state: &State) -> String {
    let State::Present(fields) = state else {
        return "absent".to_owned();
    };
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, field)| format!("{}={}", hex(name.as_bytes()), value(field)))
        .collect();
    format!("present {}", fields.join(","))
}

fn value(value: &Value) -> String {
    match value {
        Value::Int(number) => format!("i{number}"),
        Value::Text(text) => format!("t{}", hex(text.as_bytes())),
        Value::Bytes(bytes) => format!("b{}", hex(bytes)),
        Value::Content(content) => body(content),
        Value::Object(object) => format!("o{}", object.0),
    }
}

/// A body by what it is; where that is not known, by what stands for it.
fn body(content: &Content) -> String {
    let what = match (&content.digest, &content.stamp, &content.kept) {
        (Some(digest), _, _) => digest.to_string(),
        (None, Some(stamp), _) => format!("stamp {}", hex(stamp.0.as_bytes())),
        (None, None, Some(kept)) => format!("kept {}", hex(kept.0.as_bytes())),
        (None, None, None) => "unknown".to_owned(),
    };
    format!("c{}:{what}", content.length)
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _infallible = write!(text, "{byte:02x}");
    }
    text
}
