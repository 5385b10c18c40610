//! A session on a stage: nothing it changes is real, so nothing is lost; only what was there before has to be known again.

use super::Gateway;
use super::look::{self, Look};
use super::resolve::Place;
use super::touch::{Kept, Refusal};
use crate::read;
use std::os::fd::AsFd as _;

/// Texts up to this size are kept all the same, so that an action's changes can be shown.
const SHOWN_SIZE: u64 = 1 << 20;

impl Gateway {
    /// Whether a place may be changed at all: in a staged session only what is on the stage's overlays.
    ///
    /// # Errors
    /// [`Refusal::NotStaged`].
    pub(super) fn check_staged(&self, place: &Place) -> Result<(), Refusal> {
        let Some(devices) = &self.options.staged else {
            return Ok(());
        };
        // The top of an overlay is an entry of a folder that is on none.
        let is_on = |found: &Look| devices.contains(&found.dev);
        if is_on(&look::folder(place.directory.as_fd())?) || is_on(&place.look()?) {
            return Ok(());
        }
        let path = super::resolve::path_of(&place.directory)?;
        // What keeps nothing says so first.
        let mut policy = super::policy::Policy::new(super::policy::Uncaptured::Refuse);
        policy.file_system(&place.directory, &path)?;
        Err(Refusal::NotStaged)
    }

    /// What is known of a file that stays as it is in the real tree: its digest, so that it is known again there, and of a
    /// small one its bytes.
    pub(super) fn keep_staged(&self, place: &Place, found: &Look) -> Result<Kept, Refusal> {
        if !found.is_file() || found.size == 0 {
            return Ok(Kept::default());
        }
        // What may not be read is known again by its length and times.
        let Ok(mut file) = look::open(place.directory.as_fd(), &place.name) else {
            return Ok(Kept::default());
        };
        if found.size > SHOWN_SIZE {
            return Ok(Kept::of(None, read::digest(&mut file).ok()));
        }
        let blob = self.log.put_file(&file, found.size, true)?;
        Ok(Kept::of(Some(blob.locator), blob.digest))
    }
}
