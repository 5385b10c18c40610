//! Verifying a session against its marks (docs/formats/vault.md, "Marks"): with or without the key, whatever the bytes.

use crate::dir::{Dir, is_regular};
use crate::error::{Error, Result};
use crate::frame::{FILE_HEADER, MAX_FRAME, Sealer};
use crate::key::SessionKey;
use crate::locator::{Keeping, parse_pack_name};
use crate::mark::Mark;
use crate::packs::LONGEST;
use crate::vault::Vault;
use crate::walk::{Walk, What, read_some};
use crate::writer::JOURNAL;
use rescind_model::{Digest, SessionId};
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;

/// What the ledger says about a session, and is therefore no fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Expect {
    /// It is being written, or was when its writer died: bytes may lie behind the last marks, the end may be torn.
    pub open: bool,
    /// It was erased: the key is gone, and files may be.
    pub erased: bool,
    /// Its recreatable content was pruned: `packr` files may be gone.
    pub pruned: bool,
}

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Whether the key was there, so that frames were opened and not only checked by digest and CRC.
    pub key: bool,
    /// How many files were read.
    pub files: u64,
    /// How many whole frames they have.
    pub frames: u64,
    /// Files that marks name and that are gone, which the ledger lets be: the session was erased or pruned.
    pub gone: u64,
    /// All that is wrong, by file and offset.
    pub faults: Vec<Fault>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The file's name within the session.
    pub file: String,
    /// The first byte concerned.
    pub offset: u64,
    /// The byte behind the last one concerned, where that is known.
    pub until: Option<u64>,
    /// What it is.
    pub kind: FaultKind,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// A file that a mark names is not there.
    Missing,
    /// The file is shorter than a mark says.
    Short,
    /// The bytes are not those of the mark; what comes before `offset` is as marked.
    Changed,
    /// Bytes that are no frame of this session.
    Damaged(&'static str),
    /// Bytes, or a file, that no mark covers, though the session is not open.
    Unmarked,
    /// Something in the session's directory that does not belong there.
    Foreign,
    /// The session's key is not there, and the ledger does not say that it was erased.
    KeyMissing,
    /// The ledger says that the session was erased, and its key is still there.
    KeyPresent,
    /// The system would not let it be read.
    Unreadable(String),
}

impl Vault {
    /// Read all of a session's files and compare them with `marks`, any number for each file. Never cuts or mends.
    ///
    /// # Errors
    /// Only if the vault itself can't be read; what is wrong with the session is in [`Verified::faults`].
    pub fn verify_session(&self, session: &SessionId, marks: &[Mark], expect: Expect) -> Result<Verified> {
        let key = SessionKey::load(&self.inner.keys, session)?;
        let mut verified = Verified {
            key: key.is_some(),
            ..Verified::default()
        };
        match (&key, expect.erased) {
            (Some(_), true) => verified.fault("key", 0, None, FaultKind::KeyPresent),
            (None, false) => verified.fault("key", 0, None, FaultKind::KeyMissing),
            _ => {}
        }
        let mut by_file: BTreeMap<String, Vec<&Mark>> = BTreeMap::new();
        for mark in marks {
            by_file.entry(mark.file.clone()).or_default().push(mark);
        }
        let dir = self.inner.sessions.find(session.as_str())?;
        let mut names: BTreeSet<String> = by_file.keys().cloned().collect();
        if let Some(dir) = &dir {
            dir.names(|name| {
                names.insert(name.to_string_lossy().into_owned());
            })?;
        }
        for name in names {
            let mut marks = by_file.remove(&name).unwrap_or_default();
            marks.sort_by_key(|mark| mark.length);
            let file = FileCheck {
                name: &name,
                marks: &marks,
                expect,
                key: key.as_ref(),
            };
            file.check(dir.as_ref(), &mut verified);
        }
        Ok(verified)
    }
}

/// One file to check.
struct FileCheck<'a> {
    name: &'a str,
    /// By length.
    marks: &'a [&'a Mark],
    expect: Expect,
    key: Option<&'a SessionKey>,
}

