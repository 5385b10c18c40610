//! What changed a path over all sessions, and the same as commits of the real git.

use rescind_scenarios::{Outcome, Scenario};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

/// Run a script under supervision as an agent of this name; the session's id.
#[track_caller]
fn act(scenario: &Scenario, name: &str, script: &str) -> String {
    let path = scenario.scratch().join(name);
    fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    Outcome::of(&mut scenario.supervised([path])).success();
    scenario.runs().pop().expect("a session")
}

#[track_caller]
fn of(scenario: &Scenario, name: &str) -> Vec<Value> {
    scenario.tell(&["history", "--json", name]).success().json_lines()
}

fn words(changes: &[Value], field: &str) -> Vec<String> {
    changes
        .iter()
        .map(|change| change[field].as_str().unwrap_or("?").to_owned())
        .collect()
}

#[test]
fn a_paths_history_names_every_change_its_agent_and_whether_it_is_undone() {
    let scenario = Scenario::new();
    let first = act(&scenario, "maker", "sh -c 'echo 1 > config'");
    let second = act(
        &scenario,
        "editor",
        "sh -c 'echo 2 > config'; sh -c 'chmod 600 config'",
    );
    let third = act(&scenario, "sweeper", "sh -c 'rm config'; echo other > other");
    scenario.undo(&[&third]);
    let undo = scenario.undos().pop().expect("an undo");

    let changes = of(&scenario, "config");
    assert_eq!(
        words(&changes, "what"),
        ["create", "edit", "mode", "remove", "create"],
        "{changes:?}"
    );
    assert_eq!(
        words(&changes, "agent"),
        ["maker", "editor", "editor", "sweeper", "rescind"]
    );
    assert_eq!(
        words(&changes, "session_id"),
        [&first, &second, &second, &third, &undo].map(String::clone)
    );
    let undone: Vec<bool> = changes.iter().map(|change| change["undone"] == true).collect();
    assert_eq!(undone, [false, false, false, true, false], "{changes:?}");
    assert_eq!(changes[3]["undone_by"], undo, "{changes:?}");
    assert_eq!(changes[1]["command"], "sh -c 'echo 2 > config'");
    let shown = scenario.tell(&["history", "config"]).success().out();
    assert!(
        shown.contains("remove") && shown.contains(&format!("undone by {undo}")),
        "{shown}"
    );

    let none = scenario.tell(&["history", "nothing"]).exits(1);
    assert!(none.err().contains("error[path-unknown]"), "{none:?}");
}

#[test]
fn git_has_a_commit_for_each_action_on_configuration_and_running_it_again_adds_only_what_is_new() {
    let scenario = Scenario::new();
    scenario.write("etc/app.conf", "port 1\nhost a\n");
    let first = act(
        &scenario,
        "tuner",
        "sh -c 'sed -i s/1/2/ etc/app.conf'; sh -c 'echo x > notes'; sh -c 'printf \"#!/bin/sh\\n\" > etc/run; chmod +x etc/run'",
    );
    let repository = scenario.base().join("repository");
    let folder = repository.display().to_string();
    let update = || {
        let glob = scenario.path("etc/**").display().to_string();
        let told = scenario
            .tell(&["history", "--json", "--git", &folder, "--paths", &glob])
            .success();
        told.json_lines().pop().expect("an answer")["added"].as_u64()
    };
    assert_eq!(update(), Some(2));
    assert_eq!(update(), Some(0));
    let git = |words: &[&str]| -> String {
        let mut command = scenario.command("git");
        command.arg("-C").arg(&repository).args(words);
        Outcome::of(&mut command).success().out()
    };
    let inside = scenario.path("etc/app.conf").display().to_string();
    let inside = inside.trim_start_matches('/').to_owned();

    let log = git(&["log", "--reverse", "--format=%an|%s"]);
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert_eq!(lines[0], "nobody known|Changed outside of supervised sessions");
    assert_eq!(lines[1], "tuner|sh -c 'sed -i s/1/2/ etc/app.conf'");
    assert!(lines[2].starts_with("tuner|sh -c 'printf"), "{log}");
    let patch = git(&["log", "-p", "-1", "--format=%B%at", "--", &inside]);
    assert!(patch.contains("-port 1\n+port 2\n host a\n"), "{patch}");
    let actions = scenario.log(&[&first]);
    let sed = actions
        .iter()
        .find(|own| {
            own["command"]
                .as_str()
                .is_some_and(|own| own.starts_with("sh -c 'sed"))
        })
        .unwrap_or_else(|| panic!("{actions:?}"));
    let id = sed["action_id"].as_str().expect("an id");
    assert!(patch.contains(&format!("Rescind-Action: {id}\n")), "{patch}");
    let date = git(&["log", "-1", "--format=%aI", "--", &inside]);
    let began = sed["timestamp"].as_str().expect("a time");
    assert_eq!(date.get(..19), began.get(..19), "the action's own time");
    let modes = git(&["ls-tree", "-r", "HEAD"]);
    assert!(modes.contains("100755") && !modes.contains("notes"), "{modes}");

    // A person's own edit, another agent's, and an undo.
    scenario.write("etc/app.conf", "port 2\nhost b\n");
    let second = act(
        &scenario,
        "mover",
        "sh -c 'echo port 3 > etc/app.conf'; sh -c 'rm etc/run'",
    );
    scenario.undo(&[&second]);
    assert_eq!(update(), Some(3));
    assert_eq!(update(), Some(0));
    let authors = git(&["log", "--reverse", "--format=%an", "-4"]);
    assert_eq!(authors, "nobody known\nmover\nmover\nrescind\n");
    assert_eq!(git(&["show", &format!("HEAD:{inside}")]), "port 2\nhost b\n");
    assert_eq!(git(&["show", &format!("HEAD~2:{inside}")]), "port 3\n");
    assert_eq!(git(&["status", "--porcelain"]), "");
    git(&["fsck", "--strict"]);

    let other = scenario.tree().display().to_string();
    let refused = scenario
        .tell(&["history", "--git", &other, "--paths", "**"])
        .exits(2);
    assert!(refused.err().contains("no history of rescind"), "{refused:?}");
    assert!(!scenario.path(".git").exists());
}
