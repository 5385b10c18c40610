//! Connections: to daemons that could act for the agent, and, by programs of which nobody can say what they do, to other
//! machines, where nothing is captured.
//!
//! Such a call waits as it is: other than execve it holds up the thread that made it and nobody else.

use super::agent::is_shell;
use super::calls::ConnectCall;
use super::escape::{self, Peer};
use super::handle::Handled;
use super::hold::{Held, What, tell};
use super::nodes::NodeInfo;
use super::resolve::Viewer;
use super::tree::Node;
use super::{Gateway, Uncaptured};
use rescind_model::{Digest, Verdict};
use rescind_supervisor::journal::{EnvironmentForm, ExitForm, NodeStarted, Record, Role};
use rescind_supervisor::{Connecting, Judged, Understood, now, salt};
use rescind_sys::{Answer, Notification, pidfd_get, pidfd_open};
use rustix::net::SocketType;
use rustix::net::sockopt::socket_type;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::sync::Arc;

/// A connection that waits for a person.
#[derive(Debug)]
pub(super) struct HeldCall {
    /// The calls that wait for the same word.
    ids: Vec<u64>,
    /// Who makes it.
    who: Node,
    to: String,
    thread: i32,
    address: u64,
    bytes: Vec<u8>,
}

impl Gateway {
    pub(super) fn peer(&self, viewer: Viewer, address: u64, length: u64) -> Option<(Peer, Vec<u8>)> {
        let mut bytes = vec![0_u8; usize::try_from(length).unwrap_or(128).min(128)];
        rescind_sys::read_memory(viewer.thread, address, &mut bytes).ok()?;
        Some((escape::peer(&bytes), bytes))
    }

    pub(super) fn connect(
        &mut self,
        call: &Notification,
        viewer: Viewer,
        node: Node,
        what: ConnectCall,
    ) -> Handled {
        let Some((peer, bytes)) = self.peer(viewer, what.address, what.length) else {
            return Handled::Now(Answer::Continue);
        };
        if let Some((address, power)) = escape::power(&peer) {
            let node = self.acting_node(node);
            let answer = self.escape(node, address, power);
            return Handled::Now(answer.unwrap_or(Answer::Errno(libc::EIO)));
        }
        let to = match peer {
            Peer::Elsewhere(to) => to,
            Peer::Loopback(port) if self.desk.as_ref().is_some_and(|desk| desk.asks_about_local()) => {
                SocketAddr::from(([127, 0, 0, 1], port))
            }
            _ => return Handled::Now(Answer::Continue),
        };
        if !self.is_asked_about(node) || !is_stream(viewer.process, what.descriptor) {
            return Handled::Now(Answer::Continue);
        }
        let held = HeldCall {
            ids: vec![call.id],
            who: node,
            to: to.to_string(),
            thread: viewer.thread,
            address: what.address,
            bytes,
        };
        self.connection(viewer.process, held)
            .unwrap_or(Handled::Now(Answer::Errno(libc::EIO)))
    }

    fn escape(&mut self, node: Node, address: String, power: &str) -> std::io::Result<Answer> {
        let refused = self.options.uncaptured == Uncaptured::Refuse && self.options.refuse_escapes;
        let why = if refused {
            format!("{power}; refused")
        } else {
            power.to_owned()
        };
        self.write(Record::Escape {
            n: node,
            what: address.clone(),
            why: why.clone(),
        })?;
        self.flush()?;
        *self.escapes.entry((address, why)).or_default() += 1;
        Ok(if refused {
            Answer::Errno(libc::EPERM)
        } else {
            Answer::Continue
        })
    }

    /// Whether somebody judges connections of this node: it is no agent, which talks to its model, and nothing above it
    /// is known to do what its words say.
    fn is_asked_about(&self, node: Node) -> bool {
        let Some(info) = self.nodes.get(&node).filter(|_| self.desk.is_some()) else {
            return false;
        };
        match info.role {
            Some(Role::Action | Role::Process) => info.understood == Understood::Not,
            Some(Role::Agent) => is_shell(&info.argv),
            _ => false,
        }
    }

