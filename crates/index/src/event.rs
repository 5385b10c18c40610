//! One entry of the ledger with what its body says: what streams, exports and pages are made of.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// An entry of the ledger, together with the record that it stands for and the session it belongs to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its place in the ledger, from 0: one for each entry, without gaps. Streams and exports resume behind it.
    pub seq: u64,
    /// RFC 3339, UTC.
    pub time: String,
    /// What happened, as the ledger names it: `action.started`, `kill.called`.
    pub kind: String,
    /// The session; empty where it belongs to none.
    pub session: String,
    /// The action, `SESSION.NUMBER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// The agent's name, and who started it.
    #[serde(default)]
    pub agent: String,
    /// Who started the session.
    #[serde(default)]
    pub owner: String,
    /// Its domain; empty for none.
    #[serde(default)]
    pub domain: String,
    /// Its environment; empty where it is not known.
    #[serde(default)]
    pub environment: String,
    /// SHA-256 of the body, as the ledger has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The journal's record (docs/formats/journal.md), whose digest was compared; for entries without a session's record
    /// the JSON object or the sentence of their note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// Why there is no body, where the entry has one: erased, damaged, or not to be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}
