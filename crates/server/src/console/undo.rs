//! An undo from the browser: the plan as a value, applied as it was shown, with live progress.

use super::layout::csrf;
use super::parts::{Level, chip, clean, count, diff, thousands};
use super::{Looking, PageError};
use crate::api::session_id;
use crate::api::sessions::seen;
use crate::api::undos::{JobRow, PlanQuery, UndoRequest, actions_of, job_of, start};
use crate::app::{Shared, blocking};
use crate::extract::{Form, Path, Query};
use crate::jobs::Stage;
use crate::problem::Problem;
use crate::sign::{May, Operator, domains};
use axum::extract::State;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::Role;
use serde::Deserialize;
use serde_json::Value;
use std::convert::Infallible;
use tokio_stream::wrappers::WatchStream;
use tokio_stream::{Stream, StreamExt as _};

/// So many steps are listed.
const STEPS: usize = 500;

/// The plan.
///
/// # Errors
/// The session is not there for whoever looks, or has nothing to be undone.
pub async fn plan(
    State(app): State<Shared>,
    looking: Looking,
    Path(session): Path<String>,
    Query(query): Query<PlanQuery>,
) -> Result<Markup, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let may = domains(&looking.actor, Role::Operator);
    let named: Vec<String> = query
        .actions
        .iter()
        .flat_map(|list| list.split(','))
        .map(str::to_owned)
        .collect();
    let asked = named.clone();
    let (row, plan) = blocking(&app, move |app| {
        let row = seen(app, &sees, &session)?;
        let actions = actions_of(&row.session, &asked)?;
        let plan = app.operations.plan(&session_id(&row.session)?, &actions)?;
        Ok((row, plan))
    })
    .await?;
    let empty = plan.get("empty").and_then(Value::as_bool).unwrap_or(false);
    let body = html! {
        div.top {
            div {
                h1 { "What an undo would do" }
                p.meta { span { "Session " a href={ "/sessions/" (row.session) } { (row.session) } } span { (clean(text(&plan, "scope"))) } }
            }
        }
        @if row.state == "running" { p.banner { "It is running, so what it has open can't be told yet. The undo stops it first; should the plan be another one then, it is shown again before anything is undone." } }
        (summary(&plan))
        @if may.covers(&row.domain) && !empty { (apply_form(&looking, &row.session, &named, &plan)) }
        (steps(&plan))
        (conflicts(&plan))
        (remarks(&plan, "lost", "Can't come back", Level::Bad))
        (remarks(&plan, "held", "Stays as it is", Level::Warn))
    };
    Ok(looking.page("Undo", "/sessions", false, &body))
}

fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value
        .get(name)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

fn summary(plan: &Value) -> Markup {
    let total = |name: &str| {
        plan.pointer(&format!("/totals/{name}"))
            .and_then(Value::as_u64)
            .unwrap_or(0)
    };
    let tile = |number: u64, text: &str, level: Level| {
        html! { div.tile data-level=[(number > 0).then_some(level.name())] { b { (thousands(number)) } span { (text) } } }
    };
    html! {
        div.tiles {
            (tile(list(plan, "steps").len() as u64, "to restore", Level::Plain))
            (tile(list(plan, "compensations").len() as u64, "to compensate", Level::Plain))
            (tile(total("settled"), "are as they were already", Level::Plain))
            (tile(list(plan, "conflicts").len() as u64, "in conflict", Level::Bad))
            (tile(list(plan, "lost").len() as u64, "can't come back", Level::Bad))
            (tile(list(plan, "dependents").len() as u64, "later actions built on it", Level::Warn))
        }
    }
}

