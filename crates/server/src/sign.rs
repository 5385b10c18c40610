//! Who asks: people by cookie, people's programs by token, agents by theirs. What a handler needs stands in its arguments.

use crate::app::Shared;
use crate::problem::Problem;
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use rescind_access::{AccessError, Actor, AgentPrincipal, Domains, PersonPrincipal, Principal, Role};
use rescind_index::DomainSet;
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The header that carries what ties a request to its sign-in, where it comes by cookie and changes something.
pub const CSRF: &str = "x-csrf";

/// A role that a handler needs somewhere; where exactly, it asks for itself.
pub trait Need: Send + Sync + 'static {
    /// Which.
    const ROLE: Role;
}

/// Sees.
#[derive(Debug)]
pub struct Viewer;
/// Decides holds.
#[derive(Debug)]
pub struct Reviewer;
/// Stops, resumes, undoes.
#[derive(Debug)]
pub struct Operator;
/// Manages.
#[derive(Debug)]
pub struct Admin;

impl Need for Viewer {
    const ROLE: Role = Role::Viewer;
}
impl Need for Reviewer {
    const ROLE: Role = Role::Reviewer;
}
impl Need for Operator {
    const ROLE: Role = Role::Operator;
}
impl Need for Admin {
    const ROLE: Role = Role::Admin;
}

/// Somebody with this role somewhere.
pub struct May<R: Need> {
    /// Who.
    pub actor: Actor,
    role: PhantomData<R>,
}

/// Somebody who is signed in, with whatever role, or none.
pub struct Signed {
    /// Who.
    pub actor: Actor,
    /// The cookie they came with, if it was one.
    pub cookie: Option<String>,
}

/// An agent of a session. No endpoint of people's takes one.
pub struct Agent(pub AgentPrincipal);

/// Where a request comes from. Of IPv6 the network, which is one household's or one machine's: nobody gets around a limit by
/// taking another address of it.
#[derive(Debug, Clone, Copy)]
pub struct From(pub IpAddr);

impl<R: Need> May<R> {
    /// Whether the role is held on a domain; `*` is all of them, and so is what belongs to no domain.
    #[must_use]
    pub fn on(&self, domain: &str) -> bool {
        self.actor
            .may(R::ROLE, if domain.is_empty() { "*" } else { domain })
    }

    /// The same, as a problem.
    ///
    /// # Errors
    /// The role is not held there.
    pub fn must(&self, domain: &str) -> Result<(), Problem> {
        if self.on(domain) {
            return Ok(());
        }
        let place = if domain.is_empty() || domain == "*" {
            "everything".to_owned()
        } else {
            format!("`{domain}`")
        };
        Err(Problem::forbidden(format!(
            "{} has not the role {} for {place}",
            self.actor.label(),
            R::ROLE
        )))
    }

    /// Which domains the role is held on.
    #[must_use]
    pub fn domains(&self) -> DomainSet {
        domains(&self.actor, R::ROLE)
    }
}

/// Where somebody holds a role.
#[must_use]
pub fn domains(actor: &Actor, role: Role) -> DomainSet {
    match actor.grants().domains(role) {
        Domains::Everything => DomainSet::Everything,
        Domains::Below(below) => DomainSet::Under(below.into_iter().collect()),
    }
}

impl<R: Need> FromRequestParts<Shared> for May<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let Signed { actor, .. } = Signed::from_request_parts(parts, app).await?;
        if !actor.grants().anywhere(R::ROLE) {
            return Err(Problem::forbidden(format!(
                "{} has not the role {}",
                actor.label(),
                R::ROLE
            )));
        }
        Ok(Self {
            actor,
            role: PhantomData,
        })
    }
}

impl FromRequestParts<Shared> for Signed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let (actor, cookie) = signed(parts, app).map_err(|problem| counted(parts, app, problem))?;
        app.rates.request(actor.label())?;
        if matches!(&actor, Actor::Person(person) if person.must_change_password())
            && !parts.uri.path().starts_with("/me")
        {
            return Err(Problem::new(
                StatusCode::FORBIDDEN,
                "must-change-password",
                "the password came from somebody else, and must be changed first",
            )
            .help("open /me"));
        }
        Ok(Self { actor, cookie })
    }
}

