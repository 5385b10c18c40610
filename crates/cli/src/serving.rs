//! What the server has done by commands: each is this very program, in a process of its own, so that it goes on where the server
//! is ended, and so that what it says is what the command says.

use crate::commands::approvals::{ApproveArgs, check_change, lasting_of};
use crate::credentials;
use crate::error::Failure;
use crate::health::{self, Checks};
use crate::pages;
use rescind_model::{ActionId, SessionId};
use rescind_server::api::holds::Always;
use rescind_server::{Failed, Lasting, Operations, Progress, UndoOrder};
use rescind_supervisor::Store;
use rescind_supervisor::holds::Hold;
use serde_json::{Value, json};
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// The most bytes of a command's answer.
const ANSWER: u64 = 64 << 20;

/// The most bytes of what it says on stderr.
const SAID: u64 = 1 << 20;

/// So many commands that only look run at once, whoever asks: each is a process that may read a whole session.
const AT_ONCE: usize = 8;

/// The commands of this program.
pub struct Commands {
    store: Arc<Store>,
    places: Places,
}

/// Places for what runs.
struct Places {
    free: Mutex<usize>,
    freed: Condvar,
}

/// One of them, given back when it is dropped.
struct Place<'p>(&'p Places);

impl Places {
    /// Wait for one.
    fn take(&self) -> Place<'_> {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.freed.wait_while(free, |free| *free == 0);
        *waited.unwrap_or_else(PoisonError::into_inner) -= 1;
        Place(self)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.freed.notify_one();
    }
}

impl Commands {
    /// Over this store.
    #[must_use]
    pub fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            places: Places {
                free: Mutex::new(AT_ONCE),
                freed: Condvar::new(),
            },
        }
    }

    fn command(&self, words: &[String]) -> Result<Command, Failed> {
        let program = std::env::current_exe().map_err(|error| lost(&error.to_string()))?;
        let mut command = Command::new(program);
        command
            .args(words)
            .env("RESCIND_HOME", self.store.home().root())
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        Ok(command)
    }

    /// Run a command to its end. Of what it writes to stdout so many bytes are kept, and of what it says on stderr the lines that
    /// `hears` does not take.
    fn end(&self, words: &[String], most: u64, hears: impl FnMut(&str) -> bool) -> Result<Ended, Failed> {
        let mut child = self
            .command(words)?
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| lost(&error.to_string()))?;
        let out = child.stdout.take();
        let answer = std::thread::spawn(move || out.map(|out| head(out, most)).unwrap_or_default());
        let errors = child.stderr.take();
        let said = errors.map(|errors| said(errors, hears)).unwrap_or_default();
        let status = child.wait().map_err(|error| lost(&error.to_string()))?;
        Ok(Ended {
            code: status.code(),
            answer: answer.join().unwrap_or_default(),
            said,
        })
    }

    /// What a command that only looks wrote to stdout, at most so many bytes. `fine`: exit codes that are answers.
    fn look(&self, words: &[&str], fine: &[i32], most: u64) -> Result<String, Failed> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let _place = self.places.take();
        let ended = self.end(&words, most, |_| false)?;
        if ended.code.is_some_and(|code| fine.contains(&code)) {
            return Ok(ended.answer);
        }
        Err(failed(&ended.said))
    }

    fn json(&self, words: &[&str], fine: &[i32]) -> Result<Value, Failed> {
        let text = self.look(words, fine, ANSWER)?;
        serde_json::from_str(last(&text).unwrap_or("null")).map_err(|error| lost(&error.to_string()))
    }
}

/// How a command ended.
struct Ended {
    code: Option<i32>,
    answer: String,
    said: String,
}

/// The beginning of what a command writes. The rest is read all the same, so that the command comes to its end.
fn head(mut out: impl Read, most: u64) -> String {
    let mut kept = Vec::new();
    let _what_came = out.by_ref().take(most).read_to_end(&mut kept);
    let _rest = io::copy(&mut out, &mut io::sink());
    String::from_utf8_lossy(&kept).into_owned()
}

/// What a command says on stderr, without the lines that `hears` takes.
fn said(errors: impl Read, mut hears: impl FnMut(&str) -> bool) -> String {
    let mut errors = BufReader::new(errors);
    let (mut said, mut line) = (String::new(), Vec::new());
    while let Ok(1..) = errors.by_ref().take(SAID).read_until(b'\n', &mut line) {
        let text = String::from_utf8_lossy(&line);
        if !hears(&text) && (said.len() as u64) < SAID {
            said.push_str(&text);
        }
        line.clear();
    }
    said
}

/// The last line that says anything.
fn last(text: &str) -> Option<&str> {
    text.lines().rev().find(|line| !line.trim().is_empty())
}

/// A line that says how far an undo is.
fn step(line: &str) -> Option<Progress> {
    let value: Value = serde_json::from_str(line).ok()?;
    let step = value.get("progress")?;
    let number = |name: &str| step.get(name).and_then(Value::as_u64).unwrap_or(0);
    let name = step.get("name").and_then(Value::as_str);
    Some(Progress {
        done: number("done"),
        of: number("of"),
        name: name.unwrap_or_default().to_owned(),
    })
}

