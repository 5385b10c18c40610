//! Checking a mirror with nothing but itself and the public key.

use super::{DirStore, MirrorError, Store};
use crate::checkpoint::{self, Checkpoint};
use crate::merkle::{Hash, leaf_hash};
use crate::note::Verifier;
use crate::tiles::{self, Kind, Name, Object, Tiler, WIDTH};
use crate::verify::Fault;
use std::collections::HashSet;
use std::path::Path;

/// What a mirror holds.
#[derive(Debug, Clone)]
pub struct MirrorReport {
    /// Its checkpoint, if it has one that is signed.
    pub checkpoint: Option<Checkpoint>,
    /// What contradicts the checkpoint, or is missing.
    pub faults: Vec<Fault>,
    /// What belongs to no checkpoint and is harmless.
    pub notes: Vec<Fault>,
}

/// Check everything in the mirror (or export) at `place`, a directory or a URL: the checkpoint's signature by `vkey`, every
/// entry, every tile. Of a directory also that nothing else is in it.
///
/// # Errors
/// If `vkey` is no key or the mirror can't be read.
pub fn verify_mirror(place: &str, vkey: &str) -> Result<MirrorReport, MirrorError> {
    read_mirror(place, vkey, &mut |_, _| {})
}

/// The same, and each entry goes to `see` with its index, in order, as it is read: it is proved only once the report has no
/// faults.
///
/// # Errors
/// As [`verify_mirror`].
pub fn read_mirror(
    place: &str,
    vkey: &str,
    see: &mut dyn FnMut(u64, &[u8]),
) -> Result<MirrorReport, MirrorError> {
    let key: Verifier = vkey.trim().parse()?;
    if place.contains("://") {
        return Ok(verify_store(&crate::http::HttpStore::open(place)?, &key, see)?.0);
    }
    let store = DirStore::unlocked(Path::new(place));
    let (mut report, seen) = verify_store(&store, &key, see)?;
    let Some(size) = report.checkpoint.as_ref().map(|checkpoint| checkpoint.size) else {
        return Ok(report);
    };
    for path in store.paths(1 << 24)? {
        if !seen.contains(&path) && path != "checkpoint" && path != "key.pub" {
            other(&store, &path, size, &mut report)?;
        }
    }
    Ok(report)
}

/// Check what the checkpoint covers; also the paths that were read.
fn verify_store(
    store: &dyn Store,
    key: &Verifier,
    see: &mut dyn FnMut(u64, &[u8]),
) -> Result<(MirrorReport, HashSet<String>), MirrorError> {
    let mut report = MirrorReport {
        checkpoint: None,
        faults: Vec::new(),
        notes: Vec::new(),
    };
    let opened = match store.get("checkpoint", checkpoint::LIMIT)? {
        None => Err("there is none".to_owned()),
        Some(bytes) => Checkpoint::open(&bytes, key).map_err(|error| error.to_string()),
    };
    let checkpoint = match opened {
        Ok(checkpoint) => checkpoint,
        Err(what) => {
            report.faults.push(Fault::at("checkpoint", None, None, what));
            return Ok((report, HashSet::new()));
        }
    };
    let mut check = Check::new(store);
    check.extension(Tiler::default(), &[], &checkpoint, see)?;
    report.faults = std::mem::take(&mut check.faults);
    let public = store.get("key.pub", crate::key::LIMIT)?;
    if public.is_some_and(|bytes| bytes != format!("{key}\n").as_bytes()) {
        report.faults.push(Fault::at(
            "key.pub",
            None,
            None,
            "it is another key than the one given",
        ));
    }
    report.checkpoint = Some(checkpoint);
    Ok((report, std::mem::take(&mut check.seen)))
}

/// A file that the checkpoint does not need: an older partial tile must be the beginning of what replaced it.
fn other(store: &DirStore, path: &str, size: u64, report: &mut MirrorReport) -> Result<(), MirrorError> {
    let Some(name) = Name::parse(path) else {
        report
            .notes
            .push(Fault::at(path, None, None, "this file is no part of a mirror"));
        return Ok(());
    };
    if name.end() > size {
        report.notes.push(Fault::at(
            path,
            None,
            None,
            "it lies beyond the checkpoint: a copy was cut short",
        ));
        return Ok(());
    }
    let newer = tiles::partial_tiles(size)
        .into_iter()
        .chain(tiles::partial_bundle(size));
    let newer = newer
        .into_iter()
        .find(|other| other.kind == name.kind && other.number == name.number);
    let whole = store
        .get(&newer.unwrap_or(name.full()).path(), name.limit())?
        .unwrap_or_default();
    let own = store.get(path, name.limit())?.unwrap_or_default();
    let fits = match name.kind {
        Kind::Tile(_) => tiles::hashes(name, &own).is_some(),
        Kind::Bundle => tiles::entries(name, &own).is_some(),
    };
    if !fits || !whole.starts_with(&own) {
        report.faults.push(Fault::at(
            path,
            None,
            None,
            "it is not the beginning of the tile that replaced it",
        ));
    }
    Ok(())
}

/// Check that the objects in `store` continue the tree of checkpoint `old` to that of `new`; what is wrong.
pub(crate) fn extends(
    store: &dyn Store,
    old: Option<&Checkpoint>,
    new: &Checkpoint,
) -> Result<Vec<Fault>, MirrorError> {
    let Some(old) = old else {
        let mut check = Check::new(store);
        check.extension(Tiler::default(), &[], new, &mut |_, _| {})?;
        return Ok(check.faults);
    };
    if new.size < old.size || (new.size == old.size && new.root != old.root) {
        let what = format!(
            "it covers {} entries and does not continue the one over {}",
            new.size, old.size
        );
        return Ok(vec![Fault::at("checkpoint", None, None, what)]);
    }
    match edge(store, old)? {
        Ok((tiler, leaves)) => {
            let mut check = Check::new(store);
            check.extension(tiler, &leaves, new, &mut |_, _| {})?;
            Ok(check.faults)
        }
        Err(fault) => Ok(vec![fault]),
    }
}

