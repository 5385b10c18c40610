//! The stops on the board.

use super::board::{Board, LOST, MOST_STOPS, STOP_IDS, is_alive, own_process};
use super::scope::{KillScope, Member, Mode, Stop, cut};
use crate::clock;
use rescind_model::Timestamp;

// The words of a stop. The first is its state, with the number of its writer above while it is written.
const STATE: usize = 0;
const ID: usize = 1;
const SCOPE: usize = 2;
const MODE: usize = 3;
const AT: usize = 4;
const RECORDED: usize = 5;
const WRITER_START: usize = 6;
const NAME: usize = 8;
const NAME_WORDS: usize = 33;
const BY: usize = 41;
const BY_WORDS: usize = 25;
const WHY: usize = 66;
const WHY_WORDS: usize = 62;

const FREE: u64 = 0;
const WRITTEN: u64 = 1;
const IN_FORCE: u64 = 2;
/// No more in force, but not in the ledger yet.
const OVER: u64 = 3;

/// Recorded: that it was called.
pub(super) const CALLED: u64 = 1;
/// Recorded: what came of it.
pub(super) const ANSWERED: u64 = 2;

impl Board {
    fn stop_word(&self, number: usize, word: usize) -> u64 {
        self.words().load(Self::stop(number) + word)
    }

    /// Put a stop in force. The last place is kept for a stop of everything. `None`: there is no room.
    pub(super) fn announce(&self, scope: &KillScope, mode: Mode, by: &str, why: &str) -> Option<Stop> {
        if let Some(stop) = self.same(scope, mode) {
            return Some(stop);
        }
        let everything = *scope == KillScope::Everything && mode == Mode::Kill;
        let places = if everything { MOST_STOPS } else { MOST_STOPS - 1 };
        let free = (0..places).find(|number| self.claim(*number));
        let number = free.or_else(|| self.claim_over(places))?;
        let base = Self::stop(number);
        let id = self.words().increment(STOP_IDS);
        let at = clock::now();
        let fields = [
            (ID, id),
            (SCOPE, scope.number()),
            (MODE, u64::from(mode == Mode::Kill)),
            (AT, at.0.cast_unsigned()),
            (RECORDED, 0),
        ];
        for (word, value) in fields {
            self.words().store(base + word, value);
        }
        self.put_text(base + NAME, NAME_WORDS, cut(scope.name()));
        self.put_text(base + BY, BY_WORDS, by);
        self.put_text(base + WHY, WHY_WORDS, why);
        self.words().store(base + STATE, IN_FORCE);
        self.read_stop(number)
    }

    fn claim(&self, number: usize) -> bool {
        let base = Self::stop(number);
        let state = self.words().load(base + STATE);
        let abandoned =
            state & 0xff == WRITTEN && !is_alive(state >> 8, self.stop_word(number, WRITER_START));
        if state != FREE && !abandoned {
            return false;
        }
        let (pid, start) = own_process();
        let claimed = self.words().exchange(base + STATE, state, pid << 8 | WRITTEN);
        if claimed {
            self.words().store(base + WRITER_START, start);
        }
        claimed
    }

    /// The place of the oldest stop that is over and could not be recorded: a kill comes before a record. That it is lost is
    /// counted, and recorded with the next.
    fn claim_over(&self, places: usize) -> Option<usize> {
        let over = (0..places).filter(|number| self.stop_word(*number, STATE) == OVER);
        let oldest = over.min_by_key(|number| self.stop_word(*number, ID))?;
        let (pid, start) = own_process();
        let base = Self::stop(oldest);
        let claimed = self.words().exchange(base + STATE, OVER, pid << 8 | WRITTEN);
        if claimed {
            self.words().store(base + WRITER_START, start);
            self.words().increment(LOST);
        }
        claimed.then_some(oldest)
    }

    /// How many stops were never recorded, and never will be; counted anew from here on.
    pub(super) fn take_lost(&self) -> u64 {
        let lost = self.words().load(LOST);
        if self.words().exchange(LOST, lost, 0) {
            lost
        } else {
            0
        }
    }

    fn same(&self, scope: &KillScope, mode: Mode) -> Option<Stop> {
        let name = cut(scope.name());
        let is_same = |stop: &Stop| {
            stop.mode == mode && stop.scope.number() == scope.number() && stop.scope.name() == name
        };
        self.stops().into_iter().find(is_same)
    }

