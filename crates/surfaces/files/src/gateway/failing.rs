//! Actions that fail: the session may be halted by one, and what it did may be undone before anybody sees its end.

use super::Gateway;
use super::hold::tell;
use super::tree::Node;
use rescind_model::ActionId;
use rescind_supervisor::Undo;
use rescind_supervisor::journal::{ExitForm, Role};
use std::sync::{Arc, Mutex, PoisonError};

/// An action that failed and is to be undone at once.
#[derive(Debug)]
pub(super) struct Failed {
    action: ActionId,
    why: String,
    process: i32,
}

impl Gateway {
    /// The process of a node has ended, or is about to: where its action has failed by that, the desk is told.
    pub(super) fn note_failure(&mut self, node: Node) {
        let Some((action, why)) = self.failure(node) else {
            return;
        };
        if let Some(desk) = &mut self.desk {
            let session = self.log.id();
            let choices = format!(
                "to go on: approve; to take it back first: rescind undo --only {action} --keep-running; all since the last good \
                 action: rescind undo {session} --to last-good --keep-running; to end: rescind kill {session}"
            );
            desk.failed(&format!("{action} {why}, and it fails fast"), &choices);
        }
    }

    /// The action that a node stands for and how it failed, if it did.
    fn failure(&self, node: Node) -> Option<(ActionId, String)> {
        let info = self.nodes.get(&node).filter(|info| !info.refused)?;
        let how = match info.exit? {
            ExitForm::Code(code) if code != 0 => format!("ended with exit {code}"),
            ExitForm::Signal(signal) => format!("was ended by signal {signal}"),
            _ => return None,
        };
        let own = (info.role == Some(Role::Action)).then_some(node);
        let action = self.log.id().action(info.part_of.or(own)?);
        let command = info.argv.join(" ");
        let short: String = command.chars().take(80).collect();
        Some((action, format!("`{short}` {how}")))
    }

    /// Whether what a node did is to be undone when it has ended.
    pub(super) fn is_undone_at_its_end(&self, node: Node) -> bool {
        let asked = self.nodes.get(&node).is_some_and(|info| info.auto_undo);
        asked && self.options.undo.is_some() && self.failure(node).is_some()
    }

    /// Remember that a node that is about to be over is to be undone.
    pub(super) fn undo_after(&mut self, node: Node) {
        if !self.is_undone_at_its_end(node) {
            return;
        }
        let process = self.nodes.get(&node).map_or(0, |info| info.process);
        if let Some((action, why)) = self.failure(node) {
            self.failed.push(Failed { action, why, process });
        }
    }
}

/// Undo what has failed, without holding anybody else up; whoever asked is told.
pub(super) fn undo_failed(gateway: &Arc<Mutex<Gateway>>) {
    let (failed, undo) = {
        let mut gateway = gateway.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = std::mem::take(&mut gateway.failed);
        if gateway.gate.is_killed() {
            // What was killed did not fail, and a kill starts nothing.
            return;
        }
        (failed, gateway.options.undo.clone())
    };
    let Some(undo): Option<Arc<dyn Undo>> = undo else {
        return;
    };
    for Failed { action, why, process } in failed {
        let said = match undo.undo(&action, &format!("{action} {why}")) {
            Ok(said) => format!("{action} {why}: {said}"),
            Err(said) => format!("{action} {why}, and could not be undone: {said}"),
        };
        tell(process, &said);
    }
}
