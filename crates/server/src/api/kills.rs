//! The kill switch: what is stopped, stopping, letting go on again.

use super::sessions::seen;
use crate::app::{App, Shared, blocking};
use crate::extract::Json;
use crate::problem::Problem;
use crate::sign::{May, Operator, Viewer};
use axum::extract::State;
use axum::http::StatusCode;
use rescind_access::{Actor, Authority, Role};
use rescind_index::DomainSet;
use rescind_model::chain;
use rescind_supervisor::control::{ControlError, GatewayStatus, KillReport, KillScope, Member, Mode, Stop};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;
use utoipa::ToSchema;

/// How long a kill waits for gateways that do not answer: their lease, and their trees.
const AT_MOST: Duration = Duration::from_secs(15);
/// The longest reason, in bytes.
const WHY: usize = 1_000;

/// What is stopped, and who runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Control {
    /// The stops in force, oldest first.
    #[schema(value_type = Vec<Object>)]
    pub stops: Vec<Stop>,
    /// The gateways that live, with their leases.
    #[schema(value_type = Vec<Object>)]
    pub gateways: Vec<GatewayStatus>,
    /// Whether the file `STOP` in the state directory stops everything.
    pub stop_file: bool,
}

/// What is to be stopped, or let go on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Scope {
    /// One session, by its whole id.
    Session(String),
    /// All sessions of an agent, by its name.
    Agent(String),
    /// All sessions in a domain, and in those below it.
    Domain(String),
    /// All sessions: `{"everything": true}`.
    Everything(bool),
}

/// A stop that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KillRequest {
    /// What.
    pub scope: Scope,
    /// `kill` ends it, `pause` holds it in place.
    pub mode: KillMode,
    /// Why; kept with it.
    #[serde(default)]
    pub why: String,
}

/// How hard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KillMode {
    /// It ends.
    Kill,
    /// It is held in place, and can go on.
    Pause,
}

/// A stop that is to be lifted.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiftRequest {
    /// Which.
    pub scope: Scope,
    /// Why it is safe now; kept with it.
    pub why: String,
}

/// What a stop came to.
#[derive(Debug, Serialize, ToSchema)]
pub struct KillAnswer {
    /// The list: who stopped, how, when, and what was under way.
    #[serde(flatten)]
    #[schema(value_type = Object)]
    pub report: KillReport,
    /// Whether nothing in the scope goes on.
    pub whole: bool,
    /// The credentials of what was ended, and whether each is dead.
    #[schema(value_type = Vec<Object>)]
    pub credentials: Vec<Value>,
}

/// What was let go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct LiftAnswer {
    /// The stops that are lifted.
    #[schema(value_type = Vec<Object>)]
    pub lifted: Vec<Stop>,
    /// Who has not gone on yet.
    #[schema(value_type = Vec<Object>)]
    pub waiting: Vec<Member>,
    /// What the health checks of the domains said.
    #[schema(value_type = Object)]
    pub health: Value,
}

impl Scope {
    /// For the board.
    ///
    /// # Errors
    /// It has no name, or everything is said not to be meant.
    pub fn kill_scope(&self) -> Result<KillScope, Problem> {
        let named = |name: &String, of: fn(String) -> KillScope| {
            if name.is_empty() || name.len() > 1_000 {
                Err(Problem::bad("a scope needs a name of at most 1000 bytes"))
            } else {
                Ok(of(name.clone()))
            }
        };
        match self {
            Self::Session(name) => named(name, KillScope::Session),
            Self::Agent(name) => named(name, KillScope::Agent),
            Self::Domain(name) => named(name, KillScope::Domain),
            Self::Everything(true) => Ok(KillScope::Everything),
            Self::Everything(false) => Err(Problem::bad("`everything` is true or not there")),
        }
    }
}

/// The domain that a role is needed on: an agent works in any.
fn domain_of(app: &App, actor: &Actor, scope: &KillScope) -> Result<String, Problem> {
    Ok(match scope {
        KillScope::Session(id) => {
            let sees = crate::sign::domains(actor, Role::Viewer);
            let running = app
                .control
                .gateways()
                .into_iter()
                .find(|gateway| gateway.member.session == *id);
            match running {
                // The board knows it before the index does.
                Some(gateway) if sees.covers(&gateway.member.domain) => gateway.member.domain,
                Some(_) => return Err(Problem::not_found(format!("there is no session {id}"))),
                None => seen(app, &sees, id)?.domain,
            }
        }
        KillScope::Domain(domain) => domain.clone(),
        KillScope::Agent(_) | KillScope::Everything => "*".to_owned(),
    })
}

