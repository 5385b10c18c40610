use super::{Learned, LearnedError, LearnedRules, Surroundings};
use rescind_model::{Coverage, Digest, Operation, Scopes, SessionId, Surface, Timestamp};
use rescind_policy::{Blast, Environment, Proposal, Session};
use rescind_supervisor::holds::Lesson;
use rescind_supervisor::{Asked, now};
use std::collections::BTreeSet;

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

fn around(line: &str, cwd: &str, environment: &[&str]) -> Surroundings {
    let environment: Vec<Vec<u8>> = environment.iter().map(|pair| pair.as_bytes().to_vec()).collect();
    Surroundings::of(&Asked {
        node: 1,
        parent: 0,
        exe: "/bin/sh",
        file: "/bin/sh",
        argv: &words(line),
        cwd,
        environment: &environment,
        cleared: None,
        scopes: None,
    })
}

fn session() -> Session {
    Session {
        id: SessionId::new(1, 1),
        agent: "coder".to_owned(),
        teams: Vec::new(),
        owner: "ann".to_owned(),
        domain: String::new(),
        environment: Environment::Unknown,
        scopes: Scopes::all(),
        started: Timestamp(0),
        actions: 0,
    }
}

fn proposal() -> Proposal {
    Proposal {
        operation: Operation::Write,
        surface: Surface::Shell,
        kind: "sh".to_owned(),
        text: String::new(),
        digest: Digest::of(b"x"),
        targets: Vec::new(),
        class: None,
        coverage: Coverage::Captured,
        blast: Blast::default(),
        force: BTreeSet::new(),
        drives: Vec::new(),
    }
}

fn lesson(shown: &str, pattern: Option<&str>) -> Lesson {
    Lesson {
        action: "s.1".to_owned(),
        shown: words(shown),
        persons: BTreeSet::from(["ann".to_owned()]),
        groups: vec!["reviewer".to_owned()],
        until: Timestamp(now().0 + 1_000_000_000_000),
        session: false,
        pattern: pattern.map(str::to_owned),
    }
}

fn learned(pattern: Option<&str>, around: &Surroundings) -> Result<Learned, LearnedError> {
    let shown = around.argv.join(" ");
    Learned::of(&lesson(&shown, pattern), &proposal(), &session(), around, "p")
}

#[test]
fn a_rule_is_about_what_it_was_learned_from_and_about_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path().to_str().unwrap();
    std::fs::write(place.path().join("plan.yaml"), "one").unwrap();
    let line = "deploy -f plan.yaml --to=staging";
    let own = around(line, here, &["HOME=/h", "KUBECONFIG=a", "TERM=x"]);
    let rule = learned(None, &own).unwrap();
    assert!(rule.is_about(
        &around(line, here, &["HOME=/h", "KUBECONFIG=a", "TERM=y", "PWD=/"]),
        "p",
        None
    ));
    for other in [
        around(
            "deploy -f plan.yaml --to=prod",
            here,
            &["HOME=/h", "KUBECONFIG=a"],
        ),
        around(line, "/", &["HOME=/h", "KUBECONFIG=a"]),
        around(line, here, &["HOME=/h", "KUBECONFIG=b"]),
        around(line, here, &["HOME=/h"]),
        around(line, here, &["HOME=/h", "KUBECONFIG=a", "LD_PRELOAD=x"]),
    ] {
        assert!(!rule.is_about(&other, "p", None), "{other:?}");
    }
    assert!(!rule.is_about(&own, "other policies", None));
    // The words name a file, and it says something else by now.
    std::fs::write(place.path().join("plan.yaml"), "two").unwrap();
    assert!(!rule.is_about(&around(line, here, &["HOME=/h", "KUBECONFIG=a"]), "p", None));
}

#[test]
fn a_pattern_is_about_words_that_were_shown_whole() {
    let own = around("deploy web-1 s3cret", "/", &[]);
    let pattern = Some("deploy web-* [redacted]");
    let told = Lesson {
        shown: words("deploy web-1 [redacted]"),
        ..lesson("", pattern)
    };
    let rule = Learned::of(&told, &proposal(), &session(), &own, "p").unwrap();
    assert!(rule.is_about(&around("deploy web-2 s3cret", "/", &[]), "p", None));
    assert!(!rule.is_about(&around("deploy web-2 other", "/", &[]), "p", None));
    assert!(!rule.is_about(&around("deploy db-2 s3cret", "/", &[]), "p", None));
    let told = Lesson {
        pattern: Some("deploy web-1 *".to_owned()),
        ..told
    };
    let wide = Learned::of(&told, &proposal(), &session(), &own, "p");
    assert!(matches!(wide, Err(LearnedError::Wider { .. })), "{wide:?}");
}

#[test]
fn rules_are_kept_whole_read_back_counted_and_taken_back() {
    let place = tempfile::tempdir().unwrap();
    let rules = LearnedRules::at(place.path().join("learned"));
    assert!(rules.all().unwrap().is_empty());
    let own = around("deploy", "/", &["A=b"]);
    let rule = learned(None, &own).unwrap();
    rules.keep(&rule).unwrap();
    assert_eq!(rules.all().unwrap(), std::slice::from_ref(&rule));
    assert_eq!(rules.about(&own, "p", None).len(), 1);
    rules.used("s.1", "t.1");
    rules.used("s.1", "t.2");
    assert_eq!(
        (rules.uses("s.1").count, rules.uses("s.1").last.unwrap().0),
        (2, "t.2".to_owned())
    );
    let file = place.path().join("learned/s.1.rule");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("A=b") && !text.contains("\"b\""), "{text}");
    // Damaged, or under another name: no rule.
    std::fs::write(place.path().join("learned/s.2.rule"), &text).unwrap();
    std::fs::write(place.path().join("learned/s.3.rule"), &text[..text.len() / 2]).unwrap();
    assert_eq!(rules.all().unwrap().len(), 1);
    rules.remove("s.1").unwrap();
    rules.used("s.1", "t.3");
    assert!(rules.about(&own, "p", None).is_empty());
    assert_eq!(
        rules.uses("s.1").count,
        0,
        "a use of a rule that is gone leaves nothing"
    );
}

#[test]
fn what_can_be_used_once_is_claimed_by_one_of_many() {
    let place = tempfile::tempdir().unwrap();
    let rules = LearnedRules::at(place.path().join("learned"));
    let own = around("deploy", "/", &[]);
    for round in 0..50 {
        rules.keep(&learned(None, &own).unwrap()).unwrap();
        let won: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| usize::from(rules.claim("s.1"))))
                .collect();
            tries.into_iter().map(|tried| tried.join().unwrap()).sum()
        });
        assert_eq!(won, 1, "round {round}");
    }
    assert!(rules.all().unwrap().is_empty());
}

#[test]
fn a_rule_of_a_clients_session_is_for_no_other() {
    let own = around("deploy", "/", &[]);
    let told = Lesson {
        session: true,
        ..lesson("deploy", None)
    };
    let rule = Learned::of(&told, &proposal(), &session(), &own, "p")
        .unwrap()
        .within(Some("claude:1"));
    assert!(rule.is_about(&own, "p", Some("claude:1")));
    assert!(!rule.is_about(&own, "p", Some("claude:2")) && !rule.is_about(&own, "p", None));
    // A rule for the agent is not narrowed by where it was learned.
    let rule = learned(None, &own).unwrap().within(Some("claude:1"));
    assert!(rule.is_about(&own, "p", None));
}
