//! Whether the server lives, and whether it is ready. Anybody may ask; nothing is told but that.

use crate::app::Shared;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `alive` or `ready`.
    pub status: &'static str,
}

/// The server lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Health)),
    extensions(("x-rescind-role" = json!("nobody"))))]
pub async fn alive() -> Json<Health> {
    Json(Health { status: "alive" })
}

/// The server has read the record, and is not ending.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses((status = 200, body = Health), (status = 503, body = Problem)),
    extensions(("x-rescind-role" = json!("nobody"))))]
pub async fn ready(State(app): State<Shared>) -> Result<Json<Health>, Problem> {
    if app.is_ready() {
        return Ok(Json(Health { status: "ready" }));
    }
    let why = if app.is_ending() {
        "the server is ending"
    } else {
        "the record is being read"
    };
    Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "not-ready", why).help("ask again in a moment"))
}
