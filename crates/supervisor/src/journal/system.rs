//! Forms of the records of an undo.

use super::form::{StateForm, bytes_from_text, text_from_bytes};
use crate::{Called, Differs, Receipt, Remark, Restored, Step, StepEnd, SystemRecord};
use rescind_model::{ActionId, Effect, EffectId, Outcome, ResourceId, Seq, State};
use serde::{Deserialize, Serialize};

/// A resource and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceForm {
    /// The surface.
    pub f: String,
    /// The key, as text.
    pub k: String,
}

/// An effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectForm {
    /// The action.
    pub action: String,
    /// Its number in its session.
    pub s: u64,
    /// The resource.
    pub r: ResourceForm,
    /// Its name.
    pub p: String,
    /// Before.
    pub b: StateForm,
    /// After.
    pub a: StateForm,
    /// `observed`, `in_doubt` or `not_captured`.
    pub w: String,
}

/// A step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepForm {
    /// The resource.
    pub r: ResourceForm,
    /// Its name.
    pub p: String,
    /// As it was found.
    pub expected: StateForm,
    /// As it should be.
    pub target: StateForm,
}

/// How a step or a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndForm {
    /// Done; the state it was left in.
    Done(StateForm),
    /// It was so already.
    Already,
    /// Somebody wrote meanwhile; the state found.
    Drifted(StateForm),
    /// It stays, and why.
    Kept(String),
    /// It failed, and why.
    Failed(String),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CalledForm {
    /// With this answer.
    Done(String),
    /// It took no effect.
    Failed(String),
    /// No answer came.
    InDoubt,
}

/// What was read back in the end.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReceiptForm {
    /// Resources brought to their target.
    pub restored: u64,
    /// Resources that were there already.
    pub already: u64,
    /// Compensations made.
    pub compensated: u64,
    /// Resources read back and compared.
    pub read_back: u64,
    /// Names and reasons: what stays.
    pub kept: Vec<(String, String)>,
    /// What is in conflict.
    pub conflicts: Vec<(String, String)>,
    /// What can't come back.
    pub lost: Vec<(String, String)>,
    /// What failed.
    pub failed: Vec<(String, String)>,
    /// What is in doubt.
    pub in_doubt: Vec<(String, String)>,
    /// What differs from its target: resource, name, target, and what was found or why it could not be read.
    pub differs: Vec<(ResourceForm, String, StateForm, Result<StateForm, String>)>,
}

/// A record of an undo on disk; see [`SystemRecord`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "y", rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the form of the SystemRecord of its name")]
pub enum SystemForm {
    Opened {
        session: String,
        scope: String,
        plan: String,
        /// Action and place of each effect.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        behind: Vec<(String, u64)>,
    },
    Disturbs {
        action: String,
        step: StepForm,
    },
    StepStarted {
        action: String,
        r: ResourceForm,
        p: String,
        took: Vec<(String, u64)>,
        whole: bool,
    },
    Intent {
        effect: Box<EffectForm>,
    },
    StepEnded {
        action: String,
        end: EndForm,
    },
    CompensationStarted {
        action: String,
        of: Box<EffectForm>,
        key: String,
    },
    CompensationEnded {
        action: String,
        key: String,
        called: CalledForm,
    },
    Receipt {
        receipt: ReceiptForm,
    },
    Closed {
        session: String,
    },
}

impl From<&ResourceId> for ResourceForm {
    fn from(id: &ResourceId) -> Self {
        Self {
            f: id.surface.name().to_owned(),
            k: text_from_bytes(&id.key),
        }
    }
}

impl From<&ResourceForm> for ResourceId {
    fn from(form: &ResourceForm) -> Self {
        let surface = super::surface_named(&form.f);
        Self {
            surface,
            key: bytes_from_text(&form.k),
        }
    }
}

impl From<&Effect> for EffectForm {
    fn from(effect: &Effect) -> Self {
        let outcome = match effect.outcome {
            Outcome::Observed => "observed",
            Outcome::InDoubt => "in_doubt",
            Outcome::NotCaptured => "not_captured",
        };
        Self {
            action: effect.action.to_string(),
            s: effect.seq.0,
            r: (&effect.resource).into(),
            p: effect.name.clone(),
            b: (&effect.before).into(),
            a: (&effect.after).into(),
            w: outcome.to_owned(),
        }
    }
}

