//! What a command changes elsewhere is read before it runs, and taken back by the command that the catalog names: once.

use rescind_scenarios::{Outcome, Remote, Scenario, Then, count, kill, process_named, proved, text, until};
use serde_json::Value;
use std::fs;
use std::process::Stdio;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(30);
const TOOL: &str = env!("CARGO_BIN_EXE_remote_tool");

/// A place whose programs act on a server that is not supervised, and where nobody decides anything.
struct Place {
    scenario: Scenario,
    remote: Remote,
}

impl std::ops::Deref for Place {
    type Target = Scenario;

    fn deref(&self) -> &Scenario {
        &self.scenario
    }
}

impl Place {
    fn new() -> Self {
        let remote = Remote::new(&[
            ("shop/deployment/web", "3"),
            ("shop/deployment/api", "2"),
            ("nginx", "active"),
            ("redis", "inactive"),
        ]);
        let mut scenario = Scenario::new();
        let bin = scenario.scratch().join("bin");
        fs::create_dir_all(&bin).expect("a folder");
        for name in ["kubectl", "systemctl"] {
            fs::copy(TOOL, bin.join(name)).expect("a program");
        }
        let config = scenario.scratch().join("kubeconfig");
        fs::write(&config, remote.address()).expect("a file");
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
        for (name, value) in [
            ("PATH", path),
            ("KUBECONFIG", config.display().to_string()),
            ("DBUS_SYSTEM_BUS_ADDRESS", remote.address()),
        ] {
            scenario.environment.push((name.to_owned(), value));
        }
        // What would wait for a person is over at once.
        scenario.options.extend(["--hold-for".to_owned(), "0".to_owned()]);
        Self { scenario, remote }
    }

    fn web(&self) -> String {
        self.remote.value("shop/deployment/web")
    }

    /// How often each compensation took effect.
    fn effective(&self) -> Vec<(String, usize)> {
        let made = self.remote.compensations();
        let mut keys: Vec<String> = made.iter().map(|made| made.key.clone()).collect();
        keys.sort();
        keys.dedup();
        let times = |key: &String| made.iter().filter(|made| made.key == *key).count();
        keys.iter().map(|key| (key.clone(), times(key))).collect()
    }

    fn plan(&self) -> Value {
        let dry = self.tell(&["undo", "--dry-run", "--json"]);
        serde_json::from_slice(&dry.stdout).unwrap_or_else(|error| panic!("{error}: {}", dry.said()))
    }
}

#[test]
fn a_command_that_is_read_before_runs_unasked_and_is_compensated_and_verified() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop; systemctl stop nginx")
        .success();
    assert_eq!(
        (place.web().as_str(), place.remote.value("nginx").as_str()),
        ("5", "inactive")
    );
    let asked = place.remote.asked();
    let at = |what: &str| {
        asked
            .iter()
            .position(|own| own == what)
            .unwrap_or_else(|| panic!("no `{what}` in {asked:?}"))
    };
    assert!(
        at("get shop/deployment/web") < at("set shop/deployment/web"),
        "read before it runs: {asked:?}"
    );

    let plan = place.plan();
    let commands: Vec<&str> = plan["compensations"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|call| call["command"].as_str().expect("a command"))
        .collect();
    assert_eq!(
        commands,
        [
            "systemctl start nginx",
            "kubectl scale deployment/web --replicas=3 -n shop"
        ],
        "the last completed first"
    );
    assert_eq!(place.remote.compensations(), [], "a dry run runs none");
    let shown = place.tell(&["undo", "--dry-run"]).success().out();
    assert!(
        shown.contains("kubectl scale deployment/web --replicas=3 -n shop"),
        "{shown}"
    );

    let receipt = place.undo(&[]).said();
    assert_eq!(
        (place.web().as_str(), place.remote.value("nginx").as_str()),
        ("3", "active"),
        "{receipt}"
    );
    assert_eq!(
        place
            .effective()
            .iter()
            .map(|(_, times)| *times)
            .collect::<Vec<_>>(),
        [1, 1]
    );
    let order: Vec<String> = place
        .remote
        .compensations()
        .into_iter()
        .map(|made| made.name)
        .collect();
    assert_eq!(order, ["nginx", "shop/deployment/web"]);
    let asked = place.remote.asked();
    assert!(
        asked.contains(&"rolled shop/deployment/web".to_owned()),
        "the entry's own proof: {asked:?}"
    );
    place.undo(&[]);
    place.undo(&[&place.runs()[0]]);
    assert_eq!(
        place
            .effective()
            .iter()
            .map(|(_, times)| *times)
            .collect::<Vec<_>>(),
        [1, 1],
        "twice is once"
    );
    place.verify();
    proved(
        "7 compensation",
        "kubectl scale and systemctl stop: read, compensated, verified; undone three times, made once each",
    );
}

