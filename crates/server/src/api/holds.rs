//! Holds: what waits for a person, and what they say. A decision is put beside the hold, as `rescind approve` does it; the
//! session's own supervisor takes it up, records it, and lets the program go on.

use super::List;
use crate::app::{App, Shared, blocking};
use crate::extract::{Json, Path, Query};
use crate::operations::Lasting;
use crate::problem::Problem;
use crate::sign::{May, Reviewer, Viewer};
use axum::extract::State;
use axum::http::StatusCode;
use rescind_access::{Actor, Role};
use rescind_index::DomainSet;
use rescind_supervisor::holds::{ClosedForm, Decision, DecisionForm, Hold, HoldError, HoldFilter, HoldForm};
use rescind_supervisor::now;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A hold.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HoldRow {
    /// The action, `SESSION.NUMBER`.
    pub action: String,
    /// The agent's name.
    pub agent: String,
    /// Who started the session.
    pub requester: String,
    /// The domain; empty for none.
    pub domain: String,
    /// The environment; empty where it is not known.
    pub environment: String,
    /// The command line, redacted.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// Since when it waits, RFC 3339.
    pub since: String,
    /// When it is denied, RFC 3339.
    pub expires: String,
    /// What an approval is bound to; a decision sends it back.
    pub digest: String,
    /// The reversibility class.
    pub class: String,
    /// The risk score, 0 to 100.
    pub score: u8,
    /// Why it waits.
    pub reasons: Vec<String>,
    /// How many persons have to approve.
    pub persons: u8,
    /// Who is asked now; empty: anybody.
    pub groups: Vec<String>,
    /// What people said so far.
    #[schema(value_type = Vec<Object>)]
    pub decisions: Vec<DecisionForm>,
    /// How it ended; none: it waits.
    #[schema(value_type = Option<Object>)]
    pub closed: Option<ClosedForm>,
    /// All of it, as the hold's file has it: factors, coverage, preview (`rescind approvals --json` has the same).
    #[schema(value_type = Object)]
    pub hold: Value,
}

impl HoldRow {
    fn of(hold: &Hold, closed: Option<ClosedForm>) -> Self {
        let form = &hold.form;
        Self {
            action: form.action.clone(),
            agent: form.agent.clone(),
            requester: form.requester.clone(),
            domain: form.domain.clone(),
            environment: form.environment.clone(),
            argv: form.argv.clone(),
            cwd: form.cwd.clone(),
            since: form.since.clone(),
            expires: form.expires.clone(),
            digest: form.digest.clone(),
            class: form.judged.class.clone(),
            score: form.judged.score,
            reasons: form.judged.reasons.clone(),
            persons: form.judged.persons.max(1),
            groups: form.judged.groups.clone(),
            decisions: hold.decisions.clone(),
            closed,
            hold: serde_json::to_value(form).unwrap_or_default(),
        }
    }
}

/// Which holds.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct HoldQuery {
    /// The agent's name.
    pub agent: Option<String>,
    /// A domain and what is below it.
    pub domain: Option<String>,
    /// `SESSION`: only those of this session.
    pub session: Option<String>,
    /// Words of its command, agent, requester, domain, reasons or action.
    pub text: Option<String>,
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// At most so many, up to 500.
    pub limit: Option<usize>,
}

/// What somebody decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// It may run, this once.
    Approve,
    /// It may not.
    Reject,
}

/// A decision.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Decide {
    /// Approve or reject.
    pub decision: Wanted,
    /// The digest of what was shown; another state of the hold is refused.
    pub digest: String,
    /// What the agent reads.
    #[serde(default)]
    pub message: Option<String>,
    /// The same may run again without asking.
    #[serde(default)]
    pub always: Option<Always>,
    /// What may run instead, once; the action itself does not run then.
    #[serde(default)]
    pub change: Option<Vec<String>>,
}

