//! Killing, pausing and lifting: announced on the board, then waited for, gateway by gateway.

use super::board::{BORN, BORN_BOOT, Board, boot_now, is_alive, nanoseconds};
use super::scope::{KillScope, Member, Mode, Stop};
use super::slots::{DONE, DONE_AT, LEASE as LEASE_WORD, SEEN, SEEN_AT, Slot};
use super::{ControlError, LEASE};
use serde::Serialize;
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

/// How a gateway stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// It shut its gate, and its tree has ended or stands.
    Acknowledged,
    /// It did not answer until its lease ended: its supervisor was ended, then its tree.
    LeaseEnded,
    /// It came to its end by itself meanwhile, or was about to.
    Ended,
    /// Processes of it are still there.
    NotStopped,
}

/// An action that was under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InFlight {
    /// The action, `SESSION.NUMBER`.
    pub action: String,
    /// `killed`, `in_doubt` or `paused`.
    pub state: &'static str,
}

/// One gateway that was stopped.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stopped {
    /// Who it acted for.
    #[serde(flatten)]
    pub member: Member,
    /// How it stopped.
    pub how: How,
    /// After how many milliseconds nothing more could start.
    pub shut_ms: f64,
    /// After how many milliseconds nothing of it ran any more.
    pub milliseconds: f64,
    /// What was under way.
    pub in_flight: Vec<InFlight>,
}

/// What a kill or a pause came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KillReport {
    /// The stop that is in force by it.
    #[serde(flatten)]
    pub stop: Stop,
    /// Who stopped.
    pub sessions: Vec<Stopped>,
    /// How long it took, in milliseconds.
    pub milliseconds: f64,
}

impl KillReport {
    /// Whether nothing in its scope goes on.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.sessions.iter().all(|stopped| stopped.how != How::NotStopped)
    }
}

/// How long it is waited for a tree once its supervisor was ended.
const TREE: Duration = Duration::from_secs(5);
/// How often it is looked whether somebody died without a word.
const LOOK: Duration = Duration::from_millis(10);
const SIGKILL: i32 = 9;
/// No clock is read by two at the very same time.
const CLOCKS: Duration = Duration::from_millis(50);

/// Who is waited for.
struct Waits {
    slot: Slot,
    /// When it is ended, if it has not answered: its lease at the call.
    until: u64,
    ended_at: Option<u64>,
    how: Option<How>,
}

/// Stop all in scope. When this has returned a report that is whole, no action in its scope starts any more.
pub(super) fn kill(
    board: &Board,
    scope: &KillScope,
    mode: Mode,
    (by, why): (&str, &str),
    at_most: Duration,
) -> Result<KillReport, ControlError> {
    let _first = rescind_sys::ComesFirst::now();
    let begun = boot_now();
    let stop = board.announce(scope, mode, by, why).ok_or(ControlError::Full)?;
    let epoch = board.change();
    let most = begun.saturating_add(nanoseconds(LEASE));
    let mut waits: Vec<Waits> = Vec::new();
    let deadline = Instant::now() + at_most;
    loop {
        let seen = board.words().load(super::board::ANSWERS);
        let some_are_lost = is_young(board);
        if waits.is_empty() || some_are_lost {
            let known = waits.len();
            add(board, scope, most, &mut waits);
            if mode == Mode::Kill {
                waits
                    .iter()
                    .skip(known)
                    .for_each(|wait| end_below_guardian(&wait.slot));
            }
        }
        for wait in waits.iter_mut().filter(|wait| wait.how.is_none()) {
            wait.look(board, epoch);
        }
        let open = waits.iter().any(|wait| wait.how.is_none());
        if !open && !some_are_lost || Instant::now() > deadline {
            break;
        }
        board.words().wait(super::board::ANSWERS, seen, LOOK);
    }
    let mut sessions: Vec<Stopped> = waits
        .into_iter()
        .map(|wait| wait.report(board, begun, mode))
        .collect();
    sessions.sort_by(|one, other| one.member.session.cmp(&other.member.session));
    let report = KillReport {
        milliseconds: milliseconds(boot_now().saturating_sub(begun)),
        stop,
        sessions,
    };
    // A session does not come twice: its stop need not be kept.
    if mode == Mode::Kill && matches!(scope, KillScope::Session(_)) && report.is_whole() {
        board.withdraw(report.stop.id);
    }
    Ok(report)
}

