//! The one place that writes to the ledger's directory, and what each write survives.
//!
//! Whole files go to a temporary name, are synced, and get their name by a rename or a link; the folder is
//! synced by [`Disk::sync_dir`]. Segments are written in place, in allocated space, and synced by
//! [`Disk::sync`]. The hole that is left: a temporary file stays behind when its writer is killed;
//! [`Disk::sweep`] takes old ones away.

use crate::error::{Error, Result};
use rustix::fs::{AtFlags, FallocateFlags, FlockOperation, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// A write, or a point between two, at which a test may interfere.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    Claim,
    Header,
    Allocate,
    Tidy,
    Locked,
    Append,
    Fence,
    SyncSegment,
    SyncDir,
    KeyTemp,
    KeyName,
    PublicTemp,
    PublicName,
    MirrorsTemp,
    MirrorsName,
    CheckpointTemp,
    CheckpointName,
    FrontierTemp,
    FrontierName,
}

/// What a test wants of a step.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interference {
    None,
    /// It fails with this error number and has no effect.
    Fail(i32),
    /// It fails with this error number, but what it does is done.
    FailStored(i32),
}

/// A test's hold on every write. Production code has none.
#[doc(hidden)]
pub trait Probe: Send + Sync {
    fn before(&self, step: Step) -> Interference;
    fn after(&self, _step: Step) {}
}

/// The ledger's directory.
pub(crate) struct Disk {
    path: PathBuf,
    dir: File,
    probe: Option<Arc<dyn Probe>>,
}

const UNCHANGED: &str = "nothing was changed";
const TEMPORARY: &str = ".tmp-";

impl Disk {
    /// Open the directory, made with mode 0700 if it does not exist.
    pub fn open(path: &Path, probe: Option<Arc<dyn Probe>>) -> Result<Self> {
        if !path.exists() {
            if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
                make_parents(parent).map_err(Error::io("make the folder", parent, UNCHANGED))?;
            }
            match rustix::fs::mkdir(path, Mode::RWXU) {
                Err(error) if error != rustix::io::Errno::EXIST => {
                    return Err(Error::io("make the folder", path, UNCHANGED)(error.into()));
                }
                _ => {}
            }
            sync_parent(path).map_err(Error::io("sync the folder of", path, UNCHANGED))?;
        }
        let path = path.canonicalize().map_err(Error::io("find", path, UNCHANGED))?;
        let dir = File::open(&path).map_err(Error::io("open", &path, UNCHANGED))?;
        Ok(Self { path, dir, probe })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Do `work`, unless a test wants it to fail.
    pub fn step<T>(&self, step: Step, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let Some(probe) = &self.probe else { return work() };
        let result = match probe.before(step) {
            Interference::None => work(),
            Interference::Fail(code) => Err(io::Error::from_raw_os_error(code)),
            Interference::FailStored(code) => {
                work()?;
                Err(io::Error::from_raw_os_error(code))
            }
        };
        probe.after(step);
        result
    }

    /// The names in the directory.
    pub fn names(&self) -> Result<Vec<String>> {
        let doing = Error::io("list", &self.path, UNCHANGED);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(&doing)? {
            names.push(entry.map_err(&doing)?.file_name().to_string_lossy().into_owned());
        }
        Ok(names)
    }

    pub fn exists(&self, name: &str) -> Result<bool> {
        match rustix::fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(rustix::io::Errno::NOENT) => Ok(false),
            Err(error) => Err(Error::io("look for", &self.join(name), UNCHANGED)(error.into())),
        }
    }

    /// The file's bytes, at most `limit`; `None`: there is no such file.
    pub fn read(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>> {
        let doing = Error::io("read", &self.join(name), UNCHANGED);
        let file = match self.open_at(name, OFlags::RDONLY, Mode::empty()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(doing(error)),
        };
        let mut bytes = Vec::new();
        file.take(limit).read_to_end(&mut bytes).map_err(doing)?;
        Ok(Some(bytes))
    }

    fn open_at(&self, name: &str, flags: OFlags, mode: Mode) -> io::Result<File> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        Ok(File::from(rustix::fs::openat(&self.dir, name, flags, mode)?))
    }

    /// Open a segment for reading and writing; `None`: there is no such segment.
    pub fn segment(&self, name: &str) -> Result<Option<File>> {
        match self.open_at(name, OFlags::RDWR, Mode::empty()) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("open", &self.join(name), UNCHANGED)(error)),
        }
    }

    /// Create a segment, empty, if it does not exist.
    pub fn claim(&self, name: &str) -> Result<()> {
        let mode = Mode::RUSR | Mode::WUSR;
        self.step(Step::Claim, || {
            self.open_at(name, OFlags::RDWR | OFlags::CREATE, mode)
        })
        .map_err(Error::io("create the segment", &self.join(name), UNCHANGED))?;
        Ok(())
    }

    /// Open a lock file, made write-only if it does not exist.
    pub fn lock_file(&self, name: &str) -> Result<File> {
        self.open_at(name, OFlags::WRONLY | OFlags::CREATE, Mode::WUSR)
            .map_err(Error::io("open the lock", &self.join(name), UNCHANGED))
    }

    /// Write all of `bytes` at `offset`.
    pub fn write_at(&self, step: Step, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.step(step, || file.write_all_at(bytes, offset))
    }

    /// Make the file at least `size` bytes long, all of them allocated.
    pub fn allocate(&self, file: &File, from: u64, size: u64) -> io::Result<()> {
        let length = size.saturating_sub(from);
        self.step(Step::Allocate, || {
            match rustix::fs::fallocate(file, FallocateFlags::empty(), from, length) {
                Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => zeros(file, from, size),
                other => Ok(other?),
            }
        })
    }

    /// Sync the file's bytes, and its length, to the disk.
    pub fn sync(&self, file: &File) -> io::Result<()> {
        self.step(Step::SyncSegment, || file.sync_data())
    }

    /// Sync the directory: names made before survive a power cut.
    pub fn sync_dir(&self) -> Result<()> {
        self.step(Step::SyncDir, || self.dir.sync_all())
            .map_err(Error::io(
                "sync",
                &self.path,
                "the latest names may not survive a power cut",
            ))
    }

    /// Write a whole file under a temporary name, synced. Its name, for [`Disk::publish`].
    pub fn temporary(&self, step: Step, bytes: &[u8]) -> Result<Temporary<'_>> {
        let name = format!("{TEMPORARY}{:016x}", random());
        let path = self.join(&name);
        let temporary = Temporary { disk: self, name };
        let mode = Mode::RUSR | Mode::WUSR;
        self.step(step, || {
            let file = self.open_at(
                &temporary.name,
                OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL,
                mode,
            )?;
            file.write_all_at(bytes, 0)?;
            file.sync_all()
        })
        .map_err(Error::io("write", &path, UNCHANGED))?;
        Ok(temporary)
    }

    /// Take away temporary files whose writers are long dead.
    pub fn sweep(&self, names: &[String]) {
        const LONG: Duration = Duration::from_secs(600);
        for name in names.iter().filter(|name| name.starts_with(TEMPORARY)) {
            let path = self.join(name);
            let age = std::fs::symlink_metadata(&path)
                .and_then(|data| data.modified())
                .map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
            if age.is_ok_and(|age| age > LONG) {
                let _other_sweeper = std::fs::remove_file(&path);
            }
        }
    }
}

