//! The server as its clients meet it: what it answers when something is wrong, how decisions arrive, how it begins and ends.

mod decisions;
mod full;
mod life;

use crate::holds::configure;
use rescind_scenarios::{Answer, Ask, Follower, Scenario, Served, proved, until};
use serde_json::json;
use std::time::Duration;

pub(crate) const SOON: Duration = Duration::from_secs(60);

/// A scenario whose server is told this.
fn told(text: &str) -> Scenario {
    let mut scenario = Scenario::new();
    let config = scenario.scratch().join("config").display().to_string();
    scenario.environment.push(("XDG_CONFIG_HOME".to_owned(), config));
    configure(&scenario, "server.toml", text);
    scenario
}

/// What every answer carries, whatever it is.
#[track_caller]
fn has_headers(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    assert!(
        policy.contains("default-src 'none'")
            && policy.contains("frame-ancestors 'none'")
            && !policy.contains("unsafe"),
        "{answer:?}"
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(answer.header(name), value, "{answer:?}");
    }
    assert!(!answer.header("cache-control").is_empty(), "{answer:?}");
}

#[test]
fn whatever_is_wrong_with_a_request_is_a_problem_with_a_code_that_has_a_page() {
    let scenario = told("[limits]\nbody_bytes = 2000\n");
    let served = Served::start(&scenario, &[]);
    let (port, token) = (served.port(), served.token.as_str());
    let json = "application/json";
    let people = || Ask::new("POST", "/api/v1/people");
    let large = format!("{{\"name\": \"{}\"}}", "x".repeat(4000));
    let cases = [
        (Ask::get("/api/v1/sessions"), false, 401, "not-signed-in"),
        (Ask::get("/api/v1/nothing"), true, 404, "not-found"),
        (Ask::get("/api/v1/sessions/s-nothing"), true, 404, "not-found"),
        (Ask::get("/api/v1/holds/s-nothing.1"), true, 404, "not-found"),
        (Ask::get("/api/v1/undos/99"), true, 404, "not-found"),
        (Ask::get("/api/v1/undos/abc"), true, 400, "bad-argument"),
        (Ask::get("/api/v1/sessions?limit=many"), true, 400, "bad-argument"),
        (Ask::get("/api/v1/sessions?cursor=%00"), true, 400, "bad-argument"),
        (
            Ask::get("/api/v1/actions?since=yesterdayish"),
            true,
            400,
            "bad-argument",
        ),
        (
            Ask::get("/api/v1/events").header("last-event-id", "x"),
            true,
            400,
            "bad-argument",
        ),
        (Ask::new("DELETE", "/api/v1/sessions"), true, 405, "bad-argument"),
        (people().body(json, large), true, 413, "too-large"),
        (people().body("text/plain", "{}"), true, 415, "bad-argument"),
        (people().body(json, "{"), true, 400, "bad-argument"),
        (people().body(json, "{}"), true, 422, "bad-argument"),
        (
            people().json(&json!({"name": "a", "password": "x", "grants": []})),
            true,
            400,
            "bad-argument",
        ),
        (
            people().json(&json!({"name": "a", "password": "correct horse battery", "grants": ["king:*"]})),
            true,
            400,
            "bad-argument",
        ),
        (Ask::new("DELETE", "/api/v1/tokens/none"), true, 404, "not-found"),
        (
            Ask::post(
                "/api/v1/control/lifts",
                &json!({"scope": {"everything": true}, "why": "x"}),
            ),
            true,
            403,
            "sign-in-not-fresh",
        ),
        (
            Ask::post(
                "/api/v1/control/kills",
                &json!({"scope": {"everything": false}, "mode": "kill"}),
            ),
            true,
            400,
            "bad-argument",
        ),
        (Ask::get("/agent/v1/me"), true, 403, "not-allowed"),
    ];
    let number = cases.len();
    for (ask, signed, status, code) in cases {
        let ask = if signed { ask.token(token) } else { ask };
        let answer = ask.of(port);
        has_headers(&answer);
        let problem = answer.problem(status, code);
        let page = Ask::get(problem["type"].as_str().expect("a page")).of(port);
        assert!(page.is(200).text().contains(code), "{problem}");
    }
    for (page, status) in [
        ("/", 303),
        ("/signin", 200),
        ("/nothing", 404),
        ("/assets/none", 404),
        ("/healthz", 200),
        ("/errors/no-such-code", 404),
    ] {
        let answer = Ask::get(page).of(port).is(status);
        has_headers(&answer);
    }
    let log = std::fs::read_to_string(scenario.scratch().join("serve.log")).expect("a log");
    assert!(
        !log.contains(token) && !log.contains("panic") && !log.contains("correct horse"),
        "{log}"
    );
    assert!(served.stop());
    proved(
        "5 access",
        format!("{number} kinds of wrong requests are problems with a page each"),
    );
}

