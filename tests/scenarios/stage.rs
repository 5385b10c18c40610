//! A session on a stage: nothing it changes is real until a person promotes it.

use rescind_scenarios::{
    Outcome, Place, Random, Scenario, Seed, Who, count, descendants, kill, proved, until,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const TORTURE: &str = env!("CARGO_BIN_EXE_torture");

/// As this user, and as one without privileges.
fn everybody() -> Vec<Who> {
    if Scenario::is_root() {
        vec![Who::Me, Who::Nobody]
    } else {
        vec![Who::Me]
    }
}

/// A shell script on a stage; what it wrote, and the session.
fn stage(scenario: &Scenario, script: &str) -> (Outcome, String) {
    let mut command = scenario.rescind(&["run", "--stage", "--record-only", "--", "sh", "-c", script]);
    let outcome = Outcome::of(&mut command);
    let session = scenario.runs().pop().expect("a session");
    (outcome, session)
}

/// What a process on the stage saw, as it printed it, against what is there now.
fn assert_as_seen(seen: &Outcome, scenario: &Scenario, who: Who, what: &str) {
    // Without privileges an overlay shows the number that a file had below until it is forgotten, so that its new names
    // seem to be other files.
    // What may not be read by its owner is read by this test all the same.
    let is_hidden = |line: &String| {
        line.contains("\tlinks\t") || line.starts_with("./mode_zero/other") && !line.contains("\tmode\t")
    };
    let is_compared = |line: &String| who == Who::Me || !is_hidden(line);
    let saw: BTreeSet<String> = seen
        .out()
        .lines()
        .filter_map(|line| line.strip_prefix("saw "))
        .map(str::to_owned)
        .filter(is_compared)
        .collect();
    assert!(
        saw.len() > 3,
        "{what}: nothing was seen on the stage: {}",
        seen.said()
    );
    let now: BTreeSet<String> = scenario
        .manifest()
        .lines()
        .into_iter()
        .filter(is_compared)
        .collect();
    let only: Vec<String> = saw
        .difference(&now)
        .map(|line| format!("on the stage  {line}"))
        .chain(now.difference(&saw).map(|line| format!("real          {line}")))
        .take(40)
        .collect();
    assert!(only.is_empty(), "{what}: {only:#?}");
}

fn promotions(scenario: &Scenario) -> Vec<Value> {
    let sessions = scenario.sessions();
    sessions
        .into_iter()
        .filter(|session| !session["promotes"].is_null())
        .collect()
}

#[test]
fn nothing_is_real_until_it_is_promoted_and_a_promotion_is_undone() {
    for who in everybody() {
        let scenario = Scenario::at(Place::Disk, who);
        scenario.bare("echo one > a; echo two > b; mkdir d; echo x > d/x; chmod 640 b");
        let before = scenario.manifest();
        let (outcome, session) = stage(
            &scenario,
            "echo more >> a; rm b; mkdir -p n/m; echo new > n/m/f; rm -r d; ln -s a s; cat a; ls",
        );
        assert_eq!(
            outcome.clone().success().out(),
            "one\nmore\na\nn\ns\n",
            "the session sees its own changes"
        );
        assert!(
            outcome.err().contains("nothing of it is real yet") && outcome.err().contains("rescind review"),
            "{}",
            outcome.err()
        );
        before.assert_same(&scenario.manifest(), "a session on a stage");
        let review = scenario.tell(&["review", &session]).success().out();
        for line in ["+more", "-two", "+new", "deleted", "created", "/d/x"] {
            assert!(review.contains(line), "no `{line}` in the review:\n{review}");
        }
        let listed = scenario
            .tell(&["review", "--json", &session])
            .success()
            .json_lines();
        let of = |name: &str| {
            let path = scenario.path(name);
            let found = listed
                .iter()
                .find(|change| change["path"] == path.to_str().expect("a text"));
            found.map(|change| change["change"].as_str().unwrap_or_default().to_owned())
        };
        assert_eq!(of("a").as_deref(), Some("changed"));
        assert_eq!(of("b").as_deref(), Some("deleted"));
        assert_eq!(of("n/m/f").as_deref(), Some("created"));
        assert_eq!(listed.len(), 8, "{listed:#?}");
        let refused = scenario.tell(&["undo", "--yes", &session]).exits(1);
        assert!(refused.err().contains("error[not-real]"), "{}", refused.err());
        scenario.tell(&["promote", "--dry-run", &session]).success();
        before.assert_same(&scenario.manifest(), "a dry run");
        scenario.tell(&["promote", &session]).success();
        assert_eq!(scenario.read("a"), "one\nmore\n");
        assert_eq!(scenario.read("n/m/f"), "new\n");
        assert!(!scenario.path("b").exists() && !scenario.path("d").exists());
        let promotion = promotions(&scenario).pop().expect("a promotion");
        assert_eq!(promotion["promotes"], session.as_str());
        scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
        before.assert_same(&scenario.manifest(), "the undo of a promotion");
        assert!(
            !scenario.home().join("stages").join(&session).exists(),
            "what is promoted is off the stage"
        );
        scenario.verify();
        proved(
            "6 stage",
            format!("staged, reviewed, promoted, undone ({who:?}): identical"),
        );
    }
}

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
fn a_file_system_that_is_gone_is_no_reason_to_forget_what_is_on_the_stage_for_it() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a file system");
        return;
    }
    let scenario = Scenario::new();
    scenario.bare(
        "mkdir mounted; echo a > a; mount -t tmpfs -o size=1m rescind-scenario mounted; echo b > mounted/b",
    );
    let (outcome, session) = stage(
        &scenario,
        "echo mine >> a; echo mine >> mounted/b; echo new > mounted/new",
    );
    outcome.success();
    scenario.bare("umount -l mounted; rmdir mounted");
    let refused = scenario.tell(&["promote", &session]).exits(3);
    assert!(refused.err().contains("mounted/b"), "{}", refused.err());
    scenario.tell(&["promote", &session, "a"]).success();
    assert_eq!(scenario.read("a"), "a\nmine\n");
    assert!(
        scenario
            .tell(&["review", "--name-only", &session])
            .success()
            .out()
            .contains("mounted/new")
    );
}

