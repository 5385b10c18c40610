//! Sessions: lists, one, its picture, what it changed.

use super::{List, PageQuery, session_id};
use crate::app::{App, Shared, blocking};
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::sign::{May, Viewer};
use axum::Json;
use axum::extract::State;
use rescind_index::{DomainSet, SessionFilter, SessionRow, Timeline, UndoRow};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The most bytes of a diff.
pub const DIFF: usize = 1 << 20;
/// The most marks of a picture.
pub const MARKS: usize = 600;

/// Which sessions.
#[derive(Debug, Clone, Default, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct SessionQuery {
    /// The agent's name.
    pub agent: Option<String>,
    /// Who started it.
    pub owner: Option<String>,
    /// A domain and what is below it.
    pub domain: Option<String>,
    /// The kind of environment.
    pub environment: Option<String>,
    /// `run`, `undo` or `promote`.
    pub kind: Option<String>,
    /// `running`, `ended`, `interrupted` or `erased`.
    pub state: Option<String>,
    /// Began at this time or later, RFC 3339.
    pub since: Option<String>,
    /// Began before this time, RFC 3339.
    pub until: Option<String>,
    /// A text in its id, command, agent, owner, domain or folder.
    pub text: Option<String>,
    /// Only those of which an action failed.
    pub failures: Option<bool>,
    /// Only those of which an action waits for a person.
    pub waiting: Option<bool>,
}

impl SessionQuery {
    /// For the index, for somebody who may see these domains.
    #[must_use]
    pub fn filter(&self, domains: DomainSet) -> SessionFilter {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        SessionFilter {
            agent: some(&self.agent),
            owner: some(&self.owner),
            domain: some(&self.domain),
            environment: some(&self.environment),
            kind: some(&self.kind),
            state: some(&self.state),
            since: some(&self.since),
            until: some(&self.until),
            text: some(&self.text),
            failures: self.failures.unwrap_or(false),
            waiting: self.waiting.unwrap_or(false),
            ..SessionFilter::of(domains)
        }
    }
}

/// The session, if whoever asks may see it. Who may not is told the same as where there is none.
///
/// # Errors
/// It is not there for them.
pub fn seen(app: &App, domains: &DomainSet, id: &str) -> Result<SessionRow, Problem> {
    let id = session_id(id)?;
    let found = app.index.session(id.as_str(), domains)?;
    found.ok_or_else(|| Problem::not_found(format!("there is no session {id}")))
}

/// The sessions, newest first.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "sessions", params(SessionQuery, PageQuery),
    responses((status = 200, body = List<SessionRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn list(
    State(app): State<Shared>,
    may: May<Viewer>,
    Query(query): Query<SessionQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<SessionRow>>, Problem> {
    let filter = query.filter(may.domains());
    let found = blocking(&app, move |app| Ok(app.index.sessions(&filter, &page.page())?)).await?;
    Ok(Json(found.into()))
}

/// One session.
#[utoipa::path(get, path = "/api/v1/sessions/{session}", tag = "sessions", params(("session" = String, Path,)),
    responses((status = 200, body = SessionRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn one(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(session): Path<String>,
) -> Result<Json<SessionRow>, Problem> {
    let domains = may.domains();
    blocking(&app, move |app| seen(app, &domains, &session))
        .await
        .map(Json)
}

/// A session as a picture: marks by time and surface.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/timeline", tag = "sessions", params(("session" = String, Path,)),
    responses((status = 200, body = Timeline), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn timeline(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(session): Path<String>,
) -> Result<Json<Timeline>, Problem> {
    let domains = may.domains();
    let found = blocking(&app, move |app| {
        let row = seen(app, &domains, &session)?;
        app.index
            .timeline(&row.session, MARKS, &domains)?
            .ok_or_else(|| Problem::not_found(format!("there is no session {}", row.session)))
    });
    found.await.map(Json)
}

/// What a session changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Diff {
    /// A unified diff.
    pub diff: String,
}

/// What a session changed, as a unified diff.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/diff", tag = "sessions", params(("session" = String, Path,)),
    responses((status = 200, body = Diff), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn diff(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(session): Path<String>,
) -> Result<Json<Diff>, Problem> {
    let domains = may.domains();
    let diff = blocking(&app, move |app| {
        let row = seen(app, &domains, &session)?;
        Ok(app.operations.diff(&session_id(&row.session)?, DIFF)?)
    });
    Ok(Json(Diff { diff: diff.await? }))
}

/// The undos of a session.
#[utoipa::path(get, path = "/api/v1/sessions/{session}/undos", tag = "undos", params(("session" = String, Path,)),
    responses((status = 200, body = Vec<UndoRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn undos(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(session): Path<String>,
) -> Result<Json<Vec<UndoRow>>, Problem> {
    let domains = may.domains();
    let found = blocking(&app, move |app| {
        let row = seen(app, &domains, &session)?;
        Ok(app.index.undos(&row.session, &domains)?)
    });
    found.await.map(Json)
}
