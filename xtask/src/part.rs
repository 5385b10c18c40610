//! Running a command as one part of the work, with its time.

use crate::Failure;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The repository.
pub fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Where cargo builds.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| repository().join("target"), PathBuf::from)
}

/// A command in the repository.
pub fn command(program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(repository())
        .stdin(Stdio::null());
    command
}

/// The cargo that runs us.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    command(&cargo, arguments)
}

/// Whether a program can be found.
pub fn have(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// Run a part to its end and say how long it took.
///
/// # Errors
/// It can't be started, or fails.
pub fn run(name: &str, command: &mut Command) -> Result<(), Failure> {
    println!("== {name}");
    let start = Instant::now();
    let status = command.status().map_err(|error| format!("{name}: {error}"))?;
    println!(
        "== {name}: {} in {:.1} s",
        if status.success() { "ok" } else { "FAILED" },
        start.elapsed().as_secs_f64()
    );
    if status.success() {
        Ok(())
    } else {
        Err(format!("{name} failed ({status})").into())
    }
}
