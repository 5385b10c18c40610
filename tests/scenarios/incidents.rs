//! Incidents that really happened to files, as test cases. Git's are in `git`.

use rescind_scenarios::{Outcome, Place, Scenario, Who, kill, process_named, proved, until, within};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The incidents happened to ordinary users.
fn user() -> Who {
    if Scenario::is_root() { Who::Nobody } else { Who::Me }
}

fn spawn(command: &mut Command) -> std::process::Child {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts")
}

/// A failed mkdir, then `mv` to what is no folder: every file overwrites the one before.
#[test]
fn tc_13_ten_files_moved_onto_one_name_come_back() {
    let scenario = Scenario::at(Place::Disk, user());
    for n in 0..10 {
        let file = scenario.write(format!("work/file {n}"), format!("content {n}\n"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600 + n)).expect("chmod");
        let _not_on_every_file_system = rustix::fs::setxattr(
            &file,
            "user.n",
            n.to_string().as_bytes(),
            rustix::fs::XattrFlags::empty(),
        );
    }
    scenario.write("shut/keep", "");
    fs::set_permissions(scenario.path("shut"), fs::Permissions::from_mode(0o500)).expect("chmod");
    scenario.undone("cd work; mkdir ../shut/D; for f in *; do mv \"$f\" ../D; done; true");
    proved("4 incidents", "TC-13: ten files moved onto one name");
}

#[test]
fn tc_13_the_victims_of_rename_come_back() {
    let scenario = Scenario::at(Place::Tmpfs, user());
    for n in 0..10 {
        scenario.write(format!("{n}"), format!("victim {n}\n").repeat(5000));
    }
    scenario.undone("for n in 1 2 3 4 5 6 7 8 9; do mv -f $n 0; done");
    proved("4 incidents", "TC-13, variant: nine victims of rename");
}

/// `rm -rf tests/ patches/ plan/ ~/` in a home of 5,000 files, some of which can't be removed.
#[test]
fn tc_14_a_home_removed_in_part_comes_back() {
    let scenario = Scenario::at(Place::Disk, user());
    scenario.bare(
        "mkdir -p home/tests home/patches home/plan home/.ssh home/locked; cd home; echo key > .ssh/id; chmod 600 .ssh/id; \
         for d in $(seq 50); do mkdir -p work/$d; for f in $(seq 100); do echo $d $f > work/$d/$f; done; done; \
         echo a > tests/a; echo b > patches/b; echo c > plan/c; echo fixed > locked/stays; chmod 500 locked; chmod 000 work/7/7",
    );
    let before = scenario.manifest();
    let outcome = scenario.run("HOME=$PWD/home; cd home; rm -rf tests/ patches/ plan/ ~/");
    if user() == Who::Nobody {
        assert_ne!(outcome.code(), 0, "a part of it can't be removed");
    }
    before.assert_changed(&scenario.manifest(), "rm -rf ~/");
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "rm -rf ~/");
    proved(
        "4 incidents",
        format!("TC-14: a home of {} paths, removed in part", before.len()),
    );
}

/// The same, interrupted by a person.
#[test]
fn tc_14_what_went_before_the_interrupt_comes_back() {
    let scenario = Scenario::at(Place::Tmpfs, user());
    scenario.bare(
        "for d in $(seq 40); do mkdir -p home/$d; for f in $(seq 100); do echo $f > home/$d/$f; done; done",
    );
    let before = scenario.manifest();
    let mut run = spawn(&mut scenario.supervised(["rm", "-rf", "home"]));
    let front = run.id() as i32;
    until("some folders to go", Duration::from_secs(60), || {
        let left = fs::read_dir(scenario.path("home")).map_or(0, Iterator::count);
        (left < 35 || run.try_wait().expect("wait").is_some()).then_some(())
    });
    kill(front, libc::SIGINT);
    run.wait().expect("it ends");
    before.assert_changed(&scenario.manifest(), "the interrupted rm");
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "an interrupted rm -rf");
    proved("4 incidents", "TC-14: interrupted, all that went before is back");
}

