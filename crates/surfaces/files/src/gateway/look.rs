//! A quick look at a directory entry: one statx, and what else its kind needs.

use crate::read::birth;
use crate::{Identity, Kind, read, state};
use rescind_model::{Fields, ObjectId, Stamp, State};
use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, openat, statx};
use rustix::io::Errno;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::sync::LazyLock;

/// What was found at a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Whether anything is there.
    pub exists: bool,
    /// Type and permissions.
    pub mode: u32,
    /// Device.
    pub dev: u64,
    /// Inode.
    pub ino: u64,
    /// Birth, ns since the epoch; 0 where unknown.
    pub btime: i64,
    /// Change of the inode, ns.
    pub ctime: i64,
    /// Change of the content, ns.
    pub mtime: i64,
    /// Bytes.
    pub size: u64,
    /// Names.
    pub links: u64,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Device number of a device.
    pub rdev: u64,
}

const NOTHING: Look = Look {
    exists: false,
    mode: 0,
    dev: 0,
    ino: 0,
    btime: 0,
    ctime: 0,
    mtime: 0,
    size: 0,
    links: 0,
    uid: 0,
    gid: 0,
    rdev: 0,
};

/// Look at an entry, without following it.
///
/// # Errors
/// What the kernel says, except that a missing entry is an answer.
pub fn at(directory: BorrowedFd<'_>, name: &[u8]) -> Result<Look, Errno> {
    match stat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(NOTHING),
        other => other,
    }
}

/// Look at what is behind a descriptor of a thread.
///
/// # Errors
/// What the kernel says.
pub fn behind(thread: i32, number: i32) -> Result<Look, Errno> {
    let path = format!("/proc/{thread}/fd/{number}");
    let mut found = stat_of(rustix::fs::CWD, path.as_bytes(), AtFlags::empty())?;
    if !birth::lasts_behind(found.dev, &path) {
        found.btime = 0;
    }
    Ok(found)
}

/// Look at what is behind a descriptor of ours: mostly a folder.
///
/// # Errors
/// What the kernel says.
pub fn folder(directory: BorrowedFd<'_>) -> Result<Look, Errno> {
    stat(directory, b"", AtFlags::EMPTY_PATH)
}

fn stat(directory: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> Result<Look, Errno> {
    let mut found = stat_of(directory, name, flags)?;
    if !birth::lasts(found.dev, directory, name) {
        found.btime = 0;
    }
    Ok(found)
}

fn stat_of(directory: BorrowedFd<'_>, name: &[u8], flags: AtFlags) -> Result<Look, Errno> {
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(directory, name, flags | AtFlags::STATX_DONT_SYNC, wanted)?;
    let ns = |time: rustix::fs::StatxTimestamp| time.tv_sec * 1_000_000_000 + i64::from(time.tv_nsec);
    let has_btime = found.stx_mask & StatxFlags::BTIME.bits() != 0;
    Ok(Look {
        exists: true,
        mode: u32::from(found.stx_mode),
        dev: number(found.stx_dev_major, found.stx_dev_minor),
        ino: found.stx_ino,
        btime: if has_btime { ns(found.stx_btime) } else { 0 },
        ctime: ns(found.stx_ctime),
        mtime: ns(found.stx_mtime),
        size: found.stx_size,
        links: u64::from(found.stx_nlink),
        uid: found.stx_uid,
        gid: found.stx_gid,
        rdev: rustix::fs::makedev(found.stx_rdev_major, found.stx_rdev_minor),
    })
}

impl Look {
    fn format(&self) -> u32 {
        self.mode & libc::S_IFMT
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.exists && self.format() == libc::S_IFREG
    }

    /// Whether it is a folder.
    pub fn is_folder(&self) -> bool {
        self.exists && self.format() == libc::S_IFDIR
    }

    /// Whether it has bytes that could be lost. An empty file has none, but a link that might be the last.
    pub fn has_content(&self) -> bool {
        self.is_file() && (self.size > 0 || self.links > 1)
    }

    /// The kind's name in states.
    pub fn kind(&self) -> &'static str {
        match self.format() {
            libc::S_IFREG => "file",
            libc::S_IFDIR => "dir",
            libc::S_IFLNK => "symlink",
            libc::S_IFIFO => "fifo",
            libc::S_IFSOCK => "socket",
            libc::S_IFCHR => "char",
            _ => "block",
        }
    }

    /// The stamp of its content: equal stamps imply equal bytes.
    pub fn stamp(&self) -> Stamp {
        state::stamp(&self.inode())
    }

    /// Whether a state that was seen before is still exactly this.
    pub fn is(&self, state: &State) -> bool {
        let State::Present(fields) = state else {
            return !self.exists;
        };
        let attributes = fields.int("mode") == Some(i64::from(self.mode & 0o7777))
            && fields.int("mtime") == Some(self.mtime)
            && fields.text("kind") == Some(self.kind());
        let stamp = match fields.content("content") {
            Some(content) => content.stamp.as_ref() == Some(&self.stamp()),
            None => true,
        };
        self.exists && attributes && stamp
    }

    /// All fields, the object's number among them, as the driver reads them.
    ///
    /// # Errors
    /// A link's target or the attributes can't be read.
    pub fn fields(
        &self,
        directory: BorrowedFd<'_>,
        name: &[u8],
        object: ObjectId,
    ) -> std::io::Result<Fields> {
        read::fields(directory, OsStr::from_bytes(name), &self.inode(), Some(object))
    }

    /// Its inode flags.
    ///
    /// # Errors
    /// It can't be opened, or its file system has none.
    pub fn flags(&self, directory: BorrowedFd<'_>, name: &[u8]) -> std::io::Result<u32> {
        read::flags(directory, OsStr::from_bytes(name), &self.inode())
    }

    fn inode(&self) -> read::Look {
        read::Look {
            identity: Identity {
                dev: self.dev,
                ino: self.ino,
                btime: self.btime,
            },
            kind: Kind::of_name(self.kind()).unwrap_or(Kind::File),
            mode: self.mode & 0o7777,
            uid: self.uid,
            gid: self.gid,
            size: self.size,
            blocks: 0,
            nlink: u32::try_from(self.links).unwrap_or(u32::MAX),
            mtime: self.mtime,
            ctime: self.ctime,
            rdev: number(rustix::fs::major(self.rdev), rustix::fs::minor(self.rdev)),
        }
    }
}

