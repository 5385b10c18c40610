use super::{Input, Judge, Judgement, Stage};
use crate::fixture::random::{self, Random};
use crate::fixture::{proposal, session};
use crate::{Attempt, Bounds, Counters, Grant, History, Proposal, Reach, Rules, Session, Whitelist};
use rescind_model::{Coverage, Operation, Reversibility, Scope, Scopes, Surface, Timestamp, Verdict};

const NOW: Timestamp = Timestamp(1_000_000_000_000_000_000);

fn bounds(text: &str) -> Bounds {
    Bounds::parse("limits.toml", text, &|_| None).unwrap_or_else(|error| panic!("{error}"))
}

/// Everything that a judgement depends on; tests change what they need.
struct World {
    rules: Rules,
    bounds: Bounds,
    session: Session,
    history: History,
    whitelist: Whitelist,
}

impl World {
    fn new() -> Self {
        Self {
            rules: Rules::default_policy().unwrap(),
            bounds: Bounds::default(),
            session: session(),
            history: History::default(),
            whitelist: Whitelist::default(),
        }
    }

    fn with(policies: &str) -> Self {
        Self {
            rules: Rules::parse(&[("own.cedar", policies)]).unwrap_or_else(|problems| panic!("{problems}")),
            ..Self::new()
        }
    }

    fn judge(&self, proposal: &Proposal) -> Judgement {
        let judge = Judge {
            rules: &self.rules,
            bounds: &self.bounds,
        };
        judge.judge(&Input {
            proposal,
            session: &self.session,
            history: &self.history,
            whitelist: &self.whitelist,
            counters: &Counters::default(),
            now: NOW,
        })
    }
}

fn irreversible() -> Proposal {
    Proposal {
        class: Some(Reversibility::Irreversible),
        coverage: Coverage::NotCaptured("it is sent".to_owned()),
        ..proposal("mail send")
    }
}

const FREEZE: &str = "[[freeze]]\nid = \"f\"\nreason = \"release\"\nfrom = \"2001-01-01T00:00:00Z\"\nuntil = \"2002-01-01T00:00:00Z\"\n";
const NONE_MAY: &str = "[[limit]]\nid = \"none\"\nper = \"session\"\nmeasure = \"actions\"\ncap = 0\n";

#[test]
fn a_freeze_denies_what_was_approved_before() {
    let mut world = World::new();
    world.bounds = bounds(FREEZE);
    let grant = Grant::learned(
        "g",
        &irreversible(),
        &world.session,
        Reach::Exact,
        Timestamp(i64::MAX),
    );
    world.whitelist = Whitelist::new(vec![grant.by("ann", "reviewer").by("bob", "reviewer")]);
    let judgement = world.judge(&irreversible());
    let reason = "freeze: nothing is changed during the freeze `f`: release".to_owned();
    assert_eq!(judgement.verdict, Verdict::Deny(vec![reason]));
    assert_eq!(judgement.who, None);
}

#[test]
fn two_who_approved_before_answer_for_two_and_one_does_not() {
    let mut world = World::new();
    let grant = Grant::learned(
        "g",
        &irreversible(),
        &world.session,
        Reach::Exact,
        Timestamp(i64::MAX),
    );
    world.whitelist = Whitelist::new(vec![grant.clone().by("ann", "reviewer")]);
    let judgement = world.judge(&irreversible());
    assert_eq!(judgement.who.map(|who| who.persons), Some(2));
    world.whitelist = Whitelist::new(vec![grant.by("ann", "reviewer").by("bob", "reviewer")]);
    let judgement = world.judge(&irreversible());
    assert_eq!(
        (&judgement.verdict, judgement.whitelisted.as_deref()),
        (&Verdict::Allow, Some("g"))
    );
    assert!(
        judgement
            .reasons
            .iter()
            .any(|reason| reason.text.contains("approved before by ann and bob"))
    );
}

