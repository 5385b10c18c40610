//! The thread that follows the board: it shuts the gate, and has the tree end, stand or go on.
//!
//! INVARIANT: to kill or to hold it takes neither the gateway's lock nor anything of the store; only to go on it asks who is held
//! for a person.

use super::Gateway;
use super::launch::Seat;
use rescind_supervisor::control::{Follow, Gate};
use rescind_sys::{
    Below, ComesFirst, ExitStatus, end_below, pidfd_open, pidfd_signal, process_lives, process_stat,
    signal_below,
};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

type Shared = Arc<Mutex<Gateway>>;

/// A run that obeys the board.
pub struct Obeying {
    gate: Arc<Gate>,
    gateway: Arc<OnceLock<Shared>>,
}

impl std::fmt::Debug for Obeying {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Obeying({:?})", self.gate)
    }
}

/// Have the run of this seat obey the board from now on, until its gate has left it. Nothing of it may have started yet.
///
/// # Errors
/// No thread can be had: then nothing may start.
pub fn obey(seat: &Seat, gate: Arc<Gate>) -> io::Result<Obeying> {
    let gateway = Arc::new(OnceLock::new());
    let follower = Follower {
        gate: Arc::clone(&gate),
        gateway: Arc::clone(&gateway),
        guardian: seat.guardian_process,
        guardian_start: process_stat(seat.guardian_process).map_or(0, |(_, _, start)| start),
        standing: HashMap::new(),
        ended: false,
    };
    let thread = std::thread::Builder::new().name("obeys".to_owned());
    thread.spawn(move || follower.run())?;
    Ok(Obeying { gate, gateway })
}

impl Obeying {
    /// Its gate.
    #[must_use]
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// From here on somebody may be held for a person.
    pub(super) fn serves(&self, gateway: &Shared) {
        let _only_once = self.gateway.set(Arc::clone(gateway));
    }
}

struct Follower {
    gate: Arc<Gate>,
    gateway: Arc<OnceLock<Shared>>,
    guardian: i32,
    guardian_start: u64,
    /// The processes that a pause has stopped, with their starts.
    standing: HashMap<i32, u64>,
    /// Whether the tree was ended: what we start ourselves afterwards, to close the books, is none of it.
    ended: bool,
}

/// How long the guardian is waited for after the first round. Each wait is twice the one before, up to [`LONGEST_ROUND`]: whoever
/// looks all the time takes the processor from those that are to end.
const ROUND: Duration = Duration::from_millis(1);
const LONGEST_ROUND: Duration = Duration::from_millis(32);
/// How long a tree may take to stand before it is taken as it is: what is in a call stands when that returns.
const STANDS_WITHIN: Duration = Duration::from_millis(500);

impl Follower {
    fn run(mut self) {
        // On a busy machine a kill is to come first. Between two looks it sleeps.
        let _first = ComesFirst::now();
        while !self.gate.is_over() {
            match self.gate.follow() {
                Follow::Nothing => {}
                Follow::Kill(epoch) => {
                    if !std::mem::replace(&mut self.ended, true) {
                        self.end_tree();
                    }
                    self.gate.done(epoch);
                }
                Follow::Pause(epoch) => {
                    self.stand();
                    self.gate.done(epoch);
                }
                Follow::GoOn(epoch) => {
                    self.go_on();
                    self.gate.went_on(epoch);
                }
            }
            self.gate.sleep();
        }
    }

    /// End all below the guardian, and don't come back before nothing is left.
    fn end_tree(&self) {
        let pidfd = pidfd_open(self.guardian).ok();
        let mut empty = 0;
        let mut round = ROUND;
        while process_lives(self.guardian, self.guardian_start) {
            empty = if end_below(self.guardian) { empty + 1 } else { 0 };
            let stands = process_stat(self.guardian).is_some_and(|(state, _, _)| matches!(state, 'T' | 't'));
            if empty >= 2 && stands {
                // Somebody has stopped it: it would never say that nothing is left.
                let _gone = pidfd
                    .as_ref()
                    .map(|pidfd| pidfd_signal(pidfd.as_fd(), libc::SIGKILL));
            }
            wait_for_end(pidfd.as_ref(), round);
            round = LONGEST_ROUND.min(round * 2);
        }
        // It ends by itself when nothing is left. Else what was below it is below us now.
        if rescind_sys::zombie_status(self.guardian) != Some(ExitStatus::Exited(0)) {
            let own = std::process::id().cast_signed();
            while !end_below(own) {
                std::thread::sleep(ROUND);
            }
        }
    }

    /// Stop all below the guardian where they are, also those that others have let go on since.
    fn stand(&mut self) {
        let begun = Instant::now();
        // Where all stood before, one look is enough to see that it still does.
        let mut same = if self.standing.is_empty() { 0 } else { 1 };
        loop {
            let found = signal_below(self.guardian, libc::SIGSTOP, |process| !process.is_stopped());
            let mut new = false;
            for process in found.iter().filter(|process| !process.is_stopped()) {
                let start = process_stat(process.pid).map_or(0, |(_, _, start)| start);
                new |= self.standing.insert(process.pid, start) != Some(start);
            }
            same = if new { 0 } else { same + 1 };
            let stands = |process: &Below| process.is_stopped() || process.state == 'D';
            if same >= 2 && (found.iter().all(stands) || begun.elapsed() > STANDS_WITHIN) {
                return;
            }
            std::thread::sleep(ROUND);
        }
    }

    /// Let go on what a pause has stopped, but for what waits for a person.
    fn go_on(&mut self) {
        let gateway = self
            .gateway
            .get()
            .map(|gateway| gateway.lock().unwrap_or_else(PoisonError::into_inner));
        for (pid, start) in self.standing.drain() {
            if gateway.as_ref().is_some_and(|gateway| gateway.is_held(pid)) {
                continue;
            }
            let Ok(pidfd) = pidfd_open(pid) else { continue };
            if process_lives(pid, start) {
                let _gone = pidfd_signal(pidfd.as_fd(), libc::SIGCONT);
            }
        }
    }
}

fn wait_for_end(pidfd: Option<&OwnedFd>, at_most: Duration) {
    let Some(pidfd) = pidfd else {
        std::thread::sleep(at_most);
        return;
    };
    let time = Timespec {
        tv_sec: 0,
        tv_nsec: at_most.subsec_nanos().into(),
    };
    let _looked_at_again = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&time));
}
