//! Who is calling: threads, processes and the nodes they belong to.
//!
//! A node is one successful exec; a process that was forked and has not exec'd yet belongs to its parent's node. A
//! process is known from its first trapped call on, by asking for its parent; parents that end normally name their
//! children first (their exit is trapped). A process whose parent was killed before anything of it was seen has no
//! known node: it is attributed to the agent, and said to be uncertain.

use crate::gateway::resolve::Viewer;
use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;

/// The number of a node in its session.
pub type Node = u64;

/// A process of the tree.
#[derive(Debug)]
pub struct Process {
    /// Its node.
    pub node: Node,
    /// Whether its root or mount namespace differs from ours.
    pub foreign: bool,
    /// A node whose exec was let through and is not confirmed, with the stack's start before it.
    pub pending: Option<Pending>,
    /// For ending and signalling without races.
    pub pidfd: Option<OwnedFd>,
}

/// An exec on its way.
#[derive(Debug)]
pub struct Pending {
    /// The node before, to fall back to.
    pub before: Node,
    /// Where the stack started before.
    pub stack: u64,
}

/// All processes of a session, by number.
#[derive(Debug, Default)]
pub struct Tree {
    processes: HashMap<i32, Process>,
    threads: HashMap<i32, i32>,
    alive: HashMap<Node, usize>,
    /// Numbers whose parent named them before it ended.
    named: HashMap<i32, Node>,
    /// The process that was asked for last, and its parent.
    asked: Option<(i32, i32)>,
}

impl Tree {
    /// The process of a thread. One `stat` tells whether a number seen before still is a thread of its process.
    pub fn process_of(&mut self, thread: i32) -> i32 {
        if self.processes.contains_key(&thread) {
            return thread;
        }
        if let Some(process) = self.threads.get(&thread)
            && std::fs::exists(format!("/proc/{process}/task/{thread}")).unwrap_or(false)
        {
            return *process;
        }
        let Some((process, parent)) = lineage(thread) else {
            return thread;
        };
        self.asked = Some((process, parent));
        if process != thread {
            self.threads.insert(thread, process);
        }
        process
    }

    /// The process, if it is known.
    pub fn get(&self, process: i32) -> Option<&Process> {
        self.processes.get(&process)
    }

    /// The process, if it is known.
    pub fn get_mut(&mut self, process: i32) -> Option<&mut Process> {
        self.processes.get_mut(&process)
    }

    /// Whether a number is a process of this tree.
    pub fn contains(&self, process: i32) -> bool {
        self.processes.contains_key(&process)
    }

    /// Find the node of a process not seen before: named by its parent, or by asking for its parents.
    pub fn find_node(&mut self, process: i32) -> Option<Node> {
        if let Some(node) = self.named.remove(&process) {
            return Some(node);
        }
        let mut at = process;
        for _ in 0..64 {
            at = match self.asked.take() {
                Some((asked, parent)) if asked == at => parent,
                _ => lineage(at)?.1,
            };
            if let Some(parent) = self.processes.get(&at) {
                return Some(parent.node);
            }
            if at <= 1 {
                return None;
            }
        }
        None
    }

    /// Take a process in.
    pub fn insert(&mut self, process: i32, entry: Process) {
        *self.alive.entry(entry.node).or_default() += 1;
        if let Some(old) = self.processes.insert(process, entry) {
            self.leave(old.node);
        }
    }

    /// A process becomes another node's. Returns the old node if nobody is left in it.
    pub fn move_to(&mut self, process: i32, node: Node) -> Option<Node> {
        let entry = self.processes.get_mut(&process)?;
        let old = std::mem::replace(&mut entry.node, node);
        *self.alive.entry(node).or_default() += 1;
        self.leave(old).then_some(old)
    }

    /// A process is gone. Returns its node, and whether nobody is left in it.
    pub fn remove(&mut self, process: i32) -> Option<(Process, bool)> {
        let entry = self.processes.remove(&process)?;
        self.threads.retain(|_, owner| *owner != process);
        let last = self.leave(entry.node);
        Some((entry, last))
    }

    fn leave(&mut self, node: Node) -> bool {
        match self.alive.get_mut(&node) {
            Some(count) if *count > 1 => {
                *count -= 1;
                false
            }
            _ => {
                self.alive.remove(&node);
                true
            }
        }
    }

    /// A process is about to end: remember which node its children belong to, while they can still be asked for.
    pub fn name_children(&mut self, process: i32, node: Node) {
        for task in tasks(process) {
            let Some(children) = proc_text(&format!("/proc/{process}/task/{task}/children")) else {
                continue;
            };
            for child in children
                .split_ascii_whitespace()
                .filter_map(|number| number.parse::<i32>().ok())
            {
                if !self.processes.contains_key(&child) {
                    self.named.insert(child, node);
                }
            }
        }
    }