#[test]
fn a_learned_rule_answers_neither_denials_nor_limits_nor_the_breaker_nor_broken_policies() {
    let learned = |world: &mut World| {
        let grant = Grant::learned(
            "g",
            &irreversible(),
            &world.session,
            Reach::Exact,
            Timestamp(i64::MAX),
        );
        world.whitelist = Whitelist::new(vec![grant.by("ann", "reviewer").by("bob", "reviewer")]);
        world.judge(&irreversible()).verdict
    };
    let mut denied = World::with("@deny(\"never\") forbid (principal, action, resource);");
    assert_eq!(
        learned(&mut denied),
        Verdict::Deny(vec!["policy: `own.cedar:1`: never".to_owned()])
    );
    let mut limited = World::new();
    limited.bounds = bounds(NONE_MAY);
    assert_eq!(learned(&mut limited).name(), "hold");
    let mut halted = World::new();
    halted.history.denials_in_a_row = 3;
    assert_eq!(learned(&mut halted).name(), "hold");
    let mut broken =
        World::with("permit (principal, action, resource) when { Agent::\"gone\".owner == \"x\" };");
    assert_eq!(learned(&mut broken).name(), "hold");
}

#[test]
fn a_policy_that_errors_holds_and_is_named() {
    let world = World::with(
        "@id(\"mine\") @hold(\"oncall\")\nforbid (principal, action, resource) when { context.risk * 9223372036854775807 > 3 };",
    );
    let judgement = world.judge(&proposal("x"));
    let Verdict::Hold(reasons) = judgement.verdict else {
        panic!("{:?}", judgement.verdict)
    };
    assert!(
        reasons[0].starts_with("policy: `mine` could not be evaluated: "),
        "{reasons:?}"
    );
    assert_eq!(judgement.who.unwrap().to_string(), "oncall");
    let failed = judgement
        .matched
        .iter()
        .find(|matched| matched.id == "mine")
        .unwrap();
    assert!(failed.failed.is_some());
}

#[test]
fn what_no_policy_speaks_of_is_held() {
    let mut world = World::new();
    world.rules = Rules::parse_alone(&[(
        "own.cedar",
        "permit (principal, action == Action::\"read\", resource);",
    )])
    .unwrap();
    let judgement = world.judge(&proposal("x"));
    assert_eq!(
        judgement.verdict,
        Verdict::Hold(vec!["policy: no policy says that it may run".to_owned()])
    );
}

#[test]
fn a_policy_about_targets_looks_at_each_and_holds_what_it_can_not() {
    let world = World::with(
        "@deny(\"not the secrets\") forbid (principal, action, resource) when { context.target like \"*/.env\" };",
    );
    let mut many = proposal("x");
    many.targets = (0..500).map(|number| format!("/srv/{number}")).collect();
    assert_eq!(world.judge(&many).verdict, Verdict::Allow);
    many.targets.push("/srv/.env".to_owned());
    assert_eq!(world.judge(&many).verdict.name(), "deny");
    many.targets = (0..1_001).map(|number| format!("/srv/{number}")).collect();
    let Verdict::Hold(reasons) = world.judge(&many).verdict else {
        panic!()
    };
    assert!(reasons[0].contains("1001 targets"), "{reasons:?}");
}

#[test]
fn annotations_say_who_decides_and_who_is_told() {
    let world = World::with(
        "@hold(\"oncall\") @because(\"prod\") forbid (principal, action, resource in Domain::\"web\");\n\
         @notify(\"#web\") @auto_undo permit (principal, action == Action::\"read\", resource);",
    );
    let judgement = world.judge(&irreversible());
    let who = judgement.who.unwrap();
    assert_eq!(
        (who.to_string().as_str(), who.persons),
        ("2 persons: oncall and reviewer", 2)
    );
    let mut read = proposal("cat");
    read.operation = Operation::Read;
    read.class = Some(Reversibility::TriviallyReversible);
    let mut elsewhere =
        World::with("@notify(\"#web\") @auto_undo permit (principal, action == Action::\"read\", resource);");
    elsewhere.session.domain = "other".to_owned();
    let judgement = elsewhere.judge(&read);
    assert!(judgement.auto_undo && judgement.notify.contains("#web"));
    assert_eq!(judgement.verdict, Verdict::Allow);
}

#[test]
fn a_read_only_session_is_refused_its_first_write_whatever_policy_says() {
    let mut world = World::with("@id(\"all\") permit (principal, action, resource);");
    world.session.scopes = Scopes::new(vec![Scope {
        operations: [Operation::Read].into(),
        surface: Some(Surface::Files),
        targets: Vec::new(),
    }]);
    let reason = "scope: this session may not write on files: it may read on files".to_owned();
    assert_eq!(world.judge(&proposal("x")).verdict, Verdict::Deny(vec![reason]));
}

