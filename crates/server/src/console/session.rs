//! *Afterwards*: a session as a picture, what it did, what it changed, the way back.

use super::now::table;
use super::parts::{Level, chip, clean, count, diff, moment, short, thousands};
use super::picture::{draw, span};
use super::sessions::state;
use super::{Looking, PageError, part};
use crate::api::session_id;
use crate::api::sessions::{DIFF, MARKS, seen};
use crate::app::{App, Shared, blocking};
use crate::extract::Path;
use crate::problem::Problem;
use crate::sign::domains;
use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use rescind_access::Role;
use rescind_index::{ActionFilter, DomainSet, Order, Page, SessionRow, UndoRow};

/// So many actions are listed below the picture.
const ACTIONS: usize = 100;

/// The page.
///
/// # Errors
/// The session is not there for whoever looks.
pub async fn page(
    State(app): State<Shared>,
    looking: Looking,
    Path(session): Path<String>,
) -> Result<Markup, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let operates = domains(&looking.actor, Role::Operator);
    let (row, live, undos) = blocking(&app, move |app| {
        let row = seen(app, &sees, &session)?;
        let live = lively(app, &sees, &row)?;
        let undos = app.index.undos(&row.session, &sees)?;
        Ok((row, live, undos))
    })
    .await?;
    let may = operates.covers(&row.domain);
    let body = html! {
        div.top {
            div {
                h1.mono { (short(&row.command, 600)) }
                p.meta {
                    span { "Session " code { (row.session) } }
                    span { (clean(&row.agent)) ", started by " (clean(&row.owner)) }
                    @if !row.domain.is_empty() { span { (clean(&row.domain)) } }
                    @if !row.environment.is_empty() { span { (clean(&row.environment)) } }
                    span { (moment(&row.started)) }
                }
            }
            div.row {
                @if may && row.kind != "undo" { a.button.act href={ "/sessions/" (row.session) "/undo" } { "Undo…" } }
                @if may && row.state == "running" { a.button.danger href={ "/stop?session=" (row.session) } { "Stop…" } }
            }
        }
        (remarks(&row))
        div.stack data-part=[(row.state == "running").then(|| format!("/parts/sessions/{}", row.session))] { (live) }
        @if !undos.is_empty() { (undo_panel(&undos)) }
        @if row.effects > 0 {
            section.panel {
                div.panel-head { h2 { "What it changed" } }
                div.panel-body {
                    p { a href={ "/sessions/" (row.session) "/changes" } { "Show " (count(row.effects, "change", "changes")) " as differences" } }
                }
            }
        }
        section.panel {
            div.panel-head { h2 { "The proof" } }
            div.panel-body.stack {
                p { "Entries " (thousands(row.first_seq)) " to " (thousands(row.last_seq)) " of the ledger are about this session. Each action's page has a proof that needs nothing but the public key to be checked." }
                p { a href="/record" { "The record, its key and its checkpoints" } }
            }
        }
    };
    let title = format!("Session {}", row.session);
    Ok(looking.page(&title, "/sessions", row.state == "running", &body))
}

/// The part that changes while it runs.
///
/// # Errors
/// As [`page`].
pub async fn live_part(
    State(app): State<Shared>,
    looking: Looking,
    Path(session): Path<String>,
) -> Result<Response, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let markup = blocking(&app, move |app| {
        let row = seen(app, &sees, &session)?;
        lively(app, &sees, &row)
    });
    Ok(part(markup.await?))
}