    fn connection(&mut self, process: i32, held: HeldCall) -> std::io::Result<Handled> {
        if self.waiting.connected.contains(&(held.who, held.to.clone())) {
            return Ok(Handled::Now(Answer::Continue));
        }
        if let Some(waiting) = self.waiting.call_like(&held) {
            waiting.ids.extend(held.ids);
            return Ok(Handled::Held);
        }
        let Some((started, judged)) = self.judged_connection(process, &held) else {
            return Ok(Handled::Now(Answer::Continue));
        };
        self.flush()?;
        self.log.start(&started)?;
        self.last_node = started.n;
        let info = NodeInfo {
            role: Some(Role::Process),
            process,
            argv: started.argv.clone(),
            exe: started.exe.clone(),
            cwd: started.cwd.clone(),
            ..NodeInfo::default()
        };
        self.nodes.insert(started.n, info);
        self.tell_named(started.n, &started.argv, &judged.form);
        match judged.verdict {
            Verdict::Hold(_) => {
                let exact = format!("{:?}\0{:?}\0{:?}", started.argv, held.bytes, judged.form);
                let digest = Digest::of(exact.as_bytes());
                let form = self.hold_form(&started, &judged, digest);
                self.options.holds.open(&form).map_err(std::io::Error::other)?;
                tell(process, &super::hold::waiting(&form));
                self.tell_of_hold(started.n, &form);
                let held = Held::new(form, judged, process, What::Call(held));
                self.waiting.held.insert(started.n, held);
                Ok(Handled::Held)
            }
            Verdict::Allow => {
                self.settle_judged(&judged, true);
                self.waiting.connected.insert((held.who, held.to));
                self.finish(started.n, ExitForm::Code(0));
                Ok(Handled::Now(Answer::Continue))
            }
            Verdict::Deny(ref reasons) => {
                let why = reasons.join("; ");
                tell(
                    process,
                    &format!("denied ({}): {why}", self.log.id().action(started.n)),
                );
                self.did_not_run(started.n, &judged, why);
                self.finish(started.n, ExitForm::NotStarted);
                Ok(Handled::Now(Answer::Errno(libc::EACCES)))
            }
        }
    }

    fn judged_connection(&mut self, process: i32, held: &HeldCall) -> Option<(NodeStarted, Judged)> {
        let info = self.nodes.get(&held.who)?;
        let (by, exe, cwd) = (info.argv.join(" "), info.exe.clone(), info.cwd.clone());
        let narrower = self.confined.narrower(held.who).cloned();
        let connecting = Connecting {
            node: self.last_node + 1,
            parent: held.who,
            to: &held.to,
            by: &by,
            key: info.key,
            cleared: info.cleared,
            scopes: narrower.as_ref(),
        };
        let judged = self.desk.as_mut()?.judge_connection(&connecting);
        let judged = self.redacted(judged);
        let started = NodeStarted {
            n: self.last_node + 1,
            parent: held.who,
            role: Role::Process,
            time: now().to_string(),
            salt: salt(),
            pid: process,
            exe,
            argv: vec!["connect".to_owned(), held.to.clone()],
            cwd,
            env: EnvironmentForm::default(),
            reasoning: None,
            judged: Some(Box::new(judged.form.clone())),
        };
        Some((started, judged))
    }

    /// Answer calls that waited, as was decided. Whether they go on.
    pub(super) fn end_call(&mut self, node: Node, call: HeldCall, runs: bool) {
        let Some(listener) = self.waiting.listener.clone() else {
            return;
        };
        let mut again = vec![0_u8; call.bytes.len()];
        let same =
            rescind_sys::read_memory(call.thread, call.address, &mut again).is_ok() && again == call.bytes;
        let goes_on = runs && same;
        for id in call.ids {
            let listener = Arc::clone(&listener);
            if goes_on {
                self.gate.pass_or_later(move || {
                    let _the_caller_is_gone_then = listener.answer(id, Answer::Continue);
                });
            } else {
                let _the_caller_is_gone_then = listener.answer(id, Answer::Errno(libc::EACCES));
            }
        }
        if goes_on {
            self.waiting.connected.insert((call.who, call.to));
        }
        let exit = if goes_on {
            ExitForm::Code(0)
        } else {
            ExitForm::NotStarted
        };
        self.finish(node, exit);
    }
}

impl HeldCall {
    /// Whether the same connection by the same program waits already.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.who == other.who && self.to == other.to
    }

    /// Whether nobody waits in it any more.
    pub(super) fn is_gone(&self, listener: Option<&rescind_sys::Listener>) -> bool {
        !listener.is_some_and(|listener| self.ids.iter().any(|id| listener.still_waits(*id)))
    }
}

/// Whether a connection on this descriptor carries anything by itself: that of a datagram socket only names a peer, as
/// every lookup of a name does.
fn is_stream(process: i32, descriptor: i32) -> bool {
    let socket = pidfd_open(process).and_then(|pidfd| pidfd_get(pidfd.as_fd(), descriptor));
    !socket.is_ok_and(|socket| socket_type(&socket).is_ok_and(|kind| kind == SocketType::DGRAM))
}
