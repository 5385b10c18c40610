//! What people answer once and for a while: rules learned from approvals, never wider than what was shown.

use crate::holds::{Running, SOON, configure, done, hold, name, place, program, refused, tell_as, waiting};
use rescind_scenarios::{Scenario, kill, proved, until};
use serde_json::Value;
use std::fs;

const DELETE: &str = "kubectl delete ns drone";

/// A script whose last command waits; who looks after it rejects it. What was shown.
#[track_caller]
fn asks(scenario: &Scenario, script: &str) -> Value {
    let running = Running::new(scenario, script);
    let held = hold(scenario);
    scenario.tell(&["reject", &name(&held)]).success();
    running.end();
    held
}

/// A script that runs to its end without asking anybody.
#[track_caller]
fn runs(scenario: &Scenario, script: &str) {
    let (code, out, err) = Running::new(scenario, script).end();
    assert!(code == 0 && !err.contains("held ("), "{script}: {out}{err}");
}

/// Approve what the script waits for, with these arguments, and see it to its end.
#[track_caller]
fn approved(scenario: &Scenario, script: &str, arguments: &[&str]) -> String {
    let running = Running::new(scenario, script);
    let held = name(&hold(scenario));
    let words: Vec<&str> = ["approve", &held].iter().chain(arguments).copied().collect();
    scenario.tell(&words).success();
    let (code, out, err) = running.end();
    assert_eq!(code, 0, "{out}{err}");
    held
}

fn rules(scenario: &Scenario) -> Vec<Value> {
    scenario
        .tell(&["policy", "rules", "--json"])
        .success()
        .json_lines()
}

#[test]
fn what_was_approved_for_always_runs_again_unasked_and_nothing_else_does() {
    let mut scenario = place();
    let rule = approved(&scenario, DELETE, &["--always", "--until", "2h"]);
    // In another session, and twice.
    runs(&scenario, &format!("{DELETE}; {DELETE}"));
    assert_eq!(done(&scenario).lines().count(), 3);
    let log = scenario.log(&[]);
    let by_rule = log
        .iter()
        .filter(|action| action["judgement"]["rule"] == rule.as_str());
    assert_eq!(by_rule.count(), 2, "{log:#?}");
    let known = rules(&scenario);
    assert_eq!(known.len(), 1);
    assert_eq!(
        (&known[0]["rule"], &known[0]["uses"]),
        (&rule.as_str().into(), &2.into())
    );
    assert_eq!(known[0]["state"], "in force");

    // Whatever could lead the same words elsewhere: asked again.
    asks(&scenario, "kubectl delete ns other");
    asks(&scenario, "kubectl delete ns drone --force");
    asks(&scenario, "mkdir -p sub; cd sub; kubectl delete ns drone");
    asks(&scenario, "KUBECONFIG=/elsewhere kubectl delete ns drone");
    asks(&scenario, "PATH=/nowhere:$PATH kubectl delete ns drone");
    scenario.options = ["--environment", "production"].map(str::to_owned).to_vec();
    asks(&scenario, DELETE);
    scenario.options = ["--domain", "payments"].map(str::to_owned).to_vec();
    asks(&scenario, DELETE);
    scenario.options.clear();
    let mut other = scenario.supervised(["bash", "-c", DELETE]);
    let mut child = other
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("an agent");
    scenario.tell(&["reject", &name(&hold(&scenario))]).success();
    child.wait().expect("its end");
    // None of them was written into the rule.
    assert_eq!(rules(&scenario)[0]["uses"], 2);
    // A program that is another one by now.
    program(&scenario, "kubectl", "echo other \"$@\" >> \"$DONE\"");
    asks(&scenario, DELETE);
    program(&scenario, "kubectl", "echo \"$@\" >> \"$DONE\"");
    runs(&scenario, DELETE);

    scenario.tell(&["policy", "forget", &rule]).success();
    assert!(rules(&scenario).is_empty());
    asks(&scenario, DELETE);
    refused(scenario.tell(&["policy", "forget", &rule]), "no-such-rule");
    scenario.verify();
    proved(
        "3 bypass",
        "a learned rule covers the very same command, and no other target, folder, environment, agent or program",
    );
}

