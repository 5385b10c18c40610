//! Actions: lists, one with its diffs, its proof.

use super::{List, PageQuery, action_id};
use crate::app::{App, Shared, blocking};
use crate::extract::{Path, Query};
use crate::problem::Problem;
use crate::sign::{May, Viewer};
use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rescind_index::{ActionDetail, ActionFilter, ActionRow, DomainSet};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which actions.
#[derive(Debug, Clone, Default, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ActionQuery {
    /// The session.
    pub session: Option<String>,
    /// The agent's name.
    pub agent: Option<String>,
    /// Who started the session.
    pub owner: Option<String>,
    /// A domain and what is below it.
    pub domain: Option<String>,
    /// The kind of environment.
    pub environment: Option<String>,
    /// `action`, `agent`, `launcher`, `direct` or `system`.
    pub role: Option<String>,
    /// The reversibility class that was judged, or `unknown`.
    pub class: Option<String>,
    /// `allow`, `hold` or `deny`.
    pub verdict: Option<String>,
    /// A state of an action.
    pub state: Option<String>,
    /// `captured`, `partial` or `not_captured`.
    pub coverage: Option<String>,
    /// `files`, `shell`, ...
    pub surface: Option<String>,
    /// Began at this time or later, RFC 3339.
    pub since: Option<String>,
    /// Began before this time, RFC 3339.
    pub until: Option<String>,
    /// Words of its command, program, agent, owner, domain, reasons and gaps.
    pub text: Option<String>,
    /// A path that it changed, or a folder below which it changed something.
    pub path: Option<String>,
    /// The lowest risk score, 0 to 100.
    #[serde(deserialize_with = "super::empty_is_none")]
    pub min_score: Option<u8>,
    /// Only what failed, was killed or is in doubt.
    pub failures: Option<bool>,
}

impl ActionQuery {
    /// For the index, for somebody who may see these domains.
    #[must_use]
    pub fn filter(&self, domains: DomainSet) -> ActionFilter {
        let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        ActionFilter {
            session: some(&self.session),
            agent: some(&self.agent),
            owner: some(&self.owner),
            domain: some(&self.domain),
            environment: some(&self.environment),
            role: some(&self.role),
            class: some(&self.class),
            verdict: some(&self.verdict),
            state: some(&self.state),
            coverage: some(&self.coverage),
            surface: some(&self.surface),
            since: some(&self.since),
            until: some(&self.until),
            text: some(&self.text),
            path: some(&self.path),
            min_score: self.min_score,
            failures: self.failures.unwrap_or(false),
            ..ActionFilter::of(domains)
        }
    }
}

/// An action with all that is known of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Whole {
    /// What lists say of it, and the paths it changed.
    #[serde(flatten)]
    pub detail: ActionDetail,
    /// The same record as `rescind show --json` gives, with diffs; none where it can't be read any more.
    pub record: Option<Value>,
}

/// The actions, newest first.
#[utoipa::path(get, path = "/api/v1/actions", tag = "actions", params(ActionQuery, PageQuery),
    responses((status = 200, body = List<ActionRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn list(
    State(app): State<Shared>,
    may: May<Viewer>,
    Query(query): Query<ActionQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Json<List<ActionRow>>, Problem> {
    let filter = query.filter(may.domains());
    let found = blocking(&app, move |app| Ok(app.index.actions(&filter, &page.page())?)).await?;
    Ok(Json(found.into()))
}

/// The action, if whoever asks may see it.
///
/// # Errors
/// It is not there for them.
pub fn found(app: &App, domains: &DomainSet, id: &str) -> Result<ActionDetail, Problem> {
    let id = action_id(id)?;
    let found = app.index.action(&id, domains)?;
    found.ok_or_else(|| Problem::not_found(format!("there is no action {id}")))
}

/// One action, with diffs.
#[utoipa::path(get, path = "/api/v1/actions/{action}", tag = "actions", params(("action" = String, Path,)),
    responses((status = 200, body = Whole), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn one(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(action): Path<String>,
) -> Result<Json<Whole>, Problem> {
    let domains = may.domains();
    let whole = blocking(&app, move |app| {
        let detail = found(app, &domains, &action)?;
        let record = app.operations.action(&action_id(&action)?).ok();
        Ok(Whole { detail, record })
    });
    whole.await.map(Json)
}

/// The proof that an action is in the ledger, to be checked offline with the public key alone (C2SP tlog-proof).
#[utoipa::path(get, path = "/api/v1/actions/{action}/proof", tag = "actions", params(("action" = String, Path,)),
    responses((status = 200, content_type = "text/plain", body = String), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn proof(
    State(app): State<Shared>,
    may: May<Viewer>,
    Path(action): Path<String>,
) -> Result<Response, Problem> {
    let domains = may.domains();
    let proof = blocking(&app, move |app| {
        found(app, &domains, &action)?;
        Ok(app.operations.proof(&action_id(&action)?)?)
    });
    let plain = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    Ok((plain, proof.await?).into_response())
}
