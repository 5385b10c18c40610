//! From a path in a caller's memory to a place: a directory that is held open, and a name in it.
//!
//! Everything is resolved through `/proc/PID/{cwd,fd,root}`, never by a path string of our own, so that chroots and
//! mount namespaces of the caller count. What is found is held by descriptor; a rename meanwhile can't redirect it.

use crate::gateway::calls::PathArgument;
use crate::gateway::look::{self, Look};
use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2, readlinkat};
use rustix::io::Errno;
use std::os::fd::{AsFd, OwnedFd};

/// A directory entry: the directory, held open, and the name. The name `.` is the directory itself.
#[derive(Debug)]
pub struct Place {
    /// The directory (`O_PATH`).
    pub directory: OwnedFd,
    /// The entry's name.
    pub name: Vec<u8>,
    /// What is there, where resolving had to look.
    pub found: Option<Look>,
}

impl Place {
    /// What is at the place.
    ///
    /// # Errors
    /// What the kernel says, except that a missing entry is an answer.
    pub fn look(&self) -> Result<Look, Errno> {
        match &self.found {
            Some(found) => Ok(found.clone()),
            None if self.name == b"." => look::folder(self.directory.as_fd()),
            None => look::at(self.directory.as_fd(), &self.name),
        }
    }
}

/// Whose view of the file system a path is resolved in.
#[derive(Debug, Clone, Copy)]
pub struct Viewer {
    /// The calling thread.
    pub thread: i32,
    /// Its process.
    pub process: i32,
    /// Whether its root or mount namespace is not ours.
    pub foreign: bool,
}

const LONGEST_PATH: usize = 4096;
const MOST_LINKS: usize = 40;
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Read a path out of the caller's memory.
///
/// # Errors
/// EFAULT where nothing readable is there, ENAMETOOLONG where it has no end.
pub fn read_path(viewer: Viewer, address: u64) -> Result<Vec<u8>, Errno> {
    rescind_sys::read_string(viewer.thread, address, LONGEST_PATH).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => Errno::NAMETOOLONG,
        std::io::ErrorKind::PermissionDenied => Errno::PERM,
        _ => Errno::FAULT,
    })
}

/// Resolve what a call names. `follow`: whether a symlink at the end is followed.
///
/// # Errors
/// What the kernel would say to the caller for the same path: the caller is then let go on to hear it itself.
pub fn resolve(viewer: Viewer, argument: PathArgument, path: &[u8], follow: bool) -> Result<Place, Errno> {
    if path.is_empty() {
        return of_descriptor(viewer, argument.directory);
    }
    let mut path = rewrite_self(viewer, path);
    let mut base: Option<OwnedFd> = None;
    for _ in 0..MOST_LINKS {
        if let Some(number) = caller_descriptor(&path) {
            return of_descriptor(viewer, number);
        }
        let (parent, name) = split(&path);
        let directory = match (&base, path.first()) {
            (_, Some(b'/')) | (None, _) => open_folder(viewer, argument.directory, parent)?,
            (Some(base), _) if parent.is_empty() => base.try_clone().map_err(|_| Errno::MFILE)?,
            (Some(base), _) => openat(base, parent, FOLDER, Mode::empty())?,
        };
        if name.is_empty() || name == b"." || name == b".." {
            let whole = if name.is_empty() {
                directory
            } else {
                openat(&directory, name, FOLDER, Mode::empty())?
            };
            return Ok(Place {
                directory: whole,
                name: b".".to_vec(),
                found: None,
            });
        }
        let wants_folder = path.ends_with(b"/");
        if !(follow || wants_folder) {
            return Ok(Place {
                directory,
                name: name.to_vec(),
                found: None,
            });
        }
        let name = name.to_vec();
        match look::at(directory.as_fd(), &name) {
            Ok(found) if found.exists && found.mode & libc::S_IFMT == libc::S_IFLNK => {
                if on_proc(&directory) {
                    let end = openat(
                        &directory,
                        name.as_slice(),
                        OFlags::PATH | OFlags::CLOEXEC,
                        Mode::empty(),
                    )?;
                    return of_open(end);
                }
                let target = readlinkat(&directory, name.as_slice(), Vec::new())?.into_bytes();
                path = rewrite_self(viewer, &target);
                base = Some(directory);
            }
            found => {
                return Ok(Place {
                    directory,
                    name,
                    found: found.ok(),
                });
            }
        }
    }
    Err(Errno::LOOP)
}

/// The place of an open descriptor of the caller: by the name under which it was opened.
///
/// # Errors
/// ENOENT where it has no name (any more): what is done to it then changes nothing that could be seen.
pub fn of_descriptor(viewer: Viewer, number: i32) -> Result<Place, Errno> {
    let path = if number == libc::AT_FDCWD {
        format!("/proc/{}/cwd", viewer.thread)
    } else {
        format!("/proc/{}/fd/{number}", viewer.thread)
    };
    of_open(openat(
        rustix::fs::CWD,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )?)
}

