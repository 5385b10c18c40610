//! What the server has done by the commands it shares a binary with: plans, undos, diffs. The binary gives it in, so that the
//! server knows no surface.

use crate::api::holds::Always;
use crate::problem::Problem;
use axum::http::StatusCode;
use rescind_model::{ActionId, SessionId};
use rescind_supervisor::holds::{AlwaysForm, Hold};
use serde_json::Value;
use std::io;
use std::path::Path;
use std::process::Child;

/// How far an undo is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Progress {
    /// Steps that are done.
    pub done: u64,
    /// All of them.
    pub of: u64,
    /// What is being restored.
    pub name: String,
}

/// What an undo is to take back, and what whoever asked had seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndoOrder {
    /// The session.
    pub session: SessionId,
    /// Only these actions; none: all of it.
    pub actions: Vec<ActionId>,
    /// The digest of the plan that was shown: another one is refused.
    pub plan: String,
    /// Who.
    pub person: String,
    /// What is done where both sides changed the same: `ask` refuses, `keep` leaves, `restore` restores.
    pub on_conflict: String,
}

/// What an approval carries besides itself.
#[derive(Debug, Clone, Default)]
pub struct Lasting {
    /// The same may run again.
    pub always: Option<AlwaysForm>,
    /// What may run instead.
    pub change: Option<Vec<String>>,
}

/// A command failed, and says so with its stable code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// `no-such-session`
    pub code: String,
    /// `not-found`, `conflict`, `usage`, ...
    pub kind: String,
    /// In a line.
    pub message: String,
    /// What it means for the data.
    pub meaning: String,
    /// What to do next.
    pub help: Vec<String>,
}

/// The commands. All of them block.
pub trait Operations: Send + Sync + 'static {
    /// What an undo of a session, or of some of its actions, would do.
    ///
    /// # Errors
    /// As the command `plan`.
    fn plan(&self, session: &SessionId, actions: &[ActionId]) -> Result<Value, Failed>;

    /// Take it back, as it was shown. It goes on where this server is ended meanwhile.
    ///
    /// # Errors
    /// As the command `undo`; `plan-changed` where the plan is not the one that was shown.
    fn undo(&self, order: &UndoOrder, progress: &mut dyn FnMut(Progress)) -> Result<Value, Failed>;

    /// Everything about an action, with diffs.
    ///
    /// # Errors
    /// As the command `show`.
    fn action(&self, action: &ActionId) -> Result<Value, Failed>;

    /// What a session changed, as a unified diff of at most so many bytes.
    ///
    /// # Errors
    /// As the command `diff`.
    fn diff(&self, session: &SessionId, most: usize) -> Result<String, Failed>;

    /// What an approval comes to that goes further than once, or wants something else to run instead: checked as
    /// `rescind approve` checks it.
    ///
    /// # Errors
    /// As the command `approve` with `--always` or `--change`.
    fn lasting(
        &self,
        hold: &Hold,
        always: Option<&Always>,
        change: Option<&[String]>,
    ) -> Result<Lasting, Failed>;

    /// Revoke the credentials of sessions that were ended; what came of each.
    fn revoke(&self, sessions: &[SessionId]) -> Vec<Value>;

    /// The health checks of these domains: all of them passed, and what each said.
    fn health(&self, domains: &[String]) -> (bool, Value);

    /// The proof that an action's entries are in the ledger, as text (C2SP tlog-proof).
    ///
    /// # Errors
    /// As the command `ledger prove`.
    fn proof(&self, action: &ActionId) -> Result<String, Failed>;

    /// Hold the whole store against its own record.
    ///
    /// # Errors
    /// As the command `verify`: what was found.
    fn verify(&self) -> Result<Value, Failed>;

    /// Begin to send spans, from where `resume` says, until the process is ended.
    ///
    /// # Errors
    /// It can't be begun.
    fn export_spans(&self, url: &str, headers: Option<&Path>, resume: &Path) -> io::Result<Child>;

    /// The page of an error code, as Markdown.
    fn error_page(&self, code: &str) -> Option<&'static str>;
}

impl From<Failed> for Problem {
    fn from(failed: Failed) -> Self {
        let status = match failed.kind.as_str() {
            "not-found" => StatusCode::NOT_FOUND,
            "conflict" | "state" | "undo" | "health" | "hold" => StatusCode::CONFLICT,
            "usage" => StatusCode::BAD_REQUEST,
            "policy" | "refused" => StatusCode::FORBIDDEN,
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut problem = Problem::new(status, &failed.code, failed.message).means(failed.meaning);
        problem.help = failed.help;
        problem
    }
}
