//! Checkpoints: C2SP tlog-checkpoint, signed once by the ledger's key.

use crate::merkle::Hash;
use crate::note::{NoteError, Signer, Verifier, decimal, decode_hash, encode};

/// A checkpoint whose signature was verified: the ledger had this size and root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The ledger's name.
    pub origin: String,
    /// How many entries it covers.
    pub size: u64,
    /// The RFC 6962 root of these entries.
    pub root: Hash,
    /// The signed note, byte for byte.
    pub text: String,
}

/// More than any checkpoint has, in bytes, 16 large signatures included.
pub(crate) const LIMIT: u64 = 131_072;

impl Checkpoint {
    pub(crate) fn sign(signer: &Signer, size: u64, root: Hash) -> Self {
        let origin = signer.verifier().name().to_owned();
        let text = signer.sign(&format!("{origin}\n{size}\n{}\n", encode(&root)));
        Self {
            origin,
            size,
            root,
            text,
        }
    }

    /// Read a checkpoint and check that this key signed it.
    pub fn open(text: &[u8], key: &Verifier) -> Result<Self, NoteError> {
        let note = key.open(text)?;
        let form = |what| NoteError::Form { what };
        let mut lines = note.text.lines();
        let origin = lines.next().unwrap_or_default();
        if origin != key.name() {
            return Err(form("its first line is not the origin"));
        }
        let size = lines
            .next()
            .and_then(decimal)
            .ok_or(form("its second line is no size"))?;
        let root = lines
            .next()
            .and_then(decode_hash)
            .ok_or(form("its third line is no root"))?;
        if lines.any(str::is_empty) {
            return Err(form("it has an empty line in its text"));
        }
        // `open` has checked that the text is UTF-8, so nothing is lost here.
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            text: String::from_utf8_lossy(text).into_owned(),
        })
    }
}
