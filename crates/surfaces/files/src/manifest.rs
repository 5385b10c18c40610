//! Everything that a person could find of a tree, to compare it before and after.
//!
//! Not in it, because no program can bring them back: ctime, birth times, inode numbers, the number of links from outside
//! the tree; and atime, which reading changes.

mod walk;

use crate::object::Kind;
use rescind_model::Digest;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::Path;

/// What a tree is made of: its entries by path from its root (which has the empty path).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// The entries.
    pub entries: BTreeMap<Vec<u8>, Entry>,
}

/// One entry of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, set-id bits and the sticky bit.
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The time of change in nanoseconds since the Unix epoch.
    pub mtime: i64,
    /// Of a regular file, its length in bytes.
    pub size: Option<u64>,
    /// Of a regular file, the SHA-256 of its bytes.
    pub digest: Option<Digest>,
    /// Of a regular file, where it has data, in blocks of [`BLOCK`] bytes: first and one behind the last of each
    /// stretch. Everything else is holes.
    pub data: Vec<(u64, u64)>,
    /// Of a symbolic link, where it points.
    pub target: Option<Vec<u8>>,
    /// Of a device, its number, major in the upper half.
    pub rdev: Option<u64>,
    /// Extended attributes, ACLs among them.
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// The first path in the tree that is a link to the same inode, if there are several.
    pub link_of: Option<Vec<u8>>,
}

/// The grain in which holes are compared, in bytes.
pub const BLOCK: u64 = 4_096;

impl Manifest {
    /// Read the tree at `root`, the root itself included.
    ///
    /// # Errors
    /// Anything in it can't be read.
    pub fn of(root: &Path) -> io::Result<Self> {
        walk::manifest(root)
    }

    /// How two trees differ, a sentence for each difference; nothing if they don't.
    #[must_use]
    pub fn diff(&self, other: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (path, entry) in &self.entries {
            match other.entries.get(path) {
                None => differences.push(format!(
                    "{}: only in the first ({})",
                    shown(path),
                    entry.kind.name()
                )),
                Some(found) => {
                    let changes = entry.changes(found);
                    differences.extend(
                        changes
                            .into_iter()
                            .map(|change| format!("{}: {change}", shown(path))),
                    );
                }
            }
        }
        for (path, entry) in &other.entries {
            if !self.entries.contains_key(path) {
                differences.push(format!(
                    "{}: only in the second ({})",
                    shown(path),
                    entry.kind.name()
                ));
            }
        }
        differences
    }
}

/// As [`Manifest::diff`].
#[must_use]
pub fn diff(one: &Manifest, other: &Manifest) -> Vec<String> {
    one.diff(other)
}

impl Entry {
    fn changes(&self, other: &Self) -> Vec<String> {
        let (own, found) = (self.parts(), other.parts());
        let differs = |((name, one), (_, other)): &((&str, String), (&str, String))| {
            (one != other).then(|| format!("{name} {one} -> {other}"))
        };
        own.into_iter()
            .zip(found)
            .filter_map(|pair| differs(&pair))
            .collect()
    }

    fn parts(&self) -> Vec<(&'static str, String)> {
        let option = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let data: Vec<String> = self
            .data
            .iter()
            .map(|(start, end)| format!("{start}-{end}"))
            .collect();
        let xattrs: Vec<String> = self
            .xattrs
            .iter()
            .map(|(name, value)| format!("{}={}", shown(name), shown(value)))
            .collect();
        vec![
            ("kind", self.kind.name().to_owned()),
            ("mode", format!("{:04o}", self.mode)),
            ("owner", format!("{}:{}", self.uid, self.gid)),
            ("mtime", self.mtime.to_string()),
            ("size", option(self.size.map(|size| size.to_string()))),
            ("content", option(self.digest.map(|digest| digest.to_string()))),
            ("data", format!("[{}]", data.join(" "))),
            ("target", option(self.target.as_deref().map(shown))),
            (
                "device",
                option(
                    self.rdev
                        .map(|rdev| format!("{}:{}", rdev >> 32, rdev & 0xffff_ffff)),
                ),
            ),
            ("xattrs", format!("{{{}}}", xattrs.join(" "))),
            ("link of", option(self.link_of.as_deref().map(shown))),
        ]
    }
}

/// One line an entry: path, then what it is.
impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, entry) in &self.entries {
            let parts: Vec<String> = entry
                .parts()
                .into_iter()
                .filter(|(_, value)| value != "-" && value != "[]" && value != "{}")
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            writeln!(f, "{} {}", shown(path), parts.join(" "))?;
        }
        Ok(())
    }
}

fn shown(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return ".".to_owned();
    }
    bytes.escape_ascii().to_string()
}
