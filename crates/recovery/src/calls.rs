//! The calls of a plan: what can't be restored and is compensated, the last completed effect first.
//!
//! Where the other side can be looked at, a call is planned only if the state is the one that its effect left. On one
//! resource the calls are a chain: what one brings back is what the one before it must have left.

use crate::gather::later;
use crate::{Clash, Compensation, Conflict, LostWhy, OnConflict, Plan, Request, compensation_key};
use rescind_model::{ActionId, Effect, FieldConflict, Outcome, ResourceId, State, Value};
use rescind_supervisor::{Called, Caller};
use std::collections::{BTreeMap, BTreeSet};

/// Plan the calls for these effects of the scope.
pub(crate) fn plan_calls(plan: &mut Plan, request: &Request<'_>, mut effects: Vec<(&dyn Caller, &Effect)>) {
    // Effects come in the order in which they began.
    if effects
        .iter()
        .all(|(caller, effect)| caller.completed(effect).is_some())
    {
        effects.sort_by_key(|(caller, effect)| caller.completed(effect));
    }
    let mut calls = Calls {
        plan,
        request,
        found: BTreeMap::new(),
    };
    for (caller, effect) in effects.into_iter().rev() {
        calls.effect(caller, effect);
    }
}

struct Calls<'a, 'r> {
    plan: &'a mut Plan,
    request: &'r Request<'r>,
    /// The states as they are once the calls planned so far are made.
    found: BTreeMap<ResourceId, State>,
}

impl Calls<'_, '_> {
    fn effect(&mut self, caller: &dyn Caller, effect: &Effect) {
        let key = compensation_key(&effect.id());
        let known = self.request.earlier.compensated.get(&key);
        if matches!(known, Some(Some(Called::Done(_)))) {
            self.plan.totals.settled += 1;
            return;
        }
        if effect.outcome == Outcome::Observed && effect.before.same(&effect.after) {
            // It changed nothing.
            self.plan.totals.settled += 1;
            return;
        }
        let call = Compensation {
            effect: effect.clone(),
            key,
            started: known.is_some(),
            expected: None,
            wording: caller.wording(effect),
        };
        if let Some(why) = caller.obstacle(effect) {
            return self.plan.lose(effect, LostWhy::NotCalled(why));
        }
        let found = match self.found.get(&effect.resource) {
            Some(found) => Ok(Some(found.clone())),
            None => caller.look(effect),
        };
        match found {
            Ok(Some(now)) => self.looked_at(effect, call, now),
            Ok(None) => self.asked_for(caller, effect, call),
            Err(why) => self.plan.lose(effect, LostWhy::Unreachable(why)),
        }
    }

    /// What the other side can only be asked for.
    fn asked_for(&mut self, caller: &dyn Caller, effect: &Effect, call: Compensation) {
        if effect.outcome == Outcome::InDoubt {
            match caller.happened(effect) {
                Called::Done(_) => {}
                Called::Failed(_) => return,
                Called::InDoubt => return self.plan.lose(effect, LostWhy::InDoubt(effect.action.clone())),
            }
        }
        self.plan.compensations.push(call);
    }

    fn looked_at(&mut self, effect: &Effect, mut call: Compensation, now: State) {
        let (before, after) = (&effect.before, &effect.after);
        let seen = effect.outcome == Outcome::Observed;
        if now.same(before) {
            // It is as it was. A call that was begun is asked for all the same, so that its end is on record.
            if call.started {
                self.plan.compensations.push(call);
            } else {
                self.plan.totals.settled += 1;
            }
            self.found.insert(effect.resource.clone(), now);
            return;
        }
        if !(seen && now.same(after)) {
            self.conflict(effect, &now);
            if self.request.on_conflict != OnConflict::Restore {
                self.found.insert(effect.resource.clone(), now);
                return;
            }
        }
        self.found.insert(effect.resource.clone(), before.clone());
        call.expected = Some(now);
        self.plan.compensations.push(call);
    }

    fn conflict(&mut self, effect: &Effect, now: &State) {
        let after = (effect.outcome == Outcome::Observed).then(|| effect.after.clone());
        let clash = Clash {
            fields: fields(&effect.before, after.as_ref(), now),
            before: effect.before.clone(),
            after,
            now: now.clone(),
        };
        let dependents: BTreeSet<ActionId> = later(self.request.split)
            .filter(|(resource, _)| **resource == effect.resource)
            .map(|(_, later)| later.action.clone())
            .collect();
        self.plan.dependents.extend(dependents.iter().cloned());
        self.plan.conflicts.push(Conflict {
            resource: effect.resource.clone(),
            name: effect.name.clone(),
            clashes: vec![clash],
            dependents,
        });
    }
}

/// The fields whose value is neither the one from before nor the one that was left.
fn fields(before: &State, after: Option<&State>, now: &State) -> Vec<FieldConflict> {
    let of = |state: Option<&State>, name: &str| -> Option<Value> {
        state
            .and_then(State::fields)
            .and_then(|fields| fields.get(name))
            .cloned()
    };
    let states = [Some(before), after, Some(now)];
    let names: BTreeSet<&str> = states
        .into_iter()
        .flatten()
        .filter_map(State::fields)
        .flat_map(|fields| fields.iter().map(|(name, _)| name))
        .collect();
    let differing = names.into_iter().filter_map(|name| {
        let (before, after, now) = (of(Some(before), name), of(after, name), of(Some(now), name));
        (now != after).then(|| FieldConflict {
            field: Some(name.to_owned()),
            keep: now.clone(),
            restore: before.clone(),
            before,
            after,
            now,
            hunks: Vec::new(),
        })
    });
    let differing: Vec<FieldConflict> = differing.collect();
    if differing.is_empty() {
        return vec![FieldConflict::whole()];
    }
    differing
}
