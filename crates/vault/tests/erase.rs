//! Erasing and pruning: what is gone, what is left, what still verifies.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{Random, Scratch, files_below, id};
use rescind_vault::{Cap, Error, Expect, Keeping, Policy, PruneWhat, Remains};
use std::fs;
use std::os::unix::fs::MetadataExt as _;

const ERASED: Expect = Expect {
    open: false,
    erased: true,
    pruned: false,
};

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn nothing_of_an_erased_session_can_be_found_and_its_marks_still_hold() {
    for remains in [Remains::Ciphertext, Remains::Nothing] {
        let scratch = Scratch::new();
        let writer = scratch.vault.create_session(&id(1)).unwrap();
        let secret = b"the launch code is 4417 9920 3156";
        writer.append(secret).unwrap();
        let (_, small) = writer.put(secret, Keeping::Lasting).unwrap();
        writer.put(&secret.repeat(50_000), Keeping::Recreatable).unwrap();
        let slot = writer
            .pin_slot(scratch.vault.device(), Keeping::Lasting)
            .unwrap()
            .unwrap();
        fs::write(slot.path(), secret).unwrap();
        writer.adopt(&slot).unwrap();
        let marks = writer.marks();
        let key = fs::read(scratch.path("keys").join(id(1).as_str())).unwrap();
        assert_eq!(key.len(), 32);
        assert!(matches!(
            scratch.vault.erase(&id(1), remains),
            Err(Error::Busy { .. })
        ));
        assert!(
            scratch
                .vault
                .open_session(&id(1))
                .unwrap()
                .read_all(&small, 100)
                .is_ok()
        );
        drop(writer);
        let held = scratch.vault.usage().unwrap()[0].total();
        let erased = scratch.vault.erase(&id(1), remains).unwrap();
        assert!(erased.bytes > 0 && erased.bytes <= held && erased.away.is_empty());
        for file in files_below(&scratch.path("")) {
            let bytes = fs::read(&file).unwrap();
            assert!(!contains(&bytes, &secret[..16]), "{}", file.display());
            assert!(!contains(&bytes, &key), "{}", file.display());
        }
        let verified = scratch.vault.verify_session(&id(1), &marks, ERASED).unwrap();
        assert_eq!(verified.faults, []);
        match remains {
            Remains::Ciphertext => assert_eq!((verified.gone, verified.files), (0, 3)),
            Remains::Nothing => assert_eq!((verified.gone, verified.files), (3, 0)),
        }
        assert!(scratch.vault.open_session(&id(1)).is_err());
        assert!(scratch.vault.resume_session(&id(1)).is_err());
    }
}

#[test]
fn an_erasure_that_was_interrupted_anywhere_is_finished_by_the_next() {
    // Each state that a kill between two of its system calls can leave.
    let states: [fn(&Scratch); 5] = [
        |scratch| {
            let key = scratch.path("keys").join(id(1).as_str());
            fs::write(key, [0; 32]).unwrap();
        },
        |scratch| fs::remove_file(scratch.path("keys").join(id(1).as_str())).unwrap(),
        |scratch| {
            fs::remove_file(scratch.path("keys").join(id(1).as_str())).unwrap();
            fs::remove_file(scratch.session_path(&id(1), "journal")).unwrap();
        },
        |scratch| {
            fs::remove_file(scratch.path("keys").join(id(1).as_str())).unwrap();
            fs::remove_dir_all(scratch.path("pins")).unwrap();
        },
        |scratch| {
            fs::remove_file(scratch.path("keys").join(id(1).as_str())).unwrap();
            fs::remove_dir_all(scratch.session_path(&id(1), "")).unwrap();
        },
    ];
    for state in states {
        let scratch = Scratch::new();
        let writer = scratch.vault.create_session(&id(1)).unwrap();
        writer.put(b"content", Keeping::Lasting).unwrap();
        let slot = writer
            .pin_slot(scratch.vault.device(), Keeping::Lasting)
            .unwrap()
            .unwrap();
        fs::write(slot.path(), "pinned").unwrap();
        drop(writer);
        state(&scratch);
        assert!(scratch.vault.open_session(&id(1)).is_err());
        scratch.vault.erase(&id(1), Remains::Nothing).unwrap();
        assert_eq!(files_below(&scratch.path("")), Vec::<std::path::PathBuf>::new());
        assert!(matches!(
            scratch.vault.erase(&id(1), Remains::Nothing),
            Err(Error::NoSession { .. })
        ));
    }
}

#[test]
fn usage_counts_pins_only_where_nothing_else_holds_the_file() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let path = scratch.dir.path().join("work");
    fs::write(&path, vec![1; 1 << 20]).unwrap();
    let slot = writer
        .pin_slot(scratch.vault.device(), Keeping::Recreatable)
        .unwrap()
        .unwrap();
    fs::hard_link(&path, slot.path()).unwrap();
    writer.adopt(&slot).unwrap();
    assert_eq!(scratch.vault.usage().unwrap()[0].recreatable_pins, 0);
    let blocks = path.metadata().unwrap().blocks() * 512;
    fs::remove_file(&path).unwrap();
    let usage = &scratch.vault.usage().unwrap()[0];
    assert_eq!(
        (usage.recreatable_pins, usage.pins, usage.recreatable()),
        (blocks, 0, blocks)
    );
    assert!(usage.journal > 0 && usage.total() == usage.journal + blocks);
}

