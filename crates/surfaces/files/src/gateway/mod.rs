//! The gateway: supervise a process tree, capture what it is about to change, record what it does.
//!
//! One thread answers trapped calls, one at a time; the other watches the guardian, the front and the processes'
//! ends. Both share one [`Gateway`].

mod agent;
mod calls;
mod confine;
mod connect;
mod direct;
mod ends;
mod escape;
mod failing;
mod flapping;
mod floor;
mod handle;
mod hold;
mod inherited;
mod launch;
mod left;
mod lesson;
mod look;
mod nodes;
mod notify;
mod obey;
mod objects;
mod output;
mod policy;
mod protect;
mod resolve;
mod run;
mod shown;
mod stage;
mod tiers;
mod touch;
mod tree;
mod views;
mod walk;
mod ways;
mod workers;

pub use confine::{Confinement, MAY_VARIABLE};
pub use floor::Floor;
pub use launch::{Launch, Seat, launch};
pub use nodes::REASON_VARIABLE;
pub use obey::{Obeying, obey};
pub(crate) use policy::uncapturable;
pub use policy::{Policy, Uncaptured};
pub use run::{Finished, RunError, run};
pub(crate) use views::unescape;

use crate::ObjectTable;
use nodes::NodeInfo;
use protect::Protection;
use rescind_redact::Rules;
use rescind_supervisor::control::Gate;
use rescind_supervisor::holds::{Holds, Tiers};
use rescind_supervisor::journal::Record;
use rescind_supervisor::{Desk, Home, Looks, SessionLog, Undo, Undoing, UndoneStates};
use rescind_sys::Notification;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::Arc;
use touch::{CellKey, Touched};
use tree::{Node, Tree};

/// How a run is to be done.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which program is the agent, where the first one that is no launcher is not it.
    pub agent: Option<String>,
    /// Whether the command is one action of an agent outside: no program of the session is the agent.
    pub one_action: bool,
    /// The largest file that is captured by copying, in bytes.
    pub largest: u64,
    /// What to do with changes that can't be captured.
    pub uncaptured: Uncaptured,
    /// Whether connections to processes that could act for the agent are refused.
    pub refuse_escapes: bool,
    /// Whether output is recorded.
    pub record_output: bool,
    /// Directories and files of rescind itself.
    pub own: Vec<std::path::PathBuf>,
    /// Where people decide on what is held.
    pub holds: Holds,
    /// How long a hold waits before it is denied, where somebody said; else as long as its tiers are asked.
    pub hold_for: Option<std::time::Duration>,
    /// Who is asked, and how they are told.
    pub tiers: Tiers,
    /// The agent's name, as reviewers see it.
    pub agent_name: String,
    /// Who started the session.
    pub requester: String,
    /// Whether any failure halts the session: then the ends of actions are heard of before anything new begins.
    pub fail_fast: bool,
    /// Who undoes what fails, where a policy says that it is undone.
    pub undo: Option<Arc<dyn Undo>>,
    /// Where undos note what they took back.
    pub home: Home,
    /// The states that undos took back.
    pub undone: UndoneStates,
    /// Who reads what commands are about to change elsewhere. `None`: nobody, and such commands are not covered.
    pub looks: Option<Arc<dyn Looks>>,
    /// Variables for the agent that were not known when its process was made.
    pub environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    /// What the session may do to files.
    pub confinement: Confinement,
    /// In a staged session the devices of its overlays (major in the upper half): everything else can't be changed.
    pub staged: Option<std::collections::HashSet<u64>>,
}