/// The state directory and the agent's transcript lie in what is deleted.
#[test]
fn tc_15_a_home_deleted_with_our_state_in_it_comes_back() {
    let mut scenario = Scenario::at(Place::Disk, user());
    let state = scenario.path("home/.local/state/rescind").display().to_string();
    scenario.bare("mkdir -p home/.local/state home/.ssh home/.claude/projects; echo ssh-ed25519 AAAA me > home/.ssh/authorized_keys; \
        echo '{\"said\":1}' > home/.claude/projects/t.jsonl; for n in $(seq 300); do echo $n > home/$n; done");
    scenario.environment.push(("RESCIND_HOME".to_owned(), state));
    scenario.run("true").success();
    let look = || rescind_scenarios::Manifest::of(&scenario.path("home"), &[".local"]);
    let before = look();
    let outcome = scenario.run("rm -rf \"$PWD/home\"");
    assert_ne!(outcome.code(), 0, "our own files were removed");
    assert!(
        !scenario.path("home/.ssh/authorized_keys").exists(),
        "nothing was removed"
    );
    assert!(scenario.home().join("ledger").is_dir(), "the ledger is gone");
    scenario.verify();
    scenario.undo(&[]);
    before.assert_same(&look(), "rm -rf \"$HOME\"");
    proved(
        "4 incidents",
        format!(
            "TC-15: {} paths back, the state directory was inside",
            before.len()
        ),
    );
}

/// A long delete is stopped: nothing goes after that, and what went before is known and comes back.
#[test]
fn tc_16_a_long_delete_is_stopped_and_what_was_lost_is_reported() {
    let scenario = Scenario::at(Place::Tmpfs, user());
    scenario.bare("mkdir data; cd data; for n in $(seq 3000); do echo $n > $n; done");
    let before = scenario.manifest();
    let script = "cd data; for n in $(seq 3000); do rm $n; done";
    let mut run = spawn(&mut scenario.supervised(["sh", "-c", script]));
    let front = run.id() as i32;
    let left = || fs::read_dir(scenario.path("data")).expect("the folder").count();
    until("a hundred files to go", Duration::from_secs(60), || {
        (left() < 2900).then_some(())
    });
    let supervisor = process_named(front, "rescind-super").expect("a supervisor");
    let ((), took) = within("the stop", Duration::from_secs(5), || {
        kill(front, libc::SIGKILL);
        kill(supervisor.pid, libc::SIGKILL);
        run.wait().expect("it ends");
        let mut last = left();
        until("the deleting to stop", Duration::from_secs(5), || {
            std::thread::sleep(Duration::from_millis(50));
            let now = left();
            let still = now == last;
            last = now;
            still.then_some(())
        });
    });
    let at_the_stop = left();
    assert!(at_the_stop > 0, "nothing was stopped");
    scenario.verify();
    let session = scenario.runs().pop().expect("a session");
    let diff = scenario.tell(&["diff", &session]).success().out();
    let lost = 3000 - at_the_stop;
    let named = diff.lines().filter(|line| line.contains("data/")).count();
    assert!(
        named >= lost,
        "{lost} files were lost, the report names {named}:\n{diff}"
    );
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "a stopped delete");
    proved(
        "4 incidents",
        format!("TC-16: stopped in {took:?} after {lost} of 3000 files, all back"),
    );
}

