//! The real OpenID Connect provider of the npm registry, with the accounts of `crates/access/tests/oidc/provider.mjs`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

/// A provider that answers. Gone with the value.
pub struct Provider {
    child: Child,
    /// It ends when this is closed.
    _commands: ChildStdin,
    /// What it calls itself: `http://localhost:PORT`, another site than a server at `127.0.0.1`.
    pub issuer: String,
}

/// What our client there has as its secret.
pub const SECRET: &str = "the secret of this client, long enough for HS256";

impl Provider {
    /// One that sends people back to `redirect`, or `None`, said by the name of what is left out, where `cargo xtask` has
    /// prepared none.
    ///
    /// # Panics
    /// It is there and does not start.
    pub fn start(what: &str, redirect: &str) -> Option<Self> {
        let Some(folder) = folder() else {
            eprintln!(
                "LEFT OUT: {what}: no identity provider; run through `cargo xtask test`, or set RESCIND_OIDC"
            );
            return None;
        };
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../crates/access/tests/oidc/provider.mjs"
        );
        let mut child = Command::new("node")
            .arg(script)
            .arg(folder)
            .args(["", redirect, "localhost"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("node starts");
        let commands = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        // What the package itself prints has no `@` in front.
        let issuer = lines.find_map(|line| line.expect("text").strip_prefix('@').map(str::to_owned));
        // It goes on printing: somebody has to take it.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            _commands: commands,
            issuer: issuer.expect("the provider says where it is"),
        })
    }

    /// End it without a word, and see it gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.end();
    }
}

fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("RESCIND_OIDC").map(PathBuf::from);
    let usual = std::env::current_exe()
        .ok()?
        .ancestors()
        .find(|folder| folder.ends_with("target"))?
        .join("oidc");
    let folder = given.unwrap_or(usual);
    let there = folder.join("node_modules/oidc-provider").exists();
    there.then_some(folder)
}
