//! The kill control: a step away from everywhere, and two from happening. The first chooses, the second says what it will do.

use super::layout::csrf;
use super::me::set_cookie;
use super::parts::{Level, chip, clean, count, moment, short};
use super::{Looking, PageError};
use crate::api::kills::{
    Control, KillAnswer, KillMode, KillRequest, LiftRequest, Scope, control_seen, kill, lift,
};
use crate::app::{Shared, blocking};
use crate::extract::{Form, Query};
use crate::problem::Problem;
use crate::sign::{From, domains};
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::{Actor, Role};
use rescind_supervisor::control::{GatewayStatus, How, KillScope, Mode, Order, Stop};
use serde::Deserialize;

/// What is chosen already.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct StopQuery {
    session: Option<String>,
    agent: Option<String>,
    domain: Option<String>,
}

/// What is to be stopped, and where in the two steps it is.
#[derive(Debug, Clone, Deserialize)]
pub struct StopForm {
    csrf: String,
    kind: String,
    #[serde(default)]
    session: String,
    #[serde(default)]
    agent: String,
    #[serde(default)]
    domain: String,
    mode: KillMode,
    #[serde(default)]
    why: String,
    #[serde(default)]
    sure: Option<String>,
}

/// What is to go on again.
#[derive(Debug, Clone, Deserialize)]
pub struct LiftForm {
    csrf: String,
    kind: String,
    #[serde(default)]
    name: String,
    why: String,
    #[serde(default)]
    password: String,
}

impl StopForm {
    fn scope(&self) -> Result<Scope, Problem> {
        scope(
            &self.kind,
            match self.kind.as_str() {
                "session" => &self.session,
                "agent" => &self.agent,
                _ => &self.domain,
            },
        )
    }
}

fn scope(kind: &str, name: &str) -> Result<Scope, Problem> {
    let name = name.trim().to_owned();
    Ok(match kind {
        "session" => Scope::Session(name),
        "agent" => Scope::Agent(name),
        "domain" => Scope::Domain(name),
        "everything" => Scope::Everything(true),
        _ => return Err(Problem::bad("choose what is to be stopped")),
    })
}

/// Choose.
///
/// # Errors
/// Nobody is signed in.
pub async fn page(
    State(app): State<Shared>,
    looking: Looking,
    Query(query): Query<StopQuery>,
) -> Result<Markup, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let control = blocking(&app, move |app| Ok(control_seen(app, &sees))).await?;
    let body = html! {
        h1 { "Stop" }
        @if control.stop_file {
            p.banner.bad { "The file STOP in the state directory stops everything. Remove it there to go on." }
        }
        @for stop in &control.stops { (in_force(&looking, stop)) }
        div.two {
            section.panel {
                div.panel-head { h2 { "What is to be stopped" } }
                div.panel-body { (choose(&looking, &query, &control)) }
            }
            section.panel {
                div.panel-head { h2 { "Who runs" } span.end.soft { (count(control.gateways.len() as u64, "gateway", "gateways")) } }
                (gateways(&control.gateways))
            }
        }
    };
    Ok(looking.page("Stop", "/stop", true, &body))
}

fn in_force(looking: &Looking, stop: &Stop) -> Markup {
    let (kind, name) = kind_of(&stop.scope);
    let fresh = looking.actor.is_fresh(rescind_supervisor::now());
    let person = matches!(looking.actor, Actor::Person(_));
    let elsewhere = matches!(&looking.actor, Actor::Person(person) if person.signs_in_elsewhere());
    let id = format!("lift-{}", stop.id);
    html! {
        section.panel {
            div.panel-body.stack {
                div.banner.bad {
                    strong { (clean(&stop.scope.to_string())) " is " (stop.mode.done()) }
                    span { "by " (clean(&stop.by)) @if !stop.why.is_empty() { ": " (clean(&stop.why)) } }
                    span.end { (moment(&stop.at)) }
                }
                @if looking.reader.may_stop && person && elsewhere && !fresh {
                    p { "Letting it go on takes a sign-in of the last five minutes." }
                    p { a.button href="/signin/oidc?fresh=1&next=/stop" { "Sign in again first" } }
                } @else if looking.reader.may_stop && person {
                    details {
                        summary { "Let it go on again" }
                        form.stack method="post" action="/stop/lift" {
                            (csrf(&looking.reader))
                            input type="hidden" name="kind" value=(kind);
                            input type="hidden" name="name" value=(name);
                            div.field {
                                label for={ (id) "-why" } { "Why is it safe now?" }
                                input #{ (id) "-why" } name="why" required maxlength="1000" autocomplete="off";
                            }
                            @if !fresh {
                                div.field {
                                    label for={ (id) "-password" } { "Your password " span.hint { "(it was given more than five minutes ago)" } }
                                    input #{ (id) "-password" } type="password" name="password" required autocomplete="current-password";
                                }
                            }
                            div.row { button.act { "Check health and go on" } }
                        }
                    }
                }
            }
        }
    }
}

