//! Who follows: one at a time, killed at any moment, over a file that may be of another time or none at all.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod common;

use common::World;
use rescind_index::{ActionFilter, ActionRow, DomainSet, Index, Page, SessionFilter, SessionRow};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

const FOLDER: &str = "RESCIND_INDEX_TEST_FOLDER";

fn open(folder: &Path, name: &str) -> Index {
    Index::open(&folder.join(name), common::store(folder)).unwrap()
}

fn rows(index: &Index) -> (Vec<SessionRow>, Vec<ActionRow>, u64) {
    let everything = || DomainSet::Everything;
    let mut page = Page::first(500);
    let sessions = index.sessions(&SessionFilter::of(everything()), &page).unwrap();
    let mut actions = Vec::new();
    loop {
        let paged = index.actions(&ActionFilter::of(everything()), &page).unwrap();
        actions.extend(paged.rows);
        page.cursor = paged.next;
        if page.cursor.is_none() {
            break;
        }
    }
    (sessions.rows, actions, index.position().unwrap())
}

fn world(folder: &Path, seed: u64, steps: usize) -> World {
    let mut world = World::new(folder, seed);
    for _ in 0..steps {
        world.step();
    }
    world
}

/// The one that is killed: follows in small steps, and says each.
#[test]
#[ignore = "started, and killed, by a_follower_that_is_killed_anywhere_leaves_a_beginning"]
fn follows_until_it_is_killed() {
    let folder = std::env::var_os(FOLDER).unwrap();
    let index = open(Path::new(&folder), "index.sqlite");
    index
        .follow_by(7, &mut |progress| println!("at {}", progress.position))
        .unwrap();
    println!("done");
}

#[test]
fn a_follower_that_is_killed_anywhere_leaves_a_beginning() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(folder.path(), 31, 700);
    let mut kills = 0;
    for round in 0.. {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "follows_until_it_is_killed",
            ])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let most = 1 + world.dice.below(12);
        let mut told = lines
            .map_while(Result::ok)
            .filter(|line| line.starts_with("at ") || line == "done");
        let last = told.by_ref().take(usize::try_from(most).unwrap()).last();
        // It is in the middle of a step, or between two.
        for _ in 0..world.dice.below(200_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if last.as_deref() == Some("done") {
            break;
        }
        kills += 1;
        let said: u64 = last.unwrap().trim_start_matches("at ").parse().unwrap();
        // What it said is there, and what is there is whole.
        let index = open(folder.path(), "index.sqlite");
        assert!(index.position().unwrap() >= said);
        drop(index);
        if round % 3 == 0 {
            for _ in 0..10 {
                world.step();
            }
        }
    }
    assert!(kills >= 5, "{kills}");
    let index = open(folder.path(), "index.sqlite");
    index.follow().unwrap();
    let anew = open(folder.path(), "anew.sqlite");
    anew.follow().unwrap();
    assert_eq!(rows(&index), rows(&anew));
}

#[test]
fn one_follows_and_others_read_until_it_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = world(folder.path(), 5, 60);
    let first = open(folder.path(), "index.sqlite");
    let second = open(folder.path(), "index.sqlite");
    assert!(first.is_follower() && !second.is_follower());
    assert_eq!(second.follow().unwrap(), 0, "the other has not followed yet");
    let head = first.follow().unwrap();
    assert_eq!(second.position().unwrap(), head);
    assert_eq!(rows(&first), rows(&second));
    world.begin();
    assert_eq!(second.follow().unwrap(), head);
    drop(first);
    assert_eq!(second.follow().unwrap(), world.store.ledger().len().unwrap());
    assert!(second.is_follower());
}

#[test]
fn readers_see_whole_batches_while_one_follows() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), 9, 500);
    let index = open(folder.path(), "index.sqlite");
    let everything = ActionFilter::of(DomainSet::Everything);
    std::thread::scope(|scope| {
        let following = scope.spawn(|| index.follow_by(5, &mut |_| {}).unwrap());
        let mut most = 0;
        while !following.is_finished() {
            let read = index.actions(&everything, &Page::first(500)).unwrap().rows.len();
            assert!(read >= most || read == 500, "{read} after {most}");
            most = read;
        }
        assert_eq!(following.join().unwrap(), world.store.ledger().len().unwrap());
    });
}

#[test]
fn what_is_no_projection_of_this_ledger_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let world = world(folder.path(), 11, 80);
    let index = open(folder.path(), "index.sqlite");
    index.follow().unwrap();
    let expected = rows(&index);
    drop(index);
    let path = folder.path().join("index.sqlite");
    let change = |statement: &str| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(statement).unwrap();
    };
    let check = |what: &str| {
        let index = open(folder.path(), "index.sqlite");
        assert_eq!(index.position().unwrap(), 0, "{what}");
        index.follow().unwrap();
        assert_eq!(rows(&index), expected, "{what}");
    };
    change("UPDATE meta SET value = 0 WHERE key = 'version'");
    check("another version");
    change("UPDATE meta SET value = 'other+1+AAAA' WHERE key = 'ledger'");
    check("another ledger");
    change("UPDATE meta SET value = 'sha256:00' WHERE key = 'last'");
    check("another way since");
    change("UPDATE meta SET value = 1000000 WHERE key = 'position'");
    check("more than there is");
    std::fs::write(
        &path,
        "this is no database at all, but some words that somebody left here",
    )
    .unwrap();
    check("no database");
    std::fs::remove_file(&path).unwrap();
    check("deleted");
    drop(world);
}

#[test]
fn nothing_of_what_is_erased_stays_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let mut world = World::new(folder.path(), 3);
    let id = common::session(1);
    let secret = "qwxzsecretword";
    let opening = common::opened(&id, secret, "shop");
    let log = world
        .store
        .begin(&id, opening, rescind_model::Level::Process)
        .unwrap();
    let role = rescind_supervisor::journal::Role::Action;
    log.start(&common::node(1, 0, role, &["x", secret])).unwrap();
    let state = common::file(1, 1, 1, 1);
    let before = common::before(&id, 1, 1, secret, &state);
    log.write(&[rescind_supervisor::journal::Record::Before(before)])
        .unwrap();
    log.close(&common::closing("ended")).unwrap();
    drop(log);
    let index = open(folder.path(), "index.sqlite");
    index.follow().unwrap();
    let mut filter = ActionFilter::of(DomainSet::Everything);
    filter.text = Some(secret.into());
    assert_eq!(index.actions(&filter, &Page::first(5)).unwrap().rows.len(), 1);
    let holds_it = || {
        let files = ["index.sqlite", "index.sqlite-wal"].map(|name| folder.path().join(name));
        files.iter().any(|file| {
            let bytes = std::fs::read(file).unwrap_or_default();
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        })
    };
    assert!(holds_it());
    world.erase_one(id);
    index.follow().unwrap();
    assert_eq!(index.actions(&filter, &Page::first(5)).unwrap().rows.len(), 0);
    assert!(!holds_it());
    drop(Arc::clone(&world.store));
}
