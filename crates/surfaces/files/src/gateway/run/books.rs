//! What is still open when the agent or its last process has ended, and what is said of the run then.

use super::Finished;
use crate::gateway::Gateway;
use rescind_supervisor::journal::ExitForm;
use rescind_sys::ExitStatus;
use std::collections::BTreeMap;

impl Gateway {
    /// Close every node that is open: nothing of the tree is left.
    pub(super) fn finish_all(&mut self) {
        self.end_direct();
        let mut open: Vec<u64> = self.nodes.keys().copied().collect();
        open.sort_unstable();
        for node in open {
            let exit = self
                .nodes
                .get(&node)
                .and_then(|info| info.exit)
                .unwrap_or(ExitForm::Unknown);
            if node == 0 {
                self.finish_root();
            } else {
                self.finish(node, exit);
            }
        }
    }

    fn finish_root(&mut self) {
        let Some(info) = self.nodes.remove(&0) else { return };
        for key in &info.cells {
            if self.cells.get(key).is_some_and(|cell| cell.node == 0) && self.close(key, None).is_err() {
                break;
            }
        }
        let _in_doubt_if_it_fails = self.flush();
    }

    /// How the agent's process ended, which its reaper alone knows for sure.
    pub(super) fn agent_process_ended(&mut self, process: i32, exit: ExitForm) {
        let own = self.nodes.values_mut().filter(|info| info.process == process);
        for info in own.filter(|info| !matches!(info.exit, Some(ExitForm::Exec(_)))) {
            info.exit = Some(exit);
        }
    }

    pub(super) fn changed(&self) -> u64 {
        self.cells.values().filter(|cell| !cell.passing).count() as u64 + self.waiting.looking.taken()
    }

    pub(super) fn summary(&self, exit: ExitStatus, empty: bool) -> Finished {
        let list = |map: &BTreeMap<(String, String), u64>| {
            map.iter()
                .map(|((what, why), count)| (what.clone(), why.clone(), *count))
                .collect()
        };
        Finished {
            exit,
            changed: self.changed(),
            missing: list(&self.missing),
            refused: list(&self.refusals),
            escapes: list(&self.escapes),
            background: if empty { 0 } else { self.tree.processes().count() },
        }
    }
}