fn kind_of(scope: &KillScope) -> (&'static str, &str) {
    let kind = match scope {
        KillScope::Session(_) => "session",
        KillScope::Agent(_) => "agent",
        KillScope::Domain(_) => "domain",
        KillScope::Everything => "everything",
    };
    (kind, scope.name())
}

fn choose(looking: &Looking, query: &StopQuery, control: &Control) -> Markup {
    let chosen = match (&query.session, &query.agent, &query.domain) {
        (Some(_), _, _) => "session",
        (_, Some(_), _) => "agent",
        (_, _, Some(_)) => "domain",
        _ => "",
    };
    let names = |of: fn(&GatewayStatus) -> &str| {
        let mut names: Vec<&str> = control
            .gateways
            .iter()
            .map(of)
            .filter(|name| !name.is_empty())
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let rows: [(&str, &str, &Option<String>, Vec<&str>); 3] = [
        (
            "session",
            "One session",
            &query.session,
            names(|own| &own.member.session),
        ),
        (
            "agent",
            "All sessions of an agent",
            &query.agent,
            names(|own| &own.member.agent),
        ),
        (
            "domain",
            "A domain and all below it",
            &query.domain,
            names(|own| &own.member.domain),
        ),
    ];
    html! {
        form.stack method="post" action="/stop" {
            (csrf(&looking.reader))
            fieldset.choices {
                legend { "What" }
                @for (kind, label, given, names) in &rows {
                    div.choice {
                        input #{ "k-" (kind) } type="radio" name="kind" value=(kind) required checked[*kind == chosen];
                        div.grow {
                            label for={ "k-" (kind) } { (label) }
                            input name=(kind) list={ "l-" (kind) } value=[given.as_deref()] aria-label={ (label) ": which" } autocomplete="off";
                            datalist #{ "l-" (kind) } { @for name in names { option value=(name) {} } }
                        }
                    }
                }
                div.choice {
                    input #k-everything type="radio" name="kind" value="everything" required;
                    label for="k-everything" { "Everything" }
                }
            }
            fieldset.choices {
                legend { "How" }
                div.choice {
                    input #m-kill type="radio" name="mode" value="kill" required checked;
                    label for="m-kill" { "Kill: it ends. What it did can be undone" }
                }
                div.choice {
                    input #m-pause type="radio" name="mode" value="pause" required;
                    label for="m-pause" { "Pause: it is held in place, and can go on" }
                }
            }
            div.field {
                label for="why" { "Why " span.hint { "(it is kept in the record)" } }
                input #why name="why" maxlength="1000" autocomplete="off";
            }
            div.row { button.danger { "Next: see what will stop" } a.button.quiet href="/" { "Leave it" } }
        }
    }
}

fn gateways(all: &[GatewayStatus]) -> Markup {
    html! {
        @if all.is_empty() { p.empty { "Nothing runs." } }
        @else {
            ul.steps.panel-body {
                @for gateway in all {
                    li {
                        a href={ "/sessions/" (gateway.member.session) } { (short(&gateway.member.session, 40)) }
                        span { (short(&gateway.member.agent, 40)) }
                        @if !gateway.member.domain.is_empty() { span.soft { (short(&gateway.member.domain, 60)) } }
                        (order(gateway.order))
                        span.soft.small { "lease " (gateway.lease_ms) " ms" }
                    }
                }
            }
        }
    }
}

fn order(order: Order) -> Markup {
    match order {
        Order::Run => chip("runs", Level::Good),
        Order::Paused => chip("paused", Level::Warn),
        Order::Killed => chip("killed", Level::Bad),
        Order::Held => chip("held: control is lost", Level::Warn),
    }
}

/// The first step shows what will stop; the second stops it.
///
/// # Errors
/// Who asks may not.
pub async fn post(
    State(app): State<Shared>,
    looking: Looking,
    Form(form): Form<StopForm>,
) -> Result<Markup, PageError> {
    looking.sent(&app, &form.csrf)?;
    let request = KillRequest {
        scope: form.scope()?,
        mode: form.mode,
        why: form.why.clone(),
    };
    let scope = request.scope.kill_scope()?;
    if form.sure.as_deref() != Some("yes") {
        return Ok(confirm(&app, &looking, &form, &scope));
    }
    let actor = looking.actor.clone();
    let answer = blocking(&app, move |app| kill(app, &actor, &request)).await?;
    Ok(looking.page("Stopped", "/stop", false, &answered(&answer)))
}

fn confirm(app: &Shared, looking: &Looking, form: &StopForm, scope: &KillScope) -> Markup {
    let concerned: Vec<GatewayStatus> = app
        .control
        .gateways()
        .into_iter()
        .filter(|gateway| scope.covers(&gateway.member))
        .collect();
    let number = count(concerned.len() as u64, "session", "sessions");
    let (verb, what) = match form.mode {
        KillMode::Kill => ("Kill", "ends at once, with every process it started"),
        KillMode::Pause => ("Pause", "is held in place, with every process it started"),
    };
    let body = html! {
        section.panel.narrow {
            div.panel-head { h1 { (verb) " " (clean(&scope.to_string())) "?" } }
            div.panel-body.stack {
                p { (number) " " (what) ". Nothing new in this scope starts until somebody lets it go on." }
                (gateways(&concerned))
                form.row method="post" action="/stop" {
                    (csrf(&looking.reader))
                    input type="hidden" name="kind" value=(form.kind);
                    input type="hidden" name="session" value=(form.session);
                    input type="hidden" name="agent" value=(form.agent);
                    input type="hidden" name="domain" value=(form.domain);
                    input type="hidden" name="mode" value=(if form.mode == KillMode::Kill { "kill" } else { "pause" });
                    input type="hidden" name="why" value=(form.why);
                    button.danger-solid name="sure" value="yes" { (verb) " " (number) " now" }
                    a.button.quiet href="/stop" { "Leave it" }
                }
            }
        }
    };
    looking.page(&format!("{verb}?"), "/stop", false, &body)
}

fn answered(answer: &KillAnswer) -> Markup {
    let report = &answer.report;
    let done = report.stop.mode.done();
    let how = |how: How| match how {
        How::Acknowledged => chip("acknowledged", Level::Good),
        How::LeaseEnded => chip("lease ended: its supervisor was ended", Level::Warn),
        How::Ended => chip("had ended", Level::Plain),
        How::NotStopped => chip("NOT STOPPED", Level::Bad),
    };
    html! {
        section.panel {
            div.panel-head { h1 { (clean(&report.stop.scope.to_string())) " is " (done) } }
            div.panel-body.stack {
                @if answer.whole {
                    p.banner.good { "Nothing in this scope goes on, since " (format!("{:.0}", report.milliseconds)) " ms after the call." }
                } @else {
                    p.banner.bad { "Something still goes on; look below, and end it on its machine." }
                }
                @if report.sessions.is_empty() { p { "Nothing ran in it. Nothing will start in it." } }
                ul.steps {
                    @for stopped in &report.sessions {
                        li {
                            a href={ "/sessions/" (stopped.member.session) } { (short(&stopped.member.session, 40)) }
                            span { (short(&stopped.member.agent, 40)) }
                            (how(stopped.how))
                            span.soft { "shut after " (format!("{:.0}", stopped.shut_ms)) " ms, gone after " (format!("{:.0}", stopped.milliseconds)) " ms" }
                            @for action in &stopped.in_flight {
                                a href={ "/actions/" (action.action) } { (action.action) " " (action.state.replace('_', " ")) }
                            }
                            @if report.stop.mode == Mode::Kill {
                                a href={ "/sessions/" (stopped.member.session) "/undo" } { "Undo it" }
                            }
                        }
                    }
                }
                @for credential in &answer.credentials {
                    p.small { "Credential: " code { (clean(&credential.to_string())) } }
                }
                p { a.button href="/stop" { "What is stopped" } " " a.button.quiet href="/" { "Back to now" } }
            }
        }
    }
}

/// Let go on.
///
/// # Errors
/// The password is wrong, a health check failed, or who asks may not.
pub async fn lift_post(
    State(app): State<Shared>,
    looking: Looking,
    From(address): From,
    Form(form): Form<LiftForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &form.csrf)?;
    let request = LiftRequest {
        scope: scope(&form.kind, &form.name)?,
        why: form.why.clone(),
    };
    let (actor, cookie) = (looking.actor, looking.cookie);
    let new = blocking(&app, move |app| {
        let fresh = match cookie.filter(|_| !form.password.is_empty()) {
            Some(cookie) => Some(
                app.access
                    .reauthenticate(&cookie, &form.password, &address.to_string())?,
            ),
            None => None,
        };
        let actor = fresh
            .as_ref()
            .map_or(actor, |fresh| Actor::Person(fresh.person.clone()));
        // The cookie was replaced with the password, whatever comes of the rest.
        Ok((fresh.map(|fresh| fresh.cookie), lift(app, &actor, &request)))
    });
    let (cookie, lifted) = new.await?;
    let response = match lifted {
        Ok(_) => Redirect::to("/stop").into_response(),
        Err(problem) => PageError::from(problem).into_response(),
    };
    Ok(match cookie {
        Some(cookie) => set_cookie(&app, &cookie, response),
        None => response,
    })
}
