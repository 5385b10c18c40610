//! What others do meanwhile stays, or stops a promotion as a whole.

use super::{
    MANY, TORTURE, assert_as_seen, everybody, gone, prepare_many, promotions, stage, stopped_at_work,
};
use rescind_scenarios::{Place, Scenario, Who, count, descendants, kill, proved, until};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

#[test]
fn a_promotion_over_somebody_elses_change_is_refused_as_a_whole() {
    for who in everybody() {
        for (theirs, why) in [
            ("echo theirs >> edited", "it was changed in the real tree since"),
            ("echo theirs > made", "it was made in the real tree since"),
            ("rm edited", "it was removed in the real tree since"),
            (
                "rm removed; mkdir removed",
                "it was changed in the real tree since",
            ),
            (
                "echo theirs > folder/theirs",
                "it was made in the real tree since",
            ),
            ("chmod 600 edited", "it was changed in the real tree since"),
            ("mv away away.theirs; ln -s away.theirs away", ""),
        ] {
            let scenario = Scenario::at(Place::Disk, who);
            scenario.bare("mkdir folder away; echo x > folder/x; echo base > edited; echo gone > removed; echo f > free; echo e > away/e");
            let (outcome, session) = stage(
                &scenario,
                "echo mine >> edited; echo mine > made; rm removed; rm -r folder; echo mine >> free; echo mine > away/e",
            );
            outcome.success();
            scenario.bare(theirs);
            let before = scenario.manifest();
            let refused = scenario.tell(&["promote", &session]).exits(3);
            let said = refused.err();
            assert!(
                said.contains("error[stage-conflicts]") && said.contains(why),
                "{theirs}: {said}"
            );
            before.assert_same(&scenario.manifest(), "a refused promotion");
            assert!(promotions(&scenario).is_empty(), "nothing was begun");
            let review = scenario.tell(&["review", "--stat", &session]).success().out();
            assert!(review.contains("conflict: "), "{review}");
            // What nobody else touched can be made real all the same.
            scenario.tell(&["promote", &session, "free"]).success();
            assert_eq!(scenario.read("free"), "f\nmine\n");
            scenario.tell(&["discard", &session]).success();
            scenario.verify();
        }
        proved(
            "6 stage",
            format!("7 changes of others stand against a promotion ({who:?}): nothing half done"),
        );
    }
}

#[test]
fn independent_changes_of_others_stay() {
    let scenario = Scenario::new();
    scenario.bare("mkdir d; echo base > d/mine; echo base > d/theirs; echo g > d/gone");
    let (outcome, session) = stage(&scenario, "echo mine >> d/mine; rm d/gone; echo mine > d/new");
    outcome.success();
    scenario.bare("echo theirs >> d/theirs; echo theirs > d/other");
    scenario.tell(&["promote", &session]).success();
    assert_eq!(scenario.read("d/theirs"), "base\ntheirs\n");
    assert_eq!(scenario.read("d/other"), "theirs\n");
    assert_eq!(scenario.read("d/mine"), "base\nmine\n");
    assert_eq!(scenario.read("d/new"), "mine\n");
    assert!(!scenario.path("d/gone").exists());
}

#[test]
fn two_promotions_at_once_are_one() {
    let scenario = Scenario::new();
    let torture = scenario.lend(Path::new(TORTURE));
    prepare_many(&scenario);
    let before = scenario.manifest();
    let (seen, session) = stage(&scenario, &format!("{MANY}; {} manifest .", torture.display()));
    seen.clone().success();
    let both: Vec<_> = (0..2)
        .map(|_| {
            let mut command = scenario.rescind(&["promote", &session]);
            command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped());
            command.spawn().expect("it starts")
        })
        .collect();
    let ends: Vec<_> = both
        .into_iter()
        .map(|child| child.wait_with_output().expect("it ends"))
        .collect();
    let said: Vec<String> = ends
        .iter()
        .map(|end| String::from_utf8_lossy(&end.stderr).into_owned())
        .collect();
    assert!(ends.iter().any(|end| end.status.success()), "{said:?}");
    assert!(
        ends.iter()
            .zip(&said)
            .all(|(end, said)| end.status.success() || said.contains("error[no-stage]")),
        "{said:?}"
    );
    assert_as_seen(&seen, &scenario, Who::Me, "promoted twice at once");
    let done = promotions(&scenario);
    assert_eq!(done.len(), 1, "{done:#?}");
    scenario.undo(&[done[0]["session_id"].as_str().expect("an id")]);
    before.assert_same(&scenario.manifest(), "the undo of a promotion");
}

/// The worker goes on, and with it the front, which stops when what it stands for is stopped.
fn go_on(own: i32, worker: i32) {
    kill(worker, libc::SIGCONT);
    until("the promotion to end", Duration::from_secs(60), || {
        for process in descendants(own).iter().filter(|process| process.state == 'T') {
            kill(process.pid, libc::SIGCONT);
        }
        gone(own).then_some(())
    });
}

#[test]
fn what_somebody_changes_while_a_promotion_is_at_work_is_found_and_all_is_taken_back() {
    let mut caught = 0;
    for (n, theirs) in [
        "echo theirs >> z-edited",
        "echo theirs > z-made",
        "rm z-edited",
        "mkdir -p z-gone; echo x > z-gone/theirs",
        "chmod 700 z-mode",
    ]
    .iter()
    .cycle()
    .take(count("RESCIND_PROMOTE_RACES", 6))
    .enumerate()
    {
        let scenario = Scenario::at(if n % 2 == 0 { Place::Tmpfs } else { Place::Disk }, Who::Me);
        prepare_many(&scenario);
        scenario.bare("echo base > z-edited; mkdir z-gone z-mode; echo x > z-gone/x");
        let (outcome, session) = stage(
            &scenario,
            &format!(
                "{MANY}; echo mine >> z-edited; echo mine > z-made; rm -r z-gone; echo z > z-gone; chmod 750 z-mode"
            ),
        );
        outcome.success();
        let before = scenario.manifest();
        let promote = scenario
            .rescind(&["promote", &session])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let own = promote.id().cast_signed();
        let worker = until("a promotion at work", Duration::from_secs(60), || {
            stopped_at_work(own)
                .map(Some)
                .or_else(|| gone(own).then_some(None))
        });
        let Some(worker) = worker else { continue };
        // What is there by now was made real, or is as it was.
        let after: Vec<String> = before.differences(&scenario.manifest());
        if after.iter().any(|line| line.contains("./z-")) {
            go_on(own, worker);
            promote.wait_with_output().expect("it ends");
            continue;
        }
        scenario.bare(theirs);
        go_on(own, worker);
        let end = promote.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&end.stderr);
        assert_eq!(end.status.code(), Some(3), "{theirs}: {said}");
        assert!(said.contains("error[stage-conflicts]"), "{theirs}: {said}");
        let theirs_alone = scenario.manifest();
        let changed = before.differences(&theirs_alone);
        assert!(
            !changed.is_empty()
                && changed
                    .iter()
                    .all(|line| line.contains("./z-") || line.contains(" .: mtime")),
            "{theirs}: {changed:#?}"
        );
        caught += 1;
        scenario.verify();
    }
    assert!(caught >= 2, "only {caught} promotions were caught at work");
    proved(
        "6 stage",
        format!("{caught} changes in the middle of a promotion: found, and all of it taken back"),
    );
}
