//! What a command changes elsewhere is read before it runs, and taken back by the command that the catalog names: once.

mod decided;
mod hostile;
mod killed;
mod others;
mod readings;

use rescind_scenarios::{Remote, Scenario, proved};
use serde_json::Value;
use std::fs;
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
