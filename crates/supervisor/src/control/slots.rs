//! The gateways on the board.

use super::board::{Board, MOST_GATEWAYS, RECORD, boot_now, is_alive, nanoseconds, own_process, start_of};
use super::scope::{GatewayStatus, Member, Order, cut};
use std::time::Duration;

// The words of a gateway. The first is its state, with a number that tells its owners apart above.
pub(super) const STATE: usize = 0;
pub(super) const PID: usize = 1;
pub(super) const START: usize = 2;
pub(super) const BOOT: usize = 3;
pub(super) const GUARDIAN: usize = 4;
pub(super) const GUARDIAN_START: usize = 5;
/// Until when it may let actions start, in ns since boot.
pub(super) const LEASE: usize = 6;
pub(super) const ORDER: usize = 7;
/// The last change that it has seen, and when its gate was as that wants it.
pub(super) const SEEN: usize = 8;
pub(super) const SEEN_AT: usize = 9;
/// The last change of which all is done: its tree has ended, stands, or goes on.
pub(super) const DONE: usize = 10;
pub(super) const DONE_AT: usize = 11;
/// When it let an action start last.
pub(super) const LAST: usize = 12;
/// When its owner left.
const LEFT_AT: usize = 13;
const COUNT: usize = 14;
/// Where its processes have their numbers: [`namespace`].
const NAMESPACE: usize = 15;
const ACTIONS: usize = 16;
const MOST_ACTIONS: usize = 32;
const SESSION: usize = 48;
const SESSION_WORDS: usize = 12;
const AGENT: usize = 60;
const DOMAIN: usize = 94;
const NAME_WORDS: usize = 33;
const _: () = assert!(DOMAIN + NAME_WORDS < RECORD && AGENT + NAME_WORDS < DOMAIN);

const FREE: u64 = 0;
const WRITTEN: u64 = 1;
const LIVE: u64 = 2;

/// A place is left alone for so long after its owner has left.
const RESTS: Duration = Duration::from_secs(10);

/// How far the lease of a gateway that renews it can be away.
const FRESH: Duration = Duration::from_secs(4);

/// What tells the process namespace of this process from others: the number of its file (namespaces(7)); 0 where that can't be read.
fn namespace() -> u64 {
    static OWN: std::sync::OnceLock<u64> = std::sync::OnceLock::new();
    *OWN.get_or_init(|| {
        let found = std::fs::metadata("/proc/self/ns/pid");
        found.map_or(0, |found| std::os::unix::fs::MetadataExt::ino(&found))
    })
}

/// Above this bit of the state is how many owners the place had, below it the process of its owner.
const OWNERS: u32 = 40;

fn writer_of(state: u64) -> u64 {
    (state & ((1 << OWNERS) - 1)) >> 8
}

/// Whether there is a process of this number; one that only got the number keeps a place that was half taken, until it ends.
fn exists(pid: u64) -> bool {
    i32::try_from(pid).is_ok_and(|pid| rescind_sys::process_stat(pid).is_some())
}

/// A gateway, as it was found on the board.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) number: usize,
    state: u64,
    pub(super) member: Member,
    pub(super) process: (u64, u64),
    pub(super) guardian: (u64, u64),
}

impl Board {
    pub(super) fn slot_word(&self, number: usize, word: usize) -> u64 {
        self.words().load(Self::slot(number) + word)
    }

    pub(super) fn set_slot(&self, number: usize, word: usize, value: u64) {
        self.words().store(Self::slot(number) + word, value);
    }

    /// Take a place for a gateway of this process, whose lease begins. What stops it is to be asked afterwards. `None`: there is none.
    pub(super) fn enrol(&self, member: &Member, guardian: i32, lease: u64) -> Option<usize> {
        // What whoever left lately has written is read by whoever kills: such places are taken last.
        let rested = |number: &usize| {
            self.slot_word(*number, LEFT_AT)
                .saturating_add(nanoseconds(RESTS))
                < boot_now()
        };
        let number = (0..MOST_GATEWAYS)
            .filter(rested)
            .find(|number| self.claim_slot(*number))
            .or_else(|| (0..MOST_GATEWAYS).find(|number| self.claim_slot(*number)))?;
        let guardian_start = start_of(guardian);
        let fields = [
            (BOOT, self.boot()),
            (NAMESPACE, namespace()),
            (GUARDIAN, u64::try_from(guardian).unwrap_or(0)),
            (GUARDIAN_START, guardian_start),
            (LEASE, lease),
            (ORDER, 0),
            (SEEN, 0),
            (SEEN_AT, 0),
            (DONE, 0),
            (DONE_AT, 0),
            (LAST, 0),
            (LEFT_AT, 0),
            (COUNT, 0),
        ];
        for (word, value) in fields {
            self.set_slot(number, word, value);
        }
        for place in 0..MOST_ACTIONS {
            self.set_slot(number, ACTIONS + place, 0);
        }
        let base = Self::slot(number);
        self.put_text(base + SESSION, SESSION_WORDS, &member.session);
        self.put_text(base + AGENT, NAME_WORDS, cut(&member.agent));
        self.put_text(base + DOMAIN, NAME_WORDS, cut(&member.domain));
        let state = self.slot_word(number, STATE);
        self.set_slot(number, STATE, state & !0xff | LIVE);
        Some(number)
    }

