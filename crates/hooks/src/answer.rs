//! What is said back to a client, in its own words.

use crate::{Call, Client, Phase};
use serde_json::{Map, Value, json};

/// What a hook has to say about a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Nothing: the client goes on as it would have.
    Pass,
    /// Nothing against it, and this is to be known.
    Note {
        /// What.
        text: String,
    },
    /// It may be made with this command instead of its own.
    Run {
        /// The command.
        command: String,
    },
    /// A person is to be asked; where the client can't, it is not to be made.
    Ask {
        /// Why, for the person and the agent.
        why: String,
    },
    /// It is not to be made.
    Deny {
        /// Why, for the agent.
        why: String,
    },
}

/// What a hook's process does: what it writes, and how it ends.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    /// For its standard output.
    pub stdout: String,
    /// For its standard error.
    pub stderr: String,
    /// Its exit code.
    pub code: u8,
}

/// The exit code that every client but Cline takes for a no, if there is text on standard error with it.
const BLOCKS: u8 = 2;

impl Answer {
    /// In the words of `client`. `call` is what it is about, where that could be read.
    #[must_use]
    pub fn reply(&self, client: Client, call: Option<&Call>) -> Reply {
        let before = call.is_none_or(|call| call.phase == Phase::Before);
        match self {
            Self::Pass => pass(client),
            Self::Note { text } => note(client, text),
            Self::Run { command } => match call {
                Some(call) if client.takes_changed_input() => run(call, command),
                _ => deny(client, call, "this client takes no changed command"),
            },
            Self::Ask { why } if before && client.can_ask() => ask(client, call, why),
            Self::Ask { why } => {
                let why = format!(
                    "{why}\nThis client can't ask a person from here: let one run it, or change the policy"
                );
                deny(client, call, &why)
            }
            Self::Deny { why } => deny(client, call, why),
        }
    }
}

fn out(value: &Value) -> Reply {
    Reply {
        stdout: format!("{value}\n"),
        ..Reply::default()
    }
}

fn pass(client: Client) -> Reply {
    match client {
        Client::ClaudeCode | Client::Codex | Client::Gemini => Reply::default(),
        // An empty answer could be taken for a broken hook where that blocks.
        Client::Cursor => out(&json!({"permission": "allow"})),
        Client::Cline => out(&json!({"cancel": false})),
    }
}

fn note(client: Client, text: &str) -> Reply {
    match client {
        Client::ClaudeCode | Client::Codex | Client::Gemini => out(&json!({"systemMessage": text})),
        Client::Cursor => out(&json!({
            "permission": "allow",
            "agent_message": text, "agentMessage": text,
        })),
        Client::Cline => out(&json!({"cancel": false, "contextModification": text})),
    }
}

fn run(call: &Call, command: &str) -> Reply {
    let mut whole = call.input.as_object().cloned().unwrap_or_default();
    whole.insert("command".to_owned(), Value::from(command));
    let specific = match call.client {
        // Without a decision the user's own permission rules still apply.
        Client::ClaudeCode => json!({"hookEventName": call.event, "updatedInput": whole}),
        // Only together with allow.
        Client::Codex => {
            json!({"hookEventName": call.event, "permissionDecision": "allow", "updatedInput": whole})
        }
        // It is merged over what the tool was given.
        _ => {
            let mut only = Map::new();
            only.insert("command".to_owned(), Value::from(command));
            json!({"hookEventName": call.event, "tool_input": only})
        }
    };
    out(&json!({"hookSpecificOutput": specific}))
}

fn ask(client: Client, call: Option<&Call>, why: &str) -> Reply {
    match client {
        Client::Cursor => out(&json!({
            "permission": "ask",
            "user_message": why, "userMessage": why,
            "agent_message": why, "agentMessage": why,
        })),
        _ => out(&json!({"hookSpecificOutput": {
            "hookEventName": call.map_or("PreToolUse", |call| &call.event),
            "permissionDecision": "ask",
            "permissionDecisionReason": why,
        }})),
    }
}

fn deny(client: Client, call: Option<&Call>, why: &str) -> Reply {
    if call.is_some_and(|call| call.phase != Phase::Before) {
        // It has been made: nothing can be kept from happening any more.
        return Reply {
            stderr: format!("rescind: {why}\n"),
            ..note(client, &format!("rescind: {why}"))
        };
    }
    let why = format!("rescind: {}", if why.trim().is_empty() { "denied" } else { why });
    let stdout = match client {
        Client::ClaudeCode | Client::Codex | Client::Gemini => String::new(),
        Client::Cursor => {
            let said = json!({
                "permission": "deny",
                "user_message": why, "userMessage": why,
                "agent_message": why, "agentMessage": why,
            });
            format!("{said}\n")
        }
        Client::Cline => format!("{}\n", json!({"cancel": true, "errorMessage": why})),
    };
    Reply {
        stdout,
        stderr: format!("{why}\n"),
        // Cline reads the reason only from a hook that ended well; one that fails blocks as well, without it.
        code: if client == Client::Cline { 0 } else { BLOCKS },
    }
}