/// Everything the two threads share.
pub(crate) struct Gateway {
    options: Options,
    log: Arc<SessionLog>,
    rules: Arc<Rules>,
    protection: Protection,
    policy: Policy,
    tree: Tree,
    objects: ObjectTable,
    cells: HashMap<CellKey, Touched>,
    unsettled: Vec<CellKey>,
    /// Cells by device, inode and birth of what they held when they were touched.
    inodes: HashMap<(u64, u64, i64), (Node, CellKey)>,
    nodes: HashMap<Node, NodeInfo>,
    /// What undos are about to change, and the calls that wait for them.
    undoing: Undoing,
    behind_undos: Vec<Notification>,
    /// What has failed and is to be undone.
    failed: Vec<failing::Failed>,
    last_node: Node,
    agent: Option<Node>,
    direct: Option<Node>,
    /// The thread whose call is at hand.
    thread: i32,
    /// What each thread's last call in the agent's stretch of own writes was let go on to change. It may not have been
    /// made yet, as long as the thread was not seen to do anything else.
    flying: HashMap<i32, Vec<CellKey>>,
    seq: u64,
    /// The process whose call is at hand, for finding folders of another mount namespace.
    caller: Option<i32>,
    /// When the session began, ns since the epoch.
    began: i64,
    buffer: Vec<Record>,
    /// What was not captured, each with its reason and how often.
    missing: BTreeMap<(String, String), u64>,
    /// Addresses of processes outside that could act for the agent, and what they can do.
    escapes: BTreeMap<(String, String), u64>,
    /// Messages for the person at the terminal, each said once.
    said: std::collections::BTreeSet<&'static str>,
    /// What was refused, each with its reason and how often.
    refusals: BTreeMap<(String, String), u64>,
    /// The path that the call at hand names, for messages.
    last_name: Option<String>,
    /// The file that was about to be made last: calls on its descriptor follow.
    made: Option<handle::Made>,
    /// The folder that was opened last, while several cells of it are read; forgotten before the next call.
    last_folder: Option<(rescind_model::ObjectId, std::os::fd::OwnedFd)>,
    /// The cells that folders are in their own folders, as long as none was moved.
    entries: HashMap<rescind_model::ObjectId, CellKey>,
    /// Folders that a call of the session was about to remove.
    removed: std::collections::HashSet<rescind_model::ObjectId>,
    /// Files that were moved or linked in the session, so that they are older than the cells they are in.
    carried: std::collections::HashSet<(u64, u64)>,
    /// Inodes whose flags (chattr) the session changes: only theirs are captured.
    flagged: std::collections::HashSet<(u64, u64)>,
    /// Inodes that got one more name.
    linked: std::collections::HashSet<(u64, u64)>,
    /// Whether the touched folders were walked.
    walked: bool,
    /// Whether the books are closed.
    closed: bool,
    watch: output::Outputs,
    /// Who judges commands, where anybody does.
    desk: Option<Box<dyn Desk>>,
    waiting: hold::Waiting,
    confined: confine::Confined,
    notifier: Arc<notify::Notifier>,
    /// Through which everything starts.
    gate: Arc<Gate>,
}

impl Gateway {
    /// Put a record into the frame that is being made.
    fn write(&mut self, record: Record) -> io::Result<()> {
        self.buffer.push(record);
        if self.buffer.len() >= 256 {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Bring what was put into the frame to the kernel. On a full disk what has happened already is on record all the same.
    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let result = self.log.write(&self.buffer);
        self.buffer.clear();
        result
    }

    /// Say something to the person once.
    fn say(&mut self, what: &'static str) {
        if self.said.insert(what) {
            eprintln!("rescind: {what}");
        }
    }

    /// Something was not captured, or could have been done elsewhere.
    fn miss(&mut self, node: Node, what: String, why: String) {
        let record = Record::Missing {
            n: node,
            what: what.clone(),
            why: why.clone(),
        };
        let _kept_for_the_summary = self.write(record);
        if let Some(info) = self.nodes.get_mut(&node)
            && info.missing.len() < MOST_MISSING
        {
            info.missing.insert((what.clone(), why.clone()));
        }
        if self.missing.len() < MOST_MISSING || self.missing.contains_key(&(what.clone(), why.clone())) {
            *self.missing.entry((what, why)).or_default() += 1;
        }
    }
}

/// How many different gaps are listed; more are counted in the journal only.
const MOST_MISSING: usize = 1_000;
