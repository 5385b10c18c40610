//! Lists: sessions and actions, with filters in the address.

use super::now::table;
use super::parts::{Level, chip, count, moment, short};
use super::{Looking, PageError, encoded};
use crate::api::PageQuery;
use crate::api::actions::ActionQuery;
use crate::api::sessions::SessionQuery;
use crate::app::{Shared, blocking};
use crate::extract::Query;
use crate::sign::domains;
use axum::extract::State;
use maud::{Markup, html};
use rescind_access::Role;
use rescind_index::SessionRow;

/// The sessions.
///
/// # Errors
/// Nobody is signed in, or the record can't be read.
pub async fn sessions(
    State(app): State<Shared>,
    looking: Looking,
    Query(query): Query<SessionQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Markup, PageError> {
    let filter = query.filter(domains(&looking.actor, Role::Viewer));
    let wanted = page.page();
    let found = blocking(&app, move |app| Ok(app.index.sessions(&filter, &wanted)?)).await?;
    let body = html! {
        h1 { "Sessions" }
        section.panel {
            div.panel-body { (session_filters(&query)) }
            @if found.rows.is_empty() {
                p.empty { "No session is like that." }
            } @else {
                (session_table(&found.rows))
            }
            (pager("/sessions", &query, page.cursor.as_deref(), found.next.as_deref(), found.cut))
        }
    };
    Ok(looking.page("Sessions", "/sessions", true, &body))
}

/// The actions.
///
/// # Errors
/// As [`sessions`].
pub async fn actions(
    State(app): State<Shared>,
    looking: Looking,
    Query(query): Query<ActionQuery>,
    Query(page): Query<PageQuery>,
) -> Result<Markup, PageError> {
    let filter = query.filter(domains(&looking.actor, Role::Viewer));
    let wanted = page.page();
    let found = blocking(&app, move |app| Ok(app.index.actions(&filter, &wanted)?)).await?;
    let body = html! {
        h1 { "Actions" }
        section.panel {
            div.panel-body { (action_filters(&query)) }
            @if found.rows.is_empty() {
                p.empty { "No action is like that." }
            } @else {
                (table(&found.rows))
            }
            (pager("/actions", &query, page.cursor.as_deref(), found.next.as_deref(), found.cut))
        }
    };
    Ok(looking.page("Actions", "/actions", true, &body))
}

fn value(text: Option<&String>) -> &str {
    text.map_or("", String::as_str)
}

/// A field of a filter.
fn field(name: &str, label: &str, text: &str) -> Markup {
    let id = format!("f-{name}");
    html! {
        div.field {
            label for=(id) { (label) }
            input #(id) name=(name) value=(text) autocomplete="off";
        }
    }
}

fn select(name: &str, label: &str, chosen: &str, options: &[(&str, &str)]) -> Markup {
    let id = format!("f-{name}");
    html! {
        div.field {
            label for=(id) { (label) }
            select #(id) name=(name) {
                option value="" { "any" }
                @for (value, text) in options {
                    option value=(value) selected[*value == chosen] { (text) }
                }
            }
        }
    }
}

fn search(text: &str, hint: &str) -> Markup {
    html! {
        div.field.wide {
            label for="f-text" { "Search" }
            input #f-text type="search" name="text" value=(text) placeholder=(hint) autocomplete="off";
        }
    }
}

fn session_filters(query: &SessionQuery) -> Markup {
    let kinds = [("run", "runs"), ("undo", "undos"), ("promote", "promotions")];
    let states = [
        ("running", "running"),
        ("ended", "ended"),
        ("interrupted", "interrupted"),
        ("erased", "erased"),
    ];
    html! {
        form.filters method="get" action="/sessions" role="search" {
            (search(value(query.text.as_ref()), "id, command, agent, folder"))
            (select("state", "State", value(query.state.as_ref()), &states))
            (select("kind", "Kind", value(query.kind.as_ref()), &kinds))
            (field("agent", "Agent", value(query.agent.as_ref())))
            (field("domain", "Domain", value(query.domain.as_ref())))
            div.row {
                button.act { "Find" }
                a.button href="/sessions" { "Clear" }
            }
        }
    }
}

