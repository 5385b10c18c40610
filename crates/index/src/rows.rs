//! The rows of lists and pages: plain values, as they are sent.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct SessionRow {
    /// The session.
    pub session: String,
    /// `run`, `undo` or `promote`; empty where it is erased.
    pub kind: String,
    /// The agent's name.
    pub agent: String,
    /// Who started it.
    pub owner: String,
    /// Its domain; empty for none.
    pub domain: String,
    /// Its environment; empty where it was not given.
    pub environment: String,
    /// The command line, redacted, quoted for a shell.
    pub command: String,
    /// The working directory.
    pub cwd: String,
    /// The machine's name.
    pub host: String,
    /// Whether its changes went to a stage.
    pub staged: bool,
    /// The staged session whose changes it makes real.
    pub promotes: Option<String>,
    /// For an undo: the sessions it takes back, or parts of.
    pub undoes: Vec<String>,
    /// For an undo: what of them.
    pub scope: Option<String>,
    /// The undos of it, oldest first.
    pub undone_by: Vec<String>,
    /// `running`, `ended`, `interrupted` (its supervisor is gone and its books are not finished) or `erased`.
    pub state: String,
    /// How it ended: `ended`, `killed` or `recovered`.
    pub how: Option<String>,
    /// How its agent ended, in words: `exit 0`, `signal 9`.
    pub exit: Option<String>,
    /// The agent's exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended the agent.
    pub signal: Option<i32>,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339.
    pub ended: Option<String>,
    /// Actions on record, the agent's own programs included, mere processes of actions not.
    pub actions: u64,
    /// Different resources changed, folders' own times aside.
    pub effects: u64,
    /// Actions that failed, were killed or are in doubt.
    pub failures: u64,
    /// Actions that were denied.
    pub denials: u64,
    /// Actions that were held, those that wait now included.
    pub holds: u64,
    /// Actions that wait now, by the record.
    pub waiting: u64,
    /// Actions that are not, or only in part, captured.
    pub not_captured: u64,
    /// Whether what can be made again was given up: its undo may be incomplete.
    pub pruned: bool,
    /// Why its journal can't be read to its end, where it can't.
    pub damage: Option<String>,
    /// The ledger's first entry of it.
    pub first_seq: u64,
    /// The ledger's last entry of it.
    pub last_seq: u64,
}

/// Something that was not captured, and why.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Gap {
    /// A path, an address.
    pub what: String,
    /// Why.
    pub why: String,
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecidedRow {
    /// `approved`, `changed`, `rejected`, `expired` or `void`.
    pub how: String,
    /// When, RFC 3339.
    pub at: String,
    /// Who decided.
    pub by: Vec<String>,
    /// What they want the agent to read.
    pub message: Option<String>,
}

/// An action in a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ActionRow {
    /// `SESSION.NUMBER`.
    pub action: String,
    /// The session.
    pub session: String,
    /// Its number in it.
    pub n: u64,
    /// What started it; 0: rescind.
    pub parent: u64,
    /// `launcher`, `agent`, `action`, `direct` or `system`.
    pub role: String,
    /// RFC 3339.
    pub time: String,
    /// RFC 3339.
    pub ended: Option<String>,
    /// The agent's name.
    pub agent: String,
    /// Who started the session.
    pub owner: String,
    /// The session's domain; empty for none.
    pub domain: String,
    /// The session's environment; empty where it was not given.
    pub environment: String,
    /// The command line, redacted, quoted for a shell.
    pub command: String,
    /// The program's path as it was called.
    pub program: String,
    /// The working directory.
    pub cwd: String,
    /// What kind of action it is, as policies have it; empty where it was not judged.
    pub kind: String,
    /// The reversibility class that was judged, or `unknown`; empty where it was not judged.
    pub class: String,
    /// The risk score, 0 to 100.
    pub score: Option<u8>,
    /// `allow`, `hold` or `deny`; empty where it was not judged.
    pub verdict: String,
    /// Why, each a sentence.
    pub reasons: Vec<String>,
    /// `captured`, `partial` or `not_captured`.
    pub coverage: String,
    /// What was not captured; at most [`crate::MOST_GAPS`] of them.
    pub gaps: Vec<Gap>,
    /// How many there are.
    pub gaps_total: u64,
    /// `held`, `denied`, `rejected`, `expired`, `void`, `started`, `done`, `failed`, `killed`, `in_doubt`, `undone`,
    /// `compensated`, `undo_conflict` or `kept`.
    pub state: String,
    /// How it ended, in words: `exit 1`, `not started`.
    pub exit: Option<String>,
    /// The exit code.
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// How many resources it changed.
    pub effects: u64,
    /// How many bytes it wrote as output.
    pub output: u64,
    /// What it acts on: `files`, `shell`, ...
    pub surface: String,
    /// How its hold ended, where it was held.
    pub decided: Option<DecidedRow>,
    /// The rule learned from an approval by which it ran: the action it was learned from.
    pub rule: Option<String>,
    /// Why a step of an undo ended as it did.
    pub why: Option<String>,
    /// The ledger's entry that brought it.
    pub seq: u64,
}

