//! Commands that are judged before they run, and held where a person has to decide.
//!
//! A hold is never inside execve, where the parent would be blocked, too (a whole agent on Node or Python): the exec is
//! let go on with a stop signal pending, so that the new program stops before its first own instruction. Nobody in the
//! tree can wake it (their SIGCONT is trapped), and should somebody outside do so, every call of it that is trapped is
//! refused until a person has approved.

use super::Gateway;
use super::connect::HeldCall;
use super::nodes::NodeInfo;
use super::tree::{Node, is_stopped, parent_of};
use rescind_model::{Digest, Verdict};
use rescind_supervisor::holds::{Closed, ClosedForm, DecisionForm, HoldForm, USUAL_WAIT, after};
use rescind_supervisor::journal::{DecidedForm, ExitForm, NodeStarted};
use rescind_supervisor::{Asked, Judged, now, process_mark, salt};
use rescind_sys::{Listener, kill_process, pidfd_get, pidfd_open, pidfd_signal};
use std::collections::{HashMap, HashSet};
use std::io::Write as _;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What waits for a person.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) form: HoldForm,
    /// Which of its tiers was asked last.
    pub(super) tier: usize,
    /// The digest of all that an approval is bound to but what the command names.
    pub(super) exact: Option<Digest>,
    pub(super) judged: Judged,
    process: i32,
    what: What,
}

/// What it is that waits.
#[derive(Debug)]
pub(super) enum What {
    /// A program, before its first own instruction.
    Program(Stopped),
    /// A call.
    Call(HeldCall),
}

/// A program that was stopped as it started.
#[derive(Debug)]
pub(super) struct Stopped {
    pidfd: OwnedFd,
    parent: Option<i32>,
    bound: Bound,
}

/// What an approval is bound to besides what is shown: the program's file, which could be exchanged meanwhile, and the
/// very words, which could be written over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bound {
    path: PathBuf,
    file: Option<(u64, u64, i64, i64)>,
    arguments: Vec<u8>,
}

/// Holds by process.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) held: HashMap<Node, Held>,
    /// Who may connect to where: once judged, it is not judged again.
    pub(super) connected: HashSet<(Node, String)>,
    /// What is read before programs run, and was.
    pub(super) looking: super::ways::Looking,
    /// By which calls that wait are answered.
    pub(super) listener: Option<Arc<Listener>>,
}

impl Waiting {
    /// Nothing waits yet; calls are answered by this listener.
    pub(super) fn of(listener: Arc<Listener>) -> Self {
        Self {
            listener: Some(listener),
            ..Self::default()
        }
    }

    /// The same call that waits already.
    pub(super) fn call_like(&mut self, call: &HeldCall) -> Option<&mut HeldCall> {
        self.held.values_mut().find_map(|held| match &mut held.what {
            What::Call(own) if own.is_like(call) => Some(own),
            _ => None,
        })
    }
}

impl Held {
    pub(super) fn new(form: HoldForm, judged: Judged, process: i32, what: What) -> Self {
        Self {
            form,
            tier: 0,
            exact: None,
            judged,
            process,
            what,
        }
    }

    pub(super) fn process(&self) -> i32 {
        self.process
    }

    fn is_program(&self) -> bool {
        matches!(self.what, What::Program(_))
    }
}

/// What is to be done with a command.
pub(super) enum Gate {
    /// It runs.
    Open,
    /// It runs, and stops at once.
    Held(Box<Judged>),
    /// The same, until it is read what it is about to change.
    Looks(Box<Judged>),
    /// It does not run.
    Denied,
}

impl Gateway {
    /// Judge a command, where this session has somebody who judges.
    pub(super) fn judge(&mut self, asked: &Asked<'_>) -> Option<Judged> {
        let judged = self.desk.as_mut()?.judge(asked);
        Some(self.redacted(judged))
    }

    /// Take out of a judgement what must not be kept.
    pub(super) fn redacted(&self, mut judged: Judged) -> Judged {
        let form = &mut judged.form;
        let optional = [&mut form.compensation, &mut form.advice].into_iter().flatten();
        let whys = form.factors.iter_mut().map(|factor| &mut factor.why);
        let texts = form.reasons.iter_mut().chain(&mut form.uncovered);
        for text in texts.chain(optional).chain(whys) {
            *text = self.rules.redact(text).text.into_owned();
        }
        judged
    }

