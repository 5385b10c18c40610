//! What the tests share: a file, a clock that is set by hand, and a recorder that keeps what it is given.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test uses its part, and tests may panic"
)]

use rescind_access::{
    Access, Actor, Authority, Change, Grant, Grants, NewPerson, Options, PersonName, RecordError, Recorder,
    SignedIn,
};
use rescind_model::{SessionId, Timestamp};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

pub const PASSWORD: &str = "a heron at the weir";
pub const HERE: &str = "192.0.2.7";

/// Keeps what it is given, or refuses.
#[derive(Default)]
pub struct Kept {
    pub changes: Mutex<Vec<serde_json::Value>>,
    pub refuses: AtomicBool,
}

impl Recorder for Kept {
    fn record(&self, change: &Change) -> Result<(), RecordError> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err("the disk is full".into());
        }
        self.changes.lock().unwrap().push(change.json());
        Ok(())
    }
}

impl Kept {
    pub fn whats(&self) -> Vec<String> {
        let changes = self.changes.lock().unwrap();
        changes
            .iter()
            .map(|change| change["what"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// An access of one test.
pub struct Bench {
    pub access: Access,
    pub kept: Arc<Kept>,
    pub clock: Arc<AtomicI64>,
    pub folder: TempDir,
}

pub fn options(clock: &Arc<AtomicI64>) -> Options {
    let clock = Arc::clone(clock);
    Options {
        clock: Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))),
        ..Options::default()
    }
}

impl Bench {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kept = Arc::new(Kept::default());
        let clock = Arc::new(AtomicI64::new(1_795_255_200_000_000_001));
        let path = folder.path().join("access.db");
        let access = Access::open_with(&path, kept.clone(), options(&clock)).unwrap();
        Self {
            access,
            kept,
            clock,
            folder,
        }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("access.db")
    }

    pub fn pass(&self, time: Duration) {
        let nanoseconds = i64::try_from(time.as_nanos()).unwrap();
        self.clock.fetch_add(nanoseconds, Ordering::SeqCst);
    }

    /// Add a person who needs not change the password.
    pub fn person(&self, name: &str, grants: &[&str]) -> PersonName {
        let new = NewPerson {
            name: name.parse().unwrap(),
            grants: self::grants(grants),
            must_change_password: false,
        };
        self.access.add_person(&machine(), &new, PASSWORD).unwrap();
        new.name
    }

    pub fn sign_in(&self, name: &str) -> SignedIn {
        self.access.sign_in(name, PASSWORD, HERE).unwrap()
    }

    /// A person who signed in, as an authority.
    pub fn authority(&self, name: &str) -> Authority {
        Authority::Actor(Actor::Person(self.sign_in(name).person))
    }
}

pub fn machine() -> Authority {
    Authority::Machine("root".to_owned())
}

pub fn grants(texts: &[&str]) -> Grants {
    texts.iter().map(|text| grant(text)).collect()
}

pub fn grant(text: &str) -> Grant {
    text.parse().unwrap()
}

pub fn session(number: u32) -> SessionId {
    SessionId::new(1_795_255_200_000, number)
}

/// All bytes of the file and its companions.
pub fn bytes(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        all.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    all
}
