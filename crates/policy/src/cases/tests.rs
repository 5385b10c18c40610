use super::{DEFAULT_CASES, cases};
use crate::Rules;
use rescind_model::Verdict;

fn no_zones(_: &str) -> Option<jiff::tz::TimeZone> {
    None
}

#[test]
fn every_shipped_case_comes_out_as_expected() {
    let rules = Rules::default_policy().unwrap();
    let mut wrong = Vec::new();
    for (file, text) in DEFAULT_CASES {
        for case in cases(file, text, &no_zones).unwrap() {
            if let Err(failure) = case.run(&rules) {
                wrong.push(format!("{}: {}: {}", case.place, case.name, failure.message));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_ordinary_development_command_is_held() {
    let rules = Rules::default_policy().unwrap();
    let (file, text) = DEFAULT_CASES[1];
    let all = cases(file, text, &no_zones).unwrap();
    assert!(all.len() >= 50);
    for case in all {
        let judgement = case.run(&rules).unwrap();
        assert_eq!(judgement.verdict, Verdict::Allow, "{}", case.name);
        assert!(judgement.notify.is_empty());
    }
}

/// The table is about all incidents that can be put as proposals, and nothing in it is lost: what runs is captured.
#[test]
fn every_incident_is_held_denied_or_undoable() {
    let rules = Rules::default_policy().unwrap();
    let (file, text) = DEFAULT_CASES[0];
    let all = cases(file, text, &no_zones).unwrap();
    let numbers = [
        "01", "02", "03", "04", "06", "07", "08", "09", "10", "11", "12", "13", "14", "15", "16", "17", "21",
        "22", "23", "24", "25", "26", "27", "30", "33", "34", "35", "37", "38", "39", "40", "41", "42",
    ];
    for number in numbers {
        assert!(
            all.iter().any(|case| case.name.contains(&format!("I-{number}"))),
            "I-{number}"
        );
    }
    for case in all {
        let judgement = case
            .run(&rules)
            .unwrap_or_else(|failure| panic!("{}: {}", case.name, failure.message));
        if judgement.verdict == Verdict::Allow {
            let covered = case.proposal.coverage == rescind_model::Coverage::Captured;
            assert!(covered || case.proposal.only_reads(), "{}", case.name);
            assert!(judgement.recovery.time.is_some(), "{}", case.name);
        }
    }
}

#[test]
fn a_case_that_comes_out_otherwise_says_how() {
    let rules = Rules::default_policy().unwrap();
    let text = r#"
[[case]]
name = "wrong"
action = { do = "x", operation = "write", surface = "files", kind = "x", class = "irreversible", coverage = "captured" }
expect = "allow"
"#;
    let case = cases("a.toml", text, &no_zones).unwrap().remove(0);
    assert_eq!(
        case.run(&rules).unwrap_err().message,
        "allow was expected, and it is hold: policy: `default.irreversible`: nothing of it can be taken back"
    );
    assert_eq!(case.place.to_string(), "a.toml:2:1");
}

#[test]
fn a_mistake_in_a_case_is_named_with_its_place() {
    let text = "[[case]]\nname = \"a\"\nexpect = \"allow\"\naction = { do = \"x\", operation = \"writ\", surface = \"files\", \
                kind = \"x\", class = \"unknown\", coverage = \"captured\" }\n";
    assert_eq!(
        cases("a.toml", text, &no_zones).unwrap_err().to_string(),
        "the cases can't be run: a.toml:1:1: `writ` is not an operation: they are read, write, delete, admin"
    );
    let typo = cases("a.toml", "[[case]]\nnam = \"a\"\n", &no_zones)
        .unwrap_err()
        .to_string();
    assert!(
        typo.starts_with("the cases can't be run: a.toml:2:1: unknown field `nam`"),
        "{typo}"
    );
}
