//! A gateway's gate: nothing starts but through it, and it is shut by whatever is on the board.
//!
//! Its lock is held for one answer at a time and for nothing else: a kill waits for no capture, no ledger and no disk. Whoever
//! passes looks at the board first, so that a stop counts from the moment it stands there; the thread that follows the board
//! ([`Gate::follow`]) acknowledges it, ends the tree, and keeps the lease.

use super::board::{Board, CHARGE_BOOT, CHARGE_UNTIL, boot_now, nanoseconds};
use super::scope::{Member, Mode, Order, Stop};
use super::slots;
use super::{LEASE, STOP_FILE};
use crate::home::Home;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the board is looked at without being called.
const TICK: Duration = Duration::from_millis(100);

/// What the board wants of a gateway now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// Nothing new.
    Nothing,
    /// Hold the tree in place, and say [`Gate::done`]. Told again as long as it lasts.
    Pause(u64),
    /// Let the tree go on, and say [`Gate::went_on`].
    GoOn(u64),
    /// End the tree, and say [`Gate::done`]. Nothing passes any more.
    Kill(u64),
}

/// Whether whoever waits may try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waited {
    /// The gate is open.
    Open,
    /// It will never be.
    Killed,
}

type Later = Box<dyn FnOnce() + Send>;

/// A gateway's gate.
pub struct Gate {
    home: Home,
    member: Member,
    guardian: i32,
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    /// `None`: it was lost.
    board: Option<Arc<Board>>,
    slot: usize,
    order: Order,
    why: String,
    by: Option<Stop>,
    /// The change up to which it is known that nothing stops it.
    free_at: Option<u64>,
    later: Vec<Later>,
    over: bool,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gate({:?})", self.member)
    }
}

impl Gate {
    /// Put a gateway on the board: from here on every kill finds it. `guardian`: the process below which its tree is.
    ///
    /// # Errors
    /// There is no board to be had, or no place on it: nothing may start.
    pub fn join(home: &Home, member: Member, guardian: i32) -> io::Result<Self> {
        let board = Board::open(home)?;
        let slot = board.enrol(&member, guardian, lease()).ok_or_else(full)?;
        Ok(Self {
            home: home.clone(),
            member,
            guardian,
            inner: Mutex::new(Inner {
                board: Some(Arc::new(board)),
                slot,
                order: Order::Run,
                why: String::new(),
                by: None,
                free_at: None,
                later: Vec::new(),
                over: false,
            }),
            changed: Condvar::new(),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who it is for.
    #[must_use]
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// Let something start, if nothing stops it. Whether it was: a kill that has returned saw the end of it. It must not block.
    pub fn pass(&self, start: impl FnOnce()) -> bool {
        let mut inner = self.lock();
        let open = inner.is_open(&self.member);
        if open {
            start();
            inner.passed();
        }
        open
    }

    /// The same, or as soon as the gate opens again.
    pub fn pass_or_later(&self, start: impl FnOnce() + Send + 'static) {
        let mut inner = self.lock();
        if inner.is_open(&self.member) {
            start();
            inner.passed();
        } else if inner.order != Order::Killed {
            inner.later.push(Box::new(start));
        }
    }

    /// Whether something could start now.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.lock().is_open(&self.member)
    }

    /// Whether it was killed. A kill that stands on the board counts, also where the thread that follows it has not looked yet:
    /// whoever kills ends processes as soon as it stands there.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.lock().is_killed(&self.member)
    }

    /// Whether it is held in place.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.lock().order == Order::Paused
    }

    /// What stops it, as a sentence, and which stop that is, where it is one of the board.
    #[must_use]
    pub fn reason(&self) -> (String, Option<Stop>) {
        let mut inner = self.lock();
        let _taken_over = inner.is_killed(&self.member);
        (inner.why.clone(), inner.by.clone())
    }

