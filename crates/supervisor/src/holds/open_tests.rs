use super::open::{HoldFilter, OpenHolds};
use super::tests::{hold, holds, said};
use super::watch::{Changed, Watch};
use super::{Closed, ClosedForm, Decision, HoldForm, Holds, KEPT_AFTER};
use crate::{DomainSet, clock};
use rescind_model::Timestamp;
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

fn of(number: u32) -> HoldForm {
    HoldForm {
        action: format!("s.{number}"),
        since: format!("2026-01-01T00:00:{:02}Z", number % 60),
        ..hold(1)
    }
}

fn closed(at: Timestamp) -> ClosedForm {
    ClosedForm {
        how: Closed::Rejected,
        at: at.to_string(),
        decisions: Vec::new(),
    }
}

fn everything() -> HoldFilter {
    HoldFilter::of(DomainSet::Everything)
}

fn names(open: &OpenHolds, filter: &HoldFilter) -> BTreeSet<String> {
    let list = open.list(filter, None, 1000).unwrap();
    list.holds.iter().map(|hold| hold.form.action.clone()).collect()
}

#[test]
fn open_holds_are_what_waiting_says_after_every_change() {
    let (folder, holds) = holds();
    let open = OpenHolds::at(folder.path().join("holds"));
    let same = || {
        let waiting = holds.waiting().unwrap();
        let list = open.list(&everything(), None, 1000).unwrap();
        let listed: Vec<_> = list.holds.iter().map(|hold| (**hold).clone()).collect();
        assert_eq!(listed, waiting);
        assert_eq!(list.total, waiting.len() as u64);
    };
    same();
    for number in 1..=20 {
        holds.open(&of(number)).unwrap();
        same();
    }
    for number in 1..=20 {
        let action = format!("s.{number}");
        holds
            .decide(&action, &said("ann", Decision::Approve, "d1"))
            .unwrap();
        same();
        if number % 2 == 0 {
            holds.close(&action, &closed(clock::now())).unwrap();
        } else {
            let moved = HoldForm {
                digest: "d2".into(),
                moved: 1,
                ..of(number)
            };
            holds.open(&moved).unwrap();
        }
        same();
    }
    assert_eq!(names(&open, &everything()).len(), 10);
}

#[test]
fn changes_in_the_same_tick_are_noticed_with_and_without_the_kernels_word() {
    let (folder, holds) = holds();
    let directory = folder.path().join("holds");
    holds.open(&of(1)).unwrap();
    for mut watch in [Watch::at(directory.clone()), Watch::untold(directory.clone())] {
        assert_eq!(watch.changed().unwrap(), Changed::All);
        // Each change follows at once on a look, so that both fall into one tick of the file system's clock.
        for number in 100..400 {
            holds.open(&of(number)).unwrap();
            let changed = watch.changed().unwrap();
            let told = match &changed {
                Changed::All => watch.files.contains_key(&format!("s.{number}")),
                Changed::These(actions) => actions.contains(&format!("s.{number}")),
            };
            assert!(told, "{number}: {changed:?}");
            assert!(watch.files.contains_key(&format!("s.{number}")));
        }
        holds.sweep(Timestamp(0)).unwrap();
        for number in 100..400 {
            holds
                .close(&format!("s.{number}"), &closed(Timestamp(0)))
                .unwrap();
        }
        holds.sweep(clock::now()).unwrap();
        watch.changed().unwrap();
        assert_eq!(watch.files.keys().collect::<Vec<_>>(), ["s.1"]);
    }
}

#[test]
fn a_directory_that_is_left_alone_costs_no_look_and_one_that_is_made_anew_is_found() {
    let (folder, holds) = holds();
    let directory = folder.path().join("holds");
    let mut watch = Watch::at(directory.clone());
    watch.changed().unwrap();
    holds.open(&of(1)).unwrap();
    assert_eq!(
        watch.changed().unwrap(),
        Changed::These(["s.1".to_owned()].into())
    );
    assert_eq!(watch.changed().unwrap(), Changed::These(BTreeSet::new()));
    std::fs::remove_dir_all(&directory).unwrap();
    holds.open(&of(2)).unwrap();
    watch.changed().unwrap();
    assert_eq!(watch.files.keys().collect::<Vec<_>>(), ["s.2"]);
    holds.open(&of(3)).unwrap();
    watch.changed().unwrap();
    assert_eq!(watch.files.len(), 2);
}

#[test]
fn a_look_at_one_hold_is_what_reading_it_says() {
    let (_folder, holds) = holds();
    assert_eq!(holds.look("s.7").unwrap(), None);
    holds.open(&hold(2)).unwrap();
    let same = || assert_eq!(holds.look("s.7").unwrap(), holds.read("s.7").unwrap());
    same();
    for person in ["dan", "ben@x.hold", "c.closed"] {
        holds
            .decide("s.7", &said(person, Decision::Approve, "d1"))
            .unwrap();
        same();
    }
    assert_eq!(holds.look("s.7").unwrap().unwrap().decisions.len(), 3);
    holds
        .open(&HoldForm {
            digest: "d2".into(),
            ..hold(2)
        })
        .unwrap();
    same();
    holds.decide("s.7", &said("ann", Decision::Reject, "d2")).unwrap();
    same();
    assert_eq!(
        holds.look("s.7").unwrap().unwrap().outcome("d2"),
        Some(Closed::Rejected)
    );
    assert_eq!(holds.waiting().unwrap().len(), 1);
}

