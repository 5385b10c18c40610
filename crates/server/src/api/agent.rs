//! What agents may ask: about themselves. Nothing of people's takes an agent's token, and nothing here takes a person's.

use crate::app::{Shared, blocking};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::sign::{Agent, May, Operator};
use axum::extract::State;
use axum::http::StatusCode;
use rescind_access::{AgentInfo, AgentPrincipal, Authority, NewAgent};
use rescind_model::Scopes;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentMe {
    /// The session it acts in.
    pub session: String,
    /// What the agent is called.
    pub agent: String,
    /// What it may.
    pub scopes: String,
    /// When its token ends, RFC 3339.
    pub expires: String,
    /// What of the session is stopped, if anything is.
    pub stopped: Option<String>,
}

/// A token for a subagent: never wider, never longer.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NarrowRequest {
    /// What the subagent is called.
    pub agent: String,
    /// What it may, each as `read:files:/srv/**`; none: all that the asking one may.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How many seconds it lasts; 900 where nothing is said.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// A token for the agent of a session.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IssueRequest {
    /// What it may, each as `read:files:/srv/**`; none: everything that the session may.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// How many seconds it lasts; 900 where nothing is said.
    #[serde(default)]
    pub seconds: Option<u64>,
}

/// A token that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentToken {
    /// The token. It is shown this once.
    pub token: String,
    /// Its id, which is no secret.
    pub id: String,
    /// The session.
    pub session: String,
    /// What it may.
    pub scopes: String,
    /// When it ends, RFC 3339.
    pub expires: String,
}

/// How a hold of the agent's own session stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct AgentHold {
    /// The action.
    pub action: String,
    /// `waiting`, or how it ended.
    pub state: String,
    /// What a reviewer wrote to the agent.
    pub message: Option<String>,
}

fn scopes(texts: &[String]) -> Result<Scopes, Problem> {
    if texts.is_empty() {
        return Ok(Scopes::all());
    }
    Scopes::from_lines(&texts.join("\n")).map_err(|error| Problem::bad(error.to_string()))
}

fn made(made: &rescind_access::Made<AgentInfo>) -> AgentToken {
    AgentToken {
        token: made.secret.expose().to_owned(),
        id: made.info.id.clone(),
        session: made.info.session.to_string(),
        scopes: made.info.scopes.to_string(),
        expires: made.info.expires.to_string(),
    }
}

/// Make a token for the agent of a session.
#[utoipa::path(post, path = "/api/v1/sessions/{session}/tokens", tag = "agents", params(("session" = String, Path,)),
    request_body = IssueRequest,
    responses((status = 201, body = AgentToken), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("operator"))))]
pub async fn issue(
    State(app): State<Shared>,
    may: May<Operator>,
    Path(session): Path<String>,
    Json(request): Json<IssueRequest>,
) -> Result<(StatusCode, axum::Json<AgentToken>), Problem> {
    let sees = crate::sign::domains(&may.actor, rescind_access::Role::Viewer);
    let row = blocking(&app, move |app| super::sessions::seen(app, &sees, &session)).await?;
    may.must(&row.domain)?;
    if row.state != "running" {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "not-running",
            format!("session {} does not run", row.session),
        ));
    }
    let mut new = NewAgent::new(
        super::session_id(&row.session)?,
        &row.agent,
        &row.domain,
        scopes(&request.scopes)?,
    );
    if let Some(seconds) = request.seconds {
        new.lasts = Duration::from_secs(seconds);
    }
    let by = Authority::Actor(may.actor);
    let issued = blocking(&app, move |app| Ok(app.access.issue_agent(&by, &new)?)).await?;
    Ok((StatusCode::CREATED, axum::Json(made(&issued))))
}

/// Revoke all tokens of a session's agents at once.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}/tokens", tag = "agents", params(("session" = String, Path,)),
    responses((status = 204), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("operator"))))]
