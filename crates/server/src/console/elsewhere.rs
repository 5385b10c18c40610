//! Signing in at a provider of identities: there, back, and what is said where it comes to nothing.

use super::me::set_cookie;
use super::parts::short;
use super::signin::{around, safe};
use super::{PageError, encoded, failing};
use crate::app::{App, Shared, blocking};
use crate::extract::Query;
use crate::problem::Problem;
use crate::sign::{From, cookie};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;
use rescind_access::{AccessError, Answer, Identity, OidcError, Secret, SignedIn};
use serde::Deserialize;
use std::net::IpAddr;

/// Ties the way back to the browser that went there.
const BROWSER: &str = "rescind-oidc";
/// Where to go afterwards.
const NEXT: &str = "rescind-next";
/// How long the way there and back may take, in seconds.
const LONGEST: u32 = 600;

/// How a sign-in begins.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Begin {
    next: Option<String>,
    /// The password has to be given again.
    fresh: Option<String>,
    /// It was sent here by ourselves.
    here: Option<String>,
}

/// Begin a sign-in at the provider.
pub async fn begin(
    State(app): State<Shared>,
    From(address): From,
    headers: HeaderMap,
    Query(query): Query<Begin>,
) -> Response {
    if let Err(problem) = app.rates.request(address.to_string()) {
        return PageError::from(problem).into_response();
    }
    let next = query.next.clone().unwrap_or_default();
    if let Some(place) = own_address(&app, &headers, &query) {
        return Redirect::to(&place).into_response();
    }
    let renewed = query.fresh.as_ref().and(cookie(&headers, app.cookie_name()));
    let renewed = renewed.map(|cookie| Secret::of(cookie.to_owned()));
    let fresh = query.fresh.is_some();
    let begun = blocking(&app, move |app| {
        let oidc = app.provider()?;
        let begun = match renewed {
            Some(cookie) => oidc.begin_again(cookie),
            None => oidc.begin(fresh),
        };
        begun.map_err(|error| unproved(&error, oidc.issuer()))
    });
    match begun.await {
        Ok(begun) => {
            let response = Redirect::to(&begun.url).into_response();
            let response = with_cookie(&app, BROWSER, begun.browser.expose(), LONGEST, response);
            with_cookie(&app, NEXT, &encoded(safe(&next)), LONGEST, response)
        }
        Err(problem) => refused(&app, &problem, safe(&next)),
    }
}

/// Who comes by another name of this machine (`localhost`) is sent to the one that the provider sends people back to: a cookie
/// that was given to the other name would not be there then. Once: a proxy may give us any name.
fn own_address(app: &App, headers: &HeaderMap, query: &Begin) -> Option<String> {
    let asked = headers.get(header::HOST)?.to_str().ok()?;
    let (_, own) = app.base_url.split_once("://")?;
    if asked == own || query.here.is_some() || app.oidc.is_none() {
        return None;
    }
    let next = encoded(safe(query.next.as_deref().unwrap_or_default()));
    let fresh = query.fresh.as_ref().map_or("", |_| "&fresh=1");
    Some(format!("{}/signin/oidc?here=1&next={next}{fresh}", app.base_url))
}

