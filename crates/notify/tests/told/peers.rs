//! Other people's programs, from PyPI: a mail server and libraries that verify. `RESCIND_SMTPD` is the folder that
//! `cargo xtask test` has prepared.

use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};

/// The Python that has them, or `None`, said by the name of what is left out.
pub fn python(what: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RESCIND_SMTPD").map(PathBuf::from);
    let folder =
        folder.unwrap_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/smtpd")));
    let python = folder.join("bin/python3");
    if python.exists() {
        return Some(python);
    }
    eprintln!("LEFT OUT: {what}: no aiosmtpd; run through `cargo xtask test`, or set RESCIND_SMTPD");
    None
}

fn script(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/told")).join(name)
}

/// What other people's libraries make of a webhook; fails where they refuse it.
pub fn verified(python: &PathBuf, given: &Value) -> Result<Value, String> {
    let mut child = Command::new(python)
        .arg(script("verify.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(given.to_string().as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    if output.status.success() {
        return Ok(serde_json::from_slice(&output.stdout).unwrap());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A real mail server of its own.
pub struct MailServer {
    child: Child,
    pub port: u16,
    got: Arc<(Mutex<Vec<Value>>, Condvar)>,
}

impl MailServer {
    pub fn start(python: &PathBuf, options: &Value) -> Self {
        let mut child = Command::new(python)
            .arg(script("smtpd.py"))
            .arg(options.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().expect("a port").unwrap().parse().unwrap();
        let got: Arc<(Mutex<Vec<Value>>, Condvar)> = Arc::default();
        let own = Arc::clone(&got);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let (mails, changed) = &*own;
                mails.lock().unwrap().push(serde_json::from_str(&line).unwrap());
                changed.notify_all();
            }
        });
        Self { child, port, got }
    }

    /// Wait until so many mails came.
    pub fn wait(&self, count: usize) -> Vec<Value> {
        let (mails, changed) = &*self.got;
        let (mails, late) = changed
            .wait_timeout_while(mails.lock().unwrap(), super::receiver::LIMIT, |mails| {
                mails.len() < count
            })
            .unwrap();
        assert!(!late.timed_out(), "{} of {count} mails came", mails.len());
        mails.clone()
    }

    pub fn got(&self) -> Vec<Value> {
        self.got.0.lock().unwrap().clone()
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
