//! Which path leads where, and the document that says so.

use crate::api::{actions, agent, events, health, holds, kills, me, people, sessions, undos};
use crate::app::Shared;
use crate::console;
use crate::describe;
use crate::headers;
use crate::pages::Pages;
use crate::problem::Problem;
use axum::error_handling::HandleErrorLayer;
use axum::extract::DefaultBodyLimit;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{BoxError, Json, Router, middleware};
use std::time::Duration;
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Where the document is.
const DOCUMENT: &str = "/api/v1/openapi.json";

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
        .routes(routes!(agent::renew))
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
    describe::answers(&mut document);
    let pages = [pages(), live_pages()];
    let mut listed: Vec<&str> = pages.iter().flat_map(Pages::listed).map(String::as_str).collect();
    let own = format!("GET {DOCUMENT}");
    listed.push(&own);
    describe::add_pages(&mut document, &listed);
    document
}

fn pages() -> Pages {
    use console::{action, elsewhere, hold, me, now, people, record, session, sessions, signin, stop, undo};
    Pages::default()
        .get("/", now::page)
        .get("/parts/tiles", now::tiles_part)
        .get("/parts/holds", now::holds_part)
        .get("/parts/feed", now::feed_part)
        .get("/parts/sessions/{session}", session::live_part)
        .get("/parts/holds/{action}", hold::live_part)
        .get("/holds", hold::list)
        .get("/holds/{action}", hold::one)
        .post("/holds/{action}", hold::post)
        .get("/sessions", sessions::sessions)
        .get("/sessions/{session}", session::page)
        .get("/sessions/{session}/changes", session::changes)
        .get("/sessions/{session}/undo", undo::plan)
        .post("/sessions/{session}/undo", undo::apply)
        .get("/undos/{job}", undo::job)
        .get("/actions", sessions::actions)
        .get("/actions/{action}", action::page)
        .get("/stop", stop::page)
        .post("/stop", stop::post)
        .post("/stop/lift", stop::lift_post)
        .get("/people", people::page)
        .post("/people", people::add)
        .post("/people/change", people::change)
        .post("/people/tokens/revoke", people::revoke)
        .get("/me", me::page)
        .post("/me/password", me::password)
        .post("/me/tokens", me::make_token)
        .post("/me/tokens/revoke", me::revoke_token)
        .post("/me/sign-ins/end", me::end_sign_in)
        .get("/record", record::page)
        .get("/errors/{code}", record::error)
        .get("/signin", signin::page)
        .post("/signin", signin::post)
        .post("/signin/first", signin::first)
        .get("/signin/oidc", elsewhere::begin)
        .get("/signin/back", elsewhere::back)
        .post("/signout", signin::out)
        .get("/assets/{name}", console::assets::one)
}

/// Pages that go on for as long as somebody looks.
fn live_pages() -> Pages {
    Pages::default()
        .get("/console/changes", crate::observe::changes)
        .get("/undos/{job}/progress", console::undo::progress)
}

/// Everything.
pub fn router(app: &Shared) -> Router {
    let limits = &app.configuration.limits;
    let seconds = Duration::from_secs(limits.request_seconds);
    let (api, _) = api().split_for_parts();
    let (streams, _) = streams().split_for_parts();
    let document = document();
    let timed = api
        .merge(pages().router())
        .route(DOCUMENT, get(|| async move { Json(document) }))
        .layer(
            ServiceBuilder::new()
                .layer(HandleErrorLayer::new(too_slow))
                .load_shed()
                .concurrency_limit(limits.requests_at_once)
                .timeout(seconds),
        );
    timed
        .merge(streams)
        .merge(live_pages().router())
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