/// Make the folder and those above it, so that their names survive a power cut.
fn make_parents(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        return Ok(());
    }
    if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        make_parents(parent)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_parent(folder),
    }
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// A whole, synced file that has no lasting name yet. Dropped without one, it is removed.
pub(crate) struct Temporary<'a> {
    disk: &'a Disk,
    name: String,
}

impl Temporary<'_> {
    /// Give it `name`, in place of the file that has it.
    pub fn replace(self, step: Step, name: &str) -> Result<()> {
        let dir = &self.disk.dir;
        self.disk
            .step(step, || Ok(rustix::fs::renameat(dir, &self.name, dir, name)?))
            .map_err(Error::io(
                "rename to",
                &self.disk.join(name),
                "the file is the old or the new one, whole",
            ))
    }

    /// Give it `name` unless a file has it; whether it got it.
    pub fn publish(self, step: Step, name: &str) -> Result<bool> {
        let dir = &self.disk.dir;
        let linked = self.disk.step(step, || {
            Ok(rustix::fs::linkat(dir, &self.name, dir, name, AtFlags::empty())?)
        });
        match linked {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(Error::io(
                "name",
                &self.disk.join(name),
                "there is none or a whole one",
            )(error)),
        }
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        let _renamed_or_gone = rustix::fs::unlinkat(&self.disk.dir, &self.name, AtFlags::empty());
    }
}

/// Whether this is the name of a file that was being written.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with(TEMPORARY)
}

/// Try to take the lock: `false` if another process has it.
pub(crate) fn try_lock(lock: &File) -> io::Result<bool> {
    match rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Give the lock back.
pub(crate) fn unlock(lock: &File) {
    let _closing_does_it_too = rustix::fs::flock(lock, FlockOperation::Unlock);
}

/// Whether the open file still has a name.
pub(crate) fn is_named(file: &File) -> bool {
    file.metadata().is_ok_and(|data| data.nlink() > 0)
}

/// Read up to `buffer.len()` bytes at `offset`; how many there were.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while let Some(rest) = buffer.get_mut(done..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// Whether there is no byte but zero.
pub(crate) fn all_zero(bytes: &[u8]) -> bool {
    const ZEROS: [u8; 4096] = [0; 4096];
    bytes
        .chunks(ZEROS.len())
        .all(|chunk| ZEROS.get(..chunk.len()) == Some(chunk))
}

/// The offset of the first byte at or after `from` that may be no zero, skipping what the file system knows
/// as holes;
/// `None`: there is none.
pub(crate) fn next_data(file: &File, from: u64) -> io::Result<Option<u64>> {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(from)) {
        Ok(offset) => Ok(Some(offset.max(from))),
        Err(rustix::io::Errno::NXIO) => Ok(None),
        Err(_) => Ok(Some(from).filter(|from| file.metadata().is_ok_and(|data| data.len() > *from))),
    }
}

fn zeros(file: &File, from: u64, to: u64) -> io::Result<()> {
    let block = [0_u8; 65_536];
    let mut offset = from;
    while offset < to {
        let length = usize::try_from(to - offset)
            .unwrap_or(usize::MAX)
            .min(block.len());
        file.write_all_at(block.get(..length).unwrap_or(&block), offset)?;
        offset += length as u64;
    }
    Ok(())
}

/// 64 random bits for names. Not for keys.
pub(crate) fn random() -> u64 {
    let mut bytes = [0_u8; 8];
    match getrandom::fill(&mut bytes) {
        Ok(()) => u64::from_le_bytes(bytes),
        Err(_) => SystemTime::UNIX_EPOCH
            .elapsed()
            .map_or(1, |time| time.subsec_nanos().into()),
    }
}
