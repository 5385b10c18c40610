//! Undos: what one would do, beginning one as it was shown, how far it is.

use super::sessions::seen;
use super::{action_id, session_id};
use crate::app::{App, Shared, blocking};
use crate::extract::{Json, Path, Query};
use crate::jobs::{Job, Stage};
use crate::operations::{Failed, Progress, UndoOrder};
use crate::problem::Problem;
use crate::sign::{May, Operator, Viewer};
use axum::extract::State;
use axum::http::StatusCode;
use rescind_index::DomainSet;
use rescind_model::ActionId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// What of a session.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct PlanQuery {
    /// Only these actions, `SESSION.NUMBER`, with commas between.
    pub actions: Option<String>,
}

/// An undo that is to be begun.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UndoRequest {
    /// The digest of the plan that was shown: `digest` of the plan.
    pub plan: String,
    /// Only these actions; none: the whole session.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Where both sides changed the same: `ask` refuses (the default), `keep` leaves it, `restore` restores it.
    #[serde(default)]
    pub on_conflict: Option<String>,
}

/// An undo that was begun.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobRow {
    /// Its number, on this server since it was started.
    pub job: u64,
    /// The session that is taken back.
    pub session: String,
    /// Who began it.
    pub person: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Steps that are done.
    pub done: u64,
    /// All of them, as far as is known.
    pub of: u64,
    /// What the command answered: the undo's session, its plan and its receipt.
    pub result: Option<Value>,
    /// Why it failed.
    pub problem: Option<Problem>,
}

impl JobRow {
    /// How far a job is.
    #[must_use]
    pub fn of(number: u64, job: &Job) -> Self {
        let mut row = Self {
            job: number,
            session: job.session.clone(),
            person: job.person.clone(),
            state: "running".to_owned(),
            done: 0,
            of: 0,
            result: None,
            problem: None,
        };
        match &*job.stage.borrow() {
            Stage::Running(progress) => (row.done, row.of) = (progress.done, progress.of),
            Stage::Over(Ok(value)) => {
                row.state = "done".to_owned();
                row.result = Some(value.clone());
            }
            Stage::Over(Err(failed)) => {
                row.state = "failed".to_owned();
                row.problem = Some(failed.clone().into());
            }
        }
        row
    }
}

/// The actions that are named, all of the session.
///
/// # Errors
/// One is not.
pub fn actions_of(session: &str, named: &[String]) -> Result<Vec<ActionId>, Problem> {
    let mut actions = Vec::new();
    for name in named.iter().filter(|name| !name.is_empty()) {
        let action = action_id(name)?;
        if action.session.as_str() != session {
            return Err(Problem::bad(format!(
                "{action} is no action of session {session}"
            )));
        }
        actions.push(action);
    }
    Ok(actions)
}

/// What an undo of a session, or of some of its actions, would do. Nothing is changed.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/plan", tag = "undos",
    params(("session" = String, Path,), PlanQuery),
    responses((status = 200, body = Value), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn plan(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(session): Path<String>,
    Query(query): Query<PlanQuery>,
) -> Result<axum::Json<Value>, Problem> {
    let domains = may.domains();
    let plan = blocking(&app, move |app| {
        let row = seen(app, &domains, &session)?;
        let named: Vec<String> = query
            .actions
            .iter()
            .flat_map(|list| list.split(','))
            .map(str::to_owned)
            .collect();
        let actions = actions_of(&row.session, &named)?;
        Ok(app.operations.plan(&session_id(&row.session)?, &actions)?)
    });
    plan.await.map(axum::Json)
}

/// Begin an undo as it was shown. It goes on where the server is ended meanwhile.
#[utoipa::path(post, path = "/api/v1/sessions/{session}/undos", tag = "undos", params(("session" = String, Path,)),
    request_body = UndoRequest,
    responses((status = 202, body = JobRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("operator"))))]
pub async fn begin(
    State(app): State<Shared>,
    may: May<Operator>,
    Path(session): Path<String>,
    Json(request): Json<UndoRequest>,
) -> Result<(StatusCode, axum::Json<JobRow>), Problem> {
    let (number, job) = start(&app, &may, session, request).await?;
    Ok((StatusCode::ACCEPTED, axum::Json(JobRow::of(number, &job))))
}

/// Begin an undo, for the API and for pages.
///
/// # Errors
/// Who asks may not, or the session is not there.
pub async fn start(
    app: &Shared,
    may: &May<Operator>,
    session: String,
    request: UndoRequest,
) -> Result<(u64, Job), Problem> {
    let domains = crate::sign::domains(&may.actor, rescind_access::Role::Viewer);
    let row = blocking(app, move |app| seen(app, &domains, &session)).await?;
    may.must(&row.domain)?;
    let on_conflict = request.on_conflict.unwrap_or_else(|| "ask".to_owned());
    if !["ask", "keep", "restore"].contains(&on_conflict.as_str()) {
        return Err(Problem::bad(format!(
            "`{}` is none of ask, keep, restore",
            crate::console::parts::short(&on_conflict, 40)
        )));
    }
    let order = UndoOrder {
        session: session_id(&row.session)?,
        actions: actions_of(&row.session, &request.actions)?,
        plan: request.plan,
        person: may.actor.label(),
        on_conflict,
    };
    let (number, sender) = app
        .jobs
        .begin(row.session.clone(), row.domain.clone(), order.person.clone());
    let job = app
        .jobs
        .get(number)
        .ok_or_else(|| Problem::inner("the undo was not begun"))?;
    let shared = Arc::clone(app);
    tracing::info!(session = %order.session, person = %order.person, "an undo begins");
    tokio::task::spawn_blocking(move || {
        let result = shared.operations.undo(&order, &mut |progress: Progress| {
            sender.send_replace(Stage::Running(progress));
        });
        if let Err(failed) = &result {
            tracing::warn!(session = %order.session, code = failed.code, "an undo failed: {}", failed.message);
        }
        // What came to a receipt is counted with the receipt.
        if result.is_err() {
            shared.metrics.undo("failed");
        }
        // What came to a receipt is told by the ledger.
        if let Err(failed) = &result {
            let (session, why) = (order.session.as_str(), &failed.message);
            crate::tell::undo_failed(&shared, number, session, &row.domain, &order.person, why);
        }
        sender.send_replace(Stage::Over(result));
        shared.changed();
    });
    Ok((number, job))
}

/// A job, for whoever may see its session.
///
/// # Errors
/// There is none for them.
pub fn job_of(app: &App, domains: &DomainSet, number: u64) -> Result<Job, Problem> {
    let job = app.jobs.get(number).filter(|job| domains.covers(&job.domain));
    job.ok_or_else(|| {
        Problem::not_found(format!(
            "there is no undo number {number} since the server was started"
        ))
        .help("what was undone is on record all the same: look at the session's undos")
    })
}

/// How far an undo is that was begun here.
#[utoipa::path(get, path = "/api/v1/undos/{job}", tag = "undos", params(("job" = u64, Path,)),
    responses((status = 200, body = JobRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn one(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(job): Path<u64>,
) -> Result<axum::Json<JobRow>, Problem> {
    let found = job_of(&app, &may.domains(), job)?;
    Ok(axum::Json(JobRow::of(job, &found)))
}

/// A plan that is not the one that was shown.
#[must_use]
pub fn changed_plan() -> Failed {
    Failed {
        code: "plan-changed".to_owned(),
        kind: "conflict".to_owned(),
        message: "what an undo would do has changed since it was shown".to_owned(),
        meaning: "nothing was changed".to_owned(),
        help: vec!["look at the plan again".to_owned()],
    }
}
