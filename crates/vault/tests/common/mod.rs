//! What the vault's tests share: a vault in a fresh directory, ids, seeded randomness.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

use rescind_model::SessionId;
use rescind_vault::{Options, Vault};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub struct Scratch {
    pub dir: TempDir,
    pub vault: Vault,
}

impl Scratch {
    pub fn new() -> Self {
        Self::with(small())
    }

    pub fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let vault = Vault::open(&dir.path().join("vault"), options).unwrap();
        Self { dir, vault }
    }

    pub fn path(&self, rest: &str) -> PathBuf {
        self.dir.path().join("vault").join(rest)
    }

    pub fn session_path(&self, session: &SessionId, file: &str) -> PathBuf {
        self.path("sessions").join(session.as_str()).join(file)
    }
}

/// Small packs, no reserve.
pub fn small() -> Options {
    Options {
        pack_bytes: 8 << 20,
        reserve_bytes: 0,
    }
}

pub fn id(number: u32) -> SessionId {
    SessionId::new(1_760_000_000_000 + u64::from(number) * 1000, number)
}

/// xorshift64*: seeded, and the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}
