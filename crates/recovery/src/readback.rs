//! The proof: read every resource back and compare it with the plan.

use crate::Surfaces;
use crate::apply::Brought;
use rescind_model::{Fields, State, Value};
use rescind_supervisor::{Differs, Driver, Receipt, Step};

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
