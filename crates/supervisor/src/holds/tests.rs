use super::{Closed, ClosedForm, Decision, DecisionForm, HoldError, HoldForm, Holds};
use crate::clock;
use crate::journal::JudgedForm;
use rescind_model::Timestamp;
use std::process::Command;

fn judged(persons: u8) -> JudgedForm {
    JudgedForm {
        class: "irreversible".into(),
        kind: "kubectl.delete".into(),
        score: 70,
        factors: Vec::new(),
        verdict: "hold".into(),
        reasons: vec!["nothing of it can be taken back".into()],
        recovery: "none".into(),
        policy: "p".into(),
        uncovered: Vec::new(),
        persons,
        groups: Vec::new(),
        notify: Vec::new(),
        auto_undo: false,
        entry: None,
        compensation: None,
        advice: None,
        rule: None,
    }
}

pub(super) fn hold(persons: u8) -> HoldForm {
    HoldForm {
        v: 1,
        action: "s.7".into(),
        agent: "bot".into(),
        requester: "ann".into(),
        argv: ["kubectl", "delete", "ns", "x"].map(str::to_owned).to_vec(),
        cwd: "/".into(),
        domain: String::new(),
        environment: String::new(),
        since: clock::now().to_string(),
        expires: Timestamp(clock::now().0 + 60_000_000_000).to_string(),
        judged: judged(persons),
        digest: "d1".into(),
        waiter: clock::process_mark(std::process::id()),
        learnable: true,
        tiers: Vec::new(),
        reasoning: None,
        preview: None,
        moved: 0,
    }
}

pub(super) fn said(person: &str, decision: Decision, digest: &str) -> DecisionForm {
    DecisionForm {
        decision,
        person: person.into(),
        at: clock::now().to_string(),
        digest: digest.into(),
        message: None,
        always: None,
        change: None,
    }
}

pub(super) fn holds() -> (tempfile::TempDir, Holds) {
    let folder = tempfile::tempdir().unwrap();
    let holds = Holds::at(folder.path().join("holds"));
    (folder, holds)
}

#[test]
fn one_person_is_enough_where_one_is_asked_for() {
    let (_folder, holds) = holds();
    assert!(holds.waiting().unwrap().is_empty());
    holds.open(&hold(1)).unwrap();
    assert_eq!(holds.waiting().unwrap().len(), 1);
    assert_eq!(holds.read("s.7").unwrap().unwrap().outcome("d1"), None);
    holds
        .decide("s.7", &said("ann", Decision::Approve, "d1"))
        .unwrap();
    let hold = holds.read("s.7").unwrap().unwrap();
    assert_eq!(hold.outcome("d1"), Some(Closed::Approved));
    assert_eq!(
        hold.outcome("d2"),
        None,
        "an approval counts for what was shown, and for nothing else"
    );
}

#[test]
fn two_are_two_different_ones_and_not_the_requester() {
    let (_folder, holds) = holds();
    holds.open(&hold(2)).unwrap();
    let by = |person: &str| holds.decide("s.7", &said(person, Decision::Approve, "d1"));
    assert!(matches!(by("ann"), Err(HoldError::Requester { .. })));
    by("bea").unwrap();
    assert!(matches!(by("bea"), Err(HoldError::Again { .. })));
    assert_eq!(holds.read("s.7").unwrap().unwrap().outcome("d1"), None);
    by("cid").unwrap();
    assert_eq!(
        holds.read("s.7").unwrap().unwrap().outcome("d1"),
        Some(Closed::Approved)
    );
}

#[test]
fn a_rejection_outweighs_every_approval() {
    let (_folder, holds) = holds();
    holds.open(&hold(1)).unwrap();
    holds
        .decide("s.7", &said("bea", Decision::Approve, "d1"))
        .unwrap();
    holds.decide("s.7", &said("cid", Decision::Reject, "d1")).unwrap();
    assert_eq!(
        holds.read("s.7").unwrap().unwrap().outcome("d1"),
        Some(Closed::Rejected)
    );
}