#[test]
fn each_command_of_a_compound_is_taken_back_by_itself_and_on_one_target_in_reverse() {
    let place = Place::new();
    place
        .run(
            "sh -c 'kubectl scale deployment/web --replicas=5 -n shop && kubectl scale deployment/api --replicas=9 -n shop'
             kubectl scale deployment/web --replicas=7 -n shop
             kubectl scale deployment/web --replicas=0 -n shop",
        )
        .success();
    place.undo(&[]);
    let made: Vec<(String, String)> = place
        .remote
        .compensations()
        .into_iter()
        .map(|made| (made.name, made.value))
        .collect();
    let pair = |name: &str, value: &str| (format!("shop/deployment/{name}"), value.to_owned());
    assert_eq!(
        made,
        [
            pair("web", "7"),
            pair("web", "5"),
            pair("api", "2"),
            pair("web", "3")
        ]
    );
    assert_eq!(
        (
            place.web().as_str(),
            place.remote.value("shop/deployment/api").as_str()
        ),
        ("3", "2")
    );
    place.verify();
}

#[test]
fn what_others_made_of_it_since_is_a_conflict_and_stays_until_somebody_decides() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    place.remote.set("shop/deployment/web", "8");
    let refused = place.tell(&["undo", "--yes"]);
    assert_ne!(refused.code(), 0, "{}", refused.said());
    assert!(refused.said().contains("previous_count"), "{}", refused.said());
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("8", 0)
    );
    let conflict = &place.plan()["conflicts"][0]["fields"][0];
    assert_eq!(
        (
            conflict["before"].as_str(),
            conflict["after"].as_str(),
            conflict["now"].as_str()
        ),
        (Some("3"), Some("5"), Some("8"))
    );
    place.tell(&["undo", "--yes", "--on-conflict", "keep"]);
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("8", 0)
    );
    place.undo(&["--on-conflict", "restore"]);
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("3", 1)
    );
    place.verify();
}

#[test]
fn what_is_as_it_was_already_is_not_touched() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    place.remote.set("shop/deployment/web", "3");
    place.undo(&[]);
    assert_eq!(
        (place.web().as_str(), place.remote.compensations().len()),
        ("3", 0)
    );
}

#[test]
fn what_can_not_be_read_before_is_held_and_does_not_run() {
    let cases = [
        (
            "the reading is refused",
            "get",
            "kubectl scale deployment/web --replicas=5 -n shop",
        ),
        (
            "there is nothing of that name",
            "",
            "kubectl scale deployment/none --replicas=5 -n shop",
        ),
        ("it would not be safe", "", "systemctl stop redis"),
    ];
    for (name, refused, script) in cases {
        let place = Place::new();
        if !refused.is_empty() {
            place.remote.refuse(Some("get"));
        }
        let outcome = place.run(script);
        assert_ne!(outcome.code(), 0, "{name}: {}", outcome.said());
        assert!(
            outcome.err().contains("was not read"),
            "{name}: {}",
            outcome.err()
        );
        assert_eq!(place.remote.made(), [], "{name}");
        place.verify();
    }
}

#[test]
fn a_reading_that_hangs_holds_up_nobody_else_and_ends_in_a_hold() {
    let place = Place::new();
    let stopped = place.remote.stop_at(0);
    let mut run = place.supervised([
        "sh",
        "-c",
        "kubectl scale deployment/web --replicas=5 -n shop & n=0; while [ $n -lt 20 ]; do n=$((n+1)); /bin/echo $n > f$n; done; \
         touch others-went-on; wait $!",
    ]);
    let mut child = run
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    assert!(stopped.reached(SOON), "the reading began");
    until("the other commands", SOON, || {
        place.path("others-went-on").exists().then_some(())
    });
    assert!(
        child.try_wait().expect("a child").is_none(),
        "the command still waits"
    );
    let output = child.wait_with_output().expect("its end");
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("was not read"),
        "{}",
        text(&output.stderr)
    );
    stopped.go_on(Then::Lost);
    assert_eq!(place.remote.made(), []);
}

