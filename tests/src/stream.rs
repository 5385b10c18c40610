//! A reader of the event stream that comes again whenever it is cut off, and goes on behind what it has.

use crate::Ask;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// An event as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Its `id`.
    pub seq: u64,
    /// Its `event`.
    pub kind: String,
    /// Its `data`.
    pub data: Value,
}

#[derive(Debug, Default)]
struct Shared {
    told: Mutex<Vec<Told>>,
    times: AtomicU64,
    over: AtomicBool,
}

/// The reader.
#[derive(Debug)]
pub struct Follower {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    /// Read everything from entry 0 on, from the server at this port, with this token.
    pub fn new(port: u16, token: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let (own, token) = (Arc::clone(&shared), token.to_owned());
        let thread = std::thread::spawn(move || {
            while !own.over.load(Ordering::Acquire) {
                // Cut off, or nobody is there: it is tried again, and an answer that is no stream ends the test.
                if own.follow(port, &token).is_err() {
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        });
        Self {
            shared,
            thread: Some(thread),
        }
    }

    /// How many events came so far, without a gap from 0 on.
    pub fn len(&self) -> u64 {
        self.told().len() as u64
    }

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often it had to come again.
    pub fn times(&self) -> u64 {
        self.shared.times.load(Ordering::Acquire).saturating_sub(1)
    }

    /// Everything that came.
    pub fn told(&self) -> Vec<Told> {
        let told = self.shared.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    /// Read no more once the stream is cut off, and give what came.
    ///
    /// # Panics
    /// The reader saw something that may not be.
    pub fn end(mut self) -> Vec<Told> {
        self.shared.over.store(true, Ordering::Release);
        let thread = self.thread.take().expect("a reader");
        thread.join().expect("a reader that saw nothing wrong");
        self.told()
    }
}

impl Shared {
    fn follow(&self, port: u16, token: &str) -> std::io::Result<()> {
        let next = {
            let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            told.len() as u64
        };
        let ask = match next.checked_sub(1) {
            None => Ask::get("/api/v1/events?from=0"),
            Some(last) => Ask::get("/api/v1/events").header("last-event-id", &last.to_string()),
        };
        let mut coming = ask.token(token).open(port)?;
        assert_eq!(coming.head.status, 200, "{:?}", coming.head);
        self.times.fetch_add(1, Ordering::AcqRel);
        let (mut id, mut kind, mut data) = (None, String::new(), String::new());
        while let Some(line) = coming.line()? {
            let line = crate::text(&line);
            let line = line.trim_end_matches('\n');
            match line.split_once(": ").or_else(|| line.split_once(':')) {
                Some(("id", value)) => id = value.parse::<u64>().ok(),
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("data", value)) => data.push_str(value),
                _ if line.is_empty() && !data.is_empty() => {
                    if kind != "position" {
                        self.take(id.expect("an id"), &kind, &data);
                    }
                    (kind, data) = (String::new(), String::new());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&self, seq: u64, kind: &str, data: &str) {
        let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        assert_eq!(
            seq,
            told.len() as u64,
            "an event is missing, or came twice: {data}"
        );
        assert_eq!(
            (&data["seq"], &data["kind"]),
            (&seq.into(), &kind.into()),
            "{data}"
        );
        told.push(Told {
            seq,
            kind: kind.to_owned(),
            data,
        });
    }
}
