//! `rescind access user`: people who sign in.

use super::secret::new_password;
use super::{GrantArgs, failure};
use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::Out;
use crate::text::clean;
use clap::{Args, Subcommand};
use rescind_access::{Access, Authority, Grant, NewPerson, PersonInfo, PersonName};
use serde_json::{Value, json};

/// What can be done with people.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Add a person; the password is asked for, and has to be changed at the first sign-in
    Add(AddArgs),
    /// List the people
    List,
    /// Let a person in no more: sign-ins end at once, tokens of theirs are refused
    Disable(NameArgs),
    /// Let a person in again
    Enable(NameArgs),
    /// Give a person a new password: all their sign-ins end
    Password(PasswordArgs),
    /// Grant a person a role on a domain
    Grant(OneArgs),
    /// Take a grant back
    RevokeGrant(OneArgs),
}

/// Arguments of `user add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// `a-z`, `0-9`, `.`, `_`, `-`: the login name on the machines where the person starts sessions
    name: PersonName,
    #[command(flatten)]
    grants: GrantArgs,
    #[command(flatten)]
    password: FromArgs,
}

/// Arguments of `user password`.
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// Whose
    name: PersonName,
    #[command(flatten)]
    password: FromArgs,
}

/// Where a password comes from, and what becomes of it.
#[derive(Debug, Args)]
struct FromArgs {
    /// Read the password from the standard input, up to the end of its first line
    #[arg(long)]
    password_stdin: bool,
    /// The person may keep it: they chose it themselves
    #[arg(long)]
    keep: bool,
}

/// A person.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// Who
    name: PersonName,
}

/// A person and a grant.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// Who
    name: PersonName,
    /// A role on a domain and all below it, as in `operator:payments` or `viewer:*`
    #[arg(value_name = "ROLE:DOMAIN")]
    grant: Grant,
}

/// Do it.
///
/// # Errors
/// It can't be done.
pub fn run(context: &Context, access: &Access, by: &Authority, command: &UserCommand) -> Done {
    match command {
        UserCommand::List => return list(context, access),
        UserCommand::Add(args) => {
            let new = NewPerson {
                name: args.name.clone(),
                grants: args.grants.all(),
                must_change_password: !args.password.keep,
            };
            let password = new_password(args.password.password_stdin)?;
            access.add_person(by, &new, password.expose()).map_err(failure)?;
            return say(context, access, &args.name, "added");
        }
        UserCommand::Password(args) => {
            access.person(&args.name).map_err(failure)?;
            let password = new_password(args.password.password_stdin)?;
            access
                .set_password(by, &args.name, password.expose(), !args.password.keep)
                .map_err(failure)?;
            return say(context, access, &args.name, "has a new password");
        }
        UserCommand::Disable(args) => access.disable_person(by, &args.name),
        UserCommand::Enable(args) => access.enable_person(by, &args.name),
        UserCommand::Grant(args) => access.grant(by, &args.name, &args.grant),
        UserCommand::RevokeGrant(args) => access.revoke_grant(by, &args.name, &args.grant),
    }
    .map_err(failure)?;
    match command {
        UserCommand::Disable(args) => say(
            context,
            access,
            &args.name,
            "is disabled: nothing of theirs works any more",
        ),
        UserCommand::Enable(args) => say(context, access, &args.name, "may sign in again"),
        UserCommand::Grant(args) | UserCommand::RevokeGrant(args) => {
            say(context, access, &args.name, "has other grants from now on")
        }
        UserCommand::Add(_) | UserCommand::List | UserCommand::Password(_) => Ok(Exit::Ok),
    }
}

/// The person as they are now.
fn say(context: &Context, access: &Access, name: &PersonName, what: &str) -> Done {
    let info = access.person(name).map_err(failure)?;
    let mut out = Out::new();
    if context.json {
        out.json(&as_json(&info))?;
    } else {
        out.line(format!("{name} {what} ({})", grants(&info)))?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn list(context: &Context, access: &Access) -> Done {
    let people = access.people().map_err(failure)?;
    let mut out = Out::new();
    if context.json {
        for info in &people {
            out.json(&as_json(info))?;
        }
    } else if people.is_empty() {
        out.line("nobody can sign in; `rescind access user add NAME --grant ROLE:DOMAIN` adds a person")?;
    } else {
        let rows: Vec<Vec<String>> = people.iter().map(row).collect();
        out.table(&["NAME", "STATE", "SIGNS IN", "GRANTS"], &rows)?;
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn row(info: &PersonInfo) -> Vec<String> {
    let state = match (info.disabled, info.must_change_password) {
        (true, _) => "disabled".to_owned(),
        (false, true) => "must change password".to_owned(),
        (false, false) => "active".to_owned(),
    };
    vec![
        info.name.to_string(),
        state,
        info.issuer.as_deref().map_or_else(|| "here".to_owned(), clean),
        grants(info),
    ]
}

fn grants(info: &PersonInfo) -> String {
    let texts: Vec<String> = info.grants.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        "no grants".to_owned()
    } else {
        texts.join(" ")
    }
}

fn as_json(info: &PersonInfo) -> Value {
    json!({
        "name": info.name.as_str(),
        "shown": info.shown,
        "email": info.email,
        "issuer": info.issuer,
        "disabled": info.disabled,
        "must_change_password": info.must_change_password,
        "grants": info.grants.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "made": info.made.to_string(),
    })
}
