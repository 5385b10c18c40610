//! Reading again: what a person has let go, before it runs; and what every command left, when it is over.

use super::{Read, Readings};
use crate::gateway::Gateway;
use crate::gateway::hold::tell;
use crate::gateway::tree::Node;
use rescind_model::{Digest, Fields, State, Value};
use rescind_supervisor::holds::Closed;
use rescind_supervisor::journal::{AfterForm, ExitForm, Record, StateForm};
use rescind_supervisor::{Looks, PathState};
use std::sync::Arc;

/// What is to be read when a command is over.
pub(in crate::gateway) struct Again {
    node: Node,
    looks: Arc<dyn Looks>,
    reads: Vec<Read>,
}

impl Again {
    /// Read the states, one after the other.
    pub(in crate::gateway) fn read(&self) -> Readings {
        let look = |read: &Read| self.looks.look(&read.way, &read.around);
        self.reads.iter().map(look).collect()
    }
}

impl Gateway {
    /// What a person let go is read once more: if it has moved since it was shown, their word counts for nothing. `None`:
    /// not read yet.
    pub(in crate::gateway) fn after_another_look(&mut self, node: Node, how: Closed) -> Option<Closed> {
        let reads = self.nodes.get(&node).map_or(&[][..], |info| info.ways.as_slice());
        if how != Closed::Approved || reads.is_empty() {
            return Some(how);
        }
        match self.waiting.looking.approved.get(&node) {
            Some(None) => return None,
            Some(Some(true)) => return Some(how),
            Some(Some(false)) => {
                let process = self.nodes.get(&node).map_or(0, |info| info.process);
                tell(
                    process,
                    "what it is about to change has moved since it was shown: the approval counts for nothing",
                );
                return Some(Closed::Void);
            }
            None => {}
        }
        let looks = self.options.looks.clone()?;
        let ways = reads.iter().map(|read| Ok(read.way.clone())).collect();
        let around = reads.first().map(|read| read.around.clone()).unwrap_or_default();
        let begun = self.waiting.looking.read(node, &looks, ways, around, false);
        self.waiting
            .looking
            .approved
            .insert(node, begun.is_err().then_some(false));
        None
    }

    /// Whether a command has changed something elsewhere that is to be read again.
    pub(in crate::gateway) fn is_to_be_read_again(&self, node: Node) -> bool {
        self.nodes.get(&node).is_some_and(|info| !info.ways.is_empty())
    }

    /// What is to be read before the exit of this thread's process goes on.
    pub(in crate::gateway) fn take_what_to_read_again(&mut self, thread: i32) -> Option<Again> {
        let process = self.tree.process_of(thread);
        let node = self.tree.get(process)?.node;
        let last = self.tree.alive(node) == 1;
        let info = self
            .nodes
            .get_mut(&node)
            .filter(|info| last && !info.ways.is_empty())?;
        Some(Again {
            node,
            looks: self.options.looks.clone()?,
            reads: std::mem::take(&mut info.ways),
        })
    }

    /// What was read of a command that never ran is what it left.
    pub(in crate::gateway) fn left_as_it_was(&mut self, node: Node) {
        let reads = self.nodes.get_mut(&node).map(|info| {
            info.ways_taken = 0;
            std::mem::take(&mut info.ways)
        });
        for read in reads.unwrap_or_default() {
            self.write_after(&read, &read.before);
        }
    }

    /// What a command left is on record before anybody hears that it is over.
    pub(in crate::gateway) fn was_read_again(&mut self, again: &Again, readings: Readings) {
        if self.closed {
            return;
        }
        let done = self.nodes.get(&again.node).and_then(|info| info.exit) == Some(ExitForm::Code(0));
        for (read, reading) in again.reads.iter().zip(readings) {
            let seen = match reading {
                Ok(seen) => seen,
                Err(why) => {
                    let why = format!("what it left was not read: {}", self.rules.redact(&why).text);
                    self.miss(again.node, read.name.clone(), why);
                    continue;
                }
            };
            let digest = read.way.output.as_ref().map(|output| output.digest.clone());
            if done && seen.state.same(&read.before) && digest != Some(Digest::of(&seen.output).to_string()) {
                let why = "it changed something that does not show in what takes it back";
                self.miss(again.node, read.name.clone(), why.to_owned());
            }
            let state = self.without_its_secrets(&seen.state);
            self.write_after(read, &state);
            self.halt_if_undone(again.node, read, &state);
        }
        let _in_doubt_if_it_fails = self.flush();
    }

    /// A state that an undo took back, and that a command has brought about again, halts the session (law 8).
    fn halt_if_undone(&mut self, node: Node, read: &Read, state: &State) {
        let key = &read.key;
        let again = !state.same(&read.before)
            && self.options.undone.knows(key)
            && self.options.undone.take(key, PathState::Read(state));
        if again && let Some(desk) = &mut self.desk {
            let action = self.log.id().action(node);
            desk.halt(&format!(
                "{action} drove `{}` again to a state that was undone",
                read.name
            ));
        }
    }

    fn write_after(&mut self, read: &Read, state: &State) {
        let after = AfterForm {
            s: read.way.s,
            a: StateForm::from(state),
            c: false,
            g: false,
        };
        let _in_doubt_if_it_fails = self.write(Record::After(after));
    }

    /// A state as a record may have it. One with a secret is then never taken for the state that is found: a conflict, on
    /// which a person decides.
    fn without_its_secrets(&self, state: &State) -> State {
        let fields = state.fields().into_iter().flat_map(Fields::iter);
        let kept = fields.map(|(name, value)| match value {
            Value::Text(text) => (
                name.to_owned(),
                Value::Text(self.rules.redact(text).text.into_owned()),
            ),
            other => (name.to_owned(), other.clone()),
        });
        State::Present(kept.collect())
    }
}
