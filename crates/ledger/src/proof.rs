//! Offline proofs of single entries (C2SP tlog-proof).

use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::ledger::Ledger;
use crate::merkle::{Collector, Hash, consistency_ranges, inclusion_ranges, leaf_hash, verify_inclusion};
use crate::note::{NoteError, Verifier, decimal, decode, decode_hash, encode};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// What a proof shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The entry, byte for byte.
    pub entry: Vec<u8>,
    /// Its place in the ledger.
    pub index: u64,
    /// How many entries the ledger had when that was signed.
    pub size: u64,
    /// The ledger's name.
    pub origin: String,
}

/// Why a proof shows nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// It is not of the form of a proof.
    #[error("this is no proof: {what}")]
    Form {
        /// What is wrong.
        what: &'static str,
    },
    /// The key is no key, or the checkpoint is not signed by it.
    #[error("the proof shows nothing")]
    Note(#[from] NoteError),
    /// The hashes don't lead from the entry to the signed root.
    #[error("the proof shows nothing: the entry is not entry {index} of the {size} that `{origin}` signed")]
    Inclusion {
        /// The index it claims.
        index: u64,
        /// The size of the signed tree.
        size: u64,
        /// Whose tree.
        origin: String,
    },
}

impl Ledger {
    /// A proof that entry `index` is in the ledger, which [`check`] accepts with nothing but the public key.
    /// Holds the entry itself. Signs a checkpoint first if the current one does not cover the entry. Reads
    /// the whole ledger.
    ///
    /// # Errors
    /// [`Error::NoEntry`], and as for [`Ledger::checkpoint`].
    pub fn prove(&self, index: u64) -> Result<String> {
        let covering = self
            .last_checkpoint()?
            .filter(|checkpoint| checkpoint.size > index);
        let checkpoint = match covering {
            Some(checkpoint) => Some(checkpoint),
            None => self.checkpoint()?,
        };
        let length = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size);
        let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.size > index) else {
            return Err(Error::NoEntry { index, length });
        };
        let (entry, path) = self.inclusion(index, &checkpoint)?;
        let mut text = format!("{FIRST_LINE}\nextra {}\nindex {index}\n", encode(&entry));
        for hash in path {
            text.push_str(&encode(&hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&checkpoint.text);
        Ok(text)
    }

    /// Hashes that prove, by [`crate::merkle::verify_consistency`], that the first `old` entries are the
    /// beginning of those that the current checkpoint, returned with them, covers. Reads the whole ledger.
    ///
    /// # Errors
    /// [`Error::NoEntry`] if the checkpoint covers fewer.
    pub fn prove_consistency(&self, old: u64) -> Result<(Vec<Hash>, Checkpoint)> {
        let none = |length| Error::NoEntry {
            index: old.saturating_sub(1),
            length,
        };
        let checkpoint = self.last_checkpoint()?.ok_or_else(|| none(0))?;
        if old > checkpoint.size {
            return Err(none(checkpoint.size));
        }
        let mut collector = Collector::new(&consistency_ranges(old, checkpoint.size));
        let log = &self.inner.log;
        let mut position = log.chain().first().start();
        let mut buffer = Vec::new();
        while position.index < checkpoint.size
            && log.read(&mut position, &mut buffer, |place, bytes| {
                collector.add(place.index, leaf_hash(bytes))
            })?
        {}
        Ok((
            collector.finish().ok_or_else(|| none(position.index))?,
            checkpoint,
        ))
    }

    fn inclusion(&self, index: u64, checkpoint: &Checkpoint) -> Result<(Vec<u8>, Vec<Hash>)> {
        let mut collector = Collector::new(&inclusion_ranges(index, checkpoint.size));
        let log = &self.inner.log;
        let (mut entry, mut buffer) = (None, Vec::new());
        let mut position = log.chain().first().start();
        while position.index < checkpoint.size
            && log.read(&mut position, &mut buffer, |place, bytes| {
                collector.add(place.index, leaf_hash(bytes));
                if place.index == index {
                    entry = Some(bytes.to_vec());
                }
            })?
        {}
        let missing = || Error::NoEntry {
            index,
            length: position.index,
        };
        let entry = entry.ok_or_else(missing)?;
        let path = collector.finish().ok_or_else(missing)?;
        if !verify_inclusion(leaf_hash(&entry), index, checkpoint.size, &path, &checkpoint.root) {
            let what = format!(
                "its entries are not the {} that its checkpoint signed",
                checkpoint.size
            );
            return Err(Error::damaged(self.dir(), 0, index, what));
        }
        Ok((entry, path))
    }
}

/// Check a proof against the public key (a vkey) of the ledger that is to have made it.
///
/// # Errors
/// If it shows nothing, and why.
pub fn check(proof: &str, vkey: &str) -> std::result::Result<Checked, ProofError> {
    let key: Verifier = vkey.trim().parse()?;
    let form = |what| ProofError::Form { what };
    let (head, note) = proof.split_once("\n\n").ok_or(form("it holds no checkpoint"))?;
    let mut lines = head.split('\n');
    if lines.next() != Some(FIRST_LINE) {
        return Err(form("its first line is another one"));
    }
    let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
    let entry = extra.and_then(decode).ok_or(form("it does not hold the entry"))?;
    let index = lines
        .next()
        .and_then(|line| line.strip_prefix("index "))
        .and_then(decimal);
    let index = index.ok_or(form("it has no index"))?;
    let path: Option<Vec<Hash>> = lines.map(decode_hash).collect();
    let path = path.ok_or(form("one of its lines is no hash"))?;
    let Checkpoint {
        origin, size, root, ..
    } = Checkpoint::open(note.as_bytes(), &key)?;
    if !verify_inclusion(leaf_hash(&entry), index, size, &path, &root) {
        return Err(ProofError::Inclusion { index, size, origin });
    }
    Ok(Checked {
        entry,
        index,
        size,
        origin,
    })
}