impl EffectForm {
    /// The effect; `None` where its action is no id.
    #[must_use]
    pub fn effect(self) -> Option<Effect> {
        Some(Effect {
            action: self.action.parse().ok()?,
            seq: Seq(self.s),
            resource: (&self.r).into(),
            name: self.p,
            before: self.b.into(),
            after: self.a.into(),
            outcome: match self.w.as_str() {
                "observed" => Outcome::Observed,
                "not_captured" => Outcome::NotCaptured,
                _ => Outcome::InDoubt,
            },
        })
    }
}

impl From<&Step> for StepForm {
    fn from(step: &Step) -> Self {
        Self {
            r: (&step.resource).into(),
            p: step.name.clone(),
            expected: (&step.expected).into(),
            target: (&step.target).into(),
        }
    }
}

impl From<StepForm> for Step {
    fn from(form: StepForm) -> Self {
        Self {
            resource: (&form.r).into(),
            name: form.p,
            expected: form.expected.into(),
            target: form.target.into(),
        }
    }
}

impl From<&StepEnd> for EndForm {
    fn from(end: &StepEnd) -> Self {
        match end {
            StepEnd::Ended(Restored::Done { left }) => Self::Done(left.into()),
            StepEnd::Ended(Restored::Already) => Self::Already,
            StepEnd::Ended(Restored::Drifted { now }) => Self::Drifted(now.into()),
            StepEnd::Ended(Restored::Kept { why }) => Self::Kept(why.clone()),
            StepEnd::Failed(why) => Self::Failed(why.clone()),
        }
    }
}

impl From<EndForm> for StepEnd {
    fn from(form: EndForm) -> Self {
        match form {
            EndForm::Done(left) => Self::Ended(Restored::Done { left: left.into() }),
            EndForm::Already => Self::Ended(Restored::Already),
            EndForm::Drifted(now) => Self::Ended(Restored::Drifted { now: now.into() }),
            EndForm::Kept(why) => Self::Ended(Restored::Kept { why }),
            EndForm::Failed(why) => Self::Failed(why),
        }
    }
}

impl From<&Called> for CalledForm {
    fn from(called: &Called) -> Self {
        match called {
            Called::Done(answer) => Self::Done(answer.clone()),
            Called::Failed(why) => Self::Failed(why.clone()),
            Called::InDoubt => Self::InDoubt,
        }
    }
}

impl From<CalledForm> for Called {
    fn from(form: CalledForm) -> Self {
        match form {
            CalledForm::Done(answer) => Self::Done(answer),
            CalledForm::Failed(why) => Self::Failed(why),
            CalledForm::InDoubt => Self::InDoubt,
        }
    }
}

fn remarks(list: &[Remark]) -> Vec<(String, String)> {
    list.iter()
        .map(|remark| (remark.name.clone(), remark.why.clone()))
        .collect()
}

fn from_remarks(list: Vec<(String, String)>) -> Vec<Remark> {
    list.into_iter().map(|(name, why)| Remark { name, why }).collect()
}

impl From<&Receipt> for ReceiptForm {
    fn from(receipt: &Receipt) -> Self {
        let differs = receipt.differs.iter().map(|differs| {
            let now = differs.now.as_ref().map(StateForm::from).map_err(Clone::clone);
            (
                (&differs.resource).into(),
                differs.name.clone(),
                (&differs.target).into(),
                now,
            )
        });
        Self {
            restored: receipt.restored,
            already: receipt.already,
            compensated: receipt.compensated,
            read_back: receipt.read_back,
            kept: remarks(&receipt.kept),
            conflicts: remarks(&receipt.conflicts),
            lost: remarks(&receipt.lost),
            failed: remarks(&receipt.failed),
            in_doubt: remarks(&receipt.in_doubt),
            differs: differs.collect(),
        }
    }
}

