//! Stopping a running session: its supervisor is told, then killed; its guardian ends the tree.

use super::settle::settle;
use crate::context::pid_of;
use crate::error::{Code, Done, Failure};
use rescind_model::{Level, SessionId};
use rescind_supervisor::control::{end_members, members};
use rescind_supervisor::journal::SessionKind;
use rescind_supervisor::{SessionView, Store, StoreError, lives};
use rescind_sys::{pidfd_open, pidfd_signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// What a supervisor takes as a word from us to end its tree: what terminals and `kill` send goes to the agent.
const SIGQUIT: i32 = 3;
const SIGKILL: i32 = 9;
/// How long a supervisor may take to end by itself.
const GRACE: Duration = Duration::from_secs(1);
/// How long after the last record of a session a call that was let through may still have taken effect, should the
/// guardian have been killed, too.
const IN_FLIGHT: Duration = Duration::from_millis(250);
/// How long a supervisor may take to close its books.
const BOOKS: Duration = Duration::from_secs(2);
/// How long the guardian may take to end the tree.
const TREE: Duration = Duration::from_secs(5);

/// End a running session's whole tree, and finish its books. When it returns, no process of the tree runs any more.
/// With `now` the supervisor is not given the time to end by itself.
///
/// # Errors
/// The session is not running, or processes of it go on.
pub fn stop(store: &Store, id: &SessionId, now: bool) -> Done<()> {
    let view = SessionView::load(store, id)?;
    let mark = &view.opened.supervisor;
    if !lives(mark) {
        return Err(Failure::new(
            Code::NotRunning,
            format!("session {id} is not running"),
        ));
    }
    if let Some(pid) = pid_of(mark).and_then(|pid| i32::try_from(pid).ok()) {
        end(pid, mark, if now { &[SIGKILL] } else { &[SIGQUIT, SIGKILL] })?;
    }
    let left = wait_for_tree(id);
    if !left.is_empty() {
        let numbers: Vec<String> = left.iter().map(ToString::to_string).collect();
        let message = format!("processes {} of session {id} are still there", numbers.join(", "));
        return Err(Failure::new(Code::NotStopped, message)
            .means("they may still write to files that are open; no new call of theirs is let through")
            .help("end them with `kill -9`, then give the command again"));
    }
    finish(store, id)?;
    // Its supervisor may have been made to end before it could revoke them.
    crate::credentials::sweep(store, GRACE);
    Ok(())
}

/// The books of a session whose tree has ended: its supervisor closes them, and is waited for, not for long; where it is gone
/// we do. Its credentials are left to the caller.
///
/// # Errors
/// There is no such session, or its books can't be closed.
pub fn close_books(store: &Store, id: &SessionId) -> Done<()> {
    let begun = rescind_supervisor::opened(store, id)?;
    if let Some(process) = pid_of(&begun.supervisor)
        .and_then(|pid| pidfd_open(i32::try_from(pid).ok()?).ok())
        .filter(|_| lives(&begun.supervisor))
        && !ended(process.as_fd(), BOOKS)
    {
        return Ok(());
    }
    if rescind_supervisor::unended(store)?.contains(id) {
        finish(store, id)?;
    }
    Ok(())
}

/// Record what it left, right after its end, and close its books.
fn finish(store: &Store, id: &SessionId) -> Done<()> {
    match store.resume(id, Level::Process) {
        // Another command is at its books.
        Err(StoreError::Vault(rescind_vault::Error::Busy { .. })) => {}
        log => settle(store, &log?, None)?,
    }
    rescind_supervisor::finish_books(store)?;
    Ok(())
}

/// For each run whose supervisor died: see that nothing of its tree is left, and record what it left where that can be
/// told. To be done before its books are finished.
///
/// # Errors
/// The ledger can't be read. A session that can't be read is left as it is.
pub fn settle_dead(store: &Store) -> Done<()> {
    for id in rescind_supervisor::unended(store)? {
        let Ok(begun) = rescind_supervisor::opened(store, &id) else {
            continue;
        };
        if begun.kind != SessionKind::Run || lives(&begun.supervisor) || !wait_for_tree(&id).is_empty() {
            continue;
        }
        // The guardian sets its time once the tree has ended.
        let written = std::fs::metadata(store.home().journal(&id))
            .and_then(|found| found.modified())
            .ok();
        let written = written.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let (Some(written), Ok(Some(log))) = (written, store.try_resume(&id, Level::Process)) else {
            continue;
        };
        let until = i64::try_from((written + IN_FLIGHT).as_nanos()).unwrap_or(i64::MAX);
        // Where it fails the effects stay in doubt, and an undo asks.
        let _in_doubt = settle(store, &log, Some(until));
    }
    Ok(())
}

/// Wait, not for long, for another command that is at the books of this session, so that what is read of it is whole.
///
/// # Errors
/// The ledger can't be read.
pub fn wait_for_books(store: &Store, id: &SessionId) -> Done<()> {
    let begun = Instant::now();
    loop {
        let dead = rescind_supervisor::unended(store)?.contains(id)
            && rescind_supervisor::opened(store, id)
                .is_ok_and(|begun| begun.kind == SessionKind::Run && !lives(&begun.supervisor));
        if !dead || begun.elapsed() > GRACE {
            return Ok(());
        }
        settle_dead(store)?;
        rescind_supervisor::finish_books(store)?;
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// SIGQUIT, and SIGKILL where that is not enough, both through a descriptor of the very process.
fn end(pid: i32, mark: &str, signals: &[i32]) -> Done<()> {
    let Ok(process) = pidfd_open(pid) else {
        return Ok(());
    };
    if !lives(mark) {
        return Ok(());
    }
    for signal in signals {
        if let Err(error) = pidfd_signal(process.as_fd(), *signal) {
            if !lives(mark) {
                return Ok(());
            }
            let message = format!("the supervisor, process {pid}, can't be stopped: {error}");
            return Err(Failure::new(Code::NotStopped, message).means("it goes on, and nothing was changed"));
        }
        if ended(process.as_fd(), GRACE) {
            return Ok(());
        }
    }
    Err(Failure::new(
        Code::NotStopped,
        format!("the supervisor, process {pid}, does not end"),
    ))
}

fn ended(process: BorrowedFd<'_>, within: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: within.as_secs().cast_signed(),
        tv_nsec: within.subsec_nanos().into(),
    };
    let mut polled = [PollFd::new(&process, PollFlags::IN)];
    matches!(poll(&mut polled, Some(&timeout)), Ok(count) if count > 0)
}

/// Wait until no process says in its environment that it is of the session; those that are left.
fn wait_for_tree(id: &SessionId) -> Vec<i32> {
    let begun = Instant::now();
    loop {
        if end_members(id.as_str()) {
            return Vec::new();
        }
        if begun.elapsed() > TREE {
            return members(id.as_str());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}
