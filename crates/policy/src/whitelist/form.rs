//! The form in which a store keeps learned rules: one JSON object each.

use super::{Grant, Granting, Reach, Shown};
use crate::limits::{operation, surface};
use crate::{Amount, Blast, Currency, Spend};
use rescind_model::{Coverage, Missing, Reversibility};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A stored rule that can't be read. It lets nothing go.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a stored approval can't be read and is not used: {message}")]
pub struct GrantError {
    /// What is wrong with it.
    pub message: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GrantForm {
    id: String,
    persons: BTreeSet<String>,
    groups: BTreeSet<String>,
    /// The one session; absent where it is for all of the agent's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    /// `exact`, `targets` or `words`.
    reach: String,
    until: String,
    agent: String,
    domain: String,
    environment: String,
    digest: String,
    operation: String,
    surface: String,
    kind: String,
    targets: BTreeSet<String>,
    class: String,
    coverage: CoverageForm,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    files: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    objects: Option<u64>,
    /// Sums by currency; absent where nobody could say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spend: Option<BTreeMap<Currency, Amount>>,
    force: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CoverageForm {
    Captured,
    /// What is missing, and why.
    Partial(Vec<(String, String)>),
    NotCaptured(String),
}

impl Grant {
    /// Write it down.
    ///
    /// # Errors
    /// None that is known: the form holds text and numbers only.
    pub fn to_json(&self) -> Result<String, GrantError> {
        let shown = &self.shown;
        let form = GrantForm {
            id: self.id.clone(),
            persons: self.persons.clone(),
            groups: self.groups.clone(),
            session: match &self.granting {
                Granting::Session(id) => Some(id.to_string()),
                Granting::Agent => None,
            },
            reach: match self.reach {
                Reach::Exact => "exact",
                Reach::Targets => "targets",
                Reach::Words => "words",
            }
            .to_owned(),
            until: self.until.to_string(),
            agent: self.agent.clone(),
            domain: self.domain.clone(),
            environment: self.environment.to_string(),
            digest: shown.digest.to_string(),
            operation: shown.operation.name().to_owned(),
            surface: shown.surface.name().to_owned(),
            kind: shown.kind.clone(),
            targets: shown.targets.clone(),
            class: shown.severity.name().to_owned(),
            coverage: CoverageForm::of(&shown.coverage),
            files: shown.blast.files,
            rows: shown.blast.rows,
            objects: shown.blast.objects,
            spend: match &shown.blast.spend {
                Spend::None => Some(BTreeMap::new()),
                Spend::Known(sums) => Some(sums.clone()),
                Spend::Unknown => None,
            },
            force: shown.force.clone(),
        };
        serde_json::to_string(&form).map_err(|error| wrong(&error))
    }

    /// Read it back.
    ///
    /// # Errors
    /// Anything that is not what [`Grant::to_json`] writes. Such a rule lets nothing go.
    pub fn from_json(text: &str) -> Result<Self, GrantError> {
        let form: GrantForm = serde_json::from_str(text).map_err(|error| wrong(&error))?;
        let granting = match &form.session {
            Some(id) => Granting::Session(id.parse().map_err(|error| wrong(&error))?),
            None => Granting::Agent,
        };
        let reach = match form.reach.as_str() {
            "exact" => Reach::Exact,
            "targets" => Reach::Targets,
            "words" => Reach::Words,
            other => return Err(wrong(&format!("`{other}` is no reach"))),
        };
        let class = Reversibility::ALL
            .into_iter()
            .find(|known| known.name() == form.class);
        Ok(Self {
            id: form.id,
            persons: form.persons,
            groups: form.groups,
            granting,
            reach,
            until: form.until.parse().map_err(|error| wrong(&error))?,
            agent: form.agent,
            domain: form.domain,
            environment: form.environment.parse().map_err(|error| wrong(&error))?,
            shown: Shown {
                digest: form.digest.parse().map_err(|error| wrong(&error))?,
                operation: operation(&form.operation).map_err(|error| wrong(&error))?,
                surface: surface(&form.surface).map_err(|error| wrong(&error))?,
                kind: form.kind,
                targets: form.targets,
                severity: class.ok_or_else(|| wrong(&format!("`{}` is no class", form.class)))?,
                coverage: form.coverage.coverage(),
                blast: Blast {
                    files: form.files,
                    rows: form.rows,
                    objects: form.objects,
                    spend: match form.spend {
                        None => Spend::Unknown,
                        Some(sums) if sums.is_empty() => Spend::None,
                        Some(sums) => Spend::Known(sums),
                    },
                },
                force: form.force,
            },
        })
    }
}

impl CoverageForm {
    fn of(coverage: &Coverage) -> Self {
        match coverage {
            Coverage::Captured => Self::Captured,
            Coverage::Partial(list) => Self::Partial(
                list.iter()
                    .map(|missing| (missing.what.clone(), missing.why.clone()))
                    .collect(),
            ),
            Coverage::NotCaptured(why) => Self::NotCaptured(why.clone()),
        }
    }

    fn coverage(self) -> Coverage {
        match self {
            Self::Captured => Coverage::Captured,
            Self::Partial(list) => Coverage::Partial(
                list.into_iter()
                    .map(|(what, why)| Missing { what, why })
                    .collect(),
            ),
            Self::NotCaptured(why) => Coverage::NotCaptured(why),
        }
    }
}

fn wrong(error: &dyn std::fmt::Display) -> GrantError {
    GrantError {
        message: error.to_string(),
    }
}
