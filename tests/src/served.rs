//! `rescind serve`, running.

use crate::{Scenario, until};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

/// A server of a scenario's state directory. Ended with the value.
pub struct Served {
    child: Child,
    /// Where it is: `http://127.0.0.1:PORT`.
    pub url: String,
    /// The token that is printed once, at the first start; else empty.
    pub token: String,
}

impl Served {
    /// Start it on a free port, with more arguments.
    ///
    /// # Panics
    /// It does not start.
    #[track_caller]
    pub fn start(scenario: &Scenario, more: &[&str]) -> Self {
        Self::on(scenario, 0, more)
    }

    /// Start it on this port: where it was before.
    #[track_caller]
    pub fn on(scenario: &Scenario, port: u16, more: &[&str]) -> Self {
        let port = port.to_string();
        let mut command = scenario.rescind(&["serve", "--port", &port, "--json"]);
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(scenario.scratch().join("serve.log"))
            .expect("a log");
        let mut child = command
            .args(more)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("a pipe"))
            .read_line(&mut line)
            .expect("a line");
        let said: Value = serde_json::from_str(&line).unwrap_or_else(|error| {
            let log = std::fs::read_to_string(scenario.scratch().join("serve.log")).unwrap_or_default();
            panic!("`rescind serve` said `{line}`: {error}\n{log}")
        });
        let word = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Self {
            child,
            url: word("url").trim_end_matches('/').to_owned(),
            token: word("admin_token"),
        }
    }

    /// The address of one of its pages.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        let port = self.url.rsplit(':').next().and_then(|port| port.parse().ok());
        port.expect("an address with a port")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kill it without a word, and see it gone.
    pub fn kill(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }

    /// Ask it to end, and wait until it has. Whether it ended well.
    pub fn stop(mut self) -> bool {
        crate::kill(i32::try_from(self.child.id()).expect("a pid"), libc::SIGTERM);
        let status = until("the server's end", Duration::from_secs(30), || {
            self.child.try_wait().expect("a child of ours")
        });
        status.success()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.end();
    }
}