fn must(app: &App, actor: &Actor, scope: &KillScope) -> Result<(), Problem> {
    let domain = domain_of(app, actor, scope)?;
    let name = if domain.is_empty() { "*" } else { &domain };
    if actor.may(Role::Operator, name) {
        return Ok(());
    }
    Err(Problem::forbidden(format!(
        "{} has not the role operator for {scope}",
        actor.label()
    )))
}

/// Stop, for the API and for pages.
///
/// # Errors
/// Who asks may not, or there is no room for one more stop: nothing was stopped then.
pub fn kill(app: &App, actor: &Actor, request: &KillRequest) -> Result<KillAnswer, Problem> {
    let scope = request.scope.kill_scope()?;
    must(app, actor, &scope)?;
    let mode = match request.mode {
        KillMode::Kill => Mode::Kill,
        KillMode::Pause => Mode::Pause,
    };
    let why: String = request.why.chars().take(WHY).collect();
    let report = app
        .control
        .kill(&scope, mode, &actor.label(), &why, AT_MOST)
        .map_err(|error| problem(&error))?;
    tracing::warn!(%scope, by = actor.label(), ms = report.milliseconds, sessions = report.sessions.len(), "stopped");
    let took = Duration::from_secs_f64(report.milliseconds.max(0.0) / 1_000.0);
    app.metrics.kill_answered(kind_of(&scope), took);
    crate::tell::stopped(app, &report);
    // The board keeps what can't be recorded yet.
    let owed = |error| tracing::error!(error = chain(&error), "a stop could not be recorded yet");
    app.control
        .record_called(&app.store, &report)
        .unwrap_or_else(owed);
    let ended: Vec<_> = report
        .sessions
        .iter()
        .filter(|_| mode == Mode::Kill)
        .filter_map(|stopped| stopped.member.session.parse().ok())
        .collect();
    let by = Authority::Actor(actor.clone());
    for session in &ended {
        if let Err(error) = app.access.revoke_session(&by, session) {
            tracing::error!(error = chain(&error), %session, "its tokens are not revoked, and end by themselves");
        }
    }
    let credentials = app.operations.revoke(&ended);
    let list = Value::Array(credentials.clone());
    app.control
        .record_answer(&app.store, &report, &list)
        .unwrap_or_else(owed);
    app.changed();
    Ok(KillAnswer {
        whole: report.is_whole(),
        report,
        credentials,
    })
}

fn kind_of(scope: &KillScope) -> &'static str {
    match scope {
        KillScope::Session(_) => "session",
        KillScope::Agent(_) => "agent",
        KillScope::Domain(_) => "domain",
        KillScope::Everything => "everything",
    }
}

/// Let go on, for the API and for pages.
///
/// # Errors
/// Who asks may not or has not signed in freshly, no reason is given, a health check failed, or nothing is stopped.
pub fn lift(app: &App, actor: &Actor, request: &LiftRequest) -> Result<LiftAnswer, Problem> {
    let scope = request.scope.kill_scope()?;
    must(app, actor, &scope)?;
    if !actor.is_fresh(app.access.now()) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "sign-in-not-fresh",
            "letting things go on again takes a password given within the last five minutes",
        )
        .means("what is stopped stays stopped")
        .help("give the password again at /me, or sign in again; a token alone can't do it"));
    }
    let why = request.why.trim();
    if why.is_empty() || why.len() > WHY {
        return Err(
            Problem::bad(format!("say why, in at most {WHY} bytes")).means("what is stopped stays stopped")
        );
    }
    if app.control.stops_of(&scope).is_empty() {
        return Err(problem(&ControlError::NotStopped {
            scope: scope.to_string(),
        }));
    }
    let (healthy, health) = app.operations.health(&domains_in(app, &scope));
    if !healthy {
        let mut problem = Problem::new(
            StatusCode::CONFLICT,
            "health-failed",
            format!("a health check failed, so {scope} stays stopped"),
        )
        .means("what is stopped stays stopped");
        problem.help = failed_checks(&health);
        return Err(problem);
    }
    app.control
        .record_lift(&app.store, &scope, &actor.label(), why)
        .map_err(|error| Problem::inner(error.to_string()).means("what is stopped stays stopped"))?;
    let (lifted, waiting) = app.control.lift(&scope)?;
    tracing::warn!(%scope, by = actor.label(), "let go on");
    app.changed();
    Ok(LiftAnswer {
        lifted,
        waiting,
        health,
    })
}

