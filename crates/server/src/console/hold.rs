//! *2 AM*: one hold on a phone. What would run, why it waits, what it touches, what undo would look like, three buttons.

use super::layout::csrf;
use super::parts::{Level, bytes, chip, class, clean, count, moment, score, short, until};
use super::{Looking, PageError};
use crate::api::holds::{Decide, Wanted, decide, visible};
use crate::app::{App, Shared, blocking};
use crate::extract::{Form, Path, Query};
use crate::problem::Problem;
use crate::sign::domains;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::Role;
use rescind_model::command_line;
use rescind_supervisor::holds::{
    ClosedForm, Decision, Hold, HoldFilter, HoldForm, HoldList, PathForm, PreviewForm,
};
use serde::Deserialize;
use std::time::{Duration, Instant};

/// How long a page waits for a decision to be taken note of.
const SETTLE: Duration = Duration::from_millis(1_000);
/// So many are listed.
const LISTED: usize = 100;

/// Cards of holds, oldest first.
#[must_use]
pub fn cards(list: &HoldList) -> Markup {
    let (holds, all) = (&list.holds, list.total);
    html! {
        span hidden data-count="holds" data-value=(all) {}
        @if holds.is_empty() {
            p.empty { "Nothing waits for you." }
        }
        @for hold in holds { (card(&hold.form)) }
        @if all > holds.len() as u64 {
            p.panel-body { a href="/holds" { (count(all - holds.len() as u64, "more waits", "more wait")) } }
        }
    }
}

fn card(form: &HoldForm) -> Markup {
    let judged = &form.judged;
    html! {
        article.hold-card {
            a.what #{ "h-" (form.action) } href={ "/holds/" (form.action) } { (short(&command_line(&form.argv), 300)) }
            p.meta {
                (class(&judged.class)) (score(u64::from(judged.score)))
                span { (short(&form.agent, 40)) }
                (until(&form.expires))
            }
            @if let Some(why) = judged.reasons.first() { p.small { (short(why, 240)) } }
        }
    }
}

/// What is asked for of the list.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct HoldsQuery {
    text: Option<String>,
    after: Option<String>,
}

/// All that wait.
///
/// # Errors
/// Nobody is signed in.
pub async fn list(
    State(app): State<Shared>,
    looking: Looking,
    Query(query): Query<HoldsQuery>,
) -> Result<Markup, PageError> {
    let filter = HoldFilter {
        text: query.text.clone().filter(|text| !text.is_empty()),
        ..HoldFilter::of(domains(&looking.actor, Role::Viewer))
    };
    let after = query.after.clone();
    let list = blocking(&app, move |app| app.open.page(&filter, after.as_deref(), LISTED)).await?;
    let text = query.text.unwrap_or_default();
    let body = html! {
        div.top {
            h1 { "Holds" }
            form.row method="get" action="/holds" role="search" {
                label.hidden for="f-text" { "Search" }
                input #f-text.grow type="search" name="text" value=(text) placeholder="command, agent, reason" autocomplete="off";
                button { "Find" }
            }
        }
        section.panel {
            @if list.holds.is_empty() { p.empty { "Nothing waits." } }
            @for hold in &list.holds { (card(&hold.form)) }
            @if query.after.is_some() || list.next.is_some() {
                nav.pager aria-label="Pages" {
                    span { @if query.after.is_some() { a href={ "/holds?text=" (super::encoded(&text)) } { "Oldest" } } }
                    span.soft { (count(list.total, "waits", "wait")) }
                    span { @if let Some(next) = &list.next {
                        a href={ "/holds?text=" (super::encoded(&text)) "&after=" (super::encoded(next)) } { "Newer" }
                    } }
                }
            }
        }
    };
    Ok(looking.page("Holds", "/holds", true, &body))
}

