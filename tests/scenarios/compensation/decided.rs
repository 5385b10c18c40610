//! What a person lets go, or does not.

use super::{Place, SOON};
use rescind_scenarios::{text, until};
use std::fs;
use std::process::Stdio;

/// A session that waits for a person, with one of its commands held.
fn waiting(place: &Place, script: &str) -> (std::process::Child, String) {
    let mut command = place.supervised(["sh", "-c", script]);
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    let hold = until("a hold", SOON, || {
        place.tell(&["approvals", "--json"]).json_lines().pop()
    });
    let action = hold["action_id"].as_str().expect("an action").to_owned();
    (child, action)
}

/// A place where one person is asked before a service is stopped.
fn place_with_a_person() -> Place {
    let mut place = Place::new();
    let policies = place.scratch().join("config/rescind/policies");
    fs::create_dir_all(&policies).expect("a folder");
    let policy = "@id(\"own.stop\")\n@hold(\"reviewer\")\nforbid (principal, action, resource)\n\
                  when { context.class == \"reversible_with_state\" };\n";
    fs::write(policies.join("own.cedar"), policy).expect("a policy");
    let config = place.scratch().join("config").display().to_string();
    place
        .scenario
        .environment
        .push(("XDG_CONFIG_HOME".to_owned(), config));
    place.scenario.options.clear();
    place
}

#[test]
fn what_a_person_lets_go_is_read_and_taken_back_and_an_approval_of_what_has_moved_counts_for_nothing() {
    let place = place_with_a_person();
    let (mut child, action) = waiting(&place, "systemctl stop nginx");
    assert_eq!(place.remote.made(), []);
    place.tell(&["approve", &action]).success();
    assert!(child.wait().expect("its end").success());
    assert_eq!(place.remote.value("nginx"), "inactive");
    place.undo(&[]);
    assert_eq!(place.remote.value("nginx"), "active");

    let place = place_with_a_person();
    let (child, action) = waiting(&place, "systemctl stop nginx");
    place.remote.set("nginx", "failed");
    let _decided = place.tell(&["approve", &action]);
    let output = child.wait_with_output().expect("its end");
    let said = text(&output.stderr);
    assert!(
        !output.status.success() && said.contains("has moved since it was shown"),
        "{said}"
    );
    assert_eq!(
        (place.remote.value("nginx").as_str(), place.remote.made().len()),
        ("failed", 0)
    );
    place.verify();
}

#[test]
fn a_rejected_command_has_changed_nothing_and_is_not_taken_back() {
    let place = place_with_a_person();
    let (mut child, action) = waiting(&place, "systemctl stop nginx; true");
    place.tell(&["reject", &action, "--message", "no"]).success();
    child.wait().expect("its end");
    let plan = place.plan();
    assert_eq!(plan["compensations"].as_array().map(Vec::len), Some(0), "{plan}");
    // What others make of it later is none of the session's business.
    place.remote.set("nginx", "failed");
    place.undo(&[]);
    assert_eq!(
        (place.remote.value("nginx").as_str(), place.remote.made().len()),
        ("failed", 0)
    );
}
