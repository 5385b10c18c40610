//! The proof: read every resource back and compare it with the plan.

use crate::Surfaces;
use crate::apply::Brought;
use rescind_model::{Effect, Fields, ResourceId, State, Value};
use rescind_supervisor::{Differs, Driver, Receipt, Step};
use std::collections::BTreeMap;

/// Read back what was brought to a target and what was disturbed in passing, and list in `receipt` what differs.
pub(crate) fn read_back(
    brought: &[Brought],
    disturbed: &[Step],
    surfaces: &Surfaces<'_>,
    receipt: &mut Receipt,
) {
    for own in brought {
        let as_planned = |driver: &dyn Driver, now: &State| {
            let now = driver.undisturbed(now, &own.step.target);
            reached(&own.step.target, own.left.as_ref(), &now)
        };
        check(&own.step, own.left.as_ref(), surfaces, receipt, as_planned);
    }
    for step in disturbed {
        let as_planned = |driver: &dyn Driver, now: &State| driver.undisturbed(now, &step.target).same(now);
        check(step, Some(&step.target), surfaces, receipt, as_planned);
    }
}

fn check(
    step: &Step,
    hint: Option<&State>,
    surfaces: &Surfaces<'_>,
    receipt: &mut Receipt,
    as_planned: impl Fn(&dyn Driver, &State) -> bool,
) {
    let Some(driver) = surfaces.driver(&step.resource) else {
        return;
    };
    receipt.read_back += 1;
    let now = match driver.read(&step.resource, &step.name, hint) {
        Ok(now) if as_planned(driver, &now) => return,
        Ok(now) => Ok(now),
        Err(error) => Err(error.to_string()),
    };
    let (resource, name, target) = (step.resource.clone(), step.name.clone(), step.target.clone());
    receipt.differs.push(Differs {
        resource,
        name,
        target,
        now,
    });
}

/// Look again at what calls have brought back, where that can be looked at. `called` is in the order of the calls: of several
/// on one resource the last one says what it should be like.
pub(crate) fn read_back_calls(called: &[Effect], surfaces: &Surfaces<'_>, receipt: &mut Receipt) {
    let mut wanted: BTreeMap<&ResourceId, &Effect> = BTreeMap::new();
    for effect in called {
        wanted.insert(&effect.resource, effect);
    }
    for effect in wanted.into_values() {
        let caller = surfaces.callers.iter().find(|caller| caller.compensates(effect));
        let now = match caller.map(|caller| caller.look(effect)) {
            None | Some(Ok(None)) => continue,
            Some(Ok(Some(now))) => Ok(now),
            Some(Err(why)) => Err(why),
        };
        receipt.read_back += 1;
        if now.as_ref().is_ok_and(|now| now.same(&effect.before)) {
            continue;
        }
        receipt.differs.push(Differs {
            resource: effect.resource.clone(),
            name: effect.name.clone(),
            target: effect.before.clone(),
            now,
        });
    }
}

/// Whether `now` is the target. A body of which neither stamp nor digest can tell counts if it is still the one that
/// the driver left there.
fn reached(target: &State, left: Option<&State>, now: &State) -> bool {
    if target.same(now) {
        return true;
    }
    let (Some(target), Some(left), Some(now)) = (target.fields(), left.and_then(State::fields), now.fields())
    else {
        return false;
    };
    let agrees = |name: &str| match (target.get(name), now.get(name)) {
        (Some(Value::Object(_)), _) | (_, Some(Value::Object(_))) => true,
        (Some(Value::Content(wanted)), Some(Value::Content(found))) => match wanted.same(found) {
            Some(same) => same,
            None => left
                .content(name)
                .is_some_and(|left| left.same(found) == Some(true)),
        },
        (wanted, found) => wanted == found,
    };
    names(target).chain(names(now)).all(agrees)
}

fn names(fields: &Fields) -> impl Iterator<Item = &str> {
    fields.iter().map(|(name, _)| name)
}
