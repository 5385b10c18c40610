//! The order of steps, and which of them can't be carried out.
//!
//! 1. Links that go, or that something else takes the place of, to files that stay elsewhere or have another link to be
//!    brought by: what is done to the file afterwards does not show through them.
//! 2. What should be somewhere is brought there, from the top of the tree that is wanted to its leaves: then every
//!    folder is in its final place when something is put into it, and none is ever moved into itself. What is in the way
//!    and must live on is set aside.
//! 3. Files with several links are written, when all links to them that should go are gone.
//! 4. Links to what is elsewhere, after what is there is as it should be.
//! 5. What should go goes, from the leaves to the top.
//!
//! In the end folders go that were set aside and are wanted nowhere: they are empty now.

use super::aside::is_temporary;
use super::finish::each_name;
use super::index::{Index, Planned, numbered};
use super::{Numbered, Stop, Undoing};
use crate::cell::Cell;
use crate::object::Kind;
use crate::state;
use rescind_model::{ObjectId, State, Value};
use rescind_supervisor::{Arranged, Held, HeldCause, Step};
use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::Arc;

/// Sorts before what comes later. Depths of what goes are negative.
type Rank = (u8, i64);

impl Undoing {
    pub(crate) fn arrange(&mut self, steps: Vec<Step>) -> Arranged {
        self.folders.clear();
        let really = self.really(&steps);
        self.index = Index::new(steps, |cell| really.get(cell).cloned());
        let planned: Vec<Arc<Planned>> = self.index.steps().to_vec();
        let mut held = self.homeless(&planned);
        held.extend(self.staying(&planned, &held));
        let out: HashSet<Cell> = held
            .iter()
            .filter_map(|held| Cell::parse(&held.step.resource))
            .collect();
        let mut order = Order::new(self);
        let mut ranked: Vec<(Rank, Arc<Planned>)> = planned
            .into_iter()
            .filter(|planned| !out.contains(&planned.cell))
            .map(|planned| (order.rank(&planned), planned))
            .collect();
        ranked.sort_by(|a, b| (a.0, &a.1.cell).cmp(&(b.0, &b.1.cell)));
        let planned: Vec<Arc<Planned>> = ranked.into_iter().map(|(_, planned)| planned).collect();
        let steps = planned.iter().map(|planned| planned.step.clone()).collect();
        self.index = Index::of(planned);
        let disturbed = self.disturbed();
        Arranged {
            steps,
            held,
            disturbed,
        }
    }

    /// What an undo that was interrupted left in cells in passing.
    fn really(&mut self, steps: &[Step]) -> HashMap<Cell, State> {
        let mut really = HashMap::new();
        for step in steps {
            let Some(cell) = Cell::parse(&step.resource).filter(|cell| self.parked.contains_key(cell)) else {
                continue;
            };
            if let Ok(found) = self.read_real(&cell, Some(&step.expected)) {
                really.insert(cell, found);
            }
        }
        really
    }

    /// Steps into folders that are gone and don't come back.
    fn homeless(&mut self, planned: &[Arc<Planned>]) -> Vec<Held> {
        let mut known: HashMap<Numbered, Option<String>> = HashMap::new();
        let mut held: Vec<Held> = Vec::new();
        let mut lost: HashSet<Numbered> = HashSet::new();
        loop {
            let before = held.len();
            for planned in planned {
                let Planned { cell, step, .. } = planned.as_ref();
                let folder = (cell.session.clone(), cell.folder);
                if !step.target.exists() || held.iter().any(|held| held.step.resource == step.resource) {
                    continue;
                }
                let comes = self.index.wanted(&folder).next().is_some() && !lost.contains(&folder);
                if comes {
                    continue;
                }
                let why = known
                    .entry(folder.clone())
                    .or_insert_with(|| match self.find(cell) {
                        Ok(Some(_)) => None,
                        Ok(None) => {
                            Some("its folder is gone and is not brought back by this undo".to_owned())
                        }
                        Err(stop) => Some(format!("{:#}", DisplayStop(stop))),
                    });
                let Some(why) = why.clone() else { continue };
                if state::kind(&step.target) == Some(Kind::Dir)
                    && let Some(own) = numbered(cell, &step.target)
                {
                    lost.insert(own);
                }
                held.push(Held {
                    step: step.clone(),
                    cause: HeldCause::NoPlace,
                    why,
                    by: Vec::new(),
                });
            }
            if held.len() == before {
                return held;
            }
        }
    }

