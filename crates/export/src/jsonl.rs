//! JSON Lines: the event itself, with the ledger's entry byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rescind_index::Event;
use serde::{Deserialize, Serialize};

#[derive(Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    #[serde(flatten)]
    entry: EntryForm,
}

/// The ledger's entry as it is: text where it is UTF-8, as every entry of rescind is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct EntryForm {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry_base64: Option<String>,
}

impl EntryForm {
    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self {
                entry: Some(text.to_owned()),
                entry_base64: None,
            },
            Err(_) => Self {
                entry: None,
                entry_base64: Some(STANDARD.encode(bytes)),
            },
        }
    }

    /// The bytes; `None`: the line has none, or they are no base64.
    pub fn bytes(&self) -> Option<Vec<u8>> {
        match (&self.entry, &self.entry_base64) {
            (Some(text), _) => Some(text.clone().into_bytes()),
            (None, Some(text)) => STANDARD.decode(text).ok(),
            (None, None) => None,
        }
    }
}

/// The event as one line of JSON without its end, with the ledger's entry as `entry` (or `entry_base64`, were it no
/// UTF-8): whoever hashes that entry as the ledger does has a leaf of its tree.
///
/// # Errors
/// None that an [`Event`] can cause: its numbers are finite and its names are texts.
pub fn jsonl(event: &Event, entry: &[u8]) -> serde_json::Result<String> {
    serde_json::to_string(&Line {
        event,
        entry: EntryForm::of(entry),
    })
}
