//! Children of rescind itself, in contrast to those it supervises.

use crate::process::die_with_parent;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};

/// Start a program that dies with the thread that calls this, that has no open file but its standard ones, and a process
/// group of its own.
///
/// # Errors
/// It can't be started.
pub fn spawn_bound(command: &mut Command) -> io::Result<Child> {
    let parent = std::process::id();
    let prepare = move || {
        die_with_parent(libc::SIGKILL)?;
        // SAFETY: plain calls; what is marked is only closed by the exec.
        let (above, marked) = unsafe {
            let close = libc::CLOSE_RANGE_CLOEXEC;
            (
                libc::getppid(),
                libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, close),
            )
        };
        if u32::try_from(above) != Ok(parent) {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        if marked < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    };
    command.process_group(0);
    // SAFETY: between fork and exec only plain system calls are made; nothing is allocated and no lock is taken.
    unsafe { command.pre_exec(prepare) };
    command.spawn()
}
