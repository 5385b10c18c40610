//! Folders seen from inside another mount namespace, found again in ours (proc_pid_mountinfo(5)).

use super::look;
use super::resolve::path_of;
use super::tree::proc_whole;
use rustix::fs::{Mode, OFlags, openat};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// One line of a mountinfo file.
struct Mount {
    id: u64,
    device: String,
    root: Vec<u8>,
    point: Vec<u8>,
}

/// The path under which a folder that a process of another mount namespace works in is known to us; `None` where no
/// mount of ours shows it: it lies on a file system of its own.
pub fn own_path(folder: &OwnedFd, process: i32) -> Option<Vec<u8>> {
    let seen = path_of(folder).ok()?;
    if is_at(folder, &seen) {
        return Some(seen);
    }
    let info = proc_whole(&format!("/proc/self/fdinfo/{}", folder.as_raw_fd()))?;
    let id = info
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?
        .trim()
        .parse::<u64>()
        .ok()?;
    let theirs = mounts(&format!("/proc/{process}/mountinfo"));
    let mount = theirs.iter().find(|mount| mount.id == id)?;
    let inside = join(&mount.root, below(&seen, &mount.point)?);
    let ours = mounts("/proc/self/mountinfo");
    ours.iter()
        .filter(|own| own.device == mount.device)
        .filter_map(|own| Some(join(&own.point, below(&inside, &own.root)?)))
        .find(|path| is_at(folder, path))
}

/// Whether this path of ours leads to the folder.
fn is_at(folder: &OwnedFd, path: &[u8]) -> bool {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let Ok(found) = openat(rustix::fs::CWD, path, flags, Mode::empty()) else {
        return false;
    };
    match (look::folder(found.as_fd()), look::folder(folder.as_fd())) {
        (Ok(one), Ok(other)) => (one.dev, one.ino) == (other.dev, other.ino),
        _ => false,
    }
}

fn mounts(path: &str) -> Vec<Mount> {
    let text = proc_whole(path).unwrap_or_default();
    let mount = |line: &str| {
        let mut fields = line.split(' ');
        let id = fields.next()?.parse().ok()?;
        let device = fields.nth(1)?.to_owned();
        let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
        Some(Mount {
            id,
            device,
            root,
            point,
        })
    };
    text.lines().filter_map(mount).collect()
}

/// Spaces, tabs, newlines and backslashes are written as a backslash and three octal digits.
pub fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let octal = tail
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// What of `path` lies below `above`: empty for itself.
fn below<'p>(path: &'p [u8], above: &[u8]) -> Option<&'p [u8]> {
    if above == b"/" {
        return path.strip_prefix(b"/");
    }
    let rest = path.strip_prefix(above)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix(b"/")
    }
}

fn join(above: &[u8], rest: &[u8]) -> Vec<u8> {
    let mut path = above.to_vec();
    if !rest.is_empty() {
        if path.last() != Some(&b'/') {
            path.push(b'/');
        }
        path.extend_from_slice(rest);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::{below, join, unescape};

    #[test]
    fn paths_move_between_mounts() {
        assert_eq!(below(b"/work/sub", b"/work"), Some(&b"sub"[..]));
        assert_eq!(below(b"/workshop", b"/work"), None);
        assert_eq!(below(b"/a", b"/"), Some(&b"a"[..]));
        assert_eq!(join(b"/", b"a"), b"/a");
        assert_eq!(join(b"/home/u", b""), b"/home/u");
        assert_eq!(unescape("a\\040b"), b"a b");
    }
}
