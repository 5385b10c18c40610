//! `rescind exec`: one command under supervision, for an agent's program that runs by itself.
//!
//! It is what a hook makes of a shell call. Inside a supervised tree the command joins it, like `rescind run` does.

use super::bounds::BoundsArgs;
use super::calls;
use super::hook::limits;
use super::run::RunArgs;
use clap::Args;
use rescind_supervisor::Home;
use rescind_supervisor::journal::ClientForm;
use std::ffi::OsString;

/// Arguments of `rescind exec`.
#[derive(Debug, Clone, Args)]
pub struct ExecArgs {
    /// Why this is done, for the record; the variable `RESCIND_REASON` says the same
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The name of the agent that acts
    #[arg(long, value_name = "NAME")]
    pub agent: Option<String>,
    /// What the agent's program calls its session
    #[arg(long, value_name = "CLIENT_SESSION")]
    pub session_of: Option<String>,
    /// The call of which the hook has left word in the state directory
    #[arg(long, hide = true, value_name = "KEY")]
    pub call: Option<String>,
    /// It is a subagent's
    #[arg(long, hide = true)]
    pub subagent: bool,
    /// What it may do.
    #[command(flatten)]
    pub bounds: BoundsArgs,
    /// The command
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        required = true,
        value_name = "CMD"
    )]
    pub command: Vec<OsString>,
}

/// Run the command. Returns its exit code in the front, as [`super::run::run`] does.
#[must_use]
pub fn run(args: &ExecArgs) -> i32 {
    // What the hook knows of the call may be gone; who acts is on the command line all the same.
    let home = Home::from_environment().ok();
    let told = args.call.as_ref().zip(home);
    let told = told
        .and_then(|(key, home)| calls::take(&home, key))
        .unwrap_or_default();
    let mut client = told.client;
    if let Some(agent) = &args.agent {
        client.client.clone_from(agent);
    }
    if let Some(session) = &args.session_of {
        client.session.clone_from(session);
    }
    let narrower = match limits::layers(&client.client, args.subagent || client.subagent.is_some()) {
        Ok(narrower) => narrower,
        Err(failure) => {
            failure.means("nothing was started").report(false);
            return 125;
        }
    };
    super::run::run(&RunArgs {
        reason: args.reason.clone().or(told.reason),
        bounds: args.bounds.clone(),
        narrower,
        client: Some(ClientForm { n: 0, ..client }),
        ..RunArgs::of(args.command.clone())
    })
}
