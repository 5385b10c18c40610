//! Reading a session: its journal, its blobs, its pins. Somebody may be writing it meanwhile.

use crate::blob::{BlobReader, Pack, Pieces};
use crate::content::CHUNK;
use crate::dir::{Dir, is_regular};
use crate::error::{Error, Result};
use crate::frame::{MAX_FRAME, Sealer};
use crate::key::SessionKey;
use crate::locator::{Keeping, PinIdentity, PinPlace, Place};
use crate::pin::{PinSlot, PinStat};
use crate::vault::Inner;
use crate::walk::{Walk, What};
use crate::writer::JOURNAL;
use rescind_model::{Locator, SessionId};
use rustix::io::Errno;
use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex};

/// A session to be read. Clones share their open files.
#[derive(Clone)]
pub struct SessionReader {
    shared: Arc<Shared>,
}

impl std::fmt::Debug for SessionReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SessionReader")
            .field("session", self.session())
            .finish_non_exhaustive()
    }
}

pub(crate) struct Shared {
    pub vault: Arc<Inner>,
    pub session: SessionId,
    pub dir: Dir,
    pub key: SessionKey,
    pub packs: Mutex<HashMap<(Keeping, u32), Arc<Pack>>>,
}

/// The frames of a journal, in order.
pub struct Frames {
    walk: Walk,
    shared: Arc<Shared>,
    end: u64,
    torn: bool,
}

