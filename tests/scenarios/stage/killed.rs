//! Promotions that are killed are completed or taken back.

use super::{MANY, TORTURE, assert_as_seen, gone, prepare_many, promotions, stage, stopped_at_work};
use rescind_scenarios::{Place, Random, Scenario, Seed, Who, count, descendants, kill, proved, until};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A promotion, killed at a random point, in one of several ways; whether it was over by then.
fn promotion_killed(scenario: &Scenario, session: &str, random: &mut Random) -> bool {
    let mut promote = scenario
        .rescind(&["promote", session])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let delay = Duration::from_micros(random.below(600_000));
    let start = Instant::now();
    while start.elapsed() < delay {
        if promote.try_wait().expect("wait").is_some() {
            return true;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let own = promote.id().cast_signed();
    let tree = descendants(own);
    let victims: Vec<i32> = match random.below(3) {
        // Everything at once.
        0 => tree.iter().map(|process| process.pid).chain([own]).collect(),
        // One of them, whichever.
        1 => {
            let all: Vec<i32> = tree.iter().map(|process| process.pid).chain([own]).collect();
            vec![*random.pick(&all)]
        }
        // The supervisor, or the command where there is none yet.
        _ => {
            let supervisor = tree.iter().find(|process| process.name == "rescind-super");
            vec![supervisor.map_or(own, |process| process.pid)]
        }
    };
    for pid in victims {
        kill(pid, libc::SIGKILL);
    }
    promote.wait().expect("it ends");
    false
}

/// Kill promotions of one stage until it is promoted; the result must be what the session saw, and its undo what was there.
fn promotions_killed(who: Who, rounds: usize) -> usize {
    let Seed(seed) = Seed::from_environment();
    let mut killed = 0;
    let scenario = Scenario::at(Place::Disk, who);
    let torture = scenario.lend(Path::new(TORTURE));
    let torture = torture.to_str().expect("a path in text");
    prepare_many(&scenario);
    let before = scenario.manifest();
    let mut n = 0;
    while killed < rounds {
        n += 1;
        let mut random = Random::new(seed.wrapping_add(n));
        let (seen, session) = stage(&scenario, &format!("{MANY}; {torture} manifest ."));
        seen.clone().success();
        before.assert_same(&scenario.manifest(), "a session on a stage");
        for _ in 0..4 {
            if promotion_killed(&scenario, &session, &mut random) {
                break;
            }
            killed += 1;
        }
        let last = scenario.tell(&["promote", &session]);
        // One that was killed too late has left nothing to promote.
        assert!(
            last.code() == 0 || last.err().contains("error[no-stage]"),
            "seed {seed}, stage {n}: {}",
            last.said()
        );
        assert_as_seen(
            &seen,
            &scenario,
            who,
            &format!("promoted after kills, seed {seed}, stage {n}"),
        );
        let done = promotions(&scenario)
            .into_iter()
            .find(|session| session["exit_code"] == 0)
            .expect("one that came to its end");
        scenario.undo(&[done["session_id"].as_str().expect("an id")]);
        before.assert_same(&scenario.manifest(), "the undo of a promotion");
    }
    scenario.verify();
    proved(
        "6 stage",
        format!(
            "promotion killed at {killed} points over {n} stages, seed {seed} ({who:?}): promoted or taken back, then identical"
        ),
    );
    killed
}

#[test]
fn a_promotion_that_is_killed_anywhere_completes_or_is_taken_back() {
    promotions_killed(Who::Me, count("RESCIND_PROMOTE_KILLS", 12));
}

#[test]
fn a_promotion_of_an_unprivileged_user_that_is_killed_anywhere_completes_or_is_taken_back() {
    if Scenario::is_root() {
        promotions_killed(Who::Nobody, count("RESCIND_PROMOTE_KILLS", 4));
    }
}

#[test]
fn a_review_after_a_killed_promotion_takes_it_back_first() {
    let scenario = Scenario::new();
    prepare_many(&scenario);
    let before = scenario.manifest();
    let (seen, session) = stage(&scenario, MANY);
    seen.success();
    let listed = scenario
        .tell(&["review", "--name-only", &session])
        .success()
        .out();
    let mut promote = scenario
        .rescind(&["promote", &session])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let own = promote.id().cast_signed();
    // In its middle: the first new file is there.
    until("a promotion at work", Duration::from_secs(30), || {
        scenario.path("n1").exists().then_some(())
    });
    for process in descendants(own) {
        kill(process.pid, libc::SIGKILL);
    }
    kill(own, libc::SIGKILL);
    promote.wait().expect("it ends");
    let review = scenario.tell(&["review", "--name-only", &session]).success();
    if review.err().contains("did not come to its end") {
        before.assert_same(
            &scenario.manifest(),
            "a promotion that was killed, after a review",
        );
        assert_eq!(listed, review.out());
    }
    scenario.verify();
}

#[test]
fn what_somebody_changed_of_an_interrupted_promotion_is_left_to_a_person() {
    for _ in 0..8 {
        let scenario = Scenario::new();
        prepare_many(&scenario);
        let (outcome, session) = stage(&scenario, MANY);
        outcome.success();
        let mut promote = scenario
            .rescind(&["promote", &session])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let own = promote.id().cast_signed();
        until("a promotion at work", Duration::from_secs(60), || {
            (scenario.path("d/10").exists() && scenario.read("d/10").contains("changed") || gone(own))
                .then_some(())
        });
        let worker = stopped_at_work(own);
        let tree = descendants(own);
        kill(own, libc::SIGKILL);
        for process in tree {
            kill(process.pid, libc::SIGKILL);
        }
        promote.wait().expect("it ends");
        if worker.is_none() {
            continue;
        }
        // Its books are finished by any command; what comes after is not taken for its doing.
        scenario.tell(&["status"]).success();
        scenario.bare("echo theirs > d/10");
        let refused = scenario.tell(&["promote", &session]).exits(3);
        assert!(
            refused.err().contains("somebody else has changed"),
            "{}",
            refused.err()
        );
        assert_eq!(scenario.read("d/10"), "theirs\n");
        let half = promotions(&scenario).pop().expect("a promotion");
        let half = half["session_id"].as_str().expect("an id");
        scenario
            .tell(&["undo", "--yes", "--on-conflict", "keep", half])
            .exits(5);
        // A person has decided: the stage can be worked with, and that path is in conflict now.
        let review = scenario
            .tell(&["review", "--name-only", &session])
            .success()
            .out();
        assert!(review.contains("conflict"), "{review}");
        scenario.tell(&["promote", &session]).exits(3);
        scenario.tell(&["promote", &session, "large", "x"]).success();
        assert_eq!(scenario.read("d/10"), "theirs\n");
        scenario.verify();
        return;
    }
    panic!("no promotion was caught at work");
}
