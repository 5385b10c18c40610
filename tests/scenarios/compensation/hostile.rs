//! Names, programs and secrets that could make a compensation do something else, or tell too much.

use super::Place;
use rescind_scenarios::Outcome;

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