fn lively(app: &App, sees: &DomainSet, row: &SessionRow) -> Result<Markup, Problem> {
    let timeline = app.index.timeline(&row.session, MARKS, sees)?.unwrap_or_default();
    let filter = ActionFilter {
        session: Some(row.session.clone()),
        ..ActionFilter::of(sees.clone())
    };
    let page = Page {
        order: Order::Oldest,
        ..Page::first(ACTIONS)
    };
    let actions = app.index.actions(&filter, &page)?;
    let number = |number: u64, one: &str, many: &str, level: Level| {
        html! { div.tile data-level=[(number > 0 && level != Level::Plain).then_some(level.name())] {
            b { (thousands(number)) } span { (if number == 1 { one } else { many }) }
        } }
    };
    Ok(html! {
        div.tiles {
            div.tile { b { (state(row)) } span { "for " (span(timeline.length)) } }
            (number(row.actions, "action", "actions", Level::Plain))
            (number(row.effects, "resource changed", "resources changed", Level::Plain))
            (number(row.failures, "failed", "failed", Level::Bad))
            (number(row.holds, "held", "held", Level::Warn))
            (number(row.denials, "denied", "denied", Level::Bad))
            (number(row.not_captured, "not captured", "not captured", Level::Bad))
        }
        section.panel {
            div.panel-head { h2 { "Timeline" } }
            div.panel-body { (draw(&timeline)) }
        }
        section.panel {
            div.panel-head {
                h2 { "Actions" }
                @if actions.next.is_some() {
                    span.end.soft { "the first " (ACTIONS) " of " (thousands(row.actions)) " · "
                        a href={ "/actions?session=" (row.session) "&order=oldest" } { "all" } }
                }
            }
            @if actions.rows.is_empty() { p.empty { "It has done nothing yet." } } @else { (table(&actions.rows)) }
        }
    })
}

fn remarks(row: &SessionRow) -> Markup {
    html! {
        @if let Some(damage) = &row.damage { p.banner.bad { "Its journal can't be read to the end: " (clean(damage)) } }
        @if row.state == "interrupted" { p.banner.bad { "Its supervisor died. Nothing captured is lost: it can be undone." } }
        @if row.state == "erased" { p.banner { "What it did was erased from the vault; the ledger still says that it was there." } }
        @if row.staged { p.banner { "It ran on a stage: nothing of it is real until it is promoted." } }
        @if row.pruned { p.banner { "What can be made again was given up: an undo may be incomplete." } }
        @if let Some(scope) = &row.scope { p.banner { "It takes back " (clean(scope)) @for session in &row.undoes { " " a href={ "/sessions/" (session) } { (session) } } } }
    }
}

fn undo_panel(undos: &[UndoRow]) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Undone" } }
            ul.steps.panel-body {
                @for undo in undos {
                    li {
                        a href={ "/sessions/" (undo.undo) } { (undo.undo) }
                        span { "by " (clean(&undo.owner)) ", " (moment(&undo.started)) }
                        @match undo.proved {
                            Some(true) => (chip("proved: everything read back as it was to be", Level::Good)),
                            Some(false) => (chip("not all of it came back", Level::Bad)),
                            None => (chip(&undo.state, Level::Warn)),
                        }
                        @if let Some(receipt) = &undo.receipt {
                            span.soft { (thousands(receipt.restored)) " restored, " (thousands(receipt.kept)) " kept, " (thousands(receipt.conflicts)) " in conflict" }
                        }
                    }
                }
            }
        }
    }
}

/// What a session changed, as a diff.
///
/// # Errors
/// The session is not there for whoever looks, or can't be read.
pub async fn changes(
    State(app): State<Shared>,
    looking: Looking,
    Path(session): Path<String>,
) -> Result<Markup, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let (id, text) = blocking(&app, move |app| {
        let row = seen(app, &sees, &session)?;
        let text = app.operations.diff(&session_id(&row.session)?, DIFF)?;
        Ok((row.session, text))
    })
    .await?;
    let body = html! {
        div.top {
            h1 { "What session " code { (id) } " changed" }
            a.button href={ "/sessions/" (id) } { "Back to the session" }
        }
        section.panel { div.panel-body {
            @if text.trim().is_empty() { p.empty { "Nothing is changed by it, net." } } @else { (diff(&text)) }
        } }
    };
    Ok(looking.page("Changes", "/sessions", false, &body))
}
