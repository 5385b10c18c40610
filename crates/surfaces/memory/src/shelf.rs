//! Kept bodies, in memory.

use crate::World;
use crate::item::pinned;
use rescind_model::{Content, Digest, Locator};
use rescind_supervisor::Bodies;
use std::fs::File;
use std::io::{self, Write as _};
use std::sync::Arc;

/// The bodies that a world keeps: by what they are, or, as pins, by which they are.
#[derive(Debug, Clone, Copy)]
pub struct Shelf<'a>(pub &'a World);

impl Shelf<'_> {
    pub(crate) fn get(&self, kept: &Locator) -> io::Result<Arc<[u8]>> {
        let found = self.0.shelf.borrow().get(kept).cloned();
        found.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("`{}` is not kept", kept.0)))
    }

    /// Keep a body as it is.
    pub(crate) fn pin(&self, kept: Locator, bytes: &Arc<[u8]>) -> io::Result<()> {
        self.0.instant()?;
        debug_assert!(pinned(&kept).is_some(), "a pin is kept by its number");
        self.0.shelf.borrow_mut().insert(kept, bytes.clone());
        self.0.instant()
    }
}

impl Bodies for Shelf<'_> {
    fn holds(&self, kept: &Locator) -> bool {
        self.0.shelf.borrow().contains_key(kept)
    }

    fn read(&self, kept: &Locator, limit: u64) -> io::Result<Vec<u8>> {
        let bytes = self.get(kept)?;
        if bytes.len() as u64 > limit {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the body is longer than the limit",
            ));
        }
        Ok(bytes.to_vec())
    }

    fn copy_to(&self, kept: &Locator, mut file: &File) -> io::Result<()> {
        file.write_all(&self.get(kept)?)
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<Content> {
        self.0.instant()?;
        let digest = Digest::of(bytes);
        let kept = Locator(format!("blob:{}", digest.hex()));
        self.0.shelf.borrow_mut().insert(kept.clone(), Arc::from(bytes));
        self.0.instant()?;
        Ok(Content {
            length: bytes.len() as u64,
            digest: Some(digest),
            stamp: None,
            kept: Some(kept),
        })
    }
}
