//! The metrics hold against Prometheus' own linter, and no label grows without bound.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a failed assumption ends the test"
)]

mod common;

use common::{erased, every_kind, hostile};
use rescind_export::{Gauges, Metrics};
use rescind_ledger::{Ledger, Options};
use rescind_model::Level;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Metrics with something in each of them.
fn used() -> Metrics {
    let metrics = Metrics::new("0.1.0");
    for event in every_kind().iter().chain(&erased()).chain(&hostile()) {
        metrics.see(event);
    }
    metrics.hold_ended("approved", Duration::from_secs(40));
    metrics.decision_delivered(Duration::from_millis(12));
    metrics.kill_answered("domain", Duration::from_millis(31));
    metrics.undo("failed");
    metrics.notification("webhook", "delivered");
    metrics.request("/v1/sessions/{session}", "GET", 200, Duration::from_millis(3));
    metrics.set(&Gauges {
        holds_waiting: 2,
        sessions_running: 3,
        gateways_serving: 3,
        ledger_entries: 1_000_000,
        checkpoint_seconds: 1.79e9,
        ..Gauges::default()
    });
    metrics
}

/// `RESCIND_PROMTOOL`, else where it was fetched to, else the system's.
fn promtool() -> Option<PathBuf> {
    let given = std::env::var_os("RESCIND_PROMTOOL").map(PathBuf::from);
    let target = std::env::current_exe()
        .ok()?
        .ancestors()
        .find(|dir| dir.ends_with("target"))?
        .to_owned();
    let usual = [
        target.join("prometheus/usr/bin/promtool"),
        PathBuf::from("/usr/bin/promtool"),
    ];
    given.or_else(|| usual.into_iter().find(|path| path.exists()))
}

#[test]
fn promtool_finds_nothing() {
    let Some(promtool) = promtool() else {
        eprintln!("LEFT OUT: promtool is not installed; `cargo xtask test` fetches it where it can");
        return;
    };
    let mut command = Command::new(promtool);
    command.args(["check", "metrics"]).stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool");
    let text = used().encode();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}\n{text}");
}

#[test]
fn what_is_counted_shows() {
    let text = used().encode();
    for line in [
        "# TYPE rescind_actions_total counter",
        "rescind_actions_total{class=\"irreversible\",verdict=\"hold\"} 2",
        "rescind_undos_total{result=\"proved\"} 1",
        "rescind_undos_total{result=\"not_proved\"} 2",
        "rescind_undos_total{result=\"failed\"} 1",
        "rescind_holds_waiting 2.0",
        "rescind_gateways{state=\"serving\"} 3.0",
        "rescind_checkpoint_timestamp_seconds 1790000000.0",
        "rescind_hold_duration_seconds_count{ended=\"approved\"} 1",
        "rescind_http_request_duration_seconds_count{route=\"/v1/sessions/{session}\",method=\"GET\",status=\"200\"} 1",
        "rescind_build_info{version=\"0.1.0\"} 1.0",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}\n{text}");
    }
}

#[test]
fn the_ledger_is_measured() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(dir.path(), &Options::default()).unwrap();
    ledger.append(b"x", Level::Process).unwrap();
    let before = Gauges::of_ledger(&ledger).unwrap();
    assert_eq!(
        (
            before.ledger_entries,
            before.mirrors_current,
            before.mirrors_behind
        ),
        (1, 0, 0)
    );
    assert!(
        before.ledger_bytes > 0 && before.checkpoint_seconds == 0.0,
        "{before:?}"
    );
    ledger.checkpoint().unwrap();
    let mirror = tempfile::tempdir().unwrap();
    ledger.mirror_add(mirror.path().to_str().unwrap()).unwrap();
    let after = Gauges::of_ledger(&ledger).unwrap();
    assert!(
        after.checkpoint_seconds > 1.7e9 && after.mirrors_current == 1,
        "{after:?}"
    );
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let text = used().encode();
    let page = include_str!("../../../docs/guide/observability.md");
    let there: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .collect();
    let documented: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `rescind_").map(|_| line))
        .filter_map(|line| line.split('`').nth(1))
        .map(|name| name.split('{').next().unwrap())
        .collect();
    for name in &there {
        assert!(documented.contains(name), "{name} is not documented");
    }
    for name in &documented {
        assert!(there.contains(name), "{name} is documented and not there");
    }
}

#[test]
fn labels_have_few_values_whatever_is_said() {
    let metrics = used();
    let before = metrics.encode().lines().count();
    for number in 0..500 {
        let odd = format!("odd {number}\n\"}}");
        metrics.action(&odd, &odd);
        metrics.hold_ended(&odd, Duration::ZERO);
        metrics.kill_answered(&odd, Duration::ZERO);
        metrics.undo(&odd);
        metrics.notification(&odd, &odd);
        metrics.request("/v1", &odd, 200, Duration::ZERO);
    }
    let after = metrics.encode().lines().count();
    assert!(after - before < 80, "{before} lines, then {after}");
    assert!(!metrics.encode().contains("odd"));
}
