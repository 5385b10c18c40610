//! People, their grants and tokens. For admins.

use crate::app::{Shared, blocking};
use crate::extract::{Json, Path};
use crate::problem::Problem;
use crate::sign::{Admin, May};
use axum::extract::State;
use axum::http::StatusCode;
use rescind_access::{
    AccessError, Authority, Grant, Grants, NewPerson, NewToken, PersonInfo, PersonName, TokenInfo,
};
use rescind_model::chain;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use utoipa::ToSchema;

/// A person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PersonRow {
    /// The name.
    pub name: String,
    /// How they are called where they sign in; empty for local people.
    pub shown: String,
    /// Where they sign in, if not here.
    pub issuer: Option<String>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether the password must be changed before anything else.
    pub must_change_password: bool,
    /// `ROLE:DOMAIN`
    pub grants: Vec<String>,
    /// Since when they are known, RFC 3339.
    pub made: String,
}

/// A token. Its secret is nowhere.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TokenRow {
    /// Its id, which is no secret.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// Who made it.
    pub made_by: String,
    /// `ROLE:DOMAIN`
    pub grants: Vec<String>,
    /// RFC 3339.
    pub made: String,
    /// When it ends, RFC 3339.
    pub expires: String,
    /// When it was used last, RFC 3339.
    pub used: Option<String>,
}

/// A token that was just made.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NewTokenRow {
    /// The token. It is shown this once.
    pub token: String,
    /// How it is listed.
    pub info: TokenRow,
}

/// Somebody new.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PersonRequest {
    /// The name; that of the machine's user where they also start sessions.
    pub name: String,
    /// The first password, which they change.
    pub password: String,
    /// `ROLE:DOMAIN`
    pub grants: Vec<String>,
}

/// What of a person is to be changed.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PersonChange {
    /// Let them in no more, or again.
    pub disabled: Option<bool>,
    /// A new password, which they change.
    pub password: Option<String>,
    /// Grants that are added: `ROLE:DOMAIN`.
    pub grant: Vec<String>,
    /// Grants that are taken.
    pub revoke: Vec<String>,
}

/// A token that is to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// What it is called.
    pub name: String,
    /// `ROLE:DOMAIN`, never more than its maker has.
    pub grants: Vec<String>,
    /// How many days it lasts, at most 366.
    #[serde(default)]
    pub days: Option<u64>,
}

impl From<&PersonInfo> for PersonRow {
    fn from(info: &PersonInfo) -> Self {
        Self {
            name: info.name.to_string(),
            shown: info.shown.clone(),
            issuer: info.issuer.clone(),
            disabled: info.disabled,
            must_change_password: info.must_change_password,
            grants: grants_text(&info.grants),
            made: info.made.to_string(),
        }
    }
}

impl From<&TokenInfo> for TokenRow {
    fn from(info: &TokenInfo) -> Self {
        Self {
            id: info.id.clone(),
            name: info.name.clone(),
            owner: info.owner.as_ref().map(ToString::to_string),
            made_by: info.made_by.clone(),
            grants: grants_text(&info.grants),
            made: info.made.to_string(),
            expires: info.expires.to_string(),
            used: info.used.map(|used| used.to_string()),
        }
    }
}

fn grants_text(grants: &Grants) -> Vec<String> {
    grants.iter().map(ToString::to_string).collect()
}

/// Grants as they are written.
///
/// # Errors
/// One is none.
pub fn grants(texts: &[String]) -> Result<Grants, Problem> {
    let all: Result<Vec<Grant>, _> = texts.iter().map(|text| text.trim().parse::<Grant>()).collect();
    all.map(Grants::new)
        .map_err(|error| Problem::bad(error.to_string()))
}

/// A name.
///
/// # Errors
/// It is none.
pub fn name(text: &str) -> Result<PersonName, Problem> {
    text.parse::<PersonName>()
        .map_err(|error| Problem::bad(error.to_string()))
}