/// What a command that failed said on stderr.
fn failed(said: &str) -> Failed {
    for line in said.lines().rev() {
        if let Ok(value) = serde_json::from_str::<Value>(line)
            && let Some(error) = value.get("error")
        {
            let text = |name: &str| {
                error
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            let help = error.get("help").and_then(Value::as_array);
            return Failed {
                code: text("code"),
                kind: text("kind"),
                message: text("message"),
                meaning: text("meaning"),
                help: help
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            };
        }
    }
    lost(last(said).unwrap_or("it ended without a word"))
}

/// A command that can't be run, or gave no answer.
fn lost(why: &str) -> Failed {
    Failed {
        code: "store-unreachable".to_owned(),
        kind: "store".to_owned(),
        message: format!("the command could not be carried out: {why}"),
        meaning: "what it was to do may have been done: look before you ask again".to_owned(),
        help: Vec::new(),
    }
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        failed(&failure.json().to_string())
    }
}

impl Operations for Commands {
    fn plan(&self, session: &SessionId, actions: &[ActionId]) -> Result<Value, Failed> {
        let mut words = vec!["plan".to_owned(), session.to_string(), "--json".to_owned()];
        words.extend(actions.iter().map(|action| format!("--only={action}")));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // Conflicts are an answer, too.
        self.json(&words, &[0, 3])
    }

    fn undo(&self, order: &UndoOrder, progress: &mut dyn FnMut(Progress)) -> Result<Value, Failed> {
        let mut words = vec![
            "undo".to_owned(),
            order.session.to_string(),
            "--yes".to_owned(),
            "--json".to_owned(),
            "--progress".to_owned(),
            format!("--plan={}", order.plan),
            format!("--by={}", order.person),
            format!("--on-conflict={}", order.on_conflict),
        ];
        words.extend(order.actions.iter().map(|action| format!("--only={action}")));
        let ended = self.end(&words, ANSWER, |line| step(line).map(&mut *progress).is_some())?;
        let answer = last(&ended.answer).and_then(|line| serde_json::from_str::<Value>(line).ok());
        match (ended.code, answer) {
            // 5: not proved complete, 6: a health check failed; both say so themselves.
            (Some(0 | 5 | 6), Some(value)) if value.get("receipt").is_some() => Ok(value),
            _ => Err(failed(&ended.said)),
        }
    }

    fn action(&self, action: &ActionId) -> Result<Value, Failed> {
        self.json(&["show", &action.to_string(), "--json"], &[0])
    }

    fn diff(&self, session: &SessionId, most: usize) -> Result<String, Failed> {
        let mut text = self.look(&["diff", &session.to_string()], &[0], most as u64)?;
        if text.len() >= most {
            text.push_str("\n# more is left out here; `rescind diff` has all of it\n");
        }
        Ok(text)
    }

    fn lasting(
        &self,
        hold: &Hold,
        always: Option<&Always>,
        change: Option<&[String]>,
    ) -> Result<Lasting, Failed> {
        let rule = match always {
            Some(wanted) => lasting_of(
                &ApproveArgs {
                    always: !wanted.for_session,
                    for_session: wanted.for_session,
                    until: wanted.until.clone(),
                    pattern: wanted.pattern.clone(),
                    ..ApproveArgs::default()
                },
                hold,
            )?,
            None => None,
        };
        if let Some(words) = change {
            check_change(&self.store, hold, words)?;
        }
        Ok(Lasting {
            always: rule,
            change: change.map(<[String]>::to_vec),
        })
    }

    fn revoke(&self, sessions: &[SessionId]) -> Vec<Value> {
        let mut all = Vec::new();
        for session in sessions {
            match credentials::revoke_session(&self.store, session.as_str(), None) {
                Ok(ends) => all.extend(ends.iter().map(|end| {
                    json!({"session": session.to_string(), "dead": end.is_dead(), "says": end.sentence()})
                })),
                Err(failure) => all.push(
                    json!({"session": session.to_string(), "dead": false, "says": failure.message()}),
                ),
            }
        }
        all
    }

    fn health(&self, domains: &[String]) -> (bool, Value) {
        let checks = Checks::of_user().run(domains.iter().map(String::as_str));
        (health::all_passed(&checks), health::json(&checks))
    }

    fn proof(&self, action: &ActionId) -> Result<String, Failed> {
        self.look(&["ledger", "prove", &action.to_string()], &[0], ANSWER)
    }

    fn verify(&self) -> Result<Value, Failed> {
        self.json(&["verify", "--json"], &[0])
    }

    fn export_spans(&self, url: &str, headers: Option<&Path>, resume: &Path) -> io::Result<Child> {
        let mut words = vec!["export", "--format", "otlp", "--follow", "--to", url];
        let resume = resume.display().to_string();
        words.extend(["--resume", &resume]);
        let headers = headers.map(|path| path.display().to_string());
        if let Some(path) = &headers {
            words.extend(["--headers", path]);
        }
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let mut command = self
            .command(&words)
            .map_err(|failed| io::Error::other(failed.message))?;
        command.stdout(Stdio::null()).spawn()
    }

    fn error_page(&self, code: &str) -> Option<&'static str> {
        pages::page(code)
    }
}