/// `mv a/* a/log/; rm -rf a`, as an agent's two commands.
#[test]
fn tc_17_to_the_start_and_only_the_removal() {
    for only_the_removal in [false, true] {
        let scenario = Scenario::at(Place::Disk, user());
        scenario.bare("mkdir -p a/log; for n in $(seq 200); do seq $n > a/img$n; done");
        let start = scenario.manifest();
        let agent = scenario.write(
            "../agent",
            "#!/bin/sh\nmv a/img* a/log/\ntouch moved\n: > ../scratch/moved\nwhile [ ! -e ../scratch/go ]; do sleep 0.01; done\nrm -rf a\n",
        );
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("chmod");
        let mut command = scenario.rescind(&["run", "--agent", "agent", "--"]);
        let mut run = spawn(command.arg(&agent));
        until("the move", Duration::from_secs(60), || {
            scenario.scratch().join("moved").exists().then_some(())
        });
        let moved = scenario.manifest();
        fs::write(scenario.scratch().join("go"), "").expect("the sign");
        assert!(run.wait().expect("it ends").success());
        assert!(!scenario.path("a").exists(), "nothing was removed");
        if only_the_removal {
            let log = scenario.log(&[]);
            let remove = log
                .iter()
                .find(|action| action["argv"][0] == "rm")
                .unwrap_or_else(|| panic!("no rm: {log:#?}"));
            scenario.undo(&["--only", remove["action_id"].as_str().expect("an id")]);
            moved.assert_same(&scenario.manifest(), "only the rm");
        } else {
            scenario.undo(&[]);
            start.assert_same(&scenario.manifest(), "mv, then rm -rf of the parent");
        }
    }
    proved("4 incidents", "TC-17: to the start, and only the rm");
}

/// `rm -rf` of a checkout and a fresh clone in its place.
#[test]
fn tc_21_the_old_checkout_replaces_the_new_clone() {
    let scenario = Scenario::at(Place::Disk, user());
    scenario.bare(
        "git init -q -b main origin.work; cd origin.work; echo .env.local > .gitignore; seq 50 > code; git add .; \
         git commit -qm one; cd ..; git clone -q --bare origin.work origin; git clone -q origin checkout; cd checkout; \
         echo TOKEN=s3cr3t-only-copy > .env.local; echo uncommitted >> code; echo untracked > notes",
    );
    scenario.undone("set -e; rm -rf checkout; git clone -q origin checkout; cd checkout; git log --oneline");
    assert!(scenario.read("checkout/.env.local").contains("s3cr3t-only-copy"));
    // In the vault it lies encrypted.
    let found = Outcome::of(
        Command::new("grep")
            .args(["-rlaF", "s3cr3t-only-copy"])
            .arg(scenario.home()),
    );
    assert_eq!(found.out(), "", "the secret lies in the state directory as it is");
    proved(
        "4 incidents",
        "TC-21: dirty checkout and ignored secret back in place of the new clone",
    );
}

/// Thousands of files that git knows nothing of, and no git at all.
#[test]
fn tc_23_untracked_files_come_back_without_git() {
    let scenario = Scenario::at(Place::Tmpfs, user());
    scenario.bare("mkdir -p src/.git; for n in $(seq 2229); do echo \"source $n\" > src/$n.v; done; echo '*' > src/.gitignore");
    let before = scenario.manifest();
    scenario.undone("find src -name '*.v' -delete; rm -rf src/.git");
    proved(
        "4 incidents",
        format!("TC-23: {} paths, none of them in git", before.len()),
    );
}

/// `rm -rf "$DIR/"*` with DIR unset, in a nested shell; a chroot-like sandbox stands in for the root directory.
#[test]
fn tc_30_an_unset_variable_in_a_nested_shell() {
    let scenario = Scenario::at(Place::Disk, user());
    scenario.bare("mkdir -p project/build home/docs; echo a > project/build/a; for n in $(seq 100); do echo $n > home/docs/$n; done");
    scenario.undone("R=$PWD; export R; sh -c \"sh -c 'cd project; rm -rf \\\"\\$R/\\$DIR\\\"/*'\"");
    proved("4 incidents", "TC-30: an unset variable in a nested shell");
}