/// What went wrong with people and tokens, as a problem.
#[must_use]
pub fn problem(error: &AccessError) -> Problem {
    let (status, code) = match error {
        AccessError::Unknown | AccessError::Expired | AccessError::Revoked => {
            (StatusCode::UNAUTHORIZED, "not-signed-in")
        }
        AccessError::SignInFailed => (StatusCode::UNAUTHORIZED, "sign-in-failed"),
        AccessError::SlowDown { .. } | AccessError::Busy => {
            (StatusCode::TOO_MANY_REQUESTS, "too-many-requests")
        }
        AccessError::Csrf => (StatusCode::FORBIDDEN, "request-forged"),
        AccessError::NotAllowed { .. } => (StatusCode::FORBIDDEN, "not-allowed"),
        AccessError::NoSuch { .. } => (StatusCode::NOT_FOUND, "not-found"),
        AccessError::Taken { .. } | AccessError::Elsewhere { .. } | AccessError::SessionOver { .. } => {
            (StatusCode::CONFLICT, "access-conflict")
        }
        AccessError::Name(_)
        | AccessError::Grant(_)
        | AccessError::Password(_)
        | AccessError::Unusable { .. }
        | AccessError::Limit { .. } => (StatusCode::BAD_REQUEST, "bad-argument"),
        AccessError::NotRecorded { .. }
        | AccessError::Store { .. }
        | AccessError::File { .. }
        | AccessError::Damaged { .. }
        | AccessError::NoRandomness
        | AccessError::Hashing { .. } => {
            tracing::error!(error = chain(&error), "people and tokens can't be used");
            return Problem::inner("people and tokens can't be used just now");
        }
    };
    let mut problem = Problem::new(status, code, error.to_string());
    problem.retry_after = match error {
        AccessError::SlowDown { seconds } => Some(*seconds),
        AccessError::Busy => Some(3),
        _ => None,
    };
    problem
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        problem(&error)
    }
}

/// The people.
#[utoipa::path(get, path = "/api/v1/people", tag = "people",
    responses((status = 200, body = Vec<PersonRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("admin"))))]
pub async fn list(
    State(app): State<Shared>,
    _may: May<Admin>,
) -> Result<axum::Json<Vec<PersonRow>>, Problem> {
    let people = blocking(&app, |app| Ok(app.access.people()?)).await?;
    Ok(axum::Json(people.iter().map(PersonRow::from).collect()))
}

/// Add somebody.
#[utoipa::path(post, path = "/api/v1/people", tag = "people", request_body = PersonRequest,
    responses((status = 201, body = PersonRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("admin"))))]
pub async fn add(
    State(app): State<Shared>,
    may: May<Admin>,
    Json(request): Json<PersonRequest>,
) -> Result<(StatusCode, axum::Json<PersonRow>), Problem> {
    let new = NewPerson {
        name: name(&request.name)?,
        grants: grants(&request.grants)?,
        must_change_password: true,
    };
    let by = Authority::Actor(may.actor);
    let info = blocking(&app, move |app| {
        Ok(app.access.add_person(&by, &new, &request.password)?)
    })
    .await?;
    Ok((StatusCode::CREATED, axum::Json(PersonRow::from(&info))))
}

/// Change somebody: let them in or not, set a password, grant and revoke.
#[utoipa::path(patch, path = "/api/v1/people/{name}", tag = "people", params(("name" = String, Path,)),
    request_body = PersonChange,
    responses((status = 200, body = PersonRow), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("admin"))))]
pub async fn change(
    State(app): State<Shared>,
    may: May<Admin>,
    Path(person): Path<String>,
    Json(request): Json<PersonChange>,
) -> Result<axum::Json<PersonRow>, Problem> {
    let (person, by) = (name(&person)?, Authority::Actor(may.actor));
    let (grant, revoke) = (grants(&request.grant)?, grants(&request.revoke)?);
    let info = blocking(&app, move |app| {
        let access = &app.access;
        for grant in grant.iter() {
            access.grant(&by, &person, grant)?;
        }
        for grant in revoke.iter() {
            access.revoke_grant(&by, &person, grant)?;
        }
        if let Some(password) = &request.password {
            access.set_password(&by, &person, password, true)?;
        }
        match request.disabled {
            Some(true) => access.disable_person(&by, &person)?,
            Some(false) => access.enable_person(&by, &person)?,
            None => {}
        }
        Ok(access.person(&person)?)
    });
    Ok(axum::Json(PersonRow::from(&info.await?)))
}

/// All tokens.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "people",
    responses((status = 200, body = Vec<TokenRow>), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("admin"))))]
pub async fn tokens(
    State(app): State<Shared>,
    _may: May<Admin>,
) -> Result<axum::Json<Vec<TokenRow>>, Problem> {
    let tokens = blocking(&app, |app| Ok(app.access.tokens()?)).await?;
    Ok(axum::Json(tokens.iter().map(TokenRow::from).collect()))
}

/// Revoke a token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "people", params(("id" = String, Path,)),
    responses((status = 204), (status = "4XX", body = Problem)),
    security(("token" = [])), extensions(("x-rescind-role" = json!("admin"))))]
pub async fn revoke(
    State(app): State<Shared>,
    may: May<Admin>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let by = Authority::Actor(may.actor);
    blocking(&app, move |app| Ok(app.access.revoke_token(&by, &id)?)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a token request comes to.
///
/// # Errors
/// A grant is none.
pub fn new_token(request: &TokenRequest) -> Result<NewToken, Problem> {
    let mut new = NewToken::new(&request.name, grants(&request.grants)?);
    if let Some(days) = request.days {
        new.lasts = Duration::from_secs(days.min(10_000) * 86_400);
    }
    Ok(new)
}
