//! Mirrors and exports: copies in tlog-tiles form that only ever grow (docs/formats/ledger.md, section 6).

mod dir;
mod extend;
mod list;
mod push;

pub use extend::{MirrorReport, read_mirror, verify_mirror};
pub use push::Pushed;

pub(crate) use dir::DirStore;
pub(crate) use extend::extends;
pub(crate) use list::{LIMIT as LIST_LIMIT, NAME as LIST_NAME, make as make_list, parse as parse_list};

use crate::note::NoteError;
use crate::tiles::Name;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a mirror's objects are kept.
pub(crate) trait Store {
    /// The object's bytes, at most `limit`; `None`: there is none.
    fn get(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, MirrorError>;
    /// Keep an object that is never changed. One that is there already must have the same bytes.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<(), MirrorError>;
    /// Put the checkpoint in the place of the older one. Everything created before is durable first.
    fn publish(&self, checkpoint: &crate::Checkpoint) -> Result<(), MirrorError>;
    /// Partial tiles and bundles of older checkpoints that need not be kept: those of `old` stay where they
    /// have not become full in `new`.
    fn prune(&self, old: u64, new: u64) -> Result<(), MirrorError>;
}

/// Why a mirror was not brought up to date. The mirror holds what it held.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MirrorError {
    /// The ledger does not continue what the mirror has.
    #[error(
        "the mirror `{mirror}` was left as it is: {what}; one of the two was rolled back or changed, compare them with `rescind verify`"
    )]
    Diverged {
        /// The mirror.
        mirror: String,
        /// What contradicts what.
        what: String,
    },
    /// The mirror can't be believed.
    #[error("the mirror `{mirror}` is damaged at `{path}`: {what}; it was left as it is")]
    Damaged {
        /// The mirror.
        mirror: String,
        /// The object.
        path: String,
        /// What is wrong.
        what: String,
    },
    /// The mirror can't be reached or written.
    #[error(
        "could not {doing} `{path}` of the mirror: what it has stays as it is, and the ledger is not affected"
    )]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: String,
        /// The system's word.
        source: Arc<std::io::Error>,
    },
    /// The place is not one that can hold a mirror.
    #[error("`{place}` can't be a mirror: {what}")]
    Place {
        /// What was given.
        place: String,
        /// Why not.
        what: &'static str,
    },
    /// The list of mirrors can't be believed.
    #[error("the list of mirrors `{}` is not accepted: {what}; add the mirrors again with `rescind ledger mirror`", path.display())]
    List {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The ledger itself failed.
    #[error("the mirrors were not brought up to date")]
    Ledger(#[from] crate::Error),
    /// A key is no key.
    #[error("the mirror can't be verified")]
    Note(#[from] NoteError),
}

/// Open the store at a place of the list of mirrors.
pub(crate) fn open(place: &str) -> Result<Box<dyn Store>, MirrorError> {
    if place.contains("://") {
        return Ok(Box::new(crate::http::HttpStore::open(place)?));
    }
    Ok(Box::new(DirStore::open(std::path::Path::new(place))?))
}

/// The bytes of the checkpoint of the mirror at `place`; `None`: it has none.
pub(crate) fn checkpoint_at(place: &str) -> Result<Option<Vec<u8>>, MirrorError> {
    let limit = crate::checkpoint::LIMIT;
    if place.contains("://") {
        return crate::http::HttpStore::open(place)?.get("checkpoint", limit);
    }
    DirStore::unlocked(std::path::Path::new(place)).get("checkpoint", limit)
}

/// Partial objects at the places that were partial at size `old` which a mirror of size `new` may drop, as
/// (folder of the place, widths to keep).
pub(crate) fn prunable(old: u64, new: u64) -> Vec<(Name, Vec<u64>)> {
    let kept: Vec<Name> = partials(new);
    partials(old)
        .into_iter()
        .map(|name| {
            let own = kept
                .iter()
                .find(|other| other.kind == name.kind && other.number == name.number);
            let widths = own.map_or_else(Vec::new, |own| vec![own.width, name.width]);
            (name, widths)
        })
        .collect()
}

fn partials(size: u64) -> Vec<Name> {
    let mut names = crate::tiles::partial_tiles(size);
    names.extend(crate::tiles::partial_bundle(size));
    names
}