/// The right-hand edge of the tree of `checkpoint` from the mirror's tiles, without the last partial tile's
/// entries, and the hashes of these. It has the checkpoint's root.
pub(crate) fn edge(
    store: &dyn Store,
    checkpoint: &Checkpoint,
) -> Result<Result<(Tiler, Vec<Hash>), Fault>, MirrorError> {
    let mut tiles = Vec::new();
    for name in tiles::partial_tiles(checkpoint.size) {
        let bytes = match store.get(&name.path(), name.limit())? {
            Some(bytes) => Some(bytes),
            // It may have become full in a copy that was cut short.
            None => store.get(&name.full().path(), name.limit())?.map(|mut bytes| {
                bytes.truncate(usize::try_from(32 * name.width).unwrap_or(0));
                bytes
            }),
        };
        let Some(hashes) = bytes.and_then(|bytes| tiles::hashes(name, &bytes)) else {
            return Ok(Err(Fault::at(
                &name.path(),
                None,
                None,
                "this tile is missing or too short",
            )));
        };
        tiles.push((name, hashes));
    }
    let whole = Tiler::at(checkpoint.size, tiles.clone());
    if whole.root() != checkpoint.root {
        return Ok(Err(Fault::at(
            "checkpoint",
            None,
            None,
            "the mirror's own tiles do not have its root",
        )));
    }
    let leaf_tile = |(name, _): &(Name, Vec<Hash>)| name.kind == Kind::Tile(0);
    let leaves = tiles
        .iter()
        .find(|tile| leaf_tile(tile))
        .map(|(_, hashes)| hashes.clone())
        .unwrap_or_default();
    tiles.retain(|tile| !leaf_tile(tile));
    Ok(Ok((
        Tiler::at(checkpoint.size - checkpoint.size % WIDTH, tiles),
        leaves,
    )))
}

struct Check<'a> {
    store: &'a dyn Store,
    seen: HashSet<String>,
    faults: Vec<Fault>,
}

impl<'a> Check<'a> {
    fn new(store: &'a dyn Store) -> Self {
        Self {
            store,
            seen: HashSet::new(),
            faults: Vec::new(),
        }
    }

    /// Read bundle after bundle from `tiler` on, and compare every tile and the root. `leaves` are the hashes
    /// the first entries must have. `see` gets every entry.
    fn extension(
        &mut self,
        mut tiler: Tiler,
        leaves: &[Hash],
        new: &Checkpoint,
        see: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), MirrorError> {
        let mut due = leaves.iter();
        let mut objects = Vec::new();
        while tiler.size() < new.size {
            let number = tiler.size() / WIDTH;
            let name = Name {
                kind: Kind::Bundle,
                number,
                width: (new.size - tiler.size()).min(WIDTH),
            };
            let Some(bytes) = self.get(name)? else {
                return Ok(());
            };
            let Some(entries) = tiles::entries(name, &bytes) else {
                self.fault(
                    &name.path(),
                    tiler.size(),
                    "it does not hold as many entries as its name says",
                );
                return Ok(());
            };
            for entry in entries {
                if due.next().is_some_and(|leaf| *leaf != leaf_hash(entry)) {
                    self.fault(
                        &name.path(),
                        tiler.size(),
                        "an entry is not the one that was signed before",
                    );
                }
                see(tiler.size(), entry);
                tiler.push(entry, &mut objects);
            }
            for object in objects.drain(..) {
                self.compare(&object)?;
            }
        }
        for object in tiler.partials() {
            self.compare(&object)?;
        }
        if tiler.root() != new.root {
            self.fault(
                "checkpoint",
                0,
                &format!("the {} entries do not have the root that it signs", new.size),
            );
        }
        Ok(())
    }

    fn get(&mut self, name: Name) -> Result<Option<Vec<u8>>, MirrorError> {
        let path = name.path();
        let found = self.store.get(&path, name.limit())?;
        if found.is_none() {
            self.fault(&path, name.number.saturating_mul(WIDTH), "it is missing");
        }
        self.seen.insert(path);
        Ok(found)
    }

    fn compare(&mut self, object: &Object) -> Result<(), MirrorError> {
        if object.name.kind == Kind::Bundle {
            return Ok(());
        }
        let found = self.get(object.name)?;
        if let Some(found) = found.filter(|found| *found != object.bytes) {
            let hashes = found
                .chunks(32)
                .zip(object.bytes.chunks(32))
                .take_while(|(a, b)| a == b)
                .count() as u64;
            let each = object.name.end()
                / object
                    .name
                    .number
                    .saturating_mul(WIDTH)
                    .saturating_add(object.name.width)
                    .max(1);
            let entry = (object.name.number * WIDTH + hashes).saturating_mul(each);
            self.fault(
                &object.name.path(),
                entry,
                "its hashes are not those of the entries",
            );
            if object.name.kind == Kind::Tile(0) {
                // One of the two was changed, and the root alone can't tell which.
                let bundle = Name {
                    kind: Kind::Bundle,
                    ..object.name
                };
                self.fault(
                    &bundle.path(),
                    entry,
                    "its entries do not have the hashes of the tile over them",
                );
            }
        }
        Ok(())
    }

    fn fault(&mut self, path: &str, entry: u64, what: &str) {
        self.faults.push(Fault::at(path, None, Some(entry), what));
    }
}
