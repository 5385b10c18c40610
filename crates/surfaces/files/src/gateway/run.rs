//! The supervisor's life: from the agent's first instruction to the end of its last process.

mod answers;
mod books;
mod watch;

use super::launch::{Message, Seat};
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
use rescind_supervisor::{Desk, SessionLog, Undoing, now};
use rescind_sys::{ExitStatus, Listener};
use rustix::event::epoll;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::AsFd as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use watch::Watch;

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
            .spawn(move || answers::answer(&gateway, &listener, &workers, &gate))
    };
    answering.map_err(fail)?;
    super::launch::let_go(&seat.agent, &environment).map_err(fail)?;
    Watch::new(seat, gateway, gate, epoll, agent).run(&mut finished);
    notifier.finish();
    Ok(())
}
