//! Reading a tree entry by entry, by open folders.

use super::{BLOCK, Entry, Manifest};
use crate::object::{Identity, Kind};
use crate::read::{self, Look};
use rustix::fs::{CWD, Dir, Mode, OFlags, SeekFrom, openat, seek};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Seek as _};
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

pub(super) fn manifest(root: &Path) -> io::Result<Manifest> {
    let mut walk = Walk {
        manifest: Manifest::default(),
        links: HashMap::new(),
    };
    let (folder, name) = (
        root.parent().unwrap_or(root),
        root.file_name().unwrap_or(OsStr::new(".")),
    );
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let looked = read::look(folder.as_fd(), name)?;
    let look = looked.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the tree is not there"))?;
    walk.add(folder.as_fd(), name, Vec::new(), &look)?;
    Ok(walk.manifest)
}

struct Walk {
    manifest: Manifest,
    links: HashMap<Identity, Vec<u8>>,
}

impl Walk {
    fn add(&mut self, folder: BorrowedFd<'_>, name: &OsStr, path: Vec<u8>, look: &Look) -> io::Result<()> {
        let mut entry = describe(folder, name, look)?;
        if look.kind != Kind::Dir && look.nlink > 1 {
            let first = self.links.get(&look.identity).cloned();
            if let Some(first) = first {
                if let Some(other) = self.manifest.entries.get_mut(&first) {
                    other.link_of = Some(first.clone());
                }
                entry.link_of = Some(first);
            } else {
                self.links.insert(look.identity, path.clone());
            }
        }
        self.manifest.entries.insert(path.clone(), entry);
        if look.kind == Kind::Dir {
            self.folder(folder, name, &path)?;
        }
        Ok(())
    }

    fn folder(&mut self, above: BorrowedFd<'_>, name: &OsStr, path: &[u8]) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder: OwnedFd = openat(above, name, flags, Mode::empty())?;
        let mut names = Vec::new();
        for found in Dir::read_from(&folder)? {
            let name = found?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        names.sort_unstable();
        for name in names {
            let mut below = path.to_vec();
            if !below.is_empty() {
                below.push(b'/');
            }
            below.extend_from_slice(&name);
            let name = OsStr::from_bytes(&name);
            if let Some(look) = read::look(folder.as_fd(), name)? {
                self.add(folder.as_fd(), name, below, &look)?;
            }
        }
        Ok(())
    }
}

fn describe(folder: BorrowedFd<'_>, name: &OsStr, look: &Look) -> io::Result<Entry> {
    let mut entry = Entry {
        kind: look.kind,
        mode: look.mode,
        uid: look.uid,
        gid: look.gid,
        mtime: look.mtime,
        size: None,
        digest: None,
        data: Vec::new(),
        target: None,
        rdev: None,
        xattrs: BTreeMap::new(),
        link_of: None,
    };
    match look.kind {
        Kind::File => {
            let mut file = read::open_file(folder, name, look)?;
            entry.size = Some(look.size);
            entry.data = data(&file, look.size)?;
            file.rewind()?;
            entry.digest = Some(read::digest(&mut file)?);
        }
        Kind::Symlink => {
            let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
            entry.target = Some(target.into_bytes());
        }
        Kind::Char | Kind::Block => entry.rdev = Some(look.rdev),
        Kind::Dir | Kind::Fifo | Kind::Socket => {}
    }
    if matches!(look.kind, Kind::File | Kind::Dir) {
        read::xattrs(folder, name, |name, value| {
            entry.xattrs.insert(name.to_vec(), value.to_vec());
        })?;
    }
    Ok(entry)
}

/// Where the file has data, in blocks.
fn data(file: &File, size: u64) -> io::Result<Vec<(u64, u64)>> {
    let mut found: Vec<(u64, u64)> = Vec::new();
    let mut at = 0;
    while at < size {
        let start = match seek(file, SeekFrom::Data(at)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = seek(file, SeekFrom::Hole(start))?;
        let (first, behind) = (start / BLOCK, end.div_ceil(BLOCK));
        match found.last_mut() {
            Some(last) if last.1 >= first => last.1 = behind,
            _ => found.push((first, behind)),
        }
        at = end;
    }
    Ok(found)
}
