//! The steps of the plan by cell and by object: where each object was found, and where it should be.

use super::Numbered;
use crate::cell::Cell;
use crate::state::object;
use rescind_model::{SessionId, State};
use rescind_supervisor::Step;
use std::collections::HashMap;
use std::sync::Arc;

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
    steps: Vec<Arc<Planned>>,
    by_cell: HashMap<Cell, usize>,
    found_at: HashMap<Numbered, Vec<usize>>,
    wanted_at: HashMap<Numbered, Vec<usize>>,
}

impl Index {
    /// `really` tells what is there in passing.
    pub(crate) fn new(steps: Vec<Step>, mut really: impl FnMut(&Cell) -> Option<State>) -> Self {
        let planned = steps.into_iter().filter_map(|step| {
            let cell = Cell::parse(&step.resource)?;
            let found = really(&cell).unwrap_or_else(|| step.expected.clone());
            Some(Arc::new(Planned { cell, step, found }))
        });
        Self::of(planned.collect())
    }

    /// The index of these steps.
    pub(crate) fn of(steps: Vec<Arc<Planned>>) -> Self {
        let mut index = Self::default();
        for (at, planned) in steps.iter().enumerate() {
            let list = |state: &State, places: &mut HashMap<Numbered, Vec<usize>>| {
                if let Some(object) = numbered(&planned.cell, state) {
                    places.entry(object).or_default().push(at);
                }
            };
            list(&planned.found, &mut index.found_at);
            list(&planned.step.target, &mut index.wanted_at);
            index.by_cell.insert(planned.cell.clone(), at);
        }
        index.steps = steps;
        index
    }

    pub(crate) fn steps(&self) -> &[Arc<Planned>] {
        &self.steps
    }

    pub(crate) fn at(&self, cell: &Cell) -> Option<&Arc<Planned>> {
        self.steps.get(*self.by_cell.get(cell)?)
    }

    /// The cells in which the object was found when the plan was made.
    pub(crate) fn found(&self, object: &Numbered) -> impl Iterator<Item = &Arc<Planned>> {
        Self::planned(&self.steps, self.found_at.get(object))
    }

    /// The cells in which the object should be.
    pub(crate) fn wanted(&self, object: &Numbered) -> impl Iterator<Item = &Arc<Planned>> {
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
        steps: &'a [Arc<Planned>],
        places: Option<&'a Vec<usize>>,
    ) -> impl Iterator<Item = &'a Arc<Planned>> {
        places.into_iter().flatten().filter_map(|at| steps.get(*at))
    }
}

/// An object of the session of a cell.
pub(crate) fn numbered(cell: &Cell, state: &State) -> Option<Numbered> {
    let session: &SessionId = &cell.session;
    object(state).map(|object| (session.clone(), object))
}
