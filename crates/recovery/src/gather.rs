//! The effects a plan is made from, put together.

use crate::{Request, Split, Surfaces, Undone};
use rescind_model::{Effect, EffectId, ResourceId};
use std::collections::{BTreeMap, BTreeSet};

/// The effects on one resource that should be gone in the end, in order.
#[derive(Default)]
pub(crate) struct Own<'a> {
    /// Those of the scope.
    pub(crate) inside: Vec<&'a Effect>,
    /// These, and those that earlier undos took back.
    pub(crate) all: Vec<&'a Effect>,
}

/// The effects outside of a scope that come after the first of it.
pub(crate) fn later(split: &Split) -> impl Iterator<Item = (&ResourceId, &Effect)> {
    let all = split.effects.iter().zip(&split.inside);
    let later = all
        .skip_while(|(_, inside)| !**inside)
        .filter(|(_, inside)| !**inside);
    later.map(|(effect, _)| (&effect.resource, effect))
}

/// The effects of the scope and those that are taken back already, in order, with whether they are of the scope; and
/// what earlier undos did. In the drivers' canonical form: both together, in the order of time.
pub(crate) fn canonical(
    request: &Request<'_>,
    surfaces: &Surfaces<'_>,
    taken: &BTreeSet<EffectId>,
) -> (Vec<(Effect, bool)>, Vec<Undone>) {
    let mut own = request.split.in_order();
    own.retain(|(effect, inside)| *inside || taken.contains(&effect.id()));
    let flags: Vec<bool> = own.iter().map(|(_, inside)| *inside).collect();
    let mut effects: Vec<Effect> = own.into_iter().map(|(effect, _)| effect.clone()).collect();
    let mut undone = request.earlier.undone.clone();
    let order = in_time(&effects, &undone);
    effects.extend(undone.iter().map(|undone| undone.effect.clone()));
    for driver in &surfaces.drivers {
        let is_own = |at: &usize| {
            effects
                .get(*at)
                .is_some_and(|effect| effect.resource.surface == driver.surface())
        };
        let places: Vec<usize> = order.iter().copied().filter(is_own).collect();
        let part = places.iter().filter_map(|at| effects.get(*at).cloned()).collect();
        for (at, effect) in places.iter().zip(driver.canonical(part)) {
            if let Some(place) = effects.get_mut(*at) {
                *place = effect;
            }
        }
    }
    let after = effects.split_off(flags.len());
    for (undone, effect) in undone.iter_mut().zip(after) {
        undone.effect = effect;
    }
    (effects.into_iter().zip(flags).collect(), undone)
}

/// The places of effects, and behind them of what undos did, in the order of time.
fn in_time(effects: &[Effect], undone: &[Undone]) -> Vec<usize> {
    let all: Vec<&Effect> = effects
        .iter()
        .chain(undone.iter().map(|undone| &undone.effect))
        .collect();
    let mut order: Vec<usize> = (0..effects.len()).collect();
    for (at, own) in undone.iter().enumerate() {
        let place = if own.behind.is_empty() {
            order.len()
        } else {
            own.place(order.iter().filter_map(|at| all.get(*at).copied()))
        };
        order.insert(place, effects.len() + at);
    }
    order
}

/// Items by the resource they are on.
pub(crate) fn by_resource<'a, T>(
    items: impl Iterator<Item = (&'a ResourceId, &'a T)>,
) -> BTreeMap<&'a ResourceId, Vec<&'a T>> {
    let mut map: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (resource, item) in items {
        map.entry(resource).or_default().push(item);
    }
    map
}