    /// Folders that should go and hold what does not go with them.
    fn staying(&mut self, planned: &[Arc<Planned>], held: &[Held]) -> Vec<Held> {
        let mut kept: HashSet<Cell> = held
            .iter()
            .filter_map(|held| Cell::parse(&held.step.resource))
            .collect();
        let mut going: Vec<(usize, &Arc<Planned>, Numbered)> = planned
            .iter()
            .filter(|planned| !kept.contains(&planned.cell))
            .filter_map(|planned| {
                let own = numbered(&planned.cell, &planned.found)?;
                let dies = self.dies(planned, &own);
                let depth = self.path_depth(&own.0, own.1);
                dies.then_some((depth, planned, own))
            })
            .collect();
        going.sort_by_key(|(depth, _, _)| Reverse(*depth));
        let mut staying = Vec::new();
        for (_, planned, (session, folder)) in going {
            let mut by = Vec::new();
            let itself = Cell::new(&session, folder, b"");
            let Ok(Some(opened)) = self.find(&itself) else {
                continue;
            };
            let listed = each_name(&opened, |name| {
                let entry = Cell::new(&session, folder, name);
                let goes = self
                    .index
                    .at(&entry)
                    .is_some_and(|planned| !kept.contains(&planned.cell));
                if !goes && !is_temporary(name) {
                    by.push(entry.resource());
                }
            });
            // One that may not be read goes if it is empty: that is seen when it is removed.
            let shut =
                matches!(&listed, Err(Stop::Io(error)) if error.kind() == io::ErrorKind::PermissionDenied);
            if by.is_empty() && (listed.is_ok() || shut) {
                continue;
            }
            kept.insert(planned.cell.clone());
            staying.push(Held {
                step: planned.step.clone(),
                cause: HeldCause::Stays,
                why: "it holds what was not made by what is taken back".to_owned(),
                by,
            });
        }
        staying
    }

    /// Whether a step ends a folder of the session's: it goes, or something other than a folder takes its place.
    fn dies(&self, planned: &Planned, own: &Numbered) -> bool {
        let is_folder = state::kind(&planned.found) == Some(Kind::Dir);
        let replaced = state::kind(&planned.step.target) != Some(Kind::Dir);
        is_folder && replaced && self.index.wanted(own).next().is_none()
    }

    fn path_depth(&self, session: &rescind_model::SessionId, object: ObjectId) -> usize {
        let path = self.tables.get(session).and_then(|table| table.path(object));
        path.map_or(0, |path| path.iter().filter(|byte| **byte == b'/').count())
    }

    /// Folders in which the steps change entries, with the times and permissions they should have in the end.
    fn disturbed(&mut self) -> Vec<Step> {
        let mut folders: BTreeSet<Numbered> = BTreeSet::new();
        for planned in self.index.steps() {
            let Planned { cell, step, .. } = planned.as_ref();
            folders.insert((cell.session.clone(), cell.folder));
            if state::kind(&step.target) == Some(Kind::Dir) {
                folders.extend(numbered(cell, &step.target));
            }
        }
        let mut disturbed = Vec::new();
        for (session, folder) in folders {
            let own = (session, folder);
            let planned = self.index.wanted(&own).next().cloned();
            let dies = planned.is_none() && (self.index.found(&own).next().is_some() || self.is_aside(&own));
            if dies {
                continue;
            }
            let cell = Cell::new(&own.0, folder, b"");
            let Ok(expected) = self.read(&cell, None) else {
                continue;
            };
            let target = match &planned {
                Some(planned) => with_end_of(&expected, &planned.step.target),
                None => expected.clone(),
            };
            if !target.exists() {
                continue;
            }
            let path = self.tables.get(&own.0).and_then(|table| table.path(folder));
            let name = String::from_utf8_lossy(&path.unwrap_or_default()).into_owned();
            disturbed.push(Step {
                resource: cell.resource(),
                name,
                expected,
                target,
            });
        }
        disturbed
    }
}

struct DisplayStop(super::Stop);

impl std::fmt::Display for DisplayStop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.0 {
            super::Stop::Io(error) => write!(f, "its folder can't be reached: {error}"),
            super::Stop::BodyLost(why) => f.write_str(why),
            super::Stop::NotRecorded(error) => write!(f, "{error}"),
            super::Stop::Ended(_) => f.write_str("its folder can't be reached"),
        }
    }
}

/// The folder as it is, with the time and permissions that it should have in the end; as it should be, if it is not
/// there.
fn with_end_of(now: &State, target: &State) -> State {
    let (State::Present(fields), Some(end)) = (now, target.fields()) else {
        return target.clone();
    };
    let mut fields = fields.clone();
    for field in [state::MTIME, state::MODE] {
        if let Some(Value::Int(value)) = end.get(field) {
            fields.set(field, Value::Int(*value));
        }
    }
    State::Present(fields)
}

/// Works out the ranks of steps.
struct Order<'a> {
    undoing: &'a Undoing,
    /// Depths, in the tree that is wanted, of folders.
    depths: HashMap<Numbered, i64>,
}

impl<'a> Order<'a> {
    fn new(undoing: &'a Undoing) -> Self {
        Self {
            undoing,
            depths: HashMap::new(),
        }
    }

