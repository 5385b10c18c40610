//! A place for one scenario: a tree, a state directory of its own, and the commands of `rescind` on them.

use crate::{Manifest, rescind_binary, until};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, lchown};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Where the tree lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The temporary directory: a disk, on most machines.
    Disk,
    /// `/dev/shm`.
    Tmpfs,
}

/// As whom everything runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// As this test does.
    Me,
    /// As somebody without any rights; only where the test runs as root.
    Nobody,
}

const NOBODY: u32 = 12_345;

/// One scenario's place. Gone with the value.
#[derive(Debug)]
pub struct Scenario {
    base: tempfile::TempDir,
    binary: PathBuf,
    who: Who,
    /// More variables for every command.
    pub environment: Vec<(String, String)>,
    /// Options of `rescind run`.
    pub options: Vec<String>,
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Its status.
    pub status: ExitStatus,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
    command: String,
}

/// Bytes as text.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Scenario {
    /// A scenario on the disk, as this user.
    pub fn new() -> Self {
        Self::at(Place::Disk, Who::Me)
    }

    /// Whether this test may become somebody else.
    pub fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    /// A scenario in this place, as this user.
    ///
    /// # Panics
    /// The place can't be made.
    pub fn at(place: Place, who: Who) -> Self {
        let parent = match place {
            Place::Disk => std::env::temp_dir(),
            Place::Tmpfs => PathBuf::from("/dev/shm"),
        };
        Self::below(&parent, who)
    }

    /// A scenario in a new directory below `parent`, as this user.
    ///
    /// # Panics
    /// The place can't be made.
    pub fn below(parent: &Path, who: Who) -> Self {
        let base = tempfile::Builder::new()
            .prefix("rescind-scenario-")
            .tempdir_in(parent)
            .expect("a place");
        let mut scenario = Self {
            binary: rescind_binary(),
            base,
            who,
            environment: Vec::new(),
            options: Vec::new(),
        };
        fs::set_permissions(scenario.base(), fs::Permissions::from_mode(0o755)).expect("chmod");
        for dir in [scenario.tree(), scenario.scratch()] {
            fs::create_dir(&dir).expect("a directory");
            scenario.give(&dir);
        }
        scenario.give(scenario.base());
        if who == Who::Nobody {
            scenario.binary = scenario.lend(&scenario.binary.clone());
        }
        scenario
    }

    /// A copy of a program that the scenario's user can run.
    ///
    /// # Panics
    /// It can't be copied.
    pub fn lend(&self, program: &Path) -> PathBuf {
        if self.who == Who::Me {
            return program.to_owned();
        }
        let dir = self.base().join("bin");
        fs::create_dir_all(&dir).expect("a directory");
        let copy = dir.join(program.file_name().expect("a name"));
        if !copy.exists() {
            fs::copy(program, &copy).expect("a copy");
        }
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("chmod");
        copy
    }

    /// Make a path the scenario's user's.
    ///
    /// # Panics
    /// It can't be given.
    pub fn give(&self, path: &Path) {
        if self.who == Who::Nobody {
            lchown(path, Some(NOBODY), Some(NOBODY))
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }

    /// Make a whole tree the scenario's user's.
    pub fn give_all(&self, path: &Path) {
        if self.who == Who::Me {
            return;
        }
        self.give(path);
        if path.is_dir() && !path.is_symlink() {
            for entry in fs::read_dir(path).expect("a directory").flatten() {
                self.give_all(&entry.path());
            }
        }
    }

    /// Around everything.
    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// What the agent works on, and what is measured.
    pub fn tree(&self) -> PathBuf {
        self.base().join("tree")
    }

    /// What is neither measured nor undone.
    pub fn scratch(&self) -> PathBuf {
        self.base().join("scratch")
    }

    /// `RESCIND_HOME`.
    pub fn home(&self) -> PathBuf {
        self.environment
            .iter()
            .find(|(name, _)| name == "RESCIND_HOME")
            .map_or_else(|| self.base().join("home"), |(_, value)| PathBuf::from(value))
    }

    /// A path in the tree.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.tree().join(name)
    }

    /// Write a file of the tree, with its directories.
    ///
    /// # Panics
    /// It can't be written.
    pub fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        let mut missing: Vec<_> = path.ancestors().skip(1).take_while(|dir| !dir.exists()).collect();
        missing.reverse();
        for dir in missing {
            fs::create_dir(dir).expect("a directory");
            self.give(dir);
        }
        fs::write(&path, content).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        self.give(&path);
        path
    }

    /// Read a file of the tree, as text.
    ///
    /// # Panics
    /// It can't be read.
    #[track_caller]
    pub fn read(&self, name: impl AsRef<Path>) -> String {
        let path = self.path(name);
        text(&fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    /// The tree as it is.
    pub fn manifest(&self) -> Manifest {
        Manifest::of(&self.tree(), &[])
    }

    /// A command of the scenario's user, in the tree, with a fixed environment.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = match self.who {
            Who::Me => Command::new(program),
            Who::Nobody => {
                let mut command = Command::new("setpriv");
                let id = NOBODY.to_string();
                command
                    .args([
                        &format!("--reuid={id}"),
                        &format!("--regid={id}"),
                        "--clear-groups",
                        "--",
                    ])
                    .arg(program);
                command
            }
        };
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().current_dir(self.tree()).stdin(Stdio::null());
        command
            .env("PATH", path)
            .env("HOME", self.scratch())
            .env("RESCIND_HOME", self.home());
        command
            .env("LANG", "C.UTF-8")
            .env("TMPDIR", self.scratch())
            .env("TERM", "xterm");
        for role in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{role}_NAME"), "A. Person")
                .env(format!("GIT_{role}_EMAIL"), "person@example.com");
        }
        command.env("GIT_CONFIG_NOSYSTEM", "1");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A command of rescind.
    pub fn rescind(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&self.binary);
        command.args(arguments);
        command
    }

    /// `rescind run -- ARGV`, not yet started.
    pub fn supervised<S: AsRef<OsStr>>(&self, argv: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.rescind(&["run"]);
        command.args(&self.options).arg("--").args(argv);
        command
    }

    /// A shell script without supervision, as the scenario's user; it must succeed.
    #[track_caller]
    pub fn bare(&self, script: &str) -> Outcome {
        Outcome::of(self.command("sh").args(["-euc", script])).success()
    }

    /// A shell script under supervision.
    #[track_caller]
    pub fn run(&self, script: &str) -> Outcome {
        Outcome::of(&mut self.supervised(["sh", "-c", script]))
    }

    /// A shell script under supervision, in the background.
    #[track_caller]
    pub fn start(&self, script: &str) -> Child {
        let mut command = self.supervised(["sh", "-c", script]);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().expect("it starts")
    }

    /// The last action that waits for a person, once there is one.
    #[track_caller]
    pub fn waiting(&self) -> Value {
        until("something to be held", Duration::from_secs(120), || {
            self.tell(&["approvals", "--json"]).success().json_lines().pop()
        })
    }

    /// A shell script under supervision, without its being judged: what does again what was undone would wait for a person.
    #[track_caller]
    pub fn run_again(&self, script: &str) -> Outcome {
        let mut command = self.rescind(&["run", "--record-only"]);
        Outcome::of(command.args(&self.options).args(["--", "sh", "-c", script]))
    }

    /// Run a shell script under supervision, which must succeed and change the tree; undo it; the tree must be as before.
    #[track_caller]
    pub fn undone(&self, script: &str) -> Outcome {
        let before = self.manifest();
        let outcome = self.run_again(script).success();
        before.assert_changed(&self.manifest(), script);
        self.undo(&[]);
        before.assert_same(&self.manifest(), script);
        outcome
    }

    /// `rescind undo --yes ARGUMENTS`, which must succeed.
    #[track_caller]
    pub fn undo(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(self.rescind(&["undo", "--yes"]).args(arguments)).success()
    }

    /// A command of rescind, to its end.
    #[track_caller]
    pub fn tell(&self, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.rescind(arguments))
    }

    /// That `rescind verify` finds nothing.
    #[track_caller]
    pub fn verify(&self) {
        self.tell(&["verify"]).success();
    }

    /// What `rescind log --json` says of a session, or of the last one.
    ///
    /// # Panics
    /// It says something that is no JSON.
    #[track_caller]
    pub fn log(&self, arguments: &[&str]) -> Vec<Value> {
        let mut command = self.rescind(&["log", "--json"]);
        Outcome::of(command.args(arguments)).success().json_lines()
    }

    /// The sessions, newest first or last, as `rescind sessions --json` gives them.
    #[track_caller]
    pub fn sessions(&self) -> Vec<Value> {
        self.tell(&["sessions", "--json", "--limit", "0"])
            .success()
            .json_lines()
    }

    /// The identifiers of the agents' sessions, oldest first.
    #[track_caller]
    pub fn runs(&self) -> Vec<String> {
        self.sessions_of("run")
    }

    /// The identifiers of the undos, oldest first.
    #[track_caller]
    pub fn undos(&self) -> Vec<String> {
        self.sessions_of("undo")
    }

    #[track_caller]
    fn sessions_of(&self, kind: &str) -> Vec<String> {
        let mut runs: Vec<(String, String)> = self
            .sessions()
            .iter()
            .filter(|session| session["kind"] == kind)
            .map(|session| {
                let word = |name: &str| {
                    let found = session[name].as_str();
                    found
                        .unwrap_or_else(|| panic!("no `{name}` in {session}"))
                        .to_owned()
                };
                (word("began"), word("session_id"))
            })
            .collect();
        runs.sort();
        runs.into_iter().map(|(_, id)| id).collect()
    }
}