/// A path that an action changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct ChangeRow {
    /// The path, or the name of another resource.
    pub path: String,
    /// `created`, `changed`, `attributes`, `deleted` or `moved`.
    pub kind: String,
    /// Of a moved one, where it was before.
    pub from: Option<String>,
    /// Whether its state before was captured.
    pub captured: bool,
}

/// An action with the paths it changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActionDetail {
    /// The action.
    pub action: ActionRow,
    /// What it changed; at most [`crate::MOST_CHANGES`].
    pub changes: Vec<ChangeRow>,
}

/// An undo of a session.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct UndoRow {
    /// The undo, a session itself.
    pub undo: String,
    /// What it takes back.
    pub undoes: Vec<String>,
    /// What of them.
    pub scope: Option<String>,
    /// Who started it.
    pub owner: String,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339.
    pub ended: Option<String>,
    /// `running`, `ended`, `interrupted` or `erased`.
    pub state: String,
    /// Steps and compensations begun.
    pub begun: u64,
    /// Those that ended.
    pub over: u64,
    /// Whether everything was brought to its target and read back; none: there is no receipt yet.
    pub proved: Option<bool>,
    /// Its receipt.
    pub receipt: Option<ReceiptRow>,
}

/// What an undo came to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct ReceiptRow {
    /// Resources brought to their target.
    pub restored: u64,
    /// Resources that were there already.
    pub already: u64,
    /// Compensations made.
    pub compensated: u64,
    /// Resources read back and compared.
    pub read_back: u64,
    /// How many stay as they are.
    pub kept: u64,
    /// How many are in conflict.
    pub conflicts: u64,
    /// How many can't come back.
    pub lost: u64,
    /// How many failed.
    pub failed: u64,
    /// How many are in doubt.
    pub in_doubt: u64,
    /// How many differ from their target.
    pub differs: u64,
}

/// A kill, a pause, or what ended them, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ControlRow {
    /// The ledger's entry.
    pub seq: u64,
    /// RFC 3339.
    pub time: String,
    /// `kill.called`, `kill.answered`, `kill.lifted` or `access.changed`.
    pub kind: String,
    /// What its note says.
    pub note: serde_json::Value,
}

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Sessions that go on.
    pub running: u64,
    /// Sessions whose supervisor is gone and whose books are not finished.
    pub interrupted: u64,
    /// Actions that wait for a person, by the record.
    pub waiting: u64,
    /// Actions that began in the last minute, by class; empty: not judged.
    pub last_minute: BTreeMap<String, u64>,
    /// Actions that began in the last hour, by class; empty: not judged.
    pub last_hour: BTreeMap<String, u64>,
    /// Of those of the last hour, how many were denied.
    pub denials: u64,
    /// Of those of the last hour, how many failed.
    pub failures: u64,
    /// How far the ledger has been read: entries.
    pub position: u64,
}

/// A point or a stretch of a session's timeline.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Mark {
    /// Begins so many ms after the session.
    pub at: u64,
    /// Lasts so many ms; 0 for a point.
    pub length: u64,
    /// `files`, `shell`, ...
    pub surface: String,
    /// Actions that began in it.
    pub actions: u64,
    /// Resources these changed.
    pub effects: u64,
    /// Those that failed, were killed or are in doubt.
    pub failures: u64,
    /// Those that were held.
    pub holds: u64,
    /// Those that were denied.
    pub denials: u64,
    /// The number of the first of them in the session.
    pub first: u64,
}

/// A session as a picture.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// The session.
    pub session: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took so far, in ms.
    pub length: u64,
    /// How long a mark is that stands for several actions, in ms; 0: each action has its own.
    pub bin: u64,
    /// By time, then surface.
    pub marks: Vec<Mark>,
}
