//! Signing: hashing what was appended, by whomever, and putting a checkpoint in its place.

use crate::checkpoint::{self, Checkpoint};
use crate::disk::Step;
use crate::error::{Error, Result};
use crate::frontier::{self, Frontier};
use crate::header::{checkpoint_name, epoch_of, frontier_name};
use crate::log::{Log, TRIES};
use crate::merkle::{Hash, leaf_hash};
use crate::note::{Signer, Verifier};
use crate::tail::Tail;
use std::sync::{Arc, Mutex, PoisonError};

/// What this process has hashed.
pub(crate) struct Scribe {
    /// Where it agreed with a checkpoint, or the beginning.
    agreed: Arc<Frontier>,
    buffer: Vec<u8>,
}

impl Scribe {
    /// Start from the frontier on disk, or from the beginning if it is missing or of no use.
    pub fn open(log: &Log, key: &Verifier) -> Result<Self> {
        let start = Frontier::new(log.chain().first().start());
        let agreed = match current(log, key)? {
            None => start,
            Some((epoch, checkpoint)) => stored(log, key, epoch, &checkpoint)?.unwrap_or(start),
        };
        Ok(Self {
            agreed: Arc::new(agreed),
            buffer: Vec::new(),
        })
    }

    /// Where hashing stands.
    pub fn frontier(&self) -> Arc<Frontier> {
        Arc::clone(&self.agreed)
    }

    /// Sign a checkpoint over everything that was appended when this was called. `sync` makes it durable
    /// first.
    pub fn sign(
        &mut self,
        log: &Log,
        tail: &Mutex<Tail>,
        signer: &Signer,
        sync: impl Fn() -> Result<()>,
    ) -> Result<Option<Checkpoint>> {
        for _ in 0..TRIES {
            let current = current(log, signer.verifier())?;
            let ahead = self.catch_up(log, signer.verifier(), current.as_ref())?;
            let size = ahead.tree.size();
            if size == 0 {
                return Ok(None);
            }
            if let Some((_, current)) = current.filter(|(_, current)| current.size == size) {
                self.agreed = Arc::new(ahead);
                return Ok(Some(current));
            }
            sync()?;
            let signed = Checkpoint::sign(signer, size, ahead.tree.root());
            let of_checkpoint = log.disk.temporary(Step::CheckpointTemp, signed.text.as_bytes())?;
            let of_frontier = log
                .disk
                .temporary(Step::FrontierTemp, ahead.sign(signer).as_bytes())?;
            let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
            let epoch = ahead.position.epoch;
            let put = tail.with_lock(log, |last| {
                let older = current_size(log, signer.verifier())?.is_none_or(|current| current < size);
                if !older || last != epoch {
                    return Ok(false);
                }
                of_checkpoint.replace(Step::CheckpointName, &checkpoint_name(epoch))?;
                of_frontier.replace(Step::FrontierName, &frontier_name(epoch))?;
                Ok(true)
            })?;
            drop(tail);
            if put {
                log.disk.sync_dir()?;
                self.agreed = Arc::new(ahead);
                return Ok(Some(signed));
            }
        }
        Err(Error::Overtaken {
            dir: log.disk.path().to_owned(),
            tries: TRIES,
        })
    }

    /// Hash up to the end, passing the current checkpoint on the way.
    fn catch_up(
        &mut self,
        log: &Log,
        key: &Verifier,
        current: Option<&(u32, Checkpoint)>,
    ) -> Result<Frontier> {
        let mut ahead = Frontier::clone(&self.agreed);
        let path = |epoch| log.disk.join(&checkpoint_name(epoch));
        if let Some((epoch, current)) = current {
            if current.size < ahead.tree.size() {
                let what = format!(
                    "its checkpoint went back from {} entries to {}",
                    ahead.tree.size(),
                    current.size
                );
                return Err(Error::damaged(&path(*epoch), 0, current.size, what));
            }
            // Others' hashing need not be done again: their frontier is signed, and has the checkpoint's
            // root.
            if current.size > ahead.tree.size()
                && let Some(theirs) = stored(log, key, *epoch, current)?
                && theirs.tree.size() == current.size
            {
                ahead = theirs;
            }
        }
        let wanted = current.map(|(_, current)| current.size);
        let mut passed = (wanted == Some(ahead.tree.size())).then(|| ahead.tree.root());
        let mut position = ahead.position;
        while log.read(&mut position, &mut self.buffer, |place, entry| {
            ahead.pass(place, leaf_hash(entry));
            if wanted == Some(ahead.tree.size()) {
                passed = Some(ahead.tree.root());
            }
        })? {}
        ahead.position = position;
        if let Some((epoch, current)) = current {
            check_passed(&ahead, passed, current)
                .map_err(|what| Error::damaged(&path(*epoch), 0, current.size, what))?;
        }
        Ok(ahead)
    }
}

fn check_passed(
    ahead: &Frontier,
    passed: Option<Hash>,
    current: &Checkpoint,
) -> std::result::Result<(), String> {
    match passed {
        Some(root) if root == current.root => Ok(()),
        Some(_) => Err(format!(
            "its first {} entries are not those that its checkpoint signed",
            current.size
        )),
        None => Err(format!(
            "it has {} entries and its checkpoint covers {}",
            ahead.tree.size(),
            current.size
        )),
    }
}

/// The current checkpoint and its epoch.
pub(crate) fn current(log: &Log, key: &Verifier) -> Result<Option<(u32, Checkpoint)>> {
    let names = log.disk.names()?;
    let Some(epoch) = names.iter().filter_map(|name| epoch_of(name, "checkpoint")).max() else {
        return Ok(None);
    };
    let name = checkpoint_name(epoch);
    let Some(bytes) = log.disk.read(&name, checkpoint::LIMIT)? else {
        return Ok(None);
    };
    let checkpoint = Checkpoint::open(&bytes, key).map_err(|error| {
        Error::damaged(
            &log.disk.join(&name),
            0,
            0,
            format!("its checkpoint is not accepted: {error}"),
        )
    })?;
    Ok(Some((epoch, checkpoint)))
}

fn current_size(log: &Log, key: &Verifier) -> Result<Option<u64>> {
    Ok(current(log, key)?.map(|(_, checkpoint)| checkpoint.size))
}

/// The newest frontier that is signed, not beyond the checkpoint, of the checkpoint's root where it has its
/// size, and in the chain.
fn stored(log: &Log, key: &Verifier, epoch: u32, checkpoint: &Checkpoint) -> Result<Option<Frontier>> {
    let chain = log.chain();
    for segment in chain
        .segments()
        .rev()
        .filter(|segment| segment.header.epoch <= epoch)
    {
        let Some(bytes) = log
            .disk
            .read(&frontier_name(segment.header.epoch), frontier::LIMIT)?
        else {
            continue;
        };
        let Ok(frontier) = Frontier::open(&bytes, key) else {
            continue;
        };
        let size = frontier.tree.size();
        let fits =
            size < checkpoint.size || (size == checkpoint.size && frontier.tree.root() == checkpoint.root);
        if fits && frontier.position.offset <= chain.end_of(frontier.position.epoch) {
            return Ok(Some(frontier));
        }
    }
    Ok(None)
}
