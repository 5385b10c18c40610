//! The real binary with a state directory of its own, and sessions written by hand where no run is needed.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that can't be set up has failed"
)]

use rescind_files::{Identity, Kind, read};
use rescind_model::{Level, ObjectId, SessionId, State};
use rescind_supervisor::journal::{
    AfterForm, BeforeForm, EnvironmentForm, ExitForm, NodeEnded, NodeStarted, ObjectForm, OutcomeForm,
    OutputForm, Record, Role, SessionEnded, SessionKind, SessionOpened, StateForm, text_from_bytes,
};
use rescind_supervisor::{Home, SessionLog, Store, now, salt, session_id};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A state directory, and a folder to work in.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Self {
        let place = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(place.work()).unwrap();
        place
    }

    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    pub fn store(&self) -> Store {
        Store::open(Home::at(self.home())).unwrap()
    }

    /// The binary, without a terminal and without the caller's settings.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rescind"));
        command
            .args(words)
            .env("RESCIND_HOME", self.home())
            .env("TZ", "UTC")
            .current_dir(self.work());
        command
            .env_remove("RESCIND_SESSION")
            .env_remove("NO_COLOR")
            .env_remove("CLICOLOR_FORCE");
        command.stdin(Stdio::null());
        command
    }

    pub fn rescind(&self, words: &[&str]) -> Answer {
        Answer::of(self.command(words).output().unwrap())
    }
}

/// What the binary said.
#[derive(Debug)]
pub struct Answer {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Answer {
    pub fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The lines of stdout as JSON.
    pub fn json(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| serde_json::from_str(line).expect(line))
            .collect()
    }

