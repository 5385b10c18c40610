//! What a command names, as it is now: what a reviewer sees before anything runs, had by looking only.
//!
//! Bounded: so many paths, so many entries below a folder. The state's digest is of what was looked at (kinds, sizes, times
//! of change, inodes, names), so that what has moved since is noticed; it says nothing of content that was changed back.

mod tracked;

use crate::gateway::uncapturable;
use rescind_model::{Digest, Timestamp};
use rescind_supervisor::holds::{PathForm, PreviewForm};
use rescind_supervisor::now;
use std::collections::VecDeque;
use std::fmt::Write as _;
use std::fs::Metadata;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use tracked::Repository;

/// More paths than this are counted and left out.
pub const MOST_PATHS: usize = 24;
/// So many entries below all paths together are looked at.
const MOST_ENTRIES: u64 = 5_000;

/// A preview in the making.
struct Looking {
    text: String,
    entries: u64,
    repository: Option<Repository>,
}

/// Look at these paths, which are absolute. `largest`: what is captured by copying, in bytes.
#[must_use]
pub fn preview(paths: &[String], largest: u64) -> PreviewForm {
    let mut looking = Looking {
        text: String::new(),
        entries: 0,
        repository: None,
    };
    let shown = paths.iter().take(MOST_PATHS);
    let paths_shown = shown.map(|path| looking.path(path, largest)).collect();
    PreviewForm {
        at: now().to_string(),
        paths: paths_shown,
        left_out: paths.len().saturating_sub(MOST_PATHS) as u64,
        state: Digest::of(looking.text.as_bytes()).to_string(),
    }
}

impl Looking {
    fn path(&mut self, name: &str, largest: u64) -> PathForm {
        let path = PathBuf::from(name);
        let mut form = PathForm {
            path: name.to_owned(),
            ..PathForm::default()
        };
        let found = match path.symlink_metadata() {
            Ok(found) => found,
            Err(error) => {
                form.kind = match error.kind() {
                    std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => "absent",
                    _ => "unreadable",
                }
                .to_owned();
                self.note(name, &form.kind);
                return form;
            }
        };
        form.kind = kind(&found).to_owned();
        form.modified = Some(modified(&found).to_string());
        self.note(name, &state(&found));
        form.bytes = if found.is_file() { found.len() } else { 0 };
        if found.is_symlink() {
            let target = path
                .read_link()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            self.note(name, &target);
            form.target = Some(target);
        }
        if found.is_dir() {
            self.below(&path, &mut form);
        }
        self.tracked(&path, &found, &mut form);
        form.gap = uncapturable(&path).or_else(|| gap(&found, largest));
        form
    }

    fn note(&mut self, name: &str, state: &str) {
        let _infallible = writeln!(self.text, "{}\0{name}\0{state}", name.len());
    }

    /// Count what is below a folder, breadth first, on its own file system.
    fn below(&mut self, folder: &Path, form: &mut PathForm) {
        let Ok(device) = folder.symlink_metadata().map(|found| found.dev()) else {
            return;
        };
        let mut folders = VecDeque::from([folder.to_owned()]);
        while let Some(next) = folders.pop_front() {
            let Ok(entries) = next.read_dir() else {
                form.unread += 1;
                continue;
            };
            let mut names: Vec<PathBuf> = Vec::new();
            for entry in entries.flatten() {
                if self.entries >= MOST_ENTRIES {
                    form.more = true;
                    break;
                }
                self.entries += 1;
                names.push(entry.path());
            }
            names.sort();
            for path in names {
                let Ok(found) = path.symlink_metadata() else {
                    continue;
                };
                self.note(&path.to_string_lossy(), &state(&found));
                if found.is_dir() {
                    form.folders += 1;
                    if found.dev() == device && !form.more {
                        folders.push_back(path);
                    }
                } else {
                    form.files += 1;
                    form.bytes = form.bytes.saturating_add(found.len());
                }
            }
            if form.more {
                return;
            }
        }
    }

    /// What git knows of it, read from the index: nothing is run.
    fn tracked(&mut self, path: &Path, found: &Metadata, form: &mut PathForm) {
        let Some(root) = tracked::root(path) else { return };
        if self.repository.as_ref().is_none_or(|known| known.root != root) {
            self.repository = Repository::open(root);
        }
        let Some(repository) = &self.repository else {
            return;
        };
        let (count, changed) = repository.tracked(path, found);
        form.tracked = Some(count);
        form.changed = changed;
    }
}

fn kind(found: &Metadata) -> &'static str {
    let kind = found.file_type();
    match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "folder",
        () if kind.is_symlink() => "link",
        () if kind.is_block_device() => "block device",
        () if kind.is_char_device() => "device",
        () if kind.is_fifo() => "pipe",
        () => "socket",
    }
}

fn gap(found: &Metadata, largest: u64) -> Option<String> {
    match kind(found) {
        "block device" => Some("what is on a device is not captured".to_owned()),
        "file" if found.len() > largest => {
            Some("it is over the capture limit: kept where it is removed, not where it is written".to_owned())
        }
        _ => None,
    }
}

fn modified(found: &Metadata) -> Timestamp {
    Timestamp(
        found
            .mtime()
            .saturating_mul(1_000_000_000)
            .saturating_add(found.mtime_nsec()),
    )
}

/// What tells states apart. Not ctime, which our own pins change; and of a folder not its size, which means nothing.
fn state(found: &Metadata) -> String {
    let size = if found.is_dir() { 0 } else { found.len() };
    format!(
        "{} {}:{} {size} {} {:o} {}:{}",
        kind(found),
        found.dev(),
        found.ino(),
        modified(found).0,
        found.mode(),
        found.uid(),
        found.gid()
    )
}

#[cfg(test)]
mod tests;
