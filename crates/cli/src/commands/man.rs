//! `rescind man`: the manual.

use crate::cli::Cli;
use crate::error::Done;
use crate::exit::Exit;
use clap::{Args, CommandFactory as _};
use std::io::Write as _;
use std::path::PathBuf;

/// Arguments of `rescind man`.
#[derive(Debug, Clone, Args)]
pub struct ManArgs {
    /// Write a page for every command into this folder
    pub folder: Option<PathBuf>,
}

/// Print the page, or write them all.
///
/// # Errors
/// The folder or stdout can't be written.
pub fn run(args: &ManArgs) -> Done {
    match &args.folder {
        Some(folder) => {
            std::fs::create_dir_all(folder)?;
            clap_mangen::generate_to(Cli::command(), folder)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            std::io::stdout().write_all(&page)?;
        }
    }
    Ok(Exit::Ok)
}