/// Kinds of change that the real tree does not get as they were on the stage, or that a stage does not allow.
const NOT_ON_A_STAGE: [&str; 1] = ["inode_flags"];

fn every_kind_is_promoted(place: Place, who: Who) {
    let scenario = Scenario::at(place, who);
    let torture = scenario.lend(Path::new(TORTURE));
    Outcome::of(scenario.command(&torture).args(["prepare", "."])).success();
    let torture = torture.to_str().expect("a path in text");
    let names = Outcome::of(scenario.command(torture).arg("list")).success().out();
    let names: Vec<&str> = names
        .lines()
        .filter(|name| !NOT_ON_A_STAGE.contains(name))
        .collect();
    let before = scenario.manifest();
    let script = format!(
        "{torture} wreck . {}; sleep 0.1; {torture} manifest .",
        names.join(" ")
    );
    let (seen, session) = stage(&scenario, &script);
    before.assert_same(&scenario.manifest(), "kinds of change on a stage");
    let failed: Vec<String> = seen
        .out()
        .lines()
        .filter(|line| line.starts_with("failed"))
        .map(str::to_owned)
        .collect();
    // Folders of the real tree are not renamed on a stage, and in a user namespace nobody else can be named in a list of
    // access: the kernel says so to the program.
    let is_known = |line: &&String| {
        line.contains("os error 18") || who == Who::Nobody && line.contains("access_list: Invalid argument")
    };
    let unexpected: Vec<&String> = failed.iter().filter(|line| !is_known(line)).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}\n{}", seen.err());
    scenario.tell(&["promote", &session]).success();
    assert_as_seen(&seen, &scenario, who, &format!("promoted ({place:?}, {who:?})"));
    let promotion = promotions(&scenario).pop().expect("a promotion");
    scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
    before.assert_same(&scenario.manifest(), "the undo of a promotion");
    scenario.verify();
    let made = seen.out().lines().filter(|line| line.starts_with("made")).count();
    assert!(made >= 45, "only {made} kinds of change were made");
    proved(
        "6 stage",
        format!("{made} kinds of change promoted as seen, and undone ({place:?}, {who:?}): identical"),
    );
}

