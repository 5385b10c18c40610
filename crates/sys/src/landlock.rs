//! Landlock (landlock(7)): a supervised process can't signal one outside (ABI 6), and may be kept from writing outside of
//! some folders (ABI 5); and what rescind itself runs to read a state can change no file and start no other program (ABI 3).

use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::Path;

const SCOPE_SIGNAL: u64 = 1 << 1;
const CREATE_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const REMOVE_DIR: u64 = 1 << 4;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEVICE: u64 = 1 << 15;
/// The bits from `REMOVE_DIR` to `TRUNCATE`, and writing: removing, making each kind of file, moving between folders,
/// truncating.
const CHANGES: u64 = WRITE_FILE | ((TRUNCATE << 1) - REMOVE_DIR);
/// The same, with ioctl on devices.
const ALL_WRITES: u64 = CHANGES | IOCTL_DEVICE;
/// Rights that mean something for a file that is no folder.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | TRUNCATE | IOCTL_DEVICE;

/// The first ABI that knows truncation: without it a file could be emptied.
const KNOWS_TRUNCATION: i32 = 3;
/// The first ABI with all that [`WriteRules`] need: ioctl on devices (Linux 6.10).
pub const WRITES_ABI: i32 = 5;
const KNOWS_SCOPES: i32 = 6;

#[repr(C)]
struct RulesetAttributes {
    handled_fs: u64,
    handled_net: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: RawFd,
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
    Ruleset::new(0, SCOPE_SIGNAL)?.restrict_self()
}

/// Put the calling thread, and all it will start, into a domain in which no program can be started but these files (or those
/// below these folders), and no process outside can be traced; nor signalled, where the kernel knows how (ABI 6). Unless it
/// `writes`, nothing can be changed by the file system either. What is open already stays as it is, and so does the
/// network. Needs no-new-privileges.
///
/// # Errors
/// The kernel has no Landlock of ABI 3 (Linux 6.2), or one of the files can't be opened.
pub fn restrict_to_programs(programs: &[&Path], writes: bool) -> io::Result<()> {
    let abi = landlock_abi();
    if abi < KNOWS_TRUNCATION {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "this kernel can't forbid a program to write (Landlock, Linux 6.2)",
        ));
    }
    let scoped = if abi >= KNOWS_SCOPES { SCOPE_SIGNAL } else { 0 };
    let handled = if writes { EXECUTE } else { EXECUTE | CHANGES };
    let ruleset = Ruleset::new(handled, scoped)?;
    for program in programs {
        ruleset.allow(program, EXECUTE)?;
    }
    if !writes {
        ruleset.allow(Path::new("/dev/null"), WRITE_FILE)?;
    }
    ruleset.restrict_self()
}

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

/// A set of places where writing is allowed, before it is put into force.
#[derive(Debug)]
pub struct WriteRules {
    ruleset: Ruleset,
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
        let ruleset = Ruleset::new(ALL_WRITES, 0)?;
        Ok(Self { ruleset })
    }

    /// Allow this at a path, following symlinks now and never again.
    ///
    /// # Errors
    /// It can't be opened.
    pub fn allow(&self, path: &Path, what: Writes) -> io::Result<()> {
        self.ruleset.allow(path, what.rights())
    }

    /// Allow this at what is open here.
    ///
    /// # Errors
    /// The kernel takes no rule for it: it is no file of any file system.
    pub fn allow_open(&self, open: BorrowedFd<'_>, what: Writes) -> io::Result<()> {
        self.ruleset.allow_open(open, what.rights())
    }

    /// From here on the calling thread, and all it will start, writes nowhere else; nor does it change what is mounted.
    /// Files that are open stay open. Needs no-new-privileges.
    ///
    /// # Errors
    /// The kernel refuses: sixteen such rulesets are in force already.
    pub fn restrict_self(&self) -> io::Result<()> {
        self.ruleset.restrict_self()
    }
}

impl Writes {
    fn rights(self) -> u64 {
        match self {
            Self::All => ALL_WRITES,
            Self::InPlace => WRITE_FILE | TRUNCATE | IOCTL_DEVICE,
            Self::Content => WRITE_FILE | TRUNCATE,
        }
    }
}

#[derive(Debug)]
struct Ruleset {
    fd: OwnedFd,
}

impl Ruleset {
    fn new(handled_fs: u64, scoped: u64) -> io::Result<Self> {
        let attributes = RulesetAttributes {
            handled_fs,
            handled_net: 0,
            scoped,
        };
        // An older kernel takes the fields it knows: what lies behind them must not be there, or be zero.
        // SAFETY: the pointer and size describe `attributes`, which outlives the call.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_landlock_create_ruleset,
                &raw const attributes,
                size_of::<RulesetAttributes>(),
                0_u32,
            )
        };
        let fd = crate::listener::owned(RawFd::try_from(fd).unwrap_or(-1))?;
        Ok(Self { fd })
    }

    fn allow(&self, path: &Path, rights: u64) -> io::Result<()> {
        let open = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        self.allow_open(open.as_fd(), rights)
    }

    /// A file that is no folder is given those of the rights that mean something for it.
    fn allow_open(&self, open: BorrowedFd<'_>, rights: u64) -> io::Result<()> {
        let folder = FileType::from_raw_mode(fstat(open)?.st_mode) == FileType::Directory;
        let rule = PathBeneath {
            allowed: if folder { rights } else { rights & OF_FILES },
            parent: open.as_raw_fd(),
        };
        // SAFETY: open descriptors, and a rule that outlives the call, laid out as the kernel's `landlock_path_beneath_attr`.
        ended(unsafe {
            libc::syscall(
                libc::SYS_landlock_add_rule,
                self.fd.as_raw_fd(),
                RULE_PATH_BENEATH,
                &raw const rule,
                0_u32,
            )
        })
    }

    fn restrict_self(&self) -> io::Result<()> {
        // SAFETY: an open ruleset descriptor and a number.
        ended(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, self.fd.as_raw_fd(), 0_u32) })
    }
}

fn ended(result: libc::c_long) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
