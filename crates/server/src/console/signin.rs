//! Signing in and out: by password, and the first time by the token that was printed. By a provider: `elsewhere`.

use super::layout::{Page, Reader};
use super::me::{set_cookie, unset_cookie};
use super::{Looking, PageError};
use crate::api::people::name;
use crate::app::{App, Shared, blocking};
use crate::extract::{Form, Query};
use crate::problem::Problem;
use crate::sign::From;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::{AccessError, Actor, Authority, Grant, Grants, NewPerson, Role};
use serde::Deserialize;

/// Where to go afterwards.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    next: Option<String>,
    /// Somebody who signs in elsewhere has just signed out here.
    out: Option<String>,
}

/// A name with a password.
#[derive(Debug, Deserialize)]
pub struct SignInForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// The first person.
#[derive(Debug, Deserialize)]
pub struct FirstForm {
    token: String,
    name: String,
    password: String,
}

/// Only a path of this server.
pub(super) fn safe(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if own { next } else { "/" }
}

/// Who is here already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Here {
    Nobody,
    /// People, but none who manages everything: the first token still makes one.
    NoAdmin,
    Admin,
}

fn here(app: &App) -> Result<Here, Problem> {
    let people = app.access.people()?;
    let admin = |person: &rescind_access::PersonInfo| !person.disabled && person.grants.may(Role::Admin, "*");
    Ok(match people.iter().any(admin) {
        true => Here::Admin,
        false if people.is_empty() => Here::Nobody,
        false => Here::NoAdmin,
    })
}

/// The page.
pub async fn page(State(app): State<Shared>, Query(query): Query<Next>) -> Result<Markup, PageError> {
    let next = query.next.unwrap_or_default();
    let here = blocking(&app, here).await?;
    let out = query.out.and(app.oidc.as_ref()).map(|oidc| {
        let provider = oidc.shown();
        format!("You are signed out here. At {provider} you may still be signed in: where others use this browser, sign out there, too.")
    });
    Ok(match here {
        Here::Nobody => around("Welcome", &welcome(&app, safe(&next), None, "")),
        Here::NoAdmin | Here::Admin => {
            let body = html! {
                @if let Some(out) = &out { p.banner.narrow role="status" { (out) } }
                (form(&app, safe(&next), None, ""))
                @if here == Here::NoAdmin {
                    details.narrow {
                        summary { "Nobody manages this server yet" }
                        (first_form(None, ""))
                    }
                }
            };
            around("Sign in", &body)
        }
    })
}

/// The way to the provider, where there is one.
fn provider_link(app: &App, next: &str) -> Markup {
    html! {
        @if let Some(oidc) = &app.oidc {
            p { a.button.wide href={ "/signin/oidc?next=" (super::encoded(next)) } { "Sign in with " (oidc.shown()) } }
        }
    }
}

fn welcome(app: &App, next: &str, fault: Option<&str>, name: &str) -> Markup {
    html! {
        (first_form(fault, name))
        @if app.oidc.is_some() {
            section.panel.narrow { div.panel-body.stack {
                p { "Or come in by your groups at the provider:" }
                (provider_link(app, next))
            } }
        }
    }
}

pub(super) fn around(title: &str, body: &Markup) -> Markup {
    Page {
        title,
        place: "",
        live: false,
        reader: &Reader::default(),
    }
    .render(body)
}

fn form(app: &App, next: &str, fault: Option<&str>, name: &str) -> Markup {
    html! {
        section.panel.narrow {
            div.panel-head { h1 { "Sign in to rescind" } }
            div.panel-body.stack {
                @if let Some(fault) = fault { p.banner.bad role="alert" { (fault) } }
                form.stack method="post" action="/signin" {
                    input type="hidden" name="next" value=(next);
                    div.field {
                        label for="name" { "Name" }
                        input #name name="name" value=(name) required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false";
                    }
                    div.field {
                        label for="password" { "Password" }
                        input #password type="password" name="password" required autocomplete="current-password";
                    }
                    div.row { button.act { "Sign in" } }
                }
                (provider_link(app, next))
            }
        }
    }
}