#[test]
fn each_wrong_decision_is_refused_with_its_own_error() {
    let (_folder, holds) = holds();
    let approve = |digest: &str| holds.decide("s.7", &said("bea", Decision::Approve, digest));
    assert!(matches!(approve("d1"), Err(HoldError::Unknown { .. })));
    holds.open(&hold(1)).unwrap();
    assert!(matches!(approve("d2"), Err(HoldError::Changed { .. })));
    let late = HoldForm {
        expires: Timestamp(clock::now().0 - 1).to_string(),
        ..hold(1)
    };
    holds.open(&late).unwrap();
    assert!(matches!(approve("d1"), Err(HoldError::Expired { .. })));
    let mut gone = Command::new("true").spawn().unwrap();
    let waiter = clock::process_mark(gone.id());
    gone.wait().unwrap();
    holds.open(&HoldForm { waiter, ..hold(1) }).unwrap();
    assert!(matches!(approve("d1"), Err(HoldError::Void { .. })));
    assert!(holds.waiting().unwrap().is_empty(), "nobody waits for it");
    holds.open(&hold(1)).unwrap();
    approve("d1").unwrap();
    let closed = ClosedForm {
        how: Closed::Approved,
        at: clock::now().to_string(),
        decisions: Vec::new(),
    };
    holds.close("s.7", &closed).unwrap();
    assert!(matches!(
        approve("d1"),
        Err(HoldError::Over { how: "approved", .. })
    ));
    assert!(holds.waiting().unwrap().is_empty());
}

#[test]
fn who_is_in_no_tier_that_is_asked_does_not_decide_even_by_a_file_of_their_own() {
    let (_folder, holds) = holds();
    let tier = |name: &str, who: &[&str]| crate::holds::TierForm {
        name: name.into(),
        who: who.iter().map(|who| (*who).to_owned()).collect(),
        until: Timestamp(clock::now().0 + 60_000_000_000).to_string(),
    };
    let form = HoldForm {
        tiers: vec![tier("oncall", &["bea"]), tier("lead", &["cid"])],
        ..hold(1)
    };
    holds.open(&form).unwrap();
    for decision in [Decision::Approve, Decision::Reject] {
        let refused = holds.decide("s.7", &said("dan", decision, "d1"));
        assert!(matches!(refused, Err(HoldError::Tier { .. })), "{refused:?}");
    }
    let decisions = vec![said("dan", Decision::Approve, "d1")];
    let hold = crate::holds::Hold { form, decisions };
    assert_eq!(hold.outcome("d1"), None);
    // Who is higher up need not wait to be asked.
    holds
        .decide("s.7", &said("cid", Decision::Approve, "d1"))
        .unwrap();
    let hold = holds.read("s.7").unwrap().unwrap();
    assert_eq!(hold.outcome("d1"), Some(Closed::Approved));
}

#[test]
fn two_persons_approve_what_both_want_and_nothing_else() {
    let (_folder, holds) = holds();
    holds.open(&hold(2)).unwrap();
    let instead = |person: &str, word: &str| DecisionForm {
        change: Some(vec!["ls".into(), word.into()]),
        ..said(person, Decision::Approve, "d1")
    };
    holds
        .decide("s.7", &said("bea", Decision::Approve, "d1"))
        .unwrap();
    holds.decide("s.7", &instead("cid", "a")).unwrap();
    holds.decide("s.7", &instead("dan", "b")).unwrap();
    let outcome = || holds.read("s.7").unwrap().unwrap().outcome("d1");
    assert_eq!(outcome(), None);
    holds.decide("s.7", &instead("eve", "b")).unwrap();
    assert_eq!(outcome(), Some(Closed::Changed));
    let closed = ClosedForm {
        how: Closed::Changed,
        at: String::new(),
        decisions: holds.read("s.7").unwrap().unwrap().decisions,
    };
    assert_eq!(closed.instead().unwrap(), ["ls", "b"]);
    assert_eq!(closed.lesson(&hold(2)), None);
}

#[test]
fn what_is_shown_anew_is_decided_anew_by_the_same_person() {
    let (_folder, holds) = holds();
    holds.open(&hold(1)).unwrap();
    holds
        .decide("s.7", &said("bea", Decision::Approve, "d1"))
        .unwrap();
    let moved = HoldForm {
        digest: "d2".into(),
        moved: 1,
        ..hold(1)
    };
    holds.open(&moved).unwrap();
    let outcome = || holds.read("s.7").unwrap().unwrap().outcome("d2");
    assert_eq!(outcome(), None);
    let late = holds.decide("s.7", &said("bea", Decision::Approve, "d1"));
    assert!(matches!(late, Err(HoldError::Changed { .. })));
    holds
        .decide("s.7", &said("bea", Decision::Approve, "d2"))
        .unwrap();
    assert_eq!(outcome(), Some(Closed::Approved));
    let again = holds.decide("s.7", &said("bea", Decision::Approve, "d2"));
    assert!(matches!(again, Err(HoldError::Again { .. })));
}