impl Default for Scenario {
    fn default() -> Self {
        Self::new()
    }
}

impl Outcome {
    /// Run a command to its end.
    ///
    /// # Panics
    /// It can't be started.
    #[track_caller]
    pub fn of(command: &mut Command) -> Self {
        let words = std::iter::once(command.get_program()).chain(command.get_args());
        let shown = words
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ");
        let output = command
            .output()
            .unwrap_or_else(|error| panic!("{shown}: {error}"));
        Self {
            status: output.status,
            stdout: output.stdout,
            stderr: output.stderr,
            command: shown,
        }
    }

    /// Its exit code, or 128 and the signal.
    pub fn code(&self) -> i32 {
        self.status
            .code()
            .or_else(|| self.status.signal().map(|signal| 128 + signal))
            .unwrap_or(-1)
    }

    /// Its standard output.
    pub fn out(&self) -> String {
        text(&self.stdout)
    }

    /// Its standard error.
    pub fn err(&self) -> String {
        text(&self.stderr)
    }

    /// Both.
    pub fn said(&self) -> String {
        self.out() + &self.err()
    }

    /// That it succeeded.
    #[track_caller]
    pub fn success(self) -> Self {
        self.exits(0)
    }

    /// That it ended with this code.
    ///
    /// # Panics
    /// It did not.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert!(
            self.code() == code,
            "{}\nended with {}, not with {code}\n--- stdout\n{}\n--- stderr\n{}",
            self.command,
            self.status,
            tail(&self.stdout),
            tail(&self.stderr)
        );
        self
    }

    /// Its output, an object a line, or one list.
    ///
    /// # Panics
    /// It is neither.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        if let Ok(Value::Array(list)) = serde_json::from_slice(&self.stdout) {
            return list;
        }
        self.out()
            .lines()
            .filter(|line| !line.trim().is_empty())
            .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
            .collect()
    }
}

fn tail(bytes: &[u8]) -> String {
    let from = bytes.len().saturating_sub(2500);
    text(&bytes[from..])
}
