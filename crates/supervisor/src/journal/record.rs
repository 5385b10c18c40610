//! The records of a session's journal.

use super::form::StateForm;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One record. A frame of the journal holds one record or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", rename_all = "snake_case")]
pub enum Record {
    /// The session began; always the first record.
    Session(SessionOpened),
    /// A program is about to run (the body of the ledger's `action.started`).
    Node(NodeStarted),
    /// It ended (the body of the ledger's `action.ended`).
    NodeEnd(NodeEnded),
    /// An inode was seen for the first time, or an object got a new inode.
    Object(ObjectForm),
    /// A resource is about to be changed.
    Before(BeforeForm),
    /// What it looked like when its action had ended or somebody else went on with it.
    After(AfterForm),
    /// Something an action did, or could have done, that is not captured.
    Missing {
        /// The node.
        n: u64,
        /// What: a path, an address.
        what: String,
        /// Why.
        why: String,
    },
    /// An action talked to a process outside that could act for it.
    Escape {
        /// The node.
        n: u64,
        /// The address.
        what: String,
        /// What it can do, and what was decided.
        why: String,
    },
    /// A node was found to be the agent, or no longer to be it.
    Agent {
        /// The node.
        n: u64,
    },
    /// A process whose parent was killed before anything of it was seen: that its effects are this node's is a guess.
    Uncertain {
        /// The node it was attributed to.
        n: u64,
        /// Its process number.
        process: i32,
    },
    /// A record of an undo.
    System(super::system::SystemForm),
    /// What the driver of files noted down during an undo.
    Note(super::note::NoteForm),
    /// Something became of a hold while it waited (the body of the ledger's `action.held`).
    Waited(super::judged::WaitedForm),
    /// Somebody was told of an action, or was not.
    Told(super::judged::ToldForm),
    /// A hold ended (the body of the ledger's `action.decided`).
    Decided(super::judged::DecidedForm),
    /// How an effect on something outside is taken back.
    Way(Box<super::way::WayForm>),
    /// A node was judged again before it ran (see [`super::RejudgedForm`]).
    Rejudged(Box<super::way::RejudgedForm>),
    /// What an undo came to besides its receipt.
    Reached(super::reached::ReachedForm),
    /// What the session, or a part of it, may do, where that is not everything.
    May(MayForm),
    /// Something became of a credential of the session (the body of the ledger's `credential.*`).
    Credential(CredentialForm),
    /// On whose behalf a node acts: a program's hook told of the call that it is.
    Client(ClientForm),
    /// The session ended.
    SessionEnd(SessionEnded),
}

/// The call of an agent's program that a node is, as the program's hook told it. It is the agent's own word.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClientForm {
    /// The node; 0: the whole session.
    pub n: u64,
    /// The program: `claude-code`, `codex`, ...
    pub client: String,
    /// Its own name for its session.
    pub session: String,
    /// Its name for the turn or the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<String>,
    /// Its name for the subagent that acts, where one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent: Option<String>,
    /// What kind of subagent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subagent_kind: Option<String>,
    /// Its name for the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<String>,
    /// The tool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// What a session may do, where that is not everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MayForm {
    /// The node; 0: the whole session.
    pub n: u64,
    /// In words.
    pub may: String,
    /// The folders outside of which nothing is changed; none: anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub within: Vec<String>,
    /// Whether the kernel refuses what lies outside of them, too.
    pub floor: bool,
}

/// Something that became of a credential. Nothing in it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialForm {
    /// RFC 3339, UTC.
    pub time: String,
    /// Its name in the person's file.
    pub credential: String,
    /// How it is issued.
    pub issuer: String,
    /// What it is called where it is valid.
    pub name: String,
    /// When it ends by itself, RFC 3339.
    pub until: String,
    /// What.
    pub what: CredentialEvent,
    /// In a sentence.
    pub said: String,
}

/// What can become of a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialEvent {
    /// It is about to be issued.
    Issuing,
    /// It was issued, and works.
    Issued,
    /// It was revoked, and does not work any more.
    Revoked,
    /// It was to be revoked, and nobody can say that it does not work any more.
    Unproved,
}

/// What began a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOpened {
    /// The session.
    pub id: String,
    /// Random, so that nobody can guess an erased body from its digest.
    pub salt: String,
    /// What kind of session.
    pub kind: SessionKind,
    /// RFC 3339, UTC.
    pub time: String,
    /// The agent's name, as given or found.
    pub agent: String,
    /// The command line, redacted.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// The user's name or number.
    pub user: String,
    /// The machine's name.
    pub host: String,
    /// The supervisor's process number and start time in clock ticks since boot, with the boot's id: who to ask, and
    /// how to know that it is gone.
    pub supervisor: String,
    /// For an undo: the session it undoes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undoes: Option<String>,
    /// For an undo: what of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// For an undo that spans several sessions: all of them, oldest first. `undoes` is the first of them, in whose
    /// numbers it counts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<String>,
    /// The domain the agent works in, where one was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// What kind of environment that is, where it was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub environment: String,
    /// Whether its changes went to a stage: nothing of them is real.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub staged: bool,
    /// The staged session whose changes this one makes real.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotes: Option<String>,
}

