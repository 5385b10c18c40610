//! What is to be told, kept until it is.

mod deliverer;
mod pace;
mod store;

use crate::channels::Channels;
use crate::form::{Form, id_of};
use crate::message::{Event, Message, MessageError};
use crate::sending::Sent;
use rescind_model::Timestamp;
use std::fs::TryLockError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use store::Store;

pub use deliverer::Deliverer;
pub use pace::Pace;

/// Messages to tell, in a file of their own; shared by any number of threads and processes. Cheap to clone.
#[derive(Clone)]
pub struct Outbox {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    channels: Channels,
    path: PathBuf,
    /// How often something was put in, or stopped: what the deliverer's threads wait for.
    turns: Mutex<u64>,
    turned: Condvar,
    delivering: AtomicBool,
}

/// Why the outbox can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The message is none.
    #[error("nothing was put into the outbox: {source}")]
    Message {
        /// What is wrong with it.
        #[from]
        source: MessageError,
    },
    /// The database said no.
    #[error("the outbox `{path}` can't be used, so nothing new is told: {source}")]
    Database {
        /// The file.
        path: String,
        /// What it said.
        source: rusqlite::Error,
    },
    /// A file could not be made or locked.
    #[error("the outbox `{path}` can't be used, so nothing new is told: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file is of a later release.
    #[error("the outbox `{path}` has the form {found}, and this release knows {known}: nothing was changed")]
    Newer {
        /// The file.
        path: String,
        /// Its form.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// There is no such channel, or no such failed message.
    #[error("there is no channel `{name}`")]
    NoChannel {
        /// What was asked for.
        name: String,
    },
    /// A try of a channel failed.
    #[error("`{name}` was not told: {why}")]
    NotTold {
        /// The channel.
        name: String,
        /// Why, without secrets.
        why: String,
    },
}

/// Where one message to one receiver stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It is to be sent, for the first time or again.
    Waiting,
    /// The receiver has it.
    Told,
    /// It was given up: refused, or tried too often or too long.
    GaveUp,
    /// It asked for a decision that has been made since, and was never sent.
    Overtaken,
}

/// Who sends what waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivering {
    /// This process.
    Here,
    /// Another one.
    Elsewhere,
    /// Nobody: it waits until a server runs.
    Nobody,
}

/// How a channel is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelStatus {
    /// Its name.
    pub name: String,
    /// `webhook`, `slack`, `smtp`; `none` where it is no longer configured.
    pub way: &'static str,
    /// Where it leads, without secrets.
    pub shown: String,
    /// To be sent, now or later.
    pub waiting: u64,
    /// Told, of what is still kept (30 days).
    pub told: u64,
    /// Given up, of what is still kept.
    pub gave_up: u64,
    /// The time of the oldest event that waits.
    pub oldest: Option<Timestamp>,
    /// The last time something was told.
    pub last_told: Option<Timestamp>,
    /// The last failure: when and why. Over where `last_told` is later.
    pub last_failure: Option<(Timestamp, String)>,
    /// When the next try is due.
    pub next_try: Option<Timestamp>,
}

/// One message to one receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event's key.
    pub key: String,
    /// The id that its receiver sees.
    pub id: String,
    /// What happened.
    pub event: Event,
    /// When it happened.
    pub at: Timestamp,
    /// The channel.
    pub channel: String,
    /// The address, of mail; else empty.
    pub target: String,
    /// Where it stands.
    pub state: State,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next, if it waits.
    pub due: Option<Timestamp>,
    /// Why it was not told at the last try, without secrets.
    pub error: Option<String>,
    /// The page it leads to.
    pub link: String,
}

impl State {
    /// Its name: `waiting`, `told`, `gave_up`, `overtaken`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Told => "told",
            Self::GaveUp => "gave_up",
            Self::Overtaken => "overtaken",
        }
    }

    fn from_name(name: &str) -> Self {
        match name {
            "told" => Self::Told,
            "gave_up" => Self::GaveUp,
            "overtaken" => Self::Overtaken,
            _ => Self::Waiting,
        }
    }
}

