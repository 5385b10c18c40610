//! Threads for work that may block, kept for a moment: most actions end within milliseconds, and a thread for each would
//! cost more than what it does.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

type Job = Box<dyn FnOnce() + Send>;

/// A thread without work ends after this time.
const IDLE: Duration = Duration::from_secs(1);

/// As many threads as there are jobs at a time. Clones share them.
#[derive(Clone, Default)]
pub struct Workers {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    idle: usize,
}

impl std::fmt::Debug for Workers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Workers")
    }
}

impl Workers {
    /// Do a job at once, in a thread of its own.
    ///
    /// # Errors
    /// No thread can be had; the job is dropped.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) -> io::Result<()> {
        {
            let mut queue = self.shared.lock();
            // A job never waits for another one: it may take as long as an action runs.
            if queue.idle > queue.jobs.len() {
                queue.jobs.push_back(Box::new(job));
                drop(queue);
                self.shared.wake.notify_one();
                return Ok(());
            }
        }
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::Builder::new().name("output".to_owned());
        thread.spawn(move || {
            job();
            shared.serve();
        })?;
        Ok(())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        loop {
            let mut queue = self.lock();
            queue.idle += 1;
            let waited = self
                .wake
                .wait_timeout_while(queue, IDLE, |queue| queue.jobs.is_empty());
            let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
            let job = queue.jobs.pop_front();
            drop(queue);
            match job {
                Some(job) => job(),
                None => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Workers;
    use std::sync::mpsc::channel;

    #[test]
    fn a_job_that_blocks_holds_up_no_other() {
        let workers = Workers::default();
        let (blocked, release) = channel::<()>();
        let (done, results) = channel();
        for number in 0..20 {
            let done = done.clone();
            workers.run(move || done.send(number).unwrap()).unwrap();
        }
        let last = done.clone();
        workers
            .run(move || {
                release.recv().unwrap();
                last.send(100).unwrap();
            })
            .unwrap();
        for number in 20..40 {
            let done = done.clone();
            workers.run(move || done.send(number).unwrap()).unwrap();
        }
        let mut seen: Vec<i32> = results.iter().take(40).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..40).collect::<Vec<_>>());
        blocked.send(()).unwrap();
        assert_eq!(results.recv().unwrap(), 100);
    }
}
