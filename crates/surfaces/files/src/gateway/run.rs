//! The supervisor's life: from the agent's first instruction to the end of its last process.

use super::failing::undo_failed;
use super::handle::Handled;
use super::hold::tell;
use super::launch::{Message, Seat, detach};
use super::nodes::NodeInfo;
use super::notify::Notifier;
use super::obey::Obeying;
use super::output::Outputs;
use super::policy::Policy;
use super::protect::Protection;
use super::tree::Tree;
use super::workers::Workers;
use super::{Gateway, Options};
use crate::ObjectTable;
use rescind_redact::Rules;
use rescind_supervisor::control::{Gate, Waited};
use rescind_supervisor::journal::{ExitForm, SessionEnded};
use rescind_supervisor::{Desk, SessionLog, Undoing, now};
use rescind_sys::{Answer, ExitStatus, Listener, Notification};
use rustix::event::epoll;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Why a run did not start. Nothing was changed then.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The agent's side did not come up.
    #[error("the agent could not be put under supervision, nothing was changed")]
    NotSupervised {
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

/// How a run ended, for its last line.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How the agent ended.
    pub exit: ExitStatus,
    /// Resources touched, by what became of them.
    pub changed: u64,
    /// What was not captured, and why, and how often.
    pub missing: Vec<(String, String, u64)>,
    /// What was refused, and why, and how often.
    pub refused: Vec<(String, String, u64)>,
    /// Addresses of processes outside that could act for the agent.
    pub escapes: Vec<(String, String, u64)>,
    /// Processes that go on in the background.
    pub background: usize,
}

const SWEEP: Duration = Duration::from_millis(25);
const SWEPT_AT_ONCE: usize = 64;
/// How long processes that are about to end may take before the front is let go.
const LINGER: Duration = Duration::from_millis(300);

type Shared = Arc<Mutex<Gateway>>;

fn lock(gateway: &Mutex<Gateway>) -> MutexGuard<'_, Gateway> {
    gateway.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Supervise the agent behind `seat` until its last process has ended. `desk` judges its commands. Nothing of it starts but
/// through the gate that is obeyed. `finished` is called once the agent has ended, before the front is told.
///
/// # Errors
/// [`RunError`]: the agent never ran.
pub fn run(
    seat: &Seat,
    log: Arc<SessionLog>,
    rules: Arc<Rules>,
    options: Options,
    desk: Option<Box<dyn Desk>>,
    obeying: &Obeying,
    mut finished: impl FnMut(&Finished),
) -> Result<(), RunError> {
    let fail = |source| RunError::NotSupervised { source };
    let listener = rescind_sys::receive_descriptor(seat.agent.as_fd()).map_err(fail)?;
    let listener = Arc::new(Listener::new(listener));
    listener.wake_synchronously();
    let epoll = Arc::new(epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| fail(error.into()))?);
    let agent = match Message::receive(&seat.guardian).map_err(fail)? {
        Some(Message::Started(pid)) => pid,
        _ => return Err(fail(io::Error::other("the guardian did not start the agent"))),
    };
    let own = vec![
        std::process::id().cast_signed(),
        seat.guardian_process,
        seat.front_process,
    ];
    let workers = Workers::default();
    let environment = options.environment.clone();
    let notifier = Arc::new(Notifier::new(options.tiers.clone(), Arc::clone(&log)));
    let gate = Arc::clone(obeying.gate());
    let gateway = Gateway {
        gate: Arc::clone(&gate),
        notifier: Arc::clone(&notifier),
        protection: Protection::new(&options.own, own),
        policy: Policy::new(options.uncaptured),
        confined: super::confine::Confined::new(options.confinement.clone(), agent),
        undoing: Undoing::of(&options.home),
        behind_undos: Vec::new(),
        options,
        tree: Tree::default(),
        objects: ObjectTable::new(log.id().clone()),
        cells: HashMap::new(),
        unsettled: Vec::new(),
        inodes: HashMap::new(),
        nodes: HashMap::new(),
        failed: Vec::new(),
        last_node: 0,
        agent: None,
        direct: None,
        thread: 0,
        flying: HashMap::new(),
        seq: 0,
        caller: None,
        began: now().0,
        buffer: Vec::new(),
        missing: BTreeMap::new(),
        refusals: BTreeMap::new(),
        escapes: BTreeMap::new(),
        said: std::collections::BTreeSet::new(),
        last_name: None,
        made: None,
        closed: false,
        linked: std::collections::HashSet::new(),
        flagged: std::collections::HashSet::new(),
        carried: std::collections::HashSet::new(),
        entries: HashMap::new(),
        removed: std::collections::HashSet::new(),
        walked: false,
        last_folder: None,
        watch: Outputs::new(Arc::clone(&epoll), Arc::clone(&rules), workers.clone()),
        log,
        rules,
        desk,
        waiting: super::hold::Waiting::of(Arc::clone(&listener)),
    };
    let gateway = Arc::new(Mutex::new(gateway));
    {
        let mut gateway = lock(&gateway);
        gateway.nodes.insert(0, NodeInfo::default());
        gateway.admit(agent);
        gateway.capture_inherited(agent, 0);
        gateway.flush().map_err(fail)?;
    }
    obeying.serves(&gateway);
    let answering = {
        let (gateway, listener, gate) = (Arc::clone(&gateway), Arc::clone(&listener), Arc::clone(&gate));
        std::thread::Builder::new()
            .name("answers".to_owned())
            .spawn(move || answer(&gateway, &listener, &workers, &gate))
    };
    answering.map_err(fail)?;
    super::launch::let_go(&seat.agent, &environment).map_err(fail)?;
    Watch {
        seat,
        gateway,
        gate,
        epoll,
        agent,
        ended: None,
        released: None,
        killed: false,
    }
    .run(&mut finished);
    notifier.finish();
    Ok(())
}

