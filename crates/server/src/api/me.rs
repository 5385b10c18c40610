//! Whoever asks: who they are, their tokens.

use super::people::{NewTokenRow, TokenRequest, TokenRow, new_token};
use crate::app::{Shared, blocking};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::sign::Signed;
use axum::extract::State;
use axum::http::StatusCode;
use rescind_access::{Actor, Authority};
use serde::Serialize;
use utoipa::ToSchema;

/// Whoever asks.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// A person's name, or `token:NAME`.
    pub name: String,
    /// `person` or `token`.
    pub kind: &'static str,
    /// `ROLE:DOMAIN`
    pub grants: Vec<String>,
    /// Whether a password was given within the last five minutes.
    pub fresh: bool,
}

/// Who I am, and what I may.
#[utoipa::path(get, path = "/api/v1/me", tag = "me",
    responses((status = 200, body = Me), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("anybody"))))]
pub async fn me(State(app): State<Shared>, signed: Signed) -> axum::Json<Me> {
    let actor = &signed.actor;
    axum::Json(Me {
        name: actor.label(),
        kind: match actor {
            Actor::Person(_) => "person",
            Actor::Token(_) => "token",
        },
        grants: actor.grants().iter().map(ToString::to_string).collect(),
        fresh: actor.is_fresh(app.access.now()),
    })
}

/// My tokens.
#[utoipa::path(get, path = "/api/v1/me/tokens", tag = "me",
    responses((status = 200, body = Vec<TokenRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("anybody"))))]
pub async fn tokens(State(app): State<Shared>, signed: Signed) -> Result<axum::Json<Vec<TokenRow>>, Problem> {
    let owner = signed.actor.person().cloned();
    let tokens = blocking(&app, |app| Ok(app.access.tokens()?)).await?;
    let own = tokens
        .iter()
        .filter(|token| owner.is_some() && token.owner == owner);
    Ok(axum::Json(own.map(TokenRow::from).collect()))
}

/// Make a token of mine. It is shown this once.
#[utoipa::path(post, path = "/api/v1/me/tokens", tag = "me", request_body = TokenRequest,
    responses((status = 201, body = NewTokenRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("anybody"))))]
pub async fn make(
    State(app): State<Shared>,
    signed: Signed,
    Json(request): Json<TokenRequest>,
) -> Result<(StatusCode, axum::Json<NewTokenRow>), Problem> {
    let (new, by) = (new_token(&request)?, Authority::Actor(signed.actor));
    let made = blocking(&app, move |app| Ok(app.access.make_token(&by, &new)?)).await?;
    let row = NewTokenRow {
        token: made.secret.expose().to_owned(),
        info: TokenRow::from(&made.info),
    };
    Ok((StatusCode::CREATED, axum::Json(row)))
}

/// Revoke a token of mine at once.
#[utoipa::path(delete, path = "/api/v1/me/tokens/{id}", tag = "me", params(("id" = String, Path,)),
    responses((status = 204), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("anybody"))))]
pub async fn revoke(
    State(app): State<Shared>,
    signed: Signed,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let owner = signed.actor.person().cloned();
    let by = Authority::Actor(signed.actor);
    blocking(&app, move |app| {
        let tokens = app.access.tokens()?;
        let own = tokens
            .iter()
            .any(|token| token.id == id && owner.is_some() && token.owner == owner);
        if !own {
            return Err(Problem::not_found("you have no such token"));
        }
        Ok(app.access.revoke_token(&by, &id)?)
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