impl Outbox {
    /// Open the outbox of these channels, or make it. The file is only its owner's to read.
    ///
    /// # Errors
    /// The file can't be made or read, or is of a later release.
    pub fn open(path: &Path, channels: Channels) -> Result<Self, OutboxError> {
        let inner = Inner {
            store: Store::open(path)?,
            channels,
            path: path.to_owned(),
            turns: Mutex::new(0),
            turned: Condvar::new(),
            delivering: AtomicBool::new(false),
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// The channels that are told.
    #[must_use]
    pub fn channels(&self) -> &Channels {
        &self.inner.channels
    }

    /// Keep a message for every channel that wants it, durably (level `power`), and wake the deliverer. Returns for how
    /// many receivers it is new: 0 where this key was put in before, nobody wants it, or it is more than 30 days old
    /// (what was told is forgotten by then). A decision takes back what still asks for it.
    ///
    /// # Errors
    /// Nothing was kept.
    pub fn put(&self, message: &Message) -> Result<usize, OutboxError> {
        message.check()?;
        let targets: Vec<(String, String)> = self
            .inner
            .channels
            .iter()
            .filter(|channel| channel.wants(message))
            .flat_map(|channel| {
                let name = channel.name().to_owned();
                channel
                    .targets()
                    .into_iter()
                    .map(move |target| (name.clone(), target))
            })
            .collect();
        let new = self
            .inner
            .store
            .put(message, &Form::of(message), &targets, now())?;
        if new > 0 {
            self.inner.wake();
        }
        Ok(new)
    }

    /// The number of the ledger's first entry of which nobody was told through this outbox: where whoever puts messages in goes
    /// on after a restart. `None`: nothing was ever put in by the ledger.
    ///
    /// # Errors
    /// The outbox can't be used.
    pub fn reached(&self) -> Result<Option<u64>, OutboxError> {
        let reached = self.inner.store.reached()?;
        Ok(reached.and_then(|seq| u64::try_from(seq).ok()))
    }

    /// Everything before this entry was put in: durably, and to be said only once it was. Entries that are read a second
    /// time after a crash tell nobody anything, by their keys.
    ///
    /// # Errors
    /// The outbox can't be used.
    pub fn reach(&self, seq: u64) -> Result<(), OutboxError> {
        self.inner.store.reach(i64::try_from(seq).unwrap_or(i64::MAX))
    }

    /// The actions that somebody was asked to decide (within the last 30 days), and of which nobody was told how that ended.
    ///
    /// # Errors
    /// The outbox can't be used.
    pub fn asked(&self) -> Result<Vec<String>, OutboxError> {
        self.inner.store.asked()
    }

    /// Send what waits, from threads of this process, until it is stopped. Where another process does that already, it
    /// takes over once that one is gone.
    ///
    /// # Errors
    /// The lock's file can't be made.
    pub fn deliver(&self, pace: Pace) -> Result<Deliverer, OutboxError> {
        deliverer::start(&self.inner, pace)
    }

    /// Tell one channel, now and once, that it is tried out. Nothing is kept.
    ///
    /// # Errors
    /// There is no such channel; or it was not told, and why, per receiver.
    pub fn test(&self, name: &str, link: &str) -> Result<(), OutboxError> {
        let channel = self.inner.channel(name)?;
        let at = Timestamp(now().saturating_mul(1_000_000));
        let message = Message::new(format!("test:{name}:{}", at.0), Event::Test, at, link);
        message.check()?;
        let (form, id) = (Form::of(&message), id_of(&message.key));
        let mut failures = Vec::new();
        for target in channel.targets() {
            match channel.send(&id, &form, &target, Pace::default().time_out) {
                Sent::Told => {}
                Sent::Later { why, .. } | Sent::Refused { why } if target.is_empty() => failures.push(why),
                Sent::Later { why, .. } | Sent::Refused { why } => failures.push(format!("{target}: {why}")),
            }
        }
        if failures.is_empty() {
            return Ok(());
        }
        Err(OutboxError::NotTold {
            name: name.to_owned(),
            why: failures.join("; "),
        })
    }

    /// Try again what was given up, of one channel or of all, as if it were new. Returns how many there are.
    ///
    /// # Errors
    /// The outbox can't be used.
    pub fn retry(&self, channel: Option<&str>) -> Result<usize, OutboxError> {
        if let Some(name) = channel {
            self.inner.channel(name)?;
        }
        let again = self.inner.store.retry(channel, now())?;
        self.inner.wake();
        Ok(again)
    }

    /// Every channel, configured ones first, then those of which something is still kept.
    ///
    /// # Errors
    /// The outbox can't be used.
    pub fn status(&self) -> Result<Vec<ChannelStatus>, OutboxError> {
        self.inner.store.status(&self.inner.channels)
    }

    /// The last deliveries, newest event first: of one channel or all, in one state or any; at most 500.
    ///
    /// # Errors
    /// The outbox can't be used.
    pub fn deliveries(
        &self,
        channel: Option<&str>,
        state: Option<State>,
        most: usize,
    ) -> Result<Vec<Delivery>, OutboxError> {
        self.inner.store.deliveries(channel, state, most.min(500))
    }

    /// Who sends what waits.
    ///
    /// # Errors
    /// The lock's file can't be read.
    pub fn delivering(&self) -> Result<Delivering, OutboxError> {
        if self.inner.delivering.load(Ordering::Acquire) {
            return Ok(Delivering::Here);
        }
        let lock = self.inner.lock_file()?;
        match lock.try_lock_shared() {
            Ok(()) => Ok(Delivering::Nobody),
            Err(TryLockError::WouldBlock) => Ok(Delivering::Elsewhere),
            Err(TryLockError::Error(source)) => Err(self.inner.file_error(source)),
        }
    }
}

impl Inner {
    fn channel(&self, name: &str) -> Result<&crate::Channel, OutboxError> {
        self.channels.get(name).ok_or_else(|| OutboxError::NoChannel {
            name: crate::words::line(name, 64),
        })
    }

    /// The file whose lock the one deliverer holds.
    fn lock_file(&self) -> Result<std::fs::File, OutboxError> {
        let mut path = self.path.clone().into_os_string();
        path.push(".lock");
        store::open_private(Path::new(&path)).map_err(|source| self.file_error(source))
    }

    fn file_error(&self, source: std::io::Error) -> OutboxError {
        OutboxError::File {
            path: self.path.display().to_string(),
            source,
        }
    }

    fn wake(&self) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        *turns = turns.wrapping_add(1);
        self.turned.notify_all();
    }
}

/// Milliseconds since the Unix epoch. A clock before it is taken for it.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
