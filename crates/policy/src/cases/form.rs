//! The TOML form of cases.

use super::{Case, CaseError, Expected};
use crate::limits::{BoundsForm, operation, surface};
use crate::{
    Attempt, Blast, Environment, History, Money, Place, Problem, Problems, Proposal, Session, Spend, Zones,
};
use rescind_model::{
    Coverage, Digest, Missing, Operation, Pattern, Reversibility, Scope, Scopes, SessionId, Timestamp,
};
use serde::Deserialize;
use toml::Spanned;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    case: Vec<Spanned<CaseForm>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseForm {
    name: String,
    #[serde(default)]
    because: String,
    #[serde(default)]
    session: SessionForm,
    action: ActionForm,
    #[serde(default)]
    denied: Vec<ActionForm>,
    #[serde(default)]
    denials_in_a_row: u32,
    #[serde(default)]
    bounds: BoundsForm,
    at: Option<String>,
    expect: ExpectForm,
    persons: Option<u8>,
    notify: Option<String>,
    halts: Option<bool>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum ExpectForm {
    Allow,
    Hold,
    Deny,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct SessionForm {
    agent: Option<String>,
    #[serde(default)]
    teams: Vec<String>,
    owner: Option<String>,
    domain: Option<String>,
    environment: Option<String>,
    scopes: Option<Vec<ScopeForm>>,
    lasted: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeForm {
    operations: Vec<String>,
    surface: Option<String>,
    #[serde(default)]
    targets: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionForm {
    #[serde(rename = "do")]
    text: String,
    operation: String,
    surface: String,
    kind: String,
    class: String,
    coverage: String,
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    force: Vec<String>,
    files: Option<u64>,
    rows: Option<u64>,
    objects: Option<u64>,
    spend: Option<String>,
}

pub(super) fn read(file: &str, text: &str, zones: Zones<'_>) -> Result<Vec<Case>, CaseError> {
    let form: FileForm = toml::from_str(text).map_err(|error| CaseError {
        problems: Problems(vec![Problem::toml(file, text, &error)]),
    })?;
    let mut problems = Vec::new();
    let mut cases = Vec::new();
    for spanned in form.case {
        let place = Place::of(file, text, spanned.span().start);
        let mut form = spanned.into_inner();
        let bounds = std::mem::take(&mut form.bounds).bounds(file, text, zones, &mut problems);
        match form.case(place.clone()) {
            Ok(case) => cases.push(Case { bounds, ..case }),
            Err(message) => problems.push(Problem::new(place, message)),
        }
    }
    if problems.is_empty() {
        return Ok(cases);
    }
    Err(CaseError {
        problems: Problems(problems),
    })
}

/// When cases happen that don't say: a Wednesday.
const NOON: Timestamp = Timestamp(1_795_608_000_000_000_000);

impl CaseForm {
    fn case(self, place: Place) -> Result<Case, String> {
        let now = self.at.as_deref().map_or(Ok(NOON), |text| {
            text.parse::<Timestamp>().map_err(|error| error.to_string())
        })?;
        let denied: Result<Vec<Proposal>, String> =
            self.denied.into_iter().map(ActionForm::proposal).collect();
        let proposal = self.action.proposal()?;
        let history = History {
            denials_in_a_row: self.denials_in_a_row,
            denied: denied?.iter().map(Attempt::from).collect(),
            known_kinds: [proposal.kind.clone()].into(),
            ..History::default()
        };
        Ok(Case {
            name: self.name,
            place,
            because: self.because,
            session: self.session.session(now)?,
            proposal,
            history,
            bounds: crate::Bounds::default(),
            now,
            expected: Expected {
                verdict: match self.expect {
                    ExpectForm::Allow => "allow",
                    ExpectForm::Hold => "hold",
                    ExpectForm::Deny => "deny",
                }
                .to_owned(),
                persons: self.persons,
                notify: self.notify,
                halts: self.halts,
            },
        })
    }
}

impl SessionForm {
    fn session(self, now: Timestamp) -> Result<Session, String> {
        let environment = self
            .environment
            .as_deref()
            .map(str::parse::<Environment>)
            .transpose();
        let scopes = match self.scopes {
            None => Scopes::all(),
            Some(forms) => Scopes::new(
                forms
                    .into_iter()
                    .map(ScopeForm::scope)
                    .collect::<Result<_, String>>()?,
            ),
        };
        Ok(Session {
            id: SessionId::new(0, 0),
            agent: self.agent.unwrap_or_else(|| "agent".to_owned()),
            teams: self.teams,
            owner: self.owner.unwrap_or_else(|| "owner".to_owned()),
            domain: self.domain.unwrap_or_default(),
            environment: environment
                .map_err(|error| error.to_string())?
                .unwrap_or(Environment::Development),
            scopes,
            started: Timestamp(now.0 - i64::from(self.lasted.unwrap_or(0)) * 1_000_000_000),
            actions: 0,
        })
    }
}

impl ScopeForm {
    fn scope(self) -> Result<Scope, String> {
        Ok(Scope {
            operations: self
                .operations
                .iter()
                .map(|name| operation(name))
                .collect::<Result<_, _>>()?,
            surface: self.surface.as_deref().map(surface).transpose()?,
            targets: self.targets.into_iter().map(Pattern::new).collect(),
        })
    }
}

impl ActionForm {
    fn proposal(self) -> Result<Proposal, String> {
        let operation: Operation = operation(&self.operation)?;
        let money = self
            .spend
            .as_deref()
            .filter(|text| *text != "unknown")
            .map(str::parse::<Money>)
            .transpose();
        let spend = match money.map_err(|error| error.to_string())? {
            Some(money) => Spend::of([money]),
            None if self.spend.is_some() => Spend::Unknown,
            None => Spend::None,
        };
        Ok(Proposal {
            operation,
            surface: surface(&self.surface)?,
            digest: Digest::of(self.text.as_bytes()),
            text: self.text,
            kind: self.kind,
            targets: self.targets,
            class: class(&self.class)?,
            coverage: coverage(&self.coverage)?,
            blast: Blast {
                files: self.files,
                rows: self.rows,
                objects: self.objects,
                spend,
            },
            force: self.force.into_iter().collect(),
            drives: Vec::new(),
        })
    }
}

fn class(text: &str) -> Result<Option<Reversibility>, String> {
    let known = Reversibility::ALL.into_iter().find(|known| known.name() == text);
    if known.is_none() && text != "unknown" {
        let names: Vec<&str> = Reversibility::ALL.iter().map(|known| known.name()).collect();
        return Err(format!(
            "`{text}` is not a class: they are {}, unknown",
            names.join(", ")
        ));
    }
    Ok(known)
}

fn coverage(text: &str) -> Result<Coverage, String> {
    match text {
        "captured" => Ok(Coverage::Captured),
        "partial" => Ok(Coverage::Partial(vec![Missing {
            what: "a part of it".to_owned(),
            why: "the case says so".to_owned(),
        }])),
        "not_captured" => Ok(Coverage::NotCaptured("the case says so".to_owned())),
        _ => Err(format!(
            "`{text}` is not a coverage: they are captured, partial, not_captured"
        )),
    }
}