/// The same write by five routes: all of them captured.
#[test]
fn tc_b1_five_routes_to_one_write() {
    let scenario = Scenario::at(Place::Disk, user());
    scenario.bare(
        "git init -q; for n in edit sed python apply node; do printf 'one\\ntwo\\nthree\\n' > $n; done; git add .; \
         git commit -qm x; printf 'one\\nTWO\\nthree\\n' > apply; git diff > ../scratch/patch; git checkout -q apply",
    );
    let routes = [
        ("edit", "printf 'one\\nTWO\\nthree\\n' > edit"),
        ("sed", "sed -i s/two/TWO/ sed"),
        (
            "python",
            "python3 -c \"p='python'; s=open(p).read(); open(p,'w').write(s.replace('two','TWO'))\"",
        ),
        ("apply", "git apply ../scratch/patch"),
        (
            "node",
            "node -e \"const f=require('fs'); f.writeFileSync('node', f.readFileSync('node','utf8').replace('two','TWO'))\"",
        ),
    ];
    let before = scenario.manifest();
    for (file, route) in routes {
        scenario.run(route).success();
        assert_eq!(scenario.read(file), "one\nTWO\nthree\n", "{file}");
        let why = scenario
            .tell(&["why", scenario.path(file).to_str().expect("text")])
            .success();
        assert!(!why.out().is_empty(), "{file}: nothing says who changed it");
        scenario.undo(&[]);
        before.assert_same(&scenario.manifest(), route);
    }
    proved("4 incidents", "TC-B1: five routes");
}

/// A write by a process that no hook announced is in the log all the same, with its parent.
#[test]
fn tc_b2_a_write_that_nobody_announced_is_in_the_log() {
    let scenario = Scenario::at(Place::Tmpfs, user());
    scenario.write("config", "old\n");
    scenario.undone("sh -c 'sh -c \"cp /dev/null config\" &  wait'");
    let runs = scenario.runs();
    let log = scenario.log(&[runs.last().expect("a session"), "--tree"]);
    let found = log
        .iter()
        .any(|node| node["argv"][0] == "cp" && node["parent_id"].is_string());
    assert!(found, "{log:#?}");
    proved("4 incidents", "TC-B2: an unannounced write is in the log");
}

/// The head was mirrored before the evidence went: the wiped machine is found out, and the mirror still verifies.
#[test]
fn tc_b5_the_mirror_outlives_the_machine() {
    let scenario = Scenario::new();
    let mirror = scenario.scratch().join("mirror");
    scenario.write("f", "x\n");
    scenario
        .tell(&["ledger", "mirror", mirror.to_str().expect("text")])
        .success();
    scenario.run("rm f").success();
    let mirrored = || {
        fs::read_to_string(mirror.join("checkpoint"))
            .ok()
            .filter(|text| !text.is_empty())
    };
    let early = mirrored().expect("a mirrored checkpoint");
    fs::remove_dir_all(scenario.home()).expect("the evidence goes");
    scenario.run("true").success();
    let saved = scenario.scratch().join("saved");
    fs::write(&saved, early).expect("a copy");
    let found = scenario.tell(&["verify", "--since", saved.to_str().expect("text")]);
    assert_eq!(
        found.code(),
        4,
        "a store made anew passes for the old one: {}",
        found.said()
    );
    assert!(mirrored().is_some(), "the mirror is gone");
    proved("4 incidents", "TC-B5: a wiped store is found against its mirror");
}

/// What the agent says about itself is no evidence: the report is the ledger's.
#[test]
fn tc_b6_the_report_comes_from_the_ledger() {
    let scenario = Scenario::at(Place::Tmpfs, user());
    scenario.write("data", "1206 rows\n");
    let before = scenario.manifest();
    let lie = "echo 'I changed nothing, and rollback is impossible'; rm data; echo 'all fine' > report";
    let outcome = scenario.run(lie).success();
    assert!(outcome.err().contains("can be undone"), "{}", outcome.err());
    let diff = scenario
        .tell(&["diff", &scenario.runs().pop().expect("a session")])
        .success()
        .out();
    assert!(
        diff.contains("data"),
        "the removed file isn't in the report: {diff}"
    );
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "a lying agent");
    proved("4 incidents", "TC-B6: a lying agent");
}