#[test]
fn every_kind_of_change_is_promoted_as_it_was_seen_on_disk() {
    every_kind_is_promoted(Place::Disk, Who::Me);
}

#[test]
fn every_kind_of_change_is_promoted_as_it_was_seen_on_tmpfs() {
    every_kind_is_promoted(Place::Tmpfs, Who::Me);
}

#[test]
fn every_kind_of_change_of_an_unprivileged_user_is_promoted_as_it_was_seen() {
    if Scenario::is_root() {
        every_kind_is_promoted(Place::Disk, Who::Nobody);
    }
}

/// Changes of every sort, many enough that a promotion takes a while.
const MANY: &str = "for n in $(seq 40); do echo changed >> d/$n; echo new > n$n; done; rm -rf gone; mkdir -p x/y/z; \
     for n in $(seq 20); do echo $n > x/y/z/$n; ln -s $n x/y/l$n; done; rm d/9; mkdir d/9; echo in > d/9/in; rm -r f; echo f > f; \
     chmod 600 d/11; ln d/12 again; head -c 3000000 /dev/zero > large; touch -d 2001-01-01 d/13";

fn prepare_many(scenario: &Scenario) {
    scenario.bare(
        "mkdir d gone f; for n in $(seq 60); do seq $n > d/$n; seq $n > gone/$n; done; echo x > f/x; head -c 2000000 /dev/urandom > large",
    );
}

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

#[test]
fn an_agent_can_neither_promote_nor_discard() {
    let scenario = Scenario::new();
    scenario.bare("echo base > a");
    let (outcome, session) = stage(&scenario, "echo mine >> a");
    outcome.success();
    let rescind = scenario.rescind(&[]).get_program().to_owned();
    let rescind = rescind.to_str().expect("a path in text");
    for command in ["promote", "discard"] {
        for clean in ["", "env -u RESCIND_SESSION "] {
            let told = scenario.run_again(&format!("{clean}{rescind} {command} {session}"));
            assert_eq!(told.code(), 1, "{}", told.said());
            assert!(
                told.err().contains("inside-supervised-tree"),
                "{command}: {}",
                told.err()
            );
        }
    }
    assert_eq!(scenario.read("a"), "base\n");
    scenario.tell(&["discard", &session]).success();
    assert_eq!(scenario.read("a"), "base\n");
    let gone = scenario.tell(&["promote", &session]).exits(1);
    assert!(gone.err().contains("error[no-stage]"), "{}", gone.err());
    assert!(!scenario.home().join("stages").join(&session).exists());
    scenario.verify();
}

#[test]
fn what_is_on_no_overlay_can_not_be_changed_from_a_stage() {
    let scenario = Scenario::new();
    scenario.bare("echo base > a");
    let before = scenario.manifest();
    let tree = scenario.tree();
    let tree = tree.display();
    let ways = [
        format!("echo through > /proc/{}/root{tree}/a", std::process::id()),
        format!(
            "unshare -m sh -c 'umount -l /tmp; echo unmounted > {tree}/a; umount -l $(df --output=target {tree} | tail -1); echo x > {tree}/a'"
        ),
        "echo x > /rescind-on-no-overlay".to_owned(),
    ];
    for way in &ways {
        let (outcome, session) = stage(&scenario, &format!("{way}; true"));
        outcome.success();
        before.assert_same(&scenario.manifest(), way);
        assert!(!Path::new("/rescind-on-no-overlay").exists(), "{way}");
        let _only_if_there_is_one = scenario.tell(&["discard", &session]);
    }
    scenario.verify();
}