    /// Wait until something could start; `held` is told once why nothing can.
    pub fn wait(&self, held: impl FnOnce(&str)) -> Waited {
        let mut held = Some(held);
        let mut inner = self.lock();
        loop {
            if inner.order == Order::Killed || inner.over {
                return Waited::Killed;
            }
            if inner.is_open(&self.member) {
                return Waited::Open;
            }
            if inner.order != Order::Run
                && let Some(held) = held.take()
            {
                let why = inner.why.clone();
                drop(inner);
                held(&why);
                inner = self.lock();
                continue;
            }
            let waited = self.changed.wait_timeout(inner, TICK);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Look at the board: keep the lease, open or shut the gate, acknowledge. For the one thread that follows it.
    pub fn follow(&self) -> Follow {
        let mut inner = self.lock();
        if !inner.board.as_ref().is_some_and(|board| board.is_in_place()) {
            self.find_board(&mut inner);
        }
        let stop_file = self.home.root().join(STOP_FILE).symlink_metadata().is_ok();
        let follow = inner.follow(&self.member, stop_file);
        if inner.order == Order::Run {
            for later in std::mem::take(&mut inner.later) {
                later();
                inner.passed();
            }
        }
        drop(inner);
        self.changed.notify_all();
        follow
    }

    /// The board is gone, or another one is in its place: nothing starts before a place on that one is taken.
    fn find_board(&self, inner: &mut Inner) {
        let path = self.home.control().join("board");
        if let Some(lost) = inner.board.take() {
            lost.leave(inner.slot);
        }
        inner.free_at = None;
        let Ok(board) = Board::map(&path) else { return };
        if let Some(slot) = board.enrol(&self.member, self.guardian, lease()) {
            (inner.board, inner.slot) = (Some(Arc::new(board)), slot);
        }
    }

    /// Wait until the board changes, or it is time to look all the same.
    pub fn sleep(&self) {
        let board = {
            let inner = self.lock();
            inner.board.as_ref().map(|board| (Arc::clone(board), inner.slot))
        };
        match board {
            Some((board, slot)) => board.wait_for_change(board.slot_word(slot, slots::SEEN), TICK),
            None => std::thread::sleep(TICK),
        }
    }

    /// All is done that this change wants: the tree has ended, or stands.
    pub fn done(&self, epoch: u64) {
        self.lock().done(epoch);
    }

    /// The tree goes on: the gate opens, unless something stops it again.
    pub fn went_on(&self, epoch: u64) {
        let mut inner = self.lock();
        if inner.order == Order::Paused {
            inner.set(Order::Run, String::new(), None);
        }
        inner.done(epoch);
        drop(inner);
        self.changed.notify_all();
    }

    /// An action begins, or has ended: for whoever asks what was under way. What is killed stays listed.
    pub fn note_action(&self, action: u64, under_way: bool) {
        let mut inner = self.lock();
        if !under_way && inner.is_killed(&self.member) {
            return;
        }
        if let Some(board) = &inner.board {
            board.note_action(inner.slot, action, under_way);
        }
    }

    /// Nothing of the tree is left, and its books are closed: the gateway is no more on the board.
    pub fn leave(&self) {
        let mut inner = self.lock();
        if !inner.over && inner.is_killed(&self.member) {
            inner.was_ended();
        }
        if !std::mem::replace(&mut inner.over, true)
            && let Some(board) = inner.board.take()
        {
            board.leave(inner.slot);
        }
        drop(inner);
        self.changed.notify_all();
    }

    /// Whether it has left.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.lock().over
    }
}

impl Inner {
    /// Whether something may start now. What stands on the board counts at once; only the thread that follows it opens.
    fn is_open(&mut self, member: &Member) -> bool {
        if self.order != Order::Run {
            return false;
        }
        let Some(board) = &self.board else { return false };
        let epoch = board.epoch();
        if self.free_at != Some(epoch) {
            if board.stop_of(member).is_some() {
                return false;
            }
            self.free_at = Some(epoch);
        }
        let now = boot_now();
        now < board.slot_word(self.slot, slots::LEASE) && is_charged(board, now)
    }

    /// Whether a kill stands on the board; it is taken over then.
    fn is_killed(&mut self, member: &Member) -> bool {
        let looks = match &self.board {
            Some(board) if self.order != Order::Killed => self.free_at != Some(board.epoch()),
            _ => false,
        };
        if looks
            && let Some(stop) = self.board.as_ref().and_then(|board| board.stop_of(member))
            && stop.mode == Mode::Kill
        {
            self.kill(stop.sentence(), Some(stop));
        }
        self.order == Order::Killed
    }

    fn kill(&mut self, why: String, by: Option<Stop>) {
        self.later.clear();
        self.set(Order::Killed, why, by);
    }

    /// The tree has ended before the thread that follows the board came to say so.
    fn was_ended(&mut self) {
        if let Some(board) = self.board.clone() {
            let epoch = board.epoch();
            self.acknowledge(&board, epoch);
            self.done(epoch);
        }
    }

