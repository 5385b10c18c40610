//! Ctrl-C: what is under way is flushed, and the resume point says so. A second one ends it at once.

use crate::error::Done;
use rescind_sys::SignalFd;
use rustix::event::{PollFd, PollFlags, poll};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const SIGINT: i32 = rustix::process::Signal::INT.as_raw();
const SIGTERM: i32 = rustix::process::Signal::TERM.as_raw();

/// Whether a signal came.
#[derive(Debug, Clone)]
pub struct Interrupt {
    came: Arc<AtomicBool>,
}

impl Interrupt {
    /// Take SIGINT and SIGTERM from now on, in a thread of its own.
    ///
    /// # Errors
    /// The system gives no descriptor or no thread.
    pub fn begin() -> Done<Self> {
        let signals = SignalFd::block(&[SIGINT, SIGTERM])?;
        let descriptor = signals.descriptor()?;
        let came = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&came);
        std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(move || {
                loop {
                    let mut fds = [PollFd::new(&descriptor, PollFlags::IN)];
                    if poll(&mut fds, None).is_err() || signals.pending().is_empty() {
                        continue;
                    }
                    if seen.swap(true, Ordering::AcqRel) {
                        std::process::exit(130);
                    }
                }
            })?;
        Ok(Self { came })
    }

    /// Whether it is to stop.
    #[must_use]
    pub fn came(&self) -> bool {
        self.came.load(Ordering::Acquire)
    }
}