    /// Something that was judged did not run: the summary says so.
    pub(super) fn did_not_run(&mut self, node: Node, judged: &Judged, why: String) {
        self.settle_judged(judged, false);
        self.left_as_it_was(node);
        let command = match self.nodes.get(&node) {
            Some(info) => info.argv.join(" "),
            None => self.log.id().action(node).to_string(),
        };
        *self.refusals.entry((command, why)).or_default() += 1;
    }

    pub(super) fn settle_judged(&mut self, judged: &Judged, ran: bool) {
        if let Some(desk) = &mut self.desk {
            desk.settled(judged, ran);
        }
    }

    /// What a judgement comes to. A denial is told to whoever asked, on its standard error.
    pub(super) fn gate(&mut self, process: i32, node: Node, judged: Option<Judged>) -> Gate {
        let Some(judged) = judged else { return Gate::Open };
        if self.is_to_be_read(&judged) {
            return Gate::Looks(Box::new(judged));
        }
        match &judged.verdict {
            Verdict::Allow => {
                self.settle_judged(&judged, true);
                Gate::Open
            }
            Verdict::Hold(_) => Gate::Held(Box::new(judged)),
            Verdict::Deny(reasons) => {
                let mut text = format!("denied ({}): {}", self.log.id().action(node), reasons.join("; "));
                if let Some(advice) = &judged.form.advice {
                    text.push_str("\nrescind: instead: ");
                    text.push_str(advice);
                }
                tell(process, &text);
                self.did_not_run(node, &judged, reasons.join("; "));
                Gate::Denied
            }
        }
    }

    /// Stop a program that is about to start, until a person has decided.
    ///
    /// # Errors
    /// It can't be held, so it must not run.
    pub(super) fn hold(
        &mut self,
        started: &NodeStarted,
        process: i32,
        judged: Judged,
        bound: Bound,
    ) -> std::io::Result<()> {
        let exact = format!(
            "{:?}\0{}\0{bound:?}\0{:?}",
            started.argv, started.cwd, judged.form
        );
        let exact = Digest::of(exact.as_bytes());
        let form = self.shown_form(started, &judged, &exact);
        let pidfd = pidfd_open(process)?;
        self.options.holds.open(&form).map_err(std::io::Error::other)?;
        kill_process(process, libc::SIGSTOP)?;
        tell(process, &waiting(&form));
        self.tell_of_hold(started.n, &form);
        let parent = parent_of(process);
        let stopped = What::Program(Stopped { pidfd, parent, bound });
        let held = Held::new(form, judged, process, stopped).bound_to(exact);
        self.waiting.held.insert(started.n, held);
        Ok(())
    }

    /// The hold of a node, bound to this digest.
    pub(super) fn hold_form(&self, started: &NodeStarted, judged: &Judged, digest: Digest) -> HoldForm {
        let since = now();
        let most = self.options.hold_for;
        let tiers = self.options.tiers.of_hold(&judged.form.groups, since, most);
        let usual = || after(since, most.unwrap_or(USUAL_WAIT)).to_string();
        HoldForm {
            v: 1,
            action: self.log.id().action(started.n).to_string(),
            agent: self.options.agent_name.clone(),
            requester: self.options.requester.clone(),
            argv: started.argv.clone(),
            cwd: started.cwd.clone(),
            domain: String::new(),
            environment: String::new(),
            since: since.to_string(),
            expires: tiers.last().map_or_else(usual, |tier| tier.until.clone()),
            judged: judged.form.clone(),
            digest: digest.to_string(),
            waiter: process_mark(std::process::id()),
            learnable: judged.learnable,
            tiers,
            reasoning: self.reasoning_of(started),
            preview: None,
            moved: 0,
        }
    }

    /// Whether this process waits for a person: nothing of it goes on.
    pub(super) fn is_held(&self, process: i32) -> bool {
        let held = !self.waiting.held.is_empty()
            && self
                .waiting
                .held
                .values()
                .any(|held| held.is_program() && held.process == process);
        held || self.waiting.looking.stops(process)
    }

