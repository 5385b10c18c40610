//! *2 AM*: one hold on a phone. What would run, why it waits, what it touches, what undo would look like, three buttons. What is
//! wanted more seldom (another command, a lasting rule) is a step further.

mod choices;
mod shown;

use super::parts::{class, count, score, short, until};
use super::{Looking, PageError, failing, part};
use crate::api::holds::{Seen, decide, visible};
use crate::app::{App, Shared, blocking};
use crate::extract::{Form, Path, Query};
use crate::problem::Problem;
use crate::sign::domains;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use choices::{DecisionForm, Tried};
use maud::{Markup, html};
use rescind_access::Role;
use rescind_supervisor::holds::{ClosedForm, Hold, HoldFilter, HoldForm, HoldList};
use rescind_supervisor::{lives, now};
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
            a.what #{ "h-" (form.action) } href={ "/holds/" (form.action) } { (short(&command(form), 300)) }
            p.meta {
                (class(&judged.class)) (score(u64::from(judged.score)))
                span { (short(&form.agent, 40)) }
                (until(&form.expires))
            }
            @if let Some(why) = judged.reasons.first() { p.small { (short(why, 240)) } }
        }
    }
}

fn command(form: &HoldForm) -> String {
    rescind_model::command_line(&form.argv)
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
    let Some((hold, closed)) = seen(&app, &looking, &action).await? else {
        // It was long ago: the record has it.
        return Ok(Redirect::to(&format!("/actions/{}", super::encoded(&action))).into_response());
    };
    let look = Look::of(&hold, closed);
    Ok(look.page(&looking, None).into_response())
}

async fn seen(app: &Shared, looking: &Looking, action: &str) -> Result<Option<Seen>, Problem> {
    let sees = domains(&looking.actor, Role::Viewer);
    let name = action.to_owned();
    blocking(app, move |app| visible(app, &sees, &name)).await
}

/// What a page shows, as it knows it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Shown {
    /// The digest of what it shows; what has moved since is not put in its place.
    digest: String,
}

/// The part of a hold's page that changes when somebody decides elsewhere. Nothing new is told by its status.
///
/// # Errors
/// As [`one`].
pub async fn live_part(
    State(app): State<Shared>,
    looking: Looking,
    headers: HeaderMap,
    Path(action): Path<String>,
    Query(shown): Query<Shown>,
) -> Result<Response, PageError> {
    let found = seen(&app, &looking, &action).await?;
    let (hold, closed) = found.ok_or_else(|| Problem::not_found("this hold is no longer kept here"))?;
    let look = Look::of(&hold, closed);
    let tag = look.tag();
    let known = headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok());
    if known == Some(&tag) {
        return Ok(StatusCode::NOT_MODIFIED.into_response());
    }
    let markup = if look.end.is_none() && hold.form.digest != shown.digest {
        look.moved()
    } else {
        look.body(&looking, None)
    };
    let mut response = part(markup);
    if let Ok(value) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, value);
    }
    Ok(response)
}

/// How a hold ended, as its page says it.
enum End {
    /// By a decision, or its time.
    Closed(ClosedForm),
    /// Whoever waited for it is gone, and could not say so.
    Gone,
    /// Its time is up, and its session has not said so yet.
    Late,
}

/// A hold as it is now.
struct Look<'h> {
    hold: &'h Hold,
    end: Option<End>,
}

impl<'h> Look<'h> {
    fn of(hold: &'h Hold, closed: Option<ClosedForm>) -> Self {
        let end = match closed {
            Some(closed) => Some(End::Closed(closed)),
            None if !lives(&hold.form.waiter) => Some(End::Gone),
            None if hold.form.is_expired(now()) => Some(End::Late),
            None => None,
        };
        Self { hold, end }
    }

