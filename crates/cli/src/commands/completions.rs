//! `rescind completions`: completions for a shell.

use crate::cli::Cli;
use crate::error::Done;
use crate::exit::Exit;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use std::io::Write as _;

/// Arguments of `rescind completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// Print them.
///
/// # Errors
/// stdout can't be written.
pub fn run(args: &CompletionsArgs) -> Done {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "rescind", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Exit::Ok)
}
