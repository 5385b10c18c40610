//! Processes: forking, guarding, killing, and the supervised process's own preparation.

use crate::Filter;
use crate::listener::owned;
use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Which side of a fork this is.
#[derive(Debug)]
pub enum Fork {
    /// The new process.
    Child,
    /// The old one, with the new one's number.
    Parent(i32),
}

/// How a process ended or changed, as wait(2) tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// It returned this code.
    Exited(i32),
    /// It was ended by this signal.
    Signaled(i32),
    /// It was stopped by this signal.
    Stopped(i32),
    /// It goes on.
    Continued,
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Fork. Refused while the process has more than one thread: the child could inherit a lock that nobody releases.
///
/// # Errors
/// There are other threads, or the kernel refuses.
pub fn fork() -> io::Result<Fork> {
    if std::fs::read_dir("/proc/self/task")?.count() > 1 {
        return Err(io::Error::other("fork with several threads running"));
    }
    // SAFETY: there is one thread, so the child's copy of every lock and allocator is consistent.
    match check(unsafe { libc::fork() })? {
        0 => Ok(Fork::Child),
        pid => Ok(Fork::Parent(pid)),
    }
}

/// Let no other process of the same user trace this one or read its memory (prctl PR_SET_DUMPABLE 0).
///
/// # Errors
/// The kernel refuses.
pub fn become_untraceable() -> io::Result<()> {
    // SAFETY: prctl with plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }).map(drop)
}

/// Become the parent of every orphan below (prctl PR_SET_CHILD_SUBREAPER).
///
/// # Errors
/// The kernel refuses.
pub fn adopt_orphans() -> io::Result<()> {
    // SAFETY: prctl with plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

/// Be sent `signal` when the parent dies (prctl PR_SET_PDEATHSIG).
///
/// # Errors
/// The kernel refuses.
pub fn die_with_parent(signal: i32) -> io::Result<()> {
    // SAFETY: prctl with plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal, 0, 0, 0) }).map(drop)
}

/// Give up gaining privileges by exec (prctl PR_SET_NO_NEW_PRIVS).
///
/// # Errors
/// The kernel refuses.
pub fn forbid_new_privileges() -> io::Result<()> {
    // SAFETY: prctl with plain numbers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }).map(drop)
}

/// Set the name that `ps` shows, at most 15 bytes of it.
pub fn set_name(name: &str) {
    let mut bytes = [0_u8; 16];
    for (place, byte) in bytes.iter_mut().take(15).zip(name.bytes()) {
        *place = byte;
    }
    // SAFETY: the pointer is to 16 bytes that end in NUL.
    unsafe { libc::prctl(libc::PR_SET_NAME, bytes.as_ptr(), 0, 0, 0) };
}

/// Install `filter` on the calling thread and return its listening descriptor.
///
/// # Errors
/// EBUSY: a filter with a listener is there already (we run inside a supervised tree); EINVAL: the kernel lacks
/// `WAIT_KILLABLE_RECV` (before 5.19).
pub fn install_filter(filter: &Filter) -> io::Result<OwnedFd> {
    const SET_MODE_FILTER: libc::c_long = 1;
    const NEW_LISTENER: libc::c_ulong = 1 << 3;
    const WAIT_KILLABLE_RECV: libc::c_ulong = 1 << 5;
    let program = filter.program();
    let length = u16::try_from(program.len()).map_err(|_| io::Error::other("the filter is too long"))?;
    let raw = libc::sock_fprog {
        len: length,
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: `raw` points to a program of `length` instructions that outlives the call; the kernel only reads it.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            SET_MODE_FILTER,
            NEW_LISTENER | WAIT_KILLABLE_RECV,
            &raw const raw,
        )
    };
    owned(RawFd::try_from(fd).unwrap_or(-1))
}

/// A pidfd for `pid` (pidfd_open(2)).
///
/// # Errors
/// There is no such process.
pub fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    owned(RawFd::try_from(fd).unwrap_or(-1))
}

/// A copy of another process's descriptor (pidfd_getfd(2)).
///
/// # Errors
/// The process may not be traced, or the descriptor is not open.
pub fn pidfd_get(pidfd: BorrowedFd<'_>, target: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: plain numbers and an open descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), target, 0) };
    owned(RawFd::try_from(fd).unwrap_or(-1))
}

/// Whether an entry has extended attributes, without following it (listxattrat(2), since Linux 6.13). `None` where that
/// can't be asked in this way.
#[must_use]
pub fn has_attributes(folder: BorrowedFd<'_>, name: &CStr) -> Option<bool> {
    const LISTXATTRAT: libc::c_long = 465;
    let nothing: *mut u8 = std::ptr::null_mut();
    // SAFETY: `name` is NUL-terminated and outlives the call; a size of 0 means that no buffer is written.
    let result = unsafe {
        libc::syscall(
            LISTXATTRAT,
            folder.as_raw_fd(),
            name.as_ptr(),
            libc::AT_SYMLINK_NOFOLLOW,
            nothing,
            0_usize,
        )
    };
    (result >= 0).then_some(result > 0)
}