#[test]
fn a_pattern_opens_the_words_that_a_reviewer_names_and_no_others() {
    let scenario = place();
    let shown = "kubectl delete ns review-1 -n ci";
    let running = Running::new(&scenario, shown);
    let held = name(&hold(&scenario));
    for wider in [
        "kubectl delete ns *",
        "kubectl delete * review-1 -n staging",
        "* delete ns review-1 -n ci",
        "kubectl delete ns review-1 * ci",
        "kubectl delete ns review-1 -n ci",
        "kubectl delete ns other-* -n ci",
    ] {
        let told = scenario.tell(&["approve", &held, "--always", "--pattern", wider]);
        refused(told, "rule-too-wide");
    }
    scenario
        .tell(&[
            "approve",
            &held,
            "--always",
            "--pattern",
            "kubectl delete ns review-* -n ci",
        ])
        .success();
    running.end();
    runs(&scenario, "kubectl delete ns review-2 -n ci");
    for wider in [
        "review-2,prod -n ci",
        "prod -n ci",
        "review-2 -n prod",
        "review-2 -n ci --all",
    ] {
        asks(&scenario, &format!("kubectl delete ns {wider}"));
    }
    assert_eq!(rules(&scenario)[0]["uses"], 1);
}

#[test]
fn a_rule_ends_with_its_time_and_one_for_the_session_with_the_session() {
    let scenario = place();
    approved(&scenario, DELETE, &["--always", "--until", "2s"]);
    until("the end of the rule", SOON, || {
        rules(&scenario)
            .first()
            .filter(|rule| rule["state"] == "expired")
            .cloned()
    });
    asks(&scenario, DELETE);
    let other = "kubectl delete ns b";
    approved(&scenario, &format!("{other}; {other}"), &["--for-session"]);
    asks(&scenario, other);
    let running = Running::new(&scenario, DELETE);
    let held = name(&hold(&scenario));
    for (time, code) in [("2001-01-01T00:00:00Z", 2), ("91d", 2), ("soon", 2)] {
        scenario
            .tell(&["approve", &held, "--always", "--until", time])
            .exits(code);
    }
    scenario.tell(&["approve", &held, "--until", "2h"]).exits(2);
    scenario.tell(&["reject", &held]).success();
    running.end();
}

