//! `rescind access`: people, API tokens, agents' tokens. For the machine's own administrators: it takes the right to write
//! the state directory, and a process outside every session.

mod agents;
mod people;
mod secret;
mod tokens;

use crate::context::Context;
use crate::error::{Code, Done, Failure};
use crate::person::person;
use clap::{Args, Subcommand};
use rescind_access::{Access, AccessError, Authority, Change, Grant, Grants, RecordError};
use rescind_model::chain;
use rescind_supervisor::entry::EntryKind;
use rescind_supervisor::{Store, own};
use std::sync::Arc;

/// Arguments of `rescind access`.
#[derive(Debug, Args)]
pub struct AccessArgs {
    #[command(subcommand)]
    what: AccessCommand,
}

#[derive(Debug, Subcommand)]
enum AccessCommand {
    /// People who sign in
    #[command(subcommand)]
    User(people::UserCommand),
    /// API tokens
    #[command(subcommand)]
    Token(tokens::TokenCommand),
    /// Agents' tokens
    #[command(subcommand)]
    Agent(agents::AgentCommand),
}

/// What is granted.
#[derive(Debug, Clone, Args)]
struct GrantArgs {
    /// A role on a domain and all below it, as in `operator:payments` or `viewer:*`; may be repeated
    #[arg(long = "grant", value_name = "ROLE:DOMAIN")]
    grants: Vec<Grant>,
}

impl GrantArgs {
    fn all(&self) -> Grants {
        Grants::new(self.grants.iter().cloned())
    }
}

/// Run one of them.
///
/// # Errors
/// It is given from within a session, the store can't be used, or what is asked can't be done.
pub fn run(context: &Context, args: &AccessArgs) -> Done {
    let access = open(context.store_outside()?)?;
    let by = Authority::Machine(person());
    match &args.what {
        AccessCommand::User(command) => people::run(context, &access, &by, command),
        AccessCommand::Token(command) => tokens::run(context, &access, &by, command),
        AccessCommand::Agent(command) => agents::run(context, &access, &by, command),
    }
}

/// The file, with every change entered into the ledger before it is made.
///
/// # Errors
/// It can't be opened.
pub fn open(store: Store) -> Done<Access> {
    let folder = store.home().root().join("control");
    own::folder(&folder).map_err(|error| {
        let message = format!("`{}` can't be made: {error}", folder.display());
        Failure::new(Code::AccessUnusable, message)
    })?;
    let recorder = move |change: &Change| -> Result<(), RecordError> {
        Ok(store.note_control(EntryKind::AccessChanged, change.json().to_string())?)
    };
    Access::open(&folder.join("access.db"), Arc::new(recorder)).map_err(failure)
}

fn failure(error: AccessError) -> Failure {
    let message = chain(&error);
    match &error {
        AccessError::NoSuch { .. } => Failure::new(Code::NoSuchAccess, message)
            .help("`rescind access user list`, `token list` and `agent list` show what there is"),
        AccessError::NotRecorded { .. } => {
            Failure::new(Code::LedgerUnusable, message).help("`rescind verify` looks at all of it")
        }
        AccessError::Store { .. } | AccessError::File { .. } | AccessError::Damaged { .. } => {
            Failure::new(Code::AccessUnusable, message)
        }
        _ => Failure::new(Code::AccessRefused, message),
    }
}