/// One hold.
///
/// # Errors
/// Nobody is signed in, or it is not for them.
pub async fn one(
    State(app): State<Shared>,
    looking: Looking,
    Path(action): Path<String>,
) -> Result<Response, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let name = action.clone();
    let found = blocking(&app, move |app| visible(app, &sees, &name)).await;
    let Some((hold, closed)) = found? else {
        // It was long ago: the record has it.
        return Ok(Redirect::to(&format!("/actions/{}", super::encoded(&action))).into_response());
    };
    let form = &hold.form;
    let may = may_decide(&looking, form);
    let body = html! {
        section.panel.narrow {
            div.panel-head {
                h1 { @if closed.is_some() { "This is decided" } @else { "May this run?" } }
                @if closed.is_none() { span.end.soft { (until(&form.expires)) } }
            }
            div.panel-body.verdict {
                @if let Some(closed) = &closed { (over(closed)) }
                div.what-box tabindex="0" role="region" aria-label="The command" { (clean(&command_line(&form.argv))) }
                (facts(&hold))
                @if let Some(preview) = form.preview.as_ref().filter(|preview| !preview.paths.is_empty()) { (previewed(preview)) }
                (said(&hold))
            }
            @if closed.is_none() {
                @match &may {
                    Ok(()) => (buttons(&looking, form)),
                    Err(problem) => div.panel-body { p.banner { (problem.title) } },
                }
            }
        }
    };
    let title = if closed.is_some() {
        "Decided"
    } else {
        "May this run?"
    };
    Ok(looking.page(title, "/holds", true, &body).into_response())
}

fn may_decide(looking: &Looking, form: &HoldForm) -> Result<(), Problem> {
    crate::api::holds::may_decide(&looking.actor, form)
}

fn over(closed: &ClosedForm) -> Markup {
    let by: Vec<&str> = closed.decisions.iter().map(|said| said.person.as_str()).collect();
    let level = if closed.how.name() == "approved" {
        "good"
    } else {
        "bad"
    };
    html! {
        p.banner class=(level) {
            strong { (closed.how.name()) }
            @if !by.is_empty() { " by " (by.join(", ")) }
            span.end { (moment(&closed.at)) }
        }
    }
}

fn facts(hold: &Hold) -> Markup {
    let (form, judged) = (&hold.form, &hold.form.judged);
    html! {
        dl.facts {
            dt { "Why it waits" }
            dd {
                ul.plain { @for reason in &judged.reasons { li { (clean(reason)) } } }
            }
            dt { "Can be undone" }
            dd {
                (class(&judged.class))
                @if let Some(way) = &judged.compensation { " by " (clean(way)) }
            }
            @if !judged.uncovered.is_empty() {
                dt { "Not captured" }
                dd { ul.plain { @for gap in &judged.uncovered { li { (clean(gap)) } } } }
            }
            dt { "Risk" }
            dd {
                (score(u64::from(judged.score)))
                @if !judged.factors.is_empty() {
                    details {
                        summary.small { "what makes it" }
                        ul.plain.small { @for factor in &judged.factors { li { (clean(&factor.why)) } } }
                    }
                }
            }
            dt { "Who asks" }
            dd { (clean(&form.agent)) ", started by " (clean(&form.requester)) }
            @if !form.domain.is_empty() { dt { "Domain" } dd { (clean(&form.domain)) } }
            dt { "Folder" }
            dd { code { (clean(&form.cwd)) } }
            @if let Some(reasoning) = &form.reasoning {
                dt { "The agent says" }
                dd { span.note { (short(reasoning, 2_000)) } " " span.small.soft { "(its word is no evidence)" } }
            }
            @if judged.persons > 1 {
                dt { "Takes" }
                dd { (judged.persons) " persons, not the one who asks" }
            }
            @if let Some(advice) = &judged.advice { dt { "Instead" } dd { (clean(advice)) } }
            @if form.moved > 0 {
                dt { "Moved" }
                dd { (chip("what it names has changed since it was approved", Level::Warn)) }
            }
            dt { "Since" }
            dd { (moment(&form.since)) }
        }
    }
}