/// How far an approval goes beyond this once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Always {
    /// Only in this session.
    pub for_session: bool,
    /// Until when: a time, or how long (`2h`). 8 hours without it.
    pub until: Option<String>,
    /// The command with a `*` for each word, or part of one, that may be another.
    pub pattern: Option<String>,
}

/// What came of a decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Decided {
    /// The action.
    pub action: String,
    /// Who said it.
    pub person: String,
    /// How many more approvals are needed.
    pub approvals_missing: usize,
}

/// The longest message, in bytes.
const MESSAGE: usize = 4_000;

/// What waits, oldest first.
#[utoipa::path(get, path = "/api/v1/holds", tag = "holds", params(HoldQuery),
    responses((status = 200, body = List<HoldRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn list(
    State(app): State<Shared>,
    may: May<Viewer>,
    Query(query): Query<HoldQuery>,
) -> Result<axum::Json<List<HoldRow>>, Problem> {
    let filter = HoldFilter {
        domain: query.domain,
        agent: query.agent,
        session: query.session,
        text: query.text,
        ..HoldFilter::of(may.domains())
    };
    let limit = query.limit.unwrap_or(50).clamp(1, 500);
    let found = blocking(&app, move |app| {
        app.open.page(&filter, query.cursor.as_deref(), limit)
    })
    .await?;
    Ok(axum::Json(List {
        items: found.holds.iter().map(|hold| HoldRow::of(hold, None)).collect(),
        next: found.next,
        cut: false,
    }))
}

/// One hold, whether it waits or was decided not long ago.
#[utoipa::path(get, path = "/api/v1/holds/{action}", tag = "holds", params(("action" = String, Path,)),
    responses((status = 200, body = HoldRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn one(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(action): Path<String>,
) -> Result<axum::Json<HoldRow>, Problem> {
    let domains = may.domains();
    let found = blocking(&app, move |app| {
        let found = visible(app, &domains, &action)?;
        let (hold, closed) = found.ok_or_else(|| unknown(&action))?;
        Ok(HoldRow::of(&hold, closed))
    });
    found.await.map(axum::Json)
}

fn unknown(action: &str) -> Problem {
    let name = crate::console::parts::short(action, 80);
    Problem::new(
        StatusCode::NOT_FOUND,
        "no-such-hold",
        format!("no hold of `{name}` is there"),
    )
}

/// A hold, and how it ended, if it did.
pub type Seen = (Arc<Hold>, Option<ClosedForm>);

/// A hold that somebody may see, and how it ended.
///
/// # Errors
/// It can't be read, or its name is none.
pub fn visible(app: &App, domains: &DomainSet, action: &str) -> Result<Option<Seen>, Problem> {
    let id = super::action_id(action)?.to_string();
    if let Some(hold) = app.open.get(&id)? {
        return Ok(domains.covers(&hold.form.domain).then_some((hold, None)));
    }
    let read = app
        .holds
        .read(&id)
        .map_err(|_| Problem::inner("the hold can't be read"))?;
    let seen = read.filter(|hold| domains.covers(&hold.form.domain));
    Ok(seen.map(|hold| (Arc::new(hold), app.holds.closed(&id))))
}

/// Whether somebody may decide a hold, as far as their role goes.
///
/// # Errors
/// They may not.
pub fn may_decide(actor: &Actor, form: &HoldForm) -> Result<(), Problem> {
    let domain = if form.domain.is_empty() { "*" } else { &form.domain };
    if !actor.may(Role::Reviewer, domain) {
        return Err(Problem::forbidden(format!(
            "{} may look at this, but not decide it",
            actor.label()
        )));
    }
    let Some(person) = actor.person() else {
        return Err(Problem::forbidden("a token that belongs to nobody can't decide")
            .help("make a person, and sign in or make a token in their name"));
    };
    if form.judged.persons > 1 && person.as_str() == form.requester {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "hold-requester",
            "whoever asked for it can't be one of those who approve it",
        ));
    }
    if !form.may_decide(person.as_str()) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "hold-tier",
            format!("it is for {} to decide", form.deciders()),
        ));
    }
    Ok(())
}

