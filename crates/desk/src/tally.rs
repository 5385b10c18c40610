//! What is used of the limits, shared by all processes of a state directory: judged by and reserved under one lock.
//!
//! There is no daemon. Whoever judges takes the lock, reads what others have written, and writes what it reserves
//! before it gives the lock back; a process that is killed leaves all of a change or none of it, and its lock is free. What
//! a dead process had reserved counts as used from then on: its actions may have had effects.
//!
//! Reading order: `state` (records and what they come to), `journal` (the file), this (who may do what under the lock).
//! The file's format is in docs/formats/limits.md.

#[cfg(test)]
mod fault;
mod journal;
mod state;

use journal::Journal;
use rescind_model::{Level, Timestamp};
use rescind_policy::{Ask, Counters, Limits, Reservation, Spend, release};
use rescind_supervisor::{lives, process_mark, salt};
pub use state::{Open, State};
use state::{Record, Taken};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// What is used of the limits. Nothing is opened before it is needed.
#[derive(Debug)]
pub struct Tally {
    journal: Journal,
    holder: String,
}

/// Why it can't be told how much is used. Nothing was reserved.
#[derive(Debug, thiserror::Error)]
pub enum TallyError {
    /// The directory.
    #[error("what is used of the limits can't be kept in `{path}`; nothing was reserved")]
    Unusable {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody holds the lock and does not go on.
    #[error("another process keeps what is used of the limits locked for {seconds} s; nothing was reserved")]
    Busy {
        /// How long it was waited.
        seconds: u64,
    },
    /// Something else wrote into it, or it lost what it had.
    #[error(
        "`{path}` is damaged at byte {offset}: how much of the limits is used can't be told; nothing was reserved"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where its first bad line begins.
        offset: u64,
    },
    /// A newer rescind wrote it.
    #[error("`{path}` has version {version}, which this rescind can't read; nothing was reserved")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// What is known under the lock.
#[derive(Debug)]
pub struct Locked<'t> {
    journal: &'t mut Journal,
    holder: &'t str,
    now: Timestamp,
}

/// How much an action asks for, and how much is used for its judge to see.
#[derive(Debug, Clone)]
pub struct Room {
    /// What is used, without what the action takes over from the action around it.
    pub counters: Counters,
    /// Whether the action around it has reserved all of it: then no cap is asked again.
    pub covered: bool,
    asked: Reservation,
    from: Option<Taken>,
}

impl Tally {
    /// That of a directory (`Home::limits`), at a level of durability.
    #[must_use]
    pub fn at(directory: PathBuf, level: Level) -> Self {
        Self {
            journal: Journal::at(directory, level),
            holder: process_mark(std::process::id()),
        }
    }

    /// What is used, for those who only look: no lock is taken, and nothing written.
    ///
    /// # Errors
    /// It can't be read, or is damaged.
    pub fn read(directory: &Path) -> Result<State, TallyError> {
        journal::read(directory)
    }

    /// Die at the given pass of a step.
    #[cfg(test)]
    pub(crate) fn die_at(&mut self, step: &str, pass: u64) {
        self.journal.faults.die_at = Some((step.to_owned(), pass));
    }

    /// Do something under the lock. What dead processes had reserved is settled first.
    ///
    /// # Errors
    /// [`TallyError`]: the lock can't be had, or what is used can't be told.
    pub fn locked<T>(
        &mut self,
        now: Timestamp,
        work: impl FnOnce(&mut Locked<'_>) -> Result<T, TallyError>,
    ) -> Result<T, TallyError> {
        self.journal.lock()?;
        let mut locked = Locked {
            journal: &mut self.journal,
            holder: &self.holder,
            now,
        };
        let done = locked.settle_dead().and_then(|()| work(&mut locked));
        // What was done is done; a journal that stays large is only slower to read.
        let _made_small_later = self.journal.compact(now.0);
        self.journal.unlock();
        done
    }
}

impl Locked<'_> {
    /// What is used, as the judge of this action is to see it. `part_of` is the reservation of the action around it.
    #[must_use]
    pub fn room(&self, limits: &Limits, ask: &Ask, part_of: Option<&str>) -> Room {
        let state = self.journal.state();
        let asked = limits.asked(ask);
        let around = part_of.and_then(|id| Some((id, state.open.get(id)?)));
        let from = around.map(|(id, open)| Taken {
            id: id.to_owned(),
            reservation: open.reservation.covering(&asked),
        });
        let from = from.filter(|from| !from.reservation.parts.is_empty());
        let mut counters = Counters::default();
        for bucket in limits.buckets(ask) {
            if let Some(counter) = state.counters.get(&bucket) {
                counters.set(bucket, counter.clone());
            }
        }
        if let Some(from) = &from {
            counters.apply(release(&counters, &from.reservation).changed);
        }
        let more = from
            .as_ref()
            .map_or_else(|| asked.clone(), |from| asked.without(&from.reservation));
        Room {
            counters,
            covered: from.is_some() && more.is_empty() && ask.spent.spend != Spend::Unknown,
            asked,
            from,
        }
    }

    /// Reserve what was asked for: the judge has said that it fits, or a person that it need not (`over`). The
    /// reservation's name, to settle it by.
    ///
    /// # Errors
    /// It can't be written: nothing is reserved.
    pub fn reserve(&mut self, room: Room, action: (&str, u64), over: bool) -> Result<String, TallyError> {
        let id = salt();
        self.journal.append(Record::Reserve {
            id: id.clone(),
            open: Open {
                holder: self.holder.to_owned(),
                session: action.0.to_owned(),
                node: action.1,
                at: self.now.0,
                reservation: room.asked,
                over,
            },
            from: room.from,
        })?;
        Ok(id)
    }

    /// An action ended, and has changed so many files; `None` where nobody knows.
    ///
    /// # Errors
    /// It can't be written: what it reserved stays reserved until this process ends.
    pub fn settle(&mut self, id: &str, files: Option<u64>) -> Result<(), TallyError> {
        self.journal.append(Record::Settle {
            id: id.to_owned(),
            at: self.now.0,
            files,
        })
    }

    /// An action did not run.
    ///
    /// # Errors
    /// As [`Locked::settle`].
    pub fn release(&mut self, id: &str) -> Result<(), TallyError> {
        self.journal.append(Record::Release { id: id.to_owned() })
    }

    /// What is used.
    #[must_use]
    pub fn state(&self) -> &State {
        self.journal.state()
    }

    /// What processes had reserved that are dead is used.
    fn settle_dead(&mut self) -> Result<(), TallyError> {
        let open = &self.journal.state().open;
        let others = open.values().map(|open| open.holder.as_str());
        let others: BTreeSet<&str> = others.filter(|holder| *holder != self.holder).collect();
        let dead: BTreeSet<&str> = others.into_iter().filter(|holder| !lives(holder)).collect();
        let theirs = open
            .iter()
            .filter(|(_, open)| dead.contains(open.holder.as_str()));
        let ids: Vec<String> = theirs.map(|(id, _)| id.clone()).collect();
        ids.iter().try_for_each(|id| self.settle(id, None))
    }
}

#[cfg(test)]
mod tests;
