//! Several who act on one target: people, sessions, undos.

use super::{Place, SOON};
use rescind_scenarios::{Then, proved, until};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn what_others_made_of_it_since_is_a_conflict_and_stays_until_somebody_decides() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    place.remote.set("shop/deployment/web", "8");
    let refused = place.tell(&["undo", "--yes"]);
    assert_ne!(refused.code(), 0, "{}", refused.said());
    assert!(refused.said().contains("previous_count"), "{}", refused.said());
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("8", 0)
    );
    let conflict = &place.plan()["conflicts"][0]["fields"][0];
    assert_eq!(
        (
            conflict["before"].as_str(),
            conflict["after"].as_str(),
            conflict["now"].as_str()
        ),
        (Some("3"), Some("5"), Some("8"))
    );
    place.tell(&["undo", "--yes", "--on-conflict", "keep"]);
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("8", 0)
    );
    place.undo(&["--on-conflict", "restore"]);
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("3", 1)
    );
    place.verify();
}

#[test]
fn an_agent_that_compensates_itself_does_just_another_action() {
    let place = Place::new();
    place
        .run(
            "kubectl scale deployment/web --replicas=5 -n shop
             RESCIND_IDEMPOTENCY_KEY=rescind-undo-x kubectl scale deployment/web --replicas=3 -n shop",
        )
        .success();
    assert_eq!(place.web(), "3");
    let plan = place.plan();
    assert_eq!(plan["compensations"].as_array().map(Vec::len), Some(2), "{plan}");
    place.undo(&[]);
    assert_eq!(place.web(), "3");
}

#[test]
fn two_sessions_on_one_target_take_back_only_their_own() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    place
        .run("kubectl scale deployment/web --replicas=6 -n shop")
        .success();
    let runs = place.runs();
    let refused = place.tell(&["undo", "--yes", &runs[0]]);
    assert_ne!(refused.code(), 0, "{}", refused.said());
    assert_eq!(place.web(), "6", "the second session built on it");
    place.undo(&[&runs[1]]);
    assert_eq!(place.web(), "5");
    place.undo(&[&runs[0]]);
    assert_eq!(place.web(), "3");
    place.verify();
}

#[test]
fn a_session_that_drives_a_target_again_to_what_was_undone_is_halted() {
    let place = Place::new();
    let script = "kubectl scale deployment/web --replicas=5 -n shop";
    place.run(script).success();
    place.undo(&[]);
    let again = place.run(&format!("{script}; touch next"));
    assert_eq!(place.web(), "5");
    assert!(!place.path("next").exists(), "{}", again.said());
    assert!(
        again.err().contains("again to a state that was undone"),
        "{}",
        again.err()
    );
    let log = place.log(&[&place.runs()[0]]);
    let action = log
        .iter()
        .find(|own| own["argv"][0] == "kubectl")
        .expect("the action");
    proved(
        "8 flapping",
        format!(
            "a deployment scaled again to what was undone halts the session; the first: {}",
            action["undone"]
        ),
    );
}

#[test]
fn while_an_undo_runs_a_command_on_its_target_waits_and_reads_what_it_left() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    // The plan's reading, the call's own, then the change: it stops there.
    let stopped = place.remote.stop_at(2);
    let mut undo = place.rescind(&["undo", "--yes"]);
    let mut undo = undo
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    assert!(stopped.reached(SOON), "the undo is about to change it");
    let script = "kubectl scale deployment/web --replicas=6 -n shop & touch began; wait $!; touch ended";
    let mut run = place.supervised(["sh", "-c", script]);
    let mut run = run
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("the other session", SOON, || {
        place.path("began").exists().then_some(())
    });
    let reads = || {
        place
            .remote
            .asked()
            .iter()
            .filter(|own| own.starts_with("get "))
            .count()
    };
    // The first session's two, the undo's two; then the one that counts for nothing.
    until("its reading", SOON, || (reads() >= 5).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!place.path("ended").exists() && place.web() == "5", "it waits");
    // Its answer is lost; the undo looks, and is done.
    stopped.go_on(Then::Done);
    assert!(undo.wait().expect("its end").success());
    run.wait().expect("its end");
    assert!(place.path("ended").exists());
    assert_eq!(place.web(), "6");
    place.undo(&[&place.runs()[1]]);
    assert_eq!(place.web(), "3", "what the undo had left is what it found");
    proved(
        "8 undo",
        "a command on the target of an undo waits for it, and is taken back to what that left",
    );
}
