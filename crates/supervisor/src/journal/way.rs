//! How an action on something outside is taken back, as the journal has it: all that is needed, whatever becomes of the
//! catalog that it was taken from.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The way back for one target of a command: it stands in the frame of the effect's `before`, and before the command runs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WayForm {
    /// The effect's number.
    pub s: u64,
    /// The node.
    pub n: u64,
    /// The pattern of the catalog's entry.
    pub entry: String,
    /// The files of the programs that the commands below name.
    pub programs: BTreeMap<String, String>,
    /// The command that reads the state: the entry's `pre_capture`, filled.
    pub read: Vec<String>,
    /// Where its values are in what that says; none: all of it is the value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, FoundForm>,
    /// The command that takes it back, filled.
    pub back: Vec<String>,
    /// What that one reads from its standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputForm>,
    /// The command that ends with 0 once it is taken back; none: empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verify: Vec<String>,
    /// The command that ends with 0 where taking it back is safe; none: empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub check: Vec<String>,
    /// Whether taking it back twice is taking it back once.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub idempotent: bool,
    /// What the reading said before the command ran, whole and not redacted, as a file's bytes are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<KeptForm>,
}

/// Where a value is found in an output: by one of the two, or it is all of it without the blanks around it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FoundForm {
    /// By a path into JSON (RFC 9535).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// By the first group of a regular expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regex: Option<String>,
    /// All that the path finds, with a blank between.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// Taken where nothing is found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// What a compensating command reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputForm {
    /// What was read before the command ran.
    Output,
    /// This.
    Text(String),
}

/// Bytes in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptForm {
    /// How many.
    pub bytes: u64,
    /// Their SHA-256.
    pub digest: String,
    /// Where.
    pub kept: String,
}

/// An action was judged again, with what could be captured of it: stricter than before, never less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejudgedForm {
    /// The node.
    pub n: u64,
    /// The judgement that holds.
    pub judged: super::judged::JudgedForm,
}
