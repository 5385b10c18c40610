//! Finding the binary under test.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The `rescind` that belongs to this test run: `RESCIND_BIN`, else the one in the target directory of the running
/// test, built first if it isn't up to date.
///
/// # Panics
/// It can't be built.
pub fn rescind_binary() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(find).clone()
}

fn find() -> PathBuf {
    if let Some(given) = std::env::var_os("RESCIND_BIN") {
        let path = PathBuf::from(given);
        assert!(
            path.is_file(),
            "RESCIND_BIN names `{}`, which is no file",
            path.display()
        );
        return path;
    }
    let test = std::env::current_exe().expect("the test's own path");
    let profile = test
        .ancestors()
        .find(|dir| dir.join("deps").is_dir())
        .expect("a target directory around the test");
    let mut build = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build
        .args(["build", "--quiet", "--package", "rescind"])
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile.ends_with("release") {
        build.arg("--release");
    }
    let status = build.status().expect("cargo starts");
    let path = profile.join("rescind");
    assert!(
        status.success() && path.is_file(),
        "`cargo build --package rescind` made no `{}`",
        path.display()
    );
    path
}
