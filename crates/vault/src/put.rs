//! Putting blobs: small ones in one frame, large and sparse ones as chunks and lists.

use crate::content::{CHUNK, ENTRIES, Entry};
use crate::error::{Error, Result};
use crate::locator::{BlobPlace, Keeping};
use crate::walk::read_some;
use crate::writer::SessionWriter;
use rescind_model::{Digest, Locator};
use rustix::fs::SeekFrom;
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::File;

/// More zeros in holes than this many bytes are not hashed.
const HASHED_HOLES: u64 = 1 << 30;

/// A file that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBlob {
    /// SHA-256 of the bytes, holes read as zeros; `None` if the file has more than 1 GiB of holes.
    pub digest: Option<Digest>,
    /// Where it is.
    pub locator: Locator,
    /// How many bytes were read: fewer than asked for if the file was shorter.
    pub length: u64,
}

/// A blob of several chunks on its way into the packs.
struct Chunks<'w> {
    writer: &'w SessionWriter,
    keeping: Keeping,
    entries: Vec<Entry>,
    lists: Vec<Entry>,
    hash: Option<Sha256>,
    holes: u64,
    at: u64,
}

impl SessionWriter {
    /// Keep `bytes`, unless this writer has kept the same before. They are with the kernel when this returns.
    ///
    /// # Errors
    /// [`Error::DiskFull`], or what the system refused.
    pub fn put(&self, bytes: &[u8], keeping: Keeping) -> Result<(Digest, Locator)> {
        let digest = Digest::of(bytes);
        if let Some(place) = self.kept(&digest, keeping) {
            return Ok((digest, place.locator()));
        }
        if bytes.len() <= CHUNK {
            let place = self.urgently(|| self.packs(keeping).put(digest, bytes))?;
            return Ok((digest, place.locator()));
        }
        let mut chunks = Chunks::new(self, keeping);
        chunks.hash = None;
        for chunk in bytes.chunks(CHUNK) {
            chunks.add(chunk)?;
        }
        Ok((digest, chunks.finish(Some(digest))?.locator()))
    }

    /// Keep the first `length` bytes of `file` (all of it if it has fewer), in steps of 1 MiB, without its holes. Moves
    /// the offset of the open file: give one that nobody else uses.
    ///
    /// # Errors
    /// As [`SessionWriter::put`].
    pub fn put_file(&self, file: &File, length: u64, keeping: Keeping) -> Result<FileBlob> {
        let fail = |error| Error::io("read a file for", self.session().as_str(), error);
        let data = file.metadata().map_err(fail)?;
        let length = length.min(data.len());
        let dense = is_dense(file, length);
        if dense && length <= CHUNK as u64 {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(CHUNK)];
            let count = read_some(file, &mut bytes, 0).map_err(fail)?;
            bytes.truncate(count);
            let (digest, locator) = self.put(&bytes, keeping)?;
            return Ok(FileBlob {
                digest: Some(digest),
                locator,
                length: count as u64,
            });
        }
        let mut chunks = Chunks::new(self, keeping);
        chunks.read(file, length, dense)?;
        let length = chunks.at;
        let digest = chunks.hash.take().map(|hash| Digest(hash.finalize().into()));
        let kept = digest.and_then(|digest| self.kept(&digest, keeping));
        let place = kept.map_or_else(|| chunks.finish(digest), Ok)?;
        Ok(FileBlob {
            digest,
            locator: place.locator(),
            length,
        })
    }

    /// Where the same content is already. Lasting content serves for recreatable, not the other way round.
    fn kept(&self, digest: &Digest, keeping: Keeping) -> Option<BlobPlace> {
        let lasting = self.packs(Keeping::Lasting).find(digest);
        match keeping {
            Keeping::Lasting => lasting,
            Keeping::Recreatable => lasting.or_else(|| self.packs(Keeping::Recreatable).find(digest)),
        }
    }
}

impl<'w> Chunks<'w> {
    fn new(writer: &'w SessionWriter, keeping: Keeping) -> Self {
        Self {
            writer,
            keeping,
            entries: Vec::new(),
            lists: Vec::new(),
            hash: Some(Sha256::new()),
            holes: 0,
            at: 0,
        }
    }