/// Wait until all in scope have heard that they may go on, not for long. Those that have not.
pub(super) fn wait_to_go_on(board: &Board, scope: &KillScope) -> Vec<Member> {
    let epoch = board.change();
    let slots = in_scope(board, scope);
    let deadline = Instant::now() + LEASE;
    loop {
        let seen = board.words().load(super::board::ANSWERS);
        let waits = |slot: &&Slot| board.is_still(slot) && board.slot_word(slot.number, DONE) < epoch;
        let left: Vec<Member> = slots
            .iter()
            .filter(waits)
            .map(|slot| slot.member.clone())
            .collect();
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        board.words().wait(super::board::ANSWERS, seen, LOOK);
    }
}

fn in_scope(board: &Board, scope: &KillScope) -> Vec<Slot> {
    let slots = board.slots().into_iter();
    slots.filter(|slot| scope.covers(&slot.member)).collect()
}

/// Whoever is in scope and not waited for yet.
fn add(board: &Board, scope: &KillScope, most: u64, waits: &mut Vec<Waits>) {
    for slot in in_scope(board, scope) {
        if waits.iter().all(|wait| wait.slot.member != slot.member) {
            waits.push(Waits {
                until: board.slot_word(slot.number, LEASE_WORD).min(most),
                slot,
                ended_at: None,
                how: None,
            });
        }
    }
}

/// Where a board was lost, gateways may look at it for as long as a lease lasts; then they have held, or are on this one.
fn is_young(board: &Board) -> bool {
    let until = board
        .words()
        .load(BORN)
        .saturating_add(nanoseconds(LEASE + CLOCKS));
    board.words().load(BORN_BOOT) == board.boot() && boot_now() < until
}

impl Waits {
    /// Whether it has stopped by now; it is made to, where it does not answer.
    fn look(&mut self, board: &Board, epoch: u64) {
        let slot = &self.slot;
        if board.was(slot) && board.slot_word(slot.number, DONE) >= epoch {
            return self.is_over(How::Acknowledged);
        }
        if !board.is_still(slot) {
            // Whoever leaves has nothing left of its tree.
            return self.is_over(How::Ended);
        }
        let alive = is_alive(slot.process.0, slot.process.1);
        // One that has answered keeps its lease while it ends its tree.
        let until = match board.slot_word(slot.number, SEEN) >= epoch {
            true => board.slot_word(slot.number, LEASE_WORD),
            false => self.until,
        };
        if alive && boot_now() < until && !self.is_late() {
            return;
        }
        if !alive && board.lives_elsewhere(slot.number) {
            // It answers like any other, and can't be ended from here.
            if boot_now() >= until || self.is_late() {
                self.is_over(How::NotStopped);
            }
            return;
        }
        if alive {
            end_process(slot.process);
        }
        if end_tree(slot) {
            self.is_over(How::LeaseEnded);
        }
    }

    /// Whether it has answered long ago, and its tree is still there.
    fn is_late(&self) -> bool {
        boot_now() > self.until.saturating_add(nanoseconds(TREE))
    }

    fn is_over(&mut self, how: How) {
        self.how = Some(how);
        self.ended_at = Some(boot_now());
    }