    /// The stop there, if one is in force; read again where it changed meanwhile.
    fn read_stop(&self, number: usize) -> Option<Stop> {
        self.read_in(number, IN_FORCE)
    }

    fn read_in(&self, number: usize, state: u64) -> Option<Stop> {
        for _ in 0..64 {
            if self.stop_word(number, STATE) != state {
                return None;
            }
            let id = self.stop_word(number, ID);
            let base = Self::stop(number);
            let name = self.text(base + NAME, NAME_WORDS);
            let scope = KillScope::of(self.stop_word(number, SCOPE), name);
            let stop = Stop {
                id,
                // What can't be read stops everything, rather than nothing.
                scope: scope.unwrap_or(KillScope::Everything),
                mode: if self.stop_word(number, MODE) == 0 {
                    Mode::Pause
                } else {
                    Mode::Kill
                },
                by: self.text(base + BY, BY_WORDS),
                why: self.text(base + WHY, WHY_WORDS),
                at: Timestamp(self.stop_word(number, AT).cast_signed()).to_string(),
                recorded: self.stop_word(number, RECORDED) & CALLED != 0,
            };
            if self.stop_word(number, STATE) == state && self.stop_word(number, ID) == id {
                return Some(stop);
            }
        }
        None
    }

    /// All that are in force, oldest first.
    pub(super) fn stops(&self) -> Vec<Stop> {
        let mut stops: Vec<Stop> = (0..MOST_STOPS)
            .filter_map(|number| self.read_stop(number))
            .collect();
        stops.sort_by_key(|stop| stop.id);
        stops
    }

    /// What stops this session; a kill before a pause.
    pub(super) fn stop_of(&self, member: &Member) -> Option<Stop> {
        let stops = self.stops().into_iter();
        stops
            .filter(|stop| stop.scope.covers(member))
            .max_by(|one, other| one.mode.cmp(&other.mode).then(other.id.cmp(&one.id)))
    }

    /// Those of which the ledger lacks something, and what it has.
    pub(super) fn unrecorded(&self) -> Vec<(Stop, u64)> {
        let all = CALLED | ANSWERED;
        let owed = |number: usize| {
            let stop = self.read_stop(number).or_else(|| self.read_in(number, OVER))?;
            let recorded = self.stop_word(number, RECORDED);
            (recorded & all != all).then_some((stop, recorded))
        };
        (0..MOST_STOPS).filter_map(owed).collect()
    }

    /// Take it on oneself to record this of a stop: nobody else does then.
    pub(super) fn take_record(&self, id: u64, what: u64) -> bool {
        let Some(number) = (0..MOST_STOPS).find(|number| self.has_id(*number, id)) else {
            return false;
        };
        let place = Self::stop(number) + RECORDED;
        loop {
            let recorded = self.words().load(place);
            if recorded & what != 0 {
                return false;
            }
            if self.words().exchange(place, recorded, recorded | what) {
                return true;
            }
        }
    }

    /// It is recorded: a stop that is over and owes nothing makes room.
    pub(super) fn has_record(&self, id: u64) {
        if let Some(number) = (0..MOST_STOPS).find(|number| self.has_id(*number, id)) {
            self.free_if_done(number);
        }
    }

    /// It was not recorded after all.
    pub(super) fn owe_record(&self, id: u64, what: u64) {
        if let Some(number) = (0..MOST_STOPS).find(|number| self.has_id(*number, id)) {
            let place = Self::stop(number) + RECORDED;
            loop {
                let recorded = self.words().load(place);
                if self.words().exchange(place, recorded, recorded & !what) {
                    return;
                }
            }
        }
    }

    fn has_id(&self, number: usize, id: u64) -> bool {
        matches!(self.stop_word(number, STATE), IN_FORCE | OVER) && self.stop_word(number, ID) == id
    }

    /// A stop is no more in force. Whether it was.
    pub(super) fn withdraw(&self, id: u64) -> bool {
        let Some(number) = (0..MOST_STOPS).find(|number| self.has_id(*number, id)) else {
            return false;
        };
        let was = self.words().exchange(Self::stop(number) + STATE, IN_FORCE, OVER);
        self.free_if_done(number);
        was
    }

    fn free_if_done(&self, number: usize) {
        let all = CALLED | ANSWERED;
        if self.stop_word(number, STATE) == OVER && self.stop_word(number, RECORDED) & all == all {
            let _by_somebody_else = self.words().exchange(Self::stop(number) + STATE, OVER, FREE);
        }
    }
}
