//! What fails halts a session that fails fast, and is undone at once where a policy says so.

use rescind_scenarios::{Outcome, Scenario, proved, until};
use std::fs;
use std::process::Child;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

fn end(child: Child) -> (i32, String, String) {
    let output = child.wait_with_output().expect("its end");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (
        output.status.code().unwrap_or(-1),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn failing_fast() -> Scenario {
    let mut scenario = Scenario::new();
    scenario.options.push("--fail-fast".to_owned());
    scenario.write("a", "one\n");
    scenario.write("b", "two\n");
    scenario
}

#[test]
fn any_failure_halts_a_session_that_fails_fast_until_a_person_says_so() {
    for (what, fails, how) in [
        (
            "an exit code",
            "sh -c 'echo wrong > a; exit 3'",
            "ended with exit 3",
        ),
        (
            "a signal",
            "perl -e 'open(F, q(>), q(a)); kill 9, $$'",
            "was ended by signal 9",
        ),
        (
            "a command that became another",
            "sh -c 'echo wrong > a; exec cat nothing'",
            "ended with exit 1",
        ),
        (
            "a command with something in the background",
            "sh -c 'echo wrong > a; sleep 5 & sleep 0.3; exit 3'",
            "ended with exit 3",
        ),
    ] {
        let scenario = failing_fast();
        let child = scenario.start(&format!("{fails}; cat b; echo over"));
        let held = scenario.waiting();
        let reasons = held["judged"]["reasons"].to_string() + &held["reasons"].to_string();
        assert!(
            reasons.contains(how) && reasons.contains("--keep-running"),
            "{what}: {held:#}"
        );
        // What failed is taken back while the session waits.
        let id = scenario.runs().pop().expect("a session");
        let failed = scenario.tell(&["log", &id, "--json"]).success().json_lines();
        let failed = failed
            .iter()
            .find(|action| action["exit_code"] == 3 || action["signal"] == 9 || action["exit_code"] == 1);
        if let Some(failed) = failed {
            let action = failed["action_id"].as_str().expect("an id");
            scenario
                .tell(&["undo", "--yes", "--only", action, "--keep-running"])
                .success();
            assert_eq!(scenario.read("a"), "one\n", "{what}");
        }
        scenario.tell(&["approve"]).success();
        let (code, out, err) = end(child);
        assert_eq!((code, out.as_str()), (0, "two\nover\n"), "{what}: {err}");
        scenario.verify();
    }
    proved(
        "fail-fast",
        "four kinds of failure halt the session, and what failed is undone while it waits",
    );
}

#[test]
fn a_session_that_fails_fast_goes_on_from_its_last_good_state() {
    let scenario = failing_fast();
    let before = scenario.manifest();
    let script = "touch good; sh -c 'rm a; false'; touch c; echo over";
    let child = scenario.start(script);
    scenario.waiting();
    let id = scenario.runs().pop().expect("a session");
    scenario
        .tell(&["undo", "--yes", &id, "--to", "last-good", "--keep-running"])
        .success();
    assert_eq!(scenario.read("a"), "one\n");
    assert!(scenario.path("good").exists(), "the good part stays");
    scenario.tell(&["approve"]).success();
    let (code, out, err) = end(child);
    assert_eq!((code, out.as_str()), (0, "over\n"), "{err}");
    assert!(scenario.path("c").exists());
    scenario.tell(&["undo", "--yes", &id]).success();
    before.assert_same(&scenario.manifest(), "the rest is undone");
    scenario.verify();
}

#[test]
fn a_rejection_and_a_denial_are_no_failures() {
    let scenario = failing_fast();
    let child = scenario.start("sh -c 'exit 4'; touch c; touch d; echo over");
    let first = scenario.waiting();
    scenario.tell(&["reject", "--message", "not this one"]).success();
    let held = until("the next to be held", SOON, || {
        let held = scenario.waiting();
        (held["action_id"] != first["action_id"]).then_some(held)
    });
    assert!(
        held.to_string().contains("ended with exit 4"),
        "it is still the first failure: {held:#}"
    );
    scenario.tell(&["approve"]).success();
    let (_, out, err) = end(child);
    assert_eq!(out, "over\n", "{err}");
    assert!(!scenario.path("c").exists() && scenario.path("d").exists());
}

#[test]
fn what_fails_is_undone_before_anybody_sees_its_end_where_a_policy_says_so() {
    let mut scenario = Scenario::new();
    let config = scenario.scratch().join("config");
    fs::create_dir_all(config.join("rescind/policies")).expect("a folder");
    let policy = "@id(\"own.auto\") @auto_undo\npermit (principal, action, resource);\n";
    fs::write(config.join("rescind/policies/own.cedar"), policy).expect("a policy");
    scenario
        .environment
        .push(("XDG_CONFIG_HOME".to_owned(), config.display().to_string()));
    scenario.write("a", "one\n");
    scenario.write("d/e", "two\n");
    let before = scenario.manifest();
    let script = "sh -c 'echo wrong > a; rm -r d; mkdir f; exit 3'; echo $?; cat a d/e; ls f; \
                  perl -e 'open(F, q(>), q(a)); kill 9, $$'; sleep 1; cat a; sh -c 'echo right > a'; cat a";
    let ran = Outcome::of(&mut scenario.supervised(["sh", "-c", script]));
    assert_eq!(ran.out(), "3\none\ntwo\none\nright\n", "{}", ran.said());
    assert_eq!(
        ran.err().matches("undone, by undo").count(),
        1,
        "the other has nobody to tell: {}",
        ran.err()
    );
    assert_eq!(scenario.undos().len(), 2);
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "the rest is undone");
    scenario.verify();
    proved(
        "auto-undo",
        "what failed was undone before its end was seen; the rest afterwards",
    );
}

#[test]
fn a_session_that_does_again_what_was_undone_while_it_ran_is_halted() {
    let scenario = Scenario::new();
    scenario.write("a", "one\n");
    let child = scenario.start("sh -c 'echo two > a'; until [ -e go ]; do sleep 0.05; done; sh -c 'echo two > a'; touch c; echo over",
    );
    until("the first write", SOON, || {
        (scenario.read("a") == "two\n").then_some(())
    });
    let id = scenario.runs().pop().expect("a session");
    scenario
        .tell(&["undo", "--yes", &id, "--path", "**/a", "--keep-running"])
        .success();
    assert_eq!(scenario.read("a"), "one\n");
    scenario.write("go", "");
    let held = scenario.waiting();
    assert!(
        held.to_string().contains("again to a state that was undone"),
        "{held:#}"
    );
    assert!(!scenario.path("c").exists());
    scenario.tell(&["approve"]).success();
    let (_, out, err) = end(child);
    assert_eq!(out, "over\n", "{err}");
}
