//! The server where the disk is full: what is there is shown, a kill kills, and what needs room is refused until there is some.

use super::SOON;
use crate::crash::Mounted;
use rescind_scenarios::{Ask, Place, Scenario, Served, Visitor, Who, proved, until};
use serde_json::json;
use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// A file that takes all there is.
struct Filled(PathBuf);

impl Filled {
    fn at(path: PathBuf) -> Self {
        let mut file = File::create(&path).expect("a file");
        let block = [7_u8; 4096];
        while file.write_all(&block).is_ok() {}
        Self(path)
    }

    fn removed(self) {
        std::fs::remove_file(self.0).expect("it is there");
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map_or(0, |found| found.size())
}

#[test]
fn a_full_disk_under_the_server_hides_nothing_stops_no_kill_and_is_over_when_there_is_room() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a small file system");
        return;
    }
    let outer = Scenario::at(Place::Tmpfs, Who::Me);
    let small = outer.scratch().join("small");
    let _small = Mounted::tmpfs(&small, 96);
    let scenario = Scenario::below(&small, Who::Me);
    scenario.run("echo one > file");
    let served = Served::start(&scenario, &[]);
    let boss = Visitor::new(&scenario, &served, "boss", &["admin:*"]);
    // What it writes lies elsewhere: that it is ended can be seen.
    let marks = outer.scratch().join("marks");
    let mut command = scenario.rescind(&[
        "run",
        "--quiet",
        "--record-only",
        "--domain",
        "payments",
        "--",
        "sh",
        "-c",
    ]);
    command
        .arg("while :; do echo x >> \"$0\"; sleep 0.01; done")
        .arg(&marks);
    let mut front = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("it to be at work", SOON, || (length(&marks) > 10).then_some(()));
    let filled = Filled::at(small.join("filler"));

    for place in [
        "/",
        "/sessions",
        "/holds",
        "/api/v1/sessions",
        "/api/v1/actions",
        "/api/v1/control",
        "/healthz",
    ] {
        boss.asks(Ask::get(place)).is(200);
    }
    let person = json!({"name": "other", "password": "correct horse battery", "grants": ["viewer:*"]});
    let refused = boss.asks(Ask::post("/api/v1/people", &person)).is(503).json();
    assert!(
        refused["detail"]
            .as_str()
            .is_some_and(|detail| !detail.is_empty()),
        "{refused}"
    );
    let kill = json!({"scope": {"domain": "payments"}, "mode": "kill", "why": "the disk is full"});
    let report = boss
        .asks(Ask::post("/api/v1/control/kills", &kill))
        .is(200)
        .json();
    assert_eq!(report["sessions"][0]["how"], "acknowledged", "{report}");
    let written = length(&marks);
    until("the front to end", SOON, || front.try_wait().expect("a child"));
    assert_eq!(length(&marks), written, "it wrote after the kill had returned");

    filled.removed();
    until("a person to be added", SOON, || {
        (boss.asks(Ask::post("/api/v1/people", &person)).status == 201).then_some(())
    });
    let entries = until("the kill to be on record", SOON, || {
        let entries = scenario.tell(&["ledger", "entries", "--json"]).success().out();
        entries.contains("the disk is full").then_some(entries)
    });
    assert!(entries.contains("kill.called"), "{entries}");
    assert!(served.stop());
    scenario.verify();
    proved(
        "4 full disk",
        "a full disk under the server: everything is shown, a kill kills, the rest is refused and goes on when there is room".to_owned(),
    );
}
