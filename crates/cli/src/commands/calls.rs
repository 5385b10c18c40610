//! Calls of a client's tools between their hooks: word left for `exec`, and for who keeps the states of files.
//!
//! `hooks/KEY.told` in the state directory says what a hook knows of a call that is about to be made; `hooks/KEY.sock` is the
//! socket of the process that keeps a call's files ([`super::keeper`]).

use rescind_model::Level;
use rescind_supervisor::journal::ClientForm;
use rescind_supervisor::{Home, own};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a hook knows of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Word {
    /// On whose behalf.
    pub client: ClientForm,
    /// Why, in the agent's words.
    pub reason: Option<String>,
}

/// Word that nobody took after this time is thrown away: its call was never made.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);
/// More files than this are not looked through for stale ones at once.
const MOST_LOOKED_AT: usize = 1_000;

/// The folder, made where it is not there yet, readable by its owner alone.
///
/// # Errors
/// It can't be made.
pub fn folder(home: &Home) -> io::Result<PathBuf> {
    home.make()?;
    let folder = home.hooks();
    own::folder(&folder)?;
    Ok(folder)
}

/// Whether a text can be a call's key: it becomes a part of a file's name.
#[must_use]
pub fn is_key(key: &str) -> bool {
    !key.is_empty()
        && key.len() <= 64
        && key
            .chars()
            .all(|letter| letter.is_ascii_hexdigit() || letter == '-')
}

/// Leave word of a call.
///
/// # Errors
/// It can't be written: nobody would know on whose behalf the call is made.
pub fn leave(home: &Home, key: &str, word: &Word) -> io::Result<()> {
    let folder = folder(home)?;
    forget_stale(&folder);
    let path = folder.join(format!("{key}.told"));
    own::put(&path, &serde_json::to_vec(word)?, Level::Process)
}

/// Take the word of a call, once. `None`: there is none, or none that can be read.
#[must_use]
pub fn take(home: &Home, key: &str) -> Option<Word> {
    let path = home.hooks().join(format!("{key}.told"));
    let bytes = is_key(key).then(|| fs::read(&path).ok()).flatten()?;
    let _read_already = fs::remove_file(&path);
    serde_json::from_slice(&bytes).ok()
}

fn forget_stale(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.take(MOST_LOOKED_AT) {
        let path = entry.path();
        let is_word = path.extension().is_some_and(|ending| ending == "told");
        let written = entry.metadata().and_then(|found| found.modified()).ok();
        let age = written.and_then(|written| SystemTime::now().duration_since(written).ok());
        if is_word && age.is_some_and(|age| age > STALE) {
            let _next_time_else = fs::remove_file(path);
        }
    }
}
