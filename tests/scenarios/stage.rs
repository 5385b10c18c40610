//! A session on a stage: nothing it changes is real until a person promotes it.

mod hostile;
mod killed;
mod kinds;
mod others;

use rescind_scenarios::{Outcome, Place, Scenario, Who, descendants, kill, proved, until};
use serde_json::Value;
use std::collections::BTreeSet;
use std::time::Duration;

const TORTURE: &str = env!("CARGO_BIN_EXE_torture");

/// As this user, and as one without privileges.
fn everybody() -> Vec<Who> {
    if Scenario::is_root() {
        vec![Who::Me, Who::Nobody]
    } else {
        vec![Who::Me]
    }
}

fn is_unprivileged(who: Who) -> bool {
    who == Who::Nobody || !Scenario::is_root()
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
    let is_compared = |line: &String| !is_unprivileged(who) || !is_hidden(line);
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
fn work_with_git_and_python_on_a_stage_is_promoted_whole() {
    for who in everybody() {
        let scenario = Scenario::at(Place::Disk, who);
        scenario.bare(
            "git init -q .; for n in $(seq 60); do mkdir -p src/d$((n%5)); seq $n > src/d$((n%5))/f$n; done; git add .; \
             git commit -qm one; git gc -q",
        );
        let before = scenario.manifest();
        let (outcome, session) = stage(
            &scenario,
            "set -e; git checkout -q -b x; for f in src/*/f1*; do echo more >> $f; done; git commit -qam two; \
             git mv src/d1/f1 src/d1/g; git gc -q; mv src/d2 src/moved; git add -A; git commit -qm three; \
             python3 -c 'import sqlite3; c = sqlite3.connect(\"db\"); c.execute(\"pragma journal_mode=wal\"); \
             c.execute(\"create table t(n)\"); c.executemany(\"insert into t values(?)\", [(n,) for n in range(500)]); c.commit()'; \
             git fsck --strict; git log --oneline | wc -l",
        );
        assert!(
            outcome.clone().success().out().trim().ends_with('3'),
            "{}",
            outcome.said()
        );
        before.assert_same(&scenario.manifest(), "git on a stage");
        scenario.tell(&["promote", &session]).success();
        let promoted = scenario.manifest();
        scenario.bare("cp -a . ../scratch/copy; cd ../scratch/copy; git fsck --strict; test $(git log --oneline | wc -l) = 3; \
             test -z \"$(git status --porcelain -uno)\"; test -e src/moved/f2 -a ! -e src/d2; \
             python3 -c 'import sqlite3; assert sqlite3.connect(\"db\").execute(\"select count(*) from t\").fetchone()[0] == 500'");
        promoted.assert_same(&scenario.manifest(), "looking at a copy");
        let promotion = promotions(&scenario).pop().expect("a promotion");
        scenario.undo(&[promotion["session_id"].as_str().expect("an id")]);
        before.assert_same(&scenario.manifest(), "the undo of a promotion");
    }
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

/// Changes of every sort, many enough that a promotion takes a while.
const MANY: &str = "for n in $(seq 40); do echo changed >> d/$n; echo new > n$n; done; rm -rf gone; mkdir -p x/y/z; \
     for n in $(seq 20); do echo $n > x/y/z/$n; ln -s $n x/y/l$n; done; rm d/9; mkdir d/9; echo in > d/9/in; rm -r f; echo f > f; \
     chmod 600 d/11; ln d/12 again; head -c 3000000 /dev/zero > large; touch -d 2001-01-01 d/13";

fn prepare_many(scenario: &Scenario) {
    scenario.bare(
        "mkdir d gone f; for n in $(seq 60); do seq $n > d/$n; seq $n > gone/$n; done; echo x > f/x; head -c 2000000 /dev/urandom > large",
    );
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

fn gone(pid: i32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z"))
}