#[test]
fn holds_are_found_by_what_they_are_narrowed_to_page_by_page() {
    let (folder, _) = holds();
    let open = OpenHolds::at(folder.path().join("holds"));
    let of_domain = |domain: &str| Holds::at(folder.path().join("holds")).of_session(domain, "production");
    for (number, domain) in [(1, "payments/prod"), (2, "payments"), (3, "shop"), (4, "")] {
        let agent = if number == 3 { "codex" } else { "bot" };
        of_domain(domain)
            .open(&HoldForm {
                agent: agent.into(),
                ..of(number)
            })
            .unwrap();
    }
    let all = everything();
    let sets = [
        (all.clone(), 4),
        (HoldFilter::of(DomainSet::under("payments")), 2),
        (HoldFilter::of(DomainSet::Under(Vec::new())), 0),
        (
            HoldFilter {
                domain: Some("payments/prod".into()),
                ..all.clone()
            },
            1,
        ),
        (
            HoldFilter {
                agent: Some("codex".into()),
                ..all.clone()
            },
            1,
        ),
        (
            HoldFilter {
                requester: Some("ann".into()),
                ..all.clone()
            },
            4,
        ),
        (
            HoldFilter {
                session: Some("s".into()),
                ..all.clone()
            },
            4,
        ),
        (
            HoldFilter {
                session: Some("t".into()),
                ..all.clone()
            },
            0,
        ),
        (
            HoldFilter {
                text: Some("KUBECTL taken".into()),
                ..all.clone()
            },
            4,
        ),
        (
            HoldFilter {
                text: Some("kubectl nothere".into()),
                ..all.clone()
            },
            0,
        ),
        (
            HoldFilter {
                environment: Some("production".into()),
                ..all.clone()
            },
            4,
        ),
        (
            HoldFilter {
                group: Some("dba".into()),
                ..all.clone()
            },
            0,
        ),
    ];
    for (filter, many) in sets {
        assert_eq!(names(&open, &filter).len(), many, "{filter:?}");
    }
    let (mut after, mut found) = (None, Vec::new());
    loop {
        let list = open.list(&all, after.as_deref(), 3).unwrap();
        assert_eq!(list.total, 4);
        found.extend(list.holds.iter().map(|hold| hold.form.action.clone()));
        after = list.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, ["s.1", "s.2", "s.3", "s.4"]);
    assert_eq!(open.count(&DomainSet::under("payments")).unwrap(), 2);
    assert!(open.get("s.3").unwrap().is_some() && open.get("s.9").unwrap().is_none());
}

#[test]
fn whoever_waits_for_a_change_is_told_of_it() {
    let (folder, holds) = holds();
    let open = OpenHolds::at(folder.path().join("holds"));
    let seen = open.look().unwrap();
    assert_eq!(open.wait(seen, Duration::ZERO).unwrap(), seen);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| open.wait(seen, Duration::from_secs(60)).unwrap());
        holds.open(&of(1)).unwrap();
        assert_ne!(waiting.join().unwrap(), seen);
    });
}

#[test]
fn a_hold_whose_waiter_died_waits_no_more_though_no_file_changed() {
    let (folder, holds) = holds();
    let open = OpenHolds::at(folder.path().join("holds"));
    let mut child = Command::new("sleep").arg("60").spawn().unwrap();
    let waiter = clock::process_mark(child.id());
    holds.open(&HoldForm { waiter, ..of(1) }).unwrap();
    holds.open(&of(2)).unwrap();
    let mut seen = open.look().unwrap();
    assert_eq!(names(&open, &everything()).len(), 2);
    child.kill().unwrap();
    child.wait().unwrap();
    while names(&open, &everything()).len() == 2 {
        seen = open.wait(seen, Duration::from_secs(60)).unwrap();
    }
    assert_eq!(names(&open, &everything()), ["s.2".to_owned()].into());
}

#[test]
fn what_is_over_for_a_day_is_swept_away_and_what_waits_stays() {
    let (folder, holds) = holds();
    let now = clock::now();
    let long_ago = Timestamp(now.0 - 2 * i64::try_from(KEPT_AFTER.as_nanos()).unwrap());
    let old = |number| HoldForm {
        expires: long_ago.to_string(),
        ..of(number)
    };
    let mut child = Command::new("true").spawn().unwrap();
    let dead = clock::process_mark(child.id());
    child.wait().unwrap();
    holds.open(&old(1)).unwrap();
    holds.open(&old(2)).unwrap();
    holds.close("s.2", &closed(now)).unwrap();
    holds.open(&old(3)).unwrap();
    holds
        .decide("s.3", &said("ann", Decision::Approve, "d1"))
        .unwrap_err();
    holds.close("s.3", &closed(long_ago)).unwrap();
    holds
        .open(&HoldForm {
            waiter: dead.clone(),
            ..old(4)
        })
        .unwrap();
    holds
        .open(&HoldForm {
            waiter: dead,
            ..of(5)
        })
        .unwrap();
    // What a sweep leaves that is killed before its end.
    std::fs::write(folder.path().join("holds/s.6.by-ann"), "{}").unwrap();
    let before = Timestamp(now.0 - i64::try_from(KEPT_AFTER.as_nanos()).unwrap());
    assert_eq!(holds.sweep(before).unwrap(), 3);
    let mut left: Vec<String> = std::fs::read_dir(folder.path().join("holds"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["s.1.hold", "s.2.closed", "s.2.hold", "s.5.hold"]);
}
