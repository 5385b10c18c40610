//! Texts that are never shown.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Longest secret, bytes.
const LONGEST: u64 = 16 * 1024;

/// A text that has no `Debug`, no `Display` and no wire form.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

impl Secret {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for whoever sends it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What is in a file, without the line break at its end.
    ///
    /// # Errors
    /// A sentence: it can't be read, is empty, or everybody can read it.
    pub(crate) fn read(path: &str) -> Result<Self, String> {
        if !Path::new(path).is_absolute() {
            return Err(format!("`{path}` is not a whole path"));
        }
        let cannot = |error: std::io::Error| format!("`{path}` can't be read: {error}");
        let file = File::open(path).map_err(cannot)?;
        let about = file.metadata().map_err(cannot)?;
        if !about.is_file() {
            return Err(format!("`{path}` is no file"));
        }
        if about.mode() & 0o007 != 0 {
            return Err(format!(
                "every user of this machine may read or change `{path}`: take that away with `chmod o-rwx`"
            ));
        }
        let mut text = String::new();
        file.take(LONGEST + 1).read_to_string(&mut text).map_err(cannot)?;
        if text.len() as u64 > LONGEST {
            return Err(format!("`{path}` is longer than {LONGEST} bytes"));
        }
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(format!("`{path}` is empty"));
        }
        Ok(Self(text.to_owned()))
    }
}
