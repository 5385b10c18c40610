//! The agent's own writes: they come in stretches, each an action of its own.

use super::Gateway;
use super::look;
use super::nodes::NodeInfo;
use super::touch::CellKey;
use super::tree::Node;
use rescind_supervisor::journal::{EnvironmentForm, ExitForm, NodeStarted, Role};
use rescind_supervisor::{now, salt};
use std::collections::HashSet;
use std::time::{Duration, Instant};

/// The agent's own writes are one action until it is quiet for this long.
const QUIET: Duration = Duration::from_secs(2);

impl Gateway {
    /// Whose effect a touch by this node is: the agent's own writes come in stretches, each an action of its own.
    pub fn acting_node(&mut self, node: Node) -> Node {
        if Some(node) != self.agent {
            return node;
        }
        if let Some(direct) = self.direct {
            if let Some(info) = self.nodes.get_mut(&direct) {
                info.last = Some(Instant::now());
            }
            return direct;
        }
        let Some(agent) = self.nodes.get(&node) else {
            return node;
        };
        if self.last_node == node {
            // It has started nothing yet: what it writes is its own node's.
            return node;
        }
        let n = self.last_node + 1;
        let record = NodeStarted {
            n,
            parent: node,
            role: Role::Direct,
            time: now().to_string(),
            salt: salt(),
            pid: agent.process,
            exe: agent.exe.clone(),
            argv: agent.argv.clone(),
            cwd: agent.cwd.clone(),
            env: EnvironmentForm::default(),
            reasoning: None,
            judged: None,
        };
        let info = NodeInfo {
            role: Some(Role::Direct),
            last: Some(Instant::now()),
            ..NodeInfo::default()
        };
        if self.flush().is_err() || self.log.start(&record).is_err() {
            return node;
        }
        self.last_node = n;
        self.nodes.insert(n, info);
        self.gate.note_action(n, true);
        self.direct = Some(n);
        n
    }

    /// The agent's stretch of own writes is over.
    pub fn end_direct(&mut self) {
        if let Some(direct) = self.direct.take() {
            self.hand_over_open(direct);
            self.finish(direct, ExitForm::Unknown);
        }
    }

    /// What the agent still holds open for writing when a stretch ends, and what calls are about to change that were let
    /// go on, goes on: it becomes the agent's own, and is read when that is over.
    fn hand_over_open(&mut self, direct: Node) {
        let Some(agent) = self.agent else { return };
        // Before the descriptors: what has been opened by then is among them.
        self.flying.retain(|thread, _| !look::is_quiet(*thread));
        let flying: HashSet<CellKey> = self.flying.drain().flat_map(|(_, keys)| keys).collect();
        let held = look::open_for_writing(self.processes_behind(direct));
        let Some(info) = self.nodes.get_mut(&direct) else {
            return;
        };
        for key in std::mem::take(&mut info.cells) {
            let open = flying.contains(&key)
                || self
                    .identity_at(&key)
                    .is_some_and(|inode| held.as_ref().is_none_or(|held| held.contains(&inode)));
            let owner = if open { agent } else { direct };
            if open && let Some(cell) = self.cells.get_mut(&key).filter(|cell| cell.node == direct) {
                cell.node = agent;
                if !cell.closed && cell.settled.take().is_some() {
                    self.unsettled.push(key.clone());
                }
            }
            if let Some(info) = self.nodes.get_mut(&owner) {
                info.cells.push(key);
            }
        }
        self.last_folder = None;
    }

    /// The processes that act for a node: the agent's own for its stretches of direct writes.
    pub fn processes_behind(&self, node: Node) -> Vec<i32> {
        let role = self.nodes.get(&node).and_then(|info| info.role);
        if role == Some(Role::Direct) || Some(node) == self.agent {
            // What the agent opens it may hand to any program that it starts.
            return self.tree.processes().map(|(number, _)| number).collect();
        }
        self.tree.of_node(node)
    }

    /// End a stretch that has been quiet.
    pub fn end_quiet(&mut self) {
        let quiet = self.direct.and_then(|direct| self.nodes.get(&direct)?.last);
        if quiet.is_some_and(|last| last.elapsed() > QUIET) {
            self.end_direct();
        }
    }
}
