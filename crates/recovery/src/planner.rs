//! From the effects of a scope to a plan. Reads, and changes nothing.

use crate::calls::plan_calls;
use crate::drafts::Drafting;
use crate::gather::{Own, by_resource, canonical, later};
use crate::held;
use crate::net::net;
use crate::walk::{Place, Walked, changed};
use crate::{
    Conflict, Earlier, Flapping, HeldStep, Lane, LostWhy, OnConflict, Plan, PlannedStep, Settled, Split,
    Surfaces, Totals, Undone,
};
use rescind_model::{ActionId, Effect, EffectId, Outcome, ResourceId, State, Value};
use rescind_supervisor::{Arranged, Bodies, Caller, Driver, DriverError, Step};
use std::collections::{BTreeMap, BTreeSet};

/// How often a resource is restored before it counts as flapping.
pub const RESTORES: usize = 3;

/// What is asked of [`plan`].
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// What is taken back, as a person would say it.
    pub scope: &'a str,
    /// The effects to take back, among all that are known.
    pub split: &'a Split,
    /// What earlier undos of this scope, or of parts of it, did; finished or not.
    pub earlier: &'a Earlier,
    /// How conflicts are decided.
    pub on_conflict: OnConflict,
}

/// The idempotency key of the call that compensates an effect: a function of the effect alone, so that every attempt of
/// every undo uses the same.
#[must_use]
pub fn compensation_key(effect: &EffectId) -> String {
    format!("rescind-undo-{}-{}", effect.action, effect.seq.0)
}

/// Plan to take the effects back. Never fails: what can't be planned is listed in the plan with its reason.
#[must_use]
pub fn plan(request: &Request<'_>, surfaces: &Surfaces<'_>, bodies: &dyn Bodies) -> Plan {
    let drafting = Drafting::new(bodies);
    let taken = request.earlier.taken();
    let (effects, undone) = canonical(request, surfaces, &taken);
    let mut planner = Planner {
        request,
        surfaces,
        bodies: &drafting,
        taken,
        later: by_resource(later(request.split)),
        undone: by_resource(undone.iter().map(|undone| (&undone.effect.resource, undone))),
        plan: empty(request),
        steps: Vec::new(),
    };
    let mut lanes: BTreeMap<&ResourceId, Own<'_>> = BTreeMap::new();
    let mut calls: Vec<(&dyn Caller, &Effect)> = Vec::new();
    for (effect, inside) in &effects {
        let caller = surfaces.callers.iter().find(|caller| caller.compensates(effect));
        if let Some(caller) = caller {
            if *inside {
                calls.push((*caller, effect));
            }
            continue;
        }
        let own = lanes.entry(&effect.resource).or_default();
        own.all.push(effect);
        if *inside {
            own.inside.push(effect);
        }
    }
    lanes.retain(|_, own| !own.inside.is_empty());
    plan_calls(&mut planner.plan, request, calls);
    planner.plan.totals.resources = lanes.len() as u64;
    for (resource, own) in lanes {
        planner.resource(resource, &own);
    }
    planner.arrange();
    let mut plan = planner.plan;
    let states = plan.steps.iter().map(|planned| &planned.step.target);
    plan.drafts = drafting.into_drafts(states);
    plan
}

fn empty(request: &Request<'_>) -> Plan {
    Plan {
        scope: request.scope.to_owned(),
        target: format!(
            "everything as if {} had not happened, with what others changed since",
            request.scope
        ),
        on_conflict: request.on_conflict,
        steps: Vec::new(),
        settled: Vec::new(),
        compensations: Vec::new(),
        conflicts: Vec::new(),
        lost: Vec::new(),
        held: Vec::new(),
        flapping: Vec::new(),
        dependents: BTreeSet::new(),
        disturbed: Vec::new(),
        drafts: crate::Drafts::default(),
        totals: Totals {
            effects: request.split.inside().count() as u64,
            ..Totals::default()
        },
    }
}

struct Planner<'a> {
    request: &'a Request<'a>,
    surfaces: &'a Surfaces<'a>,
    bodies: &'a dyn Bodies,
    taken: BTreeSet<EffectId>,
    later: BTreeMap<&'a ResourceId, Vec<&'a Effect>>,
    undone: BTreeMap<&'a ResourceId, Vec<&'a Undone>>,
    plan: Plan,
    steps: Vec<PlannedStep>,
}

