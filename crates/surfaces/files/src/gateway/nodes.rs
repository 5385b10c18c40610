//! Nodes: every successful exec of the tree, and stretches of the agent's own writes.

use super::Gateway;
use super::agent::{is_judged, is_launcher, is_named};
use super::calls::PathArgument;
use super::hold::{Bound, Gate, key_of};
use super::look;
use super::resolve::{Viewer, path_of, read_path, resolve};
use super::touch::CellKey;
use super::tree::{Node, Pending, Process, is_foreign, stack_start};
use rescind_model::Digest;
use rescind_supervisor::journal::{EnvironmentForm, ExitForm, NodeStarted, Record, Role};
use rescind_supervisor::{Asked, Understood, now, salt};
use rescind_sys::{Answer, Listener, Notification};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// What the gateway knows of a node while it lives.
#[derive(Debug, Default)]
pub struct NodeInfo {
    /// Its role; `None` for one that was never started properly.
    pub role: Option<Role>,
    /// The node that started it.
    pub parent: Node,
    /// The nodes it started, and those that such nodes left behind: what it has opened they may hold.
    pub heirs: Vec<Node>,
    /// The process that exec'd.
    pub process: i32,
    /// The action whose own process went on as this one: they are one command.
    pub part_of: Option<Node>,
    /// How it ended, once its exit was trapped.
    pub exit: Option<ExitForm>,
    /// Cells it has touched.
    pub cells: Vec<CellKey>,
    /// What of it was not captured.
    pub missing: BTreeSet<(String, String)>,
    /// Command line, for the agent's own writes.
    pub argv: Vec<String>,
    /// Program.
    pub exe: String,
    /// Working directory.
    pub cwd: String,
    /// When it last changed something (the agent's own writes).
    pub last: Option<Instant>,
    /// Its environment, raw.
    pub environment: Arc<Vec<Vec<u8>>>,
    /// The digest of its exact command.
    pub key: Option<Digest>,
    /// How bad what a person approved for it, or for what started it, was.
    pub cleared: Option<u8>,
    /// Whether what it did is undone at once if it fails.
    pub auto_undo: bool,
    /// Whether people, or nobody in time, had it that it does not run.
    pub refused: bool,
    /// How far it is known what it does.
    pub understood: Understood,
    /// What was read before it ran, to be read again when it is over.
    pub ways: Vec<super::ways::Read>,
    /// How many of those there were.
    pub ways_taken: u64,
}

/// The arguments of an exec.
#[derive(Debug, Clone, Copy)]
pub struct ExecCall {
    pub path: PathArgument,
    pub argv: u64,
    pub envp: u64,
    pub flags: u32,
}

/// The variable in which a program is given the reason for what it is to do.
pub const REASON_VARIABLE: &str = "RESCIND_REASON";
/// A reason is cut after this many characters.
const MOST_REASON: usize = 8 << 10;
const MOST_ARGUMENTS: usize = 4_096;
const MOST_ARGUMENT_BYTES: usize = 1 << 20;

impl Gateway {
    /// A process is seen for the first time: find its node.
    pub fn admit(&mut self, process: i32) {
        let node = self.tree.find_node(process);
        let uncertain = node.is_none() && self.last_node > 0;
        let node = node.or(self.agent).unwrap_or(0);
        self.take_in(process, node);
        if uncertain {
            // Its changes are captured all the same; only whose they are is a guess, and the journal says so.
            let _only_a_remark = self.write(Record::Uncertain { n: node, process });
        }
    }

    pub(super) fn take_in(&mut self, process: i32, node: Node) {
        let pidfd = rescind_sys::pidfd_open(process).ok();
        if let Some(pidfd) = &pidfd {
            self.watch.process(process, pidfd.as_fd());
        }
        let entry = Process {
            node,
            foreign: is_foreign(process),
            pending: None,
            pidfd,
        };
        self.tree.insert(process, entry);
    }

    /// The view of a process may have changed.
    pub fn recheck_view(&mut self, process: i32) {
        // It is about to change, not changed: taken as foreign from now on, which is right in either view.
        if let Some(entry) = self.tree.get_mut(process) {
            entry.foreign = true;
        }
    }

