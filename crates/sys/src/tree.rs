//! Process trees: who is below whom, and ending or stopping all of them (proc(5)).

use crate::process::{pidfd_open, pidfd_signal};
use std::collections::HashSet;
use std::os::fd::AsFd as _;

/// A process below another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Below {
    /// Its number.
    pub pid: i32,
    /// Its parent's.
    pub parent: i32,
    /// Its state: R, S, D, T, t, I.
    pub state: char,
}

impl Below {
    /// Whether a signal has stopped it, or a tracer.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        matches!(self.state, 'T' | 't')
    }
}

/// State and parent of a process, and the time of its start in ticks since boot. `None` where it is gone.
#[must_use]
pub fn process_stat(pid: i32) -> Option<(char, i32, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some((state, parent, fields.nth(17)?.parse().ok()?))
}

/// Whether the process with this number and this start lives: some thread of it does.
#[must_use]
pub fn process_lives(pid: i32, start: u64) -> bool {
    match process_stat(pid) {
        Some((state, _, since)) => since == start && !(is_dead(state) && threads(pid).len() <= 1),
        None => false,
    }
}

fn is_dead(state: char) -> bool {
    matches!(state, 'Z' | 'X' | 'x')
}

fn threads(pid: i32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    let number = |entry: std::io::Result<std::fs::DirEntry>| entry.ok()?.file_name().to_str()?.parse().ok();
    entries.filter_map(number).collect()
}

/// All living processes below `root`. A process whose first thread has ended lives as long as another one does. What is not
/// found because it moved while it was looked for is found the next time.
#[must_use]
pub fn descendants(root: i32) -> Vec<Below> {
    children(root).unwrap_or_else(|| everybody(root))
}

/// By the kernel's lists of children. `None` where it keeps none.
fn children(root: i32) -> Option<Vec<Below>> {
    let mut found: Vec<Below> = Vec::new();
    let mut seen = HashSet::from([root]);
    let mut next = vec![root];
    let mut lists = false;
    while let Some(parent) = next.pop() {
        for thread in threads(parent) {
            let Ok(list) = std::fs::read_to_string(format!("/proc/{parent}/task/{thread}/children")) else {
                continue;
            };
            lists = true;
            for pid in list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()) {
                if !seen.insert(pid) {
                    continue;
                }
                let Some((state, _, _)) = process_stat(pid) else {
                    continue;
                };
                let dead = is_dead(state);
                if !dead || threads(pid).len() > 1 {
                    let state = if dead { 'S' } else { state };
                    found.push(Below { pid, parent, state });
                }
                // Those of one that is about to end move to whoever adopts them.
                next.push(pid);
            }
        }
    }
    (lists || process_stat(root).is_none()).then_some(found)
}

/// By asking every process for its parent.
fn everybody(root: i32) -> Vec<Below> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let all: Vec<Below> = entries
        .filter_map(|entry| {
            let pid: i32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
            let (state, parent, _) = process_stat(pid)?;
            Some(Below { pid, parent, state })
        })
        .collect();
    let mut found: Vec<Below> = Vec::new();
    let mut next = vec![root];
    while let Some(parent) = next.pop() {
        let below = all.iter().filter(|process| process.parent == parent);
        for process in below {
            next.push(process.pid);
            if !is_dead(process.state) || threads(process.pid).len() > 1 {
                found.push(*process);
            }
        }
    }
    found
}

/// Send a signal to all living processes below `root` that are for it; never to one that merely got the number of one that has
/// ended. Returns all that were found.
pub fn signal_below(root: i32, signal: i32, is_for: impl Fn(&Below) -> bool) -> Vec<Below> {
    let found = descendants(root);
    let numbers: HashSet<i32> = found.iter().map(|process| process.pid).collect();
    for process in found.iter().filter(|process| is_for(process)) {
        let Ok(pidfd) = pidfd_open(process.pid) else {
            continue;
        };
        let parent = process_stat(process.pid).map(|(_, parent, _)| parent);
        if parent
            .is_some_and(|parent| parent == root || parent == process.parent || numbers.contains(&parent))
        {
            let _gone = pidfd_signal(pidfd.as_fd(), signal);
        }
    }
    found
}

/// One round of ending all below `root`: what it forked meanwhile, and what the end of others made fatherless, is for the next
/// one. Whether nothing was found.
#[must_use]
pub fn end_below(root: i32) -> bool {
    signal_below(root, libc::SIGKILL, |_| true).is_empty()
}