    /// Something was let start.
    fn passed(&self) {
        if let Some(board) = &self.board {
            board.set_slot(self.slot, slots::LAST, boot_now());
        }
    }

    fn set(&mut self, order: Order, why: String, by: Option<Stop>) {
        self.order = order;
        (self.why, self.by) = (why, by);
        let number = match order {
            Order::Run => 0,
            Order::Paused => 1,
            Order::Killed => 2,
            Order::Held => 3,
        };
        if let Some(board) = &self.board {
            board.set_slot(self.slot, slots::ORDER, number);
        }
    }

    /// Take over what the board says. The gate is as that wants it when this is acknowledged.
    fn follow(&mut self, member: &Member, stop_file: bool) -> Follow {
        let Some(board) = self.board.clone() else {
            return self.without_board(stop_file);
        };
        let epoch = board.epoch();
        board.set_slot(self.slot, slots::LEASE, lease());
        let stop = board.stop_of(member);
        let kills = stop.as_ref().is_some_and(|stop| stop.mode == Mode::Kill);
        let follow = if self.order == Order::Killed {
            Follow::Kill(epoch)
        } else if kills || stop_file {
            let why = if kills {
                stop.as_ref().map(Stop::sentence)
            } else {
                None
            };
            self.kill(why.unwrap_or_else(by_file), stop.filter(|_| kills));
            Follow::Kill(epoch)
        } else if let Some(stop) = stop {
            self.set(
                Order::Paused,
                format!("{}; `rescind resume` lets it go on", stop.sentence()),
                Some(stop),
            );
            Follow::Pause(epoch)
        } else if self.order == Order::Paused {
            // It has not gone on yet: whoever made the board change waits for that.
            return Follow::GoOn(epoch);
        } else if is_charged(&board, boot_now()) {
            if self.order != Order::Run {
                self.set(Order::Run, String::new(), None);
            }
            self.free_at = Some(epoch);
            Follow::Nothing
        } else {
            if self.order != Order::Held {
                self.set(Order::Held, no_server(), None);
            }
            Follow::Nothing
        };
        self.acknowledge(&board, epoch);
        if follow == Follow::Nothing {
            self.done(epoch);
        }
        follow
    }

    /// Without a board nobody could stop it any more.
    fn without_board(&mut self, stop_file: bool) -> Follow {
        if stop_file && self.order != Order::Killed {
            self.kill(by_file(), None);
        }
        match self.order {
            Order::Killed => Follow::Kill(0),
            Order::Paused => Follow::Pause(0),
            Order::Run | Order::Held => {
                let why = "the file by which it could be stopped is gone, so nothing new starts; any `rescind` command makes it again";
                self.set(Order::Held, why.to_owned(), None);
                Follow::Nothing
            }
        }
    }

    fn acknowledge(&self, board: &Board, epoch: u64) {
        if board.slot_word(self.slot, slots::SEEN_AT) == 0 || board.slot_word(self.slot, slots::SEEN) != epoch
        {
            board.set_slot(self.slot, slots::SEEN_AT, boot_now());
            board.set_slot(self.slot, slots::SEEN, epoch);
            board.tell();
        }
    }

    fn done(&self, epoch: u64) {
        if let Some(board) = &self.board
            && (board.slot_word(self.slot, slots::DONE_AT) == 0
                || board.slot_word(self.slot, slots::DONE) < epoch)
        {
            board.set_slot(self.slot, slots::DONE_AT, boot_now());
            board.set_slot(self.slot, slots::DONE, epoch);
            board.tell();
        }
    }
}

/// Until when a lease that is taken now lasts.
fn lease() -> u64 {
    boot_now().saturating_add(nanoseconds(LEASE))
}

/// Whether nobody else is in charge, or whoever is has said so lately.
fn is_charged(board: &Board, now: u64) -> bool {
    let until = board.words().load(CHARGE_UNTIL);
    until == 0 || now < until && board.words().load(CHARGE_BOOT) == board.boot()
}

fn by_file() -> String {
    format!("everything is killed by the file {STOP_FILE} in rescind's state directory")
}

fn no_server() -> String {
    "the server in charge is gone, so nothing new starts; `rescind serve` takes charge again, `rescind release` goes on without it"
        .to_owned()
}

fn full() -> io::Error {
    io::Error::other("as many sessions run as one state directory can have at a time")
}
