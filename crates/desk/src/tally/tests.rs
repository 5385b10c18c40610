use super::{Room, Tally, TallyError};
use rescind_model::{Level, Operation, Surface, Timestamp};
use rescind_policy::{Ask, Bounds, Limits, Measure, Quantity, Spend, Spent};
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

const SECOND: i64 = 1_000_000_000;

fn limits() -> Limits {
    let text = "[[limit]]\nid = \"d\"\nper = \"session\"\nmeasure = \"actions\"\ncap = 3\n\
                [[limit]]\nid = \"f\"\nper = \"agent\"\nmeasure = \"files\"\ncap = 10\n\
                [[limit]]\nid = \"m\"\nper = \"domain\"\nmeasure = \"money\"\ncap = \"500 USD\"\n";
    Bounds::parse("limits.toml", text, &|_| None).unwrap().limits
}

fn ask(session: &str) -> Ask {
    Ask {
        session: session.to_owned(),
        agent: "fixer".to_owned(),
        domains: vec!["web".to_owned()],
        started: Timestamp(0),
        operation: Operation::Delete,
        surface: Surface::Files,
        kind: "rm".to_owned(),
        spent: Spent {
            files: 1,
            spend: Spend::of(["20.10 USD".parse().unwrap()]),
            ..Spent::default()
        },
    }
}

fn tally(directory: &Path) -> Tally {
    Tally::at(directory.join("limits"), Level::Process)
}

/// Reserve by the rules; whether it fits.
fn reserve(tally: &mut Tally, ask: &Ask, part_of: Option<&str>, at: i64) -> Option<String> {
    let now = Timestamp(at * SECOND);
    let reserved = tally.locked(now, |locked| {
        let room: Room = locked.room(&limits(), ask, part_of);
        if !room.covered && limits().reserve(&room.counters, ask, now).is_err() {
            return Ok(None);
        }
        locked.reserve(room, (&ask.session, 1), false).map(Some)
    });
    reserved.unwrap()
}

/// What is used of a limit by its only owner.
fn used(directory: &Path, limit: &str) -> String {
    let state = Tally::read(&directory.join("limits")).unwrap();
    let all = limits();
    let measure = all
        .limits()
        .iter()
        .find(|known| known.id == limit)
        .unwrap()
        .measure;
    let own = state
        .counters()
        .iter()
        .filter(|(bucket, _)| bucket.limit == limit);
    let used: Vec<String> = own
        .map(|(_, counter)| counter.used(None, Timestamp(0), measure).to_string())
        .collect();
    used.join(" ")
}

#[test]
fn two_see_each_others_reservations_and_settlements() {
    let place = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (tally(place.path()), tally(place.path()));
    let first = reserve(&mut one, &ask("a"), None, 0).unwrap();
    let second = reserve(&mut two, &ask("a"), None, 0).unwrap();
    let third = reserve(&mut one, &ask("a"), None, 0).unwrap();
    assert!(reserve(&mut two, &ask("a"), None, 0).is_none());
    assert!(reserve(&mut two, &ask("b"), None, 0).is_some());
    assert_eq!(used(place.path(), "m"), "80.40");
    two.locked(Timestamp(1), |locked| locked.release(&third)).unwrap();
    assert!(reserve(&mut one, &ask("a"), None, 0).is_some());
    assert!(reserve(&mut one, &ask("a"), None, 0).is_none());
    // More files than were announced count in full, twice settled counts once.
    for id in [&first, &second, &first] {
        one.locked(Timestamp(1), |locked| locked.settle(id, Some(4)))
            .unwrap();
    }
    assert_eq!(used(place.path(), "f"), "10");
    assert!(reserve(&mut two, &ask("c"), None, 0).is_none());
}

#[test]
fn a_part_takes_over_what_the_action_around_it_has_and_only_more_is_asked_for() {
    let place = tempfile::tempdir().unwrap();
    let mut tally = tally(place.path());
    let whole = reserve(&mut tally, &ask("a"), None, 0).unwrap();
    let part = reserve(&mut tally, &ask("a"), Some(&whole), 0).unwrap();
    assert_eq!(
        (used(place.path(), "d"), used(place.path(), "m")),
        ("1".to_owned(), "20.10".to_owned())
    );
    let inner = reserve(&mut tally, &ask("a"), Some(&part), 0).unwrap();
    assert_eq!(used(place.path(), "d"), "1");
    // The second part finds nothing left to take over.
    let second = reserve(&mut tally, &ask("a"), Some(&whole), 0).unwrap();
    assert_eq!(
        (used(place.path(), "d"), used(place.path(), "f")),
        ("2".to_owned(), "2".to_owned())
    );
    for (id, files) in [(inner, 1), (part, 0), (second, 1), (whole, 0)] {
        tally
            .locked(Timestamp(1), |locked| locked.settle(&id, Some(files)))
            .unwrap();
    }
    assert_eq!(
        (
            used(place.path(), "d"),
            used(place.path(), "f"),
            used(place.path(), "m")
        ),
        ("2".to_owned(), "2".to_owned(), "40.20".to_owned())
    );
}

