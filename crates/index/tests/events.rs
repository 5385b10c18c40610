//! Events: each entry of the ledger once, in order, from wherever one goes on.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::World;
use rescind_index::{Event, Events};
use rescind_model::{Digest, Level};
use rescind_supervisor::Store;
use rescind_supervisor::entry::Entry;
use std::sync::Arc;
use std::time::Duration;

fn all(store: &Store, from: u64) -> Vec<Event> {
    Events::from(store, from).unwrap().batch(usize::MAX).unwrap()
}

fn world(folder: &tempfile::TempDir, seed: u64, steps: usize) -> World {
    let mut world = World::new(folder.path(), seed);
    for _ in 0..steps {
        world.step();
    }
    world
}

#[test]
fn a_stream_resumed_from_any_entry_has_no_gap_and_every_body() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(&folder, 7, 300);
    let store = Arc::clone(&world.store);
    let whole = all(&store, 0);
    let head = store.ledger().len().unwrap();
    assert_eq!(whole.len() as u64, head);
    for (seq, event) in whole.iter().enumerate() {
        let bytes = store.ledger().read(seq as u64..seq as u64 + 1).unwrap();
        let entry: Entry = serde_json::from_slice(&bytes[0]).unwrap();
        assert_eq!(event.seq, seq as u64);
        assert_eq!(
            event.kind,
            serde_json::to_value(entry.kind).unwrap().as_str().unwrap()
        );
        assert_eq!((&event.time, &event.session), (&entry.time, &entry.session));
        let erased = world.erased.iter().any(|id| id.as_str() == event.session);
        match (&entry.body, &event.body) {
            (Some(_), None) => assert!(erased && event.missing.as_deref() == Some("the session was erased")),
            (Some(_), Some(_)) => assert!(!erased && !event.agent.is_empty() && event.owner == "ann"),
            (None, body) => assert!(body.is_some()),
        }
    }
    for from in 0..=head {
        assert_eq!(
            all(&store, from),
            whole[usize::try_from(from).unwrap()..],
            "from {from}"
        );
    }
    assert!(Events::from(&store, head + 1).is_err());
    // A stream that was at its end goes on where it was.
    let mut events = Events::from(&store, head).unwrap();
    assert!(events.next().unwrap().is_none() && !events.wait(Duration::ZERO).unwrap());
    world.begin();
    assert!(events.wait(Duration::from_secs(60)).unwrap());
    let next = events.next().unwrap().unwrap();
    assert_eq!((next.seq, next.kind.as_str()), (head, "session.started"));
    assert_eq!(events.position(), head + 1);
}

#[test]
fn a_body_is_the_record_of_its_digest() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(&folder, 8, 200);
    let mut compared = 0;
    for event in all(&world.store, 0) {
        let (Some(digest), Some(body)) = (&event.digest, &event.body) else {
            continue;
        };
        let record: rescind_supervisor::journal::Record = serde_json::from_value(body.clone()).unwrap();
        let bytes = serde_json::to_vec(&record).unwrap();
        assert_eq!(Digest::of(&bytes).to_string(), *digest);
        compared += 1;
    }
    assert!(compared > 50);
}

#[test]
fn whoever_reads_while_many_write_misses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = common::store(folder.path());
    const EACH: u64 = 200;
    let read = std::thread::scope(|scope| {
        for number in 1..=4 {
            let store = Arc::clone(&store);
            scope.spawn(move || {
                let id = common::session(number);
                let opening = common::opened(&id, "bot", "shop");
                let log = store.begin(&id, opening, Level::Process).unwrap();
                // Two threads of one session at once: their entries may change places.
                std::thread::scope(|scope| {
                    for half in 0..2 {
                        let log = &log;
                        scope.spawn(move || {
                            for n in 0..EACH {
                                let number = 1 + 2 * n + half;
                                let role = rescind_supervisor::journal::Role::Action;
                                log.start(&common::node(number, 0, role, &["x"])).unwrap();
                            }
                        });
                    }
                });
            });
        }
        let reader = scope.spawn(|| {
            let mut events = Events::from(&store, 0).unwrap();
            let mut read = Vec::new();
            while (read.len() as u64) < 4 * (2 * EACH + 1) {
                if !events.wait(Duration::from_secs(60)).unwrap() {
                    break;
                }
                read.extend(events.batch(64).unwrap());
            }
            read
        });
        reader.join().unwrap()
    });
    assert_eq!(read.len() as u64, store.ledger().len().unwrap());
    for (seq, event) in read.iter().enumerate() {
        assert_eq!(event.seq, seq as u64);
        assert!(event.missing.is_none(), "{event:?}");
        let n = &event.body.as_ref().unwrap()["n"];
        let own = event
            .action
            .as_ref()
            .map(|action| action.split_once('.').unwrap().1);
        assert_eq!(own.map(str::to_owned), n.as_u64().map(|n| n.to_string()));
    }
}
