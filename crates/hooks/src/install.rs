//! A client's settings with our hook in them, and without.

use crate::document::{Document, DocumentError};
use crate::{Client, quoted};
use serde_json::{Value, json};

/// For whom a hook is installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// For all that this user does: below the home folder.
    User,
    /// For one project: below its folder.
    Project,
}

/// Where a client looks for hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a file of settings that others write, too.
    Settings {
        /// Its path below the home or project folder.
        path: &'static str,
        /// A variable that names another folder for it, and the file's name there.
        elsewhere: Option<(&'static str, &'static str)>,
    },
    /// As programs of these names in a folder.
    Scripts {
        /// Folders below the home or project folder: the first that is there, else the first.
        folders: &'static [&'static str],
        /// The programs.
        names: &'static [&'static str],
    },
}

/// How long a hook may take, in seconds: it copies the files that a call names.
const TIMEOUT: u64 = 120;

impl Client {
    /// Where it looks for hooks.
    #[must_use]
    pub fn place(self, scope: Scope) -> Place {
        let settings = |path, elsewhere: Option<(&'static str, &'static str)>| Place::Settings {
            path,
            elsewhere: elsewhere.filter(|_| scope == Scope::User),
        };
        match self {
            Self::ClaudeCode => settings(
                ".claude/settings.json",
                Some(("CLAUDE_CONFIG_DIR", "settings.json")),
            ),
            Self::Codex => settings(".codex/hooks.json", Some(("CODEX_HOME", "hooks.json"))),
            Self::Gemini => settings(".gemini/settings.json", None),
            Self::Cursor => settings(".cursor/hooks.json", None),
            Self::Cline => Place::Scripts {
                folders: match scope {
                    Scope::User => &["Documents/Cline/Rules/Hooks", "Documents/Cline/Hooks"],
                    Scope::Project => &[".clinerules/hooks"],
                },
                names: &["PreToolUse", "PostToolUse"],
            },
        }
    }

    /// The events that are hooked, each with what stands in the list of its hooks.
    fn entries(self, program: &str) -> Vec<(&'static str, Value)> {
        let command = format!("{} hook {}", quoted(program), self.name());
        let group = |handler: Value| json!({"matcher": if self == Self::Gemini { ".*" } else { "*" }, "hooks": [handler]});
        match self {
            Self::ClaudeCode => {
                let handler = json!({
                    "type": "command", "command": program, "args": ["hook", self.name()],
                    "timeout": TIMEOUT, "onFailure": "block",
                });
                let after = json!({
                    "type": "command", "command": program, "args": ["hook", self.name()], "timeout": TIMEOUT,
                });
                vec![
                    ("PreToolUse", group(handler)),
                    ("PostToolUse", group(after.clone())),
                    // The other one comes on success only.
                    ("PostToolUseFailure", group(after.clone())),
                    ("Stop", json!({"hooks": [after.clone()]})),
                    ("SubagentStop", json!({"hooks": [after]})),
                ]
            }
            Self::Codex => {
                let handler = json!({"type": "command", "command": command, "timeout": TIMEOUT});
                vec![
                    ("PreToolUse", group(handler.clone())),
                    ("PostToolUse", group(handler)),
                ]
            }
            Self::Gemini => {
                let handler = json!({
                    "type": "command", "name": "rescind", "command": command, "timeout": TIMEOUT * 1_000,
                });
                vec![
                    ("BeforeTool", group(handler.clone())),
                    ("AfterTool", group(handler)),
                ]
            }
            Self::Cursor => {
                let before = json!({"command": command, "timeout": TIMEOUT, "failClosed": true});
                let after = json!({"command": command, "timeout": TIMEOUT});
                vec![
                    ("beforeShellExecution", before.clone()),
                    ("preToolUse", before),
                    ("postToolUse", after.clone()),
                    ("postToolUseFailure", after.clone()),
                    ("stop", after),
                ]
            }
            Self::Cline => Vec::new(),
        }
    }
}

/// The settings with our hook, whichever of ours was in them before: every other byte stays. `program` is the absolute path
/// of `rescind`.
///
/// # Errors
/// The text is not what the client documents: it is not to be touched.
pub fn installed(client: Client, program: &str, text: &str) -> Result<String, DocumentError> {
    let mut document = Document::parse(&removed(client, text)?)?;
    if client == Client::Cursor {
        document = document.with_default("version", &json!(1))?;
    }
    for (event, entry) in client.entries(program) {
        document = document.appended(&["hooks", event], &entry)?;
    }
    Ok(document.text().to_owned())
}

/// The settings without our hook. An empty text: there was nothing else in them.
///
/// # Errors
/// As for [`installed`].
pub fn removed(client: Client, text: &str) -> Result<String, DocumentError> {
    let mut document = Document::parse(text)?;
    let mut had = false;
    for event in document.names(&["hooks"]) {
        let path = ["hooks", event.as_str()];
        let ours = |entry: &Value| is_ours(client, entry);
        let Ok(elements) = document.elements(&path) else {
            continue;
        };
        had |= elements.iter().any(ours);
        document = document.without(&path, ours)?;
    }
    let nothing_else = had
        && document.holds_only(if client == Client::Cursor {
            &["version"]
        } else {
            &[]
        });
    Ok(if nothing_else {
        String::new()
    } else {
        document.text().to_owned()
    })
}

/// Whether an entry of a list of hooks is ours, and nothing but ours.
fn is_ours(client: Client, entry: &Value) -> bool {
    let calls = |handler: &Value| {
        let command = handler.get("command").and_then(Value::as_str).unwrap_or_default();
        let args = handler.get("args").and_then(Value::as_array);
        match args {
            Some(args) => {
                is_rescind(command) && args.iter().filter_map(Value::as_str).eq(["hook", client.name()])
            }
            None => {
                let program = command.strip_suffix(&format!(" hook {}", client.name()));
                program.is_some_and(|program| is_rescind(program.trim_matches('\'')))
            }
        }
    };
    match entry.get("hooks").and_then(Value::as_array) {
        Some(handlers) => !handlers.is_empty() && handlers.iter().all(calls),
        None => calls(entry),
    }
}

fn is_rescind(program: &str) -> bool {
    program.rsplit('/').next() == Some("rescind")
}

const MADE_BY: &str = "# made by `rescind hook install`; `rescind hook install --remove` takes it away again";

/// The script that stands for our hook where a client wants programs of given names.
#[must_use]
pub fn script(client: Client, program: &str) -> String {
    format!(
        "#!/bin/sh\n{MADE_BY}\nexec {} hook {}\n",
        quoted(program),
        client.name()
    )
}

impl Place {
    /// Whether a script that is there is one of ours.
    #[must_use]
    pub fn is_our_script(text: &[u8]) -> bool {
        let marker = MADE_BY.as_bytes();
        text.windows(marker.len()).any(|part| part == marker)
    }
}

#[cfg(test)]
mod tests;
