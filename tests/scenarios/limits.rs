//! Limits hold across sessions and processes: what is used up is held, what was reserved by the dead is used.

use rescind_scenarios::{Scenario, kill, process_named, proved, text, until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Child;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const DELETES: &str = "[[limit]]\nid = \"deletes\"\nper = \"session\"\nmeasure = \"actions\"\noperation = \"delete\"\ncap = 3\n";
const MONEY: &str = "[[limit]]\nid = \"spend\"\nper = \"agent\"\nmeasure = \"money\"\ncap = \"500 USD\"\n";
/// A shop of one's own, as the catalog is told of it.
const SHOP: &str = "command_pattern: \"buy * --for=*\"\ndoes: \"orders something\"\n\
    reversibility: \"trivially_reversible\"\ncompensating_action: \"refund {name}\"\nrollback_safe: \"always\"\n\
    spend: \"{for} USD\"\n";

fn configured(limits: &str) -> Scenario {
    let mut scenario = Scenario::new();
    let folder = scenario.scratch().join(".config/rescind");
    fs::create_dir_all(folder.join("catalog")).expect("a folder");
    fs::write(folder.join("limits.toml"), limits).expect("limits");
    fs::write(folder.join("catalog/shop.yaml"), SHOP).expect("an entry");
    let shop = scenario.scratch().join("bin");
    fs::create_dir(&shop).expect("a folder");
    // `buy THING --for=SUM` notes what was sold; `buy slowly` never comes back.
    let script = "#!/bin/sh\necho \"$1\" >> sold\nif [ \"$1\" = slowly ]; then sleep 1000; fi\n";
    fs::write(shop.join("buy"), script).expect("a shop");
    fs::set_permissions(shop.join("buy"), fs::Permissions::from_mode(0o755)).expect("chmod");
    let path = std::env::var("PATH").unwrap_or_default();
    scenario
        .environment
        .push(("PATH".to_owned(), format!("{}:{path}", shop.display())));
    scenario
}

/// What is used of the only limit, by whoever came last.
fn used(scenario: &Scenario) -> Value {
    let mut limits = scenario.tell(&["limits", "--json"]).success().json_lines();
    let limit = limits.pop().expect("a limit");
    limit["used_by"]
        .as_array()
        .and_then(|by| by.last().cloned())
        .unwrap_or_default()
}

/// How it ended, and what it said.
fn end(agent: Child) -> (i32, String) {
    let ended = agent.wait_with_output().expect("it ends");
    let said = text(&ended.stdout) + &text(&ended.stderr);
    (ended.status.code().unwrap_or(-1), said)
}

#[test]
fn of_three_deletes_the_fourth_is_held_and_a_person_decides() {
    let scenario = configured(DELETES);
    let files = ["a", "b", "c", "d", "e"];
    for (answer, left) in [("approve", &files[4..]), ("reject", &files[3..])] {
        for name in files {
            scenario.write(name, name);
        }
        let agent = scenario.start("for f in a b c d; do rm $f || exit 7; done; echo done");
        let held = scenario.waiting();
        let why = held.to_string();
        assert!(why.contains("3 used, 1 asked, 3 allowed"), "{why}");
        assert!(scenario.path("d").exists() && !scenario.path("c").exists());
        let by = used(&scenario);
        assert!(by["used"] == 3 && by["reached"] == true, "{by}");
        scenario.tell(&[answer]).success();
        let (code, said) = end(agent);
        assert_eq!(code, if answer == "approve" { 0 } else { 7 }, "{said}");
        for name in files {
            assert_eq!(
                scenario.path(name).exists(),
                left.contains(&name),
                "{answer}: {name}"
            );
        }
        // Each session has a counter of its own.
        let shown = scenario.tell(&["limits"]).success().out();
        assert!(
            shown.contains("reached") && shown.contains("3 actions"),
            "{shown}"
        );
    }
    let counts = scenario.tell(&["limits", "--json"]).success().json_lines();
    let mut used: Vec<u64> = counts[0]["used_by"]
        .as_array()
        .expect("who uses it")
        .iter()
        .map(|by| by["used"].as_u64().expect("a number"))
        .collect();
    used.sort_unstable();
    assert_eq!(used, [3, 4], "three, and one more that a person let");
    scenario.verify();
    proved(
        "4 limits",
        "3 deletes a session: the fourth is held, approved it runs, rejected it does not",
    );
}

#[test]
fn five_hundred_dollars_are_not_passed_by_another_session_nor_given_back_by_a_death() {
    let scenario = configured(MONEY);
    scenario.run("buy one --for=200.50; echo ran > ran").success();
    assert_eq!(used(&scenario)["used"], "200.50");
    // A session whose supervisor is killed in the middle of a purchase.
    let agent = scenario.start("buy slowly --for=99.50");
    until("the purchase", LIMIT, || {
        scenario.read("sold").contains("slowly").then_some(())
    });
    let supervisor = process_named(agent.id() as i32, "rescind-super")
        .expect("a supervisor")
        .pid;
    assert!(
        used(&scenario)["reserved_by"]
            .as_array()
            .is_some_and(|by| by.len() == 1)
    );
    kill(supervisor, libc::SIGKILL);
    end(agent);
    let agent = scenario.start("buy two --for=200.00; buy three --for=0.01; echo over");
    let why = scenario.waiting().to_string();
    assert!(why.contains("500.00 used, 0.01 asked, 500.00 allowed"), "{why}");
    let by = used(&scenario);
    assert!(
        by["used"] == "500.00" && by["reserved_by"] == serde_json::json!([]),
        "{by}"
    );
    scenario.tell(&["reject"]).success();
    assert!(end(agent).1.contains("over"));
    assert_eq!(scenario.read("sold"), "one\nslowly\ntwo\n");
    proved(
        "4 limits",
        "500 USD an agent: exact over three sessions and a killed supervisor",
    );
}

#[test]
fn files_are_settled_with_what_was_changed_and_not_with_what_was_announced() {
    let scenario = configured("[[limit]]\nid = \"files\"\nper = \"agent\"\nmeasure = \"files\"\ncap = 5\n");
    scenario.bare("mkdir d; for n in 1 2 3 4 5 6 7; do echo $n > d/$n; done");
    let agent = scenario.start("rm -r d; cat sold; touch x; echo over");
    let held = scenario.waiting();
    assert!(
        held["argv"][0] == "touch" || held["command"] == "touch x",
        "{held}"
    );
    let why = held.to_string();
    scenario.tell(&["reject"]).success();
    assert!(end(agent).1.contains("over") && !scenario.path("x").exists());
    let log = scenario.log(&[]);
    let removed = log
        .iter()
        .find(|action| action["command"] == "rm -r d")
        .expect("the removal");
    let effects = removed["effects"].as_u64().expect("a number");
    assert!(
        effects >= 8 && used(&scenario)["used"] == effects,
        "{effects}, {}",
        used(&scenario)
    );
    assert!(
        why.contains(&format!("{effects} used, 1 asked, 5 allowed")),
        "{why}"
    );
    proved("4 limits", "files: what was changed counts, and holds the next");
}
