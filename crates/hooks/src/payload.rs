//! What clients write to a hook's standard input, read into calls. Fields are those of each client's own documentation and
//! schemas (docs/guide/hooks.md names them); what is not known is ignored.

use crate::call::{Act, Call, Phase};
use crate::{Client, patched_files};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The largest payload that is read, in bytes: a client sends whole files in it.
pub const LARGEST: u64 = 64 << 20;
/// More files than this in one call are not captured one by one.
const MOST_FILES: usize = 1_000;

/// Why a payload is not understood. A call it is about must not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// It is no JSON object.
    #[error("what {client} sent is no JSON object: {why}")]
    NotJson {
        /// Who sent it.
        client: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Something is not there that the protocol promises.
    #[error("what {client} sent has no `{field}`")]
    Lacks {
        /// Who sent it.
        client: &'static str,
        /// What is missing.
        field: &'static str,
    },
    /// It is a file-editing tool that names no file in a way that is known here.
    #[error("`{tool}` of {client} edits files and does not say which")]
    NoFile {
        /// Who sent it.
        client: &'static str,
        /// The tool.
        tool: String,
    },
    /// It names too many files.
    #[error("`{tool}` of {client} names {count} files; {MOST_FILES} can be captured at once")]
    TooMany {
        /// Who sent it.
        client: &'static str,
        /// The tool.
        tool: String,
        /// How many.
        count: usize,
    },
}

/// Tools that run a text in a shell.
const SHELLS: [&str; 5] = ["Bash", "Monitor", "run_shell_command", "Shell", "execute_command"];
/// Tools that edit files.
const EDITORS: [&str; 20] = [
    "Edit",
    "Write",
    "MultiEdit",
    "NotebookEdit",
    "apply_patch",
    "ApplyPatch",
    "write_file",
    "replace",
    "edit",
    "edit_file",
    "StrReplace",
    "Delete",
    "EditNotebook",
    "delete_file",
    "search_replace",
    "edit_notebook",
    "write_to_file",
    "replace_in_file",
    "new_rule",
    "delete",
];
/// The fields in which tools name a file.
const PATHS: [&str; 10] = [
    "file_path",
    "filePath",
    "path",
    "notebook_path",
    "target_file",
    "target_notebook",
    "absolute_path",
    "absolutePath",
    "relative_workspace_path",
    "filename",
];

type Done<T> = Result<T, PayloadError>;

impl Call {
    /// Read what `client` sent.
    ///
    /// # Errors
    /// [`PayloadError`].
    pub fn read(client: Client, bytes: &[u8]) -> Done<Self> {
        let not_json = |why: String| PayloadError::NotJson {
            client: client.name(),
            why,
        };
        let value: Value = serde_json::from_slice(bytes).map_err(|error| not_json(error.to_string()))?;
        if !value.is_object() {
            return Err(not_json("it is a value of another kind".to_owned()));
        }
        match client {
            Client::ClaudeCode | Client::Codex | Client::Gemini => common(client, &value),
            Client::Cursor => cursor(&value),
            Client::Cline => cline(&value),
        }
    }
}

fn text(value: &Value, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?;
    (!text.is_empty()).then(|| text.to_owned())
}

fn needed(client: Client, value: &Value, field: &'static str) -> Done<String> {
    text(value, field).ok_or(PayloadError::Lacks {
        client: client.name(),
        field,
    })
}

/// Claude Code, Codex and Gemini, which took over the same shape from each other.
fn common(client: Client, value: &Value) -> Done<Call> {
    let event = needed(client, value, "hook_event_name")?;
    let phase = match event.as_str() {
        "PreToolUse" | "BeforeTool" => Phase::Before,
        "PostToolUse" | "AfterTool" => Phase::After,
        "PostToolUseFailure" => Phase::Failed,
        "Stop" | "SubagentStop" | "AfterAgent" => Phase::TurnEnd,
        _ => Phase::Other,
    };
    // Gemini tells of a failure in the response.
    let failed = value
        .pointer("/tool_response/error")
        .is_some_and(|error| !error.is_null());
    let phase = if phase == Phase::After && failed {
        Phase::Failed
    } else {
        phase
    };
    let (tool, input) = match phase {
        Phase::Other | Phase::TurnEnd => (String::new(), Value::Null),
        _ => (
            needed(client, value, "tool_name")?,
            object(client, value, "tool_input")?,
        ),
    };
    Ok(Call {
        client,
        phase,
        event,
        session: needed(client, value, "session_id")?,
        turn: text(value, "turn_id").or_else(|| text(value, "prompt_id")),
        subagent: text(value, "agent_id"),
        subagent_kind: text(value, "agent_type"),
        id: text(value, "tool_use_id"),
        act: act(client, &tool, &input)?,
        tool,
        input,
        cwd: match phase {
            Phase::Other | Phase::TurnEnd => text(value, "cwd").map(PathBuf::from).unwrap_or_default(),
            _ => folder(client, text(value, "cwd"))?,
        },
        transcript: text(value, "transcript_path").map(PathBuf::from),
    })
}

