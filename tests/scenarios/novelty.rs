//! What is new for an agent: told by what it was permitted in all its sessions, not in this one.

use crate::holds::{Running, hold, name, place};
use rescind_scenarios::{Scenario, proved};
use serde_json::Value;
use std::fs;

/// What was said of how new a command is, in the last session.
#[track_caller]
fn novelty(scenario: &Scenario, command: &str) -> (u64, String) {
    let log = scenario.log(&[]);
    let action = log.iter().find(|action| action["command"] == command);
    let factors = action.unwrap_or_else(|| panic!("{log:#?}"))["risk"]["factors"].clone();
    let factors: Vec<Value> = serde_json::from_value(factors).expect("a list");
    let factor = factors
        .into_iter()
        .find(|factor| factor["name"] == "novelty")
        .expect("the factor");
    (
        factor["points"].as_u64().expect("points"),
        factor["why"].as_str().expect("a sentence").to_owned(),
    )
}

#[test]
fn what_an_agent_did_in_an_earlier_session_is_not_new_and_the_index_is_made_anew_from_the_record() {
    let scenario = place();
    let points = || novelty(&scenario, "git init -q").0;
    let script = "git init -q; true";
    scenario.run(script).success();
    assert_eq!(points(), 5);
    scenario.run(script).success();
    assert_eq!(points(), 0, "{:?}", novelty(&scenario, "git init -q"));
    // Without its index it is made from the record; what is no index is taken for less, never for more.
    let index = scenario.home().join("known");
    fs::remove_dir_all(&index).expect("an index");
    scenario.run(script).success();
    assert_eq!(points(), 0);
    for entry in fs::read_dir(&index).expect("an index").flatten() {
        fs::write(entry.path(), [0xff, 0, b'\n', 7]).expect("damage");
    }
    scenario.run(script).success();
    assert_eq!(points(), 5);
    // To another agent it is new; and what was rejected is not known either.
    let mut other = scenario.supervised(["bash", "-c", script]);
    assert!(other.output().expect("an agent").status.success());
    assert_eq!(points(), 5);
    let delete = "kubectl delete ns drone";
    for (decision, new) in [("reject", true), ("approve", true), ("reject", false)] {
        let running = Running::new(&scenario, &format!("{delete}; true"));
        let held = hold(&scenario);
        let told = held["judged"]["factors"].to_string();
        assert_eq!(
            told.contains("has not done `kubectl.delete` before"),
            new,
            "{told}"
        );
        scenario.tell(&[decision, &name(&held)]).success();
        running.end();
    }
    assert_eq!(novelty(&scenario, delete).0, 0, "it was approved once");
    scenario.verify();
    proved(
        "risk",
        "novelty by all sessions of an agent, the index made anew from the record",
    );
}
