//! Bringing a mirror up to date, and exporting.

use super::{DirStore, MirrorError, Store, extend, open};
use crate::checkpoint::{self, Checkpoint};
use crate::ledger::Ledger;
use crate::merkle::{Hash, leaf_hash};
use crate::tiles::{Object, Tiler};
use std::path::Path;

/// A mirror, and up to which size it was brought.
pub type Pushed = (String, Result<u64, MirrorError>);

impl Ledger {
    /// Write the ledger up to a fresh checkpoint into `dir` in tlog-tiles form; the number of entries. An
    /// export that is there already is continued.
    ///
    /// # Errors
    /// If the ledger can't be signed, or `dir` holds something else.
    pub fn export(&self, dir: &Path) -> Result<u64, MirrorError> {
        let Some(checkpoint) = self.checkpoint()? else {
            return Ok(0);
        };
        push(
            self,
            &DirStore::open(dir)?,
            &dir.display().to_string(),
            &checkpoint,
        )?;
        Ok(checkpoint.size)
    }

    /// Bring every mirror up to the current checkpoint: each with what came of it.
    ///
    /// # Errors
    /// If the list of mirrors or the checkpoint can't be read.
    pub fn mirror_push(&self) -> Result<Vec<Pushed>, MirrorError> {
        let places = self.mirror_list()?;
        let Some(checkpoint) = self.last_checkpoint()? else {
            return Ok(Vec::new());
        };
        let one = |place: &str| {
            push(self, open(place)?.as_ref(), place, &checkpoint)?;
            Ok(checkpoint.size)
        };
        Ok(places
            .into_iter()
            .map(|place| (place.clone(), one(&place)))
            .collect())
    }
}

fn push(ledger: &Ledger, store: &dyn Store, mirror: &str, new: &Checkpoint) -> Result<(), MirrorError> {
    let key = ledger.inner.signer.verifier();
    let diverged = |what: String| MirrorError::Diverged {
        mirror: mirror.to_owned(),
        what,
    };
    let damaged = |path: &str, what: String| MirrorError::Damaged {
        mirror: mirror.to_owned(),
        path: path.to_owned(),
        what,
    };
    store.create("key.pub", format!("{key}\n").as_bytes())?;
    let old = match store.get("checkpoint", checkpoint::LIMIT)? {
        None => None,
        Some(bytes) => {
            Some(Checkpoint::open(&bytes, key).map_err(|error| damaged("checkpoint", error.to_string()))?)
        }
    };
    let (edge, leaves) = match &old {
        None => (Tiler::default(), Vec::new()),
        Some(old) if old.size > new.size => {
            let what = format!(
                "it has {} entries signed, and the ledger only {}",
                old.size, new.size
            );
            return Err(diverged(what));
        }
        Some(old) if old.size == new.size => {
            let what = format!("it has signed {} other entries than the ledger", old.size);
            return if old.root == new.root {
                Ok(())
            } else {
                Err(diverged(what))
            };
        }
        Some(old) => extend::edge(store, old)?.map_err(|fault| damaged(&fault.file, fault.what))?,
    };
    // Once without writing: what does not continue the mirror must not leave a trace in it.
    let mut differs = None;
    let root = walk(
        ledger,
        edge.clone(),
        &leaves,
        new.size,
        &mut |_| Ok(()),
        &mut |index| {
            differs.get_or_insert(index);
        },
    )?;
    if let Some(index) = differs {
        return Err(diverged(format!("its entry {index} is not the ledger's")));
    }
    if root != Some(new.root) {
        let size = old.as_ref().map_or(0, |old| old.size);
        return Err(diverged(format!(
            "the {size} entries it has signed are not the ledger's first {size}"
        )));
    }
    walk(
        ledger,
        edge,
        &[],
        new.size,
        &mut |object| store.create(&object.name.path(), &object.bytes),
        &mut |_| {},
    )?;
    // Another process may have been faster, and with more.
    let current = store.get("checkpoint", checkpoint::LIMIT)?;
    let ahead = current
        .and_then(|bytes| Checkpoint::open(&bytes, key).ok())
        .filter(|other| other.size >= new.size);
    if ahead.is_some() {
        return Ok(());
    }
    store.publish(new)?;
    store.prune(old.map_or(0, |old| old.size), new.size)
}

/// Take the ledger's entries from `tiler`'s size to `size`: every tile and bundle that results goes to
/// `make`, the index of an entry that has another hash than `leaves` says to `differs`. The root; `None`:
/// there are fewer entries.
fn walk(
    ledger: &Ledger,
    mut tiler: Tiler,
    leaves: &[Hash],
    size: u64,
    make: &mut dyn FnMut(Object) -> Result<(), MirrorError>,
    differs: &mut dyn FnMut(u64),
) -> Result<Option<Hash>, MirrorError> {
    let mut due = leaves.iter();
    let mut objects = Vec::new();
    if tiler.size() < size {
        for entry in ledger.cursor(tiler.size())? {
            let (index, entry) = entry?;
            if due.next().is_some_and(|leaf| *leaf != leaf_hash(&entry)) {
                differs(index);
            }
            tiler.push(&entry, &mut objects);
            for object in objects.drain(..) {
                make(object)?;
            }
            if tiler.size() == size {
                break;
            }
        }
    }
    if tiler.size() < size {
        return Ok(None);
    }
    for object in tiler.partials() {
        make(object)?;
    }
    Ok(Some(tiler.root()))
}