#[test]
fn who_asks_too_much_is_told_when_to_come_again_and_others_are_served() {
    let scenario = told("[limits]\nrequests_per_minute = 5\nsign_ins_per_minute = 2\nstreams = 1\n");
    let served = Served::start(&scenario, &[]);
    let (port, token) = (served.port(), served.token.as_str());
    let limited = |ask: Ask| {
        let answer = (0..20)
            .map(|_| ask.of(port))
            .find(|answer| answer.status == 429)
            .expect("a limit");
        let seconds: u64 = answer.header("retry-after").parse().expect("seconds");
        assert!(seconds > 0);
        has_headers(&answer);
        answer
    };
    // Who is not known counts by address, and who is known is not held up by it.
    limited(Ask::get("/api/v1/me").token("rsc_api_wrong")).problem(429, "too-many-requests");
    let stream = Ask::get("/api/v1/events")
        .token(token)
        .open(port)
        .expect("a stream");
    assert_eq!(stream.head.status, 200);
    Ask::get("/api/v1/events")
        .token(token)
        .of(port)
        .problem(429, "too-many-requests");
    limited(Ask::get("/api/v1/me").token(token)).problem(429, "too-many-requests");
    let wrong = Ask::new("POST", "/signin").body(
        "application/x-www-form-urlencoded",
        "name=nobody&password=nothing",
    );
    limited(wrong);
    Ask::get("/healthz").of(port).is(200);
    assert!(served.stop(), "an open stream holds no end up");
}

#[test]
fn a_stream_that_is_cut_off_goes_on_without_a_gap_while_sessions_work() {
    let scenario = Scenario::new();
    let mut served = Served::start(&scenario, &[]);
    let (port, token) = (served.port(), served.token.clone());
    let follower = Follower::new(port, &token);
    let work = "for i in 1 2 3 4 5 6 7 8; do echo $i > file; date > date; done";
    let mut running: Vec<_> = (0..4).map(|_| scenario.start(work)).collect();
    for _ in 0..3 {
        let seen = follower.len();
        until("more of the stream", SOON, || {
            (follower.len() > seen + 3).then_some(())
        });
        served.kill();
        served = Served::on(&scenario, port, &[]);
    }
    for child in &mut running {
        let status = until("a session's end", SOON, || child.try_wait().expect("a child"));
        assert!(status.success());
    }
    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    until("the whole stream", SOON, || {
        (follower.len() >= entries.len() as u64).then_some(())
    });
    let times = follower.times();
    assert!(served.stop());
    let events = follower.end();
    assert!(times >= 1, "it was cut off");
    for (entry, event) in entries.iter().zip(&events) {
        assert_eq!(entry["index"], event.seq);
        assert_eq!(entry["entry"]["kind"], event.kind.as_str(), "{entry}");
    }
    proved(
        "4 server",
        format!(
            "{} events of four sessions, read across {times} cuts without a gap",
            events.len()
        ),
    );
}