    /// Whether a signal that makes processes go on could reach one that is held.
    pub(super) fn could_wake(&self, target: Option<i32>) -> bool {
        let reaches = |held: &Held| {
            held.is_program() && target.is_none_or(|target| target <= 0 || target == held.process)
        };
        let looking = target.is_none_or(|target| target <= 0 || self.waiting.looking.stops(target));
        self.waiting.held.values().any(reaches) || looking && self.waiting.looking.stops_any()
    }

    /// Look at what people said, and at the time.
    pub(super) fn decide_holds(&mut self) {
        self.take_readings();
        let nodes: Vec<Node> = self.waiting.held.keys().copied().collect();
        for node in nodes {
            if let Some((how, decisions)) = self.waiting.held.get(&node).and_then(|held| self.outcome(held)) {
                if let Some(how) = self.after_another_look(node, how)
                    && (how != Closed::Approved || self.has_stopped(node) && !self.has_moved(node))
                {
                    self.end_hold(node, how, decisions);
                }
            } else {
                self.escalate(node);
            }
        }
    }

    /// Whether a program has become what was shown, and stands still. Until then nothing can be said of it: a decision that was
    /// faster than the kernel counts a moment later.
    fn has_stopped(&self, node: Node) -> bool {
        let held = self.waiting.held.get(&node);
        held.is_none_or(|held| !held.is_program() || is_stopped(held.process))
    }

    fn outcome(&self, held: &Held) -> Option<(Closed, Vec<DecisionForm>)> {
        let said = self.options.holds.look(&held.form.action).ok().flatten();
        let outcome = said.as_ref().and_then(|hold| hold.outcome(&held.form.digest));
        let decisions = said.map(|hold| hold.decisions).unwrap_or_default();
        // Whoever waited for a program is gone when its parent is: then a late approval runs nothing.
        let gone = match &held.what {
            What::Program(stopped) => parent_of(held.process) != stopped.parent,
            What::Call(call) => call.is_gone(self.waiting.listener.as_deref()),
        };
        if gone {
            return Some((Closed::Void, decisions));
        }
        match outcome {
            Some(how) => Some((how, decisions)),
            None if held.form.is_expired(now()) => Some((Closed::Expired, decisions)),
            None => None,
        }
    }

    /// A hold is over: what was decided is on record before anything runs.
    pub(super) fn end_hold(&mut self, node: Node, mut how: Closed, decisions: Vec<DecisionForm>) {
        let Some(held) = self.waiting.held.remove(&node) else {
            return;
        };
        let Held {
            form,
            tier: _,
            exact: _,
            judged,
            process,
            what,
        } = held;
        if how == Closed::Approved
            && let What::Program(stopped) = &what
            && !stopped.bound.is_still_so(process)
        {
            how = Closed::Void;
            tell(
                process,
                "the program or its arguments were exchanged since they were shown: the approval counts for nothing",
            );
        }
        if how == Closed::Approved
            && let Some(desk) = &mut self.desk
            && let Err(why) = desk.approved(&judged)
        {
            how = Closed::Void;
            tell(process, &format!("the approval counts for nothing: {why}"));
        }
        let closed = ClosedForm {
            how,
            at: now().to_string(),
            decisions,
        };
        let record = DecidedForm {
            n: node,
            salt: salt(),
            closed: self.as_recorded(&closed),
        };
        let recorded = self.flush().and_then(|()| self.log.decided(&record)).is_ok();
        let _the_record_has_it = self.options.holds.close(&form.action, &record.closed);
        let runs = recorded && how == Closed::Approved;
        if runs {
            self.learn(&form, &judged, &closed);
            self.settle_judged(&judged, true);
        } else if recorded && how == Closed::Changed {
            self.replace(node, process, &form, &judged, &closed);
        } else {
            let why = refusal(&closed, recorded);
            tell(process, &format!("denied ({}): {why}", form.action));
            self.did_not_run(node, &judged, why);
        }
        let stopped = match what {
            What::Program(stopped) => stopped,
            What::Call(call) => return self.end_call(node, call, runs),
        };
        if runs {
            if let Some(info) = self.nodes.get_mut(&node) {
                info.cleared = Some(judged.severity);
            }
            self.gate.pass_or_later(move || {
                let _gone = pidfd_signal(stopped.pidfd.as_fd(), libc::SIGCONT);
            });
            return;
        }
        if let Some(info) = self.nodes.get_mut(&node) {
            info.refused = true;
        }
        let _gone = pidfd_signal(stopped.pidfd.as_fd(), libc::SIGKILL);
    }

