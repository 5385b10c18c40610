//! The oracle: everything about a tree that an undo has to bring back.

use rustix::fs::SeekFrom;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// A tree: per path (relative, raw bytes) a line per aspect. Inode numbers, ctime, birth time and atime are left out: no
/// program can bring them back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    root: PathBuf,
    entries: BTreeMap<Vec<u8>, BTreeMap<&'static str, String>>,
}

impl Manifest {
    /// Of the tree at `root`, `root` itself included. Names in `except`, directly below the root, are left out.
    ///
    /// # Panics
    /// The tree changes underneath, or can't be read.
    pub fn of(root: &Path, except: &[&str]) -> Self {
        let mut manifest = Self {
            root: root.to_owned(),
            entries: BTreeMap::new(),
        };
        let mut links: HashMap<(u64, u64), Vec<Vec<u8>>> = HashMap::new();
        manifest.walk(root, b".".to_vec(), except, &mut links);
        for group in links.values().filter(|group| group.len() > 1) {
            let names: Vec<_> = group
                .iter()
                .map(|name| String::from_utf8_lossy(name).into_owned())
                .collect();
            for name in group {
                if let Some(entry) = manifest.entries.get_mut(name) {
                    entry.insert("links", names.join(" = "));
                }
            }
        }
        manifest
    }

    /// All of it as lines, to be compared with what another process saw.
    pub fn lines(&self) -> Vec<String> {
        let aspects = self.entries.iter().flat_map(|(name, aspects)| {
            let name = name.escape_ascii().to_string();
            aspects
                .iter()
                .map(move |(aspect, value)| format!("{name}\t{aspect}\t{value}"))
        });
        aspects.collect()
    }

    /// How many paths.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn walk(
        &mut self,
        path: &Path,
        name: Vec<u8>,
        except: &[&str],
        links: &mut HashMap<(u64, u64), Vec<Vec<u8>>>,
    ) {
        let metadata =
            fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if metadata.is_file() {
            links
                .entry((metadata.dev(), metadata.ino()))
                .or_default()
                .push(name.clone());
        }
        self.entries.insert(name.clone(), look(path, &metadata));
        if !metadata.is_dir() {
            return;
        }
        let Ok(children) = fs::read_dir(path) else { return };
        let mut children: Vec<_> = children
            .map(|child| child.expect("an entry").file_name())
            .collect();
        children.sort();
        for child in children {
            if name == b"." && except.iter().any(|except| child == *except) {
                continue;
            }
            let below = [&name[..], b"/", child.as_bytes()].concat();
            self.walk(&path.join(&child), below, &[], links);
        }
    }

    /// What differs, as lines; empty where nothing does.
    pub fn differences(&self, after: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let show = |name: &[u8]| String::from_utf8_lossy(name).escape_debug().to_string();
        for (name, was) in &self.entries {
            let Some(is) = after.entries.get(name) else {
                lines.push(format!("missing   {}", show(name)));
                continue;
            };
            for aspect in was
                .keys()
                .chain(is.keys().filter(|aspect| !was.contains_key(*aspect)))
            {
                let (was, is) = (was.get(aspect), is.get(aspect));
                if was != is {
                    let none = "-".to_owned();
                    let (was, is) = (was.unwrap_or(&none), is.unwrap_or(&none));
                    lines.push(format!("changed   {}: {aspect} was {was}, is {is}", show(name)));
                }
            }
        }
        let new = after
            .entries
            .keys()
            .filter(|name| !self.entries.contains_key(*name));
        lines.extend(new.map(|name| format!("left over {}", show(name))));
        lines
    }

    /// That nothing differs.
    ///
    /// # Panics
    /// Something does; the message shows the first forty differences.
    #[track_caller]
    pub fn assert_same(&self, after: &Self, what: &str) {
        let lines = self.differences(after);
        if lines.is_empty() {
            return;
        }
        let mut message = format!("{what}: {} differences in {}\n", lines.len(), self.root.display());
        for line in lines.iter().take(40) {
            writeln!(message, "  {line}").expect("memory");
        }
        panic!("{message}");
    }

    /// That something differs: a scenario that changes nothing proves nothing.
    ///
    /// # Panics
    /// Nothing does.
    #[track_caller]
    pub fn assert_changed(&self, after: &Self, what: &str) {
        assert!(
            !self.differences(after).is_empty(),
            "{what}: nothing was changed, so that an undo would prove nothing"
        );
    }
}

