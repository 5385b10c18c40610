//! The thread that answers trapped calls.

use super::{Shared, lock};
use crate::gateway::Gateway;
use crate::gateway::failing::undo_failed;
use crate::gateway::handle::Handled;
use crate::gateway::hold::tell;
use crate::gateway::output::Drain;
use crate::gateway::tree::process_of;
use crate::gateway::workers::Workers;
use rescind_supervisor::control::{Gate, Waited};
use rescind_supervisor::journal::ExitForm;
use rescind_sys::{Answer, Listener, Notification};
use std::io;
use std::sync::Arc;

/// Answer trapped calls, one at a time, until the filter has no process left.
pub(super) fn answer(gateway: &Shared, listener: &Arc<Listener>, workers: &Workers, gate: &Arc<Gate>) {
    loop {
        let call = match listener.receive() {
            Ok(call) => call,
            // The caller was killed before we could look, and nothing was run; or nobody is left.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if listener.is_over() {
                    return;
                }
                continue;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        answer_one(gateway, listener, workers, gate, call);
    }
}

/// While the gate is shut nothing is looked at; a change that could not go on is looked at anew when it opens, since an undo may
/// have come between.
fn answer_one(
    gateway: &Shared,
    listener: &Arc<Listener>,
    workers: &Workers,
    gate: &Arc<Gate>,
    call: Notification,
) {
    let told = |why: &str| tell(process_of(call.thread), &format!("held: {why}"));
    loop {
        if gate.wait(told) == Waited::Killed {
            return;
        }
        let handled = {
            let mut gateway = lock(gateway);
            // It may have been shut while we waited for our turn: then nothing is recorded as begun.
            if !gate.is_open() {
                continue;
            }
            gateway.handle(listener, &call)
        };
        match handled {
            Handled::Now(Answer::Continue) => {
                let answered = gate.pass(|| go_on(listener, &call));
                if answered {
                    return;
                }
                if is_node(&call) {
                    return go_on_when_open(gate, listener, &call, told);
                }
            }
            Handled::Now(answer) => {
                let _the_caller_is_gone_then = listener.answer(call.id, answer);
                return;
            }
            Handled::Exits => return answer_exit_later(gateway, listener, workers, gate, call),
            Handled::Held => return,
            Handled::Shut => {}
        }
        if !listener.still_waits(call.id) {
            return;
        }
    }
}

/// Whether a call is an action of its own, which is on record by now.
fn is_node(call: &Notification) -> bool {
    [libc::SYS_execve, libc::SYS_execveat, libc::SYS_connect].contains(&call.number)
}

fn go_on(listener: &Listener, call: &Notification) {
    let _the_caller_is_gone_then = listener.answer(call.id, Answer::Continue);
}

fn go_on_when_open(gate: &Gate, listener: &Listener, call: &Notification, told: impl Fn(&str)) {
    while gate.wait(&told) == Waited::Open {
        if gate.pass(|| go_on(listener, call)) {
            return;
        }
    }
}

/// An exit waits for its output without holding anybody else up.
fn answer_exit_later(
    gateway: &Shared,
    listener: &Arc<Listener>,
    workers: &Workers,
    gate: &Arc<Gate>,
    call: Notification,
) {
    let (gateway, listener_too, gate_too) = (Arc::clone(gateway), Arc::clone(listener), Arc::clone(gate));
    let waiting = workers.run(move || {
        let drain = lock(&gateway).drain_of(call.thread);
        if let Some(drain) = drain {
            drain.wait();
        }
        let again = lock(&gateway).take_what_to_read_again(call.thread);
        if let Some(again) = again {
            let read = again.read();
            lock(&gateway).was_read_again(&again, read);
        }
        lock(&gateway).finish_drained(call.thread);
        undo_failed(&gateway);
        go_on_when_open(&gate_too, &listener_too, &call, |_| {});
    });
    if waiting.is_err() {
        go_on_when_open(gate, listener, &call, |_| {});
    }
}

impl Gateway {
    /// The wait for the output of the action whose exit is held.
    fn drain_of(&mut self, thread: i32) -> Option<Drain> {
        let process = self.tree.process_of(thread);
        let node = self.tree.get(process)?.node;
        self.watch.drain(node)
    }

    /// The output of an action that is about to exit has been passed on.
    fn finish_drained(&mut self, thread: i32) {
        let process = self.tree.process_of(thread);
        let Some(node) = self.tree.get(process).map(|entry| entry.node) else {
            return;
        };
        if self.tree.alive(node) == 1 && !self.tree.may_come_back(node) {
            let exit = self
                .nodes
                .get(&node)
                .and_then(|info| info.exit)
                .unwrap_or(ExitForm::Unknown);
            self.finish(node, exit);
        }
    }
}
