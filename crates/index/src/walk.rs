//! Walking a session's journal as the ledger's entries refer to it: frame after frame, each once.
//!
//! An entry names the frame that it stands for by its digest. Frames stand in the journal before their entry is made, in
//! the same order but for those of two threads at once, which may change places: what was passed on the way is kept for a
//! while.

use rescind_model::{Digest, SessionId, chain};
use rescind_supervisor::journal::SessionOpened;
use rescind_supervisor::{Store, StoreError};
use rescind_vault::{Frames, SessionReader};
use std::collections::{HashMap, VecDeque};

/// How many frames that were passed are kept for entries that come later. Two entries change places only where two
/// threads write at once; a frame without an entry is left behind by a supervisor that was killed in between.
const PASSED: usize = 64;

/// A journal, read up to some frame.
pub(crate) struct Walk {
    reader: SessionReader,
    frames: Option<Frames>,
    at: u64,
    passed: HashMap<Digest, Vec<u8>>,
    order: VecDeque<Digest>,
    /// Why something of it could not be read.
    pub damage: Option<String>,
    /// Whether the system refused to read it, which it may not do the next time.
    pub refused: bool,
}

/// Why a journal can't be walked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Its content was erased.
    Erased,
    /// It can't be read: why.
    Unreadable(String),
    /// The system refused, which it may not do the next time: why.
    Refused(String),
}

impl Lost {
    pub fn text(&self) -> String {
        match self {
            Self::Erased => "the session was erased".to_owned(),
            Self::Unreadable(why) | Self::Refused(why) => format!("its journal can't be read: {why}"),
        }
    }
}

impl Walk {
    /// Begin at the beginning.
    pub fn open(store: &Store, session: &SessionId) -> Result<Self, Lost> {
        let reader = store.reader(session).map_err(|error| match error {
            StoreError::Vault(
                rescind_vault::Error::Erased { .. } | rescind_vault::Error::NoSession { .. },
            ) => Lost::Erased,
            StoreError::Vault(rescind_vault::Error::Io { .. }) => Lost::Refused(chain(&error)),
            error => Lost::Unreadable(chain(&error)),
        })?;
        Ok(Self {
            reader,
            frames: None,
            at: 0,
            passed: HashMap::new(),
            order: VecDeque::new(),
            damage: None,
            refused: false,
        })
    }

    /// How the session began, whatever was read so far.
    pub fn opened(&self) -> Option<SessionOpened> {
        use rescind_supervisor::journal::Record;
        let (_, bytes) = self.reader.frames(0).ok()?.next()?.ok()?;
        match serde_json::from_slice::<Record>(&bytes).ok()? {
            Record::Session(opened) => Some(opened),
            _ => None,
        }
    }

    /// The offset behind what was read.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// Read on up to the frame with this digest. `each` gets every frame that is read on the way, that one included. The
    /// frame's bytes; `None`: it is not there.
    pub fn to(&mut self, digest: &Digest, mut each: impl FnMut(&[u8])) -> Option<Vec<u8>> {
        if let Some(bytes) = self.passed.remove(digest) {
            self.order.retain(|passed| passed != digest);
            return Some(bytes);
        }
        let mut fresh = false;
        loop {
            if self.frames.is_none() {
                match self.reader.frames(self.at) {
                    Ok(frames) => self.frames = Some(frames),
                    Err(error) => {
                        self.refused = true;
                        self.damage = Some(chain(&error));
                        return None;
                    }
                }
                fresh = true;
            }
            let frame = self.frames.as_mut().and_then(Iterator::next);
            if let Some(frames) = &self.frames {
                self.at = frames.end();
            }
            match frame {
                Some(Ok((_, bytes))) => {
                    each(&bytes);
                    let found = Digest::of(&bytes);
                    if found == *digest {
                        return Some(bytes);
                    }
                    self.pass(found, bytes);
                }
                Some(Err(error)) => {
                    self.damage = Some(chain(&error));
                    if !matches!(error, rescind_vault::Error::Damaged { .. }) {
                        self.refused = true;
                        self.frames = None;
                        return None;
                    }
                }
                None => {
                    // The walk saw the journal as it was when it began: what was written since is there now.
                    self.frames = None;
                    if fresh {
                        return None;
                    }
                }
            }
        }
    }

    /// Read again what was read before, up to an offset.
    pub fn advance_to(&mut self, offset: u64, mut each: impl FnMut(&[u8])) {
        while self.at < offset {
            if self.frames.is_none() {
                self.frames = self.reader.frames(self.at).ok();
            }
            let Some(frames) = &mut self.frames else {
                self.refused = true;
                self.damage = Some("its frames can't be read".to_owned());
                return;
            };
            let frame = frames.next();
            self.at = frames.end();
            match frame {
                Some(Ok((_, bytes))) => {
                    each(&bytes);
                    let digest = Digest::of(&bytes);
                    self.pass(digest, bytes);
                }
                Some(Err(error)) => self.damage = Some(chain(&error)),
                None => {
                    self.frames = None;
                    return;
                }
            }
        }
    }

    /// Keep a frame that no entry has asked for yet. Lists of records have no entries.
    fn pass(&mut self, digest: Digest, bytes: Vec<u8>) {
        const OF_NO_ENTRY: [&[u8]; 6] = [
            b"[",
            br#"{"t":"before""#,
            br#"{"t":"after""#,
            br#"{"t":"object""#,
            br#"{"t":"missing""#,
            br#"{"t":"note""#,
        ];
        if OF_NO_ENTRY.iter().any(|start| bytes.starts_with(start)) {
            return;
        }
        self.passed.insert(digest, bytes);
        self.order.push_back(digest);
        if self.order.len() > PASSED
            && let Some(oldest) = self.order.pop_front()
        {
            self.passed.remove(&oldest);
        }
    }

    /// Close what is open; it is opened again when it is needed.
    pub fn rest(&mut self) {
        self.frames = None;
    }
}