    /// A held program ended before anybody decided.
    pub(super) fn void_hold(&mut self, node: Node) {
        self.stop_looking(node);
        if self.waiting.held.contains_key(&node) {
            self.end_hold(node, Closed::Void, Vec::new());
        }
    }

    /// A node whose command was denied: on record, and over.
    pub(super) fn end_denied(&mut self, node: Node, info: NodeInfo) {
        self.nodes.insert(node, info);
        self.finish(node, ExitForm::NotStarted);
    }
}

impl Bound {
    /// The program at this path, with these arguments.
    pub(super) fn of(path: PathBuf, argv: &[String]) -> Self {
        let mut arguments = Vec::new();
        for word in argv.iter().skip(1) {
            arguments.extend_from_slice(word.as_bytes());
            arguments.push(0);
        }
        Self {
            file: of_file(&path),
            path,
            arguments,
        }
    }

    /// The program's file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is still what was shown. A script's command line begins with its interpreter; the arguments end it.
    pub(super) fn is_still_so(&self, process: i32) -> bool {
        let line = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        self.file.is_some() && of_file(&self.path) == self.file && line.ends_with(&self.arguments)
    }
}

/// What tells whether a file is still the same one.
fn of_file(path: &Path) -> Option<(u64, u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}

/// The digest of the exact command.
pub(super) fn key_of(asked: &Asked<'_>) -> Digest {
    Digest::of(format!("{}\0{:?}\0{}", asked.exe, asked.argv, asked.cwd).as_bytes())
}

pub(super) fn waiting(form: &HoldForm) -> String {
    let of = match form.tiers.first() {
        Some(tier) => format!(" of {}", tier.name),
        None => String::new(),
    };
    let persons = match form.judged.persons {
        0 | 1 => format!("a person{of}"),
        persons => format!("{persons} persons{of}"),
    };
    let why = form.judged.reasons.first().map_or("", String::as_str);
    format!(
        "held ({}): {why}; it waits for {persons} until {}, in another terminal: rescind approvals",
        form.action, form.expires
    )
}

fn refusal(closed: &ClosedForm, recorded: bool) -> String {
    if !recorded {
        return "what was decided can't be recorded, so nothing runs".to_owned();
    }
    let rejection = closed.decisions.iter().rev().find(|said| said.message.is_some());
    let why = match closed.how {
        Closed::Rejected => "rejected by a reviewer",
        Closed::Expired => "nobody decided in time",
        Closed::Void | Closed::Approved | Closed::Changed => "the hold is void",
    };
    match rejection {
        Some(said) => format!("{why}: {}", said.message.as_deref().unwrap_or_default()),
        None => why.to_owned(),
    }
}

/// Say something on the standard error of a process, where its agent reads it. Bounded: a pipe that is full is left.
pub(super) fn tell(process: i32, text: &str) {
    let Ok(open) = pidfd_open(process).and_then(|pidfd| pidfd_get(pidfd.as_fd(), 2)) else {
        return;
    };
    let mut fds = [rustix::event::PollFd::new(&open, rustix::event::PollFlags::OUT)];
    let at_once = rustix::event::Timespec {
        tv_sec: 0,
        tv_nsec: i64::from(Duration::from_millis(50).subsec_nanos()),
    };
    if rustix::event::poll(&mut fds, Some(&at_once)).is_ok_and(|ready| ready > 0) {
        let _it_is_in_the_record_all_the_same =
            std::fs::File::from(open).write_all(format!("rescind: {text}\n").as_bytes());
    }
}
