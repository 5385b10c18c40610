//! The supervisor's end of seccomp user notification (seccomp_unotify(2)).

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// A call that waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notification {
    /// The kernel's cookie for it.
    pub id: u64,
    /// The calling thread, in the listener's pid namespace.
    pub thread: i32,
    /// The call's number.
    pub number: i64,
    /// Its arguments.
    pub arguments: [u64; 6],
}

/// What the waiting call is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The kernel runs the call as it stands.
    Continue,
    /// The call returns this error number without being run.
    Errno(i32),
    /// The call returns this value without being run.
    Value(i64),
}

/// The listening descriptor of a filter.
#[derive(Debug)]
pub struct Listener {
    fd: OwnedFd,
}

const NOTIF_RECV: libc::c_ulong = 0xc050_2100;
const NOTIF_SEND: libc::c_ulong = 0xc018_2101;
const NOTIF_ID_VALID: libc::c_ulong = 0x4008_2102;
const NOTIF_ADDFD: libc::c_ulong = 0x4018_2103;
const NOTIF_SET_FLAGS: libc::c_ulong = 0x4008_2104;
const FD_SYNC_WAKE_UP: u64 = 1;
const ADDFD_SETFD: u32 = 1;

#[repr(C)]
#[derive(Default)]
struct RawNotification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    arch: u32,
    instruction_pointer: u64,
    arguments: [u64; 6],
}

#[repr(C)]
struct RawAnswer {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

#[repr(C)]
struct RawAddFd {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

impl Listener {
    /// Take over a listening descriptor.
    #[must_use]
    pub fn new(fd: OwnedFd) -> Self {
        Self { fd }
    }

    /// Ask the kernel to hand the processor over on a wake-up (Linux 6.6): halves the cost of a trap. Older kernels
    /// refuse, which costs only speed.
    pub fn wake_synchronously(&self) -> bool {
        // SAFETY: the argument of this request is a number, not a pointer.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), NOTIF_SET_FLAGS, FD_SYNC_WAKE_UP) == 0 }
    }

    /// The next waiting call. Blocks until there is one.
    ///
    /// # Errors
    /// `NotFound` when the caller went away before it was received; `Interrupted` on a signal.
    pub fn receive(&self) -> io::Result<Notification> {
        let mut raw = RawNotification::default();
        // SAFETY: `raw` is a zeroed struct seccomp_notif of 80 bytes, as the request demands, and outlives the call.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), NOTIF_RECV, &raw mut raw) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Notification {
            id: raw.id,
            thread: raw.pid.cast_signed(),
            number: i64::from(raw.number),
            arguments: raw.arguments,
        })
    }

    /// Whether no process is left under the filter: nothing more will ever be received.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let mut fds = [rustix::event::PollFd::new(
            &self.fd,
            rustix::event::PollFlags::empty(),
        )];
        let now = rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let polled = rustix::event::poll(&mut fds, Some(&now));
        let [fd] = &fds;
        polled.is_ok() && fd.revents().contains(rustix::event::PollFlags::HUP)
    }

    /// Answer a waiting call.
    ///
    /// # Errors
    /// `NotFound` when the caller is gone: then nothing was run.
    pub fn answer(&self, id: u64, answer: Answer) -> io::Result<()> {
        let (value, error, flags) = match answer {
            Answer::Continue => (0, 0, 1),
            Answer::Errno(number) => (0, -number, 0),
            Answer::Value(value) => (value, 0, 0),
        };
        let mut raw = RawAnswer {
            id,
            value,
            error,
            flags,
        };
        // SAFETY: `raw` is a struct seccomp_notif_resp and outlives the call.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), NOTIF_SEND, &raw mut raw) };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Whether the caller still waits: what was read of its memory and of /proc before is then really its own.
    #[must_use]
    pub fn still_waits(&self, id: u64) -> bool {
        let mut id = id;
        // SAFETY: the argument is a pointer to the u64 cookie.
        unsafe { libc::ioctl(self.fd.as_raw_fd(), NOTIF_ID_VALID, &raw mut id) == 0 }
    }

    /// Put `source` at number `target` into the caller's descriptors, closing what was there.
    ///
    /// # Errors
    /// The caller is gone, or its table is full.
    pub fn put_descriptor(&self, id: u64, source: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
        let mut raw = RawAddFd {
            id,
            flags: ADDFD_SETFD,
            source: source.as_raw_fd().cast_unsigned(),
            target: target.cast_unsigned(),
            target_flags: 0,
        };
        // SAFETY: `raw` is a struct seccomp_notif_addfd; the source descriptor is open, being borrowed.
        let result = unsafe { libc::ioctl(self.fd.as_raw_fd(), NOTIF_ADDFD, &raw mut raw) };
        if result < 0 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

pub(crate) fn owned(fd: RawFd) -> io::Result<OwnedFd> {
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just returned this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}