impl FromRequestParts<Shared> for Agent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Problem> {
        let agent = agent(parts, app).map_err(|problem| counted(parts, app, problem))?;
        app.rates.request(format!("agent {}", agent.id()))?;
        Ok(Self(agent))
    }
}

fn signed(parts: &Parts, app: &Shared) -> Result<(Actor, Option<String>), Problem> {
    let Some(token) = bearer(&parts.headers)? else {
        let (person, cookie) = person_of(parts, app)?;
        return Ok((Actor::Person(person), Some(cookie)));
    };
    let actor = authenticate(app, token)?.actor();
    let of_agent = || Problem::forbidden("an agent's token reaches nothing of people's");
    Ok((actor.ok_or_else(of_agent)?, None))
}

fn agent(parts: &Parts, app: &Shared) -> Result<AgentPrincipal, Problem> {
    let token = bearer(&parts.headers)?.ok_or_else(Problem::unauthenticated)?;
    match authenticate(app, token)? {
        Principal::Agent(agent) => Ok(agent),
        Principal::Person(_) | Principal::Token(_) => Err(Problem::forbidden("this is for agents' tokens")),
    }
}

/// Who is not let in counts by address, so that nobody tries keys without end.
fn counted(parts: &Parts, app: &Shared, refused: Problem) -> Problem {
    app.rates
        .request(address(parts).to_string())
        .err()
        .unwrap_or(refused)
}

impl FromRequestParts<Shared> for From {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &Shared) -> Result<Self, Problem> {
        Ok(Self(address(parts)))
    }
}

fn address(parts: &Parts) -> IpAddr {
    let connected = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    connected.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| {
        network(address.ip())
    })
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(long) if !long.is_loopback() => {
            let [a, b, c, d, ..] = long.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

fn authenticate(app: &Shared, token: &str) -> Result<Principal, Problem> {
    app.access.authenticate(token).map_err(|error| refused(&error))
}

/// Why somebody is not let in, as far as they may know.
pub fn refused(error: &AccessError) -> Problem {
    match error {
        AccessError::Unknown | AccessError::Expired | AccessError::Revoked => Problem::unauthenticated(),
        other => crate::api::people::problem(other),
    }
}

/// The token of a request, if it has one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(None);
    };
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(Problem::unauthenticated()),
    }
}

/// The person behind the cookie. What changes something must come from a page of ours, and say so.
fn person_of(parts: &Parts, app: &Shared) -> Result<(PersonPrincipal, String), Problem> {
    let cookie = cookie(&parts.headers, app.cookie_name()).ok_or_else(Problem::unauthenticated)?;
    let person = app
        .access
        .principal_of_cookie(cookie)
        .map_err(|error| refused(&error))?;
    let safe = matches!(parts.method, Method::GET | Method::HEAD);
    came_from_us(parts, safe)?;
    // A form carries its token in its body; whoever reads the form compares it.
    let page = !parts.uri.path().starts_with("/api/");
    let carries_its_own = page && is_form(&parts.headers);
    if !safe && !carries_its_own {
        let sent = parts.headers.get(CSRF).and_then(|value| value.to_str().ok());
        verify_csrf(app, cookie, sent.unwrap_or_default())?;
    }
    Ok((person, cookie.to_owned()))
}

/// Whether what a form or a script sent is what was given to this sign-in's pages.
///
/// # Errors
/// It is not.
pub fn verify_csrf(app: &Shared, cookie: &str, sent: &str) -> Result<(), Problem> {
    app.access
        .verify_csrf(cookie, sent)
        .map_err(|error| Problem::new(StatusCode::FORBIDDEN, "request-forged", error.to_string()))
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"))
}

/// Browsers say where a request comes from; what comes from elsewhere and would change something is refused.
fn came_from_us(parts: &Parts, safe: bool) -> Result<(), Problem> {
    let site = parts
        .headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok());
    if safe || matches!(site, None | Some("same-origin" | "none")) {
        return Ok(());
    }
    Err(Problem::forbidden("the request comes from another site"))
}

/// A cookie of a request.
#[must_use]
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE);
    let mut texts = all.iter().filter_map(|value| value.to_str().ok());
    texts.find_map(|text| {
        text.split(';').find_map(|pair| {
            let (own, value) = pair.trim().split_once('=')?;
            (own == name).then_some(value)
        })
    })
}