/// What failed, a sentence each.
fn failed_checks(health: &Value) -> Vec<String> {
    let all = health
        .get("checks")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let failed = all.filter(|check| check.get("passed") == Some(&Value::Bool(false)));
    failed
        .map(|check| {
            let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default();
            format!("{}: {}", text("name"), text("said"))
        })
        .collect()
}

/// The domains whose health matters for a scope.
fn domains_in(app: &App, scope: &KillScope) -> Vec<String> {
    let gateways = app.control.gateways().into_iter().map(|gateway| gateway.member);
    let mut domains: Vec<String> = gateways
        .filter(|member| scope.covers(member))
        .map(|member| member.domain)
        .collect();
    match scope {
        KillScope::Domain(domain) => domains.push(domain.clone()),
        KillScope::Session(id) => {
            let found = app.index.session(id, &DomainSet::Everything).ok().flatten();
            domains.extend(found.map(|row| row.domain));
        }
        KillScope::Agent(_) | KillScope::Everything => {}
    }
    domains.sort();
    domains.dedup();
    domains
}

fn problem(error: &ControlError) -> Problem {
    let (status, code) = match error {
        ControlError::Board { .. } => (StatusCode::SERVICE_UNAVAILABLE, "control-unusable"),
        ControlError::Full => (StatusCode::CONFLICT, "control-unusable"),
        ControlError::NoName => (StatusCode::BAD_REQUEST, "bad-argument"),
        ControlError::NotStopped { .. } => (StatusCode::CONFLICT, "scope-not-stopped"),
        ControlError::InCharge { .. } => (StatusCode::CONFLICT, "control-unusable"),
    };
    Problem::new(status, code, error.to_string())
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Self {
        problem(&error)
    }
}

/// What of the board somebody may see: what is in their domains, and what stops things there.
#[must_use]
pub fn control_seen(app: &App, domains: &DomainSet) -> Control {
    let mut gateways = app.control.gateways();
    gateways.retain(|gateway| domains.covers(&gateway.member.domain));
    let mut stops = app.control.stops();
    stops.retain(|stop| match &stop.scope {
        KillScope::Everything => true,
        KillScope::Domain(domain) => domains.meets(domain),
        KillScope::Agent(_) => {
            domains.is_everything() || gateways.iter().any(|gateway| stop.scope.covers(&gateway.member))
        }
        KillScope::Session(id) => {
            domains.is_everything() || matches!(app.index.session(id, domains), Ok(Some(_)))
        }
    });
    Control {
        stops,
        gateways,
        stop_file: app.control.stop_file(),
    }
}

/// What is stopped, and which gateways live.
#[utoipa::path(get, path = "/api/v1/control", tag = "control",
    responses((status = 200, body = Control), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("viewer"))))]
pub async fn list(State(app): State<Shared>, may: May<Viewer>) -> Result<axum::Json<Control>, Problem> {
    let domains = may.domains();
    blocking(&app, move |app| Ok(control_seen(app, &domains)))
        .await
        .map(axum::Json)
}

/// Stop. Returns once nothing in the scope starts any more, and says who stopped, when and how.
#[utoipa::path(post, path = "/api/v1/control/kills", tag = "control", request_body = KillRequest,
    responses((status = 200, body = KillAnswer), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("operator"))))]
pub async fn post(
    State(app): State<Shared>,
    may: May<Operator>,
    Json(request): Json<KillRequest>,
) -> Result<axum::Json<KillAnswer>, Problem> {
    blocking(&app, move |app| kill(app, &may.actor, &request))
        .await
        .map(axum::Json)
}

/// Let go on again. Takes a fresh sign-in of a person, a reason, and health checks that pass.
#[utoipa::path(post, path = "/api/v1/control/lifts", tag = "control", request_body = LiftRequest,
    responses((status = 200, body = LiftAnswer), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("operator"))))]
pub async fn lift_post(
    State(app): State<Shared>,
    may: May<Operator>,
    Json(request): Json<LiftRequest>,
) -> Result<axum::Json<LiftAnswer>, Problem> {
    blocking(&app, move |app| lift(app, &may.actor, &request))
        .await
        .map(axum::Json)
}
