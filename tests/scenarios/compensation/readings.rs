//! What is read before a command runs, and what follows where it can not be.

use super::{Place, SOON};
use rescind_scenarios::{Then, text, until};
use std::process::Stdio;

#[test]
fn what_can_not_be_read_before_is_held_and_does_not_run() {
    let cases = [
        (
            "the reading is refused",
            "get",
            "kubectl scale deployment/web --replicas=5 -n shop",
        ),
        (
            "there is nothing of that name",
            "",
            "kubectl scale deployment/none --replicas=5 -n shop",
        ),
        ("it would not be safe", "", "systemctl stop redis"),
    ];
    for (name, refused, script) in cases {
        let place = Place::new();
        if !refused.is_empty() {
            place.remote.refuse(Some("get"));
        }
        let outcome = place.run(script);
        assert_ne!(outcome.code(), 0, "{name}: {}", outcome.said());
        assert!(
            outcome.err().contains("was not read"),
            "{name}: {}",
            outcome.err()
        );
        assert_eq!(place.remote.made(), [], "{name}");
        place.verify();
    }
}

#[test]
fn a_reading_that_hangs_holds_up_nobody_else_and_ends_in_a_hold() {
    let place = Place::new();
    let stopped = place.remote.stop_at(0);
    let mut run = place.supervised([
        "sh",
        "-c",
        "kubectl scale deployment/web --replicas=5 -n shop & n=0; while [ $n -lt 20 ]; do n=$((n+1)); /bin/echo $n > f$n; done; \
         touch others-went-on; wait $!",
    ]);
    let mut child = run
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    assert!(stopped.reached(SOON), "the reading began");
    until("the other commands", SOON, || {
        place.path("others-went-on").exists().then_some(())
    });
    assert!(
        child.try_wait().expect("a child").is_none(),
        "the command still waits"
    );
    let output = child.wait_with_output().expect("its end");
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("was not read"),
        "{}",
        text(&output.stderr)
    );
    stopped.go_on(Then::Lost);
    assert_eq!(place.remote.made(), []);
}

/// It is judged again when it could not be read; what people said of that for good answers then, and is on record.
#[test]
fn what_could_not_be_read_is_asked_about_until_a_rule_is_learned() {
    let mut place = Place::new();
    place.scenario.options.clear();
    let script = "kubectl scale deployment/nowhere --replicas=5 -n shop; true";
    let mut running = place
        .supervised(["sh", "-c", script])
        .stderr(Stdio::null())
        .spawn()
        .expect("a session");
    let held = until("a hold", SOON, || {
        place.tell(&["approvals", "--json"]).json_lines().pop()
    });
    let action = held["action_id"].as_str().expect("an action").to_owned();
    assert!(
        held["judged"]["reasons"].to_string().contains("was not read"),
        "{held:#}"
    );
    place.tell(&["approve", &action, "--always"]).success();
    running.wait().expect("its end");
    let again = place.run(script).success();
    assert!(!again.err().contains("held ("), "{}", again.err());
    let log = place.log(&[]);
    let ran = log.iter().find(|own| own["judgement"]["rule"] == action.as_str());
    assert!(ran.is_some(), "{log:#?}");
    place.verify();
}
