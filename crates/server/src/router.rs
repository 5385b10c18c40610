//! Which path leads where, and the document that says so.

use crate::api::{actions, agent, events, health, holds, kills, me, people, sessions, undos};
use crate::app::Shared;
use crate::console;
use crate::headers;
use crate::problem::Problem;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{BoxError, Json, Router, middleware};
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The API's own description.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "rescind",
        description = "What agents do on this machine: seen as it happens, decided, stopped, taken back.\n\nEach operation says in `x-rescind-role` which role it needs somewhere; on which domain, the answer says. Errors are problem details (RFC 9457) with a stable `code`."
    ),
    modifiers(&Schemes)
)]
struct Description;

struct Schemes;

impl utoipa::Modify for Schemes {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_with(Default::default);
        for (name, text) in [
            ("token", "A person's token, or one of their own programs'."),
            ("agent", "A session's own token. Reaches nothing of people's."),
        ] {
            let scheme = HttpBuilder::new()
                .scheme(HttpAuthScheme::Bearer)
                .description(Some(text))
                .build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::one))
        .routes(routes!(sessions::timeline))
        .routes(routes!(sessions::diff))
        .routes(routes!(sessions::undos, undos::begin))
        .routes(routes!(undos::plan))
        .routes(routes!(undos::one))
        .routes(routes!(actions::list))
        .routes(routes!(actions::one))
        .routes(routes!(actions::proof))
        .routes(routes!(holds::list))
        .routes(routes!(holds::one))
        .routes(routes!(holds::post))
        .routes(routes!(kills::list))
        .routes(routes!(kills::post))
        .routes(routes!(kills::lift_post))
        .routes(routes!(people::list, people::add))
        .routes(routes!(people::change))
        .routes(routes!(people::tokens))
        .routes(routes!(people::revoke))
        .routes(routes!(me::me))
        .routes(routes!(me::tokens, me::make))
        .routes(routes!(me::revoke))
        .routes(routes!(agent::issue, agent::revoke))
        .routes(routes!(agent::me))
        .routes(routes!(agent::narrow))
        .routes(routes!(agent::hold))
        .routes(routes!(crate::observe::metrics))
}

/// What the event stream and pages take their time for; they have no deadline.
fn streams() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(events::stream))
}

/// The document, OpenAPI 3.1.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let (_, mut document) = api().split_for_parts();
    let (_, streams) = streams().split_for_parts();
    document.merge(streams);
    document
}

fn pages() -> Router<Shared> {
    use console::{action, hold, me, now, people, record, session, sessions, signin, stop, undo};
    Router::new()
        .route("/", get(now::page))
        .route("/parts/tiles", get(now::tiles_part))
        .route("/parts/holds", get(now::holds_part))
        .route("/parts/feed", get(now::feed_part))
        .route("/parts/sessions/{session}", get(session::live_part))
        .route("/holds", get(hold::list))
        .route("/holds/{action}", get(hold::one).post(hold::post))
        .route("/sessions", get(sessions::sessions))
        .route("/sessions/{session}", get(session::page))
        .route("/sessions/{session}/changes", get(session::changes))
        .route("/sessions/{session}/undo", get(undo::plan).post(undo::apply))
        .route("/undos/{job}", get(undo::job))
        .route("/actions", get(sessions::actions))
        .route("/actions/{action}", get(action::page))
        .route("/stop", get(stop::page).post(stop::post))
        .route("/stop/lift", post(stop::lift_post))
        .route("/people", get(people::page).post(people::add))
        .route("/people/change", post(people::change))
        .route("/people/tokens/revoke", post(people::revoke))
        .route("/me", get(me::page))
        .route("/me/password", post(me::password))
        .route("/me/tokens", post(me::make_token))
        .route("/me/tokens/revoke", post(me::revoke_token))
        .route("/me/sign-ins/end", post(me::end_sign_in))
        .route("/record", get(record::page))
        .route("/errors/{code}", get(record::error))
        .route("/signin", get(signin::page).post(signin::post))
        .route("/signin/first", post(signin::first))
        .route("/signin/oidc", get(signin::oidc))
        .route("/signin/back", get(signin::back))
        .route("/signout", post(signin::out))
        .route("/assets/{name}", get(console::assets::one))
}

/// Everything.
#[must_use]
pub fn router(app: &Shared) -> Router {
    let limits = &app.configuration.limits;
    let seconds = Duration::from_secs(limits.request_seconds);
    let (api, _) = api().split_for_parts();
    let (streams, _) = streams().split_for_parts();
    let document = document();
    let timed = api
        .merge(pages())
        .route("/api/v1/openapi.json", get(|| async move { Json(document) }))
        .layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(too_slow))
                .load_shed()
                .concurrency_limit(limits.requests_at_once)
                .timeout(seconds),
        );
    let endless = streams
        .route("/console/changes", get(crate::observe::changes))
        .route("/undos/{job}/progress", get(console::undo::progress));
    timed
        .merge(endless)
        .fallback(nowhere)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(limits.body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn_with_state(app.clone(), headers::put))
        .with_state(app.clone())
}

async fn nowhere(uri: Uri) -> Response {
    let problem = Problem::not_found("nothing is at this address");
    if is_for_programs(uri.path()) {
        problem.into_response()
    } else {
        console::PageError::from(problem).into_response()
    }
}

async fn wrong_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "bad-argument",
        "this address does not take this method",
    )
}

fn is_for_programs(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/agent/")
}

async fn too_slow(error: BoxError) -> Problem {
    if error.is::<tower::timeout::error::Elapsed>() {
        return Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "too-slow",
            "the request took longer than requests may",
        )
        .means("what it was to do may have been done: look before you ask again");
    }
    let mut problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "too-many-requests",
        "more requests are being served than may be at once",
    );
    problem.retry_after = Some(1);
    problem
}

fn panicked(panic: Box<dyn std::any::Any + Send>) -> Response {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("without a word");
    tracing::error!(panic = text, "a request broke the server's own rules");
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "server-fault",
        "the server made a mistake",
    )
    .means("what it was to do may have been done: look before you ask again")
    .into_response()
}
