//! Bodies in memory, and pins as real hard links.

use rescind_model::{Content, Digest, Locator};
use rescind_supervisor::Bodies;
use rustix::fs::AtFlags;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Mutex;

#[derive(Debug)]
pub struct Shelf {
    blobs: Mutex<HashMap<Locator, Vec<u8>>>,
    pins: File,
    count: Mutex<u64>,
}

impl Shelf {
    pub fn new(pins: &Path) -> Self {
        std::fs::create_dir(pins).unwrap();
        Self {
            blobs: Mutex::default(),
            pins: File::open(pins).unwrap(),
            count: Mutex::default(),
        }
    }

    fn pin_name(kept: &Locator) -> Option<&OsStr> {
        kept.0.strip_prefix("pin:").map(OsStr::new)
    }

    fn open_pin(&self, name: &OsStr) -> io::Result<File> {
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(
            &self.pins,
            name,
            flags,
            rustix::fs::Mode::empty(),
        )?))
    }
}

impl Bodies for Shelf {
    fn holds(&self, kept: &Locator) -> bool {
        match Self::pin_name(kept) {
            Some(name) => rustix::fs::statat(&self.pins, name, AtFlags::SYMLINK_NOFOLLOW).is_ok(),
            None => self.blobs.lock().unwrap().contains_key(kept),
        }
    }

    fn read(&self, kept: &Locator, limit: u64) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match Self::pin_name(kept) {
            Some(name) => _ = io::Read::read_to_end(&mut self.open_pin(name)?, &mut bytes)?,
            None => {
                let blobs = self.blobs.lock().unwrap();
                bytes = blobs
                    .get(kept)
                    .cloned()
                    .ok_or_else(|| io::Error::other("it is gone"))?;
            }
        }
        if bytes.len() as u64 > limit {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        Ok(bytes)
    }

    fn copy_to(&self, kept: &Locator, file: &File) -> io::Result<()> {
        let bytes = self.read(kept, u64::MAX)?;
        file.set_len(bytes.len() as u64)?;
        for (at, block) in bytes.chunks(4_096).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                file.write_all_at(block, at as u64 * 4_096)?;
            }
        }
        Ok(())
    }

    fn keep(&self, bytes: &[u8]) -> io::Result<Content> {
        let digest = Digest::of(bytes);
        let kept = Locator(format!("blob:{}", digest.hex()));
        self.blobs.lock().unwrap().insert(kept.clone(), bytes.to_vec());
        Ok(Content {
            length: bytes.len() as u64,
            digest: Some(digest),
            stamp: None,
            kept: Some(kept),
        })
    }

    fn pin(&self, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<Option<Locator>> {
        let mut count = self.count.lock().unwrap();
        *count += 1;
        let own = count.to_string();
        rustix::fs::linkat(folder, name, self.pins.as_fd(), own.as_str(), AtFlags::empty())?;
        Ok(Some(Locator(format!("pin:{own}"))))
    }

    fn link(&self, kept: &Locator, folder: BorrowedFd<'_>, name: &OsStr) -> io::Result<bool> {
        let Some(own) = Self::pin_name(kept) else {
            return Ok(false);
        };
        rustix::fs::linkat(self.pins.as_fd(), own, folder, name, AtFlags::empty())?;
        Ok(true)
    }
}
