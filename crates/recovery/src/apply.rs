//! Carry out a plan through a system session, and prove what it came to.

use crate::drafts::Drafting;
use crate::readback::{read_back, read_back_calls};
use crate::walk::{Place, unread};
use crate::{Compensation, Drafts, OnConflict, Plan, PlannedStep, Settled, Surfaces};
use rescind_model::{Effect, State};
use rescind_supervisor::{
    Bodies, Called, Driver, DriverError, HeldCause, Receipt, Recorder, Remark, Restored, Step, StepOpening,
    SystemError, SystemSession,
};

/// How often a compensating call is made or asked for before it is left in doubt.
const CALLS: usize = 3;

/// Why a plan was not, or not wholly, applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Conflicts are to be decided by a person first.
    #[error(
        "{count} conflicts are not decided; nothing was changed, decide with --on-conflict keep or restore"
    )]
    Undecided {
        /// How many.
        count: usize,
    },
    /// The undo could not be recorded any more, and stopped.
    #[error(transparent)]
    Record(#[from] SystemError),
}

/// How far an undo has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Steps and calls that are done.
    pub done: usize,
    /// Steps and calls in all.
    pub of: usize,
    /// What is being worked on.
    pub name: &'a str,
}

/// Apply `plan`: take its steps in order, make its compensating calls, bring back what was disturbed in passing, read
/// everything back. Restores come first, as they are conditional and can be taken back; calls can't.
///
/// Where it stops with an error, the records say how far it came: plan again with them and apply that.
///
/// # Errors
/// [`ApplyError`]. What fails for one resource alone is no error, but listed in the receipt.
pub fn apply<R: Recorder>(
    plan: &Plan,
    session: &mut SystemSession<R>,
    surfaces: &Surfaces<'_>,
    bodies: &dyn Bodies,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Receipt, ApplyError> {
    let count = plan.undecided();
    if count > 0 {
        return Err(ApplyError::Undecided { count });
    }
    let receipt = opening_receipt(plan);
    let mut run = Run {
        session,
        surfaces,
        bodies,
        on_conflict: plan.on_conflict,
        receipt,
        restored: Vec::new(),
        called: Vec::new(),
    };
    run.session.disturbs(&plan.disturbed)?;
    for settled in &plan.settled {
        let Settled { resource, name, took } = settled;
        run.session.settled(StepOpening {
            resource,
            name,
            took,
            whole: true,
        })?;
    }
    let of = plan.steps.len() + plan.compensations.len();
    for (done, planned) in plan.steps.iter().enumerate() {
        progress(Progress {
            done,
            of,
            name: &planned.step.name,
        });
        run.step(planned, &plan.drafts)?;
    }
    for (at, call) in plan.compensations.iter().enumerate() {
        progress(Progress {
            done: plan.steps.len() + at,
            of,
            name: &call.effect.name,
        });
        run.compensate(call)?;
    }
    run.finish(&plan.disturbed);
    let Run {
        restored,
        called,
        mut receipt,
        ..
    } = run;
    read_back(&restored, &plan.disturbed, surfaces, &mut receipt);
    read_back_calls(&called, surfaces, &mut receipt);
    session.receipt(&receipt)?;
    Ok(receipt)
}

/// What the plan already says: what is left as it is.
fn opening_receipt(plan: &Plan) -> Receipt {
    let mut receipt = Receipt {
        already: plan.totals.settled,
        ..Receipt::default()
    };
    receipt.lost = plan.lost.iter().map(crate::Lost::remark).collect();
    for held in &plan.held {
        let remark = Remark {
            name: held.held.step.name.clone(),
            why: held.held.why.clone(),
        };
        match held.held.cause {
            HeldCause::Stays => receipt.kept.push(remark),
            HeldCause::NoPlace => receipt.conflicts.push(remark),
        }
    }
    if plan.on_conflict == OnConflict::Keep {
        let why = "both the session and others changed it; what is there now was kept";
        let kept = plan.conflicts.iter().map(|own| Remark {
            name: own.name.clone(),
            why: why.to_owned(),
        });
        receipt.conflicts.extend(kept);
    }
    for flapping in &plan.flapping {
        let why = format!(
            "it was restored {} times and came back each time; find what sets it",
            flapping.times
        );
        receipt.conflicts.push(Remark {
            name: flapping.name.clone(),
            why,
        });
    }
    receipt
}

/// A resource that was brought to its target, to be read back.
pub(crate) struct Brought {
    pub(crate) step: Step,
    /// The state the driver says it left; `None` where it was there already.
    pub(crate) left: Option<State>,
}

struct Run<'a, 's, R> {
    session: &'a mut SystemSession<R>,
    surfaces: &'a Surfaces<'s>,
    bodies: &'a dyn Bodies,
    on_conflict: OnConflict,
    receipt: Receipt,
    restored: Vec<Brought>,
    called: Vec<Effect>,
}

impl<R: Recorder> Run<'_, '_, R> {
    /// Take one step; where its resource has changed since the plan was made, plan it again, once.
    fn step(&mut self, planned: &PlannedStep, drafts: &Drafts) -> Result<(), SystemError> {
        let Some(driver) = self.surfaces.driver(&planned.step.resource) else {
            self.failed(planned, "nothing in this build can restore it".to_owned());
            return Ok(());
        };
        let Some(now) = self.attempt(driver, planned, drafts)? else {
            return Ok(());
        };
        let (again, drafts) = match self.again(driver, planned, &now) {
            Ok(Some(again)) => again,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.failed(planned, error.to_string());
                return Ok(());
            }
        };
        if self.attempt(driver, &again, &drafts)?.is_some() {
            let why = "others kept writing to it while the undo ran; it was left as it is".to_owned();
            self.receipt.conflicts.push(Remark {
                name: planned.step.name.clone(),
                why,
            });
        }
        Ok(())
    }

    /// One attempt; gives the state found if the resource has drifted from the expected one.
    fn attempt(
        &mut self,
        driver: &dyn Driver,
        planned: &PlannedStep,
        drafts: &Drafts,
    ) -> Result<Option<State>, SystemError> {
        let step = match self.prepared(driver, &planned.step, drafts) {
            Ok(step) => step,
            Err(error) => return self.not_prepared(driver, planned, &error),
        };
        let opening = StepOpening {
            resource: &step.resource,
            name: &step.name,
            took: &planned.lane.took,
            whole: planned.whole,
        };
        let bodies = self.bodies;
        let end = self.session.step(opening, |permit, intents| {
            driver.restore(permit, &step, bodies, intents)
        })?;
        match end {
            Ok(Restored::Done { left }) => {
                self.receipt.restored += 1;
                self.restored.push(Brought {
                    step,
                    left: Some(left),
                });
            }
            Ok(Restored::Already) => {
                self.receipt.already += 1;
                self.restored.push(Brought { step, left: None });
            }
            Ok(Restored::Drifted { now }) => return Ok(Some(now)),
            Ok(Restored::Kept { why }) => self.receipt.kept.push(Remark { name: step.name, why }),
            Err(error) => self.failed(planned, error.to_string()),
        }
        Ok(None)
    }

    /// What is there now could not be captured: because it changed since, or because it can't be.
    fn not_prepared(
        &mut self,
        driver: &dyn Driver,
        planned: &PlannedStep,
        error: &DriverError,
    ) -> Result<Option<State>, SystemError> {
        let step = &planned.step;
        let now = driver.read(&step.resource, &step.name, Some(&step.expected));
        match now {
            Ok(now) if !driver.undisturbed(&now, &step.expected).same(&step.expected) => Ok(Some(now)),
            _ => {
                self.failed(planned, error.to_string());
                Ok(None)
            }
        }
    }

    /// The step with what is there now captured, so that the undo can be undone, and its merged bodies in the vault.
    fn prepared(&self, driver: &dyn Driver, step: &Step, drafts: &Drafts) -> Result<Step, DriverError> {
        let expected = driver.capture(&step.resource, &step.name, &step.expected, self.bodies)?;
        let target = unread(step.target.clone(), &expected);
        let target = drafts
            .settle(&target, self.bodies)
            .map_err(|source| DriverError::NotRecorded {
                name: step.name.clone(),
                source,
            })?;
        Ok(Step {
            expected,
            target,
            ..step.clone()
        })
    }

    /// The step planned again from `now`; `None` where there is nothing to do, or nothing that may be done.
    fn again(
        &mut self,
        driver: &dyn Driver,
        planned: &PlannedStep,
        now: &State,
    ) -> Result<Option<(PlannedStep, Drafts)>, DriverError> {
        let step = &planned.step;
        let drafting = Drafting::new(self.bodies);
        let place = Place {
            driver,
            resource: &step.resource,
            name: &step.name,
            bodies: &drafting,
        };
        let walked = place.walk(&planned.lane.segments, now, self.on_conflict)?;
        if !walked.clashes.is_empty() && self.on_conflict != OnConflict::Restore {
            let why =
                "others changed the same of it while the undo ran; what is there now was kept".to_owned();
            self.receipt.conflicts.push(Remark {
                name: step.name.clone(),
                why,
            });
            if self.on_conflict == OnConflict::Ask {
                return Ok(None);
            }
        }
        if walked.target.same(now) {
            self.receipt.already += 1;
            return Ok(None);
        }
        if let Some(field) = place.missing_body(&walked.target, now) {
            return Err(DriverError::BodyLost {
                name: step.name.clone(),
                why: format!("its {field} is no longer kept"),
            });
        }
        let whole = walked.clashes.is_empty() || self.on_conflict == OnConflict::Restore;
        let step = Step {
            expected: now.clone(),
            target: walked.target,
            ..step.clone()
        };
        let drafts = drafting.into_drafts(std::iter::once(&step.target));
        Ok(Some((
            PlannedStep {
                step,
                lane: planned.lane.clone(),
                whole,
            },
            drafts,
        )))
    }

    fn failed(&mut self, planned: &PlannedStep, why: String) {
        self.receipt.failed.push(Remark {
            name: planned.step.name.clone(),
            why,
        });
    }

    /// Make one compensating call, with the same key each time. A call that was started before is asked for first.
    fn compensate(&mut self, call: &Compensation) -> Result<(), SystemError> {
        let caller = self
            .surfaces
            .callers
            .iter()
            .find(|caller| caller.compensates(&call.effect));
        let Some(caller) = caller.copied() else {
            let why = "nothing in this build can compensate it".to_owned();
            self.receipt.failed.push(Remark {
                name: call.effect.name.clone(),
                why,
            });
            return Ok(());
        };
        let mut ask = call.started;
        let mut last = Called::InDoubt;
        for _ in 0..CALLS {
            last = self.session.compensate(&call.effect, &call.key, |permit| {
                match if ask {
                    caller.probe(&call.key)
                } else {
                    Called::InDoubt
                } {
                    done @ Called::Done(_) => done,
                    Called::Failed(_) | Called::InDoubt => {
                        caller.compensate(permit, &call.effect, &call.key, call.expected.as_ref())
                    }
                }
            })?;
            match last {
                Called::Done(_) => break,
                Called::Failed(_) | Called::InDoubt => ask = true,
            }
        }
        let remark = |why| Remark {
            name: call.effect.name.clone(),
            why,
        };
        match last {
            Called::Done(_) => {
                self.receipt.compensated += 1;
                self.called.push(call.effect.clone());
            }
            Called::Failed(why) => self.receipt.failed.push(remark(why)),
            Called::InDoubt => {
                let why =
                    "the compensating call was sent and no answer came; run the undo again to ask again";
                self.receipt.in_doubt.push(remark(why.to_owned()));
            }
        }
        Ok(())
    }

    /// Let each driver bring back what its steps disturbed in passing.
    fn finish(&mut self, disturbed: &[Step]) {
        for driver in &self.surfaces.drivers {
            let own = disturbed
                .iter()
                .filter(|step| step.resource.surface == driver.surface());
            let own: Vec<Step> = own.cloned().collect();
            if own.is_empty() {
                continue;
            }
            if let Err(error) = self.session.finish(|permit| driver.finish(permit, &own)) {
                let name = "what the undo disturbed in passing".to_owned();
                self.receipt.failed.push(Remark {
                    name,
                    why: error.to_string(),
                });
            }
        }
    }
}