impl SessionOpened {
    /// The sessions that an undo takes back, or parts of: one or several.
    pub fn taken_back(&self) -> impl Iterator<Item = &str> {
        let one = self.undoes.as_deref().filter(|_| self.spans.is_empty());
        self.spans.iter().map(String::as_str).chain(one)
    }
}

/// The kinds of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// An agent's.
    Run,
    /// Rescind's own: an undo.
    Undo,
}

/// What a node is in its session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A program that only starts the agent.
    Launcher,
    /// The agent itself.
    Agent,
    /// Started by the agent.
    Action,
    /// Started by an action.
    Process,
    /// The agent's own writes over a stretch of time.
    Direct,
    /// A step of rescind itself.
    System,
}

/// An environment: what differs from the parent node's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EnvironmentForm {
    /// Set or changed, redacted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, String>,
    /// Taken away.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
}

/// How often something was redacted, by kind.
pub type RedactedForm = BTreeMap<String, u64>;

/// A program about to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeStarted {
    /// Its number in the session, from 1.
    pub n: u64,
    /// The node that started it; 0: rescind.
    pub parent: u64,
    /// Its role.
    pub role: Role,
    /// RFC 3339, UTC.
    pub time: String,
    /// Random, as in [`SessionOpened::salt`].
    pub salt: String,
    /// Its process number.
    pub pid: i32,
    /// The program's path as it was called.
    pub exe: String,
    /// The command line, redacted.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// The environment.
    pub env: EnvironmentForm,
    /// Why the agent says it does this, where it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// What was judged of it, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged: Option<Box<super::judged::JudgedForm>>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitForm {
    /// With this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It became another program by exec: this node.
    Exec(u64),
    /// The exec failed: the program never ran.
    NotStarted,
    /// Nobody saw how.
    Unknown,
}

/// What a program wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputForm {
    /// Bytes in all, as written.
    pub bytes: u64,
    /// SHA-256 of all bytes after redaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The first bytes, redacted, as text.
    pub preview: String,
    /// Where the vault keeps it, redacted, in pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Why it was not recorded, or not whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<String>,
    /// How often something was redacted.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub redacted: RedactedForm,
}

/// A program that ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeEnded {
    /// The node.
    pub n: u64,
    /// RFC 3339, UTC.
    pub time: String,
    /// How.
    pub exit: ExitForm,
    /// What it wrote.
    pub output: OutputForm,
    /// How many resources it changed.
    pub effects: u64,
    /// What was not captured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(String, String)>,
}

/// An inode by its session number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectForm {
    /// The session whose numbers these are.
    pub session: String,
    /// The number.
    pub o: u64,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Birth time in ns since the epoch; 0 where the file system has none.
    pub btime: i64,
    /// `file`, `dir`, `symlink`, ...
    pub kind: String,
    /// Whether it is gone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Its path, as [`super::text_from_bytes`].
    pub path: String,
}

/// What is known of an effect besides its states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeForm {
    /// Only the intent.
    #[default]
    Intended,
    /// Nothing was captured.
    NotCaptured,
}

/// A state that is there is one, also where it says `null`: that something will be absent.
fn announced<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Option<StateForm>, D::Error> {
    serde::Deserialize::deserialize(input).map(Some)
}

/// A resource about to be changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BeforeForm {
    /// The effect's number in the session, from 1, in the order of capture.
    pub s: u64,
    /// The node that does it.
    pub n: u64,
    /// The surface.
    #[serde(default = "files", skip_serializing_if = "is_files")]
    pub f: String,
    /// The resource's key, as [`super::text_from_bytes`].
    pub k: String,
    /// Its name, as [`super::text_from_bytes`].
    pub p: String,
    /// Its state before.
    pub b: StateForm,
    /// The state intended, where it is known beforehand.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "announced"
    )]
    pub i: Option<StateForm>,
    /// What is known.
    #[serde(default, skip_serializing_if = "is_intended")]
    pub w: OutcomeForm,
}

/// What an effect left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterForm {
    /// The effect's number.
    pub s: u64,
    /// The state.
    pub a: StateForm,
    /// Whether the content is the one from before: only attributes or the name were touched, so that both stamps stand
    /// for the same bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub c: bool,
    /// Whether the node may go on changing it: another touched it while calls of this one may have been on their way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub g: bool,
}

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// RFC 3339, UTC.
    pub time: String,
    /// How the agent ended.
    pub exit: ExitForm,
    /// `ended`, or `recovered` where a later command finished the books after a crash, or `killed`.
    pub how: String,
    /// Resources changed.
    pub effects: u64,
    /// What was not captured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<(String, String)>,
}

fn files() -> String {
    "files".to_owned()
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_intended(outcome: &OutcomeForm) -> bool {
    *outcome == OutcomeForm::Intended
}

fn is_files(surface: &str) -> bool {
    surface == "files"
}