#[test]
fn a_hostile_name_stays_a_word_and_is_never_a_flag() {
    let place = Place::new();
    let names = [
        "web; touch pwned",
        "$(touch pwned)",
        "--all",
        "-n",
        "web\n--all",
        "../../etc",
        "web' 'x",
    ];
    for name in names {
        place.remote.set(&format!("shop/deployment/{name}"), "1");
        place.remote.set(name, "active");
        let argv = [
            "kubectl",
            "scale",
            &format!("deployment/{name}"),
            "--replicas=4",
            "-n",
            "shop",
        ]
        .map(str::to_owned);
        let _it_may_be_held = Outcome::of(&mut place.supervised(argv));
        let _it_may_be_held = Outcome::of(&mut place.supervised(["systemctl", "stop", name]));
        let _it_may_be_held = Outcome::of(&mut place.supervised(["systemctl", "stop", "--", name]));
    }
    for session in place.runs() {
        let undone = place.tell(&["undo", "--yes", &session]);
        assert!([0, 5].contains(&undone.code()), "{}", undone.said());
    }
    assert!(!place.path("pwned").exists());
    for asked in place.remote.asked() {
        assert!(
            !asked.contains("set shop/deployment/web ") && asked != "set shop/",
            "{asked}"
        );
    }
    for name in names {
        assert_eq!(
            place.remote.value(&format!("shop/deployment/{name}")),
            "1",
            "{name:?}"
        );
    }
    assert_eq!(place.web(), "3");
}

#[test]
fn an_undo_that_is_killed_anywhere_compensates_once() {
    let script = "kubectl scale deployment/web --replicas=5 -n shop; systemctl stop nginx; kubectl scale deployment/web --replicas=9 -n shop";
    // Requests of one undo: the plan's two readings; for each of three calls the readings before and after, the change
    // and the proof; then the proof of all.
    let points = count("COMPENSATION_POINTS", 18);
    let mut killed = 0;
    for point in 0..points {
        for then in [Then::Done, Then::Lost] {
            let place = Place::new();
            place.run(script).success();
            let stopped = place.remote.stop_at(point);
            let mut undo = place.rescind(&["undo", "--yes"]);
            let mut undo = undo
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("it starts");
            let reached = loop {
                if stopped.reached(Duration::from_millis(20)) {
                    break true;
                }
                if undo.try_wait().expect("a child").is_some() {
                    break false;
                }
            };
            if reached {
                undo.kill().expect("ours");
                undo.wait().expect("its end");
                stopped.go_on(then);
                killed += 1;
            }
            place.undo(&[]);
            place.undo(&[]);
            let at = format!("killed at request {point}, which was then {then:?}");
            assert_eq!(
                (place.web().as_str(), place.remote.value("nginx").as_str()),
                ("3", "active"),
                "{at}"
            );
            let times = place.effective();
            assert!(
                times.len() == 3 && times.iter().all(|(_, times)| *times == 1),
                "{at}: {times:?}"
            );
            place.verify();
        }
    }
    assert!(killed > points, "the undo was killed {killed} times");
    proved(
        "7 compensation",
        format!("{killed} undos killed at {points} requests: each compensation took effect once"),
    );
}

#[test]
fn the_undo_of_an_undo_says_what_it_can_not_do_again_and_does_nothing() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    place.undo(&[]);
    let undo = place.undos().pop().expect("an undo");
    let again = place.tell(&["undo", "--yes", &undo]);
    assert!(again.said().contains("is not done again"), "{}", again.said());
    assert_eq!((place.web().as_str(), place.remote.made().len()), ("3", 2));
    place.verify();
}

#[test]
fn an_agent_that_compensates_itself_does_just_another_action() {
    let place = Place::new();
    place
        .run(
            "kubectl scale deployment/web --replicas=5 -n shop
             RESCIND_IDEMPOTENCY_KEY=rescind-undo-x kubectl scale deployment/web --replicas=3 -n shop",
        )
        .success();
    assert_eq!(place.web(), "3");
    let plan = place.plan();
    assert_eq!(plan["compensations"].as_array().map(Vec::len), Some(2), "{plan}");
    place.undo(&[]);
    assert_eq!(place.web(), "3");
}