#[test]
fn targets_that_can_not_be_told_pass_a_narrow_scope_only_where_each_change_is_seen() {
    let mut world = World::new();
    world.session.scopes = Scopes::new(vec![Scope {
        operations: [Operation::Read, Operation::Write].into(),
        surface: None,
        targets: vec![rescind_model::Pattern::new("/srv/**")],
    }]);
    let mut unknown = proposal("make");
    unknown.targets.clear();
    assert_eq!(world.judge(&unknown).verdict, Verdict::Allow);
    unknown.coverage = Coverage::Partial(Vec::new());
    assert_eq!(world.judge(&unknown).verdict.name(), "deny");
    unknown.coverage = Coverage::Captured;
    unknown.surface = Surface::Http;
    assert_eq!(world.judge(&unknown).verdict.name(), "deny");
}

#[test]
fn every_factor_of_the_score_is_shown_and_they_add_up() {
    let mut world = World::new();
    let mut denied = irreversible();
    denied.text = "mail draft".to_owned();
    denied.kind = "mail.draft".to_owned();
    denied.digest = proposal("mail draft").digest;
    world.history.denied.push(Attempt::from(&denied));
    let risk = world.judge(&irreversible()).risk;
    let names: Vec<&str> = risk.factors().iter().map(|factor| factor.name).collect();
    assert_eq!(
        names,
        [
            "class",
            "environment",
            "blast radius",
            "coverage",
            "novelty",
            "denied before"
        ]
    );
    let points: Vec<u8> = risk.factors().iter().map(|factor| factor.points).collect();
    assert_eq!(points, [55, 15, 3, 15, 5, 20]);
    assert_eq!(risk.points(), 100);
}

fn strictness(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Allow => 0,
        Verdict::Hold(_) => 1,
        Verdict::Deny(_) => 2,
    }
}

/// Adding a freeze, a limit, a narrower scope, a trip of the breaker or a `forbid` never loosens a verdict; and a
/// judgement tightened by another is as strict as the stricter.
#[test]
fn what_is_added_only_tightens_and_the_same_is_judged_the_same() {
    let mut random = Random(42);
    let mut seen = [0; 3];
    for round in 0..60 {
        let policies: String = (0..6).map(|_| random::policy(&mut random)).collect();
        let forbid = random::policy(&mut random)
            .replacen("permit", "forbid", 1)
            .replacen("@notify(\"o\")", "", 1);
        let mut world = World::with(&policies);
        let wider = World::with(&format!("{policies}{forbid}"));
        for _ in 0..20 {
            world.session = random::session(&mut random);
            let proposal = random::proposal(&mut random);
            let first = world.judge(&proposal);
            assert_eq!(first, world.judge(&proposal));
            seen[usize::from(strictness(&first.verdict))] += 1;
            let least = strictness(&first.verdict);
            let changes: [&dyn Fn(&mut World); 4] = [
                &|world| world.bounds = bounds(if round % 2 == 0 { FREEZE } else { NONE_MAY }),
                &|world| world.history.denials_in_a_row = 5,
                &|world| world.session.scopes = Scopes::new(Vec::new()),
                &|world| world.rules = wider.rules.clone(),
            ];
            for change in changes {
                let mut other = World {
                    rules: world.rules.clone(),
                    bounds: world.bounds.clone(),
                    session: world.session.clone(),
                    history: world.history.clone(),
                    whitelist: Whitelist::default(),
                };
                change(&mut other);
                let later = other.judge(&proposal);
                assert!(strictness(&later.verdict) >= least, "{proposal:?}");
                let both = first.clone().tightened(later.clone());
                assert_eq!(strictness(&both.verdict), least.max(strictness(&later.verdict)));
                assert_eq!(both.who.is_some(), matches!(both.verdict, Verdict::Hold(_)));
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 30), "{seen:?}");
}

#[test]
fn reasons_name_their_stage() {
    let mut world = World::new();
    world.history.denials_in_a_row = 4;
    let judgement = world.judge(&proposal("x"));
    assert!(judgement.halts);
    assert!(
        judgement
            .reasons
            .iter()
            .any(|reason| reason.stage == Stage::Breaker)
    );
    assert!(
        judgement
            .reasons
            .iter()
            .any(|reason| reason.stage == Stage::Policy)
    );
}