#[test]
fn a_cap_takes_recreatable_content_first_and_what_is_left_can_be_read() {
    let scratch = Scratch::new();
    let mut random = Random::new(1);
    let mut sessions = Vec::new();
    for number in 1..=3 {
        let writer = scratch.vault.create_session(&id(number)).unwrap();
        let (_, lasting) = writer.put(&random.bytes(1 << 20), Keeping::Lasting).unwrap();
        let (_, light) = writer.put(&random.bytes(1 << 20), Keeping::Recreatable).unwrap();
        let slot = writer
            .pin_slot(scratch.vault.device(), Keeping::Recreatable)
            .unwrap()
            .unwrap();
        fs::write(slot.path(), random.bytes(1 << 20)).unwrap();
        let pin = writer.adopt(&slot).unwrap();
        sessions.push((id(number), lasting, light, pin, writer.marks()));
    }
    let total = || {
        scratch
            .vault
            .usage()
            .unwrap()
            .iter()
            .map(|usage| usage.total())
            .sum::<u64>()
    };
    let before = total();
    let cap = |bytes| Policy {
        cap: Cap::Bytes(bytes),
        ..Policy::default()
    };
    assert_eq!(scratch.vault.prune_plan(&Policy::default()).unwrap(), []);
    let plan = scratch.vault.prune_plan(&cap(before - 1)).unwrap();
    assert_eq!(plan.len(), 1);
    assert_eq!((&plan[0].session, plan[0].what), (&id(1), PruneWhat::Recreatable));
    assert_eq!(total(), before, "a plan touches nothing");
    let pruned = scratch.vault.prune(&plan);
    assert_eq!(*pruned[0].freed.as_ref().unwrap(), plan[0].bytes);
    assert_eq!(total(), before - plan[0].bytes);
    let (session, lasting, light, pin, marks) = &sessions[0];
    let reader = scratch.vault.open_session(session).unwrap();
    assert!(reader.read_all(lasting, 1 << 20).is_ok());
    assert!(matches!(reader.read_all(light, 1 << 20), Err(Error::Gone { .. })));
    assert!(matches!(reader.open_pin(pin), Err(Error::Gone { .. })));
    assert_eq!(reader.pin_stat(pin).unwrap().now, None);
    let expect = Expect {
        pruned: true,
        ..Expect::default()
    };
    assert_eq!(
        scratch
            .vault
            .verify_session(session, marks, expect)
            .unwrap()
            .faults,
        []
    );
    assert!(
        !scratch
            .vault
            .verify_session(session, marks, Expect::default())
            .unwrap()
            .faults
            .is_empty()
    );

    let open = Policy {
        open: [id(1), id(3)].into(),
        ..cap(0)
    };
    let plan = scratch.vault.prune_plan(&open).unwrap();
    assert_eq!(
        plan.iter()
            .map(|step| (step.session.clone(), step.what))
            .collect::<Vec<_>>(),
        [(id(2), PruneWhat::Everything)]
    );
    // Said to be closed, but somebody writes it: kept.
    let writer = scratch.vault.resume_session(&id(2)).unwrap();
    assert!(matches!(
        scratch.vault.prune(&plan)[0].freed,
        Err(Error::Busy { .. })
    ));
    drop(writer);
    assert!(scratch.vault.prune(&plan)[0].freed.is_ok());
    assert_eq!(scratch.vault.sessions().unwrap(), [id(1), id(3)]);
}

#[test]
fn pins_on_a_root_that_is_away_are_named() {
    let scratch = Scratch::new();
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = shm.path().join("pins");
    let device = scratch.vault.add_pin_root(&root).unwrap();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let slot = writer.pin_slot(device, Keeping::Lasting).unwrap().unwrap();
    fs::write(slot.path(), "pinned").unwrap();
    let pin = writer.adopt(&slot).unwrap();
    drop(writer);
    let away = shm.path().join("away");
    fs::rename(&root, &away).unwrap();
    // Another process, which has not opened the root before.
    let other = rescind_vault::Vault::open(&scratch.path(""), common::small()).unwrap();
    assert!(other.open_session(&id(1)).unwrap().open_pin(&pin).is_err());
    let erased = other.erase(&id(1), Remains::Ciphertext).unwrap();
    assert_eq!(erased.away, std::slice::from_ref(&root));
    assert_eq!(files_below(&away).len(), 1);
    fs::rename(&away, &root).unwrap();
    assert_eq!(
        other.erase(&id(1), Remains::Nothing).unwrap().away,
        Vec::<std::path::PathBuf>::new()
    );
    assert_eq!(files_below(&root).len(), 0);
}
