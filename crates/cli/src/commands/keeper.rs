//! Who keeps the files of one tool call: a process that captures them before the call, waits for its end, and records what
//! it left. It is the supervisor of a short session of its own, so that an undo takes the call back like any other.
//!
//! The hook before the call starts it and waits for its word; the hook after the call tells it through a socket. Should
//! nobody tell it, because the call was refused or the client died, it looks for itself once the client is gone or has
//! ended its turn.

use super::calls::{self, Word};
use crate::person::person;
use rescind_files::{Witness, WitnessError};
use rescind_model::{Level, SessionId, chain};
use rescind_supervisor::journal::{
    ClientForm, EnvironmentForm, ExitForm, JudgedForm, NodeEnded, NodeStarted, OutputForm, Record, Role,
    SessionEnded, SessionKind, SessionOpened,
};
use rescind_supervisor::{Home, SessionLog, Store, lives, now, process_mark, salt, session_id};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What is to be kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Kept {
    /// The call's key.
    pub key: String,
    /// Whose call it is, and why.
    pub word: Word,
    /// The files it names, absolute.
    pub files: Vec<PathBuf>,
    /// The working directory.
    pub cwd: PathBuf,
    /// The client's process, as [`process_mark`].
    pub process: String,
}

/// How many files the record of a call names.
const SHOWN: usize = 20;
/// The largest file that is kept, in bytes.
const LARGEST: u64 = 1 << 30;
/// Nobody waits longer than this for the end of a call.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a hook waits for the keeper's answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(100);

/// Start a keeper. When this has returned, the files may change. Returns the session that keeps them.
///
/// # Errors
/// A sentence: they can't be captured, so they must not change.
pub fn start(kept: &Kept) -> Result<String, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("rescind's own program is not found: {error}"))?;
    let mut child = Command::new(program)
        .args(["hook", "keep"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the process that keeps the files can't be started: {error}"))?;
    let asked = serde_json::to_vec(kept).map_err(|error| error.to_string())?;
    let sent = child.stdin.take().map(|mut stdin| stdin.write_all(&asked));
    let mut line = String::new();
    if let (Some(Ok(())), Some(stdout)) = (sent, child.stdout.take()) {
        let _nothing_read_then = BufReader::new(stdout).read_line(&mut line);
    }
    match line.trim().split_once(' ') {
        Some(("ready", session)) => Ok(session.to_owned()),
        Some(("no", why)) => Err(why.to_owned()),
        _ => Err("the process that keeps the files ended without a word".to_owned()),
    }
}

/// Tell a call's keeper that the call is over. Returns when what it left is recorded.
///
/// # Errors
/// Nobody keeps it, or its end can't be recorded.
pub fn tell(home: &Home, key: &str, ended_well: bool) -> io::Result<()> {
    let folder = home.hooks();
    // A path can be longer than the address of a socket; the name alone never is.
    std::env::set_current_dir(&folder)?;
    let mut stream = UnixStream::connect(format!("{key}.sock"))?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    stream.write_all(if ended_well { b"done\n" } else { b"failed\n" })?;
    let mut answer = String::new();
    stream.take(1_000).read_to_string(&mut answer)?;
    match answer.trim() {
        "recorded" => Ok(()),
        other => Err(io::Error::other(format!("its end is not recorded: {other}"))),
    }
}

/// Tell all keepers of an agent that its turn is over.
pub fn tell_all(home: &Home, agent: &str) {
    let start = format!("{agent}-");
    for entry in std::fs::read_dir(home.hooks()).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let key = name.to_str().and_then(|name| name.strip_suffix(".sock"));
        if let Some(key) = key.filter(|key| key.starts_with(&start)) {
            let _it_looks_for_itself_in_the_end = tell(home, key, false);
        }
    }
}

/// Be a keeper: what is to be kept comes on standard input, the answer goes to standard output. Returns the exit code.
#[must_use]
pub fn run() -> u8 {
    // A signal to the client's terminal or process group is none for us.
    let _leader_already = rustix::process::setsid();
    let answer = |text: String| {
        let mut out = io::stdout();
        let _hook_is_gone = writeln!(out, "{}", text.replace('\n', " ")).and_then(|()| out.flush());
    };
    let begun = Kept::read().and_then(|kept| Keeper::begin(kept).map_err(|error| chain(&*error)));
    match begun {
        Ok((keeper, listener)) => match keeper.capture() {
            Ok(mut witness) => {
                answer(format!("ready {}", keeper.id));
                keeper.wait(&listener, &mut witness)
            }
            Err(error) => {
                answer(format!("no {error}"));
                keeper.end(ExitForm::NotStarted, 0, Some(error.to_string()));
                1
            }
        },
        Err(why) => {
            answer(format!("no {why}"));
            1
        }
    }
}