fn previewed(preview: &PreviewForm) -> Markup {
    html! {
        div.stack {
            h2 { "What it names, as it is now" }
            ul.steps {
                @for path in &preview.paths {
                    li {
                        code { (clean(&path.path)) }
                        span.soft { (now(path)) }
                        @if let Some(gap) = &path.gap { (chip(&format!("can't be captured: {}", short(gap, 120)), Level::Bad)) }
                    }
                }
            }
            @if preview.left_out > 0 { p.soft { (count(preview.left_out, "more", "more")) } }
        }
    }
}

/// How a path is, in a few words.
fn now(path: &PathForm) -> String {
    let mut words = vec![path.kind.clone()];
    let at_least = if path.more { "at least " } else { "" };
    if path.files > 0 {
        words.push(format!("{at_least}{}", count(path.files, "file", "files")));
    }
    if path.bytes > 0 {
        words.push(format!("{at_least}{}", bytes(path.bytes)));
    }
    if let Some(target) = &path.target {
        words.push(format!("to {}", clean(target)));
    }
    if let Some(tracked) = path.tracked {
        let state = if path.changed { ", changed since" } else { "" };
        words.push(format!(
            "{} tracked by git{state}",
            count(tracked, "file", "files")
        ));
    }
    if path.unread > 0 {
        words.push(format!(
            "{} can't be read",
            count(path.unread, "folder", "folders")
        ));
    }
    words.join(", ")
}

fn said(hold: &Hold) -> Markup {
    html! {
        @if !hold.decisions.is_empty() {
            div.stack {
                h2 { "Said so far" }
                ul.plain {
                    @for said in &hold.decisions {
                        li {
                            (clean(&said.person)) ": "
                            @match said.decision { Decision::Approve => "approve", Decision::Reject => "reject" }
                            @if let Some(text) = &said.message { ", “" (clean(text)) "”" }
                        }
                    }
                }
            }
        }
    }
}

fn buttons(looking: &Looking, form: &HoldForm) -> Markup {
    let session = form.action.split('.').next().unwrap_or_default();
    html! {
        form.through method="post" action={ "/holds/" (form.action) } {
            (csrf(&looking.reader))
            input type="hidden" name="digest" value=(form.digest);
            div.panel-body {
                div.field {
                    label for="message" { "A word to the agent " span.hint { "(it reads this)" } }
                    input #message name="message" maxlength="2000" autocomplete="off";
                }
            }
            div.decide {
                button.act name="decision" value="approve" { "Approve once" }
                button.danger name="decision" value="reject" { "Reject" }
                a.button href={ "/stop?session=" (session) } { "Stop the agent…" }
            }
        }
    }
}

/// A decision of the page.
#[derive(Debug, Deserialize)]
pub struct DecisionForm {
    csrf: String,
    digest: String,
    decision: Wanted,
    #[serde(default)]
    message: String,
}

/// Decide.
///
/// # Errors
/// Each for its own reason; nothing was decided then.
pub async fn post(
    State(app): State<Shared>,
    looking: Looking,
    Path(action): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &form.csrf)?;
    let said = Decide {
        decision: form.decision,
        digest: form.digest,
        message: Some(form.message).filter(|text| !text.is_empty()),
        always: None,
        change: None,
    };
    let (actor, name) = (looking.actor.clone(), action.clone());
    blocking(&app, move |app| {
        decide(app, &actor, &name, said)?;
        settle(app, &name);
        Ok(())
    })
    .await?;
    Ok(Redirect::to(&format!("/holds/{}", super::encoded(&action))).into_response())
}

/// Wait a moment until whoever holds the program has taken note, so that the page that follows does not ask again. Where
/// more persons are asked it goes on waiting, and the page says who said what.
fn settle(app: &App, action: &str) {
    let end = Instant::now() + SETTLE;
    let mut seen = 0;
    while Instant::now() < end && app.holds.closed(action).is_none() {
        match app.open.wait(seen, Duration::from_millis(20)) {
            Ok(version) => seen = version,
            Err(_) => return,
        }
    }
}
