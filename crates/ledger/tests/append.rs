//! Appending, reading and signing by the threads of one process and by several handles.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions and not in their helpers"
)]

use rescind_ledger::{Against, Error, Ledger, MAX_ENTRY, Options};
use rescind_model::Level;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

fn open(dir: &std::path::Path) -> Ledger {
    Ledger::open(dir, &Options::default()).unwrap()
}

#[test]
fn entries_come_back_in_order_also_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let ledger = open(&path);
    for index in 0..300_u64 {
        let entry = format!("entry {index}");
        let level = if index % 100 == 0 {
            Level::Power
        } else {
            Level::Process
        };
        assert_eq!(ledger.append(entry.as_bytes(), level).unwrap(), index);
    }
    let checkpoint = ledger.checkpoint().unwrap().unwrap();
    assert_eq!(checkpoint.size, 300);
    assert_eq!(
        ledger
            .append_batch(&[b"a".to_vec(), b"b".to_vec()], Level::Process)
            .unwrap(),
        [300, 301]
    );

    let again = open(&path);
    assert_eq!(again.len().unwrap(), 302);
    assert_eq!(again.verifier_key(), ledger.verifier_key());
    let all = again.read(0..302).unwrap();
    assert_eq!(all[299], b"entry 299");
    assert_eq!(all[301], b"b");
    assert_eq!(again.read(150..151).unwrap(), [b"entry 150".to_vec()]);
    assert!(matches!(
        again.read(302..303),
        Err(Error::NoEntry {
            index: 302,
            length: 302
        })
    ));
    assert_eq!(again.checkpoint().unwrap().unwrap().size, 302);
    assert_eq!(ledger.checkpoint().unwrap(), again.checkpoint().unwrap());
}

#[test]
fn entries_of_a_size_that_no_frame_has_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    assert!(matches!(
        ledger.append(b"", Level::Process),
        Err(Error::EntrySize { bytes: 0 })
    ));
    let long = vec![7; MAX_ENTRY + 1];
    assert!(matches!(
        ledger.append(&long, Level::Process),
        Err(Error::EntrySize { bytes: 65_536 })
    ));
    assert_eq!(ledger.append(&long[1..], Level::Process).unwrap(), 0);
    assert_eq!(ledger.read(0..1).unwrap()[0].len(), MAX_ENTRY);
    assert_eq!(ledger.checkpoint().unwrap().unwrap().size, 1);
}

#[test]
fn many_threads_of_several_handles_lose_and_double_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let handles: Vec<Ledger> = (0..3).map(|_| open(dir.path())).collect();
    let background: Vec<_> = handles
        .iter()
        .map(|ledger| ledger.start_background().unwrap())
        .collect();
    let mut acknowledged = BTreeSet::new();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..24)
            .map(|number| {
                let ledger = handles[number % 3].clone();
                let level = if number % 2 == 0 {
                    Level::Power
                } else {
                    Level::Process
                };
                scope.spawn(move || {
                    (0..100)
                        .map(|turn| {
                            let entry = format!("{number}/{turn}").into_bytes();
                            (ledger.append(&entry, level).unwrap(), entry)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        for thread in threads {
            acknowledged.extend(thread.join().unwrap());
        }
    });
    let stored: BTreeSet<_> = handles[0].cursor(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(stored.len(), 2400);
    assert_eq!(stored, acknowledged);
    for service in background {
        assert_eq!(service.stop().unwrap().checkpoint.unwrap().size, 2400);
    }
    assert!(handles.iter().all(|ledger| ledger.trouble().is_empty()));
}

#[test]
fn the_background_service_signs_within_a_second_of_an_entry() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = open(dir.path());
    let background = ledger.start_background().unwrap();
    for size in 1..=2 {
        ledger.append(b"entry", Level::Process).unwrap();
        let start = std::time::Instant::now();
        while ledger
            .last_checkpoint()
            .unwrap()
            .is_none_or(|checkpoint| checkpoint.size < size)
        {
            assert!(
                start.elapsed().as_millis() < 1500,
                "no checkpoint over {size} entries"
            );
            std::thread::yield_now();
        }
    }
    background.stop().unwrap();
}

#[test]
fn a_lost_key_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).append(b"entry", Level::Process).unwrap();
    std::fs::remove_file(dir.path().join("key")).unwrap();
    let error = Ledger::open(dir.path(), &Options::default()).err().unwrap();
    assert!(error.to_string().contains("never given another one"), "{error}");
}

#[test]
fn the_directory_is_closed_to_others_and_the_locks_to_readers() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    open(&path).append(b"entry", Level::Process).unwrap();
    let mode = |name: &str| std::fs::metadata(path.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("lock.000001"), 0o200);
    assert_eq!(mode("key"), 0o600);
    assert_eq!(mode("log.000001"), 0o600);
}

#[test]
fn a_ledger_that_others_append_to_and_sign_opens_at_every_moment() {
    let folder = tempfile::tempdir().unwrap();
    let writer = open(folder.path());
    writer.append(b"first", Level::Process).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                writer.append(b"entry", Level::Process).unwrap();
                writer.checkpoint().unwrap();
            }
        });
        let opened = (0..300).try_for_each(|_| Ledger::open(folder.path(), &Options::default()).map(drop));
        done.store(true, Ordering::Relaxed);
        opened.unwrap();
    });
    assert!(rescind_ledger::verify(folder.path(), &Against::default()).is_sound());
}