/// The place of something that we hold open.
///
/// # Errors
/// ENOENT where it has no name.
pub fn of_open(end: OwnedFd) -> Result<Place, Errno> {
    let stat = rustix::fs::fstat(&end)?;
    if stat.st_mode & libc::S_IFMT == libc::S_IFDIR {
        return Ok(Place {
            directory: end,
            name: b".".to_vec(),
            found: None,
        });
    }
    let path = path_of(&end)?;
    let (parent, name) = split(&path);
    if !path.starts_with(b"/") || name.is_empty() {
        return Err(Errno::NOENT);
    }
    let directory = openat(
        rustix::fs::CWD,
        if parent.is_empty() { b"/" } else { parent },
        FOLDER,
        Mode::empty(),
    )?;
    let found = look::at(directory.as_fd(), name)?;
    if !found.exists || (found.dev, found.ino) != (look::device(stat.st_dev), stat.st_ino) {
        return Err(Errno::NOENT);
    }
    Ok(Place {
        directory,
        name: name.to_vec(),
        found: Some(found),
    })
}

/// The path under which something that we hold open is known to us.
///
/// # Errors
/// The kernel can't say.
pub fn path_of(open: impl AsFd) -> Result<Vec<u8>, Errno> {
    use std::os::fd::AsRawFd;
    let link = format!("/proc/self/fd/{}", open.as_fd().as_raw_fd());
    Ok(readlinkat(rustix::fs::CWD, link, Vec::new())?.into_bytes())
}

fn open_folder(viewer: Viewer, directory: i32, path: &[u8]) -> Result<OwnedFd, Errno> {
    let thread = viewer.thread;
    if path.starts_with(b"/") && !viewer.foreign {
        return openat(rustix::fs::CWD, path, FOLDER, Mode::empty());
    }
    let base = match directory {
        _ if path.starts_with(b"/") => format!("/proc/{thread}/root"),
        libc::AT_FDCWD => format!("/proc/{thread}/cwd"),
        number => format!("/proc/{thread}/fd/{number}"),
    };
    if !viewer.foreign {
        let mut whole = base.into_bytes();
        if !path.is_empty() {
            whole.push(b'/');
            whole.extend_from_slice(path);
        }
        return openat(rustix::fs::CWD, whole, FOLDER, Mode::empty());
    }
    // In another root, an absolute symlink on the way must be resolved against that root, which only openat2 does,
    // and only from the root itself: so the start is named by its path in that root.
    let root = openat(
        rustix::fs::CWD,
        format!("/proc/{thread}/root"),
        FOLDER,
        Mode::empty(),
    )?;
    let mut whole = if path.starts_with(b"/") {
        Vec::new()
    } else {
        readlinkat(rustix::fs::CWD, base, Vec::new())?.into_bytes()
    };
    whole.push(b'/');
    whole.extend_from_slice(path);
    openat2(&root, whole, FOLDER, Mode::empty(), ResolveFlags::IN_ROOT)
}

/// `/proc/self` means the caller, not us.
fn rewrite_self(viewer: Viewer, path: &[u8]) -> Vec<u8> {
    for (prefix, number) in [
        (&b"/proc/self"[..], format!("/proc/{}", viewer.process)),
        (
            &b"/proc/thread-self"[..],
            format!("/proc/{}/task/{}", viewer.process, viewer.thread),
        ),
    ] {
        if let Some(rest) = path.strip_prefix(prefix)
            && (rest.is_empty() || rest.starts_with(b"/"))
        {
            return [number.as_bytes(), rest].concat();
        }
    }
    path.to_vec()
}

/// `/dev/stdout`, `/dev/fd/N` are links to `/proc/self/fd/N`: the caller's descriptor, not ours.
fn caller_descriptor(path: &[u8]) -> Option<i32> {
    match path {
        b"/dev/stdin" => Some(0),
        b"/dev/stdout" => Some(1),
        b"/dev/stderr" => Some(2),
        other => std::str::from_utf8(other.strip_prefix(b"/dev/fd/")?)
            .ok()?
            .parse()
            .ok(),
    }
}

fn on_proc(directory: &OwnedFd) -> bool {
    const PROC_SUPER_MAGIC: u64 = 0x9fa0;
    rustix::fs::fstatfs(directory).is_ok_and(|system| system.f_type as u64 == PROC_SUPER_MAGIC)
}

/// Parent and last component, trailing slashes aside. `/` gives an empty name and the parent `/`.
fn split(path: &[u8]) -> (&[u8], &[u8]) {
    let end = path
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(0, |last| last + 1);
    let trimmed = path.get(..end).unwrap_or_default();
    match trimmed.iter().rposition(|byte| *byte == b'/') {
        Some(0) => (b"/", trimmed.get(1..).unwrap_or_default()),
        Some(slash) => (
            trimmed.get(..slash).unwrap_or_default(),
            trimmed.get(slash + 1..).unwrap_or_default(),
        ),
        None if trimmed.is_empty() && !path.is_empty() => (b"/", b""),
        None => (b"", trimmed),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn paths_split_into_parent_and_name() {
        for (path, parent, name) in [
            ("a", "", "a"),
            ("a/b", "a", "b"),
            ("/a", "/", "a"),
            ("/a/b/", "/a", "b"),
            ("a//b", "a/", "b"),
            ("/", "/", ""),
            ("..", "", ".."),
        ] {
            assert_eq!(
                split(path.as_bytes()),
                (parent.as_bytes(), name.as_bytes()),
                "{path}"
            );
        }
    }
}