fn apply_form(looking: &Looking, session: &str, actions: &[String], plan: &Value) -> Markup {
    let conflicts = !list(plan, "conflicts").is_empty();
    html! {
        section.panel {
            form.panel-body.stack method="post" action={ "/sessions/" (session) "/undo" } {
                (csrf(&looking.reader))
                input type="hidden" name="plan" value=(text(plan, "digest"));
                input type="hidden" name="actions" value=(actions.join(","));
                @if conflicts {
                    fieldset.choices {
                        legend { "Where others changed the same" }
                        div.choice { input #c-keep type="radio" name="on_conflict" value="keep" required; label for="c-keep" { "Leave it as it is now" } }
                        div.choice { input #c-restore type="radio" name="on_conflict" value="restore" required; label for="c-restore" { "Restore it; what is there now is kept in the vault" } }
                    }
                } @else {
                    input type="hidden" name="on_conflict" value="ask";
                }
                div.row {
                    button.act { "Undo it, as shown" }
                    a.button.quiet href={ "/sessions/" (session) } { "Leave it" }
                }
            }
        }
    }
}

fn steps(plan: &Value) -> Markup {
    let all = list(plan, "steps");
    let calls = list(plan, "compensations");
    html! {
        section.panel {
            div.panel-head { h2 { "Steps" } span.end.soft { (count(all.len() as u64, "path", "paths")) } }
            @if all.is_empty() && calls.is_empty() { p.empty { "There is nothing to take back." } }
            ul.steps.panel-body {
                @for step in all.iter().take(STEPS) {
                    li { strong { (text(step, "what")) } code { (clean(text(step, "path"))) } }
                }
                @if all.len() > STEPS { li.soft { (count((all.len() - STEPS) as u64, "more", "more")) } }
                @for call in calls {
                    li { strong { "compensate" } code { (clean(text(call, "command"))) } span.soft { (clean(text(call, "what"))) } }
                }
            }
        }
    }
}

fn conflicts(plan: &Value) -> Markup {
    let all = list(plan, "conflicts");
    html! {
        @if !all.is_empty() {
            section.panel {
                div.panel-head { h2 { "Both changed the same" } }
                div.panel-body.stack {
                    @for conflict in all {
                        div.stack {
                            p { code { (clean(text(conflict, "path"))) } }
                            @for field in list(conflict, "fields") {
                                @for hunk in list(field, "hunks") { (diff(&hunk_text(hunk))) }
                                @if list(field, "hunks").is_empty() {
                                    dl.facts {
                                        dt { "Field" } dd { (text(field, "field")) }
                                        dt { "Before" } dd { (clean(&shown(field.get("before")))) }
                                        dt { "It left" } dd { (clean(&shown(field.get("after")))) }
                                        dt { "Now" } dd { (clean(&shown(field.get("now")))) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Three versions of a few lines: what it left is taken out, what stands there now is put in.
fn hunk_text(hunk: &Value) -> String {
    let part = |name: &str, sign: &str| {
        let lines = match hunk.get(name) {
            Some(Value::Array(lines)) => lines
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join("\n"),
            Some(Value::String(lines)) => lines.clone(),
            _ => String::new(),
        };
        lines
            .lines()
            .map(|line| format!("{sign}{line}\n"))
            .collect::<String>()
    };
    format!(
        "@@ before\n{}@@ it left\n{}@@ now\n{}",
        part("before", " "),
        part("after", "-"),
        part("now", "+")
    )
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "absent".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn remarks(plan: &Value, name: &str, title: &str, level: Level) -> Markup {
    let all = list(plan, name);
    html! {
        @if !all.is_empty() {
            section.panel {
                div.panel-head { h2 { (title) } (chip(&all.len().to_string(), level)) }
                ul.steps.panel-body {
                    @for own in all.iter().take(STEPS) { li { code { (clean(text(own, "path"))) } span { (clean(text(own, "why"))) } } }
                }
            }
        }
    }
}

/// An undo that is to be begun.
#[derive(Debug, Deserialize)]
pub struct ApplyForm {
    csrf: String,
    plan: String,
    #[serde(default)]
    actions: String,
    on_conflict: String,
}

/// Begin it.
///
/// # Errors
/// Who asks may not.
pub async fn apply(
    State(app): State<Shared>,
    looking: Looking,
    may: May<Operator>,
    Path(session): Path<String>,
    Form(sent): Form<ApplyForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    let request = UndoRequest {
        plan: sent.plan,
        actions: sent
            .actions
            .split(',')
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
            .collect(),
        on_conflict: Some(sent.on_conflict),
    };
    let (number, _) = start(&app, &may, session, request).await?;
    Ok(Redirect::to(&format!("/undos/{number}")).into_response())
}

/// How far it is, and what it came to.
///
/// # Errors
/// There is none for whoever looks.
pub async fn job(
    State(app): State<Shared>,
    looking: Looking,
    Path(number): Path<u64>,
) -> Result<Markup, PageError> {
    let job = job_of(&app, &domains(&looking.actor, Role::Viewer), number)?;
    let row = JobRow::of(number, &job);
    let body = html! {
        h1 { "Undo of session " a href={ "/sessions/" (row.session) } { (row.session) } }
        section.panel.narrow { div.panel-body.stack {
            @match row.state.as_str() {
                "running" => {
                    div.stack data-progress={ "/undos/" (number) "/progress" } data-done={ "/undos/" (number) } {
                        label for="bar" { "It goes on" }
                        progress #bar max=(row.of.max(1)) value=(row.done) {}
                        p.soft.mono data-text aria-live="polite" { (row.done) " of " (row.of) }
                    }
                    p.soft.small { "It goes on where this page is closed or the server ends." }
                }
                "done" => (done(&row)),
                _ => (failed(&row)),
            }
        } }
    };
    Ok(looking.page("Undo", "/sessions", false, &body))
}

fn done(row: &JobRow) -> Markup {
    let result = row.result.clone().unwrap_or_default();
    let receipt = result.get("receipt").cloned().unwrap_or_default();
    let proved = receipt.get("proved").and_then(Value::as_bool).unwrap_or(false);
    let number = |name: &str| match receipt.get(name) {
        Some(Value::Array(all)) => all.len() as u64,
        Some(other) => other.as_u64().unwrap_or(0),
        None => 0,
    };
    let undo = text(&result, "undo").to_owned();
    html! {
        @if undo.is_empty() { p.banner { "There was nothing left to take back." } }
        @else if proved { p.banner.good { "It is undone, and proved: everything was read back as it was to be." } }
        @else { p.banner.bad { "Not all of it came back; the receipt says what." } }
        dl.facts {
            @for (name, words) in [("restored", "Restored"), ("already", "As it was already"), ("compensated", "Compensated"), ("kept", "Left as it is"), ("conflicts", "In conflict"), ("lost", "Can't come back"), ("failed", "Failed")] {
                dt { (words) } dd { (thousands(number(name))) }
            }
        }
        p { @if !undo.is_empty() { a.button href={ "/sessions/" (undo) } { "The undo, step by step" } " " } a.button href={ "/sessions/" (row.session) } { "The session" } }
    }
}

fn failed(row: &JobRow) -> Markup {
    html! {
        @if let Some(problem) = &row.problem {
            p.banner.bad role="alert" { (clean(&problem.title)) }
            p { (clean(&problem.detail)) }
            @for help in &problem.help { p.soft { (clean(help)) } }
        }
        p { a.button.act href={ "/sessions/" (row.session) "/undo" } { "Look at the plan again" } }
    }
}

/// How far it is, as it goes.
///
/// # Errors
/// There is none for whoever asks.
pub async fn progress(
    State(app): State<Shared>,
    looking: Looking,
    Path(number): Path<u64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let permit = app.rates.stream()?;
    let job = job_of(&app, &domains(&looking.actor, Role::Viewer), number)?;
    let stream = WatchStream::new(job.stage).map(move |stage| {
        let _place = &permit;
        Ok(match stage {
            Stage::Running(progress) => {
                let text = serde_json::to_string(&progress).unwrap_or_default();
                Event::default().event("progress").data(text)
            }
            Stage::Over(_) => Event::default().event("done").data("over"),
        })
    });
    Ok(Sse::new(stream))
}
