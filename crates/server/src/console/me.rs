//! Whoever is signed in: password, tokens, sign-ins; and the cookie itself.

use super::layout::csrf;
use super::parts::{clean, moment};
use super::{Looking, PageError};
use crate::api::people::TokenRequest;
use crate::app::{App, Shared, blocking};
use crate::extract::Form;
use crate::problem::Problem;
use crate::sign::From;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::{Actor, Authority, Secret, SignInInfo, TokenInfo};
use serde::Deserialize;

/// How long the cookie is kept, in seconds; the sign-in itself ends by its own times.
const KEPT: u64 = 7 * 86_400;

/// Give the cookie to the browser.
#[must_use]
pub fn set_cookie(app: &App, cookie: &Secret, mut response: Response) -> Response {
    let text = cookie_text(app, cookie.expose(), KEPT);
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

/// Take it back.
#[must_use]
pub fn unset_cookie(app: &App, mut response: Response) -> Response {
    if let Ok(value) = HeaderValue::from_str(&cookie_text(app, "", 0)) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}

fn cookie_text(app: &App, value: &str, seconds: u64) -> String {
    let secure = if app.configuration.is_secure() {
        "; Secure"
    } else {
        ""
    };
    format!(
        "{}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}",
        app.cookie_name()
    )
}

/// The page.
///
/// # Errors
/// Nobody is signed in.
pub async fn page(State(app): State<Shared>, looking: Looking) -> Result<Markup, PageError> {
    show(&app, &looking, None).await
}

async fn show(app: &Shared, looking: &Looking, made: Option<&str>) -> Result<Markup, PageError> {
    let person = looking.actor.person().cloned();
    let (tokens, sign_ins) = blocking(app, move |app| {
        let all = app.access.tokens()?;
        let own = all
            .into_iter()
            .filter(|token| person.is_some() && token.owner == person);
        let sign_ins = match &person {
            Some(person) => app.access.sign_ins(Some(person))?,
            None => Vec::new(),
        };
        Ok((own.collect::<Vec<_>>(), sign_ins))
    })
    .await?;
    let elsewhere = matches!(&looking.actor, Actor::Person(person) if person.signs_in_elsewhere());
    let local = matches!(&looking.actor, Actor::Person(person) if !person.signs_in_elsewhere());
    let must = matches!(&looking.actor, Actor::Person(person) if person.must_change_password());
    let body = html! {
        h1 { (looking.actor.label()) }
        @if must { p.banner { "Your password came from somebody else: take one of your own first." } }
        @if let Some(token) = made {
            section.panel { div.panel-body.stack {
                h2 { "Your new token. It is shown this once" }
                p.secret { (token) }
            } }
        }
        div.two {
            div.stack {
                (token_panel(looking, &tokens))
                (sign_in_panel(looking, &sign_ins))
            }
            div.stack {
                section.panel {
                    div.panel-head { h2 { "What you may" } }
                    div.panel-body.stack {
                        (granted(looking))
                        @if let Some(oidc) = app.oidc.as_ref().filter(|_| elsewhere) {
                            p.small.soft { "By your groups at " (oidc.shown()) ", asked at each sign-in." }
                        }
                    }
                }
                @if local { (password_panel(looking)) }
            }
        }
    };
    Ok(looking.page("You", "/me", false, &body))
}

fn granted(looking: &Looking) -> Markup {
    html! {
        @if looking.actor.grants().is_empty() { p.soft { "Nothing yet." } }
        ul.plain { @for grant in looking.actor.grants().iter() {
            li { (grant.role().name()) " of " @if grant.domain() == "*" { "everything" } @else { (grant.domain()) } }
        } }
    }
}

fn token_panel(looking: &Looking, tokens: &[TokenInfo]) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Your tokens" } }
            @if tokens.is_empty() { p.empty { "You have no token." } }
            @else {
                ul.steps.panel-body {
                    @for token in tokens { li {
                        strong { (clean(&token.name)) }
                        span.soft { "until " (moment(&token.expires.to_string())) }
                        form method="post" action="/me/tokens/revoke" {
                            (csrf(&looking.reader))
                            input type="hidden" name="id" value=(token.id);
                            button.tiny.danger { "Revoke" span.hidden { " " (clean(&token.name)) } }
                        }
                    } }
                }
            }
            form.panel-body.filters method="post" action="/me/tokens" {
                (csrf(&looking.reader))
                div.field { label for="t-name" { "Name" } input #t-name name="name" required maxlength="64" autocomplete="off"; }
                div.field { label for="t-grant" { "May" } input #t-grant name="grant" value="viewer:*" required autocomplete="off"; }
                div.field { label for="t-days" { "Days" } input #t-days name="days" type="number" min="1" max="366" value="90" required; }
                button { "Make a token" }
            }
        }
    }
}

fn sign_in_panel(looking: &Looking, sign_ins: &[SignInInfo]) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Where you are signed in" } }
            ul.steps.panel-body {
                @for own in sign_ins { li {
                    span { "from " (own.address) }
                    span.soft { "since " (moment(&own.begun.to_string())) ", used " (moment(&own.used.to_string())) }
                    form method="post" action="/me/sign-ins/end" {
                        (csrf(&looking.reader))
                        input type="hidden" name="id" value=(own.id);
                        button.tiny { "End" span.hidden { " the one from " (own.address) } }
                    }
                } }
            }
        }
    }
}

