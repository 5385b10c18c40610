//! What is known of one action so far.

use super::change::{Alike, Side};
use crate::rows::{ChangeRow, DecidedRow, Gap};
use crate::{MOST_CHANGES, MOST_GAPS};
use rescind_supervisor::holds::{Closed, ClosedForm};
use rescind_supervisor::journal::{ExitForm, JudgedForm, NodeStarted, Role};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// An action: what began, what was judged and decided, what it did.
pub(super) struct Action {
    /// Its row in the list.
    pub id: i64,
    pub seq: u64,
    pub started: Begun,
    pub judged: Option<Box<JudgedForm>>,
    pub decided: Option<ClosedForm>,
    pub end: Option<End>,
    /// Of a step of an undo: how it ended, and why.
    pub step: Option<Option<(&'static str, Option<String>)>>,
    resources: HashMap<u64, Counts>,
    captured: usize,
    uncaptured: usize,
    gaps: BTreeSet<(String, String)>,
    gaps_left_out: u64,
    /// What is judged not to be captured, by node: it counts while that node ran.
    pub judged_gaps: BTreeMap<u64, Vec<String>>,
    changes: Vec<Change>,
    places: HashMap<u64, usize>,
    /// Whether its changes are others than those that were written down last.
    pub changed: bool,
}

/// What is kept of a node's beginning.
pub(super) struct Begun {
    pub n: u64,
    pub parent: u64,
    pub role: &'static str,
    pub time: String,
    pub command: String,
    pub program: String,
    pub cwd: String,
    pub surface: String,
}

/// How a node ended.
#[derive(Clone)]
pub(super) struct End {
    pub exit: ExitForm,
    pub time: String,
    pub output: u64,
}

#[derive(Default)]
struct Counts {
    captured: u32,
    uncaptured: u32,
}

struct Change {
    key: u64,
    path: String,
    first: Side,
    last: Side,
    observed: bool,
    captured: bool,
}

/// What an effect counts as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// Nothing was changed.
    Nothing,
    /// A resource whose state before was captured.
    Captured,
    /// One whose state before was not.
    Uncaptured,
}

impl Action {
    pub fn new(id: i64, seq: u64, started: Begun, judged: Option<Box<JudgedForm>>) -> Self {
        let mut judged_gaps = BTreeMap::new();
        if let Some(judged) = &judged {
            judged_gaps.insert(started.n, judged.uncovered.clone());
        }
        Self {
            id,
            seq,
            started,
            judged,
            decided: None,
            end: None,
            step: None,
            resources: HashMap::new(),
            captured: 0,
            uncaptured: 0,
            gaps: BTreeSet::new(),
            gaps_left_out: 0,
            judged_gaps,
            changes: Vec::new(),
            places: HashMap::new(),
            changed: false,
        }
    }

    /// An effect on a resource counts otherwise than before.
    pub fn count(&mut self, key: u64, was: Counted, is: Counted) {
        if was == is {
            return;
        }
        let counts = self.resources.entry(key).or_default();
        for (counted, more) in [(was, false), (is, true)] {
            let (count, total) = match counted {
                Counted::Nothing => continue,
                Counted::Captured => (&mut counts.captured, &mut self.captured),
                Counted::Uncaptured => (&mut counts.uncaptured, &mut self.uncaptured),
            };
            if more {
                *total += usize::from(*count == 0);
                *count += 1;
            } else {
                *count = count.saturating_sub(1);
                *total = total.saturating_sub(usize::from(*count == 0));
            }
        }
        if counts.captured == 0 && counts.uncaptured == 0 {
            self.resources.remove(&key);
        }
    }

    /// How many resources it changed.
    pub fn effects(&self) -> u64 {
        self.resources.len() as u64
    }

    /// A resource is about to be changed, or was.
    pub fn change(&mut self, key: u64, path: &str, before: &Side, after: &Side, seen: Option<bool>) {
        self.changed = true;
        let observed = seen == Some(true);
        let captured = seen.is_some();
        let place = match self.places.get(&key) {
            Some(place) => *place,
            None if self.changes.len() < MOST_CHANGES => {
                self.places.insert(key, self.changes.len());
                self.changes.push(Change {
                    key,
                    path: path.to_owned(),
                    first: *before,
                    last: *after,
                    observed,
                    captured,
                });
                return;
            }
            None => return,
        };
        if let Some(change) = self.changes.get_mut(place) {
            change.last = *after;
            change.observed = observed;
            change.captured |= captured;
            if change.path != path {
                path.clone_into(&mut change.path);
            }
        }
    }

