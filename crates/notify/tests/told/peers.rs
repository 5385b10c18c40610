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

/// A certificate for `localhost` that signs itself, and its key.
pub fn certificate(place: &super::place::Place) -> (String, String) {
    let (certificate, key) = (place.path("certificate"), place.path("tls-key"));
    let output = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    (certificate.display().to_string(), key.display().to_string())
}

/// A server of its own: what it says is a line of JSON for each thing it took.
pub struct Server {
    child: Child,
    pub port: u16,
    got: Arc<(Mutex<Vec<Value>>, Condvar)>,
}

impl Server {
    /// A mail server with the options that `smtpd.py` names.
    pub fn mail(python: &PathBuf, options: &Value) -> Self {
        Self::start(
            Command::new(python)
                .arg(script("smtpd.py"))
                .arg(options.to_string()),
        )
    }

    /// A web server with TLS.
    pub fn https(python: &PathBuf, certificate: &str, key: &str) -> Self {
        Self::start(
            Command::new(python)
                .arg(script("httpsd.py"))
                .args([certificate, key]),
        )
    }

    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
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

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