fn password_panel(looking: &Looking) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Change your password" } }
            form.panel-body.stack method="post" action="/me/password" {
                (csrf(&looking.reader))
                div.field { label for="p-old" { "The old one" } input #p-old type="password" name="old" required autocomplete="current-password"; }
                div.field { label for="p-new" { "The new one " span.hint { "(12 characters or more)" } } input #p-new type="password" name="new" required minlength="12" autocomplete="new-password"; }
                div.row { button { "Change it" } }
            }
        }
    }
}

/// A new password.
#[derive(Debug, Deserialize)]
pub struct PasswordForm {
    csrf: String,
    old: String,
    new: String,
}

/// Change the password. All sign-ins end.
///
/// # Errors
/// The old one is wrong, the new one is not taken.
pub async fn password(
    State(app): State<Shared>,
    looking: Looking,
    From(address): From,
    Form(sent): Form<PasswordForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    let Actor::Person(person) = looking.actor else {
        return Err(Problem::forbidden("a token has no password").into());
    };
    let name = person.name().to_string();
    let signed_in = blocking(&app, move |app| {
        let address = address.to_string();
        app.access
            .change_password(&person, &sent.old, &sent.new, &address)?;
        Ok(app.access.sign_in(&name, &sent.new, &address)?)
    });
    Ok(set_cookie(
        &app,
        &signed_in.await?.cookie,
        Redirect::to("/me").into_response(),
    ))
}

/// A token that is to be made.
#[derive(Debug, Deserialize)]
pub struct TokenForm {
    csrf: String,
    name: String,
    grant: String,
    days: u64,
}

/// Make a token.
///
/// # Errors
/// It would grant more than its maker has.
pub async fn make_token(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<TokenForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    let grants = sent.grant.split([',', ' ']).filter(|text| !text.is_empty());
    let new = crate::api::people::new_token(&TokenRequest {
        name: sent.name,
        grants: grants.map(str::to_owned).collect(),
        days: Some(sent.days),
    })?;
    let by = Authority::Actor(looking.actor.clone());
    let made = blocking(&app, move |app| Ok(app.access.make_token(&by, &new)?)).await?;
    let page = show(&app, &looking, Some(made.secret.expose())).await?;
    Ok((StatusCode::CREATED, page).into_response())
}

/// What is to be ended.
#[derive(Debug, Deserialize)]
pub struct EndForm {
    csrf: String,
    id: String,
}

/// Revoke a token of one's own.
///
/// # Errors
/// It is somebody else's.
pub async fn revoke_token(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<EndForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    let by = Authority::Actor(looking.actor);
    blocking(&app, move |app| Ok(app.access.revoke_token(&by, &sent.id)?)).await?;
    Ok(Redirect::to("/me").into_response())
}

/// End a sign-in.
///
/// # Errors
/// It is somebody else's.
pub async fn end_sign_in(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<EndForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    let by = Authority::Actor(looking.actor);
    blocking(&app, move |app| Ok(app.access.end_sign_in(&by, &sent.id)?)).await?;
    Ok(Redirect::to("/me").into_response())
}