/// Answer trapped calls, one at a time, until the filter has no process left.
fn answer(gateway: &Shared, listener: &Arc<Listener>, workers: &Workers, gate: &Arc<Gate>) {
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
    let told = |why: &str| tell(super::tree::process_of(call.thread), &format!("held: {why}"));
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

/// The second thread: guardian, front, ends of processes, sweeps.
struct Watch<'s> {
    seat: &'s Seat,
    gateway: Shared,
    gate: Arc<Gate>,
    epoll: Arc<OwnedFd>,
    agent: i32,
    ended: Option<(ExitStatus, Instant)>,
    released: Option<()>,
    killed: bool,
}

impl Watch<'_> {
    fn run(mut self, finished: &mut impl FnMut(&Finished)) {
        loop {
            let front_lives = self.released.is_none();
            let mut fds = vec![
                PollFd::new(&self.seat.guardian, PollFlags::IN),
                PollFd::from_borrowed_fd(self.epoll.as_fd(), PollFlags::IN),
            ];
            if front_lives {
                fds.push(PollFd::new(&self.seat.front, PollFlags::IN));
            }
            let timeout = Timespec {
                tv_sec: 0,
                tv_nsec: i64::from(SWEEP.subsec_nanos()),
            };
            let _timeout = poll(&mut fds, Some(&timeout));
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            drop(fds);
            if ready.get(1) == Some(&true) {
                self.ends_of_processes();
            }
            if ready.get(2) == Some(&true) {
                self.front();
            }
            let mut empty = false;
            if ready.first() == Some(&true) {
                empty = self.guardian();
            }
            self.sweep();
            if !self.killed && self.seat.asked_to_end() {
                self.kill();
            }
            let lingered = self.ended.is_some_and(|(_, since)| since.elapsed() > LINGER);
            if self.released.is_none() && self.ended.is_some() && (empty || lingered) {
                self.release(finished, empty);
            }
            if empty {
                self.close();
                // Nobody saw how the agent ended: it was killed with everything else.
                let _the_front_has_its_word_else = Message::Signaled(libc::SIGKILL).send(&self.seat.front);
                return;
            }
        }
    }

    fn sweep(&self) {
        let mut gateway = lock(&self.gateway);
        if self.gate.is_open() {
            gateway.decide_holds();
            gateway.go_on_behind_undos();
        }
        gateway.settle(SWEPT_AT_ONCE);
        gateway.end_quiet();
        let _reported_with_the_next_call = gateway.flush();
    }

    fn ends_of_processes(&self) {
        lock(&self.gateway).hear_of_ends();
        undo_failed(&self.gateway);
    }

    fn front(&mut self) {
        match Message::receive(&self.seat.front) {
            Ok(Some(Message::Forward(signal))) => {
                let _gone = rescind_sys::kill_process(self.agent, signal);
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                // The front was killed: so is the session.
                self.released = Some(());
                self.kill();
            }
        }
    }

    fn kill(&mut self) {
        self.killed = true;
        let _gone = Message::Kill.send(&self.seat.guardian);
    }

    /// What the guardian says; true when nothing of the tree is left.
    fn guardian(&mut self) -> bool {
        match Message::receive(&self.seat.guardian) {
            Ok(Some(Message::Exited(code))) => self.agent_ended(ExitStatus::Exited(code)),
            Ok(Some(Message::Signaled(signal))) => self.agent_ended(ExitStatus::Signaled(signal)),
            // One that waits is not stopped by its terminal: whoever started it waits, too, and goes on.
            Ok(Some(Message::Stopped(signal))) if self.stopped_by_others() => {
                let _gone = Message::Stopped(signal).send(&self.seat.front);
            }
            Ok(Some(Message::Empty)) => return true,
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => {
                // The guardian is gone without having said that nothing is left: the supervisor is the next reaper.
                super::launch::end_tree_from_here();
                self.killed = true;
                return true;
            }
        }
        false
    }

    /// Whether the agent stands because somebody else has stopped it. What rescind itself stops it lets go on again, and the front
    /// has to be there then.
    fn stopped_by_others(&self) -> bool {
        !self.gate.is_paused()
            && !lock(&self.gateway).is_held(self.agent)
            && super::tree::is_stopped(self.agent)
    }

    fn agent_ended(&mut self, status: ExitStatus) {
        self.ended = Some((status, Instant::now()));
        let form = match status {
            ExitStatus::Exited(code) => ExitForm::Code(code),
            ExitStatus::Signaled(signal) => ExitForm::Signal(signal),
            ExitStatus::Stopped(_) | ExitStatus::Continued => ExitForm::Unknown,
        };
        let mut gateway = lock(&self.gateway);
        gateway.agent_process_ended(self.agent, form);
        gateway.gone(self.agent, Some(form));
    }

    /// The agent has ended: the last line, and the front goes with its status.
    fn release(&mut self, finished: &mut impl FnMut(&Finished), empty: bool) {
        self.released = Some(());
        let Some((exit, _)) = self.ended else { return };
        let summary = {
            let mut gateway = lock(&self.gateway);
            if empty {
                gateway.finish_all();
            }
            gateway.walk_once();
            gateway.summary(exit, empty)
        };
        finished(&summary);
        let mut message = match exit {
            ExitStatus::Signaled(signal) => Message::Signaled(signal),
            ExitStatus::Exited(code) => Message::Exited(code),
            ExitStatus::Stopped(_) | ExitStatus::Continued => Message::Exited(125),
        };
        if empty && let Some(instead) = self.close() {
            message = Message::Exited(instead);
        }
        let _gone = message.send(&self.seat.front);
        if !empty {
            detach();
        }
    }

    /// Nothing of the tree is left: the books are closed. Does nothing the second time. The code that the run is to end
    /// with instead of the agent's.
    fn close(&self) -> Option<i32> {
        let mut gateway = lock(&self.gateway);
        if gateway.closed {
            return None;
        }
        gateway.closed = true;
        gateway.finish_all();
        let instead = gateway.desk.as_mut().and_then(|desk| desk.closed());
        gateway.walk_once();
        let exit = match self.ended {
            Some((ExitStatus::Exited(code), _)) => ExitForm::Code(code),
            Some((ExitStatus::Signaled(signal), _)) => ExitForm::Signal(signal),
            _ => ExitForm::Unknown,
        };
        let record = SessionEnded {
            time: now().to_string(),
            exit,
            how: if self.killed || self.gate.is_killed() {
                "killed"
            } else {
                "ended"
            }
            .to_owned(),
            effects: gateway.changed(),
            missing: gateway.missing.keys().cloned().collect(),
        };
        gateway.notifier.close();
        // If this can't be written, the next command finds the session broken and finishes its books.
        let _finished_later = gateway.log.close(&record);
        instead
    }
}

impl Gateway {
    /// The wait for the output of the action whose exit is held.
    fn drain_of(&mut self, thread: i32) -> Option<super::output::Drain> {
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

    /// Close every node that is open: nothing of the tree is left.
    fn finish_all(&mut self) {
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
    fn agent_process_ended(&mut self, process: i32, exit: ExitForm) {
        let own = self.nodes.values_mut().filter(|info| info.process == process);
        for info in own.filter(|info| !matches!(info.exit, Some(ExitForm::Exec(_)))) {
            info.exit = Some(exit);
        }
    }

    fn changed(&self) -> u64 {
        self.cells.values().filter(|cell| !cell.passing).count() as u64 + self.waiting.looking.taken()
    }

    fn summary(&self, exit: ExitStatus, empty: bool) -> Finished {
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