fn cursor(value: &Value) -> Done<Call> {
    let client = Client::Cursor;
    let event = needed(client, value, "hook_event_name")?;
    let first_root = value.pointer("/workspace_roots/0").and_then(Value::as_str);
    let cwd = text(value, "cwd").or_else(|| first_root.map(str::to_owned));
    let (phase, tool, input) = match event.as_str() {
        "beforeShellExecution" => (Phase::Before, "Shell".to_owned(), command_of(client, value)?),
        "afterShellExecution" => (Phase::After, "Shell".to_owned(), command_of(client, value)?),
        "preToolUse" | "postToolUse" | "postToolUseFailure" => {
            let phase = match event.as_str() {
                "preToolUse" => Phase::Before,
                "postToolUse" => Phase::After,
                _ => Phase::Failed,
            };
            (
                phase,
                needed(client, value, "tool_name")?,
                object(client, value, "tool_input")?,
            )
        }
        "stop" | "subagentStop" => (Phase::TurnEnd, String::new(), Value::Null),
        _ => (Phase::Other, String::new(), Value::Null),
    };
    // A shell call is told twice; the event of its own says the working directory, too.
    let twice = tool == "Shell" && event.ends_with("ToolUse");
    let act = if twice {
        Act::Other
    } else {
        act(client, &tool, &input)?
    };
    let cwd = match phase {
        Phase::Other | Phase::TurnEnd => cwd.map(PathBuf::from).unwrap_or_default(),
        _ => folder(client, cwd)?,
    };
    Ok(Call {
        client,
        phase,
        event,
        session: needed(client, value, "conversation_id")?,
        turn: text(value, "generation_id"),
        subagent: text(value, "subagent_id"),
        subagent_kind: text(value, "subagent_type"),
        id: text(value, "tool_use_id"),
        tool,
        act,
        input,
        cwd,
        transcript: text(value, "transcript_path").map(PathBuf::from),
    })
}

fn command_of(client: Client, value: &Value) -> Done<Value> {
    Ok(serde_json::json!({"command": needed(client, value, "command")?}))
}

fn cline(value: &Value) -> Done<Call> {
    let client = Client::Cline;
    let event = needed(client, value, "hookName")?;
    let (phase, of) = match event.as_str() {
        "PreToolUse" => (Phase::Before, value.get("preToolUse")),
        "PostToolUse" => (Phase::After, value.get("postToolUse")),
        _ => (Phase::Other, None),
    };
    let (tool, input) = match (phase, of) {
        (Phase::Other, _) => (String::new(), Value::Null),
        (_, Some(of)) => (needed(client, of, "toolName")?, object(client, of, "parameters")?),
        (Phase::Before, None) => {
            return Err(PayloadError::Lacks {
                client: client.name(),
                field: "preToolUse",
            });
        }
        (_, None) => {
            return Err(PayloadError::Lacks {
                client: client.name(),
                field: "postToolUse",
            });
        }
    };
    let failed = of.and_then(|of| of.get("success")) == Some(&Value::Bool(false));
    let root = value.pointer("/workspaceRoots/0").and_then(Value::as_str);
    let cwd = match phase {
        Phase::Other => root.map(PathBuf::from).unwrap_or_default(),
        _ => folder(client, root.map(str::to_owned))?,
    };
    Ok(Call {
        client,
        phase: if phase == Phase::After && failed {
            Phase::Failed
        } else {
            phase
        },
        event,
        session: needed(client, value, "taskId")?,
        turn: None,
        subagent: None,
        subagent_kind: None,
        id: None,
        act: act(client, &tool, &input)?,
        tool,
        input,
        cwd,
        transcript: None,
    })
}

/// The input of a tool: an object, or the text of one; a text of another kind (a patch) becomes the field `input`.
fn object(client: Client, value: &Value, field: &'static str) -> Done<Value> {
    let object = match value.get(field) {
        Some(Value::Object(fields)) => Some(Value::Object(fields.clone())),
        Some(Value::String(text)) => {
            let parsed = serde_json::from_str(text).ok().filter(Value::is_object);
            Some(parsed.unwrap_or_else(|| serde_json::json!({"input": text})))
        }
        _ => None,
    };
    object.ok_or(PayloadError::Lacks {
        client: client.name(),
        field,
    })
}

/// The working directory; paths and commands would mean something else elsewhere.
fn folder(client: Client, given: Option<String>) -> Done<PathBuf> {
    let found = given.map(PathBuf::from).filter(|path| path.is_absolute());
    found.ok_or(PayloadError::Lacks {
        client: client.name(),
        field: if client == Client::Cline {
            "workspaceRoots"
        } else {
            "cwd"
        },
    })
}

fn act(client: Client, tool: &str, input: &Value) -> Done<Act> {
    if SHELLS.contains(&tool) {
        let command = needed(client, input, "command")?;
        return Ok(Act::Shell { command });
    }
    if !EDITORS.contains(&tool) {
        return Ok(Act::Other);
    }
    let mut paths: Vec<String> = PATHS.iter().filter_map(|field| text(input, field)).collect();
    for field in ["command", "input", "patch"] {
        paths.extend(text(input, field).iter().flat_map(|patch| patched_files(patch)));
    }
    paths.dedup();
    let tool = tool.to_owned();
    match paths.len() {
        0 => Err(PayloadError::NoFile {
            client: client.name(),
            tool,
        }),
        count if count > MOST_FILES => Err(PayloadError::TooMany {
            client: client.name(),
            tool,
            count,
        }),
        _ => Ok(Act::Edit { paths }),
    }
}

impl Act {
    /// The files of an edit, from `cwd`; none for anything else.
    #[must_use]
    pub fn files(&self, cwd: &Path) -> Vec<PathBuf> {
        match self {
            Self::Edit { paths } => paths.iter().map(|path| cwd.join(path)).collect(),
            _ => Vec::new(),
        }
    }
}
