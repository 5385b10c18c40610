//! Appending: the lock, the batch, the fence and the takeover (docs/formats/ledger.md, section 4).

use crate::chain::{Chain, Position, Segment, frames};
use crate::disk::{self, Step};
use crate::error::{Error, Result};
use crate::frame;
use crate::header::{lock_name, log_name};
use crate::log::{Log, RESERVE, TRIES, Waited, make_room, tidy, wait};
use std::fs::File;
use std::sync::Arc;

/// This process's notion of where the ledger ends, and its hold on the lock.
pub(crate) struct Tail {
    chain: Arc<Chain>,
    /// Everything before it counts for ever.
    position: Position,
    lock: File,
    /// Whether this process has seen that only zeros follow, up to the file's end.
    tidy: bool,
    /// The file's size, as far as known.
    room: u64,
    buffer: Vec<u8>,
}

/// What became of a batch: the indexes of the entries that are in, always the first ones, and why the others
/// are not.
#[derive(Debug)]
pub(crate) struct Appended {
    pub indexes: Vec<u64>,
    pub error: Option<Error>,
}

/// A batch that lies in the file, before it is known whether it counts.
struct Written {
    /// Where each frame ends, for as many as are there.
    ends: Vec<Position>,
    error: Option<Error>,
}

impl Tail {
    /// `start` is a place that counts.
    pub fn open(log: &Log, start: Position) -> Result<Self> {
        let chain = log.chain();
        let last = chain.last();
        let position = if start.epoch == last.header.epoch {
            start
        } else {
            last.start()
        };
        let lock = log.disk.lock_file(&lock_name(position.epoch))?;
        let mut tail = Self {
            chain,
            position,
            lock,
            tidy: false,
            room: 0,
            buffer: Vec::new(),
        };
        tail.refresh(log)?;
        Ok(tail)
    }

    pub fn position(&self) -> Position {
        self.position
    }

    /// Take in what others have appended, without the lock.
    pub fn refresh(&mut self, log: &Log) -> Result<()> {
        for _ in 0..TRIES {
            let mut position = self.position;
            let chain = Arc::clone(&self.chain);
            chain.last().follow(&mut position, &mut self.buffer)?;
            if !log.fenced(position.epoch)? {
                self.position = position;
                return Ok(());
            }
            self.settle(log)?;
        }
        Err(Error::Overtaken {
            dir: log.disk.path().to_owned(),
            tries: TRIES,
        })
    }

    fn settle(&mut self, log: &Log) -> Result<()> {
        self.chain = log.settle(Some(self.position))?;
        let start = self.chain.last().start();
        if start.epoch != self.position.epoch {
            self.lock = log.disk.lock_file(&lock_name(start.epoch))?;
            self.position = start;
            self.tidy = false;
            self.room = 0;
        }
        Ok(())
    }

    /// Append all `entries` in order. Each has 1 to [`crate::MAX_ENTRY`] bytes.
    pub fn append(&mut self, log: &Log, entries: &[&[u8]], from_reserve: bool) -> Appended {
        let mut indexes = Vec::with_capacity(entries.len());
        let error = self.append_all(log, entries, from_reserve, &mut indexes).err();
        Appended { indexes, error }
    }

    fn append_all(
        &mut self,
        log: &Log,
        entries: &[&[u8]],
        from_reserve: bool,
        indexes: &mut Vec<u64>,
    ) -> Result<()> {
        for _ in 0..TRIES {
            let rest = entries.get(indexes.len()..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(());
            }
            self.lock(log)?;
            let epoch = self.position.epoch;
            let written = self.write(log, rest, from_reserve);
            let fenced = written.is_ok().then(|| log.fenced(epoch));
            disk::unlock(&self.lock);
            let Some(written) = written? else {
                self.settle(log)?;
                continue;
            };
            if fenced.unwrap_or(Ok(false))? {
                self.settle(log)?;
                let end = self.chain.end_of(epoch);
                indexes.extend(
                    written
                        .ends
                        .iter()
                        .filter(|place| place.offset <= end)
                        .map(|place| place.index - 1),
                );
            } else {
                indexes.extend(written.ends.iter().map(|place| place.index - 1));
                if let Some(end) = written.ends.last() {
                    self.position = *end;
                }
            }
            if let Some(error) = written.error {
                return Err(error);
            }
        }
        Err(Error::Overtaken {
            dir: log.disk.path().to_owned(),
            tries: TRIES,
        })
    }