#[test]
fn a_program_that_the_agent_has_put_in_its_place_is_not_run_outside() {
    let place = Place::new();
    let script = "mkdir -p bin; printf '#!/bin/sh\\ntouch \"$HOME/ran-outside\"\\necho ActiveState=active\\n' > bin/systemctl; \
                  chmod +x bin/systemctl; PATH=\"$PWD/bin:$PATH\" systemctl stop nginx; \
                  cp bin/systemctl \"$HOME/bin/systemctl\"; systemctl stop nginx";
    let _held = place.run(script);
    assert_eq!(place.remote.value("nginx"), "active");
    let plan = place.plan();
    assert_eq!(plan["compensations"].as_array().map(Vec::len), Some(0), "{plan}");
}

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
fn a_command_whose_supervisor_was_killed_is_in_doubt_and_resolved_by_reading() {
    for then in [Then::Done, Then::Lost] {
        let place = Place::new();
        // The second request is the change itself.
        let stopped = place.remote.stop_at(1);
        let mut run = place.supervised(["sh", "-c", "kubectl scale deployment/web --replicas=5 -n shop"]);
        let mut front = run
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        assert!(stopped.reached(SOON), "the change was asked for");
        let supervisor = process_named(front.id().cast_signed(), "rescind-super").expect("a supervisor");
        kill(supervisor.pid, 9);
        front.wait().expect("its end");
        stopped.go_on(then);
        let wanted = if then == Then::Done { "5" } else { "3" };
        until("the change, or none", SOON, || {
            (place.web() == wanted).then_some(())
        });
        let undo = place.tell(&["undo", "--yes"]);
        match then {
            Then::Lost => assert_eq!(undo.code(), 0, "{}", undo.said()),
            // Nobody saw what it left: whose state this is only a person can say.
            Then::Done => {
                assert!(
                    undo.code() != 0 && undo.said().contains("conflict"),
                    "{}",
                    undo.said()
                );
                assert_eq!(place.web(), "5");
                place.undo(&["--on-conflict", "restore"]);
            }
        }
        assert_eq!(place.web(), "3", "{then:?}");
        place.verify();
    }
}

#[test]
fn secrets_are_in_no_record_and_the_undo_asks_for_those_of_the_environment() {
    let mut place = Place::new();
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    place
        .scenario
        .environment
        .push(("AWS_SECRET_ACCESS_KEY".to_owned(), secret.to_owned()));
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    let secrets = place.scenario.environment.pop();
    let refused = place.tell(&["undo", "--yes"]);
    assert!(
        refused.said().contains("AWS_SECRET_ACCESS_KEY"),
        "{}",
        refused.said()
    );
    assert!(
        refused
            .said()
            .contains("by hand: kubectl scale deployment/web --replicas=3 -n shop"),
        "{}",
        refused.said()
    );
    assert_eq!(place.web(), "5");
    place.scenario.environment.extend(secrets);
    place.undo(&[]);
    assert_eq!(place.web(), "3");

    // One that stands in the command itself can't be kept, so the command is not covered.
    let place = Place::new();
    let held = place.run(
        "kubectl scale deployment/web --replicas=5 -n shop --token=ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    );
    assert_ne!(held.code(), 0, "{}", held.said());
    assert!(held.err().contains("holds a secret"), "{}", held.err());
    assert_eq!(place.remote.made(), []);
}

#[test]
fn two_sessions_on_one_target_take_back_only_their_own() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    place
        .run("kubectl scale deployment/web --replicas=6 -n shop")
        .success();
    let runs = place.runs();
    let refused = place.tell(&["undo", "--yes", &runs[0]]);
    assert_ne!(refused.code(), 0, "{}", refused.said());
    assert_eq!(place.web(), "6", "the second session built on it");
    place.undo(&[&runs[1]]);
    assert_eq!(place.web(), "5");
    place.undo(&[&runs[0]]);
    assert_eq!(place.web(), "3");
    place.verify();
}

#[test]
fn the_record_says_what_would_take_an_action_back() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    let log = place.log(&[]);
    let action = log.iter().find(|action| action["argv"][0] == "kubectl");
    let action = action.unwrap_or_else(|| panic!("no action in {log:?}"));
    let told = action.to_string();
    assert!(
        told.contains("kubectl scale deployment/web --replicas=3 -n shop"),
        "{told}"
    );
    assert_eq!(action["coverage"], "captured", "{told}");
    let shown = place
        .tell(&["show", action["action_id"].as_str().expect("an action")])
        .success()
        .out();
    assert!(shown.contains("--replicas=3"), "{shown}");
    assert!(shown.contains("previous_count"), "{shown}");
    let diff = place.tell(&["diff"]).success().out();
    assert!(
        diff.contains("kubectl get deployment/web -n shop -o json"),
        "{diff}"
    );
    let history = place.tell(&["history", "--json", "kubectl get deployment/web -n shop -o json"]);
    println!("{}", history.said());
}