#[test]
fn a_line_that_was_being_written_is_cut_off_and_another_bad_one_is_told() {
    let place = tempfile::tempdir().unwrap();
    reserve(&mut tally(place.path()), &ask("a"), None, 0).unwrap();
    let path = place.path().join("limits/journal");
    let whole = fs::read(&path).unwrap();
    for torn in [
        &b"0"[..],
        b"1234abcd {\"do\":\"settle\"",
        b"\0\0\0\0\0",
        b"\0\0\0\n\0",
    ] {
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(torn).unwrap();
        assert_eq!(used(place.path(), "d"), "1");
        tally(place.path()).locked(Timestamp(0), |_| Ok(())).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole, "{torn:?}");
    }
    let middle = whole.iter().rposition(|byte| *byte == b'3').unwrap();
    let mut damaged = whole.clone();
    damaged[middle] ^= 1;
    let first = whole.iter().position(|byte| *byte == b'\n').unwrap() as u64 + 1;
    for (bytes, at) in [
        (damaged, first),
        (whole[first as usize..].to_vec(), 0),
        (b"{}\n".to_vec(), 0),
    ] {
        fs::write(&path, &bytes).unwrap();
        let error = tally(place.path()).locked(Timestamp(0), |_| Ok(())).unwrap_err();
        assert!(
            matches!(error, TallyError::Damaged { offset, .. } if offset == at),
            "{error}"
        );
        assert_eq!(fs::read(&path).unwrap(), bytes, "what is damaged is not touched");
    }
}

#[test]
fn made_small_again_it_says_the_same_and_forgets_sessions_that_are_long_over() {
    let place = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (tally(place.path()), tally(place.path()));
    let kept = reserve(&mut one, &ask("open"), None, 0).unwrap();
    let path = place.path().join("limits/journal");
    let (mut largest, mut smaller) = (0, 0);
    for at in 0..400 {
        let tally = if at % 3 == 0 { &mut one } else { &mut two };
        let mut ask = ask(&format!("s{at}"));
        (ask.spent.files, ask.spent.spend) = (0, Spend::None);
        let id = reserve(tally, &ask, None, at * 3_600).unwrap();
        tally
            .locked(Timestamp(at * 3_600 * SECOND), |locked| {
                locked.settle(&id, Some(0))
            })
            .unwrap();
        let length = fs::metadata(&path).unwrap().len();
        smaller += u64::from(length < largest);
        largest = if length < largest {
            length
        } else {
            largest.max(length)
        };
    }
    assert!(smaller > 0, "it was never made small");
    let state = Tally::read(&place.path().join("limits")).unwrap();
    let of = |session: &str| {
        let mut own = state
            .counters()
            .iter()
            .filter(|(bucket, _)| bucket.owner == session);
        own.next()
            .map(|(_, counter)| counter.used(None, Timestamp(0), Measure::Actions))
    };
    assert_eq!(
        (of("s399"), of("open")),
        (Some(Quantity::Count(1)), Some(Quantity::Count(1)))
    );
    assert_eq!(of("s0"), None, "a session of two weeks ago");
    one.locked(Timestamp(0), |locked| locked.settle(&kept, Some(3)))
        .unwrap();
    assert_eq!(used(place.path(), "f"), "3");
}

#[test]
fn a_removed_directory_begins_from_nothing_and_keeps_excluding() {
    let place = tempfile::tempdir().unwrap();
    let (mut one, mut two) = (tally(place.path()), tally(place.path()));
    reserve(&mut one, &ask("a"), None, 0).unwrap();
    fs::remove_dir_all(place.path().join("limits")).unwrap();
    for turn in 0..3 {
        let tally = if turn == 1 { &mut two } else { &mut one };
        reserve(tally, &ask("a"), None, 0).unwrap();
    }
    assert!(reserve(&mut two, &ask("a"), None, 0).is_none());
}

#[test]
fn what_a_dead_process_had_reserved_is_used_and_that_of_the_living_stays() {
    let place = tempfile::tempdir().unwrap();
    let mut dead = tally(place.path());
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    dead.holder = rescind_supervisor::process_mark(child.id());
    let id = reserve(&mut dead, &ask("a"), None, 0).unwrap();
    let mut living = tally(place.path());
    reserve(&mut living, &ask("a"), None, 0).unwrap();
    let state = || Tally::read(&place.path().join("limits")).unwrap();
    assert_eq!(state().open.len(), 2);
    child.kill().unwrap();
    child.wait().unwrap();
    living.locked(Timestamp(0), |_| Ok(())).unwrap();
    assert!(!state().open.contains_key(&id) && state().open.len() == 1);
    assert_eq!(
        (used(place.path(), "d"), used(place.path(), "f")),
        ("2".to_owned(), "2".to_owned())
    );
}

#[test]
fn a_lock_that_is_not_given_back_is_told_and_nothing_is_reserved() {
    let place = tempfile::tempdir().unwrap();
    reserve(&mut tally(place.path()), &ask("a"), None, 0).unwrap();
    let stopped = fs::File::open(place.path().join("limits/lock")).unwrap();
    rustix::fs::flock(&stopped, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let mut waiting = tally(place.path());
    let refused = waiting.locked(Timestamp(0), |_| Ok(())).unwrap_err();
    assert!(matches!(refused, TallyError::Busy { .. }), "{refused}");
    assert_eq!(used(place.path(), "d"), "1", "who only looks needs no lock");
    drop(stopped);
    reserve(&mut waiting, &ask("a"), None, 0).unwrap();
    assert_eq!(used(place.path(), "d"), "2");
}
