//! The list of mirrors: signed, so that an entry can't quietly go missing.

use super::MirrorError;
use crate::disk::{Disk, Step};
use crate::ledger::{Ledger, guard};
use crate::note::{Signer, Verifier};
use std::path::Path;

pub(crate) const NAME: &str = "mirrors";
pub(crate) const LIMIT: u64 = 1 << 20;

/// Write an empty list, if there is none.
pub(crate) fn make(disk: &Disk, signer: &Signer) -> crate::Result<()> {
    if !disk.exists(NAME)? {
        let text = text(signer, &[]);
        disk.temporary(Step::MirrorsTemp, text.as_bytes())?
            .publish(Step::MirrorsName, NAME)?;
    }
    Ok(())
}

fn text(signer: &Signer, places: &[String]) -> String {
    let mut text = format!("{} mirrors\n", signer.verifier().name());
    for place in places {
        text.push_str(place);
        text.push('\n');
    }
    signer.sign(&text)
}

/// The places in these bytes of a list.
pub(crate) fn parse(bytes: &[u8], key: &Verifier) -> Result<Vec<String>, String> {
    let note = key.open(bytes).map_err(|error| error.to_string())?;
    let mut lines = note.text.lines();
    if lines.next() != Some(&format!("{} mirrors", key.name())) {
        return Err("it is signed and is another list".to_owned());
    }
    Ok(lines.map(str::to_owned).collect())
}

impl Ledger {
    /// The mirrors, in the order they were added: absolute directories and URLs.
    ///
    /// # Errors
    /// [`MirrorError::List`] if the list is missing or not signed by the ledger's key.
    pub fn mirror_list(&self) -> Result<Vec<String>, MirrorError> {
        let disk = &self.inner.log.disk;
        let error = |what: String| MirrorError::List {
            path: disk.join(NAME),
            what,
        };
        let bytes = disk
            .read(NAME, LIMIT)?
            .ok_or_else(|| error("it is gone".to_owned()))?;
        parse(&bytes, self.inner.signer.verifier()).map_err(error)
    }

    /// Keep a mirror at `place`, a directory or an `http://` URL, from now on. Adding it again changes
    /// nothing. A list that is missing is begun anew.
    ///
    /// # Errors
    /// If the place can't be a mirror or the list can't be written.
    pub fn mirror_add(&self, place: &str) -> Result<(), MirrorError> {
        let place = self.checked_place(place)?;
        self.change_list(|places| {
            if !places.contains(&place) {
                places.push(place);
            }
        })
    }

    /// Keep no mirror at `place` any more. What is there stays. Whether there was one.
    ///
    /// # Errors
    /// If the list can't be written.
    pub fn mirror_remove(&self, place: &str) -> Result<bool, MirrorError> {
        let spelled = self.checked_place(place).unwrap_or_else(|_| place.to_owned());
        let mut found = false;
        self.change_list(|places| {
            let before = places.len();
            places.retain(|own| *own != spelled && own != place);
            found = places.len() < before;
        })?;
        Ok(found)
    }

    fn checked_place(&self, place: &str) -> Result<String, MirrorError> {
        let error = |what| MirrorError::Place {
            place: place.to_owned(),
            what,
        };
        if place.chars().any(char::is_control) || place.is_empty() {
            return Err(error("it is empty or has control characters"));
        }
        if place.contains("://") {
            crate::http::HttpStore::open(place)?;
            return Ok(place.trim_end_matches('/').to_owned());
        }
        let path = std::path::absolute(Path::new(place)).map_err(|_| error("it is no path"))?;
        if path.starts_with(self.dir()) || self.dir().starts_with(&path) {
            return Err(error(
                "it holds the ledger or lies in it: what destroys the one would destroy the other",
            ));
        }
        path.into_os_string()
            .into_string()
            .map_err(|_| error("it is not UTF-8"))
    }

    fn change_list(&self, change: impl FnOnce(&mut Vec<String>)) -> Result<(), MirrorError> {
        let inner = &*self.inner;
        let disk = &inner.log.disk;
        let mut tail = guard(&inner.tail);
        let result = tail.with_lock(&inner.log, |_| {
            let mut places = match disk.exists(NAME)? {
                true => match self.mirror_list() {
                    Ok(places) => places,
                    Err(error) => return Ok(Err(error)),
                },
                false => Vec::new(),
            };
            change(&mut places);
            let text = text(&inner.signer, &places);
            disk.temporary(Step::MirrorsTemp, text.as_bytes())?
                .replace(Step::MirrorsName, NAME)?;
            Ok(Ok(()))
        })?;
        drop(tail);
        result?;
        Ok(disk.sync_dir()?)
    }
}
