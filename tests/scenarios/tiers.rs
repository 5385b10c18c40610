//! Who is asked, one after the other, and how they are told.

use crate::holds::{Running, SOON, configure, done, hold, name, place, program, refused, tell_as, waiting};
use rescind_scenarios::{Scenario, proved, until};
use serde_json::Value;
use std::fs;

const DELETE: &str = "kubectl delete ns drone";

/// A place with a program that keeps what it is told, and these tiers; `NOTE` is that program.
fn place_with(tiers: &str) -> Scenario {
    let scenario = place();
    let notes = scenario.scratch().join("notes");
    program(
        &scenario,
        "note",
        &format!("cat >> {0}; echo >> {0}", notes.display()),
    );
    program(&scenario, "fails", "exit 3");
    program(&scenario, "hangs", "sleep 60");
    let bin = scenario.scratch().join("bin");
    configure(
        &scenario,
        "approvals.toml",
        &tiers.replace("BIN", &bin.display().to_string()),
    );
    scenario
}

fn notes(scenario: &Scenario) -> Vec<Value> {
    let text = fs::read_to_string(scenario.scratch().join("notes")).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.is_empty());
    lines.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn a_hold_goes_up_its_tiers_each_is_told_and_in_the_end_it_is_denied() {
    let scenario = place_with(
        r#"
[[tier]]
name = "reviewer"
wait = "1s"
notify = ["BIN/note"]
[[tier]]
name = "oncall"
wait = "1s"
notify = ["BIN/note"]
[[tier]]
name = "lead"
wait = "2s"
"#,
    );
    let running = Running::new(&scenario, DELETE);
    let first = hold(&scenario);
    assert_eq!(first["tiers"].as_array().map(Vec::len), Some(3), "{first:#}");
    let second = until("the second tier", SOON, || {
        waiting(&scenario)
            .into_iter()
            .find(|held| held["tier"] == "oncall")
    });
    assert_eq!(second["escalates"]["to"], "lead");
    let listed = scenario.tell(&["approvals", "--list"]).success();
    assert!(listed.out().contains("goes on to lead in"), "{}", listed.out());
    let (_, _, err) = running.end();
    assert!(
        err.contains("a person of reviewer") && err.contains("nobody decided in time"),
        "{err}"
    );
    assert_eq!(done(&scenario), "");
    let told: Vec<(Value, Value)> = notes(&scenario)
        .into_iter()
        .map(|note| (note["whom"].clone(), note["event"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("reviewer".into(), "held".into()),
            ("oncall".into(), "escalated".into())
        ]
    );
    assert_eq!(notes(&scenario)[0]["command"], DELETE);
    let log = scenario.log(&[]);
    let action = log
        .iter()
        .find(|action| action["action_id"] == first["action_id"])
        .expect("it");
    let waited = action["approval"]["waited"].as_array().expect("a list");
    assert_eq!(
        (&waited[0]["tier"], &waited[1]["tier"]),
        (&"oncall".into(), &"lead".into())
    );
    assert_eq!(action["approval"]["outcome"], "expired");
    scenario.verify();
    proved(
        "5 holds",
        "a hold goes up its tiers, each told, and is denied in the end",
    );
}

#[test]
fn only_who_is_asked_or_higher_up_decides() {
    let scenario = place_with(
        r#"
[[tier]]
name = "reviewer"
who = ["ann"]
wait = "1m"
[[tier]]
name = "oncall"
who = ["bob"]
wait = "1m"
"#,
    );
    let running = Running::new(&scenario, &format!("{DELETE}; {DELETE}"));
    let held = name(&hold(&scenario));
    refused(scenario.tell(&["approve", &held]), "hold-tier");
    refused(scenario.tell(&["reject", &held]), "hold-tier");
    if !Scenario::is_root() {
        proved("5 holds", "NOT SHOWN: several persons need root here");
        scenario.tell(&["kill"]).success();
        running.end();
        return;
    }
    refused(tell_as(&scenario, "eve", &["approve", &held]), "hold-tier");
    tell_as(&scenario, "ann", &["approve", &held]).success();
    let other = until("the second hold", SOON, || {
        waiting(&scenario).into_iter().find(|other| name(other) != held)
    });
    tell_as(&scenario, "bob", &["approve", &name(&other)]).success();
    running.end();
    assert_eq!(done(&scenario).lines().count(), 2);
    // `@hold("oncall")` begins there: a reviewer is not asked.
    let policy = scenario.scratch().join("config/rescind/policies/own.cedar");
    let text = fs::read_to_string(&policy).expect("a policy");
    configure(
        &scenario,
        "policies/own.cedar",
        &text.replace("reviewer", "oncall"),
    );
    let running = Running::new(&scenario, DELETE);
    let held = hold(&scenario);
    assert_eq!(held["tier"], "oncall");
    refused(tell_as(&scenario, "ann", &["approve", &name(&held)]), "hold-tier");
    tell_as(&scenario, "bob", &["reject", &name(&held)]).success();
    running.end();
}

#[test]
fn whoever_can_t_be_told_holds_up_nobody_and_that_is_on_record() {
    let scenario = place_with(
        r#"
[[tier]]
name = "reviewer"
wait = "1m"
notify = ["BIN/hangs"]
[[notify]]
name = "owner"
run = ["BIN/note"]
[[notify]]
name = "audit"
run = ["BIN/fails"]
"#,
    );
    let text = fs::read_to_string(scenario.scratch().join("config/rescind/policies/own.cedar")).expect("one");
    let notify = "@id(\"tell\") @notify(\"owner\") permit (principal, action == Action::\"delete\", resource);\n\
                  @id(\"tell2\") @notify(\"audit\") permit (principal, action == Action::\"delete\", resource);";
    configure(&scenario, "policies/own.cedar", &format!("{text}\n{notify}"));
    let running = Running::new(
        &scenario,
        &format!("for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do : > f; rm f; done; {DELETE}; sleep 1"),
    );
    // The one that hangs is told last: before it, all others were.
    let held = name(&hold(&scenario));
    scenario.tell(&["approve", &held]).success();
    let (code, out, err) = running.end();
    assert_eq!(code, 0, "{out}{err}");
    until("the notes", SOON, || (notes(&scenario).len() >= 12).then_some(()));
    let told: Vec<Value> = scenario
        .log(&[])
        .iter()
        .flat_map(|action| action["told"].as_array().cloned().unwrap_or_default())
        .collect();
    let of = |whom: &str, what: &str| {
        let is =
            |told: &&Value| told["whom"] == whom && told["what"].as_str().unwrap_or_default().contains(what);
        told.iter().filter(is).count()
    };
    assert!(
        of("owner", "told") > 0 && of("owner", "told too often") >= 2,
        "{told:#?}"
    );
    assert!(of("audit", "ended with") > 0, "{told:#?}");
    scenario.verify();
    proved(
        "5 holds",
        "a notify command that hangs or fails holds up nobody, and is on record",
    );
}

#[test]
fn a_mistake_in_the_tiers_is_told_and_nothing_runs_by_them() {
    let scenario = place_with("[[tier]]\nname = \"reviewer\"\nwait = \"soon\"\n");
    let checked = scenario.tell(&["policy", "check"]).exits(1);
    assert!(
        checked.out().contains("approvals.toml:1:1: `soon` is not a time"),
        "{}",
        checked.said()
    );
    let ran = scenario.run("true").exits(125);
    assert!(ran.err().contains("tiers of approvals"), "{}", ran.err());
    // Nor does an agent write them, or policies.
    let scenario = place();
    let tried = scenario.run(
        "echo x > \"$XDG_CONFIG_HOME/rescind/approvals.toml\"; rm -r \"$XDG_CONFIG_HOME/rescind\"; true",
    );
    assert!(tried.success().err().contains("refused"));
    assert!(
        scenario
            .scratch()
            .join("config/rescind/policies/own.cedar")
            .exists()
    );
    assert!(!scenario.scratch().join("config/rescind/approvals.toml").exists());
    let mut bare = Scenario::new();
    let config = bare.scratch().join("config").display().to_string();
    bare.environment.push(("XDG_CONFIG_HOME".to_owned(), config));
    bare.run("mkdir -p \"$XDG_CONFIG_HOME/rescind/policies\"; mkdir -p \"$XDG_CONFIG_HOME/other\"");
    assert!(!bare.scratch().join("config/rescind/policies").exists());
    assert!(bare.scratch().join("config/other").exists());
}