/// Send a signal through a pidfd: never to a process that reused the number.
///
/// # Errors
/// The process is gone or may not be signalled.
pub fn pidfd_signal(pidfd: BorrowedFd<'_>, signal: i32) -> io::Result<()> {
    let none = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: a null siginfo is allowed.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, none, 0) };
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Send a signal by number.
///
/// # Errors
/// There is no such process or it may not be signalled.
pub fn kill_process(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Whether two descriptors of two processes are the same open file (kcmp(2) KCMP_FILE); false where the kernel can't
/// say.
#[must_use]
pub fn same_open_file(first: (i32, RawFd), second: (i32, RawFd)) -> bool {
    const KCMP_FILE: libc::c_int = 0;
    // SAFETY: plain numbers.
    unsafe { libc::syscall(libc::SYS_kcmp, first.0, second.0, KCMP_FILE, first.1, second.1) == 0 }
}

/// The next child that ended, stopped or went on, without waiting: `None` where there is none to tell of.
///
/// # Errors
/// ECHILD: there are no children left.
pub fn reap() -> io::Result<Option<(i32, ExitStatus)>> {
    let mut status = 0;
    let flags = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
    // SAFETY: the pointer is to a live integer.
    let pid = check(unsafe { libc::waitpid(-1, &raw mut status, flags) })?;
    if pid == 0 {
        return Ok(None);
    }
    let what = if libc::WIFEXITED(status) {
        ExitStatus::Exited(libc::WEXITSTATUS(status))
    } else if libc::WIFSIGNALED(status) {
        ExitStatus::Signaled(libc::WTERMSIG(status))
    } else if libc::WIFSTOPPED(status) {
        ExitStatus::Stopped(libc::WSTOPSIG(status))
    } else {
        ExitStatus::Continued
    };
    Ok(Some((pid, what)))
}

/// End the process at once, running nothing more of it (`_exit(2)`).
pub fn exit_now(code: i32) -> ! {
    // SAFETY: _exit has no preconditions.
    unsafe { libc::_exit(code) }
}

/// How a process that nobody has reaped yet ended (proc(5), field 52 of stat). `None` where it lives or is gone.
#[must_use]
pub fn zombie_status(pid: i32) -> Option<ExitStatus> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?;
    let status = fields.nth(48)?.parse().ok()?;
    (state == "Z").then(|| decode(status))
}

fn decode(status: i32) -> ExitStatus {
    if libc::WIFSIGNALED(status) {
        ExitStatus::Signaled(libc::WTERMSIG(status))
    } else {
        ExitStatus::Exited(libc::WEXITSTATUS(status))
    }
}

/// How the process behind a pidfd ended, also when somebody else has reaped it (PIDFD_GET_INFO with
/// PIDFD_INFO_EXIT, Linux 6.15). `None` where the kernel can't say.
#[must_use]
pub fn exit_status(pidfd: BorrowedFd<'_>) -> Option<ExitStatus> {
    const GET_INFO: libc::c_ulong = 0xc050_ff0b;
    const INFO_EXIT: u64 = 1 << 3;
    #[repr(C)]
    #[derive(Default)]
    struct Info {
        mask: u64,
        cgroup: u64,
        ids: [u32; 11],
        exit_code: i32,
        rest: [u64; 2],
    }
    let mut info = Info {
        mask: INFO_EXIT,
        ..Info::default()
    };
    // SAFETY: the request's size field (0x50 = 80) is the size of `Info`, which is zeroed and outlives the call.
    let result = unsafe { libc::ioctl(pidfd.as_raw_fd(), GET_INFO, &raw mut info) };
    if result < 0 || info.mask & INFO_EXIT == 0 {
        return None;
    }
    Some(decode(info.exit_code))
}

/// End this process by a signal, with its default disposition and without a core file: so that whoever waits sees
/// the same status as of the program that stood behind it.
pub fn end_by_signal(signal: i32) {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: plain numbers, a valid disposition, and pointers to live values.
    unsafe {
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
        libc::kill(libc::getpid(), signal);
    }
}

/// Whether any seccomp filter is on this process.
#[must_use]
pub fn has_filter() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .any(|line| line.strip_prefix("Seccomp:").is_some_and(|v| v.trim() == "2"))
    })
}

/// Whether a filter with a listener is on this process, so that there can't be a second one. Tried out in a child.
#[must_use]
pub fn listener_is_taken() -> bool {
    let Ok(side) = fork() else { return false };
    match side {
        Fork::Child => {
            let taken = forbid_new_privileges().is_ok()
                && matches!(install_filter(&Filter::new(&[])), Err(error) if error.raw_os_error() == Some(libc::EBUSY));
            exit_now(i32::from(taken))
        }
        Fork::Parent(pid) => {
            let mut status = 0;
            // SAFETY: the pointer is to a live integer.
            unsafe { libc::waitpid(pid, &raw mut status, 0) };
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 1
        }
    }
}
