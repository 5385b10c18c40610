//! What every part of the ledger needs of its directory: the settled chain, and reading along it.

use crate::chain::{Chain, Position, Segment, frames};
use crate::disk::{self, Disk, Step};
use crate::error::{Error, Result};
use crate::frame;
use crate::header::{Header, epoch_of, lock_name, log_name};
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Space allocated at a time, in bytes.
pub(crate) const STEP: u64 = 4 << 20;

/// Space that only entries which must still fit may use, in bytes.
pub(crate) const RESERVE: u64 = 1 << 20;

/// How often a process lets others overtake it before it gives up.
pub(crate) const TRIES: u32 = 64;

/// The directory and what is known of its chain.
pub(crate) struct Log {
    pub disk: Disk,
    pub patience: Duration,
    chain: RwLock<Arc<Chain>>,
}

/// How waiting for a lock ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Waited {
    Locked,
    /// Something else changed, for which the caller asked.
    Changed,
    TimedOut,
}

impl Log {
    pub fn open(disk: Disk, patience: Duration) -> Result<Self> {
        let chain = settle(&disk, patience, None)?;
        Ok(Self {
            disk,
            patience,
            chain: RwLock::new(Arc::new(chain)),
        })
    }

    /// The chain as last settled.
    pub fn chain(&self) -> Arc<Chain> {
        Arc::clone(&self.chain.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a segment after `epoch` was claimed. What was read before this returned `false` counts for
    /// ever.
    pub fn fenced(&self, epoch: u32) -> Result<bool> {
        let path = log_name(epoch.saturating_add(1));
        self.disk.step(Step::Fence, || Ok(())).map_err(Error::io(
            "look for",
            &self.disk.join(&path),
            "the entry may or may not be recorded",
        ))?;
        self.disk.exists(&path)
    }

    /// Find the chain anew, and begin a segment that was claimed and not begun. `known` is a place that
    /// counts.
    pub fn settle(&self, known: Option<Position>) -> Result<Arc<Chain>> {
        let chain = Arc::new(settle(&self.disk, self.patience, known)?);
        *self.chain.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&chain);
        Ok(chain)
    }

    pub fn path(&self, epoch: u32) -> PathBuf {
        self.disk.join(&log_name(epoch))
    }

    /// Read the next entries that count: `each` gets their places and bytes, `position` moves on. `false`:
    /// there are none.
    pub fn read(
        &self,
        position: &mut Position,
        buffer: &mut Vec<u8>,
        mut each: impl FnMut(Position, &[u8]),
    ) -> Result<bool> {
        let mut chain = self.chain();
        loop {
            let Some(segment) = chain.find(position.epoch) else {
                let what = "a segment that was read is no longer part of the ledger";
                return Err(Error::damaged(
                    &self.path(position.epoch),
                    position.offset,
                    position.index,
                    what,
                ));
            };
            match segment.sealed {
                Some(end) if position.offset >= end => {
                    let Some(next) = chain.after(position.epoch) else {
                        return Ok(false);
                    };
                    let start = next.start();
                    if start.index != position.index || position.offset > end {
                        let what = format!(
                            "it begins with entry {} where {} is due",
                            start.index, position.index
                        );
                        return Err(Error::damaged(&next.path, 0, position.index, what));
                    }
                    *position = start;
                }
                Some(_) => {
                    segment.read(position.offset, buffer)?;
                    if frames(buffer, position, &mut each) == 0 {
                        let what = "a frame before the segment's end is not valid";
                        return Err(Error::damaged(
                            &segment.path,
                            position.offset,
                            position.index,
                            what,
                        ));
                    }
                    return Ok(true);
                }
                None => {
                    segment.read(position.offset, buffer)?;
                    // Checked after reading and before believing: what was there before a claim counts.
                    if self.fenced(position.epoch)? {
                        chain = self.settle(Some(*position))?;
                        continue;
                    }
                    return Ok(frames(buffer, position, &mut each) > 0);
                }
            }
        }
    }
}

/// Try for the lock until `patience` has passed without `moved` saying so, or `changed` says that it is of no
/// use any more.
pub(crate) fn wait(
    lock: &File,
    patience: Duration,
    mut moved: impl FnMut() -> Result<bool>,
    mut changed: impl FnMut() -> Result<bool>,
) -> Result<Waited> {
    const LOOK: Duration = Duration::from_millis(20);
    let (mut since, mut looked) = (Instant::now(), Instant::now());
    let mut pause = Duration::from_micros(20);
    for attempt in 0_u32.. {
        let locked = disk::try_lock(lock).map_err(|source| Error::Io {
            doing: "lock",
            path: PathBuf::from("lock"),
            meaning: "nothing was recorded",
            source: Arc::new(source),
        })?;
        if locked {
            return Ok(Waited::Locked);
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            if changed()? {
                return Ok(Waited::Changed);
            }
            if moved()? {
                since = Instant::now();
            }
            if since.elapsed() >= patience {
                return Ok(Waited::TimedOut);
            }
        }
        if attempt < 4 {
            std::thread::yield_now();
        } else {
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(2));
        }
    }
    Ok(Waited::TimedOut)
}

