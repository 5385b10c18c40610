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

mod guardian;
mod message;

pub use guardian::end_tree_from_here;
pub use message::Message;

use guardian::guard;
use rescind_sys::{ExitStatus, Fork, kill_process};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::Signal;
use std::ffi::OsString;
use std::io;
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
