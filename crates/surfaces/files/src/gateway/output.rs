//! Watching processes end, and recording what actions write.
//!
//! Output is recorded by putting a pipe of ours between an action and whoever reads it, once, at its exec: the
//! descriptors 1 and 2 of the new program, where they are pipes or sockets. Terminals and files are left alone.
//! Everything is passed on unchanged and at once; only what is kept is redacted and capped. An action's exit waits
//! until what it wrote has been passed on, so that its reader finds all of it there right after `wait`.

use super::tree::Node;
use super::workers::Workers;
use rescind_redact::{Rules, Stream};
use rescind_supervisor::SessionLog;
use rescind_supervisor::journal::OutputForm;
use rescind_sys::{Listener, Notification, pidfd_get, same_open_file};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Kept of one action's output: the first and the last megabyte. All of it is hashed.
const KEPT_HEAD: usize = 1 << 20;
const KEPT_TAIL: usize = 1 << 20;
const PREVIEW: usize = 2_048;
const CHUNK: usize = 1 << 16;
/// An exit waits at most this long for its output to be passed on (a reader that has stopped reading).
const DRAIN: Duration = Duration::from_millis(500);

/// What the gateway watches besides trapped calls.
#[derive(Debug)]
pub struct Outputs {
    epoll: Arc<OwnedFd>,
    rules: Arc<Rules>,
    workers: Workers,
    running: HashMap<Node, Recording>,
}

/// The recording of one action.
#[derive(Debug)]
struct Recording {
    process: i32,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    stream: Option<Stream>,
    hash: Sha256,
    bytes: u64,
    kept_bytes: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
    /// Pumps that still run, and pumps that are between reading and having passed on.
    pumps: usize,
    busy: usize,
    /// The pipes of the pumps that run, for asking what is left in them.
    pipes: Vec<Arc<OwnedFd>>,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "State({} bytes, {} pumps)", self.bytes, self.pumps)
    }
}

impl Outputs {
    /// Watch by this epoll instance; recordings are redacted by these rules, and passed on by these threads.
    pub fn new(epoll: Arc<OwnedFd>, rules: Arc<Rules>, workers: Workers) -> Self {
        Self {
            epoll,
            rules,
            workers,
            running: HashMap::new(),
        }
    }

    /// Hear of the end of a process.
    pub fn process(&self, process: i32, pidfd: BorrowedFd<'_>) {
        let data = EventData::new_u64(u64::from(process.cast_unsigned()));
        let flags = EventFlags::IN | EventFlags::ONESHOT;
        let _it_is_then_found_by_the_sweep = epoll::add(self.epoll.as_ref(), pidfd, data, flags);
    }

    /// The processes of whose end was heard since it was asked last; some of them, where there are many.
    pub fn ended(&self) -> Vec<i32> {
        let none = epoll::Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        let mut events = [none; 64];
        let at_once = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let found = epoll::wait(self.epoll.as_ref(), &mut events, Some(&at_once)).unwrap_or(0);
        let numbers = events
            .iter()
            .take(found)
            .filter_map(|event| u32::try_from({ event.data }.u64()).ok());
        numbers.map(u32::cast_signed).collect()
    }

    /// An action is about to run: put pipes of ours behind its output, where that is a pipe or a socket.
    pub fn begin(&mut self, listener: &Listener, call: &Notification, node: Node, process: i32) {
        if self
            .running
            .values()
            .any(|recording| recording.process == process)
        {
            return;
        }
        let numbers: Vec<i32> = [1, 2]
            .into_iter()
            .filter(|number| is_recordable(process, *number))
            .collect();
        if numbers.is_empty() {
            return;
        }
        let Ok(pidfd) = rescind_sys::pidfd_open(process) else {
            return;
        };
        let shared = Arc::new(Shared::default());
        if let Ok(mut state) = shared.state.lock() {
            state.stream = Some(Stream::new(&self.rules));
        }
        let mut made = false;
        let both = numbers.len() == 2 && same_open_file((process, 1), (process, 2));
        for number in numbers {
            if number == 2 && both {
                continue;
            }
            let Ok(original) = pidfd_get(pidfd.as_fd(), number) else {
                continue;
            };
            let Ok((read, write)) = pipe_with(PipeFlags::CLOEXEC) else {
                continue;
            };
            let _more_room_is_only_faster = rustix::pipe::fcntl_setpipe_size(&write, 1 << 18);
            let placed = listener.put_descriptor(call.id, write.as_fd(), number).is_ok()
                && (number == 2 || !both || listener.put_descriptor(call.id, write.as_fd(), 2).is_ok());
            if !placed {
                continue;
            }
            drop(write);
            made |= pump(&self.workers, &shared, read, original);
        }
        if made {
            self.running.insert(node, Recording { process, shared });
        }
    }

    /// An action's main process is about to exit: wait until all it wrote has been passed on. Bounded.
    pub fn drain(&self, node: Node) -> Option<Drain> {
        let recording = self.running.get(&node)?;
        Some(Drain {
            shared: Arc::clone(&recording.shared),
        })
    }

    /// The process of a node runs another program now, whose output goes where its own went.
    pub fn hand_over(&mut self, from: Node, to: Node) {
        if let Some(recording) = self.running.remove(&from) {
            self.running.entry(to).or_insert(recording);
        }
    }

