//! `rescind hook`: connect a coding agent's program, and answer it.

mod answering;
mod judging;
pub mod limits;
mod settings;

use super::keeper;
use crate::context::Context;
use crate::error::Done;
use crate::exit::Exit;
use clap::{Args, Subcommand, ValueEnum};
use rescind_hooks::{Client, Scope};

/// Arguments of `rescind hook`.
#[derive(Debug, Clone, Args)]
pub struct HookArgs {
    /// What to do
    #[command(subcommand)]
    pub command: HookCommand,
}

/// The commands of hooks.
#[derive(Debug, Clone, Subcommand)]
pub enum HookCommand {
    /// Put the hook into a client's settings, or take it out
    Install(InstallArgs),
    /// Answer Claude Code: what it tells comes on standard input
    ClaudeCode,
    /// Answer Codex
    Codex,
    /// Answer Gemini CLI
    Gemini,
    /// Answer Cursor
    Cursor,
    /// Answer Cline
    Cline,
    /// Keep the files of one call: what a hook starts.
    #[command(hide = true)]
    Keep,
}

/// Arguments of `rescind hook install`.
#[derive(Debug, Clone, Args)]
pub struct InstallArgs {
    /// The client
    #[arg(value_enum)]
    pub client: ClientName,
    /// For this project only: in its folder, where others who work on it get it, too
    #[arg(long, conflicts_with = "user")]
    pub project: bool,
    /// For all that you do (the default)
    #[arg(long)]
    pub user: bool,
    /// Print what would be written, and write nothing
    #[arg(long)]
    pub print: bool,
    /// Take the hook out again
    #[arg(long)]
    pub remove: bool,
}

/// A client, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum ClientName {
    /// Anthropic's Claude Code
    ClaudeCode,
    /// OpenAI's Codex CLI
    Codex,
    /// Google's Gemini CLI
    Gemini,
    /// Cursor
    Cursor,
    /// Cline
    Cline,
}

impl From<ClientName> for Client {
    fn from(name: ClientName) -> Self {
        match name {
            ClientName::ClaudeCode => Self::ClaudeCode,
            ClientName::Codex => Self::Codex,
            ClientName::Gemini => Self::Gemini,
            ClientName::Cursor => Self::Cursor,
            ClientName::Cline => Self::Cline,
        }
    }
}

/// Do it.
///
/// # Errors
/// Settings can't be read or written, or are not what the client documents. An answer to a client is never an error here:
/// it says no in the client's own words.
pub fn run(context: &Context, args: &HookArgs) -> Done {
    let client = match &args.command {
        HookCommand::Install(install) => {
            let scope = if install.project {
                Scope::Project
            } else {
                Scope::User
            };
            return settings::install(context, install.client.into(), scope, install);
        }
        HookCommand::Keep => return Ok(Exit::Agent(keeper::run())),
        HookCommand::ClaudeCode => Client::ClaudeCode,
        HookCommand::Codex => Client::Codex,
        HookCommand::Gemini => Client::Gemini,
        HookCommand::Cursor => Client::Cursor,
        HookCommand::Cline => Client::Cline,
    };
    Ok(Exit::Agent(answering::answer(client)))
}
