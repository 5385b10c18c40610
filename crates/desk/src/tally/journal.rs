//! The file: records a line each, appended under a lock that dies with its holder, made small again by rename.
//!
//! A line is written at once, and counts when its last byte, the newline, is there. Whoever takes the lock next cuts off
//! what a process left that was killed while it wrote. What is written survives the death of any process; at the level
//! `power` also a power cut.

use super::TallyError;
use super::state::{Record, State};
use rescind_model::Level;
use rustix::fs::FlockOperation;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The version of the journal that is written and read.
const VERSION: u32 = 1;
/// How long one waits for the lock, which is held for well under a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);
/// A journal that has grown by so much, and to several times of what it began with, is made small again.
const GROWTH: u64 = if cfg!(test) { 2 << 10 } else { 256 << 10 };
/// Counters of sessions that did nothing for a week are given up then.
const KEPT: i64 = 7 * 24 * 3_600 * 1_000_000_000;
/// A journal is never near this; a file that is, is none.
const MOST_BYTES: u64 = 1 << 30;

#[derive(Debug)]
pub(super) struct Journal {
    directory: PathBuf,
    level: Level,
    lock: Option<File>,
    file: Option<Opened>,
    state: State,
    #[cfg(test)]
    pub faults: super::fault::Faults,
}

/// The journal as far as it was read.
#[derive(Debug)]
struct Opened {
    file: File,
    identity: (u64, u64),
    /// Where the next line goes.
    end: u64,
    /// Where the first line ends.
    base: u64,
}

impl Journal {
    /// The journal of this directory; nothing is opened.
    pub fn at(directory: PathBuf, level: Level) -> Self {
        Self {
            directory,
            level,
            lock: None,
            file: None,
            state: State::default(),
            #[cfg(test)]
            faults: super::fault::Faults::default(),
        }
    }

    pub fn state(&self) -> &State {
        &self.state
    }

    fn path(&self) -> PathBuf {
        self.directory.join("journal")
    }

    fn fail(&self, source: io::Error) -> TallyError {
        TallyError::Unusable {
            path: self.directory.clone(),
            source,
        }
    }

    /// Take the lock, and read what others have written. On an error nothing is locked.
    pub fn lock(&mut self) -> Result<(), TallyError> {
        // Removed with its directory, it would keep nobody out any more.
        let named = |lock: &File| lock.metadata().is_ok_and(|found| found.nlink() > 0);
        if !self.lock.as_ref().is_some_and(named) {
            self.lock = Some(lock_file(&self.directory).map_err(|error| self.fail(error))?);
        }
        let Some(lock) = &self.lock else { return Ok(()) };
        wait_for(lock, &self.directory)?;
        self.step("locked");
        let read = self.catch_up();
        if read.is_err() {
            self.unlock();
        }
        read
    }

    /// Give the lock back.
    pub fn unlock(&mut self) {
        if let Some(lock) = &self.lock
            && rustix::fs::flock(lock, FlockOperation::Unlock).is_err()
        {
            // Closing gives it back, too.
            self.lock = None;
        }
    }

    /// Write a record, and take it in. Under the lock.
    pub fn append(&mut self, record: Record) -> Result<(), TallyError> {
        let line = line(&record).map_err(|error| self.fail(error))?;
        self.step("appending");
        #[cfg(test)]
        self.write_half(&line);
        let Some(opened) = &mut self.file else {
            return Err(self.fail(io::Error::other("the journal is not open")));
        };
        let power = self.level == Level::Power;
        let written = opened.file.write_all_at(&line, opened.end);
        let written = written.and_then(|()| if power { opened.file.sync_data() } else { Ok(()) });
        if let Err(source) = written {
            // What is there of it has no newline, or must not count: whoever comes next would cut it off, too.
            let _cut_off_later_else = opened.file.set_len(opened.end);
            return Err(self.fail(source));
        }
        opened.end += line.len() as u64;
        self.state.apply(record);
        self.step("appended");
        Ok(())
    }

