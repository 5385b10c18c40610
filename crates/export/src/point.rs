//! The resume point of an export: how far it is, and what is needed to go on with it and with its proof.

use crate::{ExportError, Format};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rescind_ledger::merkle::{Compact, Hash};
use serde::{Deserialize, Serialize};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// A tree's perfect subtrees as (height, base64), left to right.
pub(crate) type Nodes = Vec<(u32, String)>;

/// How far an export is. As a file: JSON (docs/formats/export.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The form's version: 1.
    pub v: u32,
    /// Whose ledger.
    pub origin: String,
    /// In which form.
    pub format: String,
    /// The only session, where not all are exported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The first entry of the export.
    pub from: u64,
    /// The entry to go on with.
    pub next: u64,
    /// How many lines.
    pub lines: u64,
    /// The tree before the first entry.
    pub before: Nodes,
    /// The tree up to `next`.
    pub tree: Nodes,
    /// The tree of the exported entries alone.
    pub range: Nodes,
    /// The tree of the lines.
    pub line_tree: Nodes,
    /// Entries of spans that are still open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<u64>,
    /// How long the export's file is, where it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// How long the proof's file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_bytes: Option<u64>,
}

impl Point {
    /// Read a resume point; `None`: there is no file, the export begins.
    ///
    /// # Errors
    /// [`ExportError::Point`].
    pub fn read(path: &Path) -> Result<Option<Self>, ExportError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ExportError::io("read", path)(error)),
        };
        let fail = |what: String| ExportError::Point {
            path: path.to_owned(),
            what,
        };
        let point: Self = serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))?;
        if point.v != 1 {
            return Err(fail(format!("it is of version {}, and 1 is understood", point.v)));
        }
        Ok(Some(point))
    }

    /// Put it in the place of the one before: written whole, synced, renamed, and the folder synced. What it says was
    /// exported must be flushed before.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), ExportError> {
        let fail = ExportError::io("write", path);
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".tmp");
        let temporary = path.with_file_name(name);
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)
            .map_err(&fail)?;
        let text = serde_json::to_vec(self).map_err(|error| fail(error.into()))?;
        file.write_all(&text)
            .and_then(|()| file.write_all(b"\n"))
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&temporary, path))
            .map_err(&fail)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))
            .and_then(|folder| folder.sync_all())
            .map_err(fail)
    }

    /// Whether it is one of this ledger, form and session.
    pub(crate) fn fits(&self, origin: &str, format: Format, session: Option<&str>) -> Result<(), String> {
        if self.origin != origin {
            return Err(format!(
                "it is of the ledger `{}`, and this one is `{origin}`",
                self.origin
            ));
        }
        if self.format != format.name() {
            return Err(format!("it is of an export as {}", self.format));
        }
        if self.session.as_deref() != session {
            return Err(match &self.session {
                Some(session) => format!("it is of an export of session {session} alone"),
                None => "it is of an export of all sessions".to_owned(),
            });
        }
        Ok(())
    }
}

pub(crate) fn nodes(tree: &Compact) -> Nodes {
    tree.nodes()
        .iter()
        .map(|(height, hash)| (*height, STANDARD.encode(hash)))
        .collect()
}

pub(crate) fn tree(size: u64, nodes: &Nodes) -> Option<Compact> {
    let nodes: Option<Vec<(u32, Hash)>> = nodes
        .iter()
        .map(|(height, text)| Some((*height, hash(text)?)))
        .collect();
    Compact::from_nodes(size, nodes?)
}

pub(crate) fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

pub(crate) fn text(hash: &Hash) -> String {
    STANDARD.encode(hash)
}
