//! One action: what was judged, what it did, with diffs and a proof.

use super::now::{coverage, state};
use super::parts::{Level, chip, class, clean, count, diff, moment, score, short};
use super::{Looking, PageError};
use crate::api::action_id;
use crate::api::actions::found;
use crate::api::sessions::seen;
use crate::app::{Shared, blocking};
use crate::extract::{Path, Query};
use crate::sign::domains;
use axum::extract::State;
use maud::{Markup, html};
use rescind_access::Role;
use rescind_index::{ActionDetail, ActionRow};
use serde::Deserialize;
use serde_json::Value;

/// In a session of more actions than this, details are read when they are asked for: each look takes the whole session's record.
const LARGE: u64 = 5_000;

/// What is asked of the page.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActionPage {
    /// Whether details are wanted whatever it takes.
    pub details: bool,
}

/// Details, as far as they were read.
enum Details {
    Read(Value),
    Unreadable(String),
    /// The session has so many actions.
    Later(u64),
}

impl Details {
    fn record(&self) -> Option<&Value> {
        match self {
            Self::Read(record) => Some(record),
            Self::Unreadable(_) | Self::Later(_) => None,
        }
    }
}

/// The page.
///
/// # Errors
/// The action is not there for whoever looks.
pub async fn page(
    State(app): State<Shared>,
    looking: Looking,
    Path(action): Path<String>,
    Query(asked): Query<ActionPage>,
) -> Result<Markup, PageError> {
    let sees = domains(&looking.actor, Role::Viewer);
    let operates = domains(&looking.actor, Role::Operator);
    let (detail, details) = blocking(&app, move |app| {
        let detail = found(app, &sees, &action)?;
        let session = seen(app, &sees, &detail.action.session)?;
        let details = match session.actions {
            many if many > LARGE && !asked.details => Details::Later(many),
            _ => match app.operations.action(&action_id(&action)?) {
                Ok(record) => Details::Read(record),
                Err(failed) => Details::Unreadable(failed.message),
            },
        };
        Ok((detail, details))
    })
    .await?;
    let row = &detail.action;
    let may = operates.covers(&row.domain) && row.role != "system";
    let body = html! {
        div.top {
            div {
                h1.mono { (short(&row.command, 1_000)) }
                p.meta {
                    span { "Action " code { (row.action) } }
                    a href={ "/sessions/" (row.session) } { "its session" }
                    span { (clean(&row.agent)) ", started by " (clean(&row.owner)) }
                }
            }
            div.row {
                @if row.state == "held" { a.button.act href={ "/holds/" (row.action) } { "Decide…" } }
                @if may { a.button href={ "/sessions/" (row.session) "/undo?actions=" (row.action) } { "Undo this…" } }
                a.button href={ "/api/v1/actions/" (row.action) "/proof" } { "Proof" }
            }
        }
        div.two {
            div.stack {
                (changes(&detail, details.record()))
                @match &details {
                    Details::Read(record) => { (output(record)) }
                    Details::Unreadable(why) => { p.banner { "Its details can't be read any more: " (clean(why)) } }
                    Details::Later(many) => {
                        p.banner {
                            "Its session has " (count(*many, "action", "actions")) ": to read differences and output takes some seconds. "
                            a href={ "/actions/" (row.action) "?details=true" } { "Show them" }
                        }
                    }
                }
            }
            section.panel {
                div.panel-head { h2 { "What was judged, and what came of it" } }
                div.panel-body { (facts(row)) }
            }
        }
    };
    Ok(looking.page(&format!("Action {}", row.action), "/actions", false, &body))
}

fn facts(row: &ActionRow) -> Markup {
    html! {
        dl.facts {
            dt { "State" } dd { (chip(&state(row), Level::of_state(&row.state))) @if let Some(exit) = &row.exit { " " (exit) } }
            dt { "Class" } dd { (class(&row.class)) }
            @if let Some(number) = row.score { dt { "Risk" } dd { (score(u64::from(number))) } }
            @if !row.verdict.is_empty() { dt { "Verdict" } dd { (row.verdict) } }
            @if !row.reasons.is_empty() { dt { "Why" } dd { ul.plain { @for reason in &row.reasons { li { (clean(reason)) } } } } }
            @if let Some(decided) = &row.decided {
                dt { "Decided" }
                dd {
                    (decided.how) @if !decided.by.is_empty() { " by " (clean(&decided.by.join(", "))) } ", " (moment(&decided.at))
                    @if let Some(text) = &decided.message { br; "“" (clean(text)) "”" }
                }
            }
            dt { "Coverage" }
            dd {
                (coverage(&row.coverage))
                @if !row.gaps.is_empty() { ul.plain { @for gap in &row.gaps { li { code { (clean(&gap.what)) } ": " (clean(&gap.why)) } } } }
                @if row.gaps_total > row.gaps.len() as u64 { p.soft { (count(row.gaps_total - row.gaps.len() as u64, "more", "more")) } }
            }
            @if let Some(why) = &row.why { dt { "Why so" } dd { (clean(why)) } }
            dt { "Folder" } dd { code { (clean(&row.cwd)) } }
            dt { "Program" } dd { code { (clean(&row.program)) } }
            dt { "Began" } dd { (moment(&row.time)) }
            @if let Some(ended) = &row.ended { dt { "Ended" } dd { (moment(ended)) } }
            dt { "Ledger" } dd { "entry " (row.seq) }
        }
    }
}

fn changes(detail: &ActionDetail, record: Option<&Value>) -> Markup {
    let listed = record
        .and_then(|record| record.get("changes"))
        .and_then(Value::as_array);
    let text = |change: &Value, name: &str| change.get(name).and_then(Value::as_str).map(str::to_owned);
    html! {
        section.panel {
            div.panel-head { h2 { "What it changed" } span.end.soft { (count(detail.action.effects, "resource", "resources")) } }
            @if detail.changes.is_empty() { p.empty { "Nothing." } }
            @else if let Some(list) = listed {
                div.panel-body.stack {
                    @for change in list {
                        div.stack {
                            p { strong { (text(change, "what").unwrap_or_default()) } " " code { (clean(&text(change, "path").unwrap_or_default())) } }
                            @if let Some(lines) = text(change, "diff") { (diff(&lines)) }
                        }
                    }
                }
            } @else {
                ul.steps.panel-body { @for change in &detail.changes { li { strong { (change.kind) } code { (clean(&change.path)) } } } }
            }
        }
    }
}

fn output(record: &Value) -> Markup {
    let shown = ["output", "preview"]
        .iter()
        .find_map(|name| record.get(*name))
        .and_then(|output| {
            output
                .as_str()
                .or_else(|| output.get("preview").and_then(Value::as_str))
        });
    html! {
        @if let Some(text) = shown.filter(|text| !text.is_empty()) {
            section.panel {
                div.panel-head { h2 { "What it wrote" } }
                div.panel-body { pre { (short(text, 20_000)) } }
            }
        }
    }
}