/// A cookie for the way there and back. It comes along when another site leads here, which the one of a sign-in never does.
fn with_cookie(app: &App, name: &str, value: &str, seconds: u32, mut response: Response) -> Response {
    let secure = if app.configuration.is_secure() {
        "; Secure"
    } else {
        ""
    };
    let text = format!("{name}={value}; Path=/signin; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    if let Ok(value) = HeaderValue::from_str(&text) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
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
    let next = cookie(&headers, NEXT).map(decoded).unwrap_or_default();
    let browser = cookie(&headers, BROWSER).unwrap_or_default().to_owned();
    let response = match finish(&app, address, browser, sent).await {
        // A redirect from another site would leave the strict cookie at home: a page of ours goes on.
        Ok(signed_in) => {
            tracing::info!(person = %signed_in.person.name(), "signed in at the provider");
            set_cookie(&app, &signed_in.cookie, onward(safe(&next)))
        }
        Err(problem) => refused(&app, &problem, safe(&next)),
    };
    let response = with_cookie(&app, BROWSER, "", 0, response);
    with_cookie(&app, NEXT, "", 0, response)
}

async fn finish(app: &Shared, address: IpAddr, browser: String, sent: Back) -> Result<SignedIn, Problem> {
    app.rates.sign_in(address)?;
    blocking(app, move |app| {
        let oidc = app.provider()?;
        let wrong = |error: OidcError| {
            tracing::warn!(
                error = rescind_model::chain(&error),
                "a sign-in at the provider failed"
            );
            unproved(&error, oidc.issuer())
        };
        if let Some(error) = sent.error {
            oidc.refused(&sent.state, sent.iss.as_deref(), &browser)
                .map_err(wrong)?;
            tracing::warn!(error = short(&error, 200), "the provider let nobody in");
            return Err(declined(&error, oidc.issuer()));
        }
        let answer = Answer {
            state: sent.state,
            code: sent.code,
            issuer: sent.iss,
            browser,
        };
        let identity = oidc.finish(&answer).map_err(wrong)?;
        let address = address.to_string();
        let signed_in = match identity.renews() {
            Some(cookie) => app
                .access
                .reauthenticate_elsewhere(cookie.expose(), &identity, &address),
            None => app.access.sign_in_elsewhere(&identity, &address),
        };
        signed_in.map_err(|error| not_let_in(&error, &identity))
    })
    .await
}

const NOBODY: &str = "nobody was signed in";
const AGAIN: &str = "begin the sign-in again, on this page";
const TELL: &str = "if it goes on, tell whoever runs rescind: the server's log has more";

/// Where the provider, or what it sent, proves nobody's identity.
fn unproved(error: &OidcError, issuer: &str) -> Problem {
    let failed =
        |title: String| Problem::new(StatusCode::UNAUTHORIZED, "sign-in-failed", title).means(NOBODY);
    match error {
        OidcError::Unreachable { .. } => unreachable(issuer),
        OidcError::Configuration { .. } | OidcError::NoRandomness => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "server-configuration",
            error.to_string(),
        )
        .means(NOBODY)
        .help("tell whoever runs rescind"),
        OidcError::State => failed("this sign-in was not begun here, or was answered already".to_owned())
            .help(AGAIN)
            .help("if a link from somebody else led you here, don't follow it again"),
        OidcError::TooLate => failed("this sign-in took longer than 10 minutes".to_owned()).help(AGAIN),
        OidcError::OtherBrowser => failed(
            "this sign-in was begun in another browser, or begun once more in this one since".to_owned(),
        )
        .help(AGAIN)
        .help("if a link from somebody else led you here, don't follow it again"),
        OidcError::IssuerMixedUp { .. } | OidcError::Refused { .. } | OidcError::Unproved { .. } => {
            failed(error.to_string()).help(AGAIN).help(TELL)
        }
    }
}

/// The provider does not answer.
#[must_use]
pub fn unreachable(issuer: &str) -> Problem {
    let title = format!("the provider {} can't be asked just now", shown(issuer));
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "provider-unreachable", title)
        .means(NOBODY)
        .help("try again in a moment")
        .help("people with a password here can sign in with it")
        .help("on the machine itself `rescind` works without any sign-in")
}

/// The provider asked somebody, and they, or it, said no (RFC 6749 4.1.2.1; OpenID Connect Core 3.1.2.6).
fn declined(error: &str, issuer: &str) -> Problem {
    let provider = shown(issuer);
    let declined = |title: String| Problem::new(StatusCode::FORBIDDEN, "sign-in-failed", title).means(NOBODY);
    match error {
        "access_denied" => declined(format!(
            "the provider {provider} was not allowed to say who you are"
        ))
        .help("to sign in, begin again, and let it")
        .help(format!(
            "if you did not refuse it yourself, ask whoever runs {provider} whether you may use rescind"
        )),
        "login_required" | "interaction_required" | "account_selection_required" | "consent_required" => {
            declined(format!("the provider {provider} was not told who you are")).help(AGAIN)
        }
        "temporarily_unavailable" | "server_error" => unreachable(issuer),
        other => {
            // What stands in an address is not shown but where it looks like one of the protocol's words.
            let plain = other
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
                && other.len() <= 40;
            let word = if plain { other } else { "an unknown error" };
            declined(format!("the provider {provider} refused: {word}"))
                .help(AGAIN)
                .help(TELL)
        }
    }
}

