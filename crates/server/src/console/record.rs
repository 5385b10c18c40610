//! The record: how long it is, its key, its last checkpoint, what is owed to it.

use super::parts::{clean, thousands};
use super::{Looking, PageError};
use crate::app::{Shared, blocking};
use crate::extract::Path;
use crate::problem::Problem;
use axum::extract::State;
use maud::{Markup, html};

/// The page.
///
/// # Errors
/// The ledger can't be read.
pub async fn page(State(app): State<Shared>, looking: Looking) -> Result<Markup, PageError> {
    let (length, key, checkpoint, trouble) = blocking(&app, |app| {
        let ledger = app.store.ledger();
        let fail = |_| Problem::inner("the ledger can't be read");
        let checkpoint = ledger.last_checkpoint().map_err(fail)?;
        Ok((
            ledger.len().map_err(fail)?,
            ledger.verifier_key(),
            checkpoint.map(|checkpoint| checkpoint.text),
            ledger.trouble(),
        ))
    })
    .await?;
    let body = html! {
        h1 { "The record" }
        @for (task, why) in &trouble { p.banner.bad { (clean(task)) ": " (clean(why)) } }
        section.panel { div.panel-body.stack {
            dl.facts {
                dt { "Entries" } dd { (thousands(length)) }
                dt { "Public key" } dd { code { (key) } }
            }
            @if let Some(note) = &checkpoint {
                h2 { "The last signed checkpoint" }
                pre.what-box tabindex="0" { (note) }
            } @else { p { "Nothing is signed yet." } }
            p { "Any entry that was changed, dropped, reordered or cut off before a checkpoint is found with the key alone: " code { "rescind verify" } ". A store that was rolled back as a whole is found against a checkpoint that is kept elsewhere: " code { "rescind ledger mirror" } "." }
            p { a.button href="/api/v1/events?from=0" { "The event stream" } }
        } }
    };
    Ok(looking.page("The record", "", false, &body))
}

/// The page of an error code.
///
/// # Errors
/// There is none.
pub async fn error(State(app): State<Shared>, Path(code): Path<String>) -> Result<Markup, PageError> {
    let text = app
        .operations
        .error_page(&code)
        .ok_or_else(|| Problem::not_found("there is no such code"))?;
    let body = html! {
        section.panel.narrow { div.panel-body.stack {
            @for (at, paragraph) in text.split("\n\n").enumerate() {
                @if at == 0 { h1 { (paragraph.trim_start_matches(['#', ' ', '\n'])) } }
                @else if let Some(head) = paragraph.trim().strip_prefix("## ") { h2 { (head) } }
                @else { p { (paragraph) } }
            }
            p { a href="/" { "Back to now" } }
        } }
    };
    let page = super::layout::Page {
        title: &code,
        place: "",
        live: false,
        reader: &super::layout::Reader::default(),
    };
    Ok(page.render(&body))
}