/// Decide a hold. What was approved goes on within a tenth of a second.
#[utoipa::path(post, path = "/api/v1/holds/{action}/decisions", tag = "holds", params(("action" = String, Path,)),
    request_body = Decide,
    responses((status = 200, body = Decided), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("reviewer"))))]
pub async fn post(
    State(app): State<Shared>,
    may: May<Reviewer>,
    Path(action): Path<String>,
    Json(said): Json<Decide>,
) -> Result<axum::Json<Decided>, Problem> {
    let actor = may.actor;
    blocking(&app, move |app| decide(app, &actor, &action, said))
        .await
        .map(axum::Json)
}

/// Put a decision down, for the API and for pages.
///
/// # Errors
/// Each for its own reason; nothing was decided then.
pub fn decide(app: &App, actor: &Actor, action: &str, said: Decide) -> Result<Decided, Problem> {
    let domains = crate::sign::domains(actor, Role::Viewer);
    let (hold, _) = visible(app, &domains, action)?.ok_or_else(|| unknown(action))?;
    may_decide(actor, &hold.form)?;
    if said.message.as_ref().is_some_and(|text| text.len() > MESSAGE) {
        return Err(Problem::bad(format!("a message has at most {MESSAGE} bytes")));
    }
    if said.decision == Wanted::Reject && (said.always.is_some() || said.change.is_some()) {
        return Err(Problem::bad("`always` and `change` go with an approval"));
    }
    let lasting = match (&said.always, &said.change) {
        (None, None) => Lasting::default(),
        (always, change) => app
            .operations
            .lasting(&hold, always.as_ref(), change.as_deref())?,
    };
    let person = actor
        .person()
        .map(|name| name.as_str().to_owned())
        .unwrap_or_default();
    let form = DecisionForm {
        decision: match said.decision {
            Wanted::Approve => Decision::Approve,
            Wanted::Reject => Decision::Reject,
        },
        person: person.clone(),
        at: now().to_string(),
        digest: said.digest,
        message: said.message,
        always: lasting.always,
        change: lasting.change,
    };
    let before = app
        .holds
        .decide(&hold.form.action, &form)
        .map_err(|error| problem(&error))?;
    tracing::info!(action = hold.form.action, person, decision = ?form.decision, "a hold was decided");
    app.changed();
    let same = |other: &&DecisionForm| other.decision == Decision::Approve && other.change == form.change;
    let given = before.decisions.iter().filter(same).count() + 1;
    let missing = match form.decision {
        Decision::Reject => 0,
        Decision::Approve => usize::from(hold.form.judged.persons.max(1)).saturating_sub(given),
    };
    Ok(Decided {
        action: hold.form.action.clone(),
        person,
        approvals_missing: missing,
    })
}

fn problem(error: &HoldError) -> Problem {
    let (status, code) = match error {
        HoldError::Unknown { .. } => (StatusCode::NOT_FOUND, "no-such-hold"),
        HoldError::Over { .. } => (StatusCode::CONFLICT, "hold-over"),
        HoldError::Expired { .. } => (StatusCode::CONFLICT, "hold-expired"),
        HoldError::Void { .. } => (StatusCode::CONFLICT, "hold-void"),
        HoldError::Changed { .. } => (StatusCode::CONFLICT, "hold-changed"),
        HoldError::Again { .. } => (StatusCode::CONFLICT, "hold-decided"),
        HoldError::Tier { .. } => (StatusCode::FORBIDDEN, "hold-tier"),
        HoldError::Requester { .. } => (StatusCode::FORBIDDEN, "hold-requester"),
        HoldError::Directory { .. } => (StatusCode::SERVICE_UNAVAILABLE, "state-directory"),
    };
    Problem::new(status, code, error.to_string()).means("nothing was decided")
}
