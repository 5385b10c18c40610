//! A session as its journal tells it so far, record by record: what its rows say. The same as `SessionView`, but made
//! step by step and in little memory.

mod action;
mod change;
mod rows;
mod take;

use crate::rows::ReceiptRow;
use action::{Action, End};
use change::{Alike, Side};
use rescind_model::SessionId;
use rescind_supervisor::journal::{SessionEnded, SessionOpened};
use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) use rows::ActionFacts;
pub(crate) use take::Places;

/// The actions of a session, and what they came to.
pub(crate) struct Tale {
    pub id: SessionId,
    pub opened: Option<SessionOpened>,
    pub ended: Option<SessionEnded>,
    nodes: HashMap<u64, Process>,
    actions: BTreeMap<u64, Action>,
    effects: HashMap<u64, Effect>,
    /// How many effects changed each resource.
    changed: HashMap<u64, u32>,
    alike: Alike,
    /// Of an undo: steps begun and over, and its receipt.
    begun: u64,
    over: u64,
    receipt: Option<ReceiptRow>,
    /// What an undo took back, since it was asked for last.
    took: Vec<Took>,
    taking: HashMap<u64, BTreeSet<String>>,
    /// Processes of actions that are new since this was asked last: each with its action.
    pub below: Vec<(u64, u64)>,
    /// Actions whose rows are not as they should be any more.
    dirty: BTreeSet<u64>,
    tallies: Tallies,
    /// What each action was counted as in `tallies`.
    counted: HashMap<u64, Counts>,
}

/// An undo's step settled something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Took {
    /// The step's number in the undo.
    pub step: u64,
    /// What it took back: `SESSION.NUMBER` of a node.
    pub node: String,
    /// What that is now: `undone`, `compensated`, `undo_conflict` or `kept`.
    pub state: &'static str,
}

/// A process below an action, or the action itself.
struct Process {
    action: u64,
    is_process: bool,
    end: Option<End>,
}

/// An effect whose outcome is not seen yet.
struct Effect {
    node: u64,
    key: u64,
    of_folder: bool,
    path: String,
    before: Side,
    counted: action::Counted,
    changed: bool,
}

/// What a session's row counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tallies {
    pub actions: u64,
    pub failures: u64,
    pub denials: u64,
    pub holds: u64,
    pub waiting: u64,
    pub not_captured: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    failed: bool,
    denied: bool,
    held: bool,
    waits: bool,
    uncovered: bool,
}

impl Tale {
    pub fn new(id: SessionId) -> Self {
        Self {
            id,
            opened: None,
            ended: None,
            nodes: HashMap::new(),
            actions: BTreeMap::new(),
            effects: HashMap::new(),
            changed: HashMap::new(),
            alike: Alike::default(),
            begun: 0,
            over: 0,
            receipt: None,
            took: Vec::new(),
            taking: HashMap::new(),
            below: Vec::new(),
            dirty: BTreeSet::new(),
            tallies: Tallies::default(),
            counted: HashMap::new(),
        }
    }

    /// How many bytes of memory it takes, about.
    pub fn weight(&self) -> usize {
        let actions: usize = self.actions.len() * 1100;
        2_000
            + actions
            + self.nodes.len() * 120
            + self.effects.len() * 400
            + self.changed.len() * 24
            + self.alike.weight()
    }

    /// The action that stands for a node.
    fn action_of(&self, node: u64) -> u64 {
        self.nodes.get(&node).map_or(node, |process| process.action)
    }

    /// How what began as this node ended: where its process went on as another program of the same action, how that did.
    fn end_of(&self, node: u64) -> Option<&End> {
        use rescind_supervisor::journal::ExitForm;
        let mut end = self.nodes.get(&node)?.end.as_ref()?;
        while let ExitForm::Exec(next) = end.exit
            && let Some(next) = self.nodes.get(&next)
            && next.is_process
        {
            end = next.end.as_ref()?;
        }
        Some(end)
    }
}