    /// Add the file up to `length`, or up to its end if that comes first.
    fn read(&mut self, file: &File, length: u64, dense: bool) -> Result<()> {
        let fail = |error| Error::io("read a file for", self.writer.session().as_str(), error);
        let mut buffer = vec![0; CHUNK];
        while self.at < length {
            let data = if dense {
                self.at..length
            } else {
                data_from(file, self.at, length).map_err(fail)?
            };
            self.hole(data.start);
            while self.at < data.end {
                let want = usize::try_from(data.end - self.at).unwrap_or(CHUNK).min(CHUNK);
                let room = buffer.get_mut(..want).unwrap_or_default();
                let count = read_some(file, room, self.at).map_err(fail)?;
                if count == 0 {
                    return Ok(());
                }
                self.add(buffer.get(..count).unwrap_or_default())?;
            }
        }
        Ok(())
    }

    /// Leave a hole up to `until`.
    fn hole(&mut self, until: u64) {
        let mut left = until.saturating_sub(self.at);
        self.at = self.at.max(until);
        self.holes = self.holes.saturating_add(left);
        if self.holes > HASHED_HOLES {
            self.hash = None;
        }
        if let Some(hash) = &mut self.hash {
            let zeros = [0; 16 << 10];
            while left > 0 {
                let step = left.min(zeros.len() as u64);
                hash.update(zeros.get(..step as usize).unwrap_or_default());
                left -= step;
            }
        }
    }

    /// Add at most [`CHUNK`] bytes.
    fn add(&mut self, data: &[u8]) -> Result<()> {
        if let Some(hash) = &mut self.hash {
            hash.update(data);
        }
        let digest = Digest::of(data);
        let place = self
            .writer
            .urgently(|| self.writer.packs(self.keeping).put(digest, data))?;
        let length = data.len() as u64;
        self.entries.push(Entry {
            at: self.at,
            length,
            pack: place.pack,
            offset: place.offset,
        });
        self.at += length;
        if self.entries.len() >= ENTRIES {
            self.close_list()
        } else {
            Ok(())
        }
    }

    /// Put the entries so far into a list of their own.
    fn close_list(&mut self) -> Result<()> {
        let (Some(first), Some(last)) = (self.entries.first(), self.entries.last()) else {
            return Ok(());
        };
        let (at, end) = (first.at, last.at + last.length);
        let place = self
            .writer
            .urgently(|| self.writer.packs(self.keeping).put_list(None, end, &self.entries))?;
        self.lists.push(Entry {
            at,
            length: end - at,
            pack: place.pack,
            offset: place.offset,
        });
        self.entries.clear();
        if self.lists.len() > ENTRIES {
            let limit = (ENTRIES * ENTRIES * CHUNK) as u64;
            return Err(Error::TooLarge {
                length: self.at,
                limit,
            });
        }
        Ok(())
    }

    fn finish(mut self, digest: Option<Digest>) -> Result<BlobPlace> {
        if let ([], [only]) = (self.lists.as_slice(), self.entries.as_slice())
            && only.length == self.at
        {
            let Entry {
                pack, offset, length, ..
            } = *only;
            return Ok(BlobPlace {
                keeping: self.keeping,
                pack,
                offset,
                length,
            });
        }
        if !self.lists.is_empty() {
            self.close_list()?;
        }
        let entries = if self.lists.is_empty() {
            &self.entries
        } else {
            &self.lists
        };
        self.writer
            .urgently(|| self.writer.packs(self.keeping).put_list(digest, self.at, entries))
    }
}

/// Whether the file has no hole before `length`; also said where the file system knows no holes.
fn is_dense(file: &File, length: u64) -> bool {
    rustix::fs::seek(file, SeekFrom::Hole(0)).map_or(true, |hole| hole >= length)
}

/// The next stretch of data at or behind `at`; empty and at `length` if there is none before it.
pub(crate) fn data_from(file: &File, at: u64, length: u64) -> std::io::Result<std::ops::Range<u64>> {
    let start = match rustix::fs::seek(file, SeekFrom::Data(at)) {
        Ok(start) => start.min(length),
        Err(Errno::NXIO) => return Ok(length..length),
        // This file system knows no holes.
        Err(Errno::INVAL | Errno::OPNOTSUPP) => return Ok(at..length),
        Err(error) => return Err(error.into()),
    };
    let end = match rustix::fs::seek(file, SeekFrom::Hole(start)) {
        Ok(end) => end.min(length),
        Err(Errno::NXIO) => length,
        Err(error) => return Err(error.into()),
    };
    Ok(start..end.max(start))
}