    /// stderr as one JSON error.
    pub fn error(&self) -> Value {
        serde_json::from_str(&self.err).expect(&self.err)
    }

    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// Begin a session as its supervisor would.
pub fn begin(store: &Store, argv: &[&str], supervisor: &str) -> (SessionId, SessionLog) {
    let id = session_id();
    let opened = SessionOpened {
        id: id.to_string(),
        salt: salt(),
        kind: SessionKind::Run,
        time: now().to_string(),
        agent: "agent".to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        cwd: "/".to_owned(),
        user: "u".to_owned(),
        host: "h".to_owned(),
        supervisor: supervisor.to_owned(),
        undoes: None,
        scope: None,
        spans: Vec::new(),
        domain: String::new(),
        environment: String::new(),
        staged: false,
        promotes: None,
    };
    let log = store.begin(&id, opened, Level::Process).unwrap();
    (id, log)
}

/// A program of a session, started.
pub fn node(n: u64, parent: u64, role: Role, argv: &[&str]) -> NodeStarted {
    NodeStarted {
        n,
        parent,
        role,
        time: now().to_string(),
        salt: salt(),
        pid: 7,
        exe: "/bin/x".to_owned(),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        cwd: "/work".to_owned(),
        env: EnvironmentForm::default(),
        reasoning: None,
        judged: None,
    }
}

/// Its end.
pub fn node_end(n: u64, exit: ExitForm, output: &str) -> NodeEnded {
    let output = OutputForm {
        bytes: output.len() as u64,
        preview: output.to_owned(),
        ..OutputForm::default()
    };
    NodeEnded {
        n,
        time: now().to_string(),
        exit,
        output,
        effects: 0,
        missing: Vec::new(),
    }
}

pub fn close(log: &SessionLog) {
    let ended = SessionEnded {
        time: now().to_string(),
        exit: ExitForm::Code(0),
        how: "ended".to_owned(),
        effects: 0,
        missing: Vec::new(),
    };
    log.close(&ended).unwrap();
}

/// The state of `name` in `folder`, as a gateway reads it, and its inode.
pub fn state(folder: &Path, name: &str, object: u64) -> (State, Identity) {
    let opened = File::open(folder).unwrap();
    let look = read::look(opened.as_fd(), OsStr::new(name)).unwrap().unwrap();
    let state = read::state(opened.as_fd(), OsStr::new(name), &look, Some(ObjectId(object))).unwrap();
    (state, look.identity)
}

fn object(session: &SessionId, o: u64, identity: Identity, kind: Kind, path: &Path) -> Record {
    Record::Object(ObjectForm {
        session: session.to_string(),
        o,
        dev: identity.dev,
        ino: identity.ino,
        btime: identity.btime,
        kind: kind.name().to_owned(),
        gone: false,
        path: text_from_bytes(path.as_os_str().as_bytes()),
    })
}

/// A finished session in which an agent's action made the file `name` in `folder`.
pub fn session_that_made(store: &Store, folder: &Path, name: &str, text: &str) -> SessionId {
    made(store, folder, name, text, true)
}

/// The same, of which the supervisor died before it saw what the action had left.
pub fn session_cut_short(store: &Store, folder: &Path, name: &str, text: &str) -> SessionId {
    made(store, folder, name, text, false)
}

fn made(store: &Store, folder: &Path, name: &str, text: &str, whole: bool) -> SessionId {
    let (id, log) = begin(store, &["agent", "--do", "it"], "1:1:gone");
    log.start(&node(1, 0, Role::Agent, &["agent"])).unwrap();
    log.start(&node(2, 1, Role::Action, &["sh", "-c", "make it"]))
        .unwrap();
    let folder = folder.canonicalize().unwrap();
    let (_, identity) = state(
        folder.parent().unwrap(),
        folder.file_name().unwrap().to_str().unwrap(),
        1,
    );
    std::fs::write(folder.join(name), text).unwrap();
    let (after, own) = state(&folder, name, 2);
    let key = text_from_bytes(format!("{id}:1/{name}").as_bytes());
    let path = folder.join(name);
    log.write(&[
        object(&id, 1, identity, Kind::Dir, &folder),
        Record::Before(BeforeForm {
            s: 1,
            n: 2,
            f: "files".to_owned(),
            k: key,
            p: text_from_bytes(path.as_os_str().as_bytes()),
            b: StateForm::from(&State::Absent),
            i: None,
            w: OutcomeForm::Intended,
        }),
    ])
    .unwrap();
    if !whole {
        return id;
    }
    log.write(&[
        object(&id, 2, own, Kind::File, &path),
        Record::After(AfterForm {
            s: 1,
            g: false,
            c: false,
            a: StateForm::from(&after),
        }),
    ])
    .unwrap();
    log.end(&node_end(2, ExitForm::Code(0), "made\n")).unwrap();
    log.end(&node_end(1, ExitForm::Code(0), "")).unwrap();
    close(&log);
    id
}

/// A session of which the supervisor died after a second program had gone on with the file that a first one made, and the
/// first one wrote it once more.
pub fn session_cut_short_after_another_went_on(store: &Store, folder: &Path, name: &str) -> SessionId {
    let id = made(store, folder, name, "one\n", false);
    let log = store.resume(&id, Level::Process).unwrap();
    let path = folder.canonicalize().unwrap().join(name);
    let (left, own) = state(folder, name, 2);
    let after = |s, g| {
        Record::After(AfterForm {
            s,
            g,
            c: false,
            a: StateForm::from(&left),
        })
    };
    log.start(&node(3, 1, Role::Action, &["touch", name])).unwrap();
    log.write(&[
        object(&id, 2, own, Kind::File, &path),
        after(1, true),
        Record::Before(BeforeForm {
            s: 2,
            n: 3,
            f: "files".to_owned(),
            k: text_from_bytes(format!("{id}:1/{name}").as_bytes()),
            p: text_from_bytes(path.as_os_str().as_bytes()),
            b: StateForm::from(&left),
            i: None,
            w: OutcomeForm::Intended,
        }),
        after(2, false),
    ])
    .unwrap();
    log.end(&node_end(3, ExitForm::Code(0), "")).unwrap();
    std::fs::write(&path, "one and two\n").unwrap();
    id
}
