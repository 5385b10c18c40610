//! How nodes end: their processes exit, are gone, or become other programs; what they left is read and recorded.

use super::Gateway;
use super::look;
use super::nodes::NodeInfo;
use super::touch::{CellKey, Touched};
use super::tree::{Node, stack_start};
use rescind_supervisor::journal::{ExitForm, NodeEnded, OutputForm, Role};
use rescind_supervisor::now;
use rescind_sys::{Answer, ExitStatus};
use std::collections::HashSet;
use std::os::fd::AsFd as _;

impl Gateway {
    /// Whether an exec that was let go on has happened: told by the stack, which every exec puts elsewhere.
    pub fn confirm_exec(&mut self, process: i32) {
        let Some(pending) = self.tree.get_mut(process).and_then(|entry| entry.pending.take()) else {
            return;
        };
        if stack_start(process) != pending.stack {
            let node = self.tree.get(process).map_or(0, |entry| entry.node);
            self.became(process, pending.before, node);
            return;
        }
        let node = self.tree.get(process).map_or(0, |entry| entry.node);
        self.tree.move_to(process, pending.before);
        self.finish(node, ExitForm::NotStarted);
        if self.agent == Some(node) {
            let was = self.nodes.get(&pending.before).and_then(|info| info.role);
            self.agent = (was == Some(Role::Agent)).then_some(pending.before);
        }
    }

    /// A process runs another program now, which is this node: what it writes from here on, and how it ends, is that node's.
    fn became(&mut self, process: i32, before: Node, node: Node) {
        let Some(was) = self.nodes.get_mut(&before).filter(|_| before != 0) else {
            return;
        };
        let exit = was.exit.unwrap_or(ExitForm::Exec(node));
        if was.process == process {
            let action = was.role == Some(Role::Action);
            let part_of = was.part_of.or(action.then_some(before));
            was.exit = Some(ExitForm::Exec(node));
            let auto_undo = was.auto_undo;
            if let Some(info) = self.nodes.get_mut(&node) {
                info.part_of = part_of;
                info.auto_undo |= auto_undo;
            }
            self.watch.hand_over(before, node);
        }
        if self.tree.alive(before) == 0 {
            self.finish(before, exit);
        }
    }

    /// A process is about to end by itself.
    pub fn exit(&mut self, process: i32, code: i32) -> Option<Answer> {
        let Some(node) = self.tree.get(process).map(|entry| entry.node) else {
            return Some(Answer::Continue);
        };
        self.tree.name_children(process, node);
        for child in self.tree.take_named(node) {
            self.take_in(child, node);
        }
        let info = self.nodes.entry(node).or_default();
        let is_main = info.process == process;
        if is_main {
            info.exit = Some(ExitForm::Code(code & 0xff));
        }
        let exit = info.exit.unwrap_or(ExitForm::Unknown);
        if is_main {
            self.note_failure(node);
        }
        if self.tree.alive(node) == 1 && !self.tree.may_come_back(node) {
            let drains = is_main && self.watch.drain(node).is_some_and(|drain| !drain.is_done());
            if drains || self.is_to_be_read_again(node) || self.is_undone_at_its_end(node) {
                return None;
            }
            self.finish(node, exit);
        }
        Some(Answer::Continue)
    }

    /// Hear which processes have ended, without waiting for any.
    pub(super) fn hear_of_ends(&mut self) {
        for process in self.watch.ended() {
            let pidfd = self.tree.get(process).and_then(|entry| entry.pidfd.as_ref());
            let status = pidfd.and_then(|pidfd| {
                rescind_sys::exit_status(pidfd.as_fd()).or_else(|| rescind_sys::zombie_status(process))
            });
            let status = status.map(|status| match status {
                ExitStatus::Exited(code) => ExitForm::Code(code),
                ExitStatus::Signaled(signal) => ExitForm::Signal(signal),
                ExitStatus::Stopped(_) | ExitStatus::Continued => ExitForm::Unknown,
            });
            self.gone(process, status);
        }
    }

    /// A process is gone, however it ended.
    pub fn gone(&mut self, process: i32, status: Option<ExitForm>) {
        let Some((entry, last)) = self.tree.remove(process) else {
            return;
        };
        if let Some(pending) = &entry.pending {
            // Nobody can tell any more whether it came to run: the node says so by its own end.
            self.became(process, pending.before, entry.node);
        }
        if self
            .nodes
            .get(&entry.node)
            .is_some_and(|info| info.process == process)
        {
            self.void_hold(entry.node);
        }
        if let Some(info) = self.nodes.get_mut(&entry.node)
            && info.process == process
            && info.exit.is_none()
        {
            info.exit = status;
            self.note_failure(entry.node);
        }
        if last && !self.tree.may_come_back(entry.node) {
            let exit = self
                .nodes
                .get(&entry.node)
                .and_then(|info| info.exit)
                .unwrap_or(ExitForm::Unknown);
            self.finish(entry.node, exit);
        }
    }

