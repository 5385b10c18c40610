//! What every command works with: the store, opened with its books finished, and how to answer.

use crate::error::{Code, Done, Failure};
use crate::out::say;
use crate::text::clean;
use rescind_model::{ActionId, SessionId, chain};
use rescind_supervisor::control::Control;
use rescind_supervisor::journal::{SessionKind, SessionOpened};
use rescind_supervisor::{Home, SessionView, Store, lives, opened};

/// The settings of one command.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// Whether answers and errors are JSON.
    pub json: bool,
}

impl Context {
    /// The state directory.
    ///
    /// # Errors
    /// No variable names one.
    pub fn home(&self) -> Done<Home> {
        Home::from_environment().map_err(|error| {
            Failure::new(Code::StateDirectory, chain(&error)).help("set RESCIND_HOME to a directory of yours")
        })
    }

    /// The store, with the books of sessions finished whose supervisor died.
    ///
    /// # Errors
    /// It can't be used.
    pub fn store(&self) -> Done<Store> {
        let store = self.open()?;
        if inside_by_environment() {
            return Ok(store);
        }
        crate::undoing::settle_dead(&store)?;
        let books = rescind_supervisor::finish_books(&store)?;
        for id in &books.recovered {
            say(format!(
                "rescind: the supervisor of session {id} died; its books are finished now"
            ));
        }
        for (id, why) in &books.unfinished {
            say(format!(
                "rescind: the books of session {id} could not be finished: {}",
                clean(why)
            ));
        }
        crate::credentials::sweep(&store, std::time::Duration::ZERO);
        if let Ok(control) = Control::open(store.home()) {
            // It is on the board until it can be; what a lost board had is in the ledger.
            let _by_a_later_command = control.record_owed(&store).and_then(|_| control.restore(&store));
        }
        Ok(store)
    }

    /// The store, for a command that no supervised process may give (law 8).
    ///
    /// # Errors
    /// As [`Context::store`], and where this process is part of a supervised tree.
    pub fn store_outside(&self) -> Done<Store> {
        self.outside(Self::store)
    }

    /// Whether this process is part of no supervised tree.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub fn is_outside(&self, store: &Store) -> Done<bool> {
        Ok(!inside_by_environment() && !inside_by_descent(store)?)
    }

    /// The same without the books, for a kill: it waits for nothing.
    ///
    /// # Errors
    /// As [`Context::store_outside`].
    pub fn store_at_once(&self) -> Done<Store> {
        self.outside(Self::open)
    }

    fn open(&self) -> Done<Store> {
        Store::open(self.home()?).map_err(|error| {
            if is_filtered() && denied(&error) {
                return inside().means("its programs can't reach what is recorded, and nothing was changed");
            }
            Failure::from(error)
        })
    }

    fn outside(&self, open: impl FnOnce(&Self) -> Done<Store>) -> Done<Store> {
        if inside_by_environment() {
            return Err(inside());
        }
        let store = open(self)?;
        if inside_by_descent(&store)? {
            Err(inside())
        } else {
            Ok(store)
        }
    }
}

/// What a command says that no process of a session may give.
#[must_use]
pub fn inside() -> Failure {
    Failure::new(
        Code::InsideSupervisedTree,
        "this process belongs to a supervised session",
    )
    .help("give the command from a shell that was not started under `rescind run`")
}

/// Whether the environment says that this is a supervised process, and a filter is on it. An agent can clear its
/// environment; then its descent tells.
#[must_use]
pub fn inside_by_environment() -> bool {
    std::env::var_os("RESCIND_SESSION").is_some() && is_filtered()
}

/// Whether a seccomp filter is on this process.
#[must_use]
pub fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() == "2")
}

/// Whether the store could not be opened for a refusal such as a gateway's.
fn denied(error: &(dyn std::error::Error + 'static)) -> bool {
    let refused = |error: &(dyn std::error::Error + 'static)| {
        let io = error.downcast_ref::<std::io::Error>();
        io.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    refused(error) || error.source().is_some_and(denied)
}

/// Whether the supervisor of a running session is among this process's ancestors.
fn inside_by_descent(store: &Store) -> Done<bool> {
    let mut supervisors = Vec::new();
    for id in rescind_supervisor::unended(store)? {
        if let Ok(opened) = opened(store, &id)
            && lives(&opened.supervisor)
        {
            supervisors.extend(pid_of(&opened.supervisor));
        }
    }
    Ok(is_below(&supervisors))
}

/// Whether one of these processes is this one or above it.
#[must_use]
pub fn is_below(supervisors: &[u32]) -> bool {
    if supervisors.is_empty() {
        return false;
    }
    let mut pid = std::process::id();
    while pid > 1 {
        if supervisors.contains(&pid) {
            return true;
        }
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let parent = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1));
        pid = parent.and_then(|parent| parent.parse().ok()).unwrap_or(0);
    }
    false
}

/// The process number in a mark.
#[must_use]
pub fn pid_of(mark: &str) -> Option<u32> {
    mark.split(':').next()?.parse().ok()
}

/// The session that is meant: by its id or a part of it, or the last run.
///
/// # Errors
/// None or several match.
pub fn session(store: &Store, asked: Option<&str>) -> Done<SessionId> {
    if asked.is_some() {
        return Ok(store.find(asked)?);
    }
    let is_run = |opened: &SessionOpened| opened.kind == SessionKind::Run;
    let sessions = store.sessions()?;
    let run = sessions
        .iter()
        .rev()
        .find(|id| opened(store, id).is_ok_and(|opened| is_run(&opened)));
    match run {
        Some(id) => Ok(id.clone()),
        None => Err(Failure::new(Code::NoSuchSession, "there are no sessions yet")
            .help("`rescind run -- COMMAND` makes one; `rescind tour` shows it all")),
    }
}

/// The action that is meant: `SESSION.N`, a part of the session's id and `.N`, or `N` of the last run.
///
/// # Errors
/// The session is not found, or what is given is no action.
pub fn action(store: &Store, asked: &str, within: Option<&SessionId>) -> Done<ActionId> {
    let wrong = || {
        Failure::new(Code::NoSuchAction, format!("`{asked}` is no action"))
            .help("write SESSION.NUMBER, or the NUMBER alone for the last session; `rescind log` lists them")
    };
    match asked.rsplit_once('.') {
        Some((part, number)) => {
            let number = number.parse().map_err(|_| wrong())?;
            Ok(session(store, Some(part))?.action(number))
        }
        None => {
            let number = asked.parse().map_err(|_| wrong())?;
            let id = match within {
                Some(id) => id.clone(),
                None => session(store, None)?,
            };
            Ok(id.action(number))
        }
    }
}

/// Read a session.
///
/// # Errors
/// It was erased, or its journal is damaged.
pub fn load(store: &Store, id: &SessionId) -> Done<SessionView> {
    Ok(SessionView::load(store, id)?)
}