    /// A program is about to run: a new node, on record before it does. `None`: the gate was shut while we looked, and it is not.
    pub fn exec(
        &mut self,
        listener: &Listener,
        call: &Notification,
        viewer: Viewer,
        exec: ExecCall,
    ) -> Option<Answer> {
        let Ok(path) = read_path(viewer, exec.path.address) else {
            return Some(Answer::Continue);
        };
        let Some((found, program)) = self.program(viewer, exec, &path) else {
            return Some(Answer::Continue);
        };
        let argv = rescind_sys::read_strings(call.thread, exec.argv, MOST_ARGUMENTS, MOST_ARGUMENT_BYTES);
        let envp = rescind_sys::read_strings(call.thread, exec.envp, MOST_ARGUMENTS, MOST_ARGUMENT_BYTES);
        if !listener.still_waits(call.id) {
            return Some(Answer::Continue);
        }
        let (Ok(argv), Ok(envp)) = (argv, envp) else {
            return Some(Answer::Errno(libc::EPERM));
        };
        if self.options.fail_fast {
            // Whoever waited for an action that was killed may have heard of it before we did.
            self.hear_of_ends();
        }
        self.warn_of_privileges(&path, &found);
        let before = self.tree.get(viewer.process).map_or(0, |entry| entry.node);
        let n = self.last_node + 1;
        let argv: Vec<String> = argv
            .iter()
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        let file = program.to_string_lossy().into_owned();
        let exe = match String::from_utf8_lossy(&path).into_owned() {
            // It was opened before, and is run by its descriptor.
            nameless if nameless.is_empty() => file.clone(),
            exe => exe,
        };
        let role = self.role(before, viewer.process, &argv, &exe);
        let above = self.nodes.get(&before).map(|info| Arc::clone(&info.environment));
        let above = above.unwrap_or_default();
        let environment = if *above == envp {
            Arc::clone(&above)
        } else {
            Arc::new(envp)
        };
        let cwd = std::fs::read_link(format!("/proc/{}/cwd", call.thread)).unwrap_or_default();
        let cwd = cwd.to_string_lossy().into_owned();
        let cleared = self.nodes.get(&before).and_then(|info| info.cleared);
        let above_understood = self.nodes.get(&before).map(|info| info.understood);
        self.confined.starts(before, n, &environment);
        let narrower = self.confined.narrower(n).cloned();
        let asked = Asked {
            node: n,
            parent: before,
            exe: &exe,
            file: &file,
            argv: &argv,
            cwd: &cwd,
            environment: &environment,
            cleared,
            scopes: narrower.as_ref(),
        };
        let key = key_of(&asked);
        let judged = is_judged(role, &argv).then(|| self.judge(&asked)).flatten();
        let record = NodeStarted {
            n,
            parent: before,
            role,
            time: now().to_string(),
            salt: salt(),
            pid: viewer.process,
            exe: self.rules.redact(&exe).text.into_owned(),
            argv: self.rules.redact_argv(&argv),
            cwd,
            env: self.environment(&above, &environment),
            reasoning: self.reasoning(before, role, &above, &environment),
            judged: judged.as_ref().map(|judged| Box::new(judged.form.clone())),
        };
        // To judge can take long on a busy machine: what was stopped since is not to be on record as started.
        if !self.gate.is_open() {
            self.tell_desk(n, ExitForm::NotStarted, 0);
            return None;
        }
        if self.flush().is_err() || self.log.start(&record).is_err() {
            self.say("a program was not started because that can't be recorded; `rescind status` says why");
            self.tell_desk(n, ExitForm::NotStarted, 0);
            return Some(Answer::Errno(libc::EIO));
        }
        self.last_node = n;
        if role != Role::Process && self.agent.is_some() {
            self.end_direct();
        }
        if role == Role::Agent {
            self.agent = Some(n);
        }
        if let Some(above) = self.nodes.get_mut(&before) {
            above.heirs.push(n);
        }
        let info = NodeInfo {
            role: Some(role),
            parent: before,
            process: viewer.process,
            argv: record.argv.clone(),
            exe: record.exe.clone(),
            cwd: record.cwd.clone(),
            environment,
            key: Some(key),
            cleared: cleared.max(judged.as_ref().and_then(rescind_supervisor::Judged::clears)),
            auto_undo: judged.as_ref().is_some_and(|judged| judged.form.auto_undo),
            understood: match (above_understood, &judged) {
                (Some(Understood::Wholly), _) => Understood::Wholly,
                (_, Some(judged)) if role != Role::Agent => judged.understood,
                _ => Understood::Not,
            },
            ..NodeInfo::default()
        };
        if let Some(judged) = &record.judged {
            self.tell_named(n, &record.argv, judged);
        }
        let gate = self.gate(viewer.process, n, judged);
        let held = match gate {
            Gate::Open => Ok(()),
            Gate::Held(judged) => self.hold(&record, viewer.process, *judged, Bound::of(program, &argv)),
            Gate::Looks(judged) => {
                let environment = Arc::clone(&info.environment);
                let bound = Bound::of(program, &argv);
                self.look_first(&record, viewer.process, *judged, bound, &environment)
            }
            Gate::Denied => Err(std::io::Error::from(std::io::ErrorKind::PermissionDenied)),
        };
        if held.is_err() {
            self.end_denied(n, info);
            return Some(Answer::Errno(libc::EACCES));
        }
        self.nodes.insert(n, info);
        if role == Role::Action {
            self.gate.note_action(n, true);
        }
        let stack = stack_start(viewer.process);
        self.tree.move_to(viewer.process, n);
        if let Some(entry) = self.tree.get_mut(viewer.process) {
            entry.pending = Some(Pending { before, stack });
        }
        if self.options.record_output && matches!(role, Role::Action | Role::Agent | Role::Launcher) {
            self.watch.begin(listener, call, n, viewer.process);
        }
        Some(Answer::Continue)
    }