fn look(path: &Path, metadata: &fs::Metadata) -> BTreeMap<&'static str, String> {
    let kind = metadata.file_type();
    let mut entry = BTreeMap::new();
    let name = match () {
        () if kind.is_file() => "file",
        () if kind.is_dir() => "directory",
        () if kind.is_symlink() => "symlink",
        () if kind.is_fifo() => "fifo",
        () if kind.is_socket() => "socket",
        () if kind.is_char_device() => "character device",
        () => "block device",
    };
    entry.insert("type", name.to_owned());
    entry.insert("mode", format!("{:o}", metadata.mode() & 0o7777));
    entry.insert("owner", format!("{}:{}", metadata.uid(), metadata.gid()));
    entry.insert(
        "mtime",
        format!("{}.{:09}", metadata.mtime(), metadata.mtime_nsec()),
    );
    if kind.is_symlink() {
        let target = fs::read_link(path)
            .map(|target| target.into_os_string().into_vec())
            .unwrap_or_default();
        entry.insert("target", target.escape_ascii().to_string());
    }
    if kind.is_char_device() || kind.is_block_device() {
        entry.insert("device", metadata.rdev().to_string());
    }
    let attributes = attributes(path);
    if !attributes.is_empty() {
        entry.insert("xattrs", attributes);
    }
    if kind.is_file() || kind.is_dir() {
        match File::open(path) {
            Ok(file) => {
                // What a person can set: the rest tells how the file system stores it.
                let settable = rustix::fs::IFlags::SYNC
                    | rustix::fs::IFlags::IMMUTABLE
                    | rustix::fs::IFlags::APPEND
                    | rustix::fs::IFlags::NODUMP
                    | rustix::fs::IFlags::NOATIME
                    | rustix::fs::IFlags::DIRSYNC;
                if let Ok(flags) = rustix::fs::ioctl_getflags(&file) {
                    entry.insert("flags", format!("{:x}", (flags & settable).bits()));
                }
                if kind.is_file() {
                    content(file, metadata, &mut entry);
                }
            }
            Err(error) => {
                entry.insert("content", format!("not readable: {error}"));
            }
        }
    }
    entry
}

fn content(mut file: File, metadata: &fs::Metadata, entry: &mut BTreeMap<&'static str, String>) {
    entry.insert("size", metadata.len().to_string());
    if metadata.blocks() * 512 < metadata.len() {
        entry.insert("holes", holes(&file, metadata.len()));
    }
    rustix::fs::seek(&file, SeekFrom::Start(0)).expect("seek");
    let mut hash = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => hash.update(&buffer[..read]),
            Err(error) => {
                entry.insert("content", format!("not readable: {error}"));
                return;
            }
        }
    }
    entry.insert(
        "content",
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect(),
    );
}

/// The stretches that hold data.
fn holes(file: &File, size: u64) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < size {
        let Ok(data) = rustix::fs::seek(file, SeekFrom::Data(at)) else {
            break;
        };
        let Ok(hole) = rustix::fs::seek(file, SeekFrom::Hole(data)) else {
            break;
        };
        write!(text, "{data}-{hole} ").expect("memory");
        at = hole;
    }
    text
}

fn attributes(path: &Path) -> String {
    let mut names = vec![0_u8; 64 << 10];
    let Ok(length) = rustix::fs::llistxattr(path, &mut names[..]) else {
        return String::new();
    };
    names.truncate(length);
    let mut names: Vec<&[u8]> = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .collect();
    names.sort_unstable();
    let mut text = String::new();
    for name in names {
        let mut value = vec![0_u8; 64 << 10];
        let length = rustix::fs::lgetxattr(path, OsStr::from_bytes(name), &mut value[..]).unwrap_or(0);
        value.truncate(length);
        write!(
            text,
            "{}={} ",
            String::from_utf8_lossy(name),
            value.escape_ascii()
        )
        .expect("memory");
    }
    text
}
