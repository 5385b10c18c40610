//! A mirror in a directory, written so that it survives a power cut and is never half there.

use super::{MirrorError, Store, prunable};
use crate::Checkpoint;
use crate::disk::{is_temporary, random};
use crate::tiles::Name;
use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) struct DirStore {
    root: PathBuf,
    /// Held against other writers, where the file system knows locks.
    _lock: Option<File>,
    /// How many objects were created and not synced one by one.
    unsynced: Cell<u32>,
}

/// Up to how many new objects are synced one by one.
const FEW: u32 = 64;

fn failed(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> MirrorError + use<> {
    let path = path.display().to_string();
    move |source| MirrorError::Io {
        doing,
        path: path.clone(),
        source: Arc::new(source),
    }
}

impl DirStore {
    /// Open the mirror in `root` for writing, made if it does not exist.
    pub fn open(root: &Path) -> Result<Self, MirrorError> {
        std::fs::create_dir_all(root).map_err(failed("make", root))?;
        let lock = lock(root);
        Ok(Self {
            root: root.to_owned(),
            _lock: lock,
            unsynced: Cell::new(0),
        })
    }

    /// Use it without its lock: for reading, or where somebody else sees to it that there is one writer.
    pub fn unlocked(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            _lock: None,
            unsynced: Cell::new(0),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The paths of all files, relative to the mirror. At most `limit` of them.
    pub fn paths(&self, limit: usize) -> Result<Vec<String>, MirrorError> {
        let mut folders = vec![self.root.clone()];
        let mut paths = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).map_err(failed("list", &folder))? {
                let entry = entry.map_err(failed("list", &folder))?;
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    folders.push(entry.path());
                } else if let Ok(path) = entry.path().strip_prefix(&self.root) {
                    paths.push(path.to_string_lossy().into_owned());
                }
                if paths.len() + folders.len() > limit {
                    return Ok(paths);
                }
            }
        }
        Ok(paths)
    }

    /// Keep an object that no checkpoint covers yet, in place of another one.
    pub fn replace(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        std::fs::create_dir_all(folder).map_err(failed("make", folder))?;
        let temporary = self
            .temporary(folder, bytes, true)
            .map_err(failed("write", &target))?;
        std::fs::rename(&temporary, &target)
            .and_then(|()| Self::sync_folder(folder))
            .map_err(failed("write", &target))
    }

    fn temporary(&self, folder: &Path, bytes: &[u8], sync: bool) -> io::Result<PathBuf> {
        let path = folder.join(format!(".tmp-{:016x}", random()));
        let mut file = File::create_new(&path)?;
        file.write_all(bytes)?;
        if sync {
            file.sync_all()?;
        }
        Ok(path)
    }

    fn sync_folder(folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }
}

impl Store for DirStore {
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, MirrorError> {
        let path = self.root.join(path);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(failed("read", &path))?;
        Ok(Some(bytes))
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError> {
        if let Some(found) = self.get(path, bytes.len() as u64)? {
            if found == bytes {
                return Ok(());
            }
            let mirror = self.root.display().to_string();
            let what = "it has other bytes than the ledger's".to_owned();
            return Err(MirrorError::Damaged {
                mirror,
                path: path.to_owned(),
                what,
            });
        }
        let target = self.root.join(path);
        let folder = target.parent().unwrap_or(&self.root);
        std::fs::create_dir_all(folder).map_err(failed("make", folder))?;
        let sync = self.unsynced.get() < FEW;
        self.unsynced.set(self.unsynced.get().saturating_add(1));
        let temporary = self
            .temporary(folder, bytes, sync)
            .map_err(failed("write", &target))?;
        let linked = std::fs::hard_link(&temporary, &target);
        let _gone = std::fs::remove_file(&temporary);
        match linked {
            // Another writer was first: it must have written the same.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.create(path, bytes),
            other => other
                .and_then(|()| Self::sync_folder(folder))
                .map_err(failed("write", &target)),
        }
    }

    fn publish(&self, checkpoint: &Checkpoint) -> Result<(), MirrorError> {
        let target = self.root.join("checkpoint");
        let doing = failed("write", &target);
        if self.unsynced.replace(0) > FEW {
            File::open(&self.root)
                .and_then(|root| Ok(rustix::fs::syncfs(root)?))
                .map_err(failed("sync", &self.root))?;
        }
        let temporary = self
            .temporary(&self.root, checkpoint.text.as_bytes(), true)
            .map_err(&doing)?;
        std::fs::rename(&temporary, &target)
            .and_then(|()| Self::sync_folder(&self.root))
            .map_err(doing)
    }

    fn prune(&self, old: u64, new: u64) -> Result<(), MirrorError> {
        for (place, widths) in prunable(old, new) {
            let keep: Vec<String> = widths
                .iter()
                .map(|width| {
                    Name {
                        width: *width,
                        ..place
                    }
                    .path()
                })
                .collect();
            let Some(folder) = self.root.join(place.path()).parent().map(Path::to_owned) else {
                continue;
            };
            let Ok(entries) = std::fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries.flatten() {
                let path = entry.path();
                let kept = keep.iter().any(|keep| path == self.root.join(keep));
                if !kept && !is_temporary(&entry.file_name().to_string_lossy()) {
                    std::fs::remove_file(&path).map_err(failed("remove", &path))?;
                }
            }
            if keep.is_empty() {
                let _not_empty = std::fs::remove_dir(&folder);
            }
        }
        Ok(())
    }
}

/// The lock of the folder. Waits a little for other writers, then goes on without: what they write is the
/// same, and a stopped one must not hold up the others.
fn lock(root: &Path) -> Option<File> {
    const PATIENCE: Duration = Duration::from_millis(700);
    let folder = File::open(root).ok()?;
    let start = Instant::now();
    loop {
        match crate::disk::try_lock(&folder) {
            Ok(true) => return Some(folder),
            Ok(false) if start.elapsed() < PATIENCE => std::thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}
