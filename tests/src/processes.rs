//! Processes, as `/proc` shows them.

use std::collections::BTreeSet;
use std::fs;

/// A process that was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// Its name, as in `/proc/PID/comm`.
    pub name: String,
    /// R, S, D, T, Z, ...
    pub state: char,
}

fn all() -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter_map(|pid| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            let (head, rest) = stat.rsplit_once(')')?;
            let name = head.split_once('(')?.1.to_owned();
            let mut fields = rest.split_whitespace();
            let state = fields.next()?.chars().next()?;
            let parent = fields.next()?.parse().ok()?;
            Some(Process {
                pid,
                parent,
                name,
                state,
            })
        })
        .collect()
}

/// Everything below `pid`, itself not included, zombies not included.
pub fn descendants(pid: i32) -> Vec<Process> {
    let all = all();
    let mut inside = BTreeSet::from([pid]);
    loop {
        let before = inside.len();
        let below: Vec<i32> = all
            .iter()
            .filter(|it| inside.contains(&it.parent))
            .map(|it| it.pid)
            .collect();
        inside.extend(below);
        if inside.len() == before {
            break;
        }
    }
    all.into_iter()
        .filter(|it| it.pid != pid && it.state != 'Z' && inside.contains(&it.pid))
        .collect()
}

/// The descendant of `pid` with this name.
pub fn process_named(pid: i32, name: &str) -> Option<Process> {
    descendants(pid).into_iter().find(|process| process.name == name)
}

/// Send a signal; whether there was such a process.
pub fn kill(pid: i32, signal: i32) -> bool {
    assert!(pid > 1, "no process of ours");
    // SAFETY: kill(2) takes two numbers and touches no memory of ours.
    unsafe { libc::kill(pid, signal) == 0 }
}
