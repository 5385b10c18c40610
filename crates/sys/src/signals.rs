//! Signals taken as data (signalfd(2)), and their dispositions for a program to come.

use crate::listener::owned;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};

/// A set of blocked signals, readable from a descriptor, and the mask from before.
#[derive(Debug)]
pub struct SignalFd {
    fd: OwnedFd,
    before: Mask,
}

struct Mask(libc::sigset_t);

impl std::fmt::Debug for Mask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mask")
    }
}

impl SignalFd {
    /// Block `signals` in the calling thread (and the threads it will start) and read them here instead.
    ///
    /// # Errors
    /// The kernel refuses a descriptor.
    pub fn block(signals: &[i32]) -> io::Result<Self> {
        let mut set = MaybeUninit::<libc::sigset_t>::uninit();
        let mut before = MaybeUninit::<libc::sigset_t>::uninit();
        // SAFETY: sigemptyset initialises `set`; sigaddset and sigprocmask then work on initialised sets, and
        // sigprocmask fills `before`.
        let (set, before) = unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            let mut set = set.assume_init();
            for signal in signals {
                libc::sigaddset(&raw mut set, *signal);
            }
            libc::sigemptyset(before.as_mut_ptr());
            libc::sigprocmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr());
            (set, before.assume_init())
        };
        // SAFETY: `set` is initialised.
        let fd = unsafe { libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
        Ok(Self {
            fd: owned(fd)?,
            before: Mask(before),
        })
    }

    /// A descriptor to poll.
    ///
    /// # Errors
    /// No descriptor is to be had.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        self.fd.try_clone()
    }

    /// The signals that came, each with whether the kernel itself sent it (the terminal's Ctrl-C) and no process.
    #[must_use]
    pub fn pending(&self) -> Vec<(i32, bool)> {
        let mut found = Vec::new();
        loop {
            let mut info = MaybeUninit::<libc::signalfd_siginfo>::zeroed();
            let size = size_of::<libc::signalfd_siginfo>();
            // SAFETY: the buffer is as long as said.
            let read = unsafe { libc::read(self.fd.as_raw_fd(), info.as_mut_ptr().cast(), size) };
            if usize::try_from(read).ok() != Some(size) {
                return found;
            }
            // SAFETY: zeroed at first and then filled by the kernel; every bit pattern is valid.
            let info = unsafe { info.assume_init() };
            let signal = info.ssi_signo.cast_signed();
            found.push((signal, info.ssi_code == libc::SI_KERNEL));
        }
    }

    /// Bring the mask from before back, and the default disposition of SIGPIPE and of the job control signals, which
    /// this process may ignore: for a program about to be executed.
    pub fn release(&self) {
        for signal in [libc::SIGPIPE, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU] {
            // SAFETY: SIG_DFL is a valid disposition.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        // SAFETY: the mask was filled by sigprocmask.
        unsafe { libc::sigprocmask(libc::SIG_SETMASK, &raw const self.before.0, std::ptr::null_mut()) };
    }
}

/// Ignore these signals.
pub fn ignore_signals(signals: &[i32]) {
    for signal in signals {
        // SAFETY: SIG_IGN is a valid disposition.
        unsafe { libc::signal(*signal, libc::SIG_IGN) };
    }
}
