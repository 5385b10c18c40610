//! The processes of a supervised run, and who starts whom:
//!
//! ```text
//! front       what the user started: waits, forwards signals, ends with the agent's status
//! └ supervisor    captures, records, answers trapped calls
//!   └ guardian    the reaper of every orphan below; ends the whole tree when the supervisor dies
//!     └ agent     under the filter, with all that it starts
//! ```
//!
//! All four are in one process group, so that the terminal's signals and job control reach the agent as without us;
//! front, supervisor and guardian ignore those that are meant for it.

use rescind_sys::{ExitStatus, Fork, kill_process};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Signal;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The agent's command line.
#[derive(Debug, Clone)]
pub struct Launch {
    /// Program and arguments; never empty.
    pub argv: Vec<std::ffi::OsString>,
    /// Whether the agent may be started although this kernel can't keep it from signalling the supervisor.
    pub without_signal_scope: bool,
    /// What the kernel is to refuse the agent.
    pub floor: super::Floor,
    /// Variables set for the agent.
    pub environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// What the guardian runs once the tree has ended, should the supervisor have died; empty for nothing.
    pub afterwards: Vec<OsString>,
    /// The session's journal: its time says when the tree ended, where the supervisor died before it could. What was
    /// changed until then was changed while the session lived.
    pub journal: std::path::PathBuf,
}

/// What the guardian and the front tell and are told, as five bytes: a letter and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// Guardian: this is the agent's process.
    Started(i32),
    /// The agent ended with this code.
    Exited(i32),
    /// The agent was ended by this signal.
    Signaled(i32),
    /// The agent was stopped.
    Stopped(i32),
    /// The agent goes on.
    Continued,
    /// Guardian: no process of the tree is left.
    Empty,
    /// To the guardian: end the whole tree.
    Kill,
    /// Front: this signal came for the agent.
    Forward(i32),
}

impl Message {
    fn bytes(self) -> [u8; 5] {
        let (letter, number) = match self {
            Self::Started(pid) => (b'A', pid),
            Self::Exited(code) => (b'E', code),
            Self::Signaled(signal) => (b'S', signal),
            Self::Stopped(signal) => (b'T', signal),
            Self::Continued => (b'C', 0),
            Self::Empty => (b'0', 0),
            Self::Kill => (b'K', 0),
            Self::Forward(signal) => (b'F', signal),
        };
        let [a, b, c, d] = number.to_le_bytes();
        [letter, a, b, c, d]
    }

    fn parse(bytes: [u8; 5]) -> Option<Self> {
        let [letter, a, b, c, d] = bytes;
        let number = i32::from_le_bytes([a, b, c, d]);
        Some(match letter {
            b'A' => Self::Started(number),
            b'E' => Self::Exited(number),
            b'S' => Self::Signaled(number),
            b'T' => Self::Stopped(number),
            b'C' => Self::Continued,
            b'0' => Self::Empty,
            b'K' => Self::Kill,
            b'F' => Self::Forward(number),
            _ => return None,
        })
    }

    /// Say it.
    ///
    /// # Errors
    /// The other side is gone.
    pub fn send(self, mut to: &UnixStream) -> io::Result<()> {
        to.write_all(&self.bytes())
    }