struct Keeper {
    kept: Kept,
    home: Home,
    store: Store,
    log: &'static SessionLog,
    id: SessionId,
}

type Failed = Box<dyn std::error::Error>;

impl Kept {
    fn read() -> Result<Self, String> {
        let kept: Self = serde_json::from_reader(io::stdin()).map_err(|error| error.to_string())?;
        if calls::is_key(&kept.key) {
            Ok(kept)
        } else {
            Err("its key is none".to_owned())
        }
    }
}

impl Keeper {
    /// Open the session, its only action, and the socket.
    fn begin(kept: Kept) -> Result<(Self, UnixListener), Failed> {
        let home = Home::from_environment()?;
        let store = Store::open(home.clone())?;
        std::env::set_current_dir(calls::folder(&home)?)?;
        let socket = format!("{}.sock", kept.key);
        if UnixStream::connect(&socket).is_ok() {
            return Err("this very call is kept already".into());
        }
        let _of_one_that_died = std::fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        listener.set_nonblocking(true)?;
        let id = session_id();
        let process = kept.process.split(':').next().and_then(|pid| pid.parse().ok());
        let mut argv = vec![kept.word.client.tool.clone().unwrap_or_default()];
        argv.extend(
            kept.files
                .iter()
                .take(SHOWN)
                .map(|file| file.display().to_string()),
        );
        let told = Told {
            word: &kept.word,
            argv: store.rules().redact_argv(&argv),
            cwd: kept.cwd.display().to_string(),
            judged: None,
            process: process.unwrap_or(0),
        };
        // It lives as long as this process, whose only work it is.
        let log: &'static SessionLog = Box::leak(Box::new(told.begin(&store, &id)?));
        let keeper = Self {
            kept,
            home,
            store,
            log,
            id,
        };
        Ok((keeper, listener))
    }

    fn capture(&self) -> Result<Witness<'static>, WitnessError> {
        let mut witness = Witness::new(self.log, &self.id, 1, LARGEST);
        for file in &self.kept.files {
            witness.before(file)?;
        }
        Ok(witness)
    }

    /// Wait for the end of the call, and record what it left.
    fn wait(&self, listener: &UnixListener, witness: &mut Witness<'_>) -> u8 {
        let begun = Instant::now();
        let told = loop {
            let mut fds = [PollFd::new(listener, PollFlags::IN)];
            let second = Timespec {
                tv_sec: 1,
                tv_nsec: 0,
            };
            let _again = poll(&mut fds, Some(&second));
            if let Ok((stream, _)) = listener.accept() {
                break Some(stream);
            }
            if !lives(&self.kept.process) || begun.elapsed() > LONGEST {
                break None;
            }
        };
        let word = told.as_ref().and_then(|stream| {
            stream.set_nonblocking(false).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
            let mut line = String::new();
            BufReader::new(stream).read_line(&mut line).ok()?;
            Some(line)
        });
        let exit = match word.as_deref().map(str::trim) {
            Some("done") => ExitForm::Code(0),
            Some("failed") => ExitForm::Code(1),
            _ => ExitForm::Unknown,
        };
        let (changed, failed) = match witness.after() {
            Ok(changed) => (changed, None),
            Err(error) => (0, Some(error.to_string())),
        };
        let recorded = self.end(exit, changed, failed.clone()) && failed.is_none();
        if let Some(mut stream) = told {
            let answer = if recorded {
                "recorded"
            } else {
                failed.as_deref().unwrap_or("the journal can't be written")
            };
            let _hook_is_gone = stream.write_all(answer.as_bytes());
        }
        u8::from(!recorded)
    }

    /// Close the books; whether that is on record.
    fn end(&self, exit: ExitForm, changed: u64, failed: Option<String>) -> bool {
        let _gone_already = std::fs::remove_file(self.home.hooks().join(format!("{}.sock", self.kept.key)));
        let missing: Vec<(String, String)> = failed
            .map(|why| (self.kept.word.client.tool.clone().unwrap_or_default(), why))
            .into_iter()
            .collect();
        let ended = end(self.log, exit, changed, missing);
        let _signed_with_the_next = self.store.ledger().checkpoint();
        ended.is_ok()
    }
}

