//! Telling people: a configured command for each tier and each name that a policy's `@notify` uses, run by the
//! supervisor, outside of the tree. Nobody waits for it; what fails, or comes too often, is on record.

use rescind_supervisor::holds::Tiers;
use rescind_supervisor::journal::{Record, ToldForm};
use rescind_supervisor::{SessionLog, now};
use serde_json::Value;
use std::collections::HashMap;
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many wait to be told; more are counted and left out.
const MOST_WAITING: usize = 64;
/// One name is told so often a minute.
const MOST_A_MINUTE: u32 = 12;
const MINUTE: Duration = Duration::from_secs(60);
/// How long a command may take before it is killed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the end of a run waits for what is still to be told.
const LAST: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_millis(20);

/// Who tells people.
#[derive(Debug)]
pub struct Notifier {
    tiers: Tiers,
    log: Arc<SessionLog>,
    inner: Mutex<Inner>,
    /// The books are closed: nothing is recorded any more.
    over: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Inner {
    to: Option<SyncSender<Notice>>,
    thread: Option<JoinHandle<()>>,
    rates: HashMap<String, Rate>,
}

/// How often a name was told since when, and how often it was left out.
#[derive(Debug)]
struct Rate {
    since: Instant,
    told: u32,
    left_out: u64,
}

#[derive(Debug)]
struct Notice {
    node: u64,
    whom: String,
    command: Vec<String>,
    action: String,
    event: &'static str,
    body: Value,
}

impl Notifier {
    pub(super) fn new(tiers: Tiers, log: Arc<SessionLog>) -> Self {
        Self {
            tiers,
            log,
            inner: Mutex::default(),
            over: Arc::default(),
        }
    }

    /// Tell somebody, where a command is configured for that. `event`: `held`, `escalated`, `moved`, `denied` or `runs`.
    pub(super) fn tell(&self, node: u64, whom: &str, event: &'static str, body: &Value) {
        let Some(command) = self.tiers.command(whom) else {
            return;
        };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = match inner.rates.entry(whom.to_owned()).or_insert_with(Rate::new).ask() {
            Some(left_out) => left_out,
            None => return self.record(node, whom, "told too often in this minute: left out"),
        };
        let mut body = body.clone();
        if let Some(fields) = body.as_object_mut() {
            fields.insert("event".to_owned(), event.into());
            fields.insert("whom".to_owned(), whom.into());
            fields.insert("left_out_before".to_owned(), left_out.into());
        }
        let notice = Notice {
            node,
            whom: whom.to_owned(),
            command: command.to_vec(),
            action: self.log.id().action(node).to_string(),
            event,
            body,
        };
        if self
            .start(&mut inner)
            .is_none_or(|to| to.try_send(notice).is_err())
        {
            self.record(node, whom, "too many wait to be told: left out");
        }
    }

    fn start<'i>(&self, inner: &'i mut Inner) -> Option<&'i SyncSender<Notice>> {
        if inner.to.is_none() {
            let (to, from) = sync_channel(MOST_WAITING);
            let (log, over) = (Arc::clone(&self.log), Arc::clone(&self.over));
            let thread = std::thread::Builder::new().name("notices".to_owned());
            inner.thread = thread.spawn(move || tell_all(&from, &log, &over)).ok();
            inner.to = inner.thread.is_some().then_some(to);
        }
        inner.to.as_ref()
    }

    fn record(&self, node: u64, whom: &str, what: &str) {
        record(&self.log, node, whom, what);
    }

    /// The books are about to be closed.
    pub(super) fn close(&self) {
        self.over.store(true, Ordering::SeqCst);
    }

    /// Tell what is left to be told; not for long.
    pub(super) fn finish(&self) {
        let thread = {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.to = None;
            inner.thread.take()
        };
        let begun = Instant::now();
        while thread.as_ref().is_some_and(|thread| !thread.is_finished()) && begun.elapsed() < LAST {
            std::thread::sleep(LOOK);
        }
    }
}

impl Rate {
    fn new() -> Self {
        Self {
            since: Instant::now(),
            told: 0,
            left_out: 0,
        }
    }

    /// Whether one more may be told now, and how many were left out before; `None`: it is left out, too.
    fn ask(&mut self) -> Option<u64> {
        if self.since.elapsed() >= MINUTE {
            (self.since, self.told) = (Instant::now(), 0);
        }
        if self.told >= MOST_A_MINUTE {
            self.left_out += 1;
            return None;
        }
        self.told += 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

fn tell_all(from: &Receiver<Notice>, log: &SessionLog, over: &AtomicBool) {
    for notice in from {
        let what = match run(&notice) {
            Ok(()) => "told".to_owned(),
            Err(why) => format!("not told: {why}"),
        };
        if !over.load(Ordering::SeqCst) {
            record(log, notice.node, &notice.whom, &what);
        }
    }
}

fn record(log: &SessionLog, node: u64, whom: &str, what: &str) {
    let told = ToldForm {
        n: node,
        at: now().to_string(),
        whom: whom.to_owned(),
        what: what.to_owned(),
    };
    let _only_a_remark = log.write(&[Record::Told(told)]);
}

/// Run a command with what there is to tell on its standard input, as JSON.
fn run(notice: &Notice) -> Result<(), String> {
    let (program, words) = notice.command.split_first().ok_or("there is no command")?;
    let mut command = Command::new(program);
    command
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .env("RESCIND_EVENT", notice.event)
        .env("RESCIND_ACTION", &notice.action)
        .current_dir("/")
        .process_group(0);
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    if let Some(mut input) = child.stdin.take() {
        // It is smaller than any pipe, and need not be read.
        let _unread = input.write_all(notice.body.to_string().as_bytes());
    }
    let begun = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => return Err(format!("`{program}` ended with {status}")),
            Ok(None) if begun.elapsed() > PATIENCE => {
                end(&mut child);
                return Err(format!(
                    "`{program}` took more than {} s and was killed",
                    PATIENCE.as_secs()
                ));
            }
            Ok(None) => std::thread::sleep(LOOK),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// The whole group of a command that takes too long.
fn end(child: &mut Child) {
    if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
        let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _gone = child.kill().and_then(|()| child.wait());
}
