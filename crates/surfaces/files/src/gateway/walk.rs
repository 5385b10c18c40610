//! The walk at the end: changes in the folders the session worked in that the journal lacks.
//!
//! The trap reads a call's arguments, and the kernel reads them again after our answer (SECURITY.md): a program that
//! races its own memory, or a descriptor received from outside, could change what was not captured. Whatever changed
//! since the session began, in a folder it touched, under a name it is not known to have touched, is reported as not
//! restorable: it was either that, or somebody else at work in the same folder, which can't be told apart.

use super::Gateway;
use super::look;
use rescind_model::ObjectId;
use std::collections::BTreeMap;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt as _;

/// Entries looked at in all; more are said not to have been walked.
const MOST_ENTRIES: usize = 200_000;

impl Gateway {
    /// Walk, the first time this is called.
    pub fn walk_once(&mut self) {
        if !std::mem::replace(&mut self.walked, true) {
            self.walk_touched();
            let _reported_in_the_summary_all_the_same = self.flush();
        }
    }

    fn walk_touched(&mut self) {
        let mut folders: Vec<ObjectId> = self.cells.keys().map(|(folder, _)| *folder).collect();
        folders.sort_unstable();
        folders.dedup();
        let mut left = MOST_ENTRIES;
        let mut found: BTreeMap<String, &'static str> = BTreeMap::new();
        for folder in folders {
            let Some(directory) = self.open_folder(folder) else {
                continue;
            };
            let Some(path) = self.objects.path(folder) else {
                continue;
            };
            let Ok(entries) = std::fs::read_dir(std::ffi::OsStr::from_bytes(&path)) else {
                continue;
            };
            for entry in entries.flatten() {
                if left == 0 {
                    self.miss(
                        0,
                        "folders with very many entries".to_owned(),
                        format!("only {MOST_ENTRIES} entries of touched folders were looked at"),
                    );
                    return;
                }
                left -= 1;
                let name = entry.file_name();
                let name = name.as_bytes();
                if self.cells.contains_key(&(folder, name.to_vec())) || self.is_own_name(&path, name) {
                    continue;
                }
                let Ok(seen) = look::at(directory.as_fd(), name) else {
                    continue;
                };
                // A folder's own time changes with what is in it, which is looked at by itself; a file with several
                // names changes under all of them.
                let known = seen.is_folder()
                    || self.linked.contains(&(seen.dev, seen.ino))
                    || self.inodes.contains_key(&(seen.dev, seen.ino, seen.btime));
                if seen.exists && !known && seen.ctime >= self.began && found.len() < super::MOST_MISSING {
                    let path = self.display(folder, name);
                    found.insert(
                        String::from_utf8_lossy(&path).into_owned(),
                        "it changed during the session without a call that was seen: by somebody else, or past the capture",
                    );
                }
            }
        }
        self.last_folder = None;
        for (what, why) in found {
            self.miss(0, what, why.to_owned());
        }
    }

    fn is_own_name(&self, folder: &[u8], name: &[u8]) -> bool {
        let mut path = folder.to_vec();
        path.push(b'/');
        path.extend_from_slice(name);
        self.protection.path_is_own(&path)
    }
}
