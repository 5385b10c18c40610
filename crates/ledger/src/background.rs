//! The service that syncs and signs while others append.

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::ledger::{Bell, Inner, Ledger, guard};
use crate::queue::Work as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// An entry of level `process` is synced at most this long after it was appended, plus the sync.
const SYNC: Duration = Duration::from_millis(25);

/// A checkpoint follows an entry at most this long after, plus the signing.
const SIGN: Duration = Duration::from_millis(900);

/// The running service. Dropped, it ends by itself without a last checkpoint.
pub struct Background {
    ledger: Ledger,
    worker: Option<JoinHandle<()>>,
}

impl Ledger {
    /// Start the service: entries are synced within 50 ms, checkpoints signed within a second. One per process is enough.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start_background(&self) -> Result<Background> {
        let inner = Arc::clone(&self.inner);
        *guard(&inner.bell.state) = false;
        let worker = std::thread::Builder::new()
            .name("ledger".to_owned())
            .spawn(move || run(&inner))
            .map_err(Error::io("start a thread for", self.dir(), "nothing was changed"))?;
        Ok(Background {
            ledger: self.clone(),
            worker: Some(worker),
        })
    }
}

impl Background {
    /// End the service and sign a last checkpoint over everything.
    ///
    /// # Errors
    /// If the checkpoint can't be signed. Everything that was appended stays as durable as it was.
    pub fn stop(mut self) -> Result<Option<Checkpoint>> {
        self.end();
        if let Some(worker) = self.worker.take() {
            let _a_panic_is_not_ours = worker.join();
        }
        self.ledger.checkpoint()
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

fn run(inner: &Arc<Inner>) {
    let ledger = Ledger {
        inner: Arc::clone(inner),
    };
    let bell = &inner.bell;
    let mut sign_at = Instant::now();
    while !wait(bell, sign_at) {
        if bell.unsynced.swap(false, Ordering::AcqRel) {
            inner.note_trouble("sync", inner.sync());
        }
        if bell.grown.load(Ordering::Acquire) && Instant::now() >= sign_at {
            bell.grown.store(false, Ordering::Release);
            inner.note_trouble("checkpoint", ledger.checkpoint().map(drop));
            sign_at = Instant::now() + SIGN;
        }
    }
}

/// Wait for something to do; `true`: the service is to end.
fn wait(bell: &Bell, sign_at: Instant) -> bool {
    let mut end = guard(&bell.state);
    loop {
        if *end {
            return true;
        }
        let now = Instant::now();
        let due = if bell.unsynced.load(Ordering::Acquire) {
            Some(SYNC)
        } else if bell.grown.load(Ordering::Acquire) {
            Some(sign_at.saturating_duration_since(now).max(SYNC))
        } else {
            None
        };
        end = match due {
            None => bell
                .rung
                .wait(end)
                .unwrap_or_else(std::sync::PoisonError::into_inner),
            Some(due) => {
                let waited = bell.rung.wait_timeout_while(end, due, |end| !*end);
                let (end, _) = waited.unwrap_or_else(std::sync::PoisonError::into_inner);
                return *end;
            }
        };
    }
}