    /// What the action wrote. Its pumps go on if others still hold the pipe; what comes later is not of the action.
    pub fn end(&mut self, node: Node, log: &SessionLog) -> OutputForm {
        let Some(recording) = self.running.remove(&node) else {
            return OutputForm {
                gap: Some(
                    "its output went to a terminal, a file, or into the output of the action above"
                        .to_owned(),
                ),
                ..OutputForm::default()
            };
        };
        Drain {
            shared: Arc::clone(&recording.shared),
        }
        .wait();
        let mut state = recording
            .shared
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut redacted = std::collections::BTreeMap::new();
        if let Some(mut stream) = state.stream.take() {
            let rest = stream.finish();
            state.keep(&rest);
            redacted = stream
                .found()
                .iter()
                .map(|(kind, count)| (kind.to_string(), *count))
                .collect();
        }
        let mut kept = Vec::new();
        let mut gap = None;
        let pieces = [std::mem::take(&mut state.head), std::mem::take(&mut state.tail)];
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            match log.put(piece, false) {
                Ok((_, locator)) => kept.push(locator.0),
                Err(error) => gap = Some(format!("it could not be kept: {error}")),
            }
        }
        if state.kept_bytes > (KEPT_HEAD + KEPT_TAIL) as u64 {
            gap = Some(format!(
                "of {} bytes the first and the last {KEPT_HEAD} are kept",
                state.kept_bytes
            ));
        }
        let [head, _] = &pieces;
        let preview =
            String::from_utf8_lossy(head.get(..head.len().min(PREVIEW)).unwrap_or_default()).into_owned();
        let hash = std::mem::take(&mut state.hash);
        let digest = rescind_model::Digest(hash.finalize().into());
        OutputForm {
            bytes: state.bytes,
            digest: Some(digest.to_string()),
            preview,
            kept,
            gap,
            redacted,
        }
    }
}

/// A wait for pumps, outside the gateway's lock.
#[derive(Debug)]
pub struct Drain {
    shared: Arc<Shared>,
}

impl Drain {
    /// Whether there is nothing to wait for.
    pub fn is_done(&self) -> bool {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.is_drained()
    }

    /// Wait until the pipes are empty and nothing is on its way, at most half a second.
    pub fn wait(&self) {
        let end = Instant::now() + DRAIN;
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        while Instant::now() < end {
            if state.is_drained() {
                return;
            }
            let wait = self.shared.changed.wait_timeout(state, Duration::from_millis(1));
            state = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl State {
    fn is_drained(&self) -> bool {
        let empty =
            |pipe: &Arc<OwnedFd>| rustix::io::ioctl_fionread(pipe.as_ref()).is_ok_and(|left| left == 0);
        self.pumps == 0 || (self.pipes.iter().all(empty) && self.busy == 0)
    }

    fn take(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len() as u64;
        let Some(stream) = &mut self.stream else { return };
        let redacted = stream.push(bytes);
        self.keep(&redacted);
    }

    fn keep(&mut self, redacted: &[u8]) {
        self.hash.update(redacted);
        self.kept_bytes += redacted.len() as u64;
        let room = KEPT_HEAD.saturating_sub(self.head.len()).min(redacted.len());
        let (first, rest) = redacted.split_at(room);
        self.head.extend_from_slice(first);
        self.tail.extend_from_slice(rest);
        if self.tail.len() > 2 * KEPT_TAIL {
            let surplus = self.tail.len() - KEPT_TAIL;
            self.tail.drain(..surplus);
        }
    }
}

/// Whether the process's descriptor is a pipe or a socket.
fn is_recordable(process: i32, number: i32) -> bool {
    let Ok(link) = std::fs::read_link(format!("/proc/{process}/fd/{number}")) else {
        return false;
    };
    let link = link.as_os_str().as_bytes();
    link.starts_with(b"pipe:") || link.starts_with(b"socket:")
}

fn pump(workers: &Workers, shared: &Arc<Shared>, from: OwnedFd, to: OwnedFd) -> bool {
    let from = Arc::new(from);
    if let Ok(mut state) = shared.state.lock() {
        state.pumps += 1;
        state.pipes.push(Arc::clone(&from));
    }
    let shared = Arc::clone(shared);
    workers.run(move || run_pump(&shared, from, to)).is_ok()
}

fn run_pump(shared: &Shared, from: Arc<OwnedFd>, to: OwnedFd) {
    let mut buffer = vec![0_u8; CHUNK];
    loop {
        let mut fds = [
            PollFd::from_borrowed_fd(from.as_fd(), PollFlags::IN),
            PollFd::new(&to, PollFlags::empty()),
        ];
        if poll(&mut fds, None).is_err() {
            continue;
        }
        let reader_gone = fds
            .get(1)
            .is_some_and(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP));
        if reader_gone {
            // Closing our end gives the writer the SIGPIPE it would have had without us.
            break;
        }
        {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.busy += 1;
        }
        let read = rustix::io::read(from.as_ref(), &mut buffer);
        let passed = match read {
            Ok(0) => false,
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                let passed = pass_on(&to, bytes);
                let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.take(bytes);
                passed
            }
            Err(error) => error == rustix::io::Errno::INTR || error == rustix::io::Errno::AGAIN,
        };
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.busy -= 1;
        drop(state);
        shared.changed.notify_all();
        if !passed {
            break;
        }
    }
    let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
    state.pumps -= 1;
    // The last one who holds the reading end closes it: the writer hears of it at once.
    state.pipes.retain(|pipe| !Arc::ptr_eq(pipe, &from));
    drop(state);
    drop(from);
    shared.changed.notify_all();
}

fn pass_on(to: &OwnedFd, mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        match rustix::io::write(to, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => {
                let mut fds = [PollFd::new(to, PollFlags::OUT)];
                let _again = poll(&mut fds, None);
            }
            Err(_) => return false,
        }
    }
    true
}