    fn claim_slot(&self, number: usize) -> bool {
        let state = self.slot_word(number, STATE);
        let takeable = match state & 0xff {
            FREE => true,
            // What whoever died here had written is nobody's.
            WRITTEN => !exists(writer_of(state)),
            _ => {
                let (pid, start) = (self.slot_word(number, PID), self.slot_word(number, START));
                self.slot_word(number, BOOT) != self.boot()
                    || !is_alive(pid, start) && !self.lives_elsewhere(number)
            }
        };
        if !takeable {
            return false;
        }
        let (pid, start) = own_process();
        let owners = (state >> OWNERS).wrapping_add(1);
        let next = owners << OWNERS | pid << 8 | WRITTEN;
        let claimed = self.words().exchange(Self::slot(number) + STATE, state, next);
        if claimed {
            self.set_slot(number, BOOT, self.boot());
            self.set_slot(number, PID, pid);
            self.set_slot(number, START, start);
        }
        claimed
    }

    /// A gateway leaves: nothing of its tree is left.
    pub(super) fn leave(&self, number: usize) {
        self.set_slot(number, LEFT_AT, boot_now());
        let state = self.slot_word(number, STATE);
        self.set_slot(number, STATE, state & !0xff | FREE);
        self.tell();
    }

    /// All gateways whose supervisor lives, or whose tree may.
    pub(super) fn slots(&self) -> Vec<Slot> {
        (0..MOST_GATEWAYS)
            .filter_map(|number| self.read_slot(number))
            .collect()
    }

    /// The numbers of the supervisors, some of whom may be gone.
    pub(super) fn supervisors(&self) -> Vec<u32> {
        let live = |number: &usize| self.slot_word(*number, STATE) & 0xff == LIVE;
        let pid = |number| u32::try_from(self.slot_word(number, PID)).ok();
        (0..MOST_GATEWAYS).filter(live).filter_map(pid).collect()
    }

    fn read_slot(&self, number: usize) -> Option<Slot> {
        for _ in 0..64 {
            let state = self.slot_word(number, STATE);
            if state & 0xff != LIVE || self.slot_word(number, BOOT) != self.boot() {
                return None;
            }
            let base = Self::slot(number);
            let slot = Slot {
                number,
                state,
                member: Member {
                    session: self.text(base + SESSION, SESSION_WORDS),
                    agent: self.text(base + AGENT, NAME_WORDS),
                    domain: self.text(base + DOMAIN, NAME_WORDS),
                },
                process: (self.slot_word(number, PID), self.slot_word(number, START)),
                guardian: (
                    self.slot_word(number, GUARDIAN),
                    self.slot_word(number, GUARDIAN_START),
                ),
            };
            if self.slot_word(number, STATE) == state {
                let (supervisor, guardian) = (slot.process, slot.guardian);
                let lives = is_alive(supervisor.0, supervisor.1) || is_alive(guardian.0, guardian.1);
                return (lives || self.lives_elsewhere(number)).then_some(slot);
            }
        }
        None
    }

    /// Whether it is of another process namespace (a container that shares the state directory) and renews its lease. Its numbers say
    /// nothing here.
    pub(super) fn lives_elsewhere(&self, number: usize) -> bool {
        let elsewhere = ![0, namespace()].contains(&self.slot_word(number, NAMESPACE));
        elsewhere && self.slot_word(number, LEASE).abs_diff(boot_now()) < nanoseconds(FRESH)
    }

    /// Whether this gateway was the last that had the place.
    pub(super) fn was(&self, slot: &Slot) -> bool {
        self.slot_word(slot.number, STATE) | 0xff == slot.state | 0xff
    }

    /// Whether the place is still this gateway's.
    pub(super) fn is_still(&self, slot: &Slot) -> bool {
        self.slot_word(slot.number, STATE) == slot.state
    }

    /// An action is under way, or is over.
    pub(super) fn note_action(&self, number: usize, action: u64, under_way: bool) {
        let base = Self::slot(number) + ACTIONS;
        let (from, to) = if under_way { (0, action) } else { (action, 0) };
        let count = self.slot_word(number, COUNT);
        let count = if under_way {
            count + 1
        } else {
            count.saturating_sub(1)
        };
        self.set_slot(number, COUNT, count);
        let _more_than_are_listed =
            (0..MOST_ACTIONS).any(|place| self.words().exchange(base + place, from, to));
    }

    /// The actions that are under way; some of them, where there are many.
    pub(super) fn actions(&self, number: usize) -> Vec<u64> {
        let all = (0..MOST_ACTIONS).map(|place| self.slot_word(number, ACTIONS + place));
        let mut actions: Vec<u64> = all.filter(|action| *action != 0).collect();
        actions.sort_unstable();
        actions
    }

    pub(super) fn status(&self, slot: &Slot) -> GatewayStatus {
        let lease = self.slot_word(slot.number, LEASE).saturating_sub(boot_now());
        let order = match self.slot_word(slot.number, ORDER) {
            0 => Order::Run,
            1 => Order::Paused,
            2 => Order::Killed,
            _ => Order::Held,
        };
        GatewayStatus {
            member: slot.member.clone(),
            process: u32::try_from(slot.process.0).unwrap_or(0),
            order,
            lease_ms: lease / 1_000_000,
            in_flight: self.actions(slot.number),
        }
    }
}