    /// The program's file, if it is there and can be executed; else the exec fails by itself and is no node.
    fn program(&self, viewer: Viewer, exec: ExecCall, path: &[u8]) -> Option<(look::Look, PathBuf)> {
        let follow = exec.flags & libc::AT_SYMLINK_NOFOLLOW as u32 == 0;
        let place = resolve(viewer, exec.path, path, follow).ok()?;
        let found = place.look().ok()?;
        if !found.is_file() || found.mode & 0o111 == 0 {
            return None;
        }
        let program = match &self.desk {
            Some(_) => PathBuf::from(OsStr::from_bytes(&path_of(&place.directory).ok()?)),
            None => PathBuf::new(),
        };
        Some((found, program.join(OsStr::from_bytes(&place.name))))
    }

    fn warn_of_privileges(&mut self, path: &[u8], found: &look::Look) {
        let gains = found.mode & libc::S_ISUID != 0 && found.uid == 0;
        let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let asks = [&b"sudo"[..], b"su", b"doas", b"pkexec"].contains(&name);
        if gains && asks && !rustix::process::geteuid().is_root() {
            self.say(
                "sudo gains no privileges inside a session (no_new_privs): to let the agent act as root, run rescind \
                 itself as root: sudo rescind run -- ...",
            );
        }
    }

    fn role(&self, parent: Node, process: i32, argv: &[String], exe: &str) -> Role {
        let above = self.nodes.get(&parent).and_then(|info| info.role);
        let becomes = self
            .nodes
            .get(&parent)
            .is_some_and(|info| info.process == process);
        match above {
            // A command that an agent outside of this session runs is one action, whatever it starts.
            None if self.options.one_action => Role::Action,
            Some(_) if self.options.one_action => Role::Process,
            // The agent's own process runs another program now: that is the agent from here on.
            Some(Role::Agent) if becomes => Role::Agent,
            None | Some(Role::Launcher) if self.agent.is_none() => {
                let starts = match &self.options.agent {
                    Some(name) => !is_named(argv, exe, name),
                    None => is_launcher(argv),
                };
                if starts { Role::Launcher } else { Role::Agent }
            }
            None | Some(Role::Launcher) => Role::Action,
            Some(Role::Agent) => Role::Action,
            Some(_) => match &self.options.agent {
                Some(name) if self.agent.is_none() && is_named(argv, exe, name) => Role::Agent,
                _ => Role::Process,
            },
        }
    }

    /// The environment as a difference from that of the node above, redacted.
    fn environment(&self, before: &Arc<Vec<Vec<u8>>>, now: &Arc<Vec<Vec<u8>>>) -> EnvironmentForm {
        if Arc::ptr_eq(before, now) {
            return EnvironmentForm::default();
        }
        let old: BTreeMap<&[u8], &[u8]> = before.iter().map(|pair| split(pair)).collect();
        let new: BTreeMap<&[u8], &[u8]> = now.iter().map(|pair| split(pair)).collect();
        let mut form = EnvironmentForm::default();
        for (name, value) in &new {
            if old.get(name) != Some(value) {
                let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                let value = self.rules.redact_env(&name, &value);
                form.set.insert(name.into_owned(), value);
            }
        }
        form.unset = old
            .keys()
            .filter(|name| !new.contains_key(*name))
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        form
    }

    /// Why the agent says it does this: what stands in the environment of the first program that is no launcher, once.
    fn reasoning(&self, before: Node, role: Role, above: &[Vec<u8>], now: &[Vec<u8>]) -> Option<String> {
        let given = |pairs: &[Vec<u8>]| {
            let name = [REASON_VARIABLE.as_bytes(), b"="].concat();
            pairs
                .iter()
                .find_map(|pair| pair.strip_prefix(name.as_slice()).map(<[u8]>::to_vec))
        };
        let reason = given(now).filter(|reason| !reason.is_empty() && role != Role::Launcher)?;
        let launcher = self.nodes.get(&before).and_then(|info| info.role) == Some(Role::Launcher);
        if !launcher && given(above).as_ref() == Some(&reason) {
            return None;
        }
        let text = String::from_utf8_lossy(&reason);
        let short: String = text.chars().take(MOST_REASON).collect();
        Some(self.rules.redact(&short).text.into_owned())
    }

    /// Record a change that was refused.
    pub fn refused(&mut self, node: Node, what: String, why: &str) {
        let text = format!("refused: {why}");
        let _kept_for_the_summary = self.write(Record::Missing {
            n: node,
            what: what.clone(),
            why: text.clone(),
        });
        let _same = self.flush();
        *self.refusals.entry((what, why.to_owned())).or_default() += 1;
        if let Some(info) = self.nodes.get_mut(&node) {
            info.missing.insert(("refused".to_owned(), text));
        }
    }
}

fn split(pair: &[u8]) -> (&[u8], &[u8]) {
    match pair.iter().position(|byte| *byte == b'=') {
        Some(at) => (
            pair.get(..at).unwrap_or_default(),
            pair.get(at + 1..).unwrap_or_default(),
        ),
        None => (pair, b""),
    }
}
