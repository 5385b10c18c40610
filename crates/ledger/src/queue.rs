//! Group commit. Threads that append put their entries into a queue; one of them at a time writes the whole
//! queue, one at a time syncs for all who wait for the disk. Each waiter is woken by itself: a broadcast to
//! 256 threads costs more than the sync.
//!
//! There are two offices, writer and syncer, each held by one waiting thread or nobody. Whoever leaves an
//! office gives it to a thread that needs its work done ([`State::appoint`]). A batch for which only a sync
//! counts waits until the syncer is back, so that it grows meanwhile; one with an entry of level `process` in
//! it is written at once.

use crate::error::{Error, Result};
use rescind_model::Level;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Thread;

/// How many bytes of entries are written at a time.
const BATCH: usize = 1 << 20;

/// What the queue needs done.
pub(crate) trait Work {
    /// Append these entries in order: the indexes of those that are in, always the first ones, and why the
    /// others are not.
    fn write(&self, entries: &[&[u8]], from_reserve: bool) -> (Vec<u64>, Option<Error>);
    /// Make everything that was written durable.
    fn sync(&self) -> Result<()>;
}

#[derive(Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Not written yet.
    waiting: VecDeque<Request>,
    /// How many of them wait for the writing alone.
    hurried: usize,
    /// Written, waiting for a sync.
    unsynced: Vec<(Arc<Waiter>, Vec<u64>)>,
    writing: bool,
    syncing: bool,
}

struct Request {
    entries: Vec<Vec<u8>>,
    level: Level,
    from_reserve: bool,
    waiter: Arc<Waiter>,
}

struct Waiter {
    thread: Thread,
    signal: Mutex<Option<Signal>>,
}

enum Signal {
    Write,
    Sync,
    Done(Result<Vec<u64>>),
}

impl Waiter {
    fn send(&self, signal: Signal) {
        *lock(&self.signal) = Some(signal);
        self.thread.unpark();
    }

    fn wait(&self) -> Signal {
        loop {
            if let Some(signal) = lock(&self.signal).take() {
                return signal;
            }
            std::thread::park();
        }
    }
}

impl State {
    /// Fill the offices that are free and have work: who is to be told what.
    fn appoint(&mut self) -> Vec<(Arc<Waiter>, Signal)> {
        let mut told = Vec::new();
        if !self.syncing
            && let Some((waiter, _)) = self.unsynced.first()
        {
            self.syncing = true;
            told.push((Arc::clone(waiter), Signal::Sync));
        }
        let due = self.hurried > 0 || !self.syncing;
        if !self.writing
            && due
            && let Some(request) = self.waiting.front()
        {
            self.writing = true;
            told.push((Arc::clone(&request.waiter), Signal::Write));
        }
        told
    }

    fn take_batch(&mut self) -> Vec<Request> {
        let mut batch: Vec<Request> = Vec::new();
        let mut bytes = 0;
        while let Some(request) = self.waiting.front() {
            let same = batch
                .first()
                .is_none_or(|first| first.from_reserve == request.from_reserve);
            if bytes >= BATCH || !same {
                break;
            }
            bytes += request.entries.iter().map(Vec::len).sum::<usize>();
            self.hurried -= usize::from(request.level == Level::Process);
            batch.extend(self.waiting.pop_front());
        }
        batch
    }
}

impl Queue {
    /// Append and wait as long as `level` asks.
    pub fn append(
        &self,
        work: &impl Work,
        entries: Vec<Vec<u8>>,
        level: Level,
        from_reserve: bool,
    ) -> Result<Vec<u64>> {
        let waiter = Arc::new(Waiter {
            thread: std::thread::current(),
            signal: Mutex::new(None),
        });
        let told = {
            let mut state = lock(&self.state);
            state.hurried += usize::from(level == Level::Process);
            state.waiting.push_back(Request {
                entries,
                level,
                from_reserve,
                waiter: Arc::clone(&waiter),
            });
            state.appoint()
        };
        tell(told);
        loop {
            match waiter.wait() {
                Signal::Write => self.write(work),
                Signal::Sync => self.sync(work),
                Signal::Done(result) => return result,
            }
        }
    }

    fn write(&self, work: &impl Work) {
        let batch = lock(&self.state).take_batch();
        let entries: Vec<&[u8]> = batch
            .iter()
            .flat_map(|request| request.entries.iter().map(Vec::as_slice))
            .collect();
        let from_reserve = batch.first().is_some_and(|request| request.from_reserve);
        let (indexes, error) = work.write(&entries, from_reserve);
        let mut indexes = indexes.into_iter();
        let mut told = Vec::new();
        let mut unsynced = Vec::new();
        for request in batch {
            let own: Vec<u64> = indexes.by_ref().take(request.entries.len()).collect();
            if own.len() < request.entries.len() {
                let error = missing(&request, own.len(), error.as_ref());
                told.push((request.waiter, Signal::Done(Err(error))));
            } else if request.level == Level::Process {
                told.push((request.waiter, Signal::Done(Ok(own))));
            } else {
                unsynced.push((request.waiter, own));
            }
        }
        let mut state = lock(&self.state);
        state.writing = false;
        state.unsynced.append(&mut unsynced);
        let appointed = state.appoint();
        drop(state);
        tell(appointed);
        tell(told);
    }

    fn sync(&self, work: &impl Work) {
        let batch = std::mem::take(&mut lock(&self.state).unsynced);
        let result = work.sync();
        let mut state = lock(&self.state);
        state.syncing = false;
        let appointed = state.appoint();
        drop(state);
        tell(appointed);
        tell(batch.into_iter().map(|(waiter, indexes)| {
            let result = result.clone().map(|()| indexes);
            (waiter, Signal::Done(result))
        }));
    }
}

fn tell(signals: impl IntoIterator<Item = (Arc<Waiter>, Signal)>) {
    for (waiter, signal) in signals {
        waiter.send(signal);
    }
}

fn missing(request: &Request, recorded: usize, error: Option<&Error>) -> Error {
    let unknown = || Error::Overtaken {
        dir: std::path::PathBuf::new(),
        tries: 0,
    };
    let error = error.cloned().unwrap_or_else(unknown);
    if recorded == 0 {
        return error;
    }
    Error::Partly {
        recorded,
        of: request.entries.len(),
        source: Box::new(error),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