    /// What became of its resources in the end.
    pub fn changes(&self, alike: &Alike) -> Vec<ChangeRow> {
        let kept = |change: &&Change| {
            self.resources.contains_key(&change.key)
                && (!change.observed || !change.first.same(&change.last, alike))
        };
        let kept: Vec<&Change> = self.changes.iter().filter(kept).collect();
        let gone = |change: &&Change| !change.last.exists() && change.first.exists();
        let mut deleted: HashMap<u64, &Change> = HashMap::new();
        for change in kept.iter().filter(|change| gone(change)) {
            deleted.extend(change.first.object.map(|object| (object, *change)));
        }
        let mut moved = BTreeSet::new();
        let mut rows = Vec::with_capacity(kept.len());
        for change in kept.iter().filter(|change| !gone(change)) {
            let mut row = change.row(alike);
            if !change.first.exists()
                && let Some(from) = change.last.object.and_then(|object| deleted.remove(&object))
            {
                moved.insert(from.key);
                row.kind = "moved".to_owned();
                row.from = Some(from.path.clone());
            }
            rows.push(row);
        }
        let rest = kept
            .iter()
            .filter(|change| gone(change) && !moved.contains(&change.key));
        rows.extend(rest.map(|change| change.row(alike)));
        rows.sort();
        rows
    }

    /// Something was not captured.
    pub fn gap(&mut self, what: &str, why: &str) {
        let gap = (what.to_owned(), why.to_owned());
        if self.gaps.contains(&gap) {
            return;
        }
        if self.gaps.len() < 10 * MOST_GAPS {
            self.gaps.insert(gap);
        } else {
            self.gaps_left_out += 1;
        }
    }

    /// What is not captured of it, and how much that is in all.
    pub fn gaps(&self) -> (Vec<Gap>, u64) {
        let judged = self.judged_gaps.values().flatten();
        let judged = judged.map(|gap| (gap.clone(), "nothing captures it".to_owned()));
        let all: BTreeSet<(String, String)> = self.gaps.iter().cloned().chain(judged).collect();
        let total = all.len() as u64 + self.gaps_left_out;
        let shown = all.into_iter().take(MOST_GAPS);
        (shown.map(|(what, why)| Gap { what, why }).collect(), total)
    }

    /// `captured`, `partial` or `not_captured`.
    pub fn coverage(&self, gaps: u64) -> &'static str {
        match (gaps > 0, self.captured == 0) {
            (false, _) if self.uncaptured == 0 => "captured",
            (true, true) | (false, true) => "not_captured",
            _ => "partial",
        }
    }

    /// The state that its own session's record says. `over`: how the session ended, if it did.
    pub fn state(&self, end: Option<&End>, over: Option<&str>) -> &'static str {
        if let Some(step) = &self.step {
            return match step {
                None if over.is_some() => "in_doubt",
                None => "started",
                Some((state, _)) => state,
            };
        }
        let verdict = self.judged.as_ref().map_or("", |judged| judged.verdict.as_str());
        match self.decided.as_ref().map(|closed| closed.how) {
            Some(Closed::Rejected | Closed::Changed) => return "rejected",
            Some(Closed::Expired) => return "expired",
            Some(Closed::Void) => return "void",
            None if verdict == "deny" => return "denied",
            None if verdict == "hold" && (end.is_some() || over.is_some()) => return "void",
            None if verdict == "hold" => return "held",
            Some(Closed::Approved) | None => {}
        }
        match (end.map(|end| end.exit), over) {
            // What the agent's own process wrote is over when it starts something, and has no exit.
            (Some(ExitForm::Unknown), _) if self.is_direct() => "done",
            (None, Some(_)) | (Some(ExitForm::Unknown), _) => "in_doubt",
            (None, None) => "started",
            (Some(ExitForm::Code(0) | ExitForm::Exec(_)), _) => "done",
            (Some(ExitForm::Signal(_)), Some("killed")) => "killed",
            (Some(ExitForm::Code(_) | ExitForm::Signal(_) | ExitForm::NotStarted), _) => "failed",
        }
    }

    fn is_direct(&self) -> bool {
        self.started.role == Role::Direct.name()
    }

    /// How its hold ended.
    pub fn decision(&self) -> Option<DecidedRow> {
        let closed = self.decided.as_ref()?;
        let said = closed.decisions.iter();
        Some(DecidedRow {
            how: closed.how.name().to_owned(),
            at: closed.at.clone(),
            by: said.clone().map(|said| said.person.clone()).collect(),
            message: said.rev().find_map(|said| said.message.clone()),
        })
    }
}

impl Change {
    fn row(&self, alike: &Alike) -> ChangeRow {
        let kind = match (self.first.exists(), self.last.exists()) {
            (false, _) => "created",
            (true, false) => "deleted",
            (true, true) if self.first.same_substance(&self.last, alike) => "attributes",
            (true, true) => "changed",
        };
        ChangeRow {
            path: self.path.clone(),
            kind: kind.to_owned(),
            from: None,
            captured: self.captured,
        }
    }
}

impl Begun {
    /// What is kept of a node.
    pub fn of(node: &NodeStarted) -> Self {
        let surface = if node.role == Role::Direct {
            "files"
        } else {
            "shell"
        };
        Self {
            n: node.n,
            parent: node.parent,
            role: node.role.name(),
            time: node.time.clone(),
            command: node.command(),
            program: node.exe.clone(),
            cwd: node.cwd.clone(),
            surface: surface.to_owned(),
        }
    }
}