    /// Another one for all that a page would show otherwise.
    fn tag(&self) -> String {
        let form = &self.hold.form;
        let end = match &self.end {
            Some(End::Closed(closed)) => closed.how.name(),
            Some(End::Gone) => "gone",
            Some(End::Late) => "late",
            None => "open",
        };
        let digest = form.digest.get(..16).unwrap_or(&form.digest);
        let (moved, said) = (form.moved, self.hold.decisions.len());
        let tier = form.tier_at(now()).unwrap_or(0);
        format!("\"{digest}-{moved}-{said}-{tier}-{end}\"")
    }

    fn title(&self) -> &'static str {
        match &self.end {
            None => "May this run?",
            Some(End::Closed(_)) => "This is decided",
            Some(End::Gone | End::Late) => "Nothing waits here any more",
        }
    }

    fn page(&self, looking: &Looking, tried: Option<&Tried>) -> Markup {
        let form = &self.hold.form;
        let waits = self.end.is_none();
        let source = format!("/parts/holds/{}?digest={}", form.action, form.digest);
        let body = html! {
            section.panel.hold data-part=[waits.then_some(source)] data-tag=[waits.then(|| self.tag())] {
                (self.body(looking, tried))
            }
        };
        looking.page(self.title(), "/holds", waits, &body)
    }

    fn body(&self, looking: &Looking, tried: Option<&Tried>) -> Markup {
        let form = &self.hold.form;
        html! {
            div.panel-head {
                h1 data-title=(self.title()) { (self.title()) }
                @if self.end.is_none() { span.end.soft { (until(&form.expires)) } }
            }
            div.panel-body.verdict {
                @if let Some(end) = &self.end { (shown::over(form, end)) }
                @if let Some(tried) = tried { (tried.fault()) }
                div.what-box tabindex="0" role="region" aria-label="The command" { (super::parts::clean(&command(form))) }
                (shown::facts(self.hold))
                @if let Some(preview) = form.preview.as_ref().filter(|preview| !preview.paths.is_empty()) { (shown::previewed(preview)) }
                @if self.end.is_none() { (shown::said(self.hold)) }
            }
            @if self.end.is_none() {
                @match crate::api::holds::may_decide(&looking.actor, form) {
                    Ok(()) => (choices::all(looking, form, tried)),
                    Err(problem) => div.panel-body { p.banner { (problem.title) } },
                }
            }
        }
    }

    /// In the place of what was shown, where that is not what waits any more: nobody decides what changed under their finger.
    fn moved(&self) -> Markup {
        let place = format!("/holds/{}", self.hold.form.action);
        html! {
            div.panel-head { h1 data-title="This has changed" { "This has changed" } }
            div.panel-body.verdict {
                p.banner role="status" { "What it names is not as it was shown here any more, and nothing was decided." }
                div.what-box tabindex="0" role="region" aria-label="The command" { (super::parts::clean(&command(&self.hold.form))) }
                p { a.button.act href=(place) { "Look at it as it is now" } }
            }
        }
    }
}

/// Decide. What is refused is said on the same page, with what was written.
///
/// # Errors
/// Each for its own reason; nothing was decided then.
pub async fn post(
    State(app): State<Shared>,
    looking: Looking,
    Path(action): Path<String>,
    Form(form): Form<DecisionForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, form.csrf())?;
    let decided = match form.decide() {
        Ok(said) => {
            let (actor, name) = (looking.actor.clone(), action.clone());
            let work = move |app: &App| {
                decide(app, &actor, &name, said)?;
                settle(app, &name);
                Ok(())
            };
            blocking(&app, work).await
        }
        Err(problem) => Err(problem),
    };
    let Err(problem) = decided else {
        return Ok(Redirect::to(&format!("/holds/{}", super::encoded(&action))).into_response());
    };
    let shown = match problem.status() {
        StatusCode::NOT_FOUND => None,
        _ => seen(&app, &looking, &action).await.ok().flatten(),
    };
    let Some((hold, closed)) = shown else {
        return Err(problem.into());
    };
    let look = Look::of(&hold, closed);
    let tried = Tried::new(form, problem);
    let page = look.page(&looking, Some(&tried));
    Ok(failing(tried.problem(), page))
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