/// The provider says who it is, and that one is not let in.
fn not_let_in(error: &AccessError, identity: &Identity) -> Problem {
    let provider = shown(identity.issuer());
    let no = |title: String| Problem::new(StatusCode::FORBIDDEN, "not-allowed", title).means(NOBODY);
    match error {
        AccessError::NotAllowed { .. } => {
            let groups: Vec<String> = identity.groups().iter().map(|group| short(group, 60)).collect();
            let groups = match groups.len() {
                0 => "the provider names no group of yours".to_owned(),
                1..=20 => format!("your groups at {provider}: {}", groups.join(", ")),
                many => format!("the provider names {many} groups of yours"),
            };
            no(format!(
                "the provider {provider} says that you are {}, and nothing is granted to you here",
                short(&identity.shown(), 80)
            ))
            .help(groups)
            .help("ask whoever runs rescind to grant a role to one of your groups, then sign in again")
        }
        AccessError::SignInFailed if identity.renews().is_some() => no(format!(
            "you signed in at {provider} as {}, which is not who is signed in here",
            short(&identity.shown(), 80)
        ))
        .means("nothing was changed: whoever is signed in here still is"),
        AccessError::SignInFailed => no(format!("`{}` is disabled here", short(identity.name(), 64)))
            .help("ask whoever runs rescind to enable you again"),
        other => crate::api::people::problem(other).means(NOBODY).help(TELL),
    }
}

/// An issuer as people read it.
#[must_use]
pub fn shown(issuer: &str) -> &str {
    let bare = issuer
        .strip_prefix("https://")
        .or_else(|| issuer.strip_prefix("http://"));
    bare.unwrap_or(issuer).trim_end_matches('/')
}

/// What happened, and what to do.
fn refused(app: &App, problem: &Problem, next: &str) -> Response {
    let provider = app.oidc.as_ref();
    let body = html! {
        section.panel.narrow {
            div.panel-head { h1 { "You are not signed in" } }
            div.panel-body.stack {
                p.banner.bad role="alert" { (sentence(&problem.title)) }
                ul.plain { @for help in &problem.help { li { (sentence(help)) } } }
                div.row {
                    @if let Some(oidc) = provider {
                        a.button.act href={ "/signin/oidc?next=" (encoded(next)) } { "Sign in with " (oidc.shown()) }
                    }
                    a.button href={ "/signin?next=" (encoded(next)) } { "Sign in with a password" }
                }
                p.small.soft { a href=(problem.kind) { "What " code { (problem.code) } " means" } }
            }
        }
    };
    failing(problem, around("Not signed in", &body))
}

/// A line of ours as a sentence of a page.
fn sentence(line: &str) -> String {
    let mut letters = line.chars();
    let first = letters.next().map(char::to_uppercase);
    let mut text: String = first.into_iter().flatten().chain(letters).collect();
    if !text.ends_with(['.', ':']) {
        text.push('.');
    }
    text
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
    use super::{declined, decoded, sentence, shown};
    use crate::console::encoded;

    #[test]
    fn an_address_comes_back_as_it_went() {
        assert_eq!(decoded(&encoded("/actions?text=ü b&c")), "/actions?text=ü b&c");
    }

    #[test]
    fn what_stands_in_an_address_is_not_shown_as_the_provider_s_words() {
        let lie = declined("call +1 555 0100 to unlock", "https://id.example");
        assert_eq!(lie.title, "the provider id.example refused: an unknown error");
        let known = declined("invalid_scope", "https://id.example");
        assert_eq!(known.title, "the provider id.example refused: invalid_scope");
        assert!(
            declined("access_denied", "https://id.example")
                .title
                .contains("not allowed")
        );
    }

    #[test]
    fn lines_are_sentences_on_pages() {
        assert_eq!(sentence("try again"), "Try again.");
        assert_eq!(sentence("`bob` is disabled here"), "`bob` is disabled here.");
        assert_eq!(sentence(""), ".");
        assert_eq!(shown("https://id.example/tenant/"), "id.example/tenant");
    }
}
