//! Landlock (landlock(7)): a supervised process can't signal one outside (ABI 6), and may be kept from writing outside of
//! some folders (ABI 5).

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

const SCOPE_SIGNAL: u64 = 1 << 1;
const CREATE_VERSION: u32 = 1;

#[repr(C)]
struct RulesetAttributes {
    handled_fs: u64,
    handled_net: u64,
    scoped: u64,
}

/// The kernel's Landlock version; 0 where it has none.
#[must_use]
pub fn landlock_abi() -> i32 {
    let none = std::ptr::null::<RulesetAttributes>();
    // SAFETY: a null pointer of size 0 with the version flag is the documented question.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, none, 0_usize, CREATE_VERSION) };
    i32::try_from(version).unwrap_or(0).max(0)
}

/// Put the calling thread, and all it will start, into a domain from which no process outside can be signalled or
/// traced. Needs no-new-privileges. File access is left alone.
///
/// # Errors
/// The kernel has no Landlock of ABI 6 (Linux 6.12).
pub fn restrict_signals() -> io::Result<()> {
    let attributes = RulesetAttributes {
        handled_fs: 0,
        handled_net: 0,
        scoped: SCOPE_SIGNAL,
    };
    // SAFETY: the pointer and size describe `attributes`, which outlives the call.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            &raw const attributes,
            size_of::<RulesetAttributes>(),
            0_u32,
        )
    };
    let ruleset = crate::listener::owned(RawFd::try_from(fd).unwrap_or(-1))?;
    // SAFETY: an open ruleset descriptor and a number.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

const WRITE_FILE: u64 = 1 << 1;
const REMOVE_DIR: u64 = 1 << 4;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEVICE: u64 = 1 << 15;
/// Rights that mean something for a file that is no folder.
const OF_FILES: u64 = WRITE_FILE | TRUNCATE | IOCTL_DEVICE;
/// The bits from `REMOVE_DIR` to `IOCTL_DEVICE`: removing, making each kind of file, moving between folders, truncating,
/// ioctl on devices; and writing.
const ALL_WRITES: u64 = WRITE_FILE | ((IOCTL_DEVICE << 1) - REMOVE_DIR);
const RULE_PATH_BENEATH: u32 = 1;

/// The first Landlock version with all that [`restrict_writes`] needs: ioctl on devices (Linux 6.10).
pub const WRITES_ABI: i32 = 5;

/// What may be done at a place, and below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Everything that changes files.
    All,
    /// What is there may be written to, and its devices controlled; nothing is made or removed.
    InPlace,
    /// What is there may be written to; nothing is made or removed, no device is controlled.
    Content,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// A set of places where writing is allowed, before it is put into force.
#[derive(Debug)]
pub struct WriteRules {
    ruleset: OwnedFd,
}

impl WriteRules {
    /// No place at all.
    ///
    /// # Errors
    /// The kernel has no Landlock of ABI 5.
    pub fn new() -> io::Result<Self> {
        if landlock_abi() < WRITES_ABI {
            return Err(io::Error::from(io::ErrorKind::Unsupported));
        }
        let attributes = RulesetAttributes {
            handled_fs: ALL_WRITES,
            handled_net: 0,
            scoped: 0,
        };
        // SAFETY: the pointer describes `attributes`, which outlives the call; the size is that of its first field, the
        // only one that is used, which every version knows.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const attributes,
                size_of::<u64>(),
                0_u32,
            )
        };
        Ok(Self {
            ruleset: crate::listener::owned(RawFd::try_from(fd).unwrap_or(-1))?,
        })
    }

    /// Allow this at a path, following symlinks now and never again.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn allow(&self, path: &Path, what: Writes) -> io::Result<()> {
        let open = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        self.allow_open(rustix::fd::AsFd::as_fd(&open), what)
    }

    /// Allow this at what is open here.
    ///
    /// # Errors
    /// The kernel takes no rule for it: it is no file of any file system.
    pub fn allow_open(&self, open: BorrowedFd<'_>, what: Writes) -> io::Result<()> {
        let folder = FileType::from_raw_mode(fstat(open)?.st_mode) == FileType::Directory;
        let allowed = match what {
            Writes::All => ALL_WRITES,
            Writes::InPlace => OF_FILES,
            Writes::Content => WRITE_FILE | TRUNCATE,
        };
        let rule = PathBeneath {
            allowed: if folder { allowed } else { allowed & OF_FILES },
            parent: open.as_raw_fd(),
        };
        // SAFETY: an open ruleset, and a pointer to a live rule of the type that is named.
        let result = unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                self.ruleset.as_raw_fd(),
                RULE_PATH_BENEATH,
                &raw const rule,
                0_u32,
            )
        };
        ended(result)
    }

    /// From here on the calling thread, and all it will start, writes nowhere else; nor does it change what is mounted.
    /// Files that are open stay open. Needs no-new-privileges.
    ///
    /// # Errors
    /// The kernel refuses: sixteen such rulesets are in force already.
    pub fn restrict_self(&self) -> io::Result<()> {
        // SAFETY: an open ruleset descriptor and a number.
        let result =
            unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.ruleset.as_raw_fd(), 0_u32) };
        ended(result)
    }
}

fn ended(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
