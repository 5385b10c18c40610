//! *Now*: holds on top, what runs, what happens.

use super::hold::cards;
use super::parts::{Level, chip, class, clock, score, short, thousands};
use super::{Looking, PageError, part};
use crate::api::kills::control_seen;
use crate::app::{App, Shared, blocking};
use crate::problem::Problem;
use crate::sign::domains;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use rescind_access::Role;
use rescind_index::{ActionFilter, ActionRow, DomainSet, Page, Summary};
use rescind_supervisor::holds::HoldFilter;

/// So many actions are shown.
const FEED: usize = 40;
/// So many holds.
const HOLDS: usize = 20;

/// The page.
///
/// # Errors
/// Nobody is signed in, or the record can't be read.
pub async fn page(State(app): State<Shared>, looking: Looking) -> Result<Markup, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let reviews = domains(&looking.actor, Role::Reviewer);
    let parts = blocking(&app, move |app| {
        let holds = app.open.page(&HoldFilter::of(reviews), None, HOLDS)?;
        Ok((tiles(app, &sees)?, cards(&holds), feed(app, &sees)?))
    });
    let (tiles, holds, feed) = parts.await?;
    let body = html! {
        h1.hidden { "Now" }
        div.now {
            div.tiles data-part="/parts/tiles" { (tiles) }
            section.panel aria-labelledby="holds-head" {
                div.panel-head {
                    h2 #holds-head { "Waiting for a person" }
                    a.end href="/holds" { "All" }
                }
                div.holds-box data-part="/parts/holds" tabindex="0" role="region" aria-label="Holds" { (holds) }
            }
            section.panel aria-labelledby="feed-head" {
                div.panel-head {
                    h2 #feed-head { "What agents do" }
                    a.end href="/actions" { "Search" }
                }
                div.feed-box data-part="/parts/feed" tabindex="0" role="region" aria-label="Actions" { (feed) }
            }
        }
    };
    Ok(looking.page("Now", "/", true, &body))
}

/// The numbers.
///
/// # Errors
/// As [`page`].
pub async fn tiles_part(State(app): State<Shared>, looking: Looking) -> Result<Response, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    Ok(part(blocking(&app, move |app| tiles(app, &sees)).await?))
}

/// The holds.
///
/// # Errors
/// As [`page`].
pub async fn holds_part(State(app): State<Shared>, looking: Looking) -> Result<Response, PageError> {
    let reviews = domains(&looking.actor, Role::Reviewer);
    let holds = blocking(&app, move |app| {
        app.open.page(&HoldFilter::of(reviews), None, HOLDS)
    });
    Ok(part(cards(&holds.await?)))
}

/// The actions.
///
/// # Errors
/// As [`page`].
pub async fn feed_part(State(app): State<Shared>, looking: Looking) -> Result<Response, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    Ok(part(blocking(&app, move |app| feed(app, &sees)).await?))
}

fn tiles(app: &App, sees: &DomainSet) -> Result<Markup, Problem> {
    let summary: Summary = app.index.summary(sees)?;
    let stops = control_seen(app, sees).stops.len() as u64;
    let minute: u64 = summary.last_minute.values().sum();
    let waiting = app.open.count(sees);
    let tile = |href: &str, number: u64, text: &str, level: Level| {
        html! {
            a.tile href=(href) data-level=(level.name()) {
                b { (thousands(number)) }
                span { (text) }
            }
        }
    };
    let loud = |number: u64, level: Level| if number > 0 { level } else { Level::Plain };
    Ok(html! {
        (tile("/sessions?state=running", summary.running, "sessions run", Level::Plain))
        (tile("/actions", minute, "actions in the last minute", Level::Plain))
        (tile("/holds", waiting, "wait for a person", loud(waiting, Level::Warn)))
        (tile("/actions?state=denied", summary.denials, "denied in the last hour", loud(summary.denials, Level::Warn)))
        (tile("/actions?failures=true", summary.failures, "failed in the last hour", loud(summary.failures, Level::Warn)))
        (tile("/stop", stops, "stops in force", loud(stops, Level::Bad)))
    })
}

fn feed(app: &App, sees: &DomainSet) -> Result<Markup, Problem> {
    let filter = ActionFilter::of(sees.clone());
    let found = app.index.actions(&filter, &Page::first(FEED))?;
    Ok(html! {
        @if found.rows.is_empty() {
            p.empty { "No agent has done anything yet. In another terminal: " code { "rescind run -- COMMAND" } }
        } @else {
            (table(&found.rows))
        }
    })
}

/// Actions as a table that becomes a list on a phone.
#[must_use]
pub fn table(rows: &[ActionRow]) -> Markup {
    html! {
        table.list {
            thead {
                tr {
                    th.w-time scope="col" { "Time" }
                    th scope="col" { "Action" }
                    th.w-agent scope="col" { "Agent" }
                    th.w-chip scope="col" { "Class" }
                    th.w-score scope="col" { "Risk" }
                    th.w-chip scope="col" { "Coverage" }
                    th.w-state scope="col" { "State" }
                }
            }
            tbody {
                @for row in rows { (line(row)) }
            }
        }
    }
}

fn line(row: &ActionRow) -> Markup {
    let level = Level::of_state(&row.state);
    let loud = match level {
        Level::Bad => Some("row-bad"),
        Level::Warn => Some("row-warn"),
        Level::Good | Level::Plain => None,
    };
    html! {
        tr class=[loud] {
            td { (clock(&row.time)) }
            td.main {
                a.cmd #{ "a-" (row.action) } href={ "/actions/" (row.action) } { (short(&row.command, 400)) }
            }
            td { a href={ "/sessions/" (row.session) } { (short(&row.agent, 40)) } }
            td { (class(&row.class)) }
            td { @if let Some(number) = row.score { (score(u64::from(number))) } }
            td { (coverage(&row.coverage)) }
            td { (chip(&state(row), level)) }
        }
    }
}

/// What was captured of an action, in words.
#[must_use]
pub fn coverage(name: &str) -> Markup {
    match name {
        "captured" => chip("captured", Level::Good),
        "partial" => chip("partly captured", Level::Warn),
        "not_captured" => chip("not captured", Level::Bad),
        _ => html! {},
    }
}

/// The state of an action, with its exit where that says more.
#[must_use]
pub fn state(row: &ActionRow) -> String {
    let name = row.state.replace('_', " ");
    match (row.state.as_str(), row.exit_code) {
        ("failed", Some(code)) => format!("failed, exit {code}"),
        _ => name,
    }
}