impl From<ReceiptForm> for Receipt {
    fn from(form: ReceiptForm) -> Self {
        let differs = form
            .differs
            .into_iter()
            .map(|(resource, name, target, now)| Differs {
                resource: (&resource).into(),
                name,
                target: target.into(),
                now: now.map(State::from),
            });
        Self {
            restored: form.restored,
            already: form.already,
            compensated: form.compensated,
            read_back: form.read_back,
            kept: from_remarks(form.kept),
            conflicts: from_remarks(form.conflicts),
            lost: from_remarks(form.lost),
            failed: from_remarks(form.failed),
            in_doubt: from_remarks(form.in_doubt),
            differs: differs.collect(),
        }
    }
}

impl From<&SystemRecord> for SystemForm {
    fn from(record: &SystemRecord) -> Self {
        match record {
            SystemRecord::Opened {
                session,
                scope,
                plan,
                behind,
            } => Self::Opened {
                session: session.to_string(),
                scope: scope.clone(),
                plan: plan.to_string(),
                behind: from_ids(behind),
            },
            SystemRecord::Disturbs { action, step } => Self::Disturbs {
                action: action.to_string(),
                step: step.into(),
            },
            SystemRecord::StepStarted {
                action,
                resource,
                name,
                took,
                whole,
            } => Self::StepStarted {
                action: action.to_string(),
                r: resource.into(),
                p: name.clone(),
                took: from_ids(took),
                whole: *whole,
            },
            SystemRecord::Intent { effect } => Self::Intent {
                effect: Box::new(effect.into()),
            },
            SystemRecord::StepEnded { action, end } => Self::StepEnded {
                action: action.to_string(),
                end: end.into(),
            },
            SystemRecord::CompensationStarted { action, of, key } => Self::CompensationStarted {
                action: action.to_string(),
                of: Box::new(of.into()),
                key: key.clone(),
            },
            SystemRecord::CompensationEnded { action, key, called } => Self::CompensationEnded {
                action: action.to_string(),
                key: key.clone(),
                called: called.into(),
            },
            SystemRecord::Receipt(receipt) => Self::Receipt {
                receipt: receipt.into(),
            },
            SystemRecord::Closed { session } => Self::Closed {
                session: session.to_string(),
            },
        }
    }
}

impl SystemForm {
    /// The record; `None` where an id in it is none.
    #[must_use]
    pub fn record(self) -> Option<SystemRecord> {
        Some(match self {
            Self::Opened {
                session,
                scope,
                plan,
                behind,
            } => SystemRecord::Opened {
                session: session.parse().ok()?,
                scope,
                plan: plan.parse().ok()?,
                behind: to_ids(behind)?,
            },
            Self::Disturbs { action, step } => SystemRecord::Disturbs {
                action: action.parse().ok()?,
                step: step.into(),
            },
            Self::StepStarted {
                action,
                r,
                p,
                took,
                whole,
            } => SystemRecord::StepStarted {
                action: action.parse().ok()?,
                resource: (&r).into(),
                name: p,
                took: to_ids(took)?,
                whole,
            },
            Self::Intent { effect } => SystemRecord::Intent {
                effect: effect.effect()?,
            },
            Self::StepEnded { action, end } => SystemRecord::StepEnded {
                action: action.parse().ok()?,
                end: end.into(),
            },
            Self::CompensationStarted { action, of, key } => SystemRecord::CompensationStarted {
                action: action.parse().ok()?,
                of: of.effect()?,
                key,
            },
            Self::CompensationEnded { action, key, called } => SystemRecord::CompensationEnded {
                action: action.parse().ok()?,
                key,
                called: called.into(),
            },
            Self::Receipt { receipt } => SystemRecord::Receipt(receipt.into()),
            Self::Closed { session } => SystemRecord::Closed {
                session: session.parse().ok()?,
            },
        })
    }
}

fn effect_id(action: &str, seq: u64) -> Option<EffectId> {
    let action: ActionId = action.parse().ok()?;
    Some(EffectId {
        action,
        seq: Seq(seq),
    })
}

fn from_ids(ids: &[EffectId]) -> Vec<(String, u64)> {
    ids.iter().map(|id| (id.action.to_string(), id.seq.0)).collect()
}

fn to_ids(ids: Vec<(String, u64)>) -> Option<Vec<EffectId>> {
    ids.into_iter()
        .map(|(action, seq)| effect_id(&action, seq))
        .collect()
}
