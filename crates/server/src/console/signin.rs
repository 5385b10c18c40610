//! Signing in and out: by password, by a provider, and the first time by the token that was printed.

use super::layout::{Page, Reader};
use super::me::{set_cookie, unset_cookie};
use super::{Looking, PageError};
use crate::api::people::name;
use crate::app::{Shared, blocking};
use crate::extract::{Form, Query};
use crate::problem::Problem;
use crate::sign::{From, cookie};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::{AccessError, Answer, Authority, Grant, Grants, NewPerson, Role};
use rescind_model::chain;
use serde::Deserialize;

/// Where to go afterwards.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Next {
    next: Option<String>,
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
fn safe(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if own { next } else { "/" }
}

/// The page.
pub async fn page(State(app): State<Shared>, Query(query): Query<Next>) -> Result<Markup, PageError> {
    let next = query.next.unwrap_or_default();
    let first = blocking(&app, |app| Ok(app.access.people()?.is_empty())).await?;
    Ok(if first {
        around("Welcome", &first_form(None, ""))
    } else {
        around("Sign in", &form(&app, safe(&next), None, ""))
    })
}

fn around(title: &str, body: &Markup) -> Markup {
    Page {
        title,
        place: "",
        live: false,
        reader: &Reader::default(),
    }
    .render(body)
}

fn form(app: &Shared, next: &str, fault: Option<&str>, name: &str) -> Markup {
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
                @if let Some(oidc) = &app.oidc {
                    p { a.button href={ "/signin/oidc?next=" (super::encoded(next)) } { "Sign in with " (oidc.issuer()) } }
                }
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
        if !app.access.people()?.is_empty() {
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
            let page = around("Welcome", &first_form(Some(&problem.title), &called));
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
    if let Some(cookie) = looking.cookie {
        blocking(&app, move |app| Ok(app.access.sign_out(&cookie)?)).await?;
    }
    Ok(unset_cookie(&app, Redirect::to("/signin").into_response()))
}

const BROWSER: &str = "rescind-oidc";

/// Begin a sign-in at the provider.
///
/// # Errors
/// There is none, or it can't be asked.
pub async fn oidc(State(app): State<Shared>, Query(query): Query<Next>) -> Result<Response, PageError> {
    let begun = blocking(&app, |app| {
        app.provider()?
            .begin(false)
            .map_err(|error| Problem::inner(error.to_string()))
    });
    let begun = begun.await?;
    let next = query.next.unwrap_or_default();
    let mut response = Redirect::to(&begun.url).into_response();
    let secure = if app.configuration.is_secure() {
        "; Secure"
    } else {
        ""
    };
    for (name, value) in [
        (BROWSER, begun.browser.expose()),
        ("rescind-next", &super::encoded(safe(&next))),
    ] {
        let text = format!("{name}={value}; Path=/signin; Max-Age=600; HttpOnly; SameSite=Lax{secure}");
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    Ok(response)
}

/// What the provider sends the browser back with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Back {
    state: String,
    code: String,
    iss: Option<String>,
    error: Option<String>,
}

/// Come back from the provider.
pub async fn back(
    State(app): State<Shared>,
    From(address): From,
    headers: HeaderMap,
    Query(sent): Query<Back>,
) -> Response {
    if let Err(problem) = app.rates.sign_in(address) {
        return PageError::from(problem).into_response();
    }
    if let Some(error) = sent.error {
        let text = format!("the provider let nobody in: {}", super::parts::short(&error, 200));
        let page = around("Sign in", &form(&app, "/", Some(&text), ""));
        return (StatusCode::UNAUTHORIZED, page).into_response();
    }
    let answer = Answer {
        state: sent.state,
        code: sent.code,
        issuer: sent.iss,
        browser: cookie(&headers, BROWSER).unwrap_or_default().to_owned(),
    };
    let next = cookie(&headers, "rescind-next").map(decoded).unwrap_or_default();
    let signed_in = blocking(&app, move |app| {
        let identity = app.provider()?.finish(&answer).map_err(|error| {
            tracing::warn!(error = chain(&error), "a sign-in at the provider failed");
            Problem::new(StatusCode::UNAUTHORIZED, "sign-in-failed", error.to_string())
        })?;
        Ok(app.access.sign_in_elsewhere(&identity, &address.to_string())?)
    });
    match signed_in.await {
        // A redirect from another site would leave the strict cookie at home: a page of ours goes on.
        Ok(signed_in) => set_cookie(&app, &signed_in.cookie, onward(safe(&next))),
        Err(problem) => {
            let page = around("Sign in", &form(&app, "/", Some(&problem.title), ""));
            super::failing(&problem, page)
        }
    }
}

fn onward(next: &str) -> Response {
    let body = html! {
        section.panel.narrow {
            div.panel-body.stack {
                h1 { "You are signed in" }
                p { a.button.act href=(next) { "Go on" } }
            }
        }
    };
    let mut response = around("Signed in", &body).into_response();
    if let Ok(value) = HeaderValue::from_str(&format!("0; url={next}")) {
        response.headers_mut().insert("refresh", value);
    }
    response
}

/// A part of an address as text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%'
            && let (Some(high), Some(low)) = (rest.next(), rest.next())
            && let Ok(value) = u8::from_str_radix(&format!("{}{}", char::from(high), char::from(low)), 16)
        {
            bytes.push(value);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{decoded, safe};
    use crate::console::encoded;

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
        assert_eq!(decoded(&encoded("/actions?text=ü b&c")), "/actions?text=ü b&c");
    }
}