/// A device's number as states and stamps have it: major in the upper half.
fn number(major: u32, minor: u32) -> u64 {
    (u64::from(major) << 32) | u64::from(minor)
}

/// The same from the form that stat(2) has.
pub fn device(st_dev: u64) -> u64 {
    number(rustix::fs::major(st_dev), rustix::fs::minor(st_dev))
}

/// Open a file for reading its content, without following and without moving its time of access where allowed.
///
/// # Errors
/// What the kernel says.
pub fn open(directory: BorrowedFd<'_>, name: &[u8]) -> Result<File, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    match openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(directory, name, flags, Mode::empty()).map(File::from),
        other => other.map(File::from),
    }
}

/// The bytes of a small file; `None` where it can't be read whole.
pub fn bytes(directory: BorrowedFd<'_>, name: &[u8], size: u64) -> Option<Vec<u8>> {
    let file = open(directory, name).ok()?;
    let mut bytes = vec![0_u8; usize::try_from(size).ok()?];
    file.read_exact_at(&mut bytes, 0).ok()?;
    Some(bytes)
}

/// Whether a path lies in a folder whose content its tool makes again.
pub fn is_recreatable(path: &[u8]) -> bool {
    const FOLDERS: [&[u8]; 8] = [
        b"target",
        b"node_modules",
        b".cache",
        b"__pycache__",
        b".npm",
        b".venv",
        b".gradle",
        b".pytest_cache",
    ];
    path.split(|byte| *byte == b'/')
        .any(|part| FOLDERS.contains(&part))
}

/// Device and inode of everything the process has mapped shared and writable: such a mapping outlives its descriptor.
fn mapped_for_writing(process: i32, held: &mut HashSet<(u64, u64)>) {
    let maps = super::tree::proc_whole(&format!("/proc/{process}/maps")).unwrap_or_default();
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (Some(_), Some(flags), Some(_)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        if !(flags.as_bytes().get(1) == Some(&b'w') && flags.ends_with('s')) {
            continue;
        }
        let device = fields.next().and_then(|device| device.split_once(':'));
        let inode = fields.next().and_then(|inode| inode.parse::<u64>().ok());
        if let (Some((major, minor)), Some(inode)) = (device, inode)
            && let (Ok(major), Ok(minor)) = (u32::from_str_radix(major, 16), u32::from_str_radix(minor, 16))
        {
            held.insert((number(major, minor), inode));
        }
    }
}

/// Whether every thread of the processes sleeps in a call that is none of ours to wait for: what we have let go on was
/// made by then.
pub fn are_quiet(processes: &[i32]) -> bool {
    processes.iter().all(|process| {
        let Ok(threads) = std::fs::read_dir(format!("/proc/{process}/task")) else {
            return true;
        };
        threads.flatten().all(|thread| {
            let number = thread.file_name().to_str().and_then(|number| number.parse().ok());
            number.is_none_or(is_quiet)
        })
    })
}

/// Whether a thread sleeps in a call that is none of ours to wait for, or is gone.
pub fn is_quiet(thread: i32) -> bool {
    static TRAPPED: LazyLock<HashSet<i64>> = LazyLock::new(|| {
        let opens = [libc::SYS_open, libc::SYS_openat, libc::SYS_ioctl];
        super::calls::trapped().into_iter().chain(opens).collect()
    });
    let Ok(text) = std::fs::read_to_string(format!("/proc/{thread}/syscall")) else {
        return true;
    };
    let number = text
        .split_ascii_whitespace()
        .next()
        .and_then(|number| number.parse::<i64>().ok());
    number.is_some_and(|number| !TRAPPED.contains(&number))
}

/// Device and inode of everything the processes hold open for writing; `None` where that can't be asked.
pub fn open_for_writing(processes: Vec<i32>) -> Option<HashSet<(u64, u64)>> {
    let mut held = HashSet::new();
    for process in processes {
        let entries = match std::fs::read_dir(format!("/proc/{process}/fd")) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(_) => return None,
        };
        for entry in entries.flatten() {
            if let Ok(found) = rustix::fs::stat(entry.path())
                && found.st_mode & libc::S_IFMT == libc::S_IFREG
            {
                held.insert((device(found.st_dev), found.st_ino));
            }
        }
        mapped_for_writing(process, &mut held);
    }
    Some(held)
}
