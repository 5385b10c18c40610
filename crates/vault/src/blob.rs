//! Reading blobs: frame by frame, so that no more than a chunk is held.

use crate::content::{CHUNK, Content, DEPTH, Entry, unpack};
use crate::error::{Error, Result};
use crate::frame::{HEADER, Header, Sealer};
use crate::locator::{BlobPlace, Keeping, pack_name};
use crate::packs::LONGEST;
use crate::reader::Shared;
use crate::walk::read_some;
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

/// A pack that is open for reading.
pub(crate) struct Pack {
    name: String,
    file: File,
    sealer: Sealer,
}

/// The data of a blob in the order of offsets: (offset in the blob, bytes). What lies between is a hole.
pub(crate) struct Pieces {
    shared: Arc<Shared>,
    place: BlobPlace,
    begun: bool,
    lists: Vec<std::vec::IntoIter<Entry>>,
    end: u64,
}

/// A blob as a stream; holes are zeros.
pub(crate) struct BlobReader {
    pieces: Pieces,
    total: u64,
    at: u64,
    current: Option<(u64, Vec<u8>)>,
}

impl Shared {
    /// What the frame at `offset` of a pack holds.
    fn content(&self, keeping: Keeping, number: u32, offset: u64) -> Result<Content> {
        let pack = self.pack(keeping, number)?;
        let damaged = |what| self.damaged(&pack.name, offset, what);
        let fail = |error| Error::io("read", self.dir.path().join(&pack.name), error);
        let mut head = [0; HEADER];
        let count = read_some(&pack.file, &mut head, offset).map_err(fail)?;
        let header = Header::parse(head.get(..count).unwrap_or_default())
            .filter(|header| !header.is_void() && header.total() <= LONGEST)
            .ok_or_else(|| damaged("no frame begins here"))?;
        let mut sealed = vec![0; header.sealed()];
        let count = read_some(&pack.file, &mut sealed, offset + HEADER as u64).map_err(fail)?;
        if count < sealed.len() {
            return Err(damaged("an incomplete frame"));
        }
        pack.sealer
            .open(offset, header, &mut sealed)
            .map_err(|_| damaged("not written by this session's key"))?;
        unpack(sealed).map_err(damaged)
    }

    fn pack(&self, keeping: Keeping, number: u32) -> Result<Arc<Pack>> {
        let mut packs = self
            .packs
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(pack) = packs.get(&(keeping, number)) {
            return Ok(pack.clone());
        }
        let name = pack_name(keeping, number);
        let gone = || Error::Gone {
            session: self.session.clone(),
            file: name.clone(),
        };
        let file = self.dir.try_file(&name, OFlags::RDONLY)?.ok_or_else(gone)?;
        let pack = Arc::new(Pack {
            sealer: Sealer::new(&self.key, &name),
            name,
            file,
        });
        packs.insert((keeping, number), pack.clone());
        Ok(pack)
    }

    pub fn damaged(&self, file: &str, offset: u64, what: &'static str) -> Error {
        Error::Damaged {
            session: self.session.clone(),
            file: file.to_owned(),
            offset,
            what,
        }
    }
}

impl Pieces {
    pub fn new(shared: Arc<Shared>, place: BlobPlace) -> Self {
        Self {
            shared,
            place,
            begun: false,
            lists: Vec::new(),
            end: 0,
        }
    }

    /// The next data, `None` at the end.
    pub fn next(&mut self) -> Result<Option<(u64, Vec<u8>)>> {
        let BlobPlace {
            keeping,
            pack,
            offset,
            length,
        } = self.place;
        if !self.begun {
            self.begun = true;
            match self.shared.content(keeping, pack, offset)? {
                Content::Data(data) if data.len() as u64 == length => return Ok(Some((0, data))),
                Content::List { total, entries } if total == length => self.lists.push(entries.into_iter()),
                _ => return Err(self.damaged("a blob of another length")),
            }
        }
        while let Some(list) = self.lists.last_mut() {
            let Some(entry) = list.next() else {
                self.lists.pop();
                continue;
            };
            let end = entry.at.checked_add(entry.length).filter(|end| *end <= length);
            let (Some(end), true, true) = (end, entry.at >= self.end, entry.length > 0) else {
                return Err(self.damaged("a list that is out of order"));
            };
            match self.shared.content(keeping, entry.pack, entry.offset)? {
                Content::Data(data) if data.len() as u64 == entry.length => {
                    self.end = end;
                    return Ok(Some((entry.at, data)));
                }
                Content::List { total, entries } if total == end && self.lists.len() < DEPTH => {
                    self.lists.push(entries.into_iter());
                }
                _ => return Err(self.damaged("a chunk of another length")),
            }
        }
        Ok(None)
    }

    fn damaged(&self, what: &'static str) -> Error {
        self.shared.damaged(
            &pack_name(self.place.keeping, self.place.pack),
            self.place.offset,
            what,
        )
    }
}

impl BlobReader {
    pub fn new(shared: Arc<Shared>, place: BlobPlace) -> Self {
        Self {
            pieces: Pieces::new(shared, place),
            total: place.length,
            at: 0,
            current: None,
        }
    }

    /// The bytes from `at` on: data that is there, or a stretch of zeros.
    fn fill(&mut self) -> Result<()> {
        let done = self
            .current
            .as_ref()
            .is_none_or(|(at, data)| at + data.len() as u64 <= self.at);
        if done {
            self.current = self.pieces.next()?;
        }
        Ok(())
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.total || buffer.is_empty() {
            return Ok(0);
        }
        self.fill().map_err(io::Error::other)?;
        let (start, data) = self
            .current
            .as_ref()
            .map_or((self.total, &[][..]), |(at, data)| (*at, data));
        let room = buffer.len().min(CHUNK);
        let count = if start > self.at {
            let zeros = usize::try_from(start - self.at).unwrap_or(room).min(room);
            buffer.get_mut(..zeros).unwrap_or_default().fill(0);
            zeros
        } else {
            let skip = usize::try_from(self.at - start).unwrap_or(usize::MAX);
            let rest = data.get(skip..).unwrap_or_default();
            let count = rest.len().min(room);
            let (from, to) = (rest.get(..count), buffer.get_mut(..count));
            if let (Some(from), Some(to)) = (from, to) {
                to.copy_from_slice(from);
            }
            count
        };
        self.at += count as u64;
        Ok(count)
    }
}
