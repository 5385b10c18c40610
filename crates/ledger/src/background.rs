//! The service that syncs, signs and mirrors while others append.

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::ledger::{Bell, Inner, Ledger, guard};
use crate::mirror::{MirrorError, Pushed};
use crate::queue::Work as _;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An entry of level `process` is synced at most this long after it was appended, plus the sync.
const SYNC: Duration = Duration::from_millis(25);

/// A checkpoint follows an entry at most this long after, plus the signing. Leaves time for the mirrors
/// within the second.
const SIGN: Duration = Duration::from_millis(700);

/// A mirror that could not be reached is tried again after this long.
const AGAIN: Duration = Duration::from_secs(1);

/// The running service. Dropped, it ends by itself, without a last checkpoint.
pub struct Background {
    ledger: Ledger,
    threads: Vec<JoinHandle<()>>,
}

/// How the service ended.
#[derive(Debug)]
pub struct Stopped {
    /// The last checkpoint, over everything; `None`: there are no entries.
    pub checkpoint: Option<Checkpoint>,
    /// Each mirror, and up to which size it was brought. A list that can't be read stands here as `mirrors`.
    pub mirrors: Vec<Pushed>,
}

impl Ledger {
    /// Start the service: entries are synced within 50 ms, and checkpoints signed and mirrors brought up to
    /// date within a second. One per process is enough. What it can't do is in [`Ledger::trouble`].
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start_background(&self) -> Result<Background> {
        let failed = Error::io("start a thread for", self.dir(), "nothing was changed");
        let spawn = |name: &str, work: Box<dyn FnOnce() + Send>| {
            std::thread::Builder::new()
                .name(name.to_owned())
                .spawn(work)
                .map_err(&failed)
        };
        *guard(&self.inner.bell.state) = false;
        let (signed, news) = sync_channel(1);
        let (worker, mirrorer) = (self.clone(), self.clone());
        let mut background = Background {
            ledger: self.clone(),
            threads: Vec::new(),
        };
        background
            .threads
            .push(spawn("ledger", Box::new(move || run(&worker, &signed)))?);
        background.threads.push(spawn(
            "ledger-mirrors",
            Box::new(move || mirror(&mirrorer, &news)),
        )?);
        Ok(background)
    }
}

impl Background {
    /// End the service, sign a last checkpoint over everything and bring the mirrors up to it.
    ///
    /// # Errors
    /// If the checkpoint can't be signed. Everything that was appended stays as durable as it was.
    pub fn stop(mut self) -> Result<Stopped> {
        self.end();
        for thread in self.threads.drain(..) {
            let _a_panic_is_not_ours = thread.join();
        }
        let checkpoint = self.ledger.checkpoint()?;
        let mirrors = self
            .ledger
            .mirror_push()
            .unwrap_or_else(|error| vec![("mirrors".to_owned(), Err(error))]);
        Ok(Stopped { checkpoint, mirrors })
    }

    fn end(&self) {
        *guard(&self.ledger.inner.bell.state) = true;
        self.ledger.inner.bell.rung.notify_all();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.end();
    }
}

fn run(ledger: &Ledger, signed: &SyncSender<()>) {
    let inner: &Arc<Inner> = &ledger.inner;
    let bell = &inner.bell;
    let mut sign_at = Instant::now();
    while !wait(bell, sign_at) {
        if bell.unsynced.swap(false, Ordering::AcqRel) {
            inner.note_trouble("sync", inner.sync());
        }
        if bell.grown.load(Ordering::Acquire) && Instant::now() >= sign_at {
            bell.grown.store(false, Ordering::Release);
            let result = ledger.checkpoint();
            if result.is_err() {
                // To be tried again, at the same pace.
                bell.grown.store(true, Ordering::Release);
            }
            inner.note_trouble("checkpoint", result.map(drop));
            let _the_mirrorer_is_busy_and_will_see_it = signed.try_send(());
            sign_at = Instant::now() + SIGN;
        }
    }
}

/// Wait for something to do; `true`: the service is to end.
fn wait(bell: &Bell, sign_at: Instant) -> bool {
    let mut end = guard(&bell.state);
    while !*end {
        let due = if bell.unsynced.load(Ordering::Acquire) {
            SYNC
        } else if bell.grown.load(Ordering::Acquire) {
            sign_at.saturating_duration_since(Instant::now()).max(SYNC)
        } else {
            end = bell.rung.wait(end).unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        // New entries need not wake it: they are due no earlier.
        let waited = bell.rung.wait_timeout_while(end, due, |end| !*end);
        return *waited.unwrap_or_else(PoisonError::into_inner).0;
    }
    true
}

/// Push after every checkpoint, and again while a mirror fails, until the signer is gone.
fn mirror(ledger: &Ledger, news: &Receiver<()>) {
    let mut failed = false;
    loop {
        let woken = if failed {
            news.recv_timeout(AGAIN)
        } else {
            news.recv().map_err(|_| RecvTimeoutError::Disconnected)
        };
        if woken == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        failed = match ledger.mirror_push() {
            Ok(results) => {
                ledger.inner.note_trouble("mirrors", Ok::<(), MirrorError>(()));
                let failed = results.iter().any(|(_, result)| result.is_err());
                for (place, result) in results {
                    ledger
                        .inner
                        .note_trouble(&format!("mirror {place}"), result.map(drop));
                }
                failed
            }
            Err(error) => {
                ledger.inner.note_trouble("mirrors", Err(error));
                true
            }
        };
    }
}
