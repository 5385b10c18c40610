//! The clients, and what each of them can do. Facts about them are here and nowhere else in the code.

/// A coding agent's program that calls hooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// Anthropic's Claude Code.
    ClaudeCode,
    /// OpenAI's Codex CLI.
    Codex,
    /// Google's Gemini CLI.
    Gemini,
    /// Cursor, the editor and its CLI.
    Cursor,
    /// Cline, the extension.
    Cline,
}

impl Client {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ClaudeCode,
        Self::Codex,
        Self::Gemini,
        Self::Cursor,
        Self::Cline,
    ];

    /// Its name on our command line and in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude-code",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Cursor => "cursor",
            Self::Cline => "cline",
        }
    }

    /// The client of this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|client| client.name() == name)
    }

    /// Whether a hook may give a shell call another command, so that it runs under supervision.
    #[must_use]
    pub fn takes_changed_input(self) -> bool {
        matches!(self, Self::ClaudeCode | Self::Codex | Self::Gemini)
    }

    /// Whether a hook may have the person asked.
    #[must_use]
    pub fn can_ask(self) -> bool {
        matches!(self, Self::ClaudeCode | Self::Cursor)
    }

    /// How shell calls are captured.
    #[must_use]
    pub fn capture(self) -> &'static str {
        if self.takes_changed_input() {
            "each shell command runs under `rescind exec`: the kernel shows what it changes"
        } else {
            "shell commands are judged by their text only and not captured: this client takes no changed command; start \
             it under `rescind run` to have them captured by the kernel"
        }
    }

    /// Where a call goes on although the hook did not answer, or the hook is not asked at all: one line each.
    #[must_use]
    pub fn gaps(self) -> &'static [&'static str] {
        match self {
            Self::ClaudeCode => &[
                "before version 2.1.295 (which knows onFailure), a hook that is killed, times out or can't be started \
                 lets the call through",
                "files mentioned with @ are read without a hook; MCP tools and web requests are not captured",
            ],
            Self::Codex => &[
                "a hook that is killed, times out, can't be started or is not trusted lets the call through; codex has \
                 no setting for this",
                "hooks did not see every call in some releases (issues 16732, 20204, 26729, 26733 of openai/codex)",
                "a rewritten command counts as allowed by the hook: codex does not ask for it itself",
                "MCP tools and web requests are not captured",
            ],
            Self::Gemini => &[
                "a hook that is killed, times out or can't be started lets the call through with a warning",
                "MCP tools and web requests are not captured",
            ],
            Self::Cursor => &[
                "versions that don't know failClosed let the call through when the hook is killed or times out",
                "versions without preToolUse don't show file edits before they are made: those are not captured",
                "MCP tools are not captured",
            ],
            Self::Cline => &[
                "hooks run only where they are turned on in Cline's settings",
                "MCP tools and the browser are not captured",
            ],
        }
    }
}
