//! A framed file that is being written: append, mend what a failed write left, mark.

use crate::dir::Dir;
use crate::error::{Error, Result};
use crate::frame::{FILE_HEADER, HEADER, MAX_PLAIN, MIN_FRAME, NotGenuine, Sealer, TAG};
use crate::key::SessionKey;
use crate::mark::Mark;
use crate::walk::{Walk, What, read_some};
use rescind_model::Digest;
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Room behind the end is made in steps of so many bytes.
const ROOM_STEP: u64 = 128 << 10;
/// The longest void frame that is made at once.
const MAX_VOID: u64 = MAX_PLAIN as u64;

/// An open framed file with its running digest. One writer at a time, which the journal's lock sees to.
///
/// INVARIANT: `digest` is of the first `end` bytes, which are whole frames. Bytes behind `end` exist only while
/// `torn` is set.
pub(crate) struct Framed {
    file: Arc<File>,
    name: String,
    path: PathBuf,
    sealer: Arc<Sealer>,
    end: u64,
    digest: Sha256,
    torn: bool,
    dirty: bool,
    buffer: Vec<u8>,
    /// Up to where the file system has given the file its blocks, as far as was asked; all of it where it can't be asked.
    room: u64,
}

impl Framed {
    /// Open the framed file `name`, making it if it is not there. After a crash what is torn at its end is made void.
    pub fn open(dir: &Dir, name: &str, key: &SessionKey, longest: u64) -> Result<Self> {
        let file = dir.file_with(name, OFlags::RDWR | OFlags::CREATE)?;
        let mut framed = Self {
            file: Arc::new(file),
            name: name.to_owned(),
            path: dir.path().join(name),
            sealer: Arc::new(Sealer::new(key, name)),
            end: 0,
            digest: Sha256::new(),
            torn: false,
            dirty: true,
            buffer: Vec::new(),
            room: 0,
        };
        if framed.length()? < FILE_HEADER.len() as u64 {
            framed
                .file
                .write_all_at(FILE_HEADER, 0)
                .map_err(|error| framed.fail("write", error))?;
        }
        framed.find_end(longest)?;
        match framed.mend() {
            // It is mended before the next append, which may have the reserve.
            Err(error) if error.is_disk_full() => {}
            result => result?,
        }
        Ok(framed)
    }

    /// Walk to the end of what is readable and hash it.
    fn find_end(&mut self, longest: u64) -> Result<()> {
        let fail = |error| Error::io("read", &self.path, error);
        let start = FILE_HEADER.len() as u64;
        let mut walk =
            Walk::new(self.file.clone(), Some(self.sealer.clone()), start, longest).map_err(fail)?;
        let mut end = start;
        while let Some(piece) = walk.next().map_err(fail)? {
            if matches!(piece.what, What::Tail(_)) {
                self.torn = true;
                break;
            }
            end = piece.end;
        }
        self.digest = hash_prefix(&self.file, end).map_err(fail)?;
        self.end = end;
        Ok(())
    }

    /// Append one frame as [`Framed::append`] does, if `keep` bytes of room stay behind it that nobody else can take.
    pub fn append_keeping(&mut self, parts: &[&[u8]], keep: u64) -> Result<u64> {
        let size: u64 = parts.iter().map(|part| part.len() as u64).sum();
        self.make_room(self.end.saturating_add(size + MIN_FRAME).saturating_add(keep))?;
        self.append(parts)
    }

    /// Have the file system give the file its blocks up to `until`, without making it longer. Where it can't do that,
    /// there is no room kept, and a full disk is met when it comes.
    fn make_room(&mut self, until: u64) -> Result<()> {
        if until <= self.room {
            return Ok(());
        }
        let from = self.room.max(self.end);
        let more = until.checked_next_multiple_of(ROOM_STEP).unwrap_or(until);
        let ask = |until: u64| {
            let length = until.saturating_sub(from).max(1);
            rustix::io::retry_on_intr(|| {
                rustix::fs::fallocate(&self.file, FallocateFlags::KEEP_SIZE, from, length)
            })
        };
        let (mut asked, mut made) = (more, ask(more));
        if matches!(made, Err(Errno::NOSPC | Errno::DQUOT)) {
            (asked, made) = (until, ask(until));
        }
        match made {
            Ok(()) => self.room = asked,
            Err(Errno::NOSPC | Errno::DQUOT) => {
                return Err(self.fail("make room in", io::ErrorKind::StorageFull.into()));
            }
            Err(_) => self.room = u64::MAX,
        }
        Ok(())
    }