fn settle(disk: &Disk, patience: Duration, known: Option<Position>) -> Result<Chain> {
    for _ in 0..TRIES {
        let top = disk
            .names()?
            .iter()
            .filter_map(|name| epoch_of(name, "log"))
            .max()
            .unwrap_or(0);
        if top == 0 {
            disk.claim(&log_name(1))?;
            continue;
        }
        let next = log_name(top.saturating_add(1));
        if let Some(chain) = Chain::load(disk, top)? {
            if disk.exists(&next)? {
                continue;
            }
            return Ok(chain);
        }
        let lock = disk.lock_file(&lock_name(top))?;
        let changed = || Ok(disk.exists(&next)? || Segment::open(disk, top)?.is_some());
        match wait(&lock, patience, || Ok(false), changed)? {
            Waited::Changed => {}
            Waited::TimedOut => disk.claim(&next)?,
            Waited::Locked => {
                let begun = if changed()? {
                    Ok(())
                } else {
                    begin(disk, top, known)
                };
                disk::unlock(&lock);
                begun?;
            }
        }
    }
    Err(Error::Overtaken {
        dir: disk.path().to_owned(),
        tries: TRIES,
    })
}

/// Write the header of segment `epoch`, which has none, holding its lock.
fn begin(disk: &Disk, epoch: u32, known: Option<Position>) -> Result<()> {
    let path = disk.join(&log_name(epoch));
    let doing = Error::io("begin the segment", &path, "nothing was recorded");
    let mut previous = None;
    for earlier in (1..epoch).rev() {
        previous = Segment::open(disk, earlier)?;
        if previous.is_some() {
            break;
        }
    }
    let header = match &previous {
        None => Header::new(epoch, 0, None),
        Some(segment) => {
            let own = known.filter(|known| known.epoch == segment.header.epoch);
            let mut end = own.unwrap_or_else(|| segment.start());
            segment.follow(&mut end, &mut Vec::new())?;
            // The seal must not be on the disk before what it seals.
            disk.sync(&segment.file).map_err(&doing)?;
            Header::new(epoch, end.index, Some((end.epoch, end.offset)))
        }
    };
    let Some(file) = disk.segment(&log_name(epoch))? else {
        return Ok(());
    };
    tidy(disk, &file, 0).map_err(&doing)?;
    make_room(disk, &file, &path, 0, RESERVE)?;
    let mut frame = Vec::new();
    frame::write(&mut frame, 0, &header.to_json());
    disk.write_at(Step::Header, &file, &frame, 0).map_err(&doing)?;
    disk.sync(&file).map_err(&doing)?;
    disk.sync_dir()
}

/// Overwrite with zeros what is no zero from `offset` to the end of the file.
pub(crate) fn tidy(disk: &Disk, file: &File, offset: u64) -> std::io::Result<()> {
    let zeros = [0_u8; 65_536];
    let mut found = [0_u8; 65_536];
    let mut offset = offset;
    while let Some(data) = disk::next_data(file, offset)? {
        let count = disk::read_at(file, &mut found, data)?;
        if count == 0 {
            break;
        }
        let (found, zeros) = (
            found.get(..count).unwrap_or_default(),
            zeros.get(..count).unwrap_or_default(),
        );
        if !disk::all_zero(found) {
            disk.write_at(Step::Tidy, file, zeros, data)?;
        }
        offset = data + count as u64;
    }
    Ok(())
}

/// Make sure that the file has `length` bytes of space at `offset`; its size. Asks for more than that, so
/// that it need not ask often.
pub(crate) fn make_room(
    disk: &Disk,
    file: &File,
    path: &std::path::Path,
    offset: u64,
    length: u64,
) -> Result<u64> {
    let size = file
        .metadata()
        .map_err(Error::io("look at", path, "nothing was recorded"))?
        .len();
    let needed = offset.saturating_add(length);
    if needed <= size {
        return Ok(size);
    }
    let wanted = needed.checked_next_multiple_of(STEP).unwrap_or(needed);
    if disk.allocate(file, size, wanted).is_ok() {
        return Ok(wanted);
    }
    disk.allocate(file, size, needed).map_err(|source| Error::Full {
        path: path.to_owned(),
        source: Arc::new(source),
    })?;
    Ok(needed)
}
