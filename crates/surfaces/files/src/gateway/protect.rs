//! What no supervised process may change: rescind's own files, and the folders above them.

use super::look::{self, Look};
use super::touch::{How, Refusal};
use rescind_model::ObjectId;
use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Rescind's own folders, by path and by inode, and all that lies above them.
#[derive(Debug, Default)]
pub struct Protection {
    own: Vec<Vec<u8>>,
    own_inodes: HashSet<(u64, u64)>,
    above: HashSet<(u64, u64)>,
    /// Processes that are ours: supervisor, guardian, front.
    processes: Vec<i32>,
}

impl Protection {
    /// Protect these files and folders and these processes.
    pub fn new(own: &[PathBuf], processes: Vec<i32>) -> Self {
        let mut protection = Self {
            processes,
            ..Self::default()
        };
        for path in own {
            protection.add(path);
        }
        protection
    }

    fn add(&mut self, path: &Path) {
        let Ok(path) = path.canonicalize() else {
            // It may not be made either.
            self.own.extend(path_to_be(path));
            return;
        };
        if let Ok(found) = path.metadata() {
            self.own_inodes.insert((look::device(found.dev()), found.ino()));
        }
        for above in path.ancestors().skip(1) {
            if let Ok(found) = above.metadata() {
                self.above.insert((look::device(found.dev()), found.ino()));
            }
        }
        self.own.push(path.as_os_str().as_bytes().to_vec());
    }

    /// Whether a path lies in one of our folders, or is one.
    pub fn path_is_own(&self, path: &[u8]) -> bool {
        self.own.iter().any(|own| {
            path.strip_prefix(own.as_slice())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
        })
    }

    /// Folders get a number only when they are not ours, so a numbered one never is.
    pub fn folder_is_own(&self, _folder: ObjectId) -> bool {
        false
    }

    /// Whether what was found may be touched in this way.
    ///
    /// # Errors
    /// [`Refusal::Protected`]: it is ours, or moving it would move what is ours.
    pub fn check(&self, found: &Look, how: How) -> Result<(), Refusal> {
        let inode = (found.dev, found.ino);
        let own = found.exists && self.own_inodes.contains(&inode);
        let above = matches!(how, How::Move | How::Swap | How::Remove | How::Replace)
            && found.exists
            && self.above.contains(&inode);
        if own || above {
            Err(Refusal::Protected)
        } else {
            Ok(())
        }
    }

    /// Whether a folder above ours would be closed to us by this mode.
    pub fn closes(&self, found: &Look, mode: u32) -> bool {
        found.exists && self.above.contains(&(found.dev, found.ino)) && mode & 0o500 != 0o500
    }

    /// Whether this process is ours.
    pub fn process_is_own(&self, process: i32) -> bool {
        self.processes.contains(&process)
    }
}

/// Where something would be that is not there: its name in the resolved folder that is.
fn path_to_be(path: &Path) -> Option<Vec<u8>> {
    let mut there = path.ancestors().skip(1);
    let (folder, resolved) = there.find_map(|above| Some((above, above.canonicalize().ok()?)))?;
    let rest = path.strip_prefix(folder).ok()?;
    Some(resolved.join(rest).as_os_str().as_bytes().to_vec())
}
