//! Landlock, only its scoping of signals (landlock(7), ABI 6): a supervised process can't signal one outside.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

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
