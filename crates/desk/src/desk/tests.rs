mod captured;
mod races;
mod verdicts;

use super::{Acting, SessionDesk};
use crate::{Configuration, Tally};
use rescind_model::{Level, SessionId, Verdict};
use rescind_supervisor::{Asked, Desk, Judged};
use std::fs;
use std::path::{Path, PathBuf};

/// A desk with these limits, whose state is beside them.
fn desk(place: &Path, limits: &str) -> SessionDesk {
    fs::write(place.join("limits.toml"), limits).unwrap();
    desk_at(place)
}

/// A desk by what is configured there.
fn desk_at(place: &Path) -> SessionDesk {
    let acting = Acting {
        session: SessionId::new(1, 1),
        agent: "coder".to_owned(),
        owner: "ann".to_owned(),
        domain: "web".to_owned(),
        environment: rescind_policy::Environment::Development,
        path: "/usr/bin:/bin".to_owned(),
        cwd: "/tmp".to_owned(),
    };
    let tally = Tally::at(place.join("limits"), Level::Process);
    SessionDesk::new(&Configuration::at(place.to_owned()), acting, tally).unwrap()
}

/// Judge a command, as action `node` within `parent`.
fn judge(desk: &mut SessionDesk, command: &str, node: u64, parent: u64, cleared: Option<u8>) -> Judged {
    let argv: Vec<String> = match command.strip_prefix("sh -c ") {
        Some(script) => ["sh", "-c", script].map(str::to_owned).to_vec(),
        None => command.split(' ').map(str::to_owned).collect(),
    };
    desk.judge(&Asked {
        node,
        parent,
        exe: &format!("/bin/{}", argv[0]),
        file: "",
        argv: &argv,
        cwd: "/tmp",
        environment: &[],
        cleared,
        scopes: None,
    })
}

fn runs(judged: &Judged) -> bool {
    judged.verdict == Verdict::Allow
}

fn journal(place: &Path) -> PathBuf {
    place.join("limits/journal")
}

const DELETES: &str = "[[limit]]\nid = \"deletes\"\nper = \"session\"\nmeasure = \"actions\"\noperation = \"delete\"\ncap = 3\n";

#[test]
fn the_fourth_of_three_deletes_is_held_and_a_person_may_let_it_run() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), DELETES);
    for node in 1..4 {
        let judged = judge(&mut desk, "rm x", node, 0, None);
        assert!(runs(&judged), "{:?}", judged.verdict);
        desk.settled(&judged, true);
        desk.ended(node, Some(1));
    }
    let held = judge(&mut desk, "rm x", 4, 0, None);
    assert!(
        held.limited && held.form.reasons[0].contains("3 used, 1 asked, 3 allowed"),
        "{:?}",
        held.form
    );
    // What was approved around it answers no limit.
    assert!(!runs(&judge(&mut desk, "rm x", 5, 0, Some(4))));
    desk.approved(&held).unwrap();
    desk.settled(&held, true);
    // A part of it has what it needs; a second one has not.
    let part = judge(&mut desk, "rm x", 6, 4, Some(4));
    assert!(runs(&part), "{:?}", part.verdict);
    assert!(!runs(&judge(&mut desk, "rm y", 7, 4, Some(4))));
    assert!(runs(&judge(&mut desk, "ls", 8, 4, None)));
    assert!(
        fs::read_to_string(journal(place.path()))
            .unwrap()
            .contains("\"over\":true")
    );
}

#[test]
fn a_script_counts_as_what_it_runs_and_never_twice() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), DELETES);
    let script = judge(&mut desk, "sh -c rm a; rm b; rm c; rm d", 1, 0, None);
    assert!(runs(&script), "{:?}", script.verdict);
    desk.settled(&script, true);
    let parts: Vec<bool> = (2..6)
        .map(|node| runs(&judge(&mut desk, "rm a", node, 1, None)))
        .collect();
    assert_eq!(parts, [true, true, true, false]);
}

#[test]
fn what_never_ran_is_given_back_and_what_the_agent_writes_itself_counts_as_files() {
    let place = tempfile::tempdir().unwrap();
    let files = "[[limit]]\nid = \"files\"\nper = \"session\"\nmeasure = \"files\"\ncap = 5\n";
    let mut desk = desk(place.path(), files);
    for node in 1..9 {
        let judged = judge(&mut desk, "rm x", node, 0, None);
        assert!(runs(&judged));
        desk.settled(&judged, true);
        desk.ended(node, None);
    }
    desk.ended(9, Some(4));
    assert!(runs(&judge(&mut desk, "touch x", 10, 0, None)));
    assert!(!runs(&judge(&mut desk, "touch x", 11, 0, None)));
    assert!(
        runs(&judge(&mut desk, "ls", 12, 0, None)),
        "what only reads asks for no file"
    );
    // The session ends: what is reserved is used.
    desk.closed();
    let state = Tally::read(&place.path().join("limits")).unwrap();
    assert!(
        serde_json::to_string(&state)
            .unwrap()
            .contains("{\"settled\":{\"count\":5}}")
    );
}

#[test]
fn an_approval_counts_for_nothing_where_a_limit_was_reached_that_was_not_shown() {
    let place = tempfile::tempdir().unwrap();
    let text = "[[limit]]\nid = \"one\"\nper = \"agent\"\nmeasure = \"actions\"\ncap = 1\n";
    let (mut desk, mut other) = (desk(place.path(), text), desk(place.path(), text));
    let held = judge(&mut desk, "shutdown now", 1, 0, None);
    assert!(
        matches!(held.verdict, Verdict::Hold(_)) && !held.limited,
        "{:?}",
        held.verdict
    );
    assert!(runs(&judge(&mut other, "rm x", 1, 0, None)));
    let refused = desk.approved(&held).unwrap_err();
    assert!(
        refused.contains("limit `one` of agent `coder`: 1 used"),
        "{refused}"
    );
    other.ended(1, None);
    desk.approved(&held).unwrap();
    desk.settled(&held, true);
    assert!(!runs(&judge(&mut other, "rm x", 2, 0, None)));
}

#[test]
fn where_nothing_can_be_told_everything_that_a_limit_is_about_waits_and_the_rest_runs() {
    let place = tempfile::tempdir().unwrap();
    let mut desk = desk(place.path(), DELETES);
    fs::create_dir(place.path().join("limits")).unwrap();
    fs::write(journal(place.path()), "nonsense\n").unwrap();
    let held = judge(&mut desk, "rm x", 1, 0, None);
    let told = &held.form.reasons[0];
    assert!(
        !runs(&held) && held.limited && told.contains("is damaged at byte 0"),
        "{told}"
    );
    assert!(runs(&judge(&mut desk, "touch x", 2, 0, None)));
    // A person who knows that lets it run.
    desk.approved(&held).unwrap();
    desk.settled(&held, true);
    fs::remove_file(journal(place.path())).unwrap();
    desk.ended(1, Some(1));
    let counted = fs::read_to_string(journal(place.path())).unwrap();
    assert!(counted.contains("\"settle\""), "{counted}");
}

#[test]
fn without_a_limit_about_it_nothing_is_read_or_written() {
    let place = tempfile::tempdir().unwrap();
    for limits in ["", DELETES] {
        let mut desk = desk(place.path(), limits);
        let judged = judge(&mut desk, "touch x", 1, 0, None);
        desk.settled(&judged, true);
        desk.ended(1, Some(1));
        desk.ended(2, Some(7));
        desk.closed();
        assert!(!place.path().join("limits").exists());
    }
}