#[test]
fn no_rule_answers_a_denial_a_freeze_a_limit_a_halt_or_other_policies() {
    let scenario = place();
    let rule = approved(&scenario, DELETE, &["--always"]);
    configure(
        &scenario,
        "limits.toml",
        "[[freeze]]\nid = \"f\"\nreason = \"not now\"\nfrom = \"2020-01-01T00:00:00Z\"\nuntil = \"2100-01-01T00:00:00Z\"\n",
    );
    let (_, _, err) = Running::new(&scenario, DELETE).end();
    assert!(err.contains("not now"), "{err}");
    configure(
        &scenario,
        "limits.toml",
        "[[limit]]\nid = \"one\"\nper = \"session\"\nmeasure = \"actions\"\noperation = \"delete\"\ncap = 1\n",
    );
    let running = Running::new(&scenario, &format!("{DELETE}; {DELETE}"));
    let held = hold(&scenario);
    assert!(
        held["judged"]["reasons"].to_string().contains("limits"),
        "{held:#}"
    );
    refused(
        scenario.tell(&["approve", &name(&held), "--always"]),
        "rule-unfit",
    );
    scenario.tell(&["reject", &name(&held)]).success();
    running.end();
    fs::remove_file(scenario.scratch().join("config/rescind/limits.toml")).expect("a file");
    // Three denials halt the session: then the rule is no answer either.
    let script = format!("kubectl delete ns a; kubectl delete ns b; kubectl delete ns c; {DELETE}");
    let running = Running::new(&scenario, &script);
    for _ in 0..4 {
        let held = hold(&scenario);
        scenario.tell(&["reject", &name(&held)]).success();
        until("its end", SOON, || {
            waiting(&scenario)
                .iter()
                .all(|other| name(other) != name(&held))
                .then_some(())
        });
    }
    let (code, _, err) = running.end();
    assert_ne!(code, 0, "{err}");
    assert_eq!(done(&scenario).lines().count(), 2);
    // Other policies ask another question.
    let policy = scenario.scratch().join("config/rescind/policies/own.cedar");
    let text = fs::read_to_string(&policy).expect("a policy");
    configure(
        &scenario,
        "policies/own.cedar",
        &text.replace("reviewer", "oncall"),
    );
    asks(&scenario, DELETE);
    assert_eq!(rules(&scenario)[0]["state"], "asleep");
    configure(
        &scenario,
        "policies/own.cedar",
        &format!(
            "{text}\n@id(\"no\") @deny(\"never\") forbid (principal, action == Action::\"delete\", resource);"
        ),
    );
    let (_, _, err) = Running::new(&scenario, DELETE).end();
    assert!(err.contains("never"), "{err}");
    configure(&scenario, "policies/own.cedar", &text);
    runs(&scenario, DELETE);
    assert_eq!(name_of(&rules(&scenario)[0]), rule);
}

fn name_of(rule: &Value) -> String {
    rule["rule"].as_str().expect("a name").to_owned()
}

#[test]
fn one_person_teaches_no_rule_for_two() {
    let scenario = place();
    if !Scenario::is_root() {
        proved("5 holds", "NOT SHOWN: several persons need root here");
        return;
    }
    configure(&scenario, "policies/own.cedar", "");
    let by = |held: &str, person: &str, more: &[&str]| {
        let words: Vec<&str> = ["approve", held].iter().chain(more).copied().collect();
        tell_as(&scenario, person, &words).success();
    };
    for always in [["--always"], ["--for-session"]] {
        let running = Running::new(&scenario, &format!("{DELETE}; {DELETE}"));
        let held = name(&hold(&scenario));
        by(&held, "ann", &always);
        by(&held, "bob", &[]);
        let again = until("the second hold", SOON, || {
            waiting(&scenario).into_iter().find(|other| name(other) != held)
        });
        tell_as(&scenario, "ann", &["reject", &name(&again)]).success();
        running.end();
    }
    assert!(rules(&scenario).is_empty());
    let running = Running::new(&scenario, &format!("{DELETE}; {DELETE}"));
    let held = name(&hold(&scenario));
    by(&held, "ann", &["--always", "--until", "3h"]);
    by(&held, "bob", &["--always", "--until", "1h"]);
    let (code, out, err) = running.end();
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(rules(&scenario)[0]["persons"], serde_json::json!(["ann", "bob"]));
}

/// `rescind exec -- kubectl ...`, as hooks have it: there is nobody above it in the session.
#[test]
fn where_the_agent_itself_is_what_waits_the_job_goes_on_with_it() {
    let scenario = place();
    for (decision, code) in [("approve", 0), ("reject", 128 + 9)] {
        let mut command = scenario.supervised(["kubectl", "delete", "ns", "drone"]);
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().expect("a supervisor");
        let held = name(&hold(&scenario));
        // Long enough for the stop to be noticed, and passed on to a front that must not take it.
        std::thread::sleep(std::time::Duration::from_millis(300));
        scenario.tell(&[decision, &held]).success();
        let status = until("its end", SOON, || child.try_wait().expect("a child of ours"));
        use std::os::unix::process::ExitStatusExt as _;
        let ended = status
            .code()
            .or_else(|| status.signal().map(|signal| 128 + signal));
        assert_eq!(ended, Some(code), "{decision}");
    }
}