impl SessionReader {
    pub(crate) fn open(vault: &Arc<Inner>, session: &SessionId, key: SessionKey) -> Result<Self> {
        let dir = vault
            .sessions
            .find(session.as_str())?
            .ok_or_else(|| Error::NoSession {
                session: session.clone(),
            })?;
        let shared = Shared {
            vault: vault.clone(),
            session: session.clone(),
            dir,
            key,
            packs: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.shared.session
    }

    /// The frames of the journal that begin at `from` (0 for all) or later, up to what is whole when this is called.
    /// To follow a journal that is being written, ask again from [`Frames::end`].
    ///
    /// # Errors
    /// If the journal can't be read.
    pub fn frames(&self, from: u64) -> Result<Frames> {
        let sealer = Arc::new(Sealer::new(&self.shared.key, JOURNAL));
        let file = Arc::new(self.shared.dir.file(JOURNAL, false)?);
        let walk = Walk::new(file, Some(sealer), from, MAX_FRAME)
            .map_err(|error| Error::io("read", self.shared.dir.path().join(JOURNAL), error))?;
        Ok(Frames {
            walk,
            shared: self.shared.clone(),
            end: from,
            torn: false,
        })
    }

    /// How many bytes the content has.
    ///
    /// # Errors
    /// [`Error::BadLocator`].
    pub fn length(&self, locator: &Locator) -> Result<u64> {
        Ok(match Place::parse(locator)? {
            Place::Blob(place) => place.length,
            Place::Pin(place) => place.identity.size,
        })
    }

    /// The content as a stream, holes as zeros. Errors of the vault come as `io::Error` with [`Error`] inside.
    ///
    /// # Errors
    /// [`Error::BadLocator`], [`Error::Gone`], [`Error::Damaged`] or what the system refused.
    pub fn get(&self, locator: &Locator) -> Result<Box<dyn Read + Send>> {
        match Place::parse(locator)? {
            Place::Blob(place) => Ok(Box::new(BlobReader::new(self.shared.clone(), place))),
            Place::Pin(_) => Ok(Box::new(self.open_pin(locator)?)),
        }
    }

    /// The whole content, if it has at most `limit` bytes.
    ///
    /// # Errors
    /// [`Error::TooLarge`], and as [`SessionReader::get`].
    pub fn read_all(&self, locator: &Locator, limit: u64) -> Result<Vec<u8>> {
        let length = self.length(locator)?;
        if length > limit {
            return Err(Error::TooLarge { length, limit });
        }
        match Place::parse(locator)? {
            Place::Blob(place) => {
                let mut bytes = Vec::new();
                let mut pieces = Pieces::new(self.shared.clone(), place);
                while let Some((at, data)) = pieces.next()? {
                    bytes.resize(usize::try_from(at).unwrap_or(usize::MAX), 0);
                    bytes.extend_from_slice(&data);
                }
                bytes.resize(usize::try_from(length).unwrap_or(usize::MAX), 0);
                Ok(bytes)
            }
            Place::Pin(_) => {
                let mut bytes = Vec::new();
                let file = self.open_pin(locator)?;
                file.take(limit.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|error| Error::io("read the pin", &locator.0, error))?;
                let length = bytes.len() as u64;
                if length > limit {
                    Err(Error::TooLarge { length, limit })
                } else {
                    Ok(bytes)
                }
            }
        }
    }

    /// Write the content to `to`, which becomes exactly it, holes included. Returns its length.
    ///
    /// # Errors
    /// As [`SessionReader::get`], and what writing refuses. `to` then has an unknown part of it.
    pub fn copy_to(&self, locator: &Locator, to: &File) -> Result<u64> {
        let fail = |error: io::Error| Error::io("write the copy of", &locator.0, error);
        to.set_len(0).map_err(fail)?;
        match Place::parse(locator)? {
            Place::Blob(place) => {
                to.set_len(place.length).map_err(fail)?;
                let mut pieces = Pieces::new(self.shared.clone(), place);
                while let Some((at, data)) = pieces.next()? {
                    to.write_all_at(&data, at).map_err(fail)?;
                }
                Ok(place.length)
            }
            Place::Pin(_) => copy_file(&self.open_pin(locator)?, to).map_err(fail),
        }
    }

    /// What a pin was, and what it is now.
    ///
    /// # Errors
    /// [`Error::BadLocator`], or if its pin root can't be read.
    pub fn pin_stat(&self, locator: &Locator) -> Result<PinStat> {
        let place = pin_place(locator)?;
        let made = place.identity;
        let stat = match self.slot(&place)? {
            Some(slot) => slot.dir.stat(&slot.name)?,
            None => None,
        };
        #[allow(clippy::useless_conversion, reason = "it is narrower on other machines")]
        let links = stat.as_ref().map_or(0, |stat| u64::from(stat.st_nlink));
        Ok(PinStat {
            made,
            now: stat.as_ref().map(PinIdentity::of),
            links,
        })
    }

    /// Where a pin is, to link or rename it back.
    ///
    /// # Errors
    /// [`Error::BadLocator`], [`Error::Gone`], or if its pin root can't be read.
    pub fn pin_slot(&self, locator: &Locator) -> Result<PinSlot> {
        let place = pin_place(locator)?;
        self.slot(&place)?.ok_or_else(|| self.gone(locator))
    }

    /// The pinned file, if it is a regular one, for reading. Whether it is still what it was is for
    /// [`SessionReader::pin_stat`] to say.
    ///
    /// # Errors
    /// [`Error::BadLocator`], [`Error::Gone`], or what the system refused.
    pub fn open_pin(&self, locator: &Locator) -> Result<File> {
        let slot = self.pin_slot(locator)?;
        let stat = slot.dir.stat(&slot.name)?.ok_or_else(|| self.gone(locator))?;
        if !is_regular(&stat) {
            return Err(Error::io("read the pin", slot.path(), Errno::INVAL));
        }
        slot.dir.file(&slot.name, false)
    }

    fn slot(&self, place: &PinPlace) -> Result<Option<PinSlot>> {
        let PinPlace {
            keeping,
            root,
            number,
            ..
        } = *place;
        let Some(found) = self.shared.vault.root(root)? else {
            return Ok(None);
        };
        let dir = found.find_session(keeping, &self.shared.session)?;
        Ok(dir.map(|dir| PinSlot {
            dir: Arc::new(dir),
            root,
            keeping,
            number,
            name: number.to_string(),
        }))
    }

    fn gone(&self, locator: &Locator) -> Error {
        Error::Gone {
            session: self.shared.session.clone(),
            file: locator.0.clone(),
        }
    }
}

impl Frames {
    /// The offset behind the last frame or damage that was returned: where to go on later.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Whether the walk has ended before the end of the file: a frame is being written there, or was left torn, or
    /// what was there is damaged.
    #[must_use]
    pub fn torn(&self) -> bool {
        self.torn
    }
}

impl Iterator for Frames {
    /// The frame's offset and plaintext; [`Error::Damaged`] for bytes that are no frame while frames follow.
    type Item = Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let piece = match self.walk.next() {
                Ok(piece) => piece?,
                Err(error) => {
                    return Some(Err(Error::io(
                        "read",
                        self.shared.dir.path().join(JOURNAL),
                        error,
                    )));
                }
            };
            match piece.what {
                What::Frame => {
                    self.end = piece.end;
                    return Some(Ok((piece.offset, std::mem::take(self.walk.plain()))));
                }
                What::Void => self.end = piece.end,
                What::Bad(why) => {
                    self.end = piece.end;
                    return Some(Err(self.shared.damaged(JOURNAL, piece.offset, why)));
                }
                What::Tail(_) => {
                    self.torn = true;
                    return None;
                }
            }
        }
    }
}

fn pin_place(locator: &Locator) -> Result<PinPlace> {
    match Place::parse(locator)? {
        Place::Pin(place) => Ok(place),
        Place::Blob(_) => Err(Error::BadLocator {
            text: locator.0.clone(),
        }),
    }
}

/// Copy a file into an empty one: as a reflink where the file system has them, else what is not a hole.
fn copy_file(from: &File, to: &File) -> io::Result<u64> {
    let length = from.metadata()?.len();
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(length);
    }
    to.set_len(length)?;
    let mut buffer = vec![0; CHUNK];
    let mut at = 0;
    while at < length {
        let data = crate::put::data_from(from, at, length)?;
        at = data.start;
        while at < data.end {
            let want = usize::try_from(data.end - at).unwrap_or(CHUNK).min(CHUNK);
            let count = from.read_at(buffer.get_mut(..want).unwrap_or_default(), at)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            to.write_all_at(buffer.get(..count).unwrap_or_default(), at)?;
            at += count as u64;
        }
    }
    Ok(length)
}