    /// Read what others wrote since.
    fn catch_up(&mut self) -> Result<(), TallyError> {
        let found = match fs::metadata(self.path()) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return self.replace(State::default());
            }
            Err(error) => return Err(self.fail(error)),
        };
        let identity = (found.dev(), found.ino());
        let same = |opened: &Opened| opened.identity == identity && found.len() >= opened.end;
        if !self.file.as_ref().is_some_and(same) {
            let file = OpenOptions::new().read(true).write(true).open(self.path());
            self.state = State::default();
            self.file = Some(Opened {
                file: file.map_err(|error| self.fail(error))?,
                identity,
                end: 0,
                base: 0,
            });
        }
        let Some(opened) = &mut self.file else {
            return Ok(());
        };
        if found.len() == opened.end {
            return Ok(());
        }
        let read = read_from(&mut opened.file, opened.end);
        let bytes = read.map_err(|error| self.fail(error))?;
        let (records, whole) = self.parse(&bytes)?;
        let Some(opened) = &mut self.file else {
            return Ok(());
        };
        for (record, end) in records {
            if opened.base == 0 {
                opened.base = end;
            }
            self.state.apply(record);
        }
        opened.end += whole;
        if whole < bytes.len() as u64 {
            let cut = opened.file.set_len(opened.end);
            cut.map_err(|error| self.fail(error))?;
        }
        Ok(())
    }

    /// The records of what was read, each with its end, and how much of it they are. On an error the file is read anew
    /// the next time.
    fn parse(&mut self, bytes: &[u8]) -> Result<(Vec<(Record, u64)>, u64), TallyError> {
        let from = self.file.as_ref().map_or(0, |opened| opened.end);
        let found = parse(bytes, from);
        found.map_err(|damage| {
            self.file = None;
            damage.at(self.path())
        })
    }

    /// Make the journal small again, if it has become large. Under the lock.
    pub fn compact(&mut self, now: i64) -> Result<(), TallyError> {
        let large = |opened: &Opened| opened.end > opened.base + GROWTH.max(4 * opened.base);
        if !self.file.as_ref().is_some_and(large) {
            return Ok(());
        }
        self.replace(self.state.without_sessions_before(now.saturating_sub(KEPT)))
    }

    /// Put a new journal in place of what is there, at once.
    pub fn replace(&mut self, state: State) -> Result<(), TallyError> {
        let draft = self.directory.join("journal.new");
        let record = Record::State {
            v: VERSION,
            state: state.clone(),
        };
        let written = || -> io::Result<(File, u64)> {
            let line = line(&record)?;
            let mut options = OpenOptions::new();
            options
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600);
            let mut file = options.open(&draft)?;
            file.write_all(&line)?;
            // A name that survives a power cut with nothing behind it would forget everything.
            file.sync_data()?;
            Ok((file, line.len() as u64))
        };
        let (file, end) = written().map_err(|error| self.fail(error))?;
        self.step("drafted");
        let found = file.metadata().map_err(|error| self.fail(error))?;
        fs::rename(&draft, self.path()).map_err(|error| self.fail(error))?;
        self.step("renamed");
        self.state = state;
        self.file = Some(Opened {
            file,
            identity: (found.dev(), found.ino()),
            end,
            base: end,
        });
        Ok(())
    }

    #[cfg(test)]
    fn step(&mut self, name: &'static str) {
        self.faults.pass(name);
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, reason = "tests end the process here")]
    fn step(&mut self, _name: &'static str) {}

    /// Be killed in the middle of a line.
    #[cfg(test)]
    fn write_half(&mut self, line: &[u8]) {
        if self.faults.is_next("half")
            && let Some(opened) = &self.file
        {
            let _half = opened.file.write_all_at(&line[..line.len() / 2], opened.end);
        }
        self.faults.pass("half");
    }
}

/// What is used according to a directory, without the lock and without writing anything: for those who only look.
pub(super) fn read(directory: &Path) -> Result<State, TallyError> {
    let path = directory.join("journal");
    let unusable = |source| TallyError::Unusable {
        path: directory.to_owned(),
        source,
    };
    let mut state = State::default();
    let mut file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(state),
        Err(error) => return Err(unusable(error)),
    };
    let bytes = read_from(&mut file, 0).map_err(unusable)?;
    let (records, _) = parse(&bytes, 0).map_err(|damage| damage.at(path))?;
    for (record, _) in records {
        state.apply(record);
    }
    Ok(state)
}

/// Why a journal can't be read, and where.
enum Damage {
    Broken(u64),
    Version(u32),
}

impl Damage {
    fn at(self, path: PathBuf) -> TallyError {
        match self {
            Self::Broken(offset) => TallyError::Damaged { path, offset },
            Self::Version(version) => TallyError::Version { path, version },
        }
    }
}

/// The records in these bytes, which begin at an offset, each with the offset of its end, and how many bytes they are.
/// What follows them is what somebody was killed over.
fn parse(bytes: &[u8], from: u64) -> Result<(Vec<(Record, u64)>, u64), Damage> {
    let (mut records, mut at) = (Vec::new(), 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let offset = from + at as u64;
        let length = rest.iter().position(|byte| *byte == b'\n');
        let record = length.and_then(|length| record(rest.get(..length)?));
        let Some((record, length)) = record.zip(length) else {
            // A line without an end is one that was being written, zeros are what a power cut leaves.
            let torn = length.is_none() || rest.contains(&0);
            let followed = rest
                .split(|byte| *byte == b'\n')
                .skip(1)
                .any(|line| self::record(line).is_some());
            if torn && !followed {
                break;
            }
            return Err(Damage::Broken(offset));
        };
        match (&record, offset) {
            (Record::State { v: VERSION, .. }, 0) => {}
            (Record::State { v, .. }, 0) => return Err(Damage::Version(*v)),
            (Record::State { .. }, _) | (_, 0) => return Err(Damage::Broken(offset)),
            _ => {}
        }
        at += length + 1;
        records.push((record, from + at as u64));
    }
    Ok((records, at as u64))
}

/// `CRC32 JSON`, without the newline.
fn record(line: &[u8]) -> Option<Record> {
    let (sum, json) = line.split_at_checked(9)?;
    let sum = u32::from_str_radix(std::str::from_utf8(sum).ok()?.strip_suffix(' ')?, 16).ok()?;
    (crc32fast::hash(json) == sum)
        .then(|| serde_json::from_slice(json).ok())
        .flatten()
}

fn line(record: &Record) -> io::Result<Vec<u8>> {
    let json = serde_json::to_vec(record)?;
    let mut line = format!("{:08x} ", crc32fast::hash(&json)).into_bytes();
    line.extend_from_slice(&json);
    line.push(b'\n');
    Ok(line)
}

fn read_from(file: &mut File, offset: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn lock_file(directory: &Path) -> io::Result<File> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let mut options = OpenOptions::new();
    options
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600);
    options.open(directory.join("lock"))
}

fn wait_for(lock: &File, directory: &Path) -> Result<(), TallyError> {
    let start = Instant::now();
    let mut pause = Duration::from_micros(50);
    loop {
        match rustix::fs::flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(error) => {
                return Err(TallyError::Unusable {
                    path: directory.to_owned(),
                    source: error.into(),
                });
            }
        }
        if start.elapsed() > PATIENCE {
            return Err(TallyError::Busy {
                seconds: PATIENCE.as_secs(),
            });
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(2));
    }
}
