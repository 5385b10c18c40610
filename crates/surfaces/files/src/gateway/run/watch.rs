//! The second thread: guardian, front, ends of processes, sweeps.

use super::{Finished, Shared, lock};
use crate::gateway::failing::undo_failed;
use crate::gateway::launch::{self, Message, Seat};
use crate::gateway::tree::is_stopped;
use rescind_supervisor::control::Gate;
use rescind_supervisor::journal::{ExitForm, SessionEnded};
use rescind_supervisor::now;
use rescind_sys::ExitStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd as _, OwnedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

const SWEEP: Duration = Duration::from_millis(25);
const SWEPT_AT_ONCE: usize = 64;
/// How long processes that are about to end may take before the front is let go.
const LINGER: Duration = Duration::from_millis(300);

/// The second thread: guardian, front, ends of processes, sweeps.
pub(super) struct Watch<'s> {
    seat: &'s Seat,
    gateway: Shared,
    gate: Arc<Gate>,
    epoll: Arc<OwnedFd>,
    agent: i32,
    ended: Option<(ExitStatus, Instant)>,
    released: Option<()>,
    killed: bool,
}

impl<'s> Watch<'s> {
    pub(super) fn new(
        seat: &'s Seat,
        gateway: Shared,
        gate: Arc<Gate>,
        epoll: Arc<OwnedFd>,
        agent: i32,
    ) -> Self {
        Self {
            seat,
            gateway,
            gate,
            epoll,
            agent,
            ended: None,
            released: None,
            killed: false,
        }
    }

    pub(super) fn run(mut self, finished: &mut impl FnMut(&Finished)) {
        loop {
            let front_lives = self.released.is_none();
            let mut fds = vec![
                PollFd::new(&self.seat.guardian, PollFlags::IN),
                PollFd::from_borrowed_fd(self.epoll.as_fd(), PollFlags::IN),
            ];
            if front_lives {
                fds.push(PollFd::new(&self.seat.front, PollFlags::IN));
            }
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(SWEEP.subsec_nanos()),
            };
            let _timeout = poll(&mut fds, Some(&timeout));
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if ready.get(1) == Some(&true) {
                self.ends_of_processes();
            }
            if ready.get(2) == Some(&true) {
                self.front();
            }
            let mut empty = false;
            if ready.first() == Some(&true) {
                empty = self.guardian();
            }
            self.sweep();
            if !self.killed && self.seat.asked_to_end() {
                self.kill();
            }
            let lingered = self.ended.is_some_and(|(_, since)| since.elapsed() > LINGER);
            if self.released.is_none() && self.ended.is_some() && (empty || lingered) {
                self.release(finished, empty);
            }
            if empty {
                self.close();
                // Nobody saw how the agent ended: it was killed with everything else.
                let _the_front_has_its_word_else = Message::Signaled(libc::SIGKILL).send(&self.seat.front);
                return;
            }
        }
    }

    fn sweep(&self) {
        let mut gateway = lock(&self.gateway);
        if self.gate.is_open() {
            gateway.decide_holds();
            gateway.go_on_behind_undos();
        }
        gateway.settle(SWEPT_AT_ONCE);
        gateway.end_quiet();
        let _reported_with_the_next_call = gateway.flush();
    }

    fn ends_of_processes(&self) {
        lock(&self.gateway).hear_of_ends();
        undo_failed(&self.gateway);
    }

    fn front(&mut self) {
        match Message::receive(&self.seat.front) {
            Ok(Some(Message::Forward(signal))) => {
                let _gone = rescind_sys::kill_process(self.agent, signal);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                // The front was killed: so is the session.
                self.released = Some(());
                self.kill();
            }
        }
    }

    fn kill(&mut self) {
        self.killed = true;
        let _gone = Message::Kill.send(&self.seat.guardian);
    }

    /// What the guardian says; true when nothing of the tree is left.
    fn guardian(&mut self) -> bool {
        match Message::receive(&self.seat.guardian) {
            Ok(Some(Message::Exited(code))) => self.agent_ended(ExitStatus::Exited(code)),
            Ok(Some(Message::Signaled(signal))) => self.agent_ended(ExitStatus::Signaled(signal)),
            // One that waits is not stopped by its terminal: whoever started it waits, too, and goes on.
            Ok(Some(Message::Stopped(signal))) if self.stopped_by_others() => {
                let _gone = Message::Stopped(signal).send(&self.seat.front);
            }
            Ok(Some(Message::Empty)) => return true,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                // The guardian is gone without having said that nothing is left: the supervisor is the next reaper.
                launch::end_tree_from_here();
                self.killed = true;
                return true;
            }
        }
        false
    }

    /// Whether the agent stands because somebody else has stopped it. What rescind itself stops it lets go on again, and the front
    /// has to be there then.
    fn stopped_by_others(&self) -> bool {
        !self.gate.is_paused() && !lock(&self.gateway).is_held(self.agent) && is_stopped(self.agent)
    }

    fn agent_ended(&mut self, status: ExitStatus) {
        self.ended = Some((status, Instant::now()));
        let form = match status {
            ExitStatus::Exited(code) => ExitForm::Code(code),
            ExitStatus::Signaled(signal) => ExitForm::Signal(signal),
            ExitStatus::Stopped(_) | ExitStatus::Continued => ExitForm::Unknown,
        };
        let mut gateway = lock(&self.gateway);
        gateway.agent_process_ended(self.agent, form);
        gateway.gone(self.agent, Some(form));
    }

    /// The agent has ended: the last line, and the front goes with its status.
    fn release(&mut self, finished: &mut impl FnMut(&Finished), empty: bool) {
        self.released = Some(());
        let Some((exit, _)) = self.ended else { return };
        let summary = {
            let mut gateway = lock(&self.gateway);
            if empty {
                gateway.finish_all();
            }
            gateway.walk_once();
            gateway.summary(exit, empty)
        };
        finished(&summary);
        let mut message = match exit {
            ExitStatus::Signaled(signal) => Message::Signaled(signal),
            ExitStatus::Exited(code) => Message::Exited(code),
            ExitStatus::Stopped(_) | ExitStatus::Continued => Message::Exited(125),
        };
        if empty && let Some(instead) = self.close() {
            message = Message::Exited(instead);
        }
        let _gone = message.send(&self.seat.front);
        if !empty {
            launch::detach();
        }
    }

    /// Nothing of the tree is left: the books are closed. Does nothing the second time. The code that the run is to end
    /// with instead of the agent's.
    fn close(&self) -> Option<i32> {
        let mut gateway = lock(&self.gateway);
        if gateway.closed {
            return None;
        }
        gateway.closed = true;
        gateway.finish_all();
        let instead = gateway.desk.as_mut().and_then(|desk| desk.closed());
        gateway.walk_once();
        let exit = match self.ended {
            Some((ExitStatus::Exited(code), _)) => ExitForm::Code(code),
            Some((ExitStatus::Signaled(signal), _)) => ExitForm::Signal(signal),
            _ => ExitForm::Unknown,
        };
        let record = SessionEnded {
            time: now().to_string(),
            exit,
            how: if self.killed || self.gate.is_killed() {
                "killed"
            } else {
                "ended"
            }
            .to_owned(),
            effects: gateway.changed(),
            missing: gateway.missing.keys().cloned().collect(),
        };
        gateway.notifier.close();
        // If this can't be written, the next command finds the session broken and finishes its books.
        let _finished_later = gateway.log.close(&record);
        instead
    }
}
