//! `cargo xtask test`: what CI runs. The runner's own summary comes last.

use crate::Failure;
use crate::machine;
use crate::part::{self, cargo};

/// Check format and lints, build the documentation, run every test.
///
/// # Errors
/// The first part that failed.
pub fn run() -> Result<(), Failure> {
    machine::prepare()?;
    let counterparts = machine::counterparts();
    part::run("format", &mut cargo(&["fmt", "--all", "--check"]))?;
    part::run(
        "build",
        &mut cargo(&["build", "--workspace", "--all-targets", "--quiet"]),
    )?;
    part::run(
        "lints",
        &mut cargo(&[
            "clippy",
            "--workspace",
            "--all-targets",
            "--quiet",
            "--",
            "-D",
            "warnings",
        ]),
    )?;
    let mut docs = cargo(&["doc", "--workspace", "--no-deps", "--quiet"]);
    part::run("documentation", docs.env("RUSTDOCFLAGS", "-D warnings"))?;
    let with_nextest = part::have("cargo-nextest");
    if with_nextest {
        part::run(
            "documentation's examples",
            &mut cargo(&["test", "--workspace", "--doc", "--quiet"]),
        )?;
    }
    let mut tests = match with_nextest {
        true => cargo(&[
            "nextest",
            "run",
            "--workspace",
            "--config-file",
            "tests/nextest.toml",
            "--no-fail-fast",
        ]),
        false => cargo(&["test", "--workspace", "--no-fail-fast"]),
    };
    tests.env("RESCIND_BIN", part::target().join("debug/rescind"));
    tests.envs(counterparts);
    println!("== tests");
    let status = tests.status()?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the tests failed ({status})").into())
    }
}