fn action_filters(query: &ActionQuery) -> Markup {
    let classes = [
        ("trivially_reversible", "reversible"),
        ("reversible_with_state", "reversible, state kept"),
        ("reversible_with_backup", "reversible by backup"),
        ("partially_reversible", "partly reversible"),
        ("irreversible", "irreversible"),
        ("unknown", "unknown"),
    ];
    let states = [
        ("held", "held"),
        ("denied", "denied"),
        ("rejected", "rejected"),
        ("expired", "expired"),
        ("void", "void"),
        ("started", "started"),
        ("done", "done"),
        ("failed", "failed"),
        ("killed", "killed"),
        ("in_doubt", "in doubt"),
        ("undone", "undone"),
        ("compensated", "compensated"),
        ("undo_conflict", "undo conflict"),
        ("kept", "kept"),
    ];
    let coverages = [
        ("captured", "captured"),
        ("partial", "partly captured"),
        ("not_captured", "not captured"),
    ];
    html! {
        form.filters method="get" action="/actions" role="search" {
            (search(value(query.text.as_ref()), "words of a command, a reason, an agent"))
            (select("class", "Class", value(query.class.as_ref()), &classes))
            (select("state", "State", value(query.state.as_ref()), &states))
            (select("coverage", "Coverage", value(query.coverage.as_ref()), &coverages))
            (field("path", "Changed path", value(query.path.as_ref())))
            (field("agent", "Agent", value(query.agent.as_ref())))
            (field("domain", "Domain", value(query.domain.as_ref())))
            (field("session", "Session", value(query.session.as_ref())))
            div.row {
                button.act { "Find" }
                a.button href="/actions" { "Clear" }
            }
        }
    }
}

fn session_table(rows: &[SessionRow]) -> Markup {
    html! {
        table.list {
            thead {
                tr {
                    th scope="col" { "Session" }
                    th.w-agent scope="col" { "Agent" }
                    th.w-agent scope="col" { "Domain" }
                    th.w-agent scope="col" { "Began" }
                    th.w-num.num scope="col" { "Actions" }
                    th.w-num.num scope="col" { "Changed" }
                    th.w-chip scope="col" { "State" }
                }
            }
            tbody {
                @for row in rows {
                    tr class=[(row.waiting > 0).then_some("row-warn")] {
                        td.main {
                            a.cmd href={ "/sessions/" (row.session) } { (short(&row.command, 300)) }
                            span.small.soft { (row.session) }
                        }
                        td { (short(&row.agent, 40)) }
                        td { (short(&row.domain, 60)) }
                        td { (moment(&row.started)) }
                        td.num title="actions" { (row.actions) }
                        td.num title="resources changed" { (row.effects) }
                        td { (state(row)) }
                    }
                }
            }
        }
    }
}

/// How a session is, in a chip or two.
#[must_use]
pub fn state(row: &SessionRow) -> Markup {
    html! {
        @if row.waiting > 0 { (chip(&count(row.waiting, "waits", "wait"), Level::Warn)) " " }
        @match (row.state.as_str(), row.how.as_deref()) {
            ("running", _) => (chip("running", Level::Good)),
            ("interrupted", _) => (chip("interrupted", Level::Bad)),
            ("ended", Some("killed")) => (chip("killed", Level::Bad)),
            (other, _) => (chip(other, Level::Plain)),
        }
        @if !row.undone_by.is_empty() { " " (chip("undone", Level::Plain)) }
    }
}

/// On to the next page, with the same filters.
fn pager(
    place: &str,
    query: &impl serde::Serialize,
    cursor: Option<&str>,
    next: Option<&str>,
    cut: bool,
) -> Markup {
    let mut address = format!("{place}?");
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(query) {
        for (name, value) in fields {
            let text = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Null => continue,
                other => other.to_string(),
            };
            address.push_str(&format!("{name}={}&", encoded(&text)));
        }
    }
    html! {
        @if cursor.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                span { @if cursor.is_some() { a href=(address.trim_end_matches(['&', '?'])) { "Newest" } } }
                @if cut { span.soft { "searched for a while; there may be more" } }
                span { @if let Some(next) = next { a href={ (address) "cursor=" (encoded(next)) } { "Older" } } }
            }
        }
    }
}
