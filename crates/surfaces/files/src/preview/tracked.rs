//! What git tracks, read from a repository's index (gitformat-index(5), versions 2 to 4). Git itself is not run: a
//! repository's configuration can name programs.

use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A larger index is not read.
const MOST_BYTES: u64 = 32 << 20;

/// A repository as far as its index tells.
pub(super) struct Repository {
    pub(super) root: PathBuf,
    /// Paths from the root: size (of 32 bits) and time of change, as they were when git looked last.
    entries: BTreeMap<Vec<u8>, (u32, u32, u32)>,
}

/// The root of the work tree around a path.
pub(super) fn root(path: &Path) -> Option<PathBuf> {
    let around = path
        .ancestors()
        .find(|folder| folder.join(".git").symlink_metadata().is_ok());
    around.map(Path::to_path_buf)
}

impl Repository {
    /// Read its index; `None` where there is none that can be read.
    pub(super) fn open(root: PathBuf) -> Option<Self> {
        let mut git = root.join(".git");
        if git.is_file() {
            let mut text = String::new();
            File::open(&git)
                .ok()?
                .take(4_096)
                .read_to_string(&mut text)
                .ok()?;
            git = root.join(text.strip_prefix("gitdir: ")?.trim_end());
        }
        let index = git.join("index");
        index
            .metadata()
            .ok()
            .filter(|found| found.is_file() && found.len() <= MOST_BYTES)?;
        let mut bytes = Vec::new();
        File::open(index)
            .ok()?
            .take(MOST_BYTES)
            .read_to_end(&mut bytes)
            .ok()?;
        Some(Self {
            root,
            entries: entries(&bytes)?,
        })
    }

    /// How many files at or below a path are tracked, and whether a tracked file was changed since git looked at it.
    pub(super) fn tracked(&self, path: &Path, found: &Metadata) -> (u64, bool) {
        let Ok(name) = path.strip_prefix(&self.root) else {
            return (0, false);
        };
        let name = name.as_os_str().as_bytes().to_vec();
        if let Some((size, seconds, nanoseconds)) = self.entries.get(&name) {
            let same = u64::from(*size) == found.len() & 0xffff_ffff
                && i64::from(*seconds) == found.mtime() & 0xffff_ffff
                && (*nanoseconds == 0 || i64::from(*nanoseconds) == found.mtime_nsec());
            return (1, !same);
        }
        let start = if name.is_empty() {
            name
        } else {
            [&name, &b"/"[..]].concat()
        };
        let below = self
            .entries
            .range(start.clone()..)
            .take_while(|(path, _)| path.starts_with(&start));
        (below.count() as u64, false)
    }
}

fn entries(bytes: &[u8]) -> Option<BTreeMap<Vec<u8>, (u32, u32, u32)>> {
    let number = |at: usize| -> Option<u32> {
        let bytes = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_be_bytes(bytes.try_into().ok()?))
    };
    (bytes.get(..4)? == b"DIRC").then_some(())?;
    let version = number(4)?;
    (2..=4).contains(&version).then_some(())?;
    let (mut at, mut last, mut entries) = (12_usize, Vec::new(), BTreeMap::new());
    for _ in 0..number(8)? {
        // ctime, mtime, dev, ino, mode, uid, gid, size, a SHA-1, flags.
        let (seconds, nanoseconds, size) = (number(at + 8)?, number(at + 12)?, number(at + 36)?);
        let flags = u16::from_be_bytes(bytes.get(at + 60..at + 62)?.try_into().ok()?);
        let mut name = at
            + if version > 2 && flags & 0x4000 != 0 {
                64
            } else {
                62
            };
        let path = if version == 4 {
            let (cut, after) = varint(bytes, name)?;
            name = after;
            let rest = until_zero(bytes, name)?;
            let kept = last.get(..last.len().checked_sub(cut)?)?;
            [kept, rest].concat()
        } else {
            until_zero(bytes, name)?.to_vec()
        };
        let rest = if version == 4 {
            until_zero(bytes, name)?.len()
        } else {
            path.len()
        };
        let end = name + rest + 1;
        // Before version 4 entries are filled up with zeros to a multiple of eight.
        at = if version == 4 {
            end
        } else {
            at + (name + rest - at + 8) / 8 * 8
        };
        entries.insert(path.clone(), (size, seconds, nanoseconds));
        last = path;
    }
    Some(entries)
}

fn until_zero(bytes: &[u8], from: usize) -> Option<&[u8]> {
    bytes.get(from..)?.split(|byte| *byte == 0).next()
}

/// A number as git packs offsets: seven bits a byte, the highest first, each further byte one more.
fn varint(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut byte = *bytes.get(at)?;
    let mut value = usize::from(byte & 0x7f);
    while byte & 0x80 != 0 {
        at += 1;
        byte = *bytes.get(at)?;
        value = value
            .checked_add(1)?
            .checked_mul(128)?
            .checked_add(usize::from(byte & 0x7f))?;
    }
    Some((value, at + 1))
}
