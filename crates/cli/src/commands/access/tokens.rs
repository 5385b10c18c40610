//! `rescind access token`: API tokens.

use super::{GrantArgs, failure};
use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::{Out, say};
use crate::text::{clean, local_time};
use clap::{Args, Subcommand};
use rescind_access::{Access, Authority, NewToken, TOKEN_DAYS, TokenInfo};
use rescind_model::Timestamp;
use serde_json::{Value, json};
use std::time::Duration;

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is printed once, and kept nowhere
    Add(AddArgs),
    /// List the tokens
    List,
    /// Revoke a token at once
    Revoke(RevokeArgs),
}

/// Arguments of `token add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// What it is called
    name: String,
    #[command(flatten)]
    grants: GrantArgs,
    /// How many days it lasts
    #[arg(long, default_value_t = TOKEN_DAYS, value_parser = clap::value_parser!(u64).range(1..=366))]
    days: u64,
}

/// Arguments of `token revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// Its id, as `rescind access token list` shows it
    id: String,
}

/// Do it.
///
/// # Errors
/// It can't be done.
pub fn run(context: &Context, access: &Access, by: &Authority, command: &TokenCommand) -> Done {
    let mut out = Out::new();
    match command {
        TokenCommand::Add(args) => {
            let new = NewToken {
                lasts: Duration::from_secs(args.days * 86_400),
                ..NewToken::new(&args.name, args.grants.all())
            };
            let made = access.make_token(by, &new).map_err(failure)?;
            if context.json {
                let mut value = as_json(&made.info);
                if let Some(object) = value.as_object_mut() {
                    object.insert("token".to_owned(), json!(made.secret.expose()));
                }
                out.json(&value)?;
            } else {
                say(format!(
                    "rescind: token {} is good until {}; this is the only time that it is shown",
                    made.info.id,
                    local_time(&made.info.expires.to_string())
                ));
                out.line(made.secret.expose())?;
            }
        }
        TokenCommand::List => {
            let tokens = access.tokens().map_err(failure)?;
            if context.json {
                for info in &tokens {
                    out.json(&as_json(info))?;
                }
            } else if tokens.is_empty() {
                out.line(
                    "there are no tokens; `rescind access token add NAME --grant ROLE:DOMAIN` makes one",
                )?;
            } else {
                let now = access.now();
                let rows: Vec<Vec<String>> = tokens.iter().map(|info| row(info, now)).collect();
                out.table(&["ID", "NAME", "OWNER", "STATE", "LAST USED", "GRANTS"], &rows)?;
            }
        }
        TokenCommand::Revoke(args) => {
            access.revoke_token(by, &args.id).map_err(failure)?;
            if context.json {
                out.json(&json!({"id": args.id, "revoked": true}))?;
            } else {
                out.line(format!("token {} is revoked", clean(&args.id)))?;
            }
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn row(info: &TokenInfo, now: Timestamp) -> Vec<String> {
    let state = if info.revoked.is_some() {
        "revoked".to_owned()
    } else if info.expires <= now {
        "ended".to_owned()
    } else {
        format!("until {}", local_time(&info.expires.to_string()))
    };
    let used = info.used.map(|used| local_time(&used.to_string()));
    vec![
        info.id.clone(),
        info.name.clone(),
        info.owner
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string),
        state,
        used.unwrap_or_else(|| "never".to_owned()),
        grants(info).join(" "),
    ]
}

fn grants(info: &TokenInfo) -> Vec<String> {
    info.grants.iter().map(ToString::to_string).collect()
}

fn as_json(info: &TokenInfo) -> Value {
    json!({
        "id": info.id,
        "name": info.name,
        "owner": info.owner.as_ref().map(ToString::to_string),
        "made_by": info.made_by,
        "grants": grants(info),
        "made": info.made.to_string(),
        "expires": info.expires.to_string(),
        "used": info.used.map(|time| time.to_string()),
        "revoked": info.revoked.map(|time| time.to_string()),
    })
}
