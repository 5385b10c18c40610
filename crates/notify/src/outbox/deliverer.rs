//! The one process that sends: a thread for each channel, so that a slow receiver keeps no other one waiting.

use super::pace::{self, Pace};
use super::store::Due;
use super::{Inner, OutboxError, State, now};
use crate::channels::Channel;
use crate::form::{Form, seconds};
use crate::sending::Sent;
use rescind_model::Timestamp;
use std::fs::TryLockError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often other processes' messages are looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often old messages are forgotten.
const TIDY: Duration = Duration::from_secs(3_600);
/// After a fault of the outbox itself.
const FAULT: Duration = Duration::from_secs(5);

/// The threads that send. Dropping it stops nothing: [`Deliverer::stop`] does.
pub struct Deliverer {
    shared: Arc<Shared>,
    keeper: JoinHandle<()>,
}

struct Shared {
    inner: Arc<Inner>,
    pace: Pace,
    stopping: AtomicBool,
    trouble: Mutex<Option<String>>,
}

pub(super) fn start(inner: &Arc<Inner>, pace: Pace) -> Result<Deliverer, OutboxError> {
    let lock = inner.lock_file()?;
    let shared = Arc::new(Shared {
        inner: Arc::clone(inner),
        pace,
        stopping: AtomicBool::new(false),
        trouble: Mutex::new(None),
    });
    let own = Arc::clone(&shared);
    let keeper = std::thread::Builder::new()
        .name("notify".to_owned())
        .spawn(move || own.keep(&lock))
        .map_err(|source| inner.file_error(source))?;
    Ok(Deliverer { shared, keeper })
}

impl Deliverer {
    /// Begin nothing new. What is being sent goes on, for at most the time of a try.
    pub fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.inner.wake();
    }

    /// Stop, and wait for what is being sent, for at most so long. False where something is still being sent; it will
    /// be sent again then, under the same id, by whoever delivers next.
    #[must_use]
    pub fn join(self, most: Duration) -> bool {
        self.stop();
        let end = Instant::now() + most;
        // There is no join with a time-out: the thread says that it ends, and then is joined.
        while !self.keeper.is_finished() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.shared.wait(left.min(Duration::from_millis(20)));
        }
        self.keeper.join().is_ok()
    }

    /// What keeps it from sending at all, if something does: the outbox itself can't be used.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble().clone()
    }
}

