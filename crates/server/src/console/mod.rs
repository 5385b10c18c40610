//! The console: pages made here, for three moments. *Now*: what runs and what waits. *2 AM*: one hold on a phone. *Afterwards*: a
//! session as a picture, what it changed, and the way back.
//!
//! Pages work without script; with it they are live. No page has a script or a style of its own, so that the policy in the
//! headers can forbid both.

pub mod action;
pub mod assets;
pub mod elsewhere;
pub mod hold;
pub mod layout;
pub mod me;
pub mod now;
pub mod parts;
pub mod people;
pub mod picture;
pub mod record;
pub mod session;
pub mod sessions;
pub mod signin;
pub mod stop;
pub mod undo;

use crate::api::kills::control_seen;
use crate::app::Shared;
use crate::problem::Problem;
use crate::sign::{Signed, domains, verify_csrf};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use layout::{Page, Reader};
use maud::{Markup, html};
use rescind_access::{Actor, Role};

/// Somebody who looks at a page.
pub struct Looking {
    /// Who.
    pub actor: Actor,
    /// The cookie they came with, if it was one.
    pub cookie: Option<String>,
    /// What the head of the page says of them.
    pub reader: Reader,
}

/// Why there is no page, as a page.
pub struct PageError {
    problem: Problem,
    /// Where somebody wanted to go who is not signed in.
    wanted: Option<String>,
}

impl From<Problem> for PageError {
    fn from(problem: Problem) -> Self {
        Self {
            problem,
            wanted: None,
        }
    }
}

impl From<rescind_index::Error> for PageError {
    fn from(error: rescind_index::Error) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        if self.problem.status() == StatusCode::UNAUTHORIZED
            && let Some(wanted) = &self.wanted
        {
            return Redirect::to(&format!("/signin?next={}", encoded(wanted))).into_response();
        }
        let problem = &self.problem;
        if problem.code == "must-change-password" {
            return Redirect::to("/me").into_response();
        }
        let body = html! {
            section.panel.narrow {
                div.panel-head { h1 { (problem.title) } }
                div.panel-body.stack {
                    @if !problem.detail.is_empty() { p { (problem.detail) } }
                    @for help in &problem.help { p.soft { (help) } }
                    p { a href="/" { "Back to now" } " · " a href=(problem.kind) { "What " code { (problem.code) } " means" } }
                }
            }
        };
        let page = Page {
            title: &problem.title,
            place: "",
            live: false,
            reader: &Reader::default(),
        };
        failing(problem, page.render(&body))
    }
}

/// A page that says a problem, with what programs read of it.
#[must_use]
pub fn failing(problem: &Problem, page: Markup) -> Response {
    let mut response = (problem.status(), page).into_response();
    if let Some(seconds) = problem.retry_after {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, axum::http::HeaderValue::from(seconds));
    }
    response
}

/// A text as a part of an address.
#[must_use]
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let mut out = String::new();
    for byte in text.bytes() {
        if plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

impl FromRequestParts<Shared> for Looking {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, PageError> {
        let wanted = parts.uri.path_and_query().map(ToString::to_string);
        let signed = Signed::from_request_parts(parts, app).await;
        let Signed { actor, cookie } = signed.map_err(|problem| PageError { problem, wanted })?;
        let reader = reader(app, &actor, cookie.as_deref());
        Ok(Self {
            actor,
            cookie,
            reader,
        })
    }
}

impl Looking {
    /// Whether the form was made for this sign-in.
    ///
    /// # Errors
    /// It was not.
    pub fn sent(&self, app: &Shared, csrf: &str) -> Result<(), Problem> {
        match &self.cookie {
            Some(cookie) => verify_csrf(app, cookie, csrf),
            // No browser sends a token by itself.
            None => Ok(()),
        }
    }

    /// The page around a body.
    #[must_use]
    pub fn page(&self, title: &str, place: &str, live: bool, body: &Markup) -> Markup {
        Page {
            title,
            place,
            live,
            reader: &self.reader,
        }
        .render(body)
    }
}

fn reader(app: &Shared, actor: &Actor, cookie: Option<&str>) -> Reader {
    let csrf = cookie.map(|cookie| app.access.csrf(cookie).expose().to_owned());
    let reviews = domains(actor, Role::Reviewer);
    let holds = app.open.count(&reviews);
    Reader {
        name: actor.label(),
        csrf: csrf.unwrap_or_default(),
        may_stop: actor.grants().anywhere(Role::Operator),
        may_manage: actor.grants().anywhere(Role::Admin),
        holds,
        stopped: control_seen(app, &domains(actor, Role::Viewer)).stops.len() as u64,
    }
}

/// A part of a page, for the script.
#[must_use]
pub fn part(markup: Markup) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], Html(markup.into_string())).into_response()
}
