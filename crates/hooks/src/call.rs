//! One tool call, whichever client tells of it.

use crate::Client;
use rescind_model::Digest;
use serde_json::Value;
use std::path::PathBuf;

/// What a client tells of one of its tool calls.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The client.
    pub client: Client,
    /// When it tells.
    pub phase: Phase,
    /// The client's name for the event.
    pub event: String,
    /// Its name for its session.
    pub session: String,
    /// Its name for the turn or the prompt.
    pub turn: Option<String>,
    /// Its name for the subagent that acts.
    pub subagent: Option<String>,
    /// What kind of subagent.
    pub subagent_kind: Option<String>,
    /// Its name for the call.
    pub id: Option<String>,
    /// The tool.
    pub tool: String,
    /// What the tool is about to do, as far as it matters here.
    pub act: Act,
    /// The tool's input, as given.
    pub input: Value,
    /// The working directory.
    pub cwd: PathBuf,
    /// Where the client writes down the conversation.
    pub transcript: Option<PathBuf>,
}

/// When a client tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The call is about to be made.
    Before,
    /// It was made.
    After,
    /// It was tried, and failed.
    Failed,
    /// The agent has ended its turn: none of its calls is under way any more.
    TurnEnd,
    /// Something else; there is nothing to be done.
    Other,
}

/// What a tool does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// It runs a command in a shell.
    Shell {
        /// The text for the shell.
        command: String,
    },
    /// It writes, makes or removes these files.
    Edit {
        /// Their paths as given, from the working directory.
        paths: Vec<String>,
    },
    /// What is not captured here: reading, MCP servers, the web.
    Other,
}

impl Call {
    /// A name for the call that is the same before and after it: that of its agent, and 32 hex digits.
    #[must_use]
    pub fn key(&self) -> String {
        let call = match &self.id {
            Some(id) => id.clone(),
            None => format!("{}\0{}", self.tool, self.input),
        };
        let agent = self.agent_key();
        format!("{agent}-{}", hex(&format!("{agent}\0{call}"), 16))
    }

    /// A name for the agent, or subagent, of one session: 16 hex digits.
    #[must_use]
    pub fn agent_key(&self) -> String {
        let subagent = self.subagent.as_deref().unwrap_or_default();
        hex(
            &format!("{}\0{}\0{subagent}", self.client.name(), self.session),
            8,
        )
    }

    /// What the agent says the call is for, in the call itself.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        let found = self
            .input
            .get("description")
            .or_else(|| self.input.get("justification"));
        found
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    }
}

/// The first bytes of a text's digest, as hex.
fn hex(text: &str, bytes: usize) -> String {
    let digest = Digest::of(text.as_bytes());
    digest
        .0
        .iter()
        .take(bytes)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
