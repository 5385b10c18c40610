//! What is on an overlay: whiteouts, opaque folders, and everything that was made or copied there.

use super::same::Spot;
use crate::Kind;
use crate::read::Look;
use std::ffi::OsString;
use std::io;
use std::path::Path;

/// An entry of an upper folder.
#[derive(Debug)]
pub enum Upper {
    /// What is below is hidden: the session removed it.
    Whiteout,
    /// A folder; what is below it in the real tree shows through unless it is opaque.
    Folder {
        /// What it is.
        look: Look,
        /// Whether only what is on the overlay is in it.
        opaque: bool,
    },
    /// Anything else.
    Leaf {
        /// What it is.
        look: Look,
        /// Whether it was copied from below, and is still the same file as under its other names.
        copied: bool,
    },
}

/// Look at an entry of an upper folder.
///
/// # Errors
/// It can't be looked at.
pub fn upper(path: &Path, marks: &[u8]) -> io::Result<Option<(Spot, Upper)>> {
    let Some(spot) = Spot::of(path)? else {
        return Ok(None);
    };
    let Some(look) = spot.look()? else {
        return Ok(None);
    };
    let entry = match look.kind {
        Kind::Char if look.rdev == 0 => Upper::Whiteout,
        Kind::Dir => Upper::Folder {
            look,
            opaque: spot.mark(marks, b"opaque").is_some_and(|value| value == b"y"),
        },
        Kind::File => Upper::Leaf {
            look,
            copied: spot.mark(marks, b"nlink").is_some(),
        },
        _ => Upper::Leaf { look, copied: false },
    };
    Ok(Some((spot, entry)))
}

/// The names in a folder, in order.
///
/// # Errors
/// It can't be read.
pub fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.push(entry?.file_name());
    }
    names.sort();
    Ok(names)
}