/// One call as the journal has it.
struct Told<'a> {
    word: &'a Word,
    /// The tool and its words, redacted.
    argv: Vec<String>,
    cwd: String,
    judged: Option<JudgedForm>,
    process: i32,
}

impl Told<'_> {
    fn opened(&self, id: &SessionId) -> SessionOpened {
        let client = &self.word.client.client;
        SessionOpened {
            id: id.to_string(),
            salt: salt(),
            kind: SessionKind::Run,
            time: now().to_string(),
            agent: client.clone(),
            argv: std::iter::once(client.clone())
                .chain(self.argv.iter().cloned())
                .collect(),
            cwd: self.cwd.clone(),
            user: person(),
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            supervisor: process_mark(std::process::id()),
            undoes: None,
            spans: Vec::new(),
            domain: String::new(),
            environment: String::new(),
            staged: false,
            promotes: None,
            scope: None,
        }
    }

    fn started(&self, store: &Store) -> NodeStarted {
        let reason = self.word.reason.as_ref();
        NodeStarted {
            n: 1,
            parent: 0,
            role: Role::Action,
            time: now().to_string(),
            salt: salt(),
            pid: self.process,
            exe: self.word.client.tool.clone().unwrap_or_default(),
            argv: self.argv.clone(),
            cwd: self.cwd.clone(),
            env: EnvironmentForm::default(),
            reasoning: reason.map(|reason| store.rules().redact(reason).text.into_owned()),
            judged: self.judged.clone().map(Box::new),
        }
    }

    /// Begin its session, and its only action.
    fn begin(&self, store: &Store, id: &SessionId) -> Result<SessionLog, Failed> {
        let log = store.begin(id, self.opened(id), Level::Process)?;
        let client = ClientForm {
            n: 1,
            ..self.word.client.clone()
        };
        log.write(&[Record::Client(client)])?;
        log.start(&self.started(store))?;
        Ok(log)
    }
}

/// The end of a call and of its session.
fn end(log: &SessionLog, exit: ExitForm, changed: u64, missing: Vec<(String, String)>) -> io::Result<()> {
    let time = now().to_string();
    let node = log.end(&NodeEnded {
        n: 1,
        time: time.clone(),
        exit,
        output: OutputForm::default(),
        effects: changed,
        missing: missing.clone(),
    });
    let session = log.close(&SessionEnded {
        time,
        exit,
        how: "ended".to_owned(),
        effects: changed,
        missing,
    });
    node.and(session)
}

/// Record a call of which nothing is captured: what was judged of it, and why nothing is.
///
/// # Errors
/// It can't be recorded: it must not be made.
pub fn record(
    store: &Store,
    id: &SessionId,
    word: &Word,
    command: (&str, &Path),
    mut judged: JudgedForm,
    missing: Option<&str>,
) -> Result<(), Failed> {
    let rules = store.rules();
    let whys = judged.factors.iter_mut().map(|factor| &mut factor.why);
    for text in judged.reasons.iter_mut().chain(whys) {
        *text = rules.redact(text).text.into_owned();
    }
    let argv = rules.redact_argv(&["sh".to_owned(), "-c".to_owned(), command.0.to_owned()]);
    let refused = judged.verdict == "deny";
    let told = Told {
        word,
        argv: argv.clone(),
        cwd: command.1.display().to_string(),
        judged: Some(judged),
        process: 0,
    };
    let log = told.begin(store, id)?;
    let what = argv.last().cloned().unwrap_or_default();
    let missing: Vec<(String, String)> = missing.map(|why| (what, why.to_owned())).into_iter().collect();
    for (what, why) in &missing {
        let (what, why) = (what.clone(), why.clone());
        log.write(&[Record::Missing { n: 1, what, why }])?;
    }
    end(
        &log,
        if refused {
            ExitForm::NotStarted
        } else {
            ExitForm::Unknown
        },
        0,
        missing,
    )?;
    let _signed_with_the_next = store.ledger().checkpoint();
    Ok(())
}