#[test]
fn some_paths_are_promoted_and_the_rest_stays_on_the_stage() {
    let scenario = Scenario::new();
    scenario.bare("mkdir d; echo a > d/a; echo b > b");
    let before = scenario.manifest();
    let (outcome, session) = stage(
        &scenario,
        "echo x >> d/a; echo x >> b; mkdir -p new/deep; echo n > new/deep/f; echo o > new/other",
    );
    outcome.success();
    let told = scenario
        .tell(&["promote", "--json", &session, "d", "new/deep/f"])
        .success()
        .json_lines();
    assert_eq!(told[0]["left"], 2, "{told:#?}");
    assert_eq!(scenario.read("d/a"), "a\nx\n");
    assert_eq!(scenario.read("new/deep/f"), "n\n");
    assert_eq!(scenario.read("b"), "b\n");
    assert!(!scenario.path("new/other").exists());
    scenario.tell(&["promote", &session]).success();
    assert_eq!(scenario.read("b"), "b\nx\n");
    assert_eq!(scenario.read("new/other"), "o\n");
    let unknown = scenario.tell(&["promote", &session]).exits(1);
    assert!(unknown.err().contains("error[no-stage]"), "{}", unknown.err());
    for promotion in promotions(&scenario) {
        scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
    }
    before.assert_same(
        &scenario.manifest(),
        "both promotions undone, the later one first",
    );
}

/// The process that carries changes over, stopped in its work.
fn stopped_at_work(own: i32) -> Option<i32> {
    let is_it = |pid: i32| {
        let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        words.split(|byte| *byte == 0).nth(1) == Some(b"carry-over".as_slice())
    };
    let worker = descendants(own).into_iter().find(|process| is_it(process.pid))?;
    kill(worker.pid, libc::SIGSTOP);
    // A call of its that is being captured is made before it stops.
    until("the worker to stop", Duration::from_secs(30), || {
        let all = descendants(own);
        let now = all.iter().find(|process| process.pid == worker.pid);
        match now {
            None => Some(None),
            Some(process) => (process.state == 'T').then_some(Some(worker.pid)),
        }
    })
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

fn gone(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z"))
}

#[test]
fn a_hostile_session_can_not_forge_what_is_on_its_stage() {
    for who in everybody() {
        let scenario = Scenario::at(Place::Disk, who);
        scenario.bare("mkdir d; echo x > d/x; echo y > y; echo z > z");
        let before = scenario.manifest();
        let python = "\
import os\n\
for name in (b'user.overlay.opaque', b'user.overlay.redirect', b'user.overlay.whiteout', b'trusted.overlay.opaque', b'user.overlay.overlay.opaque'):\n\
  for path in ('d', 'y'):\n\
    try: os.setxattr(path, name, b'y')\n\
    except OSError: pass\n\
try: os.mknod('whiteout', 0o020644, 0)\n\
except OSError: pass\n";
        let script = format!(
            "python3 -c \"{python}\"; echo t > .rescind-promote-1-1; echo w > .wh.z; echo $'a\\nb' > 'odd\nname'; mkdir .wh..wh..opq"
        );
        let (outcome, session) = stage(&scenario, &script);
        outcome.success();
        before.assert_same(&scenario.manifest(), "a session on a stage");
        scenario.tell(&["promote", &session]).success();
        assert_eq!(scenario.read("d/x"), "x\n", "nothing below was hidden");
        assert_eq!(scenario.read("z"), "z\n");
        assert_eq!(scenario.read(".wh.z"), "w\n");
        assert_eq!(scenario.read(".rescind-promote-1-1"), "t\n");
        assert!(!scenario.path("whiteout").exists());
        let promotion = promotions(&scenario).pop().expect("a promotion");
        scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
        before.assert_same(&scenario.manifest(), "the undo of a promotion");
    }
}

#[test]
fn a_session_that_goes_on_can_be_reviewed_and_not_promoted() {
    let scenario = Scenario::new();
    scenario.bare("echo base > a");
    let (outcome, session) = stage(
        &scenario,
        "echo mine >> a; (while [ ! -e stop ]; do sleep 0.05; done) >/dev/null 2>&1 & exit 0",
    );
    outcome.success();
    let review = scenario.tell(&["review", &session]).success().out();
    assert!(review.contains("+mine"), "{review}");
    for command in ["promote", "discard"] {
        let busy = scenario.tell(&[command, &session]).exits(1);
        assert!(
            busy.err().contains("error[session-busy]"),
            "{command}: {}",
            busy.err()
        );
    }
    scenario.tell(&["kill", &session]).success();
    scenario.tell(&["promote", &session]).success();
    assert_eq!(scenario.read("a"), "base\nmine\n");
    scenario.verify();
}
