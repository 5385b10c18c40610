//! The packs of one session and kind while they are written.

use crate::content::{CHUNK, Entry, MAX_PACK_PLAIN, Packer, pack_list};
use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::frame::{FILE_HEADER, MIN_FRAME};
use crate::framed::{Framed, hash_prefix};
use crate::key::SessionKey;
use crate::locator::{BlobPlace, Keeping, pack_name, parse_pack_name};
use crate::mark::Mark;
use rescind_model::Digest;
use rustix::fs::OFlags;
use sha2::Digest as _;
use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

/// The longest frame of a pack.
pub(crate) const LONGEST: u64 = MAX_PACK_PLAIN as u64 + MIN_FRAME;
/// How many digests are remembered; content that comes again after so many others is kept again.
const REMEMBERED: usize = 1 << 20;

/// The packs, a compressor, and what is in the packs already.
pub(crate) struct Packs {
    shelf: Shelf,
    packer: Packer,
    seen: HashMap<Digest, BlobPlace>,
}

/// The pack files: full ones, and the one that is written.
struct Shelf {
    keeping: Keeping,
    dir: Arc<Dir>,
    key: Arc<SessionKey>,
    limit: u64,
    closed: Vec<Mark>,
    unflushed: Vec<Arc<File>>,
    open: Option<Framed>,
    new_names: bool,
}

impl Packs {
    /// Continue with the packs that are in `dir`, which are none for a new session. A pack that would grow over
    /// `limit` bytes is closed.
    pub fn open(dir: &Arc<Dir>, key: &Arc<SessionKey>, keeping: Keeping, limit: u64) -> Result<Self> {
        let packer = Packer::new().map_err(|error| Error::io("start compressing in", dir.path(), error))?;
        let mut shelf = Shelf {
            keeping,
            dir: dir.clone(),
            key: key.clone(),
            limit,
            closed: Vec::new(),
            unflushed: Vec::new(),
            open: None,
            new_names: false,
        };
        shelf.take_in()?;
        Ok(Self {
            shelf,
            packer,
            seen: HashMap::new(),
        })
    }

    /// Where content with this digest is, if this writer kept it.
    pub fn find(&self, digest: &Digest) -> Option<BlobPlace> {
        self.seen.get(digest).copied()
    }

    fn remember(&mut self, digest: Digest, place: BlobPlace) {
        if self.seen.len() < REMEMBERED {
            self.seen.insert(digest, place);
        }
    }

    /// Keep at most [`CHUNK`] bytes as one frame, unless they are kept already.
    pub fn put(&mut self, digest: Digest, data: &[u8]) -> Result<BlobPlace> {
        if let Some(place) = self.find(&digest) {
            return Ok(place);
        }
        if data.len() > CHUNK {
            return Err(Error::TooLarge {
                length: data.len() as u64,
                limit: CHUNK as u64,
            });
        }
        let (method, packed) = self.packer.pack(data);
        let place = self.shelf.append(&[method, packed], data.len() as u64)?;
        self.remember(digest, place);
        Ok(place)
    }

    /// Keep a list of what makes `total` bytes. `digest` is that of the whole blob, if it is its last list.
    pub fn put_list(&mut self, digest: Option<Digest>, total: u64, entries: &[Entry]) -> Result<BlobPlace> {
        let place = self.shelf.append(&[&pack_list(total, entries)], total)?;
        if let Some(digest) = digest {
            self.remember(digest, place);
        }
        Ok(place)
    }

    /// Add the marks of all packs.
    pub fn marks(&self, marks: &mut Vec<Mark>) {
        marks.extend(self.shelf.closed.iter().cloned());
        marks.extend(self.shelf.open.iter().map(Framed::mark));
    }

    /// Add the files to flush; says whether the directory has to be, too.
    pub fn take_dirty(&mut self, files: &mut Vec<Arc<File>>) -> bool {
        files.append(&mut self.shelf.unflushed);
        files.extend(self.shelf.open.iter_mut().filter_map(Framed::take_dirty));
        std::mem::take(&mut self.shelf.new_names)
    }
}

impl Shelf {
    fn take_in(&mut self) -> Result<()> {
        let (keeping, mut last) = (self.keeping, 0);
        self.dir.names(|name| {
            if let Some((_, number)) = name
                .to_str()
                .and_then(parse_pack_name)
                .filter(|(k, _)| *k == keeping)
            {
                last = last.max(number);
            }
        })?;
        for number in 1..last {
            self.take_in_full(&pack_name(keeping, number))?;
        }
        if last > 0 {
            self.open = Some(Framed::open(
                &self.dir,
                &pack_name(keeping, last),
                &self.key,
                LONGEST,
            )?);
            self.new_names = true;
        }
        Ok(())
    }

    /// Take in a pack that was full before.
    fn take_in_full(&mut self, name: &str) -> Result<()> {
        let fail = |error| Error::io("read", self.dir.path().join(name), error);
        // A pack that was removed is for verify to report; here it is one with nothing in it.
        let Some(file) = self.dir.try_file(name, OFlags::RDONLY)? else {
            self.closed.push(Mark {
                file: name.to_owned(),
                length: 0,
                digest: Digest::of(&[]),
            });
            return Ok(());
        };
        let length = file.metadata().map_err(fail)?.len();
        let digest = Digest(hash_prefix(&file, length).map_err(fail)?.finalize().into());
        self.closed.push(Mark {
            file: name.to_owned(),
            length,
            digest,
        });
        self.unflushed.push(Arc::new(file));
        Ok(())
    }

    fn number(&self) -> u32 {
        u32::try_from(self.closed.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1)
    }

    fn append(&mut self, plain: &[&[u8]], length: u64) -> Result<BlobPlace> {
        let size = plain.iter().map(|part| part.len()).sum();
        let limit = self.limit;
        let full = |framed: &Framed| framed.end_with(size) > limit && framed.end_with(0) > EMPTY;
        if let Some(mut framed) = self.open.take_if(|framed| full(framed)) {
            if let Err(error) = framed.mend() {
                self.open = Some(framed);
                return Err(error);
            }
            self.closed.push(framed.mark());
            self.unflushed.extend(framed.take_dirty());
        }
        let pack = self.number();
        let framed = match &mut self.open {
            Some(framed) => framed,
            none => {
                self.new_names = true;
                let name = pack_name(self.keeping, pack);
                none.insert(Framed::open(&self.dir, &name, &self.key, LONGEST)?)
            }
        };
        let offset = framed.append(plain)?;
        Ok(BlobPlace {
            keeping: self.keeping,
            pack,
            offset,
            length,
        })
    }
}

/// The end of a pack with one empty frame.
const EMPTY: u64 = FILE_HEADER.len() as u64 + MIN_FRAME;