    fn rank(&mut self, planned: &Planned) -> Rank {
        let Planned { cell, step, .. } = planned;
        let spare = self.is_spare_link(planned);
        if spare || !step.target.exists() {
            let depth = self.undoing.path_depth(&cell.session, cell.folder);
            let depth = i64::try_from(depth).unwrap_or(i64::MAX);
            return (if spare { 1 } else { 5 }, -depth);
        }
        let phase = match () {
            () if self.is_link(planned) => 4,
            () if self.is_shared_write(planned) => 3,
            () => 2,
        };
        (phase, self.depth(&(cell.session.clone(), cell.folder), 0))
    }

    /// Whether the object stays where it is and this cell gets a link to it.
    fn is_link(&self, planned: &Planned) -> bool {
        let Planned { cell, step, found } = planned;
        let Some(wanted) = numbered(cell, &step.target) else {
            return false;
        };
        let here = numbered(cell, found).as_ref() == Some(&wanted);
        let index = &self.undoing.index;
        !here
            && index
                .found(&wanted)
                .any(|found| index.wants(&found.cell, &wanted))
    }

    /// Whether the plan brings the folder to where it should be: it is not there.
    fn is_brought(&self, folder: &Numbered) -> bool {
        let wanted = self.undoing.index.wanted(folder);
        let mut elsewhere =
            wanted.filter(|planned| numbered(&planned.cell, &planned.found).as_ref() != Some(folder));
        elsewhere.next().is_some()
    }

    /// Whether the file is in several cells and stays in this one.
    fn is_shared_write(&self, planned: &Planned) -> bool {
        let Planned { cell, step, found } = planned;
        let own = numbered(cell, found);
        let stays = own.is_some() && own == numbered(cell, &step.target);
        stays && own.is_some_and(|own| self.undoing.index.found(&own).nth(1).is_some())
    }

    /// Whether this is a link that goes, to a file that stays elsewhere, or that is brought elsewhere by another link.
    fn is_spare_link(&self, planned: &Planned) -> bool {
        let index = &self.undoing.index;
        let Some(own) = numbered(&planned.cell, &planned.found) else {
            return false;
        };
        let waits = self.waits_for_others(planned);
        if waits || index.wants(&planned.cell, &own) {
            return false;
        }
        if index.found(&own).any(|found| index.wants(&found.cell, &own)) {
            return !planned.step.target.exists();
        }
        let brings = self.bringing_link(&own);
        index.wanted(&own).next().is_some() && brings.is_some_and(|brings| brings.cell != planned.cell)
    }

    /// Whether what this cell should have can be put there only after other steps.
    fn waits_for_others(&self, planned: &Planned) -> bool {
        state::kind(&planned.step.target) == Some(Kind::Dir) || self.is_link(planned)
    }

    /// The link by which a file is brought to its cells, of those that go: the one that has to wait longest.
    fn bringing_link(&self, own: &Numbered) -> Option<&Arc<Planned>> {
        let found = self.undoing.index.found(own);
        found.max_by_key(|planned| (self.waits_for_others(planned), planned.step.target.exists()))
    }

    /// The depth of a folder in the tree that is wanted: below the cell that is to have it, or below the folder above
    /// it that is moved, or where it is.
    fn depth(&mut self, folder: &Numbered, down: u32) -> i64 {
        /// More than any path has.
        const DEEPEST: u32 = 4_096;
        if let Some(depth) = self.depths.get(folder) {
            return *depth;
        }
        let above = self
            .undoing
            .index
            .wanted(folder)
            .next()
            .map(|planned| (planned.cell.clone(), 1));
        let above = above.or_else(|| self.nearest(folder));
        let depth = match above {
            Some((cell, steps)) if down < DEEPEST => self
                .depth(&(cell.session.clone(), cell.folder), down + 1)
                .saturating_add(steps),
            _ => i64::try_from(self.undoing.path_depth(&folder.0, folder.1)).unwrap_or(i64::MAX),
        };
        self.depths.insert(folder.clone(), depth);
        depth
    }

    /// The cell of the nearest folder above, by its path, that the plan puts somewhere, and how far above it is.
    fn nearest(&self, folder: &Numbered) -> Option<(Cell, i64)> {
        let table = self.undoing.tables.get(&folder.0)?;
        let mut path = table.path(folder.1)?;
        let mut steps = 1;
        while let Some(slash) = path.iter().rposition(|byte| *byte == b'/') {
            path.truncate(slash);
            steps += 1;
            let above = table.folder_at(&path).map(|above| (folder.0.clone(), above));
            let above = above.filter(|above| self.is_brought(above));
            if let Some(planned) = above.and_then(|above| self.undoing.index.wanted(&above).next()) {
                return Some((planned.cell.clone(), steps));
            }
        }
        None
    }
}
