//! The steps of the plan by cell and by object: where each object was found, and where it should be.

use super::Numbered;
use crate::cell::Cell;
use crate::state::object;
use rescind_model::{SessionId, State};
use rescind_supervisor::Step;
use std::collections::HashMap;

/// One step, by its cell.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    pub(crate) cell: Cell,
    pub(crate) step: Step,
    /// What is really there: `step.expected`, but where something is there in passing.
    pub(crate) found: State,
}

/// The steps of a plan.
#[derive(Debug, Default)]
pub(crate) struct Index {
    steps: Vec<Planned>,
    by_cell: HashMap<Cell, usize>,
    found_at: HashMap<Numbered, Vec<usize>>,
    wanted_at: HashMap<Numbered, Vec<usize>>,
}

impl Index {
    /// `really` tells what is there in passing.
    pub(crate) fn new(steps: &[Step], mut really: impl FnMut(&Cell) -> Option<State>) -> Self {
        let mut index = Self::default();
        for step in steps {
            if let Some(cell) = Cell::parse(&step.resource) {
                let found = really(&cell).unwrap_or_else(|| step.expected.clone());
                index.add(cell, step, found);
            }
        }
        index
    }

    fn add(&mut self, cell: Cell, step: &Step, found: State) {
        let at = self.steps.len();
        let list = |state: &State, places: &mut HashMap<Numbered, Vec<usize>>| {
            if let Some(object) = object(state) {
                places.entry((cell.session.clone(), object)).or_default().push(at);
            }
        };
        list(&found, &mut self.found_at);
        list(&step.target, &mut self.wanted_at);
        self.by_cell.insert(cell.clone(), at);
        let step = step.clone();
        self.steps.push(Planned { cell, step, found });
    }

    pub(crate) fn steps(&self) -> &[Planned] {
        &self.steps
    }

    pub(crate) fn at(&self, cell: &Cell) -> Option<&Planned> {
        self.steps.get(*self.by_cell.get(cell)?)
    }

    /// The cells in which the object was found when the plan was made.
    pub(crate) fn found(&self, object: &Numbered) -> impl Iterator<Item = &Planned> {
        Self::planned(&self.steps, self.found_at.get(object))
    }

    /// The cells in which the object should be.
    pub(crate) fn wanted(&self, object: &Numbered) -> impl Iterator<Item = &Planned> {
        Self::planned(&self.steps, self.wanted_at.get(object))
    }

    /// Whether the plan puts the object into another cell than this one.
    pub(crate) fn wanted_elsewhere(&self, object: &Numbered, cell: &Cell) -> bool {
        self.wanted(object).any(|planned| planned.cell != *cell)
    }

    /// Whether several cells are to have the object.
    pub(crate) fn is_shared(&self, object: &Numbered) -> bool {
        self.wanted_at.get(object).is_some_and(|places| places.len() > 1)
    }

    /// Whether the cell is to have this object.
    pub(crate) fn wants(&self, cell: &Cell, wanted: &Numbered) -> bool {
        let target = self.at(cell).and_then(|planned| object(&planned.step.target));
        target == Some(wanted.1) && cell.session == wanted.0
    }

    fn planned<'a>(
        steps: &'a [Planned],
        places: Option<&'a Vec<usize>>,
    ) -> impl Iterator<Item = &'a Planned> {
        places.into_iter().flatten().filter_map(|at| steps.get(*at))
    }
}

/// An object of the session of a cell.
pub(crate) fn numbered(cell: &Cell, state: &State) -> Option<Numbered> {
    let session: &SessionId = &cell.session;
    object(state).map(|object| (session.clone(), object))
}
