//! What the server sees to besides answering: spans go out, and the record is verified now and then.

use crate::app::{App, Shared};
use std::io;
use std::process::Child;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_millis(250);
/// How long is waited before an export that ended is begun again, at first and at most.
const AGAIN: Duration = Duration::from_secs(1);
const AT_MOST: Duration = Duration::from_secs(60);

/// Begin.
///
/// # Errors
/// The system refuses a thread.
pub fn start(app: &Shared) -> io::Result<Option<JoinHandle<()>>> {
    let app = Arc::clone(app);
    let thread = std::thread::Builder::new().name("upkeep".to_owned());
    thread
        .spawn(move || {
            let mut spans = Spans::default();
            let mut verified = Instant::now();
            while !app.is_ending() {
                spans.look(&app);
                let every = app.configuration.verify_minutes;
                if every > 0 && verified.elapsed() >= Duration::from_secs(every.saturating_mul(60)) {
                    verify(&app);
                    verified = Instant::now();
                }
                std::thread::sleep(LOOK);
            }
            spans.end();
        })
        .map(Some)
}

/// Hold the whole store against its own record. What is to be stopped by that is stopped by the command (`triggers.toml`).
fn verify(app: &App) {
    match app.operations.verify() {
        Ok(_) => tracing::info!("the record is as it was signed"),
        Err(failed) => tracing::error!(code = failed.code, "the record: {}", failed.message),
    }
}

/// The export of spans, a process of its own that goes on from its resume point.
#[derive(Default)]
struct Spans {
    child: Option<Child>,
    wait: Duration,
    ended: Option<Instant>,
}

impl Spans {
    fn look(&mut self, app: &App) {
        let Some(order) = &app.configuration.otlp else {
            return;
        };
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => return,
                Ok(Some(status)) => {
                    tracing::warn!(%status, url = order.url, "the export of spans ended; it begins again")
                }
                Err(error) => tracing::warn!(%error, "the export of spans can't be looked at"),
            }
            self.child = None;
            self.ended = Some(Instant::now());
            self.wait = (self.wait * 2).clamp(AGAIN, AT_MOST);
        }
        if self.ended.is_some_and(|ended| ended.elapsed() < self.wait) {
            return;
        }
        let resume = app.store.home().root().join("server").join("otlp.resume");
        match app
            .operations
            .export_spans(&order.url, order.headers_file.as_deref(), &resume)
        {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                tracing::error!(%error, "spans can't be exported");
                self.ended = Some(Instant::now());
                self.wait = AT_MOST;
            }
        }
    }

    /// What it had not sent yet is sent when the server is back.
    fn end(mut self) {
        if let Some(child) = &mut self.child {
            let _gone = child.kill();
            let _reaped = child.wait();
        }
    }
}