    /// How many processes of the node are known to live.
    pub fn alive(&self, node: Node) -> usize {
        self.alive.get(&node).copied().unwrap_or(0)
    }

    /// Whether a process is about to run another program, and is of this node again if that fails.
    pub fn may_come_back(&self, node: Node) -> bool {
        let pending = |entry: &Process| {
            entry
                .pending
                .as_ref()
                .is_some_and(|pending| pending.before == node)
        };
        self.processes.values().any(pending)
    }

    /// All processes with their nodes.
    pub fn processes(&self) -> impl Iterator<Item = (i32, &Process)> {
        self.processes.iter().map(|(number, process)| (*number, process))
    }

    /// The view in which a thread's paths are resolved.
    pub fn viewer(&self, thread: i32, process: i32) -> Viewer {
        let foreign = self.processes.get(&process).is_some_and(|entry| entry.foreign);
        Viewer {
            thread,
            process,
            foreign,
        }
    }
}

/// The threads of a process. Most have one, which a single stat tells.
fn tasks(process: i32) -> Vec<i32> {
    let path = format!("/proc/{process}/task");
    if rustix::fs::stat(&path).is_ok_and(|found| found.st_nlink <= 3) {
        return vec![process];
    }
    let Ok(entries) = std::fs::read_dir(&path) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The text of a file of `/proc` of any length.
pub fn proc_whole(path: &str) -> Option<String> {
    std::fs::read(path)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The text of a small file of `/proc`, in one read.
pub fn proc_text(path: &str) -> Option<String> {
    let file = rustix::fs::open(
        path,
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        0.into(),
    )
    .ok()?;
    let mut bytes = vec![0_u8; 4096];
    let length = rustix::io::read(&file, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The parent of a process.
pub fn parent_of(process: i32) -> Option<i32> {
    lineage(process).map(|(_, parent)| parent)
}

/// Whether a process is stopped, as by SIGSTOP.
pub fn is_stopped(process: i32) -> bool {
    let status = proc_text(&format!("/proc/{process}/status"));
    let state = status
        .as_ref()
        .and_then(|status| status.lines().find_map(|line| line.strip_prefix("State:")));
    state.is_some_and(|state| state.trim_start().starts_with('T'))
}

/// The process of a thread; the thread itself where that can't be told.
pub fn process_of(thread: i32) -> i32 {
    lineage(thread).map_or(thread, |(process, _)| process)
}

/// The process of a thread, and that process's parent.
fn lineage(thread: i32) -> Option<(i32, i32)> {
    let status = proc_text(&format!("/proc/{thread}/status"))?;
    let number = |label: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(label))?;
        line.trim().parse().ok()
    };
    Some((number("Tgid:")?, number("PPid:")?))
}

/// Where the process's stack starts: another place after every exec.
pub fn stack_start(process: i32) -> u64 {
    let field = || {
        let stat = proc_text(&format!("/proc/{process}/stat"))?;
        // The name in parentheses may hold anything; what follows its end is plain. startstack is field 28.
        stat.rsplit_once(')')?
            .1
            .split_ascii_whitespace()
            .nth(25)?
            .parse()
            .ok()
    };
    field().unwrap_or(0)
}

/// Whether the process's root and mounts are ours.
pub fn is_foreign(process: i32) -> bool {
    static OURS: OnceLock<(Option<PathBuf>, Option<PathBuf>)> = OnceLock::new();
    let view = |who: &str| {
        let link = |what: &str| std::fs::read_link(format!("/proc/{who}/{what}")).ok();
        (link("ns/mnt"), link("root"))
    };
    let ours = OURS.get_or_init(|| view("self"));
    let theirs = view(&process.to_string());
    ours.0.is_none() || ours != &theirs
}

impl Tree {
    /// The processes of a node.
    pub fn of_node(&self, node: Node) -> Vec<i32> {
        self.processes
            .iter()
            .filter(|(_, entry)| entry.node == node)
            .map(|(number, _)| *number)
            .collect()
    }

    /// The children that a process of this node named.
    pub fn take_named(&mut self, node: Node) -> Vec<i32> {
        let children: Vec<i32> = self
            .named
            .iter()
            .filter(|(_, owner)| **owner == node)
            .map(|(child, _)| *child)
            .collect();
        for child in &children {
            self.named.remove(child);
        }
        children
    }
}
