//! `rescind access agent`: agents' tokens.

use super::failure;
use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use crate::out::Out;
use crate::text::{clean, count, local_time};
use clap::{Args, Subcommand};
use rescind_access::{Access, AgentInfo, Authority};
use rescind_model::{SessionId, Timestamp};
use serde_json::{Value, json};

/// What can be done with agents' tokens.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// List the tokens
    List(ListArgs),
    /// Revoke a token with all below it, or all of a session for good, at once
    Revoke(RevokeArgs),
}

/// Arguments of `agent list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this session's, by its whole id
    #[arg(long)]
    session: Option<SessionId>,
}

/// Arguments of `agent revoke`.
#[derive(Debug, Args)]
pub struct RevokeArgs {
    /// A token's id, as `rescind access agent list` shows it, or a session's whole id
    #[arg(value_name = "ID|SESSION")]
    what: String,
}

/// Do it.
///
/// # Errors
/// It can't be done.
pub fn run(context: &Context, access: &Access, by: &Authority, command: &AgentCommand) -> Done {
    let mut out = Out::new();
    match command {
        AgentCommand::List(args) => {
            let agents = access.agents(args.session.as_ref()).map_err(failure)?;
            if context.json {
                for info in &agents {
                    out.json(&as_json(info))?;
                }
            } else if agents.is_empty() {
                out.line("no agent has a token")?;
            } else {
                let now = access.now();
                let rows: Vec<Vec<String>> = agents.iter().map(|info| row(info, now)).collect();
                out.table(
                    &["ID", "SESSION", "AGENT", "DOMAIN", "BELOW", "STATE", "MAY"],
                    &rows,
                )?;
            }
        }
        AgentCommand::Revoke(args) => {
            // A token's id has 16 characters, a session's 13.
            let gone = match args.what.parse::<SessionId>() {
                Ok(session) => access.revoke_session(by, &session),
                Err(_) => access.revoke_agent(by, &args.what),
            };
            let gone = gone.map_err(failure)?;
            if context.json {
                out.json(&json!({"what": args.what, "revoked": gone}))?;
            } else {
                out.line(format!(
                    "{}: {} revoked",
                    clean(&args.what),
                    count(gone as u64, "token", "tokens")
                ))?;
            }
        }
    }
    out.end()?;
    Ok(Exit::Ok)
}

fn row(info: &AgentInfo, now: Timestamp) -> Vec<String> {
    let state = if info.revoked.is_some() {
        "revoked".to_owned()
    } else if info.expires <= now {
        "ended".to_owned()
    } else {
        format!("until {}", local_time(&info.expires.to_string()))
    };
    vec![
        info.id.clone(),
        info.session.to_string(),
        info.agent.clone(),
        clean(&info.domain),
        info.parent.clone().unwrap_or_default(),
        state,
        clean(&info.scopes.to_string()),
    ]
}

fn as_json(info: &AgentInfo) -> Value {
    json!({
        "id": info.id,
        "session_id": info.session.as_str(),
        "agent": info.agent,
        "domain": info.domain,
        "parent": info.parent,
        "scopes": info.scopes.to_string(),
        "made": info.made.to_string(),
        "expires": info.expires.to_string(),
        "revoked": info.revoked.map(|time| time.to_string()),
    })
}