impl Shared {
    /// Hold the lock while the channels' threads send; without it, wait for it.
    fn keep(&self, lock: &std::fs::File) {
        while !self.is_stopping() {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => self.wait(LOOK),
                Err(TryLockError::Error(error)) => {
                    *self.trouble() = Some(format!("the outbox can't be locked: {error}"));
                    self.wait(FAULT);
                }
            }
        }
        if self.is_stopping() {
            return;
        }
        *self.trouble() = None;
        self.inner.delivering.store(true, Ordering::Release);
        std::thread::scope(|scope| {
            for channel in self.inner.channels.iter() {
                scope.spawn(|| self.serve(channel));
            }
            self.tidy();
        });
        self.inner.delivering.store(false, Ordering::Release);
        // Closing would give it back as well; so does the end of this process.
        let _closes_anyway = lock.unlock();
    }

    fn tidy(&self) {
        while !self.is_stopping() {
            self.note(self.inner.store.tidy(&self.inner.channels, now()));
            let next = Instant::now() + TIDY;
            while !self.is_stopping() && Instant::now() < next {
                self.wait(next.saturating_duration_since(Instant::now()));
            }
        }
    }

    /// One channel, until stopped.
    fn serve(&self, channel: &Channel) {
        let mut alone_until = Instant::now();
        while !self.is_stopping() {
            let turn = self.turn();
            let alone = alone_until.saturating_duration_since(Instant::now());
            if !alone.is_zero() {
                self.wait_from(turn, alone);
                continue;
            }
            match self.inner.store.due(channel.name(), now()) {
                Ok(Some(due)) => match self.attempt(channel, &due) {
                    Ok(after) => alone_until = Instant::now() + after,
                    Err(error) => {
                        self.note::<()>(Err(error));
                        alone_until = Instant::now() + FAULT;
                    }
                },
                Ok(None) => self.wait_from(turn, self.idle(channel)),
                Err(error) => {
                    self.note::<()>(Err(error));
                    alone_until = Instant::now() + FAULT;
                }
            }
        }
    }

    /// How long there is nothing to do for a channel, as far as this process knows.
    fn idle(&self, channel: &Channel) -> Duration {
        match self.inner.store.next(channel.name()) {
            Ok(Some(next)) => {
                let milliseconds = next.saturating_sub(now()).max(1);
                LOOK.min(Duration::from_millis(milliseconds.unsigned_abs()))
            }
            Ok(None) | Err(_) => LOOK,
        }
    }

    /// Send one message, or give it up. Returns how long the receiver wants to be left alone.
    fn attempt(&self, channel: &Channel, due: &Due) -> Result<Duration, OutboxError> {
        let store = &self.inner.store;
        let started = now();
        if let Some(why) = self.over(due, started) {
            store.ended(due.number, State::GaveUp, None, Some(&why), started)?;
            return Ok(Duration::ZERO);
        }
        let Ok(form) = serde_json::from_str::<Form>(&due.form) else {
            let why = "this message was written by another release and can't be read";
            store.ended(due.number, State::GaveUp, None, Some(why), started)?;
            return Ok(Duration::ZERO);
        };
        let wait = self.pace.wait(due.tries.saturating_add(1), pace::random());
        let reserved = later(started, self.pace.time_out.saturating_add(wait));
        if !store.trying(due.number, started, reserved)? {
            return Ok(Duration::ZERO);
        }
        let sent = channel.send(&due.id, &form, &due.target, self.pace.time_out);
        let ended = now();
        match sent {
            Sent::Told => store.ended(due.number, State::Told, None, None, ended)?,
            Sent::Refused { why } => store.ended(due.number, State::GaveUp, None, Some(&why), ended)?,
            Sent::Later { why, after } => {
                let next = later(ended, wait.max(after.unwrap_or_default()));
                store.ended(due.number, State::Waiting, Some(next), Some(&why), ended)?;
                self.note(Ok(()));
                return Ok(after.unwrap_or_default());
            }
        }
        self.note(Ok(()));
        Ok(Duration::ZERO)
    }

    /// Why it is not tried any more, and why it was not told before.
    fn over(&self, due: &Due, now: i64) -> Option<String> {
        let why = self.limit(due, now)?;
        Some(match &due.error {
            Some(error) => format!("{why}; at last {error}"),
            None => why,
        })
    }

    fn limit(&self, due: &Due, now: i64) -> Option<String> {
        if let Some(until) = due.until.filter(|until| *until <= now) {
            let until = seconds(Timestamp(until.saturating_mul(1_000_000)));
            return Some(format!("what it tells of waited until {until} only"));
        }
        if due.tries >= self.pace.most_tries {
            return Some(format!("gave up after {} tries", due.tries));
        }
        let oldest = later(due.since, self.pace.most_age);
        (oldest <= now).then(|| format!("gave up after {} tries in {:?}", due.tries, self.pace.most_age))
    }

    fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    fn trouble(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, done: Result<T, OutboxError>) {
        *self.trouble() = done.err().map(|error| error.to_string());
    }

    fn turn(&self) -> u64 {
        *self.inner.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, most: Duration) {
        self.wait_from(self.turn(), most);
    }

    /// Until something was put in since `turn`, it stops, or the time is over.
    fn wait_from(&self, turn: u64, most: Duration) {
        let turns = self.inner.turns.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits looks again anyway, so that it does not matter which of the three it was.
        let _woken = self
            .inner
            .turned
            .wait_timeout_while(turns, most, |now| *now == turn && !self.is_stopping());
    }
}

fn later(time: i64, by: Duration) -> i64 {
    time.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}
