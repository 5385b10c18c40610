//! The API, given whatever its own document allows, and what it does not (schemathesis).

use crate::holds::{configure, place};
use rescind_scenarios::{Ask, Outcome, Scenario, Seed, Served, Visitor, count, proved, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(60);

/// What answers must be: no fault of the server's, and as the document says.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

/// A server with something in it, for each run a new one: what is fuzzed includes kills, undos and people.
struct Target {
    scenario: Scenario,
    served: Served,
    running: Child,
    session: String,
    action: String,
}

impl Target {
    fn new() -> Self {
        let scenario = place();
        configure(
            &scenario,
            "server.toml",
            "[limits]\nrequests_per_minute = 100000000\n[log]\nformat = \"json\"\nlevel = \"debug\"\n",
        );
        scenario.run("echo one > file; date > date; mkdir d; seq 100 > d/n; rm file");
        let served = Served::start(&scenario, &[]);
        let mut command = scenario.rescind(&[
            "run", "--domain", "payments", "--agent", "alpha", "--", "sh", "-c",
        ]);
        command.arg("kubectl delete ns drone");
        let running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let action = until("a hold", SOON, || {
            let holds = Ask::get("/api/v1/holds")
                .token(&served.token)
                .of(served.port())
                .json();
            holds["items"][0]["action"].as_str().map(str::to_owned)
        });
        Self {
            session: action.split_once('.').expect("a number").0.to_owned(),
            action,
            running: running.expect("a supervisor"),
            scenario,
            served,
        }
    }

    fn agent(&self) -> String {
        let path = format!("/api/v1/sessions/{}/tokens", self.session);
        let made = until("a session", SOON, || {
            let answer = Ask::post(&path, &json!({"seconds": 3600}))
                .token(&self.served.token)
                .of(self.served.port());
            (answer.status == 201).then(|| answer.json())
        });
        made["token"].as_str().expect("a token").to_owned()
    }

    /// The operations that did something for whoever asked: in the server's own words.
    fn reached(&self) -> BTreeSet<String> {
        let log = std::fs::read_to_string(self.scenario.scratch().join("serve.log")).expect("a log");
        let lines = log
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let answers = lines.map(|line| line["fields"].clone());
        let good = answers.filter(|fields| matches!(fields["status"].as_u64(), Some(200..300)));
        good.map(|fields| format!("{} {}", fields["method"], fields["route"]))
            .collect()
    }

    /// What the server said last, for when something went wrong.
    fn last_lines(&self) -> String {
        let log = std::fs::read_to_string(self.scenario.scratch().join("serve.log")).expect("a log");
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }

    fn end(mut self) {
        let log = std::fs::read_to_string(self.scenario.scratch().join("serve.log")).expect("a log");
        let faults: Vec<&str> = log
            .lines()
            .filter(|line| line.contains("panic") || line.contains("broke the server's own rules"))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
        Ask::get("/healthz").of(self.served.port()).is(200);
        assert!(self.served.stop(), "the server ends well");
        let _ended_already = self.running.kill();
        let _reaped = self.running.wait();
        self.scenario.verify();
    }
}

fn fuzz(program: &PathBuf, who: &str, seconds: usize) -> String {
    let target = Target::new();
    if who == "admin, of what is there" {
        let real = format!(
            "[parameters]\n\"path.session\" = \"{}\"\n\"path.action\" = \"{}\"\n\"path.job\" = 1\n",
            target.session, target.action
        );
        std::fs::write(target.scenario.scratch().join("schemathesis.toml"), real).expect("a file");
    }
    let token = match who {
        "admin" | "admin, of what is there" => target.served.token.clone(),
        "viewer" => {
            Visitor::new(&target.scenario, &target.served, "vic", &["viewer:*"])
                .token("vic", &["viewer:*"])
                .0
        }
        _ => target.agent(),
    };
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg(target.served.page("/api/v1/openapi.json"))
        .args(["--url", &target.served.url, "--checks", CHECKS, "--no-color"])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        // The stream has no end; it has tests of its own.
        .args(["--exclude-path", "/api/v1/events", "--continue-on-failure"])
        .args(["--phases", "examples,coverage,fuzzing", "--request-timeout", "40"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .args(["--max-time", &seconds.to_string(), "--seed"])
        .arg(Seed::from_environment().0.to_string())
        .current_dir(target.scenario.scratch());
    let outcome = Outcome::of(&mut command);
    let said = outcome.said();
    assert_eq!(
        outcome.code(),
        0,
        "{said}\n--- the server's last lines\n{}",
        target.last_lines()
    );
    let reached = target.reached();
    if who == "admin, of what is there" {
        let wanted = r#""GET" "/api/v1/sessions/{session}""#;
        assert!(reached.contains(wanted) && reached.len() > 12, "{reached:#?}");
    }
    target.end();
    let said = outcome.out();
    let cases = said.lines().rev().find(|line| line.contains("generated"));
    let cases = cases.unwrap_or("no number").trim();
    format!("{cases}; {} operations did something", reached.len())
}

#[test]
fn whatever_the_document_allows_and_does_not_is_answered_as_the_document_says() {
    let Some(program) = std::env::var_os("RESCIND_SCHEMATHESIS").map(PathBuf::from) else {
        proved("5 fuzzing", "LEFT OUT: there is no schemathesis");
        return;
    };
    let seconds = count("RESCIND_FUZZ_SECONDS", 36);
    for who in ["admin", "admin, of what is there", "viewer", "agent"] {
        let seconds = seconds / 4;
        let said = fuzz(&program, who, seconds);
        proved(
            "5 fuzzing",
            format!("{who}, {seconds} s: no 5xx, no panic, all as documented: {said}"),
        );
    }
}
