use super::{Attempt, Breaker, History, Trip, Undone};
use crate::fixture::proposal;
use crate::{Driven, Proposal};
use rescind_model::{Digest, Operation, Reversibility, Surface};

fn trips(now: &Proposal, denied: &Proposal) -> Vec<Trip> {
    let history = History {
        denied: vec![Attempt::from(denied)],
        ..History::default()
    };
    Breaker::default().trips(now, &history)
}

#[test]
fn a_state_that_was_undone_and_comes_back_trips_on_its_surface_only() {
    let state = Digest::of(b"bad");
    let mut history = History::default();
    history.undone.insert(Undone {
        surface: Surface::Kubernetes,
        target: "shop/deployment/a".to_owned(),
        state,
    });
    let mut now = proposal("kubectl apply");
    now.surface = Surface::Kubernetes;
    now.drives = vec![Driven {
        target: "shop/deployment/a".to_owned(),
        state,
    }];
    let flapping = Trip::Flapping {
        target: "shop/deployment/a".to_owned(),
    };
    assert_eq!(Breaker::default().trips(&now, &history), [flapping]);
    now.surface = Surface::Http;
    assert!(Breaker::default().trips(&now, &history).is_empty());
    now.surface = Surface::Kubernetes;
    now.drives[0].state = Digest::of(b"good");
    assert!(Breaker::default().trips(&now, &history).is_empty());
}

#[test]
fn the_third_denial_in_a_row_trips_and_zero_never_does() {
    let now = proposal("x");
    let denials = |denials_in_a_row| History {
        denials_in_a_row,
        ..History::default()
    };
    assert!(Breaker::default().trips(&now, &denials(2)).is_empty());
    assert_eq!(
        Breaker::default().trips(&now, &denials(3)),
        [Trip::Denials { count: 3 }]
    );
    assert!(Breaker { denials: 0 }.trips(&now, &denials(99)).is_empty());
}

#[test]
fn each_way_of_being_stronger_is_found_and_named() {
    let denied = proposal("denied");
    let told = |change: &dyn Fn(&mut Proposal)| {
        let mut now = proposal("now");
        change(&mut now);
        trips(&now, &denied).first().map(ToString::to_string)
    };
    let prefix = "`denied` was denied, and this is a stronger form of it: ";
    let stronger = |how: &str| Some(format!("{prefix}{how}"));
    assert_eq!(
        told(&|now| now.operation = Operation::Delete),
        stronger("delete instead of write")
    );
    assert_eq!(
        told(&|now| now.class = None),
        stronger("irreversible instead of reversible_with_state")
    );
    assert_eq!(
        told(&|now| now.targets = vec!["/srv".to_owned()]),
        stronger("`/srv` is wider")
    );
    assert_eq!(
        told(&|now| now.targets = vec!["/srv/*".to_owned()]),
        stronger("`/srv/*` is wider")
    );
    assert_eq!(
        told(&|now| now.force.extend(["force".to_owned()])),
        stronger("with `force`")
    );
    assert_eq!(
        told(&|now| now.kind = "shell.python".to_owned()),
        stronger("by `shell.python` instead of `files.edit`")
    );
    assert_eq!(
        told(&|now| {
            now.surface = Surface::Shell;
            now.kind = "shell.sed".to_owned();
        }),
        stronger("by `shell.sed` instead of `files.edit`")
    );
}

#[test]
fn what_is_weaker_elsewhere_or_the_same_is_not_stronger() {
    let mut denied = proposal("denied");
    denied.force.insert("force".to_owned());
    let quiet = |change: &dyn Fn(&mut Proposal)| {
        let mut now = proposal("now");
        now.force.insert("force".to_owned());
        change(&mut now);
        assert!(trips(&now, &denied).is_empty(), "{now:?}");
    };
    quiet(&|_| {});
    quiet(&|now| now.force.clear());
    quiet(&|now| now.targets = vec!["/srv/a/b".to_owned()]);
    quiet(&|now| {
        now.targets = vec!["/srv/ab".to_owned()];
        now.kind = "shell.sed".to_owned();
    });
    quiet(&|now| {
        now.operation = Operation::Read;
        now.kind = "files.read".to_owned();
    });
    quiet(&|now| {
        now.class = Some(Reversibility::TriviallyReversible);
        now.kind = "files.touch".to_owned();
    });
    quiet(&|now| {
        now.surface = Surface::Http;
        now.kind = "http.put".to_owned();
    });
}

#[test]
fn more_targets_than_can_be_compared_are_taken_to_overlap() {
    let many = |folder: &str| {
        (0..1_100)
            .map(|number| format!("/{folder}/{number}"))
            .collect::<Vec<_>>()
    };
    let (mut now, mut denied) = (proposal("now"), proposal("denied"));
    (now.targets, denied.targets) = (many("a"), many("b"));
    now.force.insert("force".to_owned());
    assert_eq!(trips(&now, &denied).len(), 1);
    now.targets.truncate(10);
    assert!(trips(&now, &denied).is_empty());
}
