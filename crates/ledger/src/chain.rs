//! The chain of segments that count.

use crate::disk::{self, Disk};
use crate::error::{Error, Result};
use crate::frame;
use crate::header::{self, Header, log_name};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

/// A place between two frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The segment.
    pub epoch: u32,
    /// Where the next frame begins in it.
    pub offset: u64,
    /// The index of the next entry.
    pub index: u64,
    /// The checksum of the frame before.
    pub crc: u32,
}

/// A segment with a valid header.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    pub header: Header,
    /// Where its first entry's frame begins.
    pub body: u64,
    /// The checksum of the header.
    pub crc: u32,
    /// Where it ends, if a later segment says so.
    pub sealed: Option<u64>,
    pub file: Arc<File>,
    pub path: PathBuf,
}

/// How many bytes are read at a time.
const CHUNK: usize = 1 << 20;

impl Segment {
    /// Open the segment of `epoch`; `None`: there is none, or it has no valid header.
    pub fn open(disk: &Disk, epoch: u32) -> Result<Option<Self>> {
        let name = log_name(epoch);
        let Some(file) = disk.segment(&name)? else {
            return Ok(None);
        };
        Self::read_header(file, disk.join(&name), epoch)
    }

    /// The segment in `file`; `None`: it has no valid header.
    pub fn read_header(file: File, path: PathBuf, epoch: u32) -> Result<Option<Self>> {
        let mut start = [0_u8; header::LIMIT];
        let count =
            disk::read_at(&file, &mut start, 0).map_err(Error::io("read", &path, "nothing was changed"))?;
        let header = Header::read(start.get(..count).unwrap_or_default(), epoch);
        Ok(header.map(|(header, body, crc)| Self {
            header,
            body,
            crc,
            sealed: None,
            file: Arc::new(file),
            path,
        }))
    }

    /// The place of its first entry.
    pub fn start(&self) -> Position {
        let Header {
            epoch, first_index, ..
        } = self.header;
        Position {
            epoch,
            offset: self.body,
            index: first_index,
            crc: self.crc,
        }
    }

    /// Fill `buffer` with what lies at `offset`, up to the sealed end.
    pub fn read(&self, offset: u64, buffer: &mut Vec<u8>) -> Result<()> {
        let limit = self.sealed.map_or(u64::MAX, |end| end.saturating_sub(offset));
        buffer.resize(usize::try_from(limit).unwrap_or(CHUNK).min(CHUNK), 0);
        let count = disk::read_at(&self.file, buffer, offset).map_err(Error::io(
            "read",
            &self.path,
            "nothing was changed",
        ))?;
        buffer.truncate(count);
        Ok(())
    }

    /// Move `position` over all valid frames from there on; whether only zeros are known to follow in the
    /// next eight bytes.
    pub fn follow(&self, position: &mut Position, buffer: &mut Vec<u8>) -> Result<bool> {
        loop {
            let mut head = [0_u8; frame::HEAD];
            disk::read_at(&self.file, &mut head, position.offset).map_err(Error::io(
                "read",
                &self.path,
                "nothing was changed",
            ))?;
            if head == [0; frame::HEAD] {
                return Ok(true);
            }
            self.read(position.offset, buffer)?;
            if frames(buffer, position, |_, _| {}) == 0 {
                return Ok(false);
            }
        }
    }
}

/// Call `each` for every valid frame from the start of `buffer` on, with its place and bytes, and move
/// `position` over them. How many there were.
pub(crate) fn frames(buffer: &[u8], position: &mut Position, mut each: impl FnMut(Position, &[u8])) -> usize {
    let mut rest = buffer;
    let mut count = 0;
    while let Some(frame) = frame::read(rest, position.crc) {
        each(*position, frame.bytes);
        position.offset += frame.length();
        position.index = position.index.saturating_add(1);
        position.crc = frame.crc;
        rest = rest.get(frame::HEAD + frame.bytes.len()..).unwrap_or_default();
        count += 1;
    }
    count
}

/// The segments that count, oldest first. Never empty.
#[derive(Debug)]
pub(crate) struct Chain {
    older: Vec<Segment>,
    last: Segment,
}

impl Chain {
    /// The chain that the header of segment `top` begins; `None`: it has no valid one.
    pub fn load(disk: &Disk, top: u32) -> Result<Option<Self>> {
        let Some(last) = Segment::open(disk, top)? else {
            return Ok(None);
        };
        let mut older = Vec::new();
        let mut header = last.header.clone();
        while header.previous_epoch > 0 {
            let epoch = header.previous_epoch;
            let path = disk.join(&log_name(epoch));
            let Some(mut segment) = Segment::open(disk, epoch)? else {
                let what = format!(
                    "segment {epoch}, which segment {} continues, is missing or has no header",
                    header.epoch
                );
                return Err(Error::damaged(&path, 0, header.first_index, what));
            };
            segment.sealed = Some(header.previous_sealed_bytes);
            header = segment.header.clone();
            older.push(segment);
        }
        older.reverse();
        Ok(Some(Self { older, last }))
    }

    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &Segment> {
        self.older.iter().chain(std::iter::once(&self.last))
    }

    pub fn first(&self) -> &Segment {
        self.older.first().unwrap_or(&self.last)
    }

    pub fn last(&self) -> &Segment {
        &self.last
    }

    pub fn find(&self, epoch: u32) -> Option<&Segment> {
        self.segments().find(|segment| segment.header.epoch == epoch)
    }

    /// The segment that continues `epoch`.
    pub fn after(&self, epoch: u32) -> Option<&Segment> {
        self.segments()
            .find(|segment| segment.header.previous_epoch == epoch)
    }

    /// Up to where the frames of `epoch` count: nothing of a void segment, everything of the last one.
    pub fn end_of(&self, epoch: u32) -> u64 {
        self.find(epoch)
            .map_or(0, |segment| segment.sealed.unwrap_or(u64::MAX))
    }
}
