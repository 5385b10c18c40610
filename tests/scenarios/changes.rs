//! Approved with changes: what was held does not run, what a person wants instead may, once.

use crate::holds::{Running, SOON, configure, done, hold, name, place, refused, waiting};
use rescind_scenarios::{Scenario, proved, until};
use serde_json::Value;
use std::fs;

#[track_caller]
fn next(scenario: &Scenario, before: &[&Value]) -> Value {
    until("the next hold", SOON, || {
        let known = |held: &Value| before.iter().any(|other| name(other) == name(held));
        waiting(scenario).into_iter().find(|held| !known(held))
    })
}

#[test]
fn what_is_approved_instead_runs_once_and_the_agent_is_told_which() {
    let scenario = place();
    let running = Running::new(
        &scenario,
        "kubectl delete ns drone; echo first $?; kubectl delete ns drone-test; echo second $?; kubectl delete ns drone-test; \
         echo third $?",
    );
    let first = hold(&scenario);
    let words = [
        "approve",
        "--change",
        "-m",
        "only the test one",
        "--",
        "kubectl",
        "delete",
        "ns",
        "drone-test",
    ];
    scenario.tell(&words).success();
    // The second one ran unasked; the third is asked about again.
    let third = next(&scenario, &[&first]);
    assert_eq!(third["command"], "kubectl delete ns drone-test");
    assert_eq!(done(&scenario), "delete ns drone-test\n");
    scenario.tell(&["reject", &name(&third)]).success();
    let (_, out, err) = running.end();
    assert!(
        out.contains("first 137") && out.contains("second 0") && out.contains("third 137"),
        "{out}{err}"
    );
    assert!(
        err.contains("approved with changes") && err.contains("run `kubectl delete ns drone-test` instead"),
        "{err}"
    );
    assert!(err.contains("only the test one"), "{err}");
    let log = scenario.log(&[]);
    let held = log
        .iter()
        .find(|action| action["action_id"] == first["action_id"])
        .expect("it");
    assert_eq!(held["approval"]["outcome"], "changed");
    assert_eq!(held["approval"]["decisions"][0]["change"][3], "drone-test");
    let ran = log
        .iter()
        .find(|action| action["judgement"]["rule"] == first["action_id"])
        .expect("the use");
    assert_eq!(ran["judgement"]["verdict"], "allow");
    scenario.verify();
    proved(
        "5 holds",
        "approved with changes: the other command runs once, the held one never, on record",
    );
}

#[test]
fn only_the_very_command_that_was_given_instead_runs_also_as_a_shells_text() {
    let scenario = place();
    let script = "kubectl delete ns a; KUBECONFIG=/x kubectl delete ns b; kubectl delete ns b --force; sh -c 'kubectl delete ns b; \
                  true'; sh -c 'kubectl delete ns b'; echo end";
    let running = Running::new(&scenario, script);
    let first = hold(&scenario);
    scenario
        .tell(&["approve", "--change", "--", "kubectl", "delete", "ns", "b"])
        .success();
    let mut seen = vec![first];
    for _ in 0..2 {
        let held = next(&scenario, &seen.iter().collect::<Vec<_>>());
        assert_eq!(done(&scenario), "");
        // Not a denial, by which the session would be halted.
        scenario
            .tell(&["approve", &name(&held), "--change", "--", "true"])
            .success();
        seen.push(held);
    }
    let held = next(&scenario, &seen.iter().collect::<Vec<_>>());
    assert_eq!(held["command"], "sh -c 'kubectl delete ns b; true'");
    scenario.tell(&["reject", &name(&held)]).success();
    let (_, out, err) = running.end();
    assert!(out.contains("end"), "{out}{err}");
    assert_eq!(done(&scenario), "delete ns b\n", "{err}");
}

#[test]
fn a_change_that_policies_would_deny_or_ask_more_for_is_refused_at_once() {
    let scenario = place();
    let policy = scenario.scratch().join("config/rescind/policies/own.cedar");
    let text = fs::read_to_string(&policy).expect("a policy");
    let more = "@id(\"no\") @deny(\"never prod\") forbid (principal, action, resource) when { context.target == \"ns/prod\" || context.target like \"*prod*\" };\n\
                @id(\"two\") @two_person @hold(\"reviewer\") forbid (principal, action, resource) when { context.target like \"*shared*\" };";
    configure(&scenario, "policies/own.cedar", &format!("{text}\n{more}"));
    let running = Running::new(&scenario, "kubectl delete ns drone; kubectl delete ns prod");
    let held = name(&hold(&scenario));
    for other in ["prod", "shared", "drone"] {
        let words = [
            "approve", &held, "--change", "--", "kubectl", "delete", "ns", other,
        ];
        refused(scenario.tell(&words), "change-refused");
    }
    scenario.tell(&["approve", &held, "--change"]).exits(2);
    scenario.tell(&["approve", &held, "--", "ls"]).exits(2);
    // Policies that change meanwhile have the last word.
    scenario
        .tell(&[
            "approve", &held, "--change", "--", "kubectl", "delete", "ns", "other",
        ])
        .success();
    let (_, _, err) = running.end();
    assert!(err.contains("never prod"), "{err}");
    assert_eq!(done(&scenario), "");
}

/// As hooks have it: every call of a client is a session of its own, and what is approved for a session is for the client's.
#[test]
fn what_is_approved_for_a_clients_session_holds_for_its_later_calls_and_no_other_clients() {
    let scenario = place();
    let call = |session: &str, command: &str| {
        let mut exec = scenario.rescind(&["exec", "--agent", "claude-code", "--session-of", session]);
        exec.args(["--", "bash", "-c", command]);
        exec.stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped());
        exec.spawn().expect("a call")
    };
    let ended = |child: std::process::Child| {
        let output = child.wait_with_output().expect("its end");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let first = call("one", "kubectl delete ns a");
    let held = name(&hold(&scenario));
    scenario
        .tell(&["approve", &held, "--change", "--", "kubectl", "delete", "ns", "b"])
        .success();
    let (ran, said) = ended(first);
    assert!(
        !ran && said.contains("run `kubectl delete ns b` instead"),
        "{said}"
    );
    // Another session of the client is asked, the same one is not, and only once.
    let other = call("two", "kubectl delete ns b");
    scenario.tell(&["reject", &name(&hold(&scenario))]).success();
    assert!(!ended(other).0);
    let (ran, said) = ended(call("one", "kubectl delete ns b"));
    assert!(ran, "{said}");
    assert_eq!(done(&scenario), "delete ns b\n");
    let again = call("one", "kubectl delete ns b");
    scenario
        .tell(&["approve", &name(&hold(&scenario)), "--for-session"])
        .success();
    assert!(ended(again).0);
    assert!(ended(call("one", "kubectl delete ns b")).0);
    let other = call("two", "kubectl delete ns b");
    scenario.tell(&["reject", &name(&hold(&scenario))]).success();
    assert!(!ended(other).0);
    assert_eq!(done(&scenario).lines().count(), 3);
    scenario.verify();
    proved(
        "5 holds",
        "what is approved for a client's session holds for its later calls only",
    );
}
