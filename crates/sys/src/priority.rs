//! Who comes first where there is more to do than processors to do it (sched(7)).

use std::io;

/// What a thread starts takes its turn (`SCHED_RESET_ON_FORK`, sched(7)).
const NOT_INHERITED: i32 = 0x4000_0000;

/// How a thread that comes first is placed among those that share the processor in turns, where it may not come before them all.
const FIRST: i32 = -20;

/// As long as it lives, the thread that made it comes before all that take turns; what that thread starts does not. Where the
/// kernel does not let us (CAP_SYS_NICE, RLIMIT_RTPRIO), nothing changes.
#[derive(Debug)]
pub struct ComesFirst {
    /// The place in turn before, where that was changed.
    place: Option<i32>,
    real_time: bool,
    /// It is the thread's that made it.
    _own: std::marker::PhantomData<*const ()>,
}

impl ComesFirst {
    /// For the calling thread. It is to do little at a time, and to sleep where it waits.
    #[must_use]
    pub fn now() -> Self {
        let real_time = schedule(libc::SCHED_RR | NOT_INHERITED, 1).is_ok();
        let before = place();
        let placed = !real_time && before != FIRST && set_place(FIRST).is_ok();
        if placed {
            let _inherited_then = schedule(libc::SCHED_OTHER | NOT_INHERITED, 0);
        }
        Self {
            place: placed.then_some(before),
            real_time,
            _own: std::marker::PhantomData,
        }
    }
}

impl Drop for ComesFirst {
    fn drop(&mut self) {
        if self.real_time || self.place.is_some() {
            let _stays_first = schedule(libc::SCHED_OTHER, 0);
        }
        if let Some(place) = self.place {
            let _stays_first = set_place(place);
        }
    }
}

fn schedule(policy: i32, priority: i32) -> io::Result<()> {
    let parameters = libc::sched_param {
        sched_priority: priority,
    };
    // SAFETY: the pointer is to a live structure; 0 is the calling thread.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const parameters) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The calling thread's nice value.
fn place() -> i32 {
    // SAFETY: plain numbers; -1 is a value, too, and taken as such.
    unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) }
}

fn set_place(place: i32) -> io::Result<()> {
    // SAFETY: plain numbers.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, place) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn policy() -> i64 {
        // SAFETY: plain numbers.
        unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) }
    }

    #[test]
    fn it_ends_with_its_guard_and_is_left_to_nobody() {
        let before = (policy(), place());
        let first = ComesFirst::now();
        let (during, real_time) = ((policy(), place()), first.real_time);
        if real_time {
            assert_eq!(
                during.0,
                i64::from(libc::SCHED_RR | NOT_INHERITED),
                "it comes before all that take turns"
            );
        }
        let child = std::thread::spawn(|| (policy(), place())).join().unwrap();
        if real_time {
            assert_eq!(child, before);
        }
        drop(first);
        assert_eq!((policy(), place()), before);
    }
}
