//! What undos that run at this moment are about to change: supervised actions on that wait (law 8).
//!
//! One file for each undo in the directory `undoing`, JSON: the mark of its process, and the paths as records have them.
//! The file of an undo that is gone counts for nothing.

use crate::{Home, lives, own, process_mark};
use rescind_model::{Level, SessionId};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Changes of a directory within this time may have the same time of change.
const TICK: Duration = Duration::from_millis(20);

/// An undo that has said what it is about to change, until this is dropped.
#[derive(Debug)]
pub struct Announced {
    path: PathBuf,
}

impl Announced {
    /// Say it.
    ///
    /// # Errors
    /// It can't be written: nobody would wait.
    pub fn new<'p>(home: &Home, undo: &SessionId, paths: impl Iterator<Item = &'p str>) -> io::Result<Self> {
        let folder = home.undoing();
        own::folder(&folder)?;
        let paths: Vec<&str> = paths.collect();
        let text = serde_json::to_vec(&(process_mark(std::process::id()), paths))?;
        let path = folder.join(undo.to_string());
        own::put(&path, &text, Level::Process)?;
        Ok(Self { path })
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        let _nobody_waits_for_who_is_gone = fs::remove_file(&self.path);
    }
}

/// What undos are about to change, as a gateway sees it.
#[derive(Debug)]
pub struct Undoing {
    folder: PathBuf,
    /// When the directory was changed that was read; `None`: it has to be read again.
    read: Option<SystemTime>,
    undos: Vec<(String, HashSet<String>)>,
}

impl Undoing {
    /// In this home.
    #[must_use]
    pub fn of(home: &Home) -> Self {
        Self {
            folder: home.undoing(),
            read: None,
            undos: Vec::new(),
        }
    }

    /// Whether an undo runs at all. One call of the system where none does.
    pub fn any(&mut self) -> bool {
        let changed = fs::metadata(&self.folder).and_then(|found| found.modified()).ok();
        let Some(changed) = changed else {
            self.undos.clear();
            return false;
        };
        if self.read != Some(changed) {
            self.undos = read(&self.folder);
            let settled = changed.elapsed().is_ok_and(|age| age > TICK);
            self.read = settled.then_some(changed);
        }
        if !self.undos.is_empty() {
            self.undos.retain(|(mark, _)| lives(mark));
        }
        !self.undos.is_empty()
    }

    /// Whether an undo that runs is about to change this path.
    #[must_use]
    pub fn takes(&self, path: &str) -> bool {
        self.undos.iter().any(|(_, paths)| paths.contains(path))
    }
}

fn read(folder: &Path) -> Vec<(String, HashSet<String>)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let files = entries.flatten().filter_map(|entry| {
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let bytes = fs::read(entry.path()).ok().filter(|_| !hidden)?;
        serde_json::from_slice(&bytes).ok()
    });
    files.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_is_taken_until_it_is_over_or_its_process_gone() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        let mut undoing = Undoing::of(&home);
        assert!(!undoing.any());
        let undo = SessionId::new(1, 2);
        let announced = Announced::new(&home, &undo, ["/a", "/b\n"].into_iter()).unwrap();
        assert!(undoing.any() && undoing.takes("/a") && undoing.takes("/b\n") && !undoing.takes("/c"));
        drop(announced);
        assert!(!undoing.any() && !undoing.takes("/a"));

        let path = home.undoing().join("1");
        fs::write(&path, r#"["999999999:1:x",["/a"]]"#).unwrap();
        assert!(!undoing.any(), "its process is gone");
    }
}
