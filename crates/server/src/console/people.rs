//! People and tokens, for admins.

use super::layout::csrf;
use super::parts::{Level, chip, clean, moment};
use super::{Looking, PageError};
use crate::api::people::{grants, name};
use crate::app::{Shared, blocking};
use crate::extract::Form;
use crate::problem::Problem;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use rescind_access::{Authority, Grants, NewPerson, PersonInfo, Role, TokenInfo};
use serde::Deserialize;

fn must_manage(looking: &Looking) -> Result<(), Problem> {
    if looking.actor.grants().anywhere(Role::Admin) {
        Ok(())
    } else {
        Err(Problem::forbidden(format!(
            "{} has not the role admin",
            looking.actor.label()
        )))
    }
}

/// The page.
///
/// # Errors
/// Who looks is no admin.
pub async fn page(State(app): State<Shared>, looking: Looking) -> Result<Markup, PageError> {
    must_manage(&looking)?;
    let (people, tokens) = blocking(&app, |app| Ok((app.access.people()?, app.access.tokens()?))).await?;
    let body = html! {
        h1 { "People" }
        div.two {
            section.panel {
                div.panel-head { h2 { "Who may sign in" } }
                ul.steps.panel-body { @for person in &people { (one_person(&looking, person)) } }
            }
            div.stack {
                (add_panel(&looking))
                (token_panel(&looking, &tokens))
            }
        }
    };
    Ok(looking.page("People", "/people", false, &body))
}

fn granted(grants: &Grants) -> Markup {
    html! {
        @for grant in grants.iter() { (chip(&grant.to_string(), Level::Plain)) " " }
    }
}

fn one_person(looking: &Looking, person: &PersonInfo) -> Markup {
    let id = format!("g-{}", person.name);
    html! {
        li {
            strong { (person.name) }
            @if person.disabled { (chip("disabled", Level::Bad)) }
            @if person.must_change_password { (chip("must change the password", Level::Warn)) }
            @if let Some(issuer) = &person.issuer { span.soft { "at " (clean(issuer)) } }
            span { (granted(&person.grants)) }
            details.grow {
                summary.small { "Change" span.hidden { " " (person.name) } }
                form.row method="post" action="/people/change" {
                    (csrf(&looking.reader))
                    input type="hidden" name="name" value=(person.name);
                    label.hidden for=(id) { "Grant, such as operator:payments" }
                    input.grow #(id) name="grant" placeholder="operator:payments" autocomplete="off";
                    button.tiny name="what" value="grant" { "Grant" }
                    button.tiny name="what" value="revoke" { "Take" }
                    @if person.disabled {
                        button.tiny name="what" value="enable" { "Let in again" }
                    } @else {
                        button.tiny.danger name="what" value="disable" { "Let in no more" }
                    }
                }
            }
        }
    }
}

fn add_panel(looking: &Looking) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Add somebody" } }
            form.panel-body.stack method="post" action="/people" {
                (csrf(&looking.reader))
                div.field { label for="a-name" { "Name " span.hint { "(that of the machine's user, where they start sessions)" } } input #a-name name="name" required maxlength="64" autocomplete="off" autocapitalize="none"; }
                div.field { label for="a-password" { "A first password " span.hint { "(they change it)" } } input #a-password type="password" name="password" required minlength="12" autocomplete="new-password"; }
                div.field { label for="a-grants" { "May " span.hint { "(viewer, reviewer, operator or admin, of a domain or of *)" } } input #a-grants name="grants" value="reviewer:*" required autocomplete="off"; }
                div.row { button.act { "Add" } }
            }
        }
    }
}

fn token_panel(looking: &Looking, tokens: &[TokenInfo]) -> Markup {
    html! {
        section.panel {
            div.panel-head { h2 { "Tokens of everybody" } }
            @if tokens.is_empty() { p.empty { "There are none." } }
            ul.steps.panel-body { @for token in tokens { li {
                strong { (clean(&token.name)) }
                span.soft { @if let Some(owner) = &token.owner { "of " (owner) } @else { "of nobody" } ", until " (moment(&token.expires.to_string())) }
                span { (granted(&token.grants)) }
                form method="post" action="/people/tokens/revoke" {
                    (csrf(&looking.reader))
                    input type="hidden" name="id" value=(token.id);
                    button.tiny.danger { "Revoke" span.hidden { " " (clean(&token.name)) } }
                }
            } } }
        }
    }
}

/// Somebody new.
#[derive(Debug, Deserialize)]
pub struct AddForm {
    csrf: String,
    name: String,
    password: String,
    grants: String,
}

fn list(text: &str) -> Vec<String> {
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

/// Add somebody.
///
/// # Errors
/// Who asks may not, or the name is taken.
pub async fn add(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<AddForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    must_manage(&looking)?;
    let new = NewPerson {
        name: name(&sent.name)?,
        grants: grants(&list(&sent.grants))?,
        must_change_password: true,
    };
    let by = Authority::Actor(looking.actor);
    blocking(&app, move |app| {
        Ok(app.access.add_person(&by, &new, &sent.password)?)
    })
    .await?;
    Ok(Redirect::to("/people").into_response())
}

/// What is to be changed of somebody.
#[derive(Debug, Deserialize)]
pub struct ChangeForm {
    csrf: String,
    name: String,
    what: String,
    #[serde(default)]
    grant: String,
}

/// Change somebody.
///
/// # Errors
/// Who asks may not.
pub async fn change(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<ChangeForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    must_manage(&looking)?;
    let person = name(&sent.name)?;
    let named = grants(&list(&sent.grant))?;
    let by = Authority::Actor(looking.actor);
    blocking(&app, move |app| {
        let access = &app.access;
        match sent.what.as_str() {
            "disable" => access.disable_person(&by, &person)?,
            "enable" => access.enable_person(&by, &person)?,
            "grant" => named
                .iter()
                .try_for_each(|grant| access.grant(&by, &person, grant))?,
            "revoke" => named
                .iter()
                .try_for_each(|grant| access.revoke_grant(&by, &person, grant))?,
            _ => return Err(Problem::bad("choose what is to be changed")),
        }
        Ok(())
    })
    .await?;
    Ok(Redirect::to("/people").into_response())
}

/// A token that is to be revoked.
#[derive(Debug, Deserialize)]
pub struct RevokeForm {
    csrf: String,
    id: String,
}

/// Revoke anybody's token.
///
/// # Errors
/// Who asks may not.
pub async fn revoke(
    State(app): State<Shared>,
    looking: Looking,
    Form(sent): Form<RevokeForm>,
) -> Result<Response, PageError> {
    looking.sent(&app, &sent.csrf)?;
    must_manage(&looking)?;
    let by = Authority::Actor(looking.actor);
    blocking(&app, move |app| Ok(app.access.revoke_token(&by, &sent.id)?)).await?;
    Ok(Redirect::to("/people").into_response())
}
