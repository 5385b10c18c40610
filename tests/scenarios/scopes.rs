//! Undo scopes that span sessions: by agent, time and domain.

use rescind_scenarios::{Outcome, Random, Scenario, Seed, kill, until};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// A program of this name that runs a script: the agent of a session.
fn agent(scenario: &Scenario, name: &str, script: &str) -> PathBuf {
    let path = scenario.scratch().join(name);
    fs::write(&path, format!("#!/bin/sh\nset -e\n{script}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
    path
}

/// Run it under supervision; the session's id.
#[track_caller]
fn act(scenario: &Scenario, name: &str, script: &str) -> String {
    let program = agent(scenario, name, script);
    Outcome::of(&mut scenario.supervised([program])).success();
    scenario.runs().pop().expect("a session")
}

#[track_caller]
fn session(scenario: &Scenario, id: &str) -> Value {
    let all = scenario.sessions();
    let found = all.iter().find(|session| session["session_id"] == id);
    found.unwrap_or_else(|| panic!("no {id} in {all:?}")).clone()
}

#[track_caller]
fn json(outcome: &Outcome) -> Value {
    outcome.json_lines().pop().expect("an answer")
}

fn page() -> String {
    (1..=60).map(|n| format!("line {n}\n")).collect()
}

#[test]
fn everything_of_an_agent_in_a_window_is_taken_back_and_another_agents_work_survives() {
    let scenario = Scenario::new();
    scenario.write("shared", page());
    scenario.write("old", "was here first\n");
    act(&scenario, "bot-a", "echo 0 > before");
    let first = act(
        &scenario,
        "bot-a",
        "echo 1 > one; mkdir d; echo x > d/x; sed -i 's/^line 2$/first/' shared",
    );
    let second = act(
        &scenario,
        "bot-b",
        "echo b > theirs; sed -i 's/^line 20$/theirs/' shared",
    );
    let third = act(
        &scenario,
        "bot-a",
        "sed -i s/1/2/ one; echo y > d/y; rm old; sed -i 's/^line 40$/third/' shared",
    );
    let done = scenario.manifest();
    let since = session(&scenario, &first)["began"]
        .as_str()
        .expect("a time")
        .to_owned();
    let window = ["--agent", "bot-a", "--since", &since];

    let plan = json(
        &scenario
            .tell(&[&["plan", "--json"], &window[..]].concat())
            .success(),
    );
    assert_eq!(plan["sessions"], serde_json::json!([first, third]), "{plan}");
    done.assert_same(&scenario.manifest(), "a plan touches nothing");

    let undo = json(&scenario.undo(&[&["--json"], &window[..]].concat()));
    assert_eq!(undo["receipt"]["proved"], true, "{undo}");
    let undo = undo["undo"].as_str().expect("an id").to_owned();
    assert!(!scenario.path("one").exists() && !scenario.path("d").exists());
    assert_eq!(scenario.read("old"), "was here first\n");
    assert_eq!(scenario.read("before"), "0\n");
    assert_eq!(scenario.read("theirs"), "b\n");
    assert_eq!(scenario.read("shared"), page().replace("line 20\n", "theirs\n"));

    assert_eq!(
        scenario.undos(),
        std::slice::from_ref(&undo),
        "one system session"
    );
    for (id, undone) in [(&first, true), (&second, false), (&third, true)] {
        let by = session(&scenario, id)["undone_by"].clone();
        let expected = if undone { vec![undo.clone()] } else { Vec::new() };
        assert_eq!(by, serde_json::json!(expected), "{id}");
    }
    scenario.verify();

    // Again, and each by itself: there is nothing left to do.
    for scope in [&window[..], &[&first], &[&third]] {
        let again = json(&scenario.undo(&[&["--json"], scope].concat()));
        assert_eq!(again["undo"], Value::Null, "{scope:?}: {again}");
    }
    // The undo is itself taken back, and then each session by itself, the newest first.
    scenario.undo(&[&undo]);
    done.assert_same(&scenario.manifest(), "the undo of the undo");
    scenario.undo(&[&third]);
    assert_eq!(scenario.read("one"), "1\n");
    assert!(scenario.path("d/x").exists() && !scenario.path("d/y").exists());
    scenario.undo(
        &[
            &window[..],
            &["--path", "d/**", "--path", "d", "--path", "shared"],
        ]
        .concat(),
    );
    assert!(scenario.path("one").exists() && !scenario.path("d").exists());
    assert_eq!(scenario.read("shared"), page().replace("line 20\n", "theirs\n"));
    scenario.verify();
}

#[test]
fn a_window_takes_actions_by_when_they_began_and_what_came_after_on_the_same_is_a_conflict() {
    let scenario = Scenario::new();
    let program = agent(
        &scenario,
        "bot",
        "sh -c 'echo 1 > first'; sh -c 'echo 2 > second'; sh -c 'echo 3 > third'; sh -c 'echo 4 > second'",
    );
    Outcome::of(&mut scenario.supervised([program])).success();
    let log = scenario.log(&[]);
    let began = |part: &str| -> String {
        let found = log
            .iter()
            .find(|action| action["command"].as_str().is_some_and(|own| own.contains(part)));
        found.unwrap_or_else(|| panic!("{part} in {log:?}"))["timestamp"]
            .as_str()
            .expect("a time")
            .to_owned()
    };
    let (second, third, last) = (began("echo 2"), began("echo 3"), began("echo 4"));
    scenario.undo(&["--since", &third, "--until", &last]);
    assert!(scenario.path("first").exists() && scenario.path("second").exists());
    assert!(!scenario.path("third").exists());
    // A later action of the same session set it: it is not overwritten, and named.
    let refused = scenario
        .tell(&["undo", "--yes", "--since", &second, "--until", &third])
        .exits(3);
    assert!(refused.err().contains("error[conflicts]"), "{refused:?}");
    assert_eq!(scenario.read("second"), "4\n");
    scenario.undo(&["--since", "120m"]);
    assert!(!scenario.path("first").exists() && !scenario.path("second").exists());
    scenario.verify();
}

#[test]
fn an_undo_over_sessions_that_is_killed_goes_on_in_its_own_scope() {
    let scenario = Scenario::new();
    for n in 1..=3 {
        let script = format!("mkdir d{n}; for i in $(seq 120); do echo {n} > d{n}/$i; done; echo {n} >> all");
        act(&scenario, "bot", &script);
    }
    // Killed somewhere, by the clock: whatever that leaves, the next command goes on with it, also where it names one
    // of its sessions alone.
    for _ in 0..3 {
        let mut undo = scenario.rescind(&["undo", "--yes", "--agent", "bot"]);
        let mut running = undo
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        rescind_scenarios::until("an undo that began", LIMIT, || {
            (!scenario.undos().is_empty() || running.try_wait().expect("it is ours").is_some()).then_some(())
        });
        let _ended_before = running.kill();
        running.wait().expect("it ends");
    }
    if !scenario.undos().is_empty() {
        scenario.undo(&[&scenario.runs()[1]]);
    }
    scenario.undo(&["--agent", "bot"]);
    assert_eq!(fs::read_dir(scenario.tree()).expect("a folder").count(), 0);
    assert_eq!(scenario.undos().len(), 1, "it went on in its own session");
    scenario.verify();
}

#[test]
fn a_domain_takes_the_domains_below_it_and_a_wrong_scope_is_named() {
    let mut scenario = Scenario::new();
    scenario.options = vec!["--domain".to_owned(), "payments/prod".to_owned()];
    act(&scenario, "bot", "echo 1 > paid");
    scenario.options = vec!["--domain".to_owned(), "payments-test".to_owned()];
    act(&scenario, "bot", "echo 1 > tested");
    scenario.undo(&["--domain", "payments"]);
    assert!(!scenario.path("paid").exists() && scenario.path("tested").exists());

    let none = scenario.tell(&["undo", "--yes", "--agent", "nobody"]).exits(1);
    assert!(none.err().contains("error[no-such-session]"), "{none:?}");
    let wrong = scenario.tell(&["undo", "--yes", "--since", "yesterday"]).exits(2);
    assert!(wrong.err().contains("error[bad-argument]"), "{wrong:?}");
    let both = scenario
        .tell(&["undo", "--yes", "--since", "1h", "abcd"])
        .exits(2);
    assert!(both.err().contains("cannot be used with"), "{both:?}");
}

/// Set the health checks.
fn checks(scenario: &mut Scenario, text: &str) {
    let folder = scenario.base().join("config/rescind");
    fs::create_dir_all(&folder).expect("a folder");
    fs::write(folder.join("health.toml"), text).expect("the checks");
    let config = scenario.base().join("config").display().to_string();
    scenario.environment.retain(|(name, _)| name != "XDG_CONFIG_HOME");
    scenario.environment.push(("XDG_CONFIG_HOME".to_owned(), config));
}

#[test]
fn last_good_takes_back_what_came_from_the_failure_on_and_resume_waits_for_the_health_checks() {
    let mut scenario = Scenario::new();
    let healthy = scenario.scratch().join("healthy");
    let check = format!(
        "[[check]]\nname = \"service\"\ndomain = \"payments\"\ncommand = [\"test\", \"-e\", \"{}\"]\n\
         [[check]]\nname = \"of others\"\ndomain = \"search\"\ncommand = [\"false\"]\n",
        healthy.display()
    );
    checks(&mut scenario, &check);
    scenario.write("config", "port 1\n");
    scenario.options = vec!["--domain".to_owned(), "payments/prod".to_owned()];
    let program = agent(
        &scenario,
        "bot",
        "set +e; sh -c 'echo 1 > good'; sh -c 'echo port 2 > config'; \
         sh -c 'echo half > broken; echo no such table >&2; exit 3'; sh -c 'echo 2 > after'; true",
    );
    Outcome::of(&mut scenario.supervised([program])).success();
    let id = scenario.runs().pop().expect("a session");
    let early = scenario.tell(&["resume", &id]).exits(1);
    assert!(early.err().contains("error[nothing-undone]"), "{early:?}");

    let undone = scenario
        .tell(&["undo", "--yes", "--json", &id, "--to", "last-good"])
        .exits(6);
    let undone = json(&undone);
    assert_eq!(undone["receipt"]["proved"], true, "{undone}");
    assert_eq!(undone["target"]["reached"], true, "{undone}");
    assert_eq!(undone["health"]["passed"], false, "{undone}");
    assert_eq!(
        undone["health"]["checks"].as_array().map(Vec::len),
        Some(1),
        "{undone}"
    );
    assert_eq!(scenario.read("good"), "1\n");
    assert_eq!(scenario.read("config"), "port 2\n");
    assert!(!scenario.path("broken").exists() && !scenario.path("after").exists());

    let refused = scenario.tell(&["resume", "--json", &id]).exits(6);
    assert!(refused.err().contains("health-failed"), "{refused:?}");
    let refused = json(&refused);
    assert_eq!(refused["go"], false, "{refused}");

    fs::write(&healthy, "").expect("health");
    let told = json(&scenario.tell(&["resume", "--json", &id]).success());
    assert_eq!(told["go"], true, "{told}");
    let target = &told["undos"][0]["target"];
    let actions = scenario.log(&[&id]);
    let action = |part: &str| {
        let found = actions.iter().find(|own| {
            own["role"] == "action" && own["command"].as_str().is_some_and(|own| own.contains(part))
        });
        found.unwrap_or_else(|| panic!("{part} in {actions:?}"))["action_id"].clone()
    };
    assert_eq!(target["after"], action("port 2"), "{told}");
    assert_eq!(target["failed"]["action_id"], action("half"), "{told}");
    assert_eq!(target["failed"]["exit"], "exit 3", "{told}");
    let said = target["failed"]["output"].as_str().expect("what it said");
    assert!(said.contains("no such table"), "{told}");
    let paths: Vec<&str> = told["undos"][0]["paths"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|path| path["path"].as_str())
        .collect();
    for name in ["broken", "after"] {
        let path = scenario.path(name).display().to_string();
        assert!(paths.contains(&path.as_str()), "{path} in {told}");
    }
    let shown = scenario.tell(&["resume", &id]).success().out();
    assert!(
        shown.contains("go on") && shown.contains("health: passed: service"),
        "{shown}"
    );
    scenario.verify();

    let fine = act(&scenario, "bot", "sh -c true");
    let nothing = scenario
        .tell(&["undo", "--yes", &fine, "--to", "last-good"])
        .exits(1);
    assert!(nothing.err().contains("error[nothing-failed]"), "{nothing:?}");
}

#[test]
fn an_agent_that_drives_a_path_to_an_undone_state_again_is_held_at_its_next_action() {
    let scenario = Scenario::new();
    scenario.write("config", "port 1\n");
    let script = "sh -c 'echo port 2 > config'; sh -c 'echo more > more'; sh -c 'echo last > last'";
    let first = act(&scenario, "bot", script);
    scenario.undo(&[&first]);
    // Another state of the same path is no flapping.
    act(
        &scenario,
        "bot",
        "sh -c 'echo port 3 > config'; sh -c 'echo x > x'",
    );

    let program = agent(&scenario, "bot", script);
    let mut running = scenario
        .supervised([program])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    let held = rescind_scenarios::until("a held action", LIMIT, || {
        assert_eq!(running.try_wait().expect("it is ours"), None, "it was not held");
        scenario
            .tell(&["approvals", "--json"])
            .success()
            .json_lines()
            .pop()
    });
    assert_eq!(
        scenario.read("config"),
        "port 2\n",
        "what it did is seen once it is done"
    );
    assert!(!scenario.path("more").exists(), "and nothing after it runs");
    let text = held.to_string();
    assert!(
        text.contains("again to a state that was undone") && text.contains("config"),
        "{text}"
    );
    let action = held["action"]
        .as_str()
        .or(held["action_id"].as_str())
        .expect("an id");
    scenario.tell(&["approve", action]).success();
    // A person has looked at it: the rest goes on.
    let ended = rescind_scenarios::until("its end", LIMIT, || running.try_wait().expect("it is ours"));
    assert!(ended.success());
    assert!(scenario.path("more").exists() && scenario.path("last").exists());
    scenario.verify();
}

/// A random change of a small tree, which may fail.
fn step(random: &mut Random) -> String {
    let names = [
        "a", "b", "d", "d/x", "d/y", "d/e", "d/e/z", "f", "f/x", "old", "old/g",
    ];
    let (one, two) = (*random.pick(&names), *random.pick(&names));
    let text = random.below(1000);
    match random.below(10) {
        0 | 1 => format!("mkdir -p {one}"),
        2 | 3 => format!("echo {text} > {one}"),
        4 => format!("echo {text} >> {one}"),
        5 | 6 => format!("mv {one} {two}"),
        7 => format!("rm -rf {one}"),
        8 => format!("ln -s {one} {two}"),
        _ => format!("chmod {} {one}", random.pick(&["600", "640", "755"])),
    }
}

#[test]
fn any_sessions_of_an_agent_taken_back_at_once_leave_what_was_there() {
    let rounds = rescind_scenarios::count("RESCIND_SCOPES", 6) as u64;
    let seed = Seed::from_environment().0;
    for round in 0..rounds {
        let mut random = Random::new(seed.wrapping_add(round));
        let scenario = Scenario::new();
        scenario.write("old/g", "g\n");
        scenario.write("d/x", "x\n");
        let before = scenario.manifest();
        let mut what = format!("seed {seed}, round {round}");
        for _ in 0..3 {
            let steps: Vec<String> = (0..6).map(|_| step(&mut random)).collect();
            what = format!("{what}; {}", steps.join(", "));
            let script = format!("set +e\nexec 2> /dev/null\n{}\ntrue", steps.join("\n"));
            act(&scenario, "bot", &script);
        }
        scenario.undo(&["--agent", "bot"]);
        before.assert_same(&scenario.manifest(), &what);
        let again = json(&scenario.undo(&["--agent", "bot", "--json"]));
        assert_eq!(again["undo"], Value::Null, "{what}: {again}");
        scenario.verify();
    }
}

/// What a running undo is about to change waits for it, also where it is killed.
#[test]
fn while_an_undo_runs_supervised_actions_on_what_it_changes_wait() {
    for killed in [false, true] {
        let scenario = Scenario::new();
        scenario
            .run("i=0; while [ $i -lt 3000 ]; do echo $i > f$i; i=$((i+1)); done")
            .success();
        let mut undo = scenario.rescind(&["undo", "--yes"]);
        undo.stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut undo = undo.spawn().expect("an undo");
        let announced = scenario.home().join("undoing");
        until("the undo to begin", LIMIT, || {
            let names = fs::read_dir(&announced).ok()?.flatten();
            names
                .map(|entry| entry.file_name())
                .find(|name| !name.as_encoded_bytes().starts_with(b"."))
                .map(drop)
        });
        kill(undo.id().cast_signed(), libc::SIGSTOP);
        let runs = fs::read_dir(&announced).expect("it").flatten().next().is_some();
        assert!(runs, "the undo was over before it could be stopped");
        let mut other =
            scenario.supervised(["sh", "-c", "echo other > elsewhere; echo mine > f2999; echo over"]);
        let other = other
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let other = other.expect("another session");
        until("it to come there", LIMIT, || {
            scenario.path("elsewhere").exists().then_some(())
        });
        std::thread::sleep(Duration::from_millis(300));
        assert_ne!(
            fs::read_to_string(scenario.path("f2999")).ok().as_deref(),
            Some("mine\n"),
            "it waits"
        );
        kill(
            undo.id().cast_signed(),
            if killed { libc::SIGKILL } else { libc::SIGCONT },
        );
        let said = other.wait_with_output().expect("its end");
        assert_eq!(String::from_utf8_lossy(&said.stdout), "over\n");
        assert_eq!(scenario.read("f2999"), "mine\n", "what came after stands");
        undo.wait().expect("the undo's end");
    }
}