pub async fn revoke(
    State(app): State<Shared>,
    may: May<Operator>,
    Path(session): Path<String>,
) -> Result<StatusCode, Problem> {
    let sees = crate::sign::domains(&may.actor, rescind_access::Role::Viewer);
    let row = blocking(&app, move |app| super::sessions::seen(app, &sees, &session)).await?;
    may.must(&row.domain)?;
    let by = Authority::Actor(may.actor);
    blocking(&app, move |app| {
        app.access
            .revoke_session(&by, &super::session_id(&row.session)?)?;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// For an agent: who it is, what it may, whether it is stopped.
#[utoipa::path(get, path = "/agent/v1/me", tag = "agents",
    responses((status = 200, body = AgentMe), (status = "4XX", body = Problem)),
    security(("agent" = [])), extensions(("x-rescind-role" = json!("agent"))))]
pub async fn me(State(app): State<Shared>, Agent(agent): Agent) -> axum::Json<AgentMe> {
    let stops = app.control.gateways();
    let own = stops
        .iter()
        .find(|gateway| gateway.member.session == agent.session().as_str());
    let stop = own.and_then(|gateway| app.control.stop_of(&gateway.member));
    axum::Json(AgentMe {
        session: agent.session().to_string(),
        agent: agent.agent().to_owned(),
        scopes: agent.scopes().to_string(),
        expires: agent.expires().to_string(),
        stopped: stop.map(|stop| stop.mode.done().to_owned()),
    })
}

/// For an agent: a token for its subagent, never wider and never longer than its own.
#[utoipa::path(post, path = "/agent/v1/tokens", tag = "agents", request_body = NarrowRequest,
    responses((status = 201, body = AgentToken), (status = "4XX", body = Problem)),
    security(("agent" = [])), extensions(("x-rescind-role" = json!("agent"))))]
pub async fn narrow(
    State(app): State<Shared>,
    Agent(agent): Agent,
    Json(request): Json<NarrowRequest>,
) -> Result<(StatusCode, axum::Json<AgentToken>), Problem> {
    let asked = scopes(&request.scopes)?;
    let lasts = request.seconds.map_or(rescind_access::AGENT, Duration::from_secs);
    let narrowed = blocking(&app, move |app| {
        Ok(app.access.narrow(&agent, &request.agent, &asked, lasts)?)
    });
    Ok((StatusCode::CREATED, axum::Json(made(&narrowed.await?))))
}

/// When a token ends.
#[derive(Debug, Serialize, ToSchema)]
pub struct Renewed {
    /// RFC 3339.
    pub expires: String,
}

/// For an agent: its token for another quarter of an hour, as long as its session lives and never longer than the token it was
/// narrowed from.
#[utoipa::path(post, path = "/agent/v1/renewals", tag = "agents",
    responses((status = 200, body = Renewed), (status = "4XX", body = Problem)),
    security(("agent" = [])), extensions(("x-rescind-role" = json!("agent"))))]
pub async fn renew(State(app): State<Shared>, Agent(agent): Agent) -> Result<axum::Json<Renewed>, Problem> {
    let expires = blocking(&app, move |app| {
        Ok(app.access.renew_agent(&agent, rescind_access::AGENT)?)
    })
    .await?;
    Ok(axum::Json(Renewed {
        expires: expires.to_string(),
    }))
}

/// For an agent: how a hold of its own session stands.
#[utoipa::path(get, path = "/agent/v1/holds/{action}", tag = "agents", params(("action" = String, Path,)),
    responses((status = 200, body = AgentHold), (status = "4XX", body = Problem)),
    security(("agent" = [])), extensions(("x-rescind-role" = json!("agent"))))]
pub async fn hold(
    State(app): State<Shared>,
    Agent(agent): Agent,
    Path(action): Path<String>,
) -> Result<axum::Json<AgentHold>, Problem> {
    blocking(&app, move |app| own_hold(app, &agent, &action))
        .await
        .map(axum::Json)
}

fn own_hold(app: &crate::app::App, agent: &AgentPrincipal, action: &str) -> Result<AgentHold, Problem> {
    let none = || Problem::not_found("this session has no such hold");
    let id = super::action_id(action)?;
    if id.session != *agent.session() {
        return Err(none());
    }
    let read = app
        .holds
        .read(&id.to_string())
        .map_err(|_| Problem::inner("the hold can't be read"))?;
    let hold = read.ok_or_else(none)?;
    let closed = app.holds.closed(&hold.form.action);
    let said = closed
        .as_ref()
        .map(|closed| closed.decisions.as_slice())
        .unwrap_or_default();
    Ok(AgentHold {
        action: hold.form.action.clone(),
        state: closed
            .as_ref()
            .map_or("waiting", |closed| closed.how.name())
            .to_owned(),
        message: said.iter().rev().find_map(|said| said.message.clone()),
    })
}
