//! Crashes: of an undo, of a supervisor.

use super::{Place, SOON};
use rescind_scenarios::{Then, count, kill, process_named, proved, until};
use std::process::Stdio;
use std::time::Duration;

#[test]
fn an_undo_that_is_killed_anywhere_compensates_once() {
    let script = "kubectl scale deployment/web --replicas=5 -n shop; systemctl stop nginx; kubectl scale deployment/web --replicas=9 -n shop";
    // Requests of one undo: the plan's two readings; for each of three calls the readings before and after, the change
    // and the proof; then the proof of all.
    let points = count("COMPENSATION_POINTS", 18);
    let mut killed = 0;
    for point in 0..points {
        for then in [Then::Done, Then::Lost] {
            let place = Place::new();
            place.run(script).success();
            let stopped = place.remote.stop_at(point);
            let mut undo = place.rescind(&["undo", "--yes"]);
            let mut undo = undo
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            let reached = loop {
                if stopped.reached(Duration::from_millis(20)) {
                    break true;
                }
                if undo.try_wait().expect("a child").is_some() {
                    break false;
                }
            };
            if reached {
                undo.kill().expect("ours");
                undo.wait().expect("its end");
                stopped.go_on(then);
                killed += 1;
            }
            place.undo(&[]);
            place.undo(&[]);
            let at = format!("killed at request {point}, which was then {then:?}");
            assert_eq!(
                (place.web().as_str(), place.remote.value("nginx").as_str()),
                ("3", "active"),
                "{at}"
            );
            let times = place.effective();
            assert!(
                times.len() == 3 && times.iter().all(|(_, times)| *times == 1),
                "{at}: {times:?}"
            );
            place.verify();
        }
    }
    assert!(killed > points, "the undo was killed {killed} times");
    proved(
        "7 compensation",
        format!("{killed} undos killed at {points} requests: each compensation took effect once"),
    );
}

#[test]
fn a_command_whose_supervisor_was_killed_is_in_doubt_and_resolved_by_reading() {
    for then in [Then::Done, Then::Lost] {
        let place = Place::new();
        // The second request is the change itself.
        let stopped = place.remote.stop_at(1);
        let mut run = place.supervised(["sh", "-c", "kubectl scale deployment/web --replicas=5 -n shop"]);
        let mut front = run
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        assert!(stopped.reached(SOON), "the change was asked for");
        let supervisor = process_named(front.id().cast_signed(), "rescind-super").expect("a supervisor");
        kill(supervisor.pid, 9);
        front.wait().expect("its end");
        stopped.go_on(then);
        let wanted = if then == Then::Done { "5" } else { "3" };
        until("the change, or none", SOON, || {
            (place.web() == wanted).then_some(())
        });
        let undo = place.tell(&["undo", "--yes"]);
        match then {
            Then::Lost => assert_eq!(undo.code(), 0, "{}", undo.said()),
            // Nobody saw what it left: whose state this is only a person can say.
            Then::Done => {
                assert!(
                    undo.code() != 0 && undo.said().contains("conflict"),
                    "{}",
                    undo.said()
                );
                assert_eq!(place.web(), "5");
                place.undo(&["--on-conflict", "restore"]);
            }
        }
        assert_eq!(place.web(), "3", "{then:?}");
        place.verify();
    }
}
