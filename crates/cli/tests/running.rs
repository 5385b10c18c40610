//! Commands on sessions that run: kill, undo of what runs, and what a supervised process may not do.

#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod common;

use common::{Answer, Place};
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// An agent that writes without end, once it has begun to.
fn writing(place: &Place) -> Child {
    let script = "echo begun > begun; exec 3>>grows; while :; do echo x >&3; done";
    let mut command = place.command(&["run", "--quiet", "--", "bash", "-c", script]);
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while fs::metadata(place.work().join("grows")).map_or(0, |found| found.len()) < 100 {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "the agent does not write"
        );
        std::thread::yield_now();
    }
    child
}

/// Whether a process of the user still has the file open.
fn is_open(path: &Path) -> bool {
    let path = path.canonicalize().unwrap();
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let descriptors = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    descriptors
        .flatten()
        .filter_map(Result::ok)
        .any(|own| fs::read_link(own.path()).is_ok_and(|to| to == path))
}

#[test]
fn kill_ends_the_whole_tree_and_what_it_did_can_be_undone() {
    let place = Place::new();
    fs::write(place.work().join("grows"), "before\n").unwrap();
    let mut agent = writing(&place);
    let killed = place.rescind(&["kill", "--json"]).ends(0).json();
    assert_eq!(killed[0]["killed"], true);
    assert!(!is_open(&place.work().join("grows")));
    agent.wait().unwrap();
    let listed = place.rescind(&["sessions", "--json"]).ends(0).json();
    assert_eq!(listed[0]["state"], "ended");
    place.rescind(&["kill"]).ends(1);
    place.rescind(&["undo", "--yes"]).ends(0);
    assert_eq!(
        fs::read_to_string(place.work().join("grows")).unwrap(),
        "before\n"
    );
    assert!(!place.work().join("begun").exists());
    place.rescind(&["verify"]).ends(0);
}

#[test]
fn an_undo_of_a_running_session_stops_it_only_when_it_may() {
    let place = Place::new();
    let mut agent = writing(&place);
    let refused = place.rescind(&["undo"]).ends(2);
    assert!(refused.err.contains("error[needs-yes]"), "{refused:?}");
    assert!(is_open(&place.work().join("grows")), "nothing was stopped");
    place.rescind(&["undo", "--yes"]).ends(0);
    agent.wait().unwrap();
    assert_eq!(fs::read_dir(place.work()).unwrap().count(), 0);
    place.rescind(&["verify"]).ends(0);
}

#[test]
fn a_supervised_process_reaches_no_recovery_whatever_its_environment() {
    let place = Place::new();
    fs::write(place.work().join("f"), "before\n").unwrap();
    place
        .rescind(&["run", "--quiet", "--", "bash", "-c", "echo agent > f"])
        .ends(0);
    let rescind = env!("CARGO_BIN_EXE_rescind");
    for words in [
        "undo --yes",
        "prune --yes --older-than 0s",
        "kill",
        "ledger mirror m",
    ] {
        for prefix in ["", "env -u RESCIND_SESSION "] {
            let script = format!("{prefix}{rescind} {words}; test $? = 1");
            let mut command = place.command(&["run", "--quiet", "--", "bash", "-c", &script]);
            let answer = Answer::of(command.output().unwrap()).ends(0);
            assert!(
                answer.err.contains("error[inside-supervised-tree]"),
                "{script}: {answer:?}"
            );
        }
    }
    assert_eq!(fs::read_to_string(place.work().join("f")).unwrap(), "agent\n");
    place.rescind(&["verify"]).ends(0);
}
