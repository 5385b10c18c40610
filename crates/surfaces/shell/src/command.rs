//! A program that rescind runs itself: with bounded time and output, and in a domain in which it can start no program but
//! what it needs to run at all, and neither signal nor trace anybody; what only reads can change no file either. It sees the
//! network.

use rescind_sys::{forbid_new_privileges, pidfd_open, restrict_to_programs, spawn_bound};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::OsString;
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// An output longer than this, in bytes, is refused: half of a state is none.
const MOST_OUTPUT: usize = 8 << 20;
/// More of what it complains of is not read.
const MOST_COMPLAINT: usize = 16 << 10;

/// A program to run.
#[derive(Debug, Clone)]
pub struct Own<'a> {
    /// Its file.
    pub program: &'a Path,
    /// The files that may be executed: it, its interpreter, its loader.
    pub executable: Vec<PathBuf>,
    /// Its words, its name first.
    pub argv: &'a [String],
    /// What it reads from its standard input.
    pub input: Vec<u8>,
    /// All of its environment.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub cwd: &'a Path,
    /// How long it may take.
    pub within: Duration,
    /// Whether it may change files: what takes an action back may, what reads may not.
    pub writes: bool,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its exit code, or 128 and the signal.
    pub code: i32,
    /// Its standard output.
    pub output: Vec<u8>,
    /// The first of its standard error, as text.
    pub complaint: String,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// It never ran.
    #[error("it could not be started ({source})")]
    NotStarted {
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It was ended because it took too long: what it did is not known.
    #[error("it took more than {} seconds and was ended", within.as_secs())]
    TooLong {
        /// What it had.
        within: Duration,
    },
    /// It was ended because it said too much: what it did is not known.
    #[error("it said more than {} MiB and was ended", MOST_OUTPUT >> 20)]
    TooMuch,
    /// It ran, and what it said is lost.
    #[error("what it said could not be read ({source})")]
    Unread {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// Run it to its end. The calling thread stays as it is: the program has one of its own, which the rules hold for.
///
/// # Errors
/// [`CommandError`]. Only after [`CommandError::NotStarted`] it is certain that nothing was done.
pub fn run(own: &Own<'_>) -> Result<Answer, CommandError> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("own command".to_owned());
        let failed = || CommandError::NotStarted {
            source: io::Error::other("its thread failed"),
        };
        match thread.spawn_scoped(scope, || here(own)) {
            Ok(running) => running.join().unwrap_or_else(|_| Err(failed())),
            Err(source) => Err(CommandError::NotStarted { source }),
        }
    })
}

/// Run it in this very thread, which the rules bind from then on.
fn here(own: &Own<'_>) -> Result<Answer, CommandError> {
    let mut child = start(own).map_err(|source| CommandError::NotStarted { source })?;
    let answer = listen(own, &mut child);
    if answer.is_err() {
        end(&mut child);
    }
    answer
}

fn start(own: &Own<'_>) -> io::Result<Child> {
    forbid_new_privileges()?;
    let executable: Vec<&Path> = own.executable.iter().map(PathBuf::as_path).collect();
    restrict_to_programs(&executable, own.writes)?;
    let mut command = Command::new(own.program);
    if let Some((name, words)) = own.argv.split_first() {
        command.arg0(name).args(words);
    }
    command
        .env_clear()
        .envs(own.environment.iter().map(|(name, value)| (name, value)))
        .current_dir(own.cwd)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    spawn_bound(&mut command)
}

fn listen(own: &Own<'_>, child: &mut Child) -> Result<Answer, CommandError> {
    let until = Instant::now() + own.within;
    let unread = |source| CommandError::Unread { source };
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = pipes else {
        return Err(unread(io::Error::other("it has no pipes")));
    };
    std::thread::scope(|scope| {
        // A program that does not read must not hold up the one that waits for it; it ends with the program's pipe.
        let writing = std::thread::Builder::new().spawn_scoped(scope, move || {
            let _it_need_not_read = stdin.write_all(&own.input);
        });
        writing.map_err(unread)?;
        let said = hear(own, stdout, stderr, until)
            .and_then(|said| ended(own, child, until).map(|code| (said, code)));
        if said.is_err() {
            end(child);
        }
        let ((output, complaint), code) = said?;
        Ok(Answer {
            code,
            output,
            complaint: String::from_utf8_lossy(&complaint).trim().to_owned(),
        })
    })
}

/// Both outputs, until it has closed them.
fn hear(
    own: &Own<'_>,
    mut stdout: ChildStdout,
    mut stderr: ChildStderr,
    until: Instant,
) -> Result<(Vec<u8>, Vec<u8>), CommandError> {
    let unread = |source| CommandError::Unread { source };
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let (mut talks, mut complains) = (true, true);
    let mut chunk = vec![0_u8; 64 << 10];
    while talks || complains {
        let mut waited = Vec::with_capacity(2);
        if talks {
            waited.push(PollFd::new(&stdout, PollFlags::IN));
        }
        if complains {
            waited.push(PollFd::new(&stderr, PollFlags::IN));
        }
        wait(&mut waited, own, until)?;
        let ready: Vec<bool> = waited.iter().map(|fd| !fd.revents().is_empty()).collect();
        drop(waited);
        let mut ready = ready.into_iter();
        if talks && ready.next() == Some(true) {
            let read = stdout.read(&mut chunk).map_err(unread)?;
            talks = read > 0;
            output.extend_from_slice(chunk.get(..read).unwrap_or_default());
            if output.len() > MOST_OUTPUT {
                return Err(CommandError::TooMuch);
            }
        }
        if complains && ready.next() == Some(true) {
            let read = stderr.read(&mut chunk).map_err(unread)?;
            complains = read > 0;
            let room = MOST_COMPLAINT.saturating_sub(complaint.len());
            complaint.extend_from_slice(chunk.get(..read.min(room)).unwrap_or_default());
        }
    }
    Ok((output, complaint))
}

/// Its exit code, once it has ended.
fn ended(own: &Own<'_>, child: &mut Child, until: Instant) -> Result<i32, CommandError> {
    let unread = |source| CommandError::Unread { source };
    let process = pidfd_open(child.id().cast_signed()).map_err(unread)?;
    wait(
        &mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)],
        own,
        until,
    )?;
    let status = child.wait().map_err(unread)?;
    let signal = status.signal().map(|signal| 128 + signal);
    Ok(status.code().or(signal).unwrap_or(-1))
}

fn wait(fds: &mut [PollFd<'_>], own: &Own<'_>, until: Instant) -> Result<(), CommandError> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(CommandError::TooLong { within: own.within });
        }
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(fds, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) => return Ok(()),
            Err(error) => return Err(CommandError::Unread { source: error.into() }),
        }
    }
}

/// End it with all that it started.
fn end(child: &mut Child) {
    if let Some(group) = Pid::from_raw(child.id().cast_signed()) {
        let _it_has_ended_then = kill_process_group(group, Signal::KILL);
    }
    let _killed = child.kill();
    let _reaped = child.wait();
}

#[cfg(test)]
mod tests;
