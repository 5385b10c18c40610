//! Somebody who asks the server without a browser.

use crate::{Answer, Ask, Scenario, Served};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::Stdio;

/// The password of everybody here.
const PASSWORD: &str = "correct horse battery";

/// A person who is signed in by a cookie.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// `NAME=VALUE`
    pub cookie: String,
    /// What ties a request to the sign-in.
    pub csrf: String,
    port: u16,
}

impl Visitor {
    /// Add a person with these grants, and sign them in.
    ///
    /// # Panics
    /// Either is refused.
    #[track_caller]
    pub fn new(scenario: &Scenario, served: &Served, name: &str, grants: &[&str]) -> Self {
        let mut add = scenario.rescind(&["access", "user", "add", name, "--password-stdin", "--keep"]);
        for grant in grants {
            add.args(["--grant", grant]);
        }
        let mut child = add
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("rescind");
        let mut stdin = child.stdin.take().expect("a pipe");
        writeln!(stdin, "{PASSWORD}").expect("a password");
        drop(stdin);
        assert!(child.wait().expect("an end").success(), "{name} is not added");
        Self::sign_in(served, name)
    }

    /// Sign somebody in who is there.
    ///
    /// # Panics
    /// They are not let in.
    #[track_caller]
    pub fn sign_in(served: &Served, name: &str) -> Self {
        let form = format!("name={name}&password={}", PASSWORD.replace(' ', "+"));
        let port = served.port();
        let answer = Ask::new("POST", "/signin")
            .body("application/x-www-form-urlencoded", form)
            .of(port)
            .is(303);
        let cookie = answer.header("set-cookie").split(';').next().unwrap_or_default();
        let page = Ask::get("/me").header("cookie", cookie).of(port).is(200).text();
        let csrf = page
            .split_once("name=\"csrf\" value=\"")
            .and_then(|(_, rest)| rest.split_once('"'));
        Self {
            cookie: cookie.to_owned(),
            csrf: csrf.expect("a form").0.to_owned(),
            port,
        }
    }

    /// Ask as this person, as a page of ours would.
    #[track_caller]
    pub fn asks(&self, ask: Ask) -> Answer {
        ask.header("cookie", &self.cookie)
            .header("x-csrf", &self.csrf)
            .of(self.port)
    }

    /// A token of theirs: the token itself, and its id.
    ///
    /// # Panics
    /// It is refused.
    #[track_caller]
    pub fn token(&self, name: &str, grants: &[&str]) -> (String, String) {
        let made = self.asks(Ask::post(
            "/api/v1/me/tokens",
            &json!({"name": name, "grants": grants}),
        ));
        let made = made.is(201).json();
        let word = |value: &Value| value.as_str().expect("a text").to_owned();
        (word(&made["token"]), word(&made["info"]["id"]))
    }
}
