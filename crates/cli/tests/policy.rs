//! `rescind policy`: what it accepts, what it refuses and where, and that the shipped cases hold.

#![allow(clippy::unwrap_used, reason = "a test that can't be set up has failed")]

mod common;

use common::{Answer, Place};
use std::path::Path;

/// The command with a configuration folder of its own.
fn with_config(place: &Place, config: &Path, words: &[&str]) -> Answer {
    let mut command = place.command(words);
    Answer::of(command.env("XDG_CONFIG_HOME", config).output().unwrap())
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn the_default_policy_is_valid_and_all_shipped_cases_come_out() {
    let place = Place::new();
    let none = place.work().join("config");
    let checked = with_config(&place, &none, &["policy", "check"]).ends(0);
    assert!(checked.out.starts_with("valid: 8 policies"), "{checked:?}");
    let tested = with_config(&place, &none, &["policy", "test", "--json"])
        .ends(0)
        .json();
    assert!(tested.len() > 100);
    assert!(tested.iter().all(|case| case["passed"] == true));
    let tested = with_config(&place, &none, &["policy", "test"]).ends(0);
    assert!(tested.out.starts_with("passed: "), "{tested:?}");
}

#[test]
fn what_is_shown_can_be_checked_and_used_as_it_is() {
    let place = Place::new();
    let shown = place.rescind(&["policy", "show"]).ends(0).out;
    let file = place.work().join("mine.cedar");
    write(&file, &shown);
    place.rescind(&["policy", "check", "mine.cedar"]).ends(0);
    let schema = place.rescind(&["policy", "show", "--schema"]).ends(0).out;
    assert!(schema.contains("entity Agent"));
    let json = place.rescind(&["policy", "show", "--json"]).ends(0).json();
    assert_eq!(json[0]["text"], shown);
}

#[test]
fn mistakes_in_policies_and_limits_are_all_printed_with_their_places() {
    let place = Place::new();
    let config = place.work().join("config");
    write(
        &config.join("rescind/policies/a.cedar"),
        "// mine\npermit (principal, action, resource)\nwhen { context.clas == \"x\" };\n",
    );
    write(&config.join("rescind/policies/notes.txt"), "no policy");
    write(
        &config.join("rescind/limits.toml"),
        "[[limit]]\nid = \"a\"\nper = \"year\"\n",
    );
    let answer = with_config(&place, &config, &["policy", "check"]).ends(1);
    assert_eq!(answer.out.lines().count(), 2, "{answer:?}");
    assert!(
        answer
            .out
            .contains("a.cedar:3:8: attribute `clas` in context not found"),
        "{answer:?}"
    );
    assert!(
        answer.out.contains("limits.toml:3:7: unknown variant `year`"),
        "{answer:?}"
    );
    assert!(
        answer.err.starts_with("error[policy-invalid]: 2 mistakes found"),
        "{answer:?}"
    );
    let json = with_config(&place, &config, &["policy", "check", "--json"]).ends(1);
    assert_eq!(json.json()[0]["line"], 3);
    assert_eq!(json.error()["error"]["code"], "policy-invalid");
    // Nor does anything else run with half of them.
    with_config(&place, &config, &["policy", "test"]).ends(1);
}

#[test]
fn limits_and_freezes_that_are_right_are_counted() {
    let place = Place::new();
    write(
        &place.work().join("limits.toml"),
        "[[limit]]\nid = \"a\"\nper = \"agent\"\nmeasure = \"money\"\ncap = \"500 USD\"\n\
         [[freeze]]\nid = \"weekend\"\nreason = \"nobody is here\"\n\
         weekly = { from = \"fri 16:00\", until = \"mon 08:00\", zone = \"UTC\" }\n",
    );
    let answer = place
        .rescind(&["policy", "check", "--json", "limits.toml"])
        .ends(0)
        .json();
    assert_eq!(
        (&answer[0]["limits"], &answer[0]["freezes"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn a_policy_of_ones_own_that_lets_an_incident_through_fails_the_test() {
    let place = Place::new();
    write(
        &place.work().join("loose.cedar"),
        "@id(\"default.irreversible\")\npermit (principal, action, resource) when { context.class == \"irreversible\" };\n",
    );
    place.rescind(&["policy", "check", "loose.cedar"]).ends(0);
    let answer = place
        .rescind(&["policy", "test", "--policy", "loose.cedar"])
        .ends(1);
    assert!(
        answer.out.contains("I-37 terraform destroy -auto-approve"),
        "{answer:?}"
    );
    assert!(
        answer.out.contains("hold was expected, and it is allow"),
        "{answer:?}"
    );
    assert!(
        answer
            .out
            .contains("matched run `default.irreversible` (loose.cedar:1:1)"),
        "{answer:?}"
    );
    assert!(
        answer.err.starts_with("error[policy-test-failed]: "),
        "{answer:?}"
    );
}

#[test]
fn a_case_of_ones_own_is_judged_and_a_missing_file_is_an_error() {
    let place = Place::new();
    write(
        &place.work().join("cases.toml"),
        "[[case]]\nname = \"mine\"\nexpect = \"deny\"\naction = { do = \"x\", operation = \"write\", surface = \"files\", \
         kind = \"x\", class = \"unknown\", coverage = \"captured\" }\n",
    );
    let answer = place.rescind(&["policy", "test", "cases.toml"]).ends(1);
    assert!(
        answer.out.starts_with("failed cases.toml:1:1: mine\n"),
        "{answer:?}"
    );
    let answer = place.rescind(&["policy", "check", "gone.cedar"]).ends(1);
    assert!(
        answer
            .err
            .starts_with("error[input-output]: `gone.cedar` can't be read"),
        "{answer:?}"
    );
}