#[test]
fn one_action_and_all_sessions_of_an_agent_are_taken_back_as_any_other() {
    let place = Place::new();
    let scale = |name: &str, count: u8| format!("kubectl scale deployment/{name} --replicas={count} -n shop");
    place
        .run(&format!("{}; {}; touch made", scale("web", 5), scale("api", 6)))
        .success();
    let log = place.log(&[]);
    let web = log
        .iter()
        .find(|own| own["argv"][2] == "deployment/web")
        .expect("the action");
    let number = web["action_id"]
        .as_str()
        .and_then(|id| id.rsplit_once('.'))
        .expect("an action")
        .1;
    place.undo(&["--only", number]);
    assert_eq!(
        (
            place.web().as_str(),
            place.remote.value("shop/deployment/api").as_str()
        ),
        ("3", "6")
    );
    assert!(place.path("made").exists());
    place
        .run(&format!("{}; touch made-too", scale("web", 7)))
        .success();
    let all = place.tell(&["undo", "--yes", "--agent", "sh"]);
    assert_eq!(all.code(), 0, "{}", all.said());
    assert_eq!(
        (
            place.web().as_str(),
            place.remote.value("shop/deployment/api").as_str()
        ),
        ("3", "2")
    );
    assert!(!place.path("made").exists() && !place.path("made-too").exists());
    assert!(place.effective().iter().all(|(_, times)| *times == 1));
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

#[test]
fn a_session_that_drives_a_target_again_to_what_was_undone_is_halted() {
    let place = Place::new();
    let script = "kubectl scale deployment/web --replicas=5 -n shop";
    place.run(script).success();
    place.undo(&[]);
    let again = place.run(&format!("{script}; touch next"));
    assert_eq!(place.web(), "5");
    assert!(!place.path("next").exists(), "{}", again.said());
    assert!(
        again.err().contains("again to a state that was undone"),
        "{}",
        again.err()
    );
    let log = place.log(&[&place.runs()[0]]);
    let action = log
        .iter()
        .find(|own| own["argv"][0] == "kubectl")
        .expect("the action");
    proved(
        "8 flapping",
        format!(
            "a deployment scaled again to what was undone halts the session; the first: {}",
            action["undone"]
        ),
    );
}

/// It is judged again when it could not be read; what people said of that for good answers then, and is on record.
#[test]
fn what_could_not_be_read_is_asked_about_until_a_rule_is_learned() {
    let mut place = Place::new();
    place.scenario.options.clear();
    let script = "kubectl scale deployment/nowhere --replicas=5 -n shop; true";
    let mut running = place
        .supervised(["sh", "-c", script])
        .stderr(Stdio::null())
        .spawn()
        .expect("a session");
    let held = until("a hold", SOON, || {
        place.tell(&["approvals", "--json"]).json_lines().pop()
    });
    let action = held["action_id"].as_str().expect("an action").to_owned();
    assert!(
        held["judged"]["reasons"].to_string().contains("was not read"),
        "{held:#}"
    );
    place.tell(&["approve", &action, "--always"]).success();
    running.wait().expect("its end");
    let again = place.run(script).success();
    assert!(!again.err().contains("held ("), "{}", again.err());
    let log = place.log(&[]);
    let ran = log.iter().find(|own| own["judgement"]["rule"] == action.as_str());
    assert!(ran.is_some(), "{log:#?}");
    place.verify();
}

#[test]
fn while_an_undo_runs_a_command_on_its_target_waits_and_reads_what_it_left() {
    let place = Place::new();
    place
        .run("kubectl scale deployment/web --replicas=5 -n shop")
        .success();
    // The plan's reading, the call's own, then the change: it stops there.
    let stopped = place.remote.stop_at(2);
    let mut undo = place.rescind(&["undo", "--yes"]);
    let mut undo = undo
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    assert!(stopped.reached(SOON), "the undo is about to change it");
    let script = "kubectl scale deployment/web --replicas=6 -n shop & touch began; wait $!; touch ended";
    let mut run = place.supervised(["sh", "-c", script]);
    let mut run = run
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("the other session", SOON, || {
        place.path("began").exists().then_some(())
    });
    let reads = || {
        place
            .remote
            .asked()
            .iter()
            .filter(|own| own.starts_with("get "))
            .count()
    };
    // The first session's two, the undo's two; then the one that counts for nothing.
    until("its reading", SOON, || (reads() >= 5).then_some(()));
    std::thread::sleep(Duration::from_millis(300));
    assert!(!place.path("ended").exists() && place.web() == "5", "it waits");
    // Its answer is lost; the undo looks, and is done.
    stopped.go_on(Then::Done);
    assert!(undo.wait().expect("its end").success());
    run.wait().expect("its end");
    assert!(place.path("ended").exists());
    assert_eq!(place.web(), "6");
    place.undo(&[&place.runs()[1]]);
    assert_eq!(place.web(), "3", "what the undo had left is what it found");
    proved(
        "8 undo",
        "a command on the target of an undo waits for it, and is taken back to what that left",
    );
}
