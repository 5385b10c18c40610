//! Effects in a form in which each cell can be taken alone.
//!
//! Two things make a cell depend on what happened elsewhere. A body saved late (when the file was deleted) is the body
//! of earlier states, too, as long as nothing changed it. And a write through one hard link shows through the others:
//! the states of all cells that lead to one object begin with its first state in the scope and end with its last.
//! Effects come in the order in which they happened.

use super::Undoing;
use crate::cell::Cell;
use crate::object::{Folder, Kind};
use crate::read;
use crate::state;
use rescind_model::{Effect, Fields, ObjectId, Outcome, SessionId, State, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

type Numbered = (SessionId, ObjectId);

/// Which of an effect's two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// Where a state is: the place of its effect in the list, and the side.
type Place = (usize, Side);

/// `passes`: whether something is, or was, in a cell in passing. What was done to a file since it left such a cell does not
/// show in it, and the cell is said to hold what was found in it.
pub(crate) fn canonical(mut effects: Vec<Effect>, passes: impl Fn(&Cell) -> bool) -> Vec<Effect> {
    for effect in &mut effects {
        for state in [&mut effect.before, &mut effect.after] {
            *state = state::with_folder(std::mem::take(state));
        }
    }
    let mut cells: BTreeMap<Cell, Vec<usize>> = BTreeMap::new();
    for (at, effect) in effects.iter().enumerate() {
        if let Some(cell) = Cell::parse(&effect.resource) {
            cells.entry(cell).or_default().push(at);
        }
    }
    for chain in cells.values() {
        share_bodies(&mut effects, &places(chain));
    }
    let mut objects: HashMap<Numbered, BTreeMap<Cell, Vec<Place>>> = HashMap::new();
    for (cell, chain) in cells.iter().filter(|(cell, _)| !passes(cell)) {
        for place in places(chain)
            .into_iter()
            .filter(|place| is_known(&effects, *place))
        {
            let object = get(&effects, place).and_then(state::object);
            if let Some(object) = object {
                let links = objects.entry((cell.session.clone(), object)).or_default();
                links.entry(cell.clone()).or_default().push(place);
            }
        }
    }
    for links in objects.into_values().filter(|links| links.len() > 1) {
        let mut all: Vec<Place> = links.values().flatten().copied().collect();
        all.sort_by_key(|(at, side)| (*at, *side == Side::After));
        share_bodies(&mut effects, &all);
        if contiguous(&effects, &all) {
            unite(&mut effects, &all, &links);
        }
    }
    effects
}

fn places(chain: &[usize]) -> Vec<Place> {
    chain
        .iter()
        .flat_map(|at| [(*at, Side::Before), (*at, Side::After)])
        .collect()
}

/// Whether a state was seen, and not only announced: it says nothing of the object's other links then.
fn is_known(effects: &[Effect], (at, side): Place) -> bool {
    effects.get(at).is_some_and(|effect| {
        side == Side::Before || effect.outcome != Outcome::InDoubt || effect.after.same(&effect.before)
    })
}

fn get(effects: &[Effect], (at, side): Place) -> Option<&State> {
    let effect = effects.get(at)?;
    Some(match side {
        Side::Before => &effect.before,
        Side::After => &effect.after,
    })
}

fn get_mut(effects: &mut [Effect], (at, side): Place) -> Option<&mut State> {
    let effect = effects.get_mut(at)?;
    Some(match side {
        Side::Before => &mut effect.before,
        Side::After => &mut effect.after,
    })
}

/// Along a chain of states, let each body know what the others that are the same know: digest and locator.
fn share_bodies(effects: &mut [Effect], chain: &[Place]) {
    let forward: Vec<Place> = chain.to_vec();
    let backward: Vec<Place> = chain.iter().rev().copied().collect();
    for order in [forward, backward] {
        let mut known = None;
        for place in order {
            let Some(state) = get_mut(effects, place) else {
                continue;
            };
            let Some(mut body) = state::content(state).cloned() else {
                continue;
            };
            if let Some(known) = &known
                && body.same(known) == Some(true)
            {
                body.digest = body.digest.or(known.digest);
                body.kept = body.kept.or_else(|| known.kept.clone());
                *state = state::with_content(state, body.clone());
            }
            known = Some(body);
        }
    }
}

/// Whether an object's states follow from each other: nobody else changed it in between.
fn contiguous(effects: &[Effect], all: &[Place]) -> bool {
    let states: Vec<(Side, &State)> = all
        .iter()
        .filter_map(|place| get(effects, *place).map(|state| (place.1, state)))
        .collect();
    states.windows(2).all(|pair| match pair {
        // What lies between a state before and a state after is the session's own change.
        [(_, left), (Side::Before, found)] => left.same(found),
        _ => true,
    })
}

/// Let every cell go from the object's first state to its last in its first step, and stay there.
fn unite(effects: &mut [Effect], all: &[Place], links: &BTreeMap<Cell, Vec<Place>>) {
    let ends = all.first().zip(all.last());
    let Some((first, last)) =
        ends.and_then(|(first, last)| Some((get(effects, *first)?, get(effects, *last)?)))
    else {
        return;
    };
    let (first, last) = (first.clone(), last.clone());
    for places in links.values() {
        for (number, place) in places.iter().enumerate() {
            let begins = number == 0 && place.1 == Side::Before;
            let visible = if begins { &first } else { &last };
            if let Some(state) = get_mut(effects, *place) {
                *state = visible_of(visible, state);
            }
        }
    }
}

/// The fields of `visible` with the identity that `own` has.
fn visible_of(visible: &State, own: &State) -> State {
    let (State::Present(fields), Some(object)) = (visible, state::object(own)) else {
        return own.clone();
    };
    let fields: Fields = fields.clone().with(state::OBJECT, Value::Object(object));
    State::Present(fields)
}

impl Undoing {
    /// Where the effects say objects are or were, also in cells in which there is nothing left to do.
    pub(crate) fn learn_places(&mut self, effects: &[Effect]) {
        for effect in effects {
            let Some(cell) = Cell::parse(&effect.resource) else {
                continue;
            };
            for state in [&effect.before, &effect.after] {
                let Some(object) = state::object(state) else {
                    continue;
                };
                let cells = self.seen_at.entry((cell.session.clone(), object)).or_default();
                if !cells.contains(&cell) {
                    cells.push(cell.clone());
                }
            }
        }
    }

    /// Files that earlier undos made again are the objects that they were made as, if they are still where they were made.
    pub(crate) fn learn_inodes(&mut self, effects: &[Effect]) {
        for effect in effects
            .iter()
            .filter(|effect| effect.outcome == Outcome::Observed)
        {
            let Some(cell) = Cell::parse(&effect.resource) else {
                continue;
            };
            let stamp = state::content(&effect.after).and_then(|body| body.stamp.as_ref());
            let identity = stamp.and_then(state::stamp_identity);
            let (Some(object), Some(identity)) = (state::object(&effect.after), identity) else {
                continue;
            };
            let unknown = self.tables.get(&cell.session).is_some_and(|table| {
                identity.btime != 0 && table.identity(object).is_some() && table.find(&identity).is_none()
            });
            if !unknown {
                continue;
            }
            let Ok(Some(folder)) = self.find(&cell) else {
                continue;
            };
            let found = read::look(folder.fd(), cell.name());
            if let Ok(Some(look)) = found
                && look.identity == identity
                && let Some(table) = self.tables.get_mut(&cell.session)
            {
                table.bind(object, identity, look.kind, Self::place(&cell));
            }
        }
    }

    /// Folders that the effects say were removed, and that are not where they were last seen, are gone: a table may not
    /// have been told.
    pub(crate) fn learn_removed(&mut self, effects: &[Effect]) {
        let mut last: HashMap<Cell, &Effect> = HashMap::new();
        for effect in effects {
            let Some(cell) = Cell::parse(&effect.resource) else {
                continue;
            };
            last.insert(cell, effect);
        }
        let folder = |state: &State| {
            let is_folder = state::kind(state) == Some(Kind::Dir);
            state::object(state).filter(|_| is_folder)
        };
        let living: HashSet<Numbered> = last
            .iter()
            .filter_map(|(cell, effect)| folder(&effect.after).map(|object| (cell.session.clone(), object)))
            .collect();
        let before = |effect: &Effect| {
            let cell = Cell::parse(&effect.resource)?;
            Some((cell.session, folder(&effect.before)?))
        };
        let named: HashSet<Numbered> = effects.iter().filter_map(before).collect();
        for (session, object) in named.difference(&living) {
            let Some(table) = self.tables.get_mut(session) else {
                continue;
            };
            let there = matches!(table.folder(*object), Ok(Folder::Here(_)));
            if !there && !table.is_gone(*object) {
                table.remove(*object);
            }
        }
    }
}
