//! The guardian: the reaper of a run's orphans, who ends the whole tree when the supervisor dies.

use super::{Launch, Message, SignalGate, become_agent, let_go_of_stdio};
use rescind_sys::{ExitStatus, Fork};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::ffi::OsString;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

/// The guardian's life.
pub(super) fn guard(supervisor: &UnixStream, agent_socket: OwnedFd, launch: &Launch, signals: &SignalGate) {
    rescind_sys::set_name("guardian");
    let _subreaper = rescind_sys::adopt_orphans();
    let agent = match rescind_sys::fork() {
        Ok(Fork::Child) => become_agent(agent_socket, launch, signals),
        Ok(Fork::Parent(pid)) => pid,
        Err(_) => return,
    };
    drop(agent_socket);
    let _untraceable = rescind_sys::become_untraceable();
    let_go_of_stdio();
    let _told = Message::Started(agent).send(supervisor);
    // It does little, and a kill waits for it.
    let _first = rescind_sys::ComesFirst::now();
    let mut alone = false;
    loop {
        let mut fds = [
            PollFd::new(supervisor, PollFlags::IN),
            PollFd::from_borrowed_fd(signals.fd.as_fd(), PollFlags::IN),
        ];
        let second = Timespec {
            tv_sec: 1,
            tv_nsec: 0,
        };
        let _timeout = poll(&mut fds, Some(&second));
        let word = fds.first().is_some_and(|fd| !fd.revents().is_empty());
        signals.pending();
        let message = if alone {
            Ok(None)
        } else if word {
            Message::receive(supervisor)
        } else {
            Ok(Some(Message::Continued))
        };
        match message {
            Ok(Some(Message::Started(_) | Message::Continued)) => {}
            Ok(Some(_)) => end_tree(),
            Ok(None) | Err(_) => {
                alone = true;
                end_tree();
                mark_the_end(&launch.journal);
            }
        }
        if tell_of_children(supervisor, agent) {
            let _told = Message::Empty.send(supervisor);
            if alone {
                run_afterwards(&launch.afterwards, signals);
            }
            return;
        }
    }
}

/// What is left to be done when the supervisor could not do it. It is not waited for: the guardian ends.
fn run_afterwards(command: &[OsString], signals: &SignalGate) {
    let Some((program, arguments)) = command.split_first() else {
        return;
    };
    signals.release();
    let _the_next_command_does_it_else = Command::new(program).args(arguments).process_group(0).spawn();
}

/// Nobody else is left to say when the tree ended; this needs no room on the disk.
fn mark_the_end(journal: &std::path::Path) {
    let now = rustix::fs::Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    let times = rustix::fs::Timestamps {
        last_access: now,
        last_modification: now,
    };
    let _doubt_stays_then =
        rustix::fs::utimensat(rustix::fs::CWD, journal, &times, rustix::fs::AtFlags::empty());
}

/// Tell the supervisor what became of the agent; true when no child is left.
fn tell_of_children(supervisor: &UnixStream, agent: i32) -> bool {
    loop {
        let (pid, status) = match rescind_sys::reap() {
            Ok(Some(found)) => found,
            Ok(None) => return false,
            Err(error) => return error.raw_os_error() == Some(libc::ECHILD),
        };
        if pid != agent {
            continue;
        }
        let message = match status {
            ExitStatus::Exited(code) => Message::Exited(code),
            ExitStatus::Signaled(signal) => Message::Signaled(signal),
            ExitStatus::Stopped(signal) => Message::Stopped(signal),
            ExitStatus::Continued => Message::Continued,
        };
        let _told = message.send(supervisor);
    }
}

/// Between two rounds what was killed gets the processor to end.
const ROUND: Duration = Duration::from_micros(500);

/// Kill everything below this process until nothing is left. Orphans come to us, so each round finds what the one
/// before made fatherless; a tree that forks faster than one round is overtaken because the killed don't fork.
fn end_tree() {
    let own = std::process::id().cast_signed();
    while !rescind_sys::end_below(own) {
        std::thread::sleep(ROUND);
    }
}

/// The same from the supervisor, when the guardian is gone: it is the next reaper, having adopted orphans itself.
pub fn end_tree_from_here() {
    end_tree();
}
