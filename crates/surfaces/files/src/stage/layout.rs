//! Where a stage keeps what: one overlay a unit, and the file `stage.json` that lists them (docs/formats/stage.md).

use super::error::StageError;
use rescind_supervisor::journal::{bytes_from_text, text_from_bytes};
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A stage on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its folder.
    pub root: PathBuf,
    /// Its overlays.
    pub units: Vec<Unit>,
    /// Whether the overlays' marks are attributes in the `trusted` name space, else in `user`.
    pub trusted: bool,
    /// What could have been changed and can't be on the stage.
    pub left_out: Vec<LeftOut>,
}

/// One overlay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its number in the stage.
    pub number: usize,
    /// The folder of the real tree that it covers.
    pub at: PathBuf,
}

/// A place that is not on the stage: changes there are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub at: PathBuf,
    /// Why.
    pub why: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Form {
    v: u32,
    trusted: bool,
    /// Number and place.
    units: Vec<(usize, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<(String, String)>,
}

const FILE: &str = "stage.json";
const VERSION: u32 = 1;

impl Stage {
    /// The folder in which the changes below a unit are.
    #[must_use]
    pub fn upper(&self, unit: &Unit) -> PathBuf {
        self.root.join(unit.number.to_string()).join("upper")
    }

    /// The folder that the kernel needs beside it.
    #[must_use]
    pub fn work(&self, unit: &Unit) -> PathBuf {
        self.root.join(unit.number.to_string()).join("work")
    }

    /// The name space of the overlays' marks, with its point.
    #[must_use]
    pub fn marks(&self) -> &'static [u8] {
        if self.trusted {
            b"trusted.overlay."
        } else {
            b"user.overlay."
        }
    }

    /// Read the description of the stage in a folder; `None`: there is none.
    ///
    /// # Errors
    /// It can't be read, or is damaged.
    pub fn read(root: &Path) -> Result<Option<Self>, StageError> {
        let path = root.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(StageError::path(&path))?,
        };
        let form: Form =
            serde_json::from_slice(&text).map_err(|source| StageError::Layout { path, source })?;
        let units = form.units.iter().map(|(number, at)| Unit {
            number: *number,
            at: path_of(at),
        });
        let left_out = form.left_out.into_iter().map(|(at, why)| LeftOut {
            at: path_of(&at),
            why,
        });
        Ok(Some(Self {
            root: root.to_owned(),
            units: units.collect(),
            trusted: form.trusted,
            left_out: left_out.collect(),
        }))
    }

    /// Write the description. It is there whole or not at all.
    ///
    /// # Errors
    /// It can't be written.
    pub fn write(&self) -> Result<(), StageError> {
        let form = Form {
            v: VERSION,
            trusted: self.trusted,
            units: self
                .units
                .iter()
                .map(|unit| (unit.number, text_of(&unit.at)))
                .collect(),
            left_out: self
                .left_out
                .iter()
                .map(|left| (text_of(&left.at), left.why.clone()))
                .collect(),
        };
        let path = self.root.join(FILE);
        let new = self.root.join("stage.json.new");
        let text = serde_json::to_vec(&form).map_err(|source| StageError::Layout {
            path: path.clone(),
            source,
        })?;
        std::fs::write(&new, text).map_err(StageError::path(&new))?;
        std::fs::rename(&new, &path).map_err(StageError::path(&path))
    }

    /// Give up a stage, with everything on it. Its description goes first, so that half of one is never taken for whole.
    ///
    /// # Errors
    /// Something of it can't be removed.
    pub fn remove(root: &Path) -> Result<(), StageError> {
        let file = root.join(FILE);
        match std::fs::remove_file(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(StageError::Path {
                    path: file,
                    source: error,
                });
            }
            _ => {}
        }
        open_up(root);
        match std::fs::remove_dir_all(root) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(StageError::Path {
                path: root.to_owned(),
                source: error,
            }),
            _ => Ok(()),
        }
    }
}

/// Make every folder below searchable and writable: the kernel's own have no permissions, nor have some of an agent's.
fn open_up(folder: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::symlink_metadata(folder).map_or(0, |found| found.permissions().mode());
    if mode & 0o700 != 0o700 {
        let _what_stays_is_said_by_the_removal =
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700));
    }
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            open_up(&entry.path());
        }
    }
}

/// A path as text without loss.
pub(super) fn text_of(path: &Path) -> String {
    text_from_bytes(path.as_os_str().as_bytes())
}

/// The path that a text stands for.
pub(super) fn path_of(text: &str) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(&bytes_from_text(text)))
}