    /// A node is over: what it left is read and recorded. Does nothing the second time.
    pub fn finish(&mut self, node: Node, exit: ExitForm) {
        if Some(node) == self.agent {
            self.end_direct();
        }
        self.void_hold(node);
        self.undo_after(node);
        let Some(info) = self.nodes.remove(&node) else {
            return;
        };
        if matches!(info.role, Some(Role::Action | Role::Direct)) {
            self.gate.note_action(node, false);
        }
        self.hand_down(node, &info);
        for key in &info.cells {
            let own = self.cells.get(key).is_some_and(|cell| cell.node == node);
            // A cell that can't be recorded stays in doubt: the undo reads its state.
            let recorded = if own {
                self.close(key, None)
            } else {
                self.let_go(key, Some(node))
            };
            if recorded.is_err() {
                break;
            }
        }
        self.last_folder = None;
        let _known_from_the_effects_else = self.record_gone();
        self.look_for_flapping(node, &info.cells);
        let changed = |key: &&CellKey| self.cells.get(*key).is_some_and(|cell| !cell.passing);
        let effects = info.cells.iter().filter(changed).count() as u64 + info.ways_taken;
        self.tell_desk(node, exit, effects);
        let output = match exit {
            ExitForm::Exec(_) => OutputForm {
                gap: Some("it became another program, and what that wrote is recorded there".to_owned()),
                ..OutputForm::default()
            },
            _ => self.watch.end(node, &self.log),
        };
        let record = NodeEnded {
            n: node,
            time: now().to_string(),
            exit,
            output,
            effects,
            missing: info.missing.into_iter().collect(),
        };
        let _in_doubt_if_it_fails = self.flush().and_then(|()| self.log.end(&record));
    }

    /// What a node has opened for writing may be held by what it started, and still be written when the node is over
    /// (`server > log &`, `exec server > log`): its effect goes on until they end.
    fn hand_down(&mut self, node: Node, info: &NodeInfo) {
        let heirs = self.living(&info.heirs);
        if heirs.is_empty() {
            return;
        }
        if let Some(above) = self.nodes.get_mut(&info.parent) {
            above.heirs.extend(&heirs);
        }
        // What they leave behind in turn goes to whoever is above now.
        for heir in &heirs {
            if let Some(heir) = self.nodes.get_mut(heir).filter(|heir| heir.parent == node) {
                heir.parent = info.parent;
            }
        }
        let goes_on = |cell: &&Touched| cell.node == node && !cell.closed;
        let open = |key: &&CellKey| self.cells.get(key).as_ref().is_some_and(goes_on);
        let open: Vec<CellKey> = info.cells.iter().filter(open).cloned().collect();
        if open.is_empty() {
            return;
        }
        let held: Vec<_> = heirs
            .iter()
            .map(|heir| (*heir, look::open_for_writing(self.tree.of_node(*heir))))
            .collect();
        for key in open {
            let Some(inode) = self.identity_at(&key) else {
                continue;
            };
            let holds = |held: &Option<HashSet<_>>| held.as_ref().is_none_or(|held| held.contains(&inode));
            let mut holders = held.iter().filter(|(_, held)| holds(held)).map(|(heir, _)| *heir);
            if let Some(first) = holders.next() {
                let others = holders.collect();
                self.goes_on_with(key, first, others);
            }
        }
        self.last_folder = None;
    }

    /// A cell is what this node may still change, and after it the others.
    fn goes_on_with(&mut self, key: CellKey, heir: Node, others: Vec<Node>) {
        if let Some(cell) = self.cells.get_mut(&key) {
            cell.node = heir;
            if cell.settled.take().is_some() {
                self.unsettled.push(key.clone());
            }
        }
        if let Some(heir) = self.nodes.get_mut(&heir) {
            heir.cells.push(key);
            heir.heirs.extend(others);
        }
    }

    /// Those of these nodes that live, and those below them: a process that has just gone on as another program is no
    /// more of the node that it was.
    fn living(&self, heirs: &[Node]) -> Vec<Node> {
        let mut found: Vec<Node> = Vec::new();
        let mut next: Vec<Node> = heirs.to_vec();
        while let Some(node) = next.pop() {
            let Some(info) = self.nodes.get(&node).filter(|_| !found.contains(&node)) else {
                continue;
            };
            found.push(node);
            next.extend(&info.heirs);
        }
        found.sort_unstable();
        found
    }

    /// Limits are settled with what an action really used.
    pub(super) fn tell_desk(&mut self, node: Node, exit: ExitForm, files: u64) {
        if let Some(desk) = &mut self.desk {
            desk.ended(node, (exit != ExitForm::NotStarted).then_some(files));
        }
    }
}
