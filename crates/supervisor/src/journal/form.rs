//! Forms of states, values and byte strings.

use rescind_model::{Content, Digest, Fields, Locator, ObjectId, Stamp, State, Value};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A state on disk: `null` for absent, else an object of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StateForm(Option<BTreeMap<Cow<'static, str>, ValueForm>>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum ValueForm {
    Int(i64),
    Text(String),
    Object { o: u64 },
    Content(ContentForm),
    Bytes { x: String },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct ContentForm {
    /// Length in bytes.
    l: u64,
    /// SHA-256, hex with prefix.
    #[serde(skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    /// Stamp.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    /// Locator in the vault.
    #[serde(skip_serializing_if = "Option::is_none")]
    k: Option<String>,
}

impl From<&State> for StateForm {
    fn from(state: &State) -> Self {
        let fields = state.fields();
        Self(fields.map(|fields| {
            fields
                .iter()
                .map(|(name, value)| (Cow::Owned(name.to_owned()), ValueForm::from(value)))
                .collect()
        }))
    }
}

impl From<StateForm> for State {
    fn from(form: StateForm) -> Self {
        match form.0 {
            None => Self::Absent,
            Some(fields) => {
                let fields = fields.into_iter().map(|(name, value)| (name, Value::from(value)));
                Self::Present(fields.collect::<Fields>())
            }
        }
    }
}

impl From<&Value> for ValueForm {
    fn from(value: &Value) -> Self {
        match value {
            Value::Int(number) => Self::Int(*number),
            Value::Text(text) => Self::Text(text.clone()),
            Value::Bytes(bytes) => Self::Bytes {
                x: text_from_bytes(bytes),
            },
            Value::Object(object) => Self::Object { o: object.0 },
            Value::Content(content) => Self::Content(ContentForm {
                l: content.length,
                d: content.digest.map(|digest| digest.to_string()),
                s: content.stamp.as_ref().map(|stamp| stamp.0.clone()),
                k: content.kept.as_ref().map(|kept| kept.0.clone()),
            }),
        }
    }
}

impl From<ValueForm> for Value {
    fn from(form: ValueForm) -> Self {
        match form {
            ValueForm::Int(number) => Self::Int(number),
            ValueForm::Text(text) => Self::Text(text),
            ValueForm::Bytes { x } => Self::Bytes(bytes_from_text(&x)),
            ValueForm::Object { o } => Self::Object(ObjectId(o)),
            ValueForm::Content(content) => Self::Content(Content {
                length: content.l,
                digest: content.d.and_then(|digest| digest.parse::<Digest>().ok()),
                stamp: content.s.map(Stamp),
                kept: content.k.map(Locator),
            }),
        }
    }
}

/// Bytes as text without loss: valid UTF-8 stays, except that `%` and every byte that is no valid UTF-8 become `%`
/// and two hex digits.
#[must_use]
pub fn text_from_bytes(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '%' => text.push_str("%25"),
                other => text.push(other),
            }
        }
        for byte in chunk.invalid() {
            let _infallible = write!(text, "%{byte:02x}");
        }
    }
    text
}

/// The inverse of [`text_from_bytes`]. A `%` that is followed by no two hex digits stands for itself.
#[must_use]
pub fn bytes_from_text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let coded = tail
            .get(..2)
            .filter(|_| *first == b'%')
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match coded.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::{StateForm, bytes_from_text, text_from_bytes};
    use crate::journal::{BeforeForm, OutcomeForm};
    use rescind_model::{Content, Digest, Fields, Locator, ObjectId, Stamp, State, Value};

    #[test]
    fn any_bytes_survive_as_text() {
        let every: Vec<u8> = (0..=255).chain([b'%', b'2', b'5', 0xc3, 0xa4]).collect();
        assert_eq!(bytes_from_text(&text_from_bytes(&every)), every);
    }

    #[test]
    fn an_announced_absence_is_told_from_nothing_announced() {
        let form = |announced: Option<State>| BeforeForm {
            s: 1,
            n: 2,
            f: "files".into(),
            k: "k".into(),
            p: "/p".into(),
            b: StateForm::from(&State::Absent),
            i: announced.as_ref().map(StateForm::from),
            w: OutcomeForm::Intended,
        };
        for before in [form(None), form(Some(State::Absent))] {
            let text = serde_json::to_string(&before).unwrap();
            assert_eq!(
                serde_json::from_str::<BeforeForm>(&text).unwrap(),
                before,
                "{text}"
            );
        }
    }

    #[test]
    fn every_kind_of_value_survives_the_disk() {
        let content = Content {
            length: 3,
            digest: Some(Digest::of(b"abc")),
            stamp: Some(Stamp("1:2".into())),
            kept: Some(Locator("blob:1".into())),
        };
        let fields = Fields::new()
            .with("content", Value::Content(content))
            .with("kind", Value::Text("file".into()))
            .with("mode", Value::Int(0o644))
            .with("object", Value::Object(ObjectId(7)))
            .with("xattr.user.a", Value::Bytes(vec![0, 255]));
        for state in [State::Absent, State::Present(fields)] {
            let text = serde_json::to_string(&StateForm::from(&state)).unwrap();
            let back: StateForm = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{:?}", State::from(back)), format!("{state:?}"));
        }
    }
}