    /// Run `work` with the lock of the last segment held; `work` gets its epoch.
    pub fn with_lock<T>(&mut self, log: &Log, work: impl FnOnce(u32) -> Result<T>) -> Result<T> {
        self.lock(log)?;
        let result = work(self.position.epoch);
        disk::unlock(&self.lock);
        result
    }

    /// Take the lock of the last segment; claim the next one if it can't be had.
    fn lock(&mut self, log: &Log) -> Result<()> {
        for _ in 0..TRIES {
            let epoch = self.position.epoch;
            let mut seen = self.position;
            let chain = Arc::clone(&self.chain);
            let buffer = &mut self.buffer;
            let moved = || {
                let before = seen.offset;
                chain.last().follow(&mut seen, buffer)?;
                Ok(seen.offset > before)
            };
            match wait(&self.lock, log.patience, moved, || log.fenced(epoch))? {
                Waited::Locked if disk::is_named(&self.lock) => {
                    let step = log.disk.step(Step::Locked, || Ok(()));
                    return step.map_err(Error::io("lock", &log.path(epoch), "nothing was recorded"));
                }
                // Somebody removed the lock file: another one would not exclude this one.
                Waited::Locked => self.lock = log.disk.lock_file(&lock_name(epoch))?,
                Waited::Changed => self.settle(log)?,
                Waited::TimedOut => {
                    log.disk.claim(&log_name(epoch.saturating_add(1)))?;
                    self.settle(log)?;
                }
            }
        }
        Err(Error::Overtaken {
            dir: log.disk.path().to_owned(),
            tries: TRIES,
        })
    }

    /// Write the batch at the end, holding the lock; `None`: the segment is lost, nothing was written.
    fn write(&mut self, log: &Log, entries: &[&[u8]], from_reserve: bool) -> Result<Option<Written>> {
        let chain = Arc::clone(&self.chain);
        let segment = chain.last();
        let doing = Error::io("append to", &segment.path, "nothing was recorded");
        let mut position = self.position;
        let clean = segment.follow(&mut position, &mut self.buffer)?;
        if log.fenced(position.epoch)? {
            return Ok(None);
        }
        self.position = position;
        if !clean || !self.tidy {
            tidy(&log.disk, &segment.file, position.offset).map_err(&doing)?;
            self.tidy = true;
        }
        let mut ends = Vec::with_capacity(entries.len());
        self.buffer.clear();
        for entry in entries {
            position.crc = frame::write(&mut self.buffer, position.crc, entry);
            position.offset = self.position.offset + self.buffer.len() as u64;
            position.index += 1;
            ends.push(position);
        }
        let length = self.buffer.len() as u64 + if from_reserve { 0 } else { RESERVE };
        if self.position.offset.saturating_add(length) > self.room {
            self.room = make_room(
                &log.disk,
                &segment.file,
                &segment.path,
                self.position.offset,
                length,
            )?;
        }
        let start = self.position.offset;
        match log
            .disk
            .write_at(Step::Append, &segment.file, &self.buffer, start)
        {
            Ok(()) => Ok(Some(Written { ends, error: None })),
            Err(source) => Ok(Some(self.after_failure(log, segment, ends, source)?)),
        }
    }

    /// The write failed: what is there, whole, is in; the rest is taken away.
    fn after_failure(
        &mut self,
        log: &Log,
        segment: &Segment,
        mut ends: Vec<Position>,
        source: std::io::Error,
    ) -> Result<Written> {
        self.tidy = false;
        let all = ends.len();
        let mut position = self.position;
        let mut stored = 0;
        loop {
            segment.read(position.offset, &mut self.buffer)?;
            match frames(&self.buffer, &mut position, |_, _| {}) {
                0 => break,
                count => stored += count,
            }
        }
        ends.truncate(stored);
        if tidy(&log.disk, &segment.file, position.offset).is_ok() {
            self.tidy = true;
        }
        let full = matches!(
            source.raw_os_error().map(rustix::io::Errno::from_raw_os_error),
            Some(rustix::io::Errno::NOSPC | rustix::io::Errno::DQUOT | rustix::io::Errno::FBIG)
        );
        let error = if full {
            Error::Full {
                path: segment.path.clone(),
                source: Arc::new(source),
            }
        } else {
            Error::io("append to", &segment.path, "nothing was recorded")(source)
        };
        Ok(Written {
            error: (stored < all).then_some(error),
            ends,
        })
    }
}
