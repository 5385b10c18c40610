//! Landlock (landlock(7)): a supervised process can't signal one outside (ABI 6); and what rescind itself runs to read a
//! state can change no file and start no other program (ABI 3).

use rustix::fs::{Mode, OFlags, open};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
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

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const TRUNCATE: u64 = 1 << 14;
/// Writing, making and removing whatever there is, moving between folders, truncating.
const CHANGES: u64 = WRITE_FILE
    | 1 << 4
    | 1 << 5
    | 1 << 6
    | 1 << 7
    | 1 << 8
    | 1 << 9
    | 1 << 10
    | 1 << 11
    | 1 << 12
    | 1 << 13
    | TRUNCATE;
const RULE_PATH_BENEATH: u32 = 1;
/// The first ABI that knows truncation: without it a file could be emptied.
const KNOWS_TRUNCATION: i32 = 3;
const KNOWS_SCOPES: i32 = 6;

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: RawFd,
}

/// Put the calling thread, and all it will start, into a domain from which no process outside can be signalled or
/// traced. Needs no-new-privileges. File access is left alone.
///
/// # Errors
/// The kernel has no Landlock of ABI 6 (Linux 6.12).
pub fn restrict_signals() -> io::Result<()> {
    restrict(&ruleset(0, SCOPE_SIGNAL)?)
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
    let ruleset = ruleset(handled, scoped)?;
    for program in programs {
        allow(&ruleset, program, EXECUTE)?;
    }
    if !writes {
        allow(&ruleset, Path::new("/dev/null"), WRITE_FILE)?;
    }
    restrict(&ruleset)
}

fn ruleset(handled_fs: u64, scoped: u64) -> io::Result<OwnedFd> {
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
    crate::listener::owned(RawFd::try_from(fd).unwrap_or(-1))
}

/// Allow this on one file.
fn allow(ruleset: &OwnedFd, path: &Path, allowed: u64) -> io::Result<()> {
    let file = open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let rule = PathBeneath {
        allowed,
        parent: file.as_raw_fd(),
    };
    // SAFETY: open descriptors, and a rule that outlives the call, laid out as the kernel's `landlock_path_beneath_attr`.
    let result = unsafe {
        libc::syscall(
            libc::SYS_landlock_add_rule,
            ruleset.as_raw_fd(),
            RULE_PATH_BENEATH,
            &raw const rule,
            0_u32,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn restrict(ruleset: &OwnedFd) -> io::Result<()> {
    // SAFETY: an open ruleset descriptor and a number.
    let result = unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0_u32) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