    /// Hear one; `None` when the other side is gone.
    ///
    /// # Errors
    /// The socket failed.
    pub fn receive(mut from: &UnixStream) -> io::Result<Option<Self>> {
        let mut bytes = [0_u8; 5];
        match from.read_exact(&mut bytes) {
            Ok(()) => Ok(Self::parse(bytes)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The supervisor's end of everything it needs, in the supervisor process.
#[derive(Debug)]
pub struct Seat {
    /// To and from the front.
    pub front: UnixStream,
    /// The front's process.
    pub front_process: i32,
    /// To and from the guardian.
    pub guardian: UnixStream,
    /// The guardian's process.
    pub guardian_process: i32,
    /// Signals that other processes sent to the supervisor itself.
    signals: SignalGate,
    /// From the agent, before it runs: its listener; to it: go.
    pub agent: OwnedFd,
}

impl Seat {
    /// Whether a later command asked the supervisor to end its tree, by SIGQUIT from a process (the terminal's goes to the
    /// agent).
    #[must_use]
    pub fn asked_to_end(&self) -> bool {
        self.signals.pending().contains(&(libc::SIGQUIT, false))
    }

    /// Supervision never began: the front ends with this code. Does nothing where the front has its word already.
    pub fn refuse(&self, code: i32) {
        let _the_front_is_gone_then = Message::Exited(code).send(&self.front);
    }
}

const FORWARDED: [Signal; 5] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::USR1, Signal::USR2];

/// Fork into front, supervisor, guardian and agent. Returns in the supervisor with its seat, and in the front, once
/// all is over, with how to end. Must be called before any thread is started.
///
/// # Errors
/// The kernel refuses a process or a socket.
pub fn launch(launch: &Launch) -> io::Result<Result<Seat, ExitStatus>> {
    let (front, supervisor) = UnixStream::pair()?;
    let signals = SignalGate::block()?;
    let front_process = std::process::id().cast_signed();
    match rescind_sys::fork()? {
        Fork::Parent(_) => {
            drop(supervisor);
            // It stops when the agent has stopped, and not by the terminal's word, which would be twice.
            signals.ignore_terminal();
            Ok(Err(front_loop(&front, &signals)))
        }
        Fork::Child => {
            drop(front);
            signals.ignore_terminal();
            let (guardian, other) = UnixStream::pair()?;
            let kind = SocketType::STREAM;
            let (agent, agent_other) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
            match rescind_sys::fork()? {
                Fork::Parent(guardian_process) => {
                    drop((other, agent_other));
                    rescind_sys::set_name("rescind-super");
                    rescind_sys::adopt_orphans()?;
                    rescind_sys::become_untraceable()?;
                    Ok(Ok(Seat {
                        front: supervisor,
                        front_process,
                        guardian,
                        guardian_process,
                        signals,
                        agent,
                    }))
                }
                Fork::Child => {
                    drop((supervisor, guardian, agent));
                    guard(&other, agent_other, launch, &signals);
                    exit_now(0)
                }
            }
        }
    }
}

fn exit_now(code: i32) -> ! {
    // No destructors and no flushing: this copy of the process owns nothing that is the parent's.
    rescind_sys::exit_now(code)
}

/// The front's life: forward signals, stop when the agent stops, learn how to end.
fn front_loop(supervisor: &UnixStream, signals: &SignalGate) -> ExitStatus {
    loop {
        let mut fds = [
            PollFd::new(supervisor, PollFlags::IN),
            PollFd::from_borrowed_fd(signals.fd.as_fd(), PollFlags::IN),
        ];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        if !fds.get(1).is_some_and(|fd| fd.revents().is_empty()) {
            for (signal, from_kernel) in signals.pending() {
                // What the terminal sends goes to the whole group, the agent included.
                if !from_kernel {
                    let _gone = Message::Forward(signal).send(supervisor);
                }
            }
        }
        if fds.first().is_some_and(|fd| fd.revents().is_empty()) {
            continue;
        }
        match Message::receive(supervisor) {
            Ok(Some(Message::Exited(code))) => return ExitStatus::Exited(code),
            Ok(Some(Message::Signaled(signal))) => return ExitStatus::Signaled(signal),
            Ok(Some(Message::Stopped(_))) => {
                let _stopped = kill_process(std::process::id().cast_signed(), libc::SIGSTOP);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                eprintln!(
                    "rescind: the supervisor was ended; the guardian has ended the agent and all it started. \
                     Nothing captured is lost: `rescind undo` takes the session back"
                );
                return ExitStatus::Exited(125);
            }
        }
    }
}

/// The guardian's life.
fn guard(supervisor: &UnixStream, agent_socket: OwnedFd, launch: &Launch, signals: &SignalGate) {
    rescind_sys::set_name("guardian");
    let _subreaper = rescind_sys::adopt_orphans();
    let agent = match rescind_sys::fork() {
        Ok(Fork::Child) => become_agent(agent_socket, launch, signals),
        Ok(Fork::Parent(pid)) => pid,
        Err(_) => return,
    };
    drop(agent_socket);
    let _untraceable = rescind_sys::become_untraceable();
    let_go_of_stdio();
    let _told = Message::Started(agent).send(supervisor);
    let mut alone = false;
    loop {
        let mut fds = [
            PollFd::new(supervisor, PollFlags::IN),
            PollFd::from_borrowed_fd(signals.fd.as_fd(), PollFlags::IN),
        ];
        let second = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        let _timeout = poll(&mut fds, Some(&second));
        let word = fds.first().is_some_and(|fd| !fd.revents().is_empty());
        signals.pending();
        let message = if alone {
            Ok(None)
        } else if word {
            Message::receive(supervisor)
        } else {
            Ok(Some(Message::Continued))
        };
        match message {
            Ok(Some(Message::Started(_) | Message::Continued)) => {}
            Ok(Some(_)) => end_tree(),
            Ok(None) | Err(_) => {
                alone = true;
                end_tree();
                mark_the_end(&launch.journal);
            }
        }
        if tell_of_children(supervisor, agent) {
            let _told = Message::Empty.send(supervisor);
            if alone {
                run_afterwards(&launch.afterwards, signals);
            }
            return;
        }
    }
}

/// What is left to be done when the supervisor could not do it. It is not waited for: the guardian ends.
fn run_afterwards(command: &[OsString], signals: &SignalGate) {
    let Some((program, arguments)) = command.split_first() else {
        return;
    };
    signals.release();
    let _the_next_command_does_it_else = Command::new(program).args(arguments).process_group(0).spawn();
}

/// Nobody else is left to say when the tree ended; this needs no room on the disk.
fn mark_the_end(journal: &std::path::Path) {
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    let times = rustix::fs::Timestamps {
        last_access: now,
        last_modification: now,
    };
    let _doubt_stays_then =
        rustix::fs::utimensat(rustix::fs::CWD, journal, &times, rustix::fs::AtFlags::empty());
}

/// Tell the supervisor what became of the agent; true when no child is left.
fn tell_of_children(supervisor: &UnixStream, agent: i32) -> bool {
    loop {
        let (pid, status) = match rescind_sys::reap() {
            Ok(Some(found)) => found,
            Ok(None) => return false,
            Err(error) => return error.raw_os_error() == Some(libc::ECHILD),
        };
        if pid != agent {
            continue;
        }
        let message = match status {
            ExitStatus::Exited(code) => Message::Exited(code),
            ExitStatus::Signaled(signal) => Message::Signaled(signal),
            ExitStatus::Stopped(signal) => Message::Stopped(signal),
            ExitStatus::Continued => Message::Continued,
        };
        let _told = message.send(supervisor);
    }
}

/// Kill everything below this process until nothing is left. Orphans come to us, so each round finds what the one
/// before made fatherless; a tree that forks faster than one round is overtaken because the killed don't fork.
fn end_tree() {
    loop {
        let below = descendants(std::process::id().cast_signed());
        if below.is_empty() {
            return;
        }
        for pid in below {
            let _gone = kill_process(pid, libc::SIGKILL);
        }
    }
}

/// The same from the supervisor, when the guardian is gone: it is the next reaper, having adopted orphans itself.
pub fn end_tree_from_here() {
    end_tree();
}

/// All living processes below `root`, from `/proc`.
fn descendants(root: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let mut parents = Vec::new();
    for entry in entries.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        let Some((_, rest)) = stat.rsplit_once(')') else {
            continue;
        };
        let mut fields = rest.split_ascii_whitespace();
        let (state, parent) = (
            fields.next(),
            fields.next().and_then(|field| field.parse::<i32>().ok()),
        );
        if let (Some(state), Some(parent)) = (state, parent)
            && state != "Z"
        {
            parents.push((pid, parent));
        }
    }
    let mut found = vec![root];
    let mut at = 0;
    while let Some(next) = found.get(at).copied() {
        found.extend(
            parents
                .iter()
                .filter(|(_, parent)| *parent == next)
                .map(|(pid, _)| *pid),
        );
        at += 1;
    }
    found.split_off(1)
}

fn let_go_of_stdio() {
    if let Ok(null) = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
    {
        let _in = rustix::stdio::dup2_stdin(&null);
        let _out = rustix::stdio::dup2_stdout(&null);
        let _err = rustix::stdio::dup2_stderr(&null);
    }
}

/// The supervisor lets go of the user's terminal and pipes: when the agent has ended and background processes go on.
pub fn detach() {
    let_go_of_stdio();
}

/// The agent's own preparation, then its program. Never returns.
fn become_agent(socket: OwnedFd, launch: &Launch, signals: &SignalGate) -> ! {
    let Some((program, arguments)) = launch.argv.split_first() else {
        exit_now(126)
    };
    let given = match prepare(&socket, launch) {
        Ok(given) => given,
        // The supervisor could not begin, and has said why.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => exit_now(125),
        Err(error) => {
            eprintln!("rescind: the agent was not started, nothing was changed: {error}");
            exit_now(125);
        }
    };
    drop(socket);
    signals.release();
    let error = Command::new(program)
        .args(arguments)
        .envs(launch.environment.iter().cloned())
        .envs(given)
        .exec();
    eprintln!("rescind: `{}` can't be run: {error}", program.display());
    exit_now(if error.kind() == io::ErrorKind::NotFound {
        127
    } else {
        126
    })
}

fn prepare(socket: &OwnedFd, launch: &Launch) -> io::Result<Vec<(OsString, OsString)>> {
    rescind_sys::forbid_new_privileges()?;
    if let Err(error) = rescind_sys::restrict_signals()
        && !launch.without_signal_scope
    {
        return Err(error);
    }
    launch
        .floor
        .put_into_force()
        .map_err(|error| io::Error::other(format!("writing can't be limited by Landlock: {error}")))?;
    let filter = rescind_sys::Filter::new(&crate::gateway::calls::rules());
    let listener = rescind_sys::install_filter(&filter)?;
    rescind_sys::send_descriptor(socket.as_fd(), listener.as_fd())?;
    drop(listener);
    given(socket)
}

/// Let the agent go, with these variables besides its own.
///
/// # Errors
/// It is gone.
pub(super) fn let_go(socket: &OwnedFd, environment: &[(OsString, OsString)]) -> io::Result<()> {
    let mut pairs = Vec::new();
    for (name, value) in environment {
        for text in [name, value] {
            pairs.extend_from_slice(text.as_bytes());
            pairs.push(0);
        }
    }
    let length = u32::try_from(pairs.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend(pairs);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::write(socket, rest)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    Ok(())
}

/// The agent waits here until it is let go; its further variables.
fn given(socket: &OwnedFd) -> io::Result<Vec<(OsString, OsString)>> {
    let mut length = [0_u8; 4];
    read_exactly(socket, &mut length)?;
    let mut pairs = vec![0_u8; usize::try_from(u32::from_le_bytes(length)).unwrap_or(0)];
    read_exactly(socket, &mut pairs)?;
    let mut texts = pairs
        .split(|byte| *byte == 0)
        .map(|text| OsString::from_vec(text.to_vec()));
    let mut environment = Vec::new();
    while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
        environment.push((name, value));
    }
    Ok(environment)
}

fn read_exactly(socket: &OwnedFd, mut into: &mut [u8]) -> io::Result<()> {
    while !into.is_empty() {
        match rustix::io::read(socket, &mut *into)? {
            0 => return Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            read => into = into.get_mut(read..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// The signals that front and guardian handle in their loops, through a descriptor.
#[derive(Debug)]
struct SignalGate {
    fd: OwnedFd,
    gate: rescind_sys::SignalFd,
}

impl SignalGate {
    fn block() -> io::Result<Self> {
        let mut set: Vec<i32> = FORWARDED.iter().map(|signal| signal.as_raw()).collect();
        set.extend([libc::SIGQUIT, libc::SIGCHLD]);
        let gate = rescind_sys::SignalFd::block(&set)?;
        Ok(Self {
            fd: gate.descriptor()?,
            gate,
        })
    }

    /// What came since: the signal, and whether the kernel sent it (the terminal) and no process.
    fn pending(&self) -> Vec<(i32, bool)> {
        let all = self.gate.pending();
        all.into_iter()
            .filter(|(signal, _)| *signal != libc::SIGCHLD)
            .collect()
    }

    /// As the agent must have it: nothing blocked that was not blocked before.
    fn release(&self) {
        self.gate.release();
    }

    fn ignore_terminal(&self) {
        rescind_sys::ignore_signals(&[libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU, libc::SIGPIPE]);
    }
}
