use super::{Grant, Reach};
use crate::fixture::{proposal, session};
use crate::{Environment, Proposal, Session, Spend, Who};
use rescind_model::{Coverage, Missing, Operation, Reversibility, SessionId, Surface, Timestamp};

fn shown() -> Proposal {
    let mut shown = proposal("rm -r /srv/a /srv/b");
    shown.operation = Operation::Delete;
    shown.targets = vec!["/srv/a".to_owned(), "/srv/b".to_owned()];
    shown.force.insert("recursive".to_owned());
    shown.class = Some(Reversibility::PartiallyReversible);
    shown.coverage = Coverage::Partial(vec![missing("a")]);
    shown.blast.files = Some(10);
    shown.blast.spend = Spend::of(["5 USD".parse().unwrap()]);
    shown
}

fn missing(what: &str) -> Missing {
    Missing {
        what: what.to_owned(),
        why: String::new(),
    }
}

fn grant(reach: Reach) -> Grant {
    Grant::learned("g", &shown(), &session(), reach, Timestamp(100)).by("ann", "reviewer")
}

type Change = Box<dyn Fn(&mut Proposal, &mut Session)>;

/// Everything by which an action can be wider than the one that was shown.
fn wider() -> Vec<(&'static str, Change)> {
    vec![
        (
            "another target",
            Box::new(|now, _| now.targets = vec!["/home".to_owned()]),
        ),
        (
            "one target more",
            Box::new(|now, _| now.targets.push("/home".to_owned())),
        ),
        (
            "a target around",
            Box::new(|now, _| now.targets = vec!["/srv".to_owned()]),
        ),
        ("no target to be told", Box::new(|now, _| now.targets.clear())),
        (
            "a flag more",
            Box::new(|now, _| now.force.extend(["force".to_owned()])),
        ),
        (
            "another kind",
            Box::new(|now, _| now.kind = "files.wipe".to_owned()),
        ),
        ("another surface", Box::new(|now, _| now.surface = Surface::Shell)),
        (
            "a stronger operation",
            Box::new(|now, _| now.operation = Operation::Admin),
        ),
        (
            "a worse class",
            Box::new(|now, _| now.class = Some(Reversibility::Irreversible)),
        ),
        ("an unknown class", Box::new(|now, _| now.class = None)),
        (
            "less coverage",
            Box::new(|now, _| now.coverage = Coverage::NotCaptured(String::new())),
        ),
        (
            "other coverage",
            Box::new(|now, _| now.coverage = Coverage::Partial(vec![missing("b")])),
        ),
        ("more files", Box::new(|now, _| now.blast.files = Some(11))),
        ("files not known", Box::new(|now, _| now.blast.files = None)),
        (
            "rows that were not shown",
            Box::new(|now, _| now.blast.rows = Some(1)),
        ),
        (
            "more money",
            Box::new(|now, _| now.blast.spend = Spend::of(["5.01 USD".parse().unwrap()])),
        ),
        (
            "other money",
            Box::new(|now, _| now.blast.spend = Spend::of(["1 EUR".parse().unwrap()])),
        ),
        (
            "money not known",
            Box::new(|now, _| now.blast.spend = Spend::Unknown),
        ),
        (
            "another agent",
            Box::new(|_, session| session.agent = "other".to_owned()),
        ),
        (
            "another domain",
            Box::new(|_, session| session.domain = "web".to_owned()),
        ),
        (
            "another environment",
            Box::new(|_, session| session.environment = Environment::Staging),
        ),
    ]
}

#[test]
fn a_learned_rule_is_never_wider_than_what_was_shown() {
    for (name, change) in wider() {
        let (mut now, mut session) = (shown(), session());
        change(&mut now, &mut session);
        assert!(
            !grant(Reach::Targets)
                .for_agent()
                .covers(&now, &session, Timestamp(0)),
            "{name}"
        );
    }
    assert!(grant(Reach::Targets).covers(&shown(), &session(), Timestamp(99)));
    assert!(!grant(Reach::Targets).covers(&shown(), &session(), Timestamp(100)));
}

/// Where words were compared, other targets are what the person named; all else is not.
#[test]
fn other_words_are_no_licence_for_more() {
    let others = ["another target", "a target around", "no target to be told"];
    for (name, change) in wider() {
        let (mut now, mut session) = (shown(), session());
        change(&mut now, &mut session);
        let covers = grant(Reach::Words)
            .for_agent()
            .covers(&now, &session, Timestamp(0));
        assert_eq!(covers, others.contains(&name), "{name}");
    }
}

#[test]
fn less_than_what_was_shown_is_covered_by_targets_and_not_by_the_letter() {
    let mut now = shown();
    now.digest = proposal("rm /srv/b").digest;
    now.targets.remove(0);
    now.force.clear();
    now.blast.files = Some(1);
    now.coverage = Coverage::Captured;
    assert!(grant(Reach::Targets).covers(&now, &session(), Timestamp(0)));
    assert!(!grant(Reach::Exact).covers(&now, &session(), Timestamp(0)));
    assert!(grant(Reach::Exact).covers(&shown(), &session(), Timestamp(0)));
}

#[test]
fn a_rule_for_a_session_ends_with_it() {
    let mut other = session();
    other.id = SessionId::new(2, 2);
    assert!(!grant(Reach::Targets).covers(&shown(), &other, Timestamp(0)));
    assert!(
        grant(Reach::Targets)
            .for_agent()
            .covers(&shown(), &other, Timestamp(0))
    );
}

#[test]
fn one_person_does_not_answer_for_two_nor_one_group_for_another() {
    let two = Who {
        persons: 2,
        ..Who::one("reviewer")
    };
    assert!(grant(Reach::Exact).answers(&Who::one("reviewer")));
    assert!(!grant(Reach::Exact).answers(&Who::one("oncall")));
    assert!(!grant(Reach::Exact).by("ann", "reviewer").answers(&two));
    assert!(grant(Reach::Exact).by("bob", "reviewer").answers(&two));
}

#[test]
fn a_rule_survives_being_written_down_and_a_damaged_one_is_no_rule() {
    let mut shown = shown();
    for (reach, coverage, spend) in [
        (Reach::Exact, Coverage::Captured, Spend::Unknown),
        (
            Reach::Targets,
            Coverage::NotCaptured("why".to_owned()),
            Spend::None,
        ),
        (Reach::Targets, shown.coverage.clone(), shown.blast.spend.clone()),
    ] {
        (shown.coverage, shown.blast.spend) = (coverage, spend);
        let own = Grant::learned("g", &shown, &session(), reach, Timestamp(100)).by("ann", "reviewer");
        for grant in [own.clone(), own.for_agent()] {
            let text = grant.to_json().unwrap();
            assert_eq!(Grant::from_json(&text).unwrap(), grant);
            assert!(Grant::from_json(&text.replace("\"agent\"", "\"agant\"")).is_err());
            assert!(Grant::from_json(&text[..text.len() - 1]).is_err());
        }
    }
}