    /// Give back the room behind the end.
    pub fn give_back(&mut self) -> Result<()> {
        if self.room == u64::MAX || self.room == 0 {
            return Ok(());
        }
        self.room = 0;
        let length = self.length()?;
        self.file
            .set_len(length)
            .map_err(|error| self.fail("give back the room of", error))
    }

    /// Append one frame with this plaintext, given in parts, by one write. Returns its offset.
    ///
    /// # Errors
    /// On an error the frame is not there, and the file is as it was or has a void frame more.
    pub fn append(&mut self, parts: &[&[u8]]) -> Result<u64> {
        self.mend()?;
        let length: usize = parts.iter().map(|part| part.len()).sum();
        if length > MAX_PLAIN {
            return Err(Error::TooLarge {
                length: length as u64,
                limit: MAX_PLAIN as u64,
            });
        }
        let offset = self.end;
        self.buffer.clear();
        self.buffer.extend_from_slice(&[0; HEADER]);
        for part in parts {
            self.buffer.extend_from_slice(part);
        }
        self.sealer
            .seal(offset, &mut self.buffer)
            .map_err(|NotGenuine| Error::TooLarge {
                length: length as u64,
                limit: MAX_PLAIN as u64,
            })?;
        self.dirty = true;
        if let Err(error) = self.file.write_all_at(&self.buffer, offset) {
            // Part of the frame may be there. Its offset is used up (a nonce serves one plaintext only).
            self.torn = true;
            let _kept_torn_if_it_fails = self.mend();
            return Err(self.fail("write", error));
        }
        self.digest.update(&self.buffer);
        self.end += self.buffer.len() as u64;
        Ok(offset)
    }

    /// Make what is torn behind `end` void.
    pub fn mend(&mut self) -> Result<()> {
        while self.torn {
            let behind = self.length()?.saturating_sub(self.end);
            if behind == 0 {
                self.torn = false;
                break;
            }
            let total = match behind {
                0..=MIN_FRAME => MIN_FRAME,
                _ if behind <= MAX_VOID => behind,
                // The rest, too, must have room for a void frame.
                _ => MAX_VOID.min(behind - MIN_FRAME),
            };
            self.void(total)?;
        }
        Ok(())
    }

    fn void(&mut self, total: u64) -> Result<()> {
        let mut junk = vec![0; usize::try_from(total - MIN_FRAME).unwrap_or(0)];
        let from = self.end + MIN_FRAME;
        let count = read_some(&self.file, &mut junk, from).map_err(|error| self.fail("read", error))?;
        junk.truncate(count);
        let head: [u8; HEADER + TAG] =
            self.sealer
                .void(self.end, total, &junk)
                .map_err(|NotGenuine| Error::TooLarge {
                    length: total,
                    limit: MAX_VOID,
                })?;
        self.dirty = true;
        self.file
            .write_all_at(&head, self.end)
            .map_err(|error| self.fail("write", error))?;
        self.digest.update(head);
        self.digest.update(&junk);
        self.end += total;
        self.torn = self.length()? > self.end;
        Ok(())
    }

    /// How long the file would be with one more frame of this many plaintext bytes.
    pub fn end_with(&self, plain: usize) -> u64 {
        self.end + plain as u64 + MIN_FRAME
    }

    /// What the whole frames are up to now.
    pub fn mark(&self) -> Mark {
        let digest = Digest(self.digest.clone().finalize().into());
        Mark {
            file: self.name.clone(),
            length: self.end,
            digest,
        }
    }

    /// The file, if something was written since the last time this was asked.
    pub fn take_dirty(&mut self) -> Option<Arc<File>> {
        std::mem::take(&mut self.dirty).then(|| self.file.clone())
    }

    fn length(&self) -> Result<u64> {
        self.file
            .metadata()
            .map(|data| data.len())
            .map_err(|error| self.fail("look at", error))
    }

    fn fail(&self, doing: &'static str, error: io::Error) -> Error {
        Error::io(doing, &self.path, error)
    }
}

/// The hash state of the first `length` bytes, or of fewer if the file ends before.
pub(crate) fn hash_prefix(file: &File, length: u64) -> io::Result<Sha256> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    let mut at = 0;
    while at < length {
        let want = usize::try_from(length - at)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let count = read_some(file, buffer.get_mut(..want).unwrap_or_default(), at)?;
        hash.update(buffer.get(..count).unwrap_or_default());
        at += count as u64;
        if count < want {
            break;
        }
    }
    Ok(hash)
}