/// The process that waits for a hold's decision.
pub(crate) fn supervisor(scenario: &Scenario, held: &str) -> i32 {
    let path = scenario.home().join("holds").join(format!("{held}.hold"));
    let form: Value = serde_json::from_slice(&fs::read(path).expect("a hold")).expect("JSON");
    let mark = form["waiter"].as_str().expect("a mark").to_owned();
    mark.split(':')
        .next()
        .and_then(|pid| pid.parse().ok())
        .expect("a process")
}

#[test]
fn a_supervisor_that_dies_before_it_has_recorded_a_decision_learns_and_runs_nothing() {
    let scenario = place();
    let running = Running::new(&scenario, DELETE);
    let held = name(&hold(&scenario));
    let pid = supervisor(&scenario, &held);
    // It can't look; the decision is there when it dies.
    assert!(kill(pid, libc::SIGSTOP));
    let told = scenario.tell(&["approve", &held, "--always"]).success();
    assert!(
        told.out().contains("nothing of it has run so far"),
        "{}",
        told.out()
    );
    assert!(kill(pid, libc::SIGKILL));
    let (code, _, _) = running.end();
    assert_ne!(code, 0);
    assert_eq!(done(&scenario), "");
    assert!(rules(&scenario).is_empty());
    refused(scenario.tell(&["approve", &held]), "hold-void");
    asks(&scenario, DELETE);
    scenario.verify();
    proved(
        "5 holds",
        "kill -9 of whoever waits: a decision that was not recorded runs and teaches nothing",
    );
}

#[test]
fn many_sessions_learn_and_forget_side_by_side() {
    let scenario = place();
    let commands: Vec<String> = (0..4)
        .map(|number| format!("kubectl delete ns n{number}"))
        .collect();
    let running: Vec<Running> = commands
        .iter()
        .map(|command| Running::new(&scenario, command))
        .collect();
    let held = until("four holds", SOON, || {
        Some(waiting(&scenario)).filter(|held| held.len() == 4)
    });
    std::thread::scope(|scope| {
        for held in &held {
            scope.spawn(|| scenario.tell(&["approve", &name(held), "--always"]).success());
        }
    });
    for session in running {
        assert_eq!(session.end().0, 0);
    }
    let known = rules(&scenario);
    assert_eq!(known.len(), 4);
    runs(&scenario, &commands.join("; "));
    let rule = name_of(&known[0]);
    let forgotten: Vec<i32> = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| scenario.tell(&["policy", "forget", &rule]).code()))
            .collect();
        tries
            .into_iter()
            .map(|tried| tried.join().expect("a command"))
            .collect()
    });
    assert!(forgotten.contains(&0), "{forgotten:?}");
    assert_eq!(rules(&scenario).len(), 3);
    scenario.verify();
}

#[test]
fn a_rule_for_words_that_steer_terminals_says_them_and_steers_nothing() {
    let scenario = place();
    let hostile = "kubectl delete ns \"$(printf 'a\\033[2J\\033]0;owned\\007b')\"";
    let rule = approved(&scenario, hostile, &["--always"]);
    runs(&scenario, hostile);
    for words in [&["policy", "rules"][..], &["policy", "forget", &rule]] {
        let told = scenario.tell(words).success().out();
        assert!(
            told.contains("\\x1b[2J") && !told.contains("\u{1b}[2J") && !told.contains('\u{7}'),
            "{told}"
        );
    }
    // What is put there by another hand is no rule, and holds up nobody.
    let learned = scenario.home().join("learned");
    fs::write(learned.join("x.1.rule"), "{}").expect("a file");
    fs::create_dir(learned.join("y.1.rule")).expect("a folder");
    scenario.bare(&format!("mkfifo '{}'", learned.join("z.1.rule").display()));
    asks(&scenario, hostile);
    assert!(rules(&scenario).is_empty());
}