    fn report(self, board: &Board, begun: u64, mode: Mode) -> Stopped {
        let how = self.how.unwrap_or(How::NotStopped);
        let number = self.slot.number;
        let ended = self.ended_at.unwrap_or_else(boot_now);
        let (shut, done) = match how {
            How::Acknowledged => (board.slot_word(number, SEEN_AT), board.slot_word(number, DONE_AT)),
            _ => (ended, ended),
        };
        let state = match (how, mode) {
            (How::Acknowledged, Mode::Pause) => "paused",
            (How::Acknowledged | How::Ended, _) => "killed",
            (How::LeaseEnded | How::NotStopped, _) => "in_doubt",
        };
        let session = &self.slot.member.session;
        let actions = if how == How::Ended {
            Vec::new()
        } else {
            board.actions(number)
        };
        let in_flight = actions.into_iter().map(|action| InFlight {
            action: format!("{session}.{action}"),
            state,
        });
        Stopped {
            how,
            shut_ms: milliseconds(shut.saturating_sub(begun)),
            milliseconds: milliseconds(done.saturating_sub(begun)),
            in_flight: in_flight.collect(),
            member: self.slot.member,
        }
    }
}

fn milliseconds(time: u64) -> f64 {
    let microseconds = u32::try_from(time / 1_000).unwrap_or(u32::MAX);
    f64::from(microseconds) / 1_000.0
}

/// End a process for good, and wait until it is gone: nothing of it ever answers again.
fn end_process((pid, start): (u64, u64)) {
    let Some(pidfd) = i32::try_from(pid)
        .ok()
        .and_then(|pid| rescind_sys::pidfd_open(pid).ok())
    else {
        return;
    };
    if !is_alive(pid, start) {
        return;
    }
    let _gone = rescind_sys::pidfd_signal(pidfd.as_fd(), SIGKILL);
    let mut ended = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
    let second = rustix::event::Timespec {
        tv_sec: 1,
        tv_nsec: 0,
    };
    let _looked_at_again = rustix::event::poll(&mut ended, Some(&second));
}

/// End what is below a gateway's guardian now. On a busy machine it can be long until each gateway has its turn to do so; what is
/// started meanwhile, and that nothing is left, is for them.
fn end_below_guardian(slot: &Slot) {
    let (pid, start) = slot.guardian;
    let guardian = i32::try_from(pid).ok().filter(|pid| *pid > 1);
    if let Some(guardian) = guardian.filter(|_| is_alive(pid, start)) {
        let _the_rest_is_for_the_gateway = rescind_sys::end_below(guardian);
    }
}

/// One round of ending a tree whose supervisor is gone: its guardian does that, too, unless somebody has stopped it. Whether
/// nothing is left.
fn end_tree(slot: &Slot) -> bool {
    let (pid, start) = slot.guardian;
    let Ok(guardian) = i32::try_from(pid) else {
        return true;
    };
    if guardian > 1 && is_alive(pid, start) {
        if !rescind_sys::end_below(guardian) || !rescind_sys::end_below(guardian) {
            return false;
        }
        // Nothing is below it: whoever has stopped it holds up nobody any more.
        end_process(slot.guardian);
    }
    end_members(&slot.member.session)
}

/// End all processes that say in their environment that they are of a session: those nobody is above of any more. Whether there
/// was none.
#[must_use]
pub fn end_members(session: &str) -> bool {
    let members = members(session);
    for pid in &members {
        let Ok(pidfd) = rescind_sys::pidfd_open(*pid) else {
            continue;
        };
        if is_member(*pid, session) {
            let _gone = rescind_sys::pidfd_signal(pidfd.as_fd(), SIGKILL);
        }
    }
    members.is_empty()
}

/// The processes that say in their environment that they are of a session; this one aside.
#[must_use]
pub fn members(session: &str) -> Vec<i32> {
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let own = std::process::id().cast_signed();
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    numbers
        .filter(|pid| *pid != own && is_member(*pid, session))
        .collect()
}

fn is_member(pid: i32, session: &str) -> bool {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let own = format!("RESCIND_SESSION={session}");
    environment
        .split(|byte| *byte == 0)
        .any(|variable| variable == own.as_bytes())
}