impl FileCheck<'_> {
    fn check(&self, dir: Option<&Dir>, verified: &mut Verified) {
        let pack = parse_pack_name(self.name);
        if self.name != JOURNAL && pack.is_none() {
            return verified.fault(self.name, 0, None, FaultKind::Foreign);
        }
        match dir.map_or(Ok(None), |dir| self.open(dir)) {
            Ok(Some(file)) => {
                verified.files += 1;
                if let Err(error) = self.check_bytes(&Arc::new(file), verified) {
                    verified.fault(self.name, 0, None, FaultKind::Unreadable(error.to_string()));
                }
            }
            Ok(None) => {
                let recreatable = pack.is_some_and(|(keeping, _)| keeping == Keeping::Recreatable);
                if self.expect.erased || (self.expect.pruned && recreatable) {
                    verified.gone += 1;
                } else {
                    let until = self.marks.last().map(|mark| mark.length);
                    verified.fault(self.name, 0, until, FaultKind::Missing);
                }
            }
            Err(error) => verified.fault(self.name, 0, None, FaultKind::Unreadable(error.to_string())),
        }
    }

    fn open(&self, dir: &Dir) -> Result<Option<File>> {
        match dir.stat(self.name)? {
            None => Ok(None),
            Some(stat) if is_regular(&stat) => dir.try_file(self.name, OFlags::RDONLY),
            Some(_) => Err(Error::io(
                "read",
                dir.path().join(self.name),
                io::Error::other("it is no regular file"),
            )),
        }
    }

    fn check_bytes(&self, file: &Arc<File>, verified: &mut Verified) -> io::Result<()> {
        let length = file.metadata()?.len();
        self.check_digests(file, length, verified)?;
        let marked = self.marks.last().map_or(0, |mark| mark.length);
        if !self.expect.open && (length > marked || self.marks.is_empty()) {
            verified.fault(self.name, marked, Some(length), FaultKind::Unmarked);
        }
        self.check_frames(file, length, marked, verified)
    }

    /// Compare the digest at each mark; the first that fails says where.
    fn check_digests(&self, file: &File, length: u64, verified: &mut Verified) -> io::Result<()> {
        let mut hash = Sha256::new();
        let mut at = 0;
        let mut good = 0;
        for mark in self.marks {
            if mark.length > length {
                verified.fault(self.name, length, Some(mark.length), FaultKind::Short);
                break;
            }
            at = feed(&mut hash, file, at, mark.length)?;
            if Digest(hash.clone().finalize().into()) != mark.digest {
                verified.fault(self.name, good, Some(mark.length), FaultKind::Changed);
                break;
            }
            good = mark.length;
        }
        Ok(())
    }

    fn check_frames(
        &self,
        file: &Arc<File>,
        length: u64,
        marked: u64,
        verified: &mut Verified,
    ) -> io::Result<()> {
        let mut header = [0; FILE_HEADER.len()];
        let count = read_some(file, &mut header, 0)?;
        let header = header.get(..count).unwrap_or_default();
        let begun = FILE_HEADER.starts_with(header);
        if !begun || (count < FILE_HEADER.len() && !self.expect.open) {
            let what = FaultKind::Damaged("the file header is not that of a vault");
            verified.fault(self.name, 0, Some(count as u64), what);
        }
        let sealer = self.key.map(|key| Arc::new(Sealer::new(key, self.name)));
        let longest = if self.name == JOURNAL { MAX_FRAME } else { LONGEST };
        let mut walk = Walk::new(file.clone(), sealer, 0, longest)?;
        while let Some(piece) = walk.next()? {
            match piece.what {
                What::Frame => verified.frames += 1,
                What::Void => {}
                What::Tail(_) if self.expect.open && piece.offset >= marked => {}
                What::Bad(what) | What::Tail(what) => {
                    let until = piece.end.min(length);
                    verified.fault(self.name, piece.offset, Some(until), FaultKind::Damaged(what));
                }
            }
        }
        Ok(())
    }
}

/// Hash the bytes from `from` to before `to`.
fn feed(hash: &mut Sha256, file: &File, from: u64, to: u64) -> io::Result<u64> {
    let mut buffer = vec![0; usize::try_from(to - from).unwrap_or(usize::MAX).min(256 << 10)];
    let mut at = from;
    while at < to {
        let want = usize::try_from(to - at).unwrap_or(usize::MAX).min(buffer.len());
        let count = read_some(file, buffer.get_mut(..want).unwrap_or_default(), at)?;
        hash.update(buffer.get(..count).unwrap_or_default());
        if count == 0 {
            break;
        }
        at += count as u64;
    }
    Ok(at)
}

impl Verified {
    fn fault(&mut self, file: &str, offset: u64, until: Option<u64>, kind: FaultKind) {
        self.faults.push(Fault {
            file: file.to_owned(),
            offset,
            until,
            kind,
        });
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}, from byte {}", self.file, self.kind, self.offset)?;
        self.until
            .map_or(Ok(()), |until| write!(f, " to before byte {until}"))
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "it is gone, and the ledger does not say why",
            Self::Short => "it was cut off",
            Self::Changed => "it was changed",
            Self::Damaged(what) => what,
            Self::Unmarked => "it has what the ledger does not know",
            Self::Foreign => "it does not belong here",
            Self::KeyMissing => "the key is gone, and the ledger does not say that the session was erased",
            Self::KeyPresent => "the key is there, though the ledger says that the session was erased",
            Self::Unreadable(why) => why,
        })
    }
}