fn first_form(fault: Option<&str>, name: &str) -> Markup {
    html! {
        section.panel.narrow {
            div.panel-head { h1 { "Nobody is here yet" } }
            div.panel-body.stack {
                p { "The token that " code { "rescind serve" } " printed at its first start makes you the first person, who may do everything." }
                @if let Some(fault) = fault { p.banner.bad role="alert" { (fault) } }
                form.stack method="post" action="/signin/first" {
                    div.field {
                        label for="token" { "The token " span.hint { "(it begins with rsc_api_)" } }
                        input #token type="password" name="token" required autocomplete="off";
                    }
                    div.field {
                        label for="name" { "Your name " span.hint { "(as the machine knows you, so that nobody approves what they asked for)" } }
                        input #name name="name" value=(name) required maxlength="64" autocomplete="username" autocapitalize="none" spellcheck="false";
                    }
                    div.field {
                        label for="password" { "A password " span.hint { "(12 characters or more)" } }
                        input #password type="password" name="password" required minlength="12" autocomplete="new-password";
                    }
                    div.row { button.act { "Begin" } }
                }
            }
        }
    }
}

/// Sign in by password.
pub async fn post(
    State(app): State<Shared>,
    From(address): From,
    headers: HeaderMap,
    Form(sent): Form<SignInForm>,
) -> Response {
    if let Err(problem) = own_site(&headers).and_then(|()| app.rates.sign_in(address)) {
        return PageError::from(problem).into_response();
    }
    let (next, name) = (sent.next.clone(), sent.name.clone());
    let tried = blocking(&app, move |app| {
        Ok(app
            .access
            .sign_in(&sent.name, &sent.password, &address.to_string())?)
    });
    match tried.await {
        Ok(signed_in) => {
            tracing::info!(person = %signed_in.person.name(), "signed in");
            set_cookie(&app, &signed_in.cookie, Redirect::to(safe(&next)).into_response())
        }
        Err(problem) => {
            let page = around("Sign in", &form(&app, safe(&next), Some(&problem.title), &name));
            super::failing(&problem, page)
        }
    }
}

/// Make the first person.
pub async fn first(
    State(app): State<Shared>,
    From(address): From,
    headers: HeaderMap,
    Form(sent): Form<FirstForm>,
) -> Response {
    if let Err(problem) = own_site(&headers).and_then(|()| app.rates.sign_in(address)) {
        return PageError::from(problem).into_response();
    }
    let called = sent.name.clone();
    let made = blocking(&app, move |app| {
        if here(app)? == Here::Admin {
            return Err(Problem::forbidden("somebody is here already: sign in"));
        }
        let bad = || Problem::from(AccessError::Unknown);
        let actor = app
            .access
            .authenticate(sent.token.trim())
            .map_err(|_| bad())?
            .actor();
        let actor = actor.ok_or_else(bad)?;
        if !actor.may(Role::Admin, "*") {
            return Err(bad());
        }
        let new = NewPerson {
            name: name(&sent.name)?,
            grants: Grants::new([Grant::everywhere(Role::Admin)]),
            must_change_password: false,
        };
        app.access
            .add_person(&Authority::Actor(actor), &new, &sent.password)?;
        Ok(app
            .access
            .sign_in(&sent.name, &sent.password, &address.to_string())?)
    });
    match made.await {
        Ok(signed_in) => set_cookie(&app, &signed_in.cookie, Redirect::to("/").into_response()),
        Err(problem) => {
            let page = around("Welcome", &welcome(&app, "/", Some(&problem.title), &called));
            super::failing(&problem, page)
        }
    }
}

/// A form that nobody is signed in for comes from here, or from no page at all.
fn own_site(headers: &HeaderMap) -> Result<(), Problem> {
    let site = headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    match site {
        None | Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(Problem::forbidden("the request comes from another site")),
    }
}

/// A form with nothing but what ties it to its sign-in.
#[derive(Debug, Deserialize)]
pub struct OnlyCsrf {
    csrf: String,
}

/// Sign out.
///
/// # Errors
/// It can't be recorded.
pub async fn out(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<OnlyCsrf>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    let elsewhere = matches!(&looking.actor, Actor::Person(person) if person.signs_in_elsewhere());
    if let Some(cookie) = looking.cookie {
        blocking(&app, move |app| Ok(app.access.sign_out(&cookie)?)).await?;
    }
    // The provider has a sign-in of its own, which the next click would use without asking.
    let page = if elsewhere { "/signin?out=1" } else { "/signin" };
    Ok(unset_cookie(&app, Redirect::to(page).into_response()))
}

#[cfg(test)]
mod tests {
    use super::safe;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        assert_eq!(safe("/holds/a.1?x=1"), "/holds/a.1?x=1");
        for wrong in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "x",
            "/a\r\nSet-Cookie: x",
        ] {
            assert_eq!(safe(wrong), "/", "{wrong}");
        }
    }
}
