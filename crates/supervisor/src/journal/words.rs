//! What is on record, in words: the same wherever it is shown.

use super::{ExitForm, NodeStarted, Role};
use rescind_model::{SessionId, command_line};

impl Role {
    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Launcher => "launcher",
            Self::Agent => "agent",
            Self::Action => "action",
            Self::Process => "process",
            Self::Direct => "direct",
            Self::System => "system",
        }
    }
}

impl ExitForm {
    /// How a program of this session ended: `exit 1`, `signal 9`.
    #[must_use]
    pub fn text(self, session: &SessionId) -> String {
        match self {
            Self::Code(code) => format!("exit {code}"),
            Self::Signal(signal) => format!("signal {signal}"),
            Self::Exec(node) => format!("became {}", session.action(node)),
            Self::NotStarted => "not started".to_owned(),
            Self::Unknown => "unknown".to_owned(),
        }
    }
}

impl NodeStarted {
    /// What it ran, as one would type it; of an agent's own writes, whose they are.
    #[must_use]
    pub fn command(&self) -> String {
        match self.role {
            Role::Direct => format!(
                "({} itself)",
                self.argv.first().map_or("the agent", String::as_str)
            ),
            _ => command_line(&self.argv),
        }
    }
}