impl Planner<'_> {
    fn later(&self, resource: &ResourceId) -> &[&Effect] {
        self.later.get(resource).map_or(&[], Vec::as_slice)
    }

    fn undone(&self, resource: &ResourceId) -> &[&Undone] {
        self.undone.get(resource).map_or(&[], Vec::as_slice)
    }

    /// Plan one resource.
    fn resource(&mut self, resource: &ResourceId, own: &Own<'_>) {
        let effects = &own.inside;
        let Some(last) = effects.last() else { return };
        for effect in effects
            .iter()
            .filter(|effect| effect.outcome == Outcome::NotCaptured)
        {
            self.plan
                .lose(effect, LostWhy::NotCaptured(effect.action.clone()));
        }
        if effects
            .iter()
            .all(|effect| effect.outcome == Outcome::NotCaptured)
        {
            return;
        }
        let Some(driver) = self.surfaces.driver(resource) else {
            return self.plan.lose(last, LostWhy::NoDriver);
        };
        let found = match self.found(driver, resource, last) {
            Ok(found) => found,
            Err(error) => return self.plan.lose(last, LostWhy::Unreachable(error.to_string())),
        };
        let now = self.settled(driver, resource, &found);
        let Some(lane) = self.lane(driver, resource, own, &now) else {
            self.plan.totals.settled += 1;
            return;
        };
        if lane.segments.is_empty() {
            return self.nothing_to_do(&lane);
        }
        let place = Place {
            driver,
            resource,
            name: &lane.name,
            bodies: self.bodies,
        };
        match place.walk(&lane.segments, &now, self.request.on_conflict) {
            Ok(walked) => {
                // As they were recorded: the canonical form tells less of what is the same. A body may be known by another
                // name of its file.
                let undone = self.request.earlier.undone.iter().map(|undone| &undone.effect);
                let known = self.request.split.effects.iter().chain(undone);
                let target = held::named(walked.target, known, self.bodies);
                self.walked(last, lane, &found, &now, Walked { target, ..walked });
            }
            Err(error) => self.plan.lose(last, LostWhy::Unreachable(error.to_string())),
        }
    }

    /// The state of a resource now. A last effect in doubt is resolved by it, so it is read against both its states.
    fn found(&self, driver: &dyn Driver, resource: &ResourceId, last: &Effect) -> Result<State, DriverError> {
        let undone = self.undone(resource);
        let undone = undone.last().filter(|undone| undone.place([last]) > 0);
        let last = undone.map_or(last, |undone| &undone.effect);
        let found = driver.read(resource, &last.name, Some(&last.after))?;
        if last.outcome == Outcome::InDoubt && !found.same(&last.after) {
            return driver.read(resource, &last.name, Some(&last.before));
        }
        Ok(found)
    }

    /// The state found, without what an undo that was interrupted disturbed in passing.
    fn settled(&self, driver: &dyn Driver, resource: &ResourceId, found: &State) -> State {
        let disturbed = self
            .request
            .earlier
            .disturbed
            .iter()
            .find(|step| step.resource == *resource);
        let was = disturbed.map(|step| {
            if step.expected.exists() {
                &step.expected
            } else {
                &step.target
            }
        });
        was.map_or_else(|| found.clone(), |was| driver.undisturbed(found, was))
    }

    /// It is as it should be: that is to be recorded, so that a later undo of less or of more builds on it.
    fn nothing_to_do(&mut self, lane: &Lane) {
        self.plan.totals.settled += 1;
        let (resource, name) = (lane.resource.clone(), lane.name.clone());
        self.plan.settled.push(Settled {
            resource,
            name,
            took: lane.took.clone(),
        });
    }

    /// What is left to take back on a resource; `None` where all of it is taken back already.
    fn lane(
        &mut self,
        driver: &dyn Driver,
        resource: &ResourceId,
        own: &Own<'_>,
        now: &State,
    ) -> Option<Lane> {
        let still = |found: &State, was: &State| driver.undisturbed(found, was).same(was);
        let name = own.inside.last().map(|effect| effect.name.clone())?;
        let segments = if own.inside.iter().all(|effect| self.taken.contains(&effect.id())) {
            net(&self.came_back(resource, &own.inside, now)?, now, still)
        } else {
            net(&self.chain(resource, &own.all), now, still)
        };
        let took = own.inside.iter().map(|effect| effect.id()).collect();
        Some(Lane {
            resource: resource.clone(),
            name,
            segments,
            took,
        })
    }

    /// The effects that should be gone in the end: those of the scope, those that earlier undos took back, and these
    /// undos themselves. What is left without all of them is the same in whatever order, and in however many parts, they
    /// were taken back.
    fn chain<'e>(&'e self, resource: &ResourceId, effects: &[&'e Effect]) -> Vec<&'e Effect> {
        let mut chain: Vec<&Effect> = effects.to_vec();
        let mut ids: BTreeSet<EffectId> = chain.iter().map(|effect| effect.id()).collect();
        for undone in self
            .undone(resource)
            .iter()
            .filter(|undone| !undone.took.is_empty())
        {
            if undone.took.iter().all(|id| ids.contains(id)) {
                ids.insert(undone.effect.id());
                let at = undone.place(chain.iter().copied());
                chain.insert(at, &undone.effect);
            }
        }
        chain
    }

    /// A resource that was taken back and has exactly the session's state again, though no later action set it: it is
    /// taken back again, a few times.
    fn came_back<'e>(
        &mut self,
        resource: &ResourceId,
        effects: &[&'e Effect],
        now: &State,
    ) -> Option<Vec<&'e Effect>> {
        let again = net(effects, now, State::same);
        let left = again.last().and_then(|segment| segment.after.as_ref())?;
        if !self.later(resource).is_empty() || !left.same(now) {
            return None;
        }
        let restored = self.undone(resource).iter().filter(|undone| undone.whole);
        let times = restored
            .map(|undone| &undone.effect.action)
            .collect::<BTreeSet<_>>()
            .len();
        if times >= RESTORES {
            let name = effects.last().map(|effect| effect.name.clone())?;
            self.plan.flapping.push(Flapping {
                resource: resource.clone(),
                name,
                times,
            });
            return None;
        }
        Some(effects.to_vec())
    }

    fn walked(&mut self, last: &Effect, lane: Lane, found: &State, now: &State, walked: Walked) {
        let Walked { target, clashes } = walked;
        let dependents = self.dependents(&lane);
        let whole = clashes.is_empty() || self.request.on_conflict == OnConflict::Restore;
        if !clashes.is_empty() {
            let (resource, name) = (lane.resource.clone(), lane.name.clone());
            self.plan.conflicts.push(Conflict {
                resource,
                name,
                clashes,
                dependents: dependents.clone(),
            });
        }
        if target.same(now) {
            return if whole {
                self.nothing_to_do(&lane)
            } else {
                self.plan.totals.settled += 1
            };
        }
        let missing = self.surfaces.driver(&lane.resource).and_then(|driver| {
            let place = Place {
                driver,
                resource: &lane.resource,
                name: &lane.name,
                bodies: self.bodies,
            };
            place.missing_body(&target, now)
        });
        if let Some(field) = missing {
            return self.plan.lose(last, LostWhy::BodyGone { field });
        }
        self.plan.dependents.extend(dependents);
        let step = Step {
            resource: lane.resource.clone(),
            name: lane.name.clone(),
            expected: found.clone(),
            target,
        };
        self.steps.push(PlannedStep { step, lane, whole });
    }

    /// Later actions that changed a field which the lane changed.
    fn dependents(&self, lane: &Lane) -> BTreeSet<ActionId> {
        let stretches: Vec<_> = lane
            .segments
            .iter()
            .map(|segment| {
                segment
                    .after
                    .as_ref()
                    .and_then(|after| changed(&segment.before, after))
            })
            .collect();
        let touching = self.later(&lane.resource).iter().filter(|effect| {
            let own = changed(&effect.before, &effect.after);
            stretches.iter().any(|fields| match (fields, &own) {
                (Some(fields), Some(own)) => fields.iter().any(|field| own.contains(field)),
                _ => true,
            })
        });
        touching.map(|effect| effect.action.clone()).collect()
    }

    /// Let each driver put its steps in order.
    fn arrange(&mut self) {
        let mut planned: BTreeMap<ResourceId, PlannedStep> = self
            .steps
            .drain(..)
            .map(|planned| (planned.step.resource.clone(), planned))
            .collect();
        for driver in &self.surfaces.drivers {
            let own = planned
                .values()
                .filter(|planned| planned.step.resource.surface == driver.surface());
            let steps: Vec<Step> = own.map(|planned| planned.step.clone()).collect();
            let Arranged {
                steps,
                held,
                disturbed,
            } = driver.arrange(steps);
            for step in steps {
                if let Some(own) = planned.remove(&step.resource) {
                    self.plan.totals.bytes += bytes(&step);
                    self.plan.steps.push(PlannedStep { step, ..own });
                }
            }
            for held in held {
                let dependents = self.holders(&held.by);
                self.plan.held.push(HeldStep { held, dependents });
            }
            self.disturbed(*driver, disturbed);
        }
    }

    /// What the steps disturb, and what an interrupted undo disturbed: this one is brought to what that one wanted.
    fn disturbed(&mut self, driver: &dyn Driver, mut disturbed: Vec<Step>) {
        for earlier in &self.request.earlier.disturbed {
            if earlier.resource.surface != driver.surface() {
                continue;
            }
            if let Some(step) = disturbed
                .iter_mut()
                .find(|step| step.resource == earlier.resource)
            {
                step.target = driver.undisturbed(&step.target, &earlier.target);
            } else if let Ok(now) = driver.read(&earlier.resource, &earlier.name, Some(&earlier.target)) {
                let target = driver.undisturbed(&now, &earlier.target);
                disturbed.push(Step {
                    expected: now,
                    target,
                    ..earlier.clone()
                });
            }
        }
        self.plan.disturbed.extend(disturbed);
    }

    fn holders(&self, by: &[ResourceId]) -> BTreeSet<ActionId> {
        let later = by.iter().flat_map(|resource| self.later(resource));
        later.map(|effect| effect.action.clone()).collect()
    }
}

/// Bytes of bodies that a step writes.
fn bytes(step: &Step) -> u64 {
    let found = step.expected.fields();
    let fields = step
        .target
        .fields()
        .into_iter()
        .flat_map(rescind_model::Fields::iter);
    let written = fields.filter_map(|(name, value)| match value {
        Value::Content(content) if found.and_then(|fields| fields.get(name)) != Some(value) => {
            Some(content.length)
        }
        _ => None,
    });
    written.sum()
}
