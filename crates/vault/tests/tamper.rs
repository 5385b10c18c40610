//! Every change to journal and packs is found and located, with the key and without it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{Random, Scratch, id};
use rescind_vault::{Expect, Fault, FaultKind, Keeping, Mark, Remains, SessionWriter};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SEALED: Expect = Expect {
    open: false,
    erased: false,
    pruned: false,
};
const ERASED: Expect = Expect {
    open: false,
    erased: true,
    pruned: false,
};

/// A session with a journal, three packs and a recreatable pack, and the marks that were taken on the way.
fn session(scratch: &Scratch) -> Vec<Mark> {
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let marks = fill(&writer, 7);
    assert_eq!(
        scratch
            .vault
            .verify_session(&id(1), &marks, SEALED)
            .unwrap()
            .faults,
        []
    );
    marks
}

fn fill(writer: &SessionWriter, seed: u64) -> Vec<Mark> {
    let mut random = Random::new(seed);
    let mut marks = Vec::new();
    for number in 0..90_u64 {
        let length = random.below(250) as usize;
        writer.append(&random.bytes(length)).unwrap();
        let keeping = if number % 5 == 0 {
            Keeping::Recreatable
        } else {
            Keeping::Lasting
        };
        let length = random.below(2500) as usize;
        writer.put(&random.bytes(length), keeping).unwrap();
        if number % 17 == 0 {
            writer
                .put(&b"text ".repeat(400 + number as usize), keeping)
                .unwrap();
            marks.extend(writer.marks());
        }
    }
    marks.extend(writer.marks());
    marks
}

fn options() -> rescind_vault::Options {
    rescind_vault::Options {
        pack_bytes: 30_000,
        reserve_bytes: 0,
    }
}

/// Change `bytes` in one of the ways there are; the first byte that may differ, and a name.
fn mutate(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) -> (usize, &'static str) {
    let length = bytes.len();
    let at = random.below(length as u64) as usize;
    let some = 1 + random.below(600) as usize;
    match random.below(8) {
        0 | 1 => {
            bytes[at] ^= 1 << random.below(8);
            (at, "flip")
        }
        2 => {
            bytes.drain(at..(at + some).min(length));
            (at, "drop")
        }
        3 => {
            let (a, b) = (
                at.min(length - some.min(length)),
                random.below((length - some.min(length)) as u64 + 1) as usize,
            );
            for step in 0..some.min(length) {
                bytes.swap(a + step, (b + step) % length);
            }
            (a.min(b), "swap")
        }
        4 => {
            bytes.truncate(at);
            (at, "truncate")
        }
        5 => {
            let from = random.below(other.len() as u64) as usize;
            let piece = other[from..(from + some).min(other.len())].to_vec();
            bytes.splice(at..at, piece);
            (at, "splice")
        }
        6 => {
            let piece: Vec<u8> = bytes[at..(at + some).min(length)].to_vec();
            bytes.extend_from_slice(&piece);
            (length, "append")
        }
        _ => {
            let until = (at + some).min(length);
            bytes[at..until].fill(0);
            (at, "zero")
        }
    }
}

fn located(faults: &[Fault], file: &str, at: u64) -> bool {
    faults
        .iter()
        .any(|fault| fault.file == file && fault.offset <= at && fault.until.is_none_or(|until| until >= at))
}

#[test]
fn seeded_mutations_are_all_found_and_located() {
    let wanted: u64 = std::env::var("RESCIND_MUTATIONS").map_or(1000, |text| text.parse().unwrap());
    let scratch = Scratch::with(options());
    let marks = session(&scratch);
    let dir = scratch.session_path(&id(1), "");
    let files: BTreeMap<String, Vec<u8>> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect();
    assert!(files.len() >= 5, "{:?}", files.keys());
    let names: Vec<&String> = files.keys().collect();
    let mut count = BTreeMap::new();
    let mut run = |expect: Expect, seeds: std::ops::Range<u64>| {
        for seed in seeds {
            let mut random = Random::new(seed);
            let name = names[random.below(names.len() as u64) as usize];
            let other = &files[names[random.below(names.len() as u64) as usize]];
            let mut bytes = files[name].clone();
            let (at, how) = mutate(&mut bytes, other, &mut random);
            if bytes == files[name] {
                continue;
            }
            let first = bytes.iter().zip(&files[name]).take_while(|(a, b)| a == b).count();
            assert!(first >= at, "{how}");
            fs::write(dir.join(name), &bytes).unwrap();
            let verified = scratch.vault.verify_session(&id(1), &marks, expect).unwrap();
            assert!(
                located(&verified.faults, name, first as u64),
                "seed {seed}: {how} of {name} at {first}: {:?}",
                verified.faults
            );
            assert!(
                verified.faults.iter().all(|fault| fault.file == *name),
                "{:?}",
                verified.faults
            );
            *count.entry((how, expect.erased)).or_insert(0) += 1;
            fs::write(dir.join(name), &files[name]).unwrap();
        }
    };
    run(SEALED, 0..wanted / 2);
    scratch.vault.erase(&id(1), Remains::Ciphertext).unwrap();
    run(ERASED, wanted / 2..wanted);
    assert_eq!(count.len(), 14, "{count:?}");
    assert!(count.values().sum::<u64>() > wanted * 19 / 20);
    assert_eq!(
        scratch
            .vault
            .verify_session(&id(1), &marks, ERASED)
            .unwrap()
            .faults,
        []
    );
}

#[test]
fn swapped_frames_are_named_by_their_offsets_even_with_matching_checksums() {
    let scratch = Scratch::with(options());
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let offsets: Vec<u64> = (0..10_u8)
        .map(|byte| writer.append(&[byte; 100]).unwrap())
        .collect();
    let marks = writer.marks();
    let path = scratch.session_path(&id(1), "journal");
    let mut bytes = fs::read(&path).unwrap();
    let (a, b) = (offsets[2] as usize, offsets[7] as usize);
    for step in 0..124 {
        bytes.swap(a + step, b + step);
    }
    fs::write(&path, bytes).unwrap();
    let faults = scratch
        .vault
        .verify_session(&id(1), &marks, SEALED)
        .unwrap()
        .faults;
    let damaged: Vec<u64> = faults
        .iter()
        .filter(|fault| matches!(fault.kind, FaultKind::Damaged(_)))
        .map(|fault| fault.offset)
        .collect();
    assert_eq!(damaged, [offsets[2], offsets[7]]);
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    let read: Vec<_> = reader.frames(0).unwrap().collect();
    assert_eq!(read.iter().filter(|frame| frame.is_ok()).count(), 8);
    assert_eq!(read.iter().filter(|frame| frame.is_err()).count(), 2);
}

#[test]
fn frames_of_another_session_or_file_are_not_taken_for_ones_own() {
    let scratch = Scratch::with(options());
    let marks = session(&scratch);
    fill(&scratch.vault.create_session(&id(2)).unwrap(), 7);
    for (from, to) in [((2, "journal"), "journal"), ((1, "packr.000001"), "pack.000001")] {
        let path = scratch.session_path(&id(1), to);
        let good = fs::read(&path).unwrap();
        fs::copy(scratch.session_path(&id(from.0), from.1), &path).unwrap();
        let open = Expect { open: true, ..SEALED };
        let faults = scratch.vault.verify_session(&id(1), &marks, open).unwrap().faults;
        assert!(
            faults
                .iter()
                .any(|fault| matches!(fault.kind, FaultKind::Damaged(_)) && fault.offset == 16)
        );
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn missing_foreign_and_unmarked_files_are_faults() {
    let scratch = Scratch::with(options());
    let marks = session(&scratch);
    let kinds = |expect: Expect| {
        let faults = scratch
            .vault
            .verify_session(&id(1), &marks, expect)
            .unwrap()
            .faults;
        faults
            .into_iter()
            .map(|fault| (fault.file, fault.kind))
            .collect::<Vec<_>>()
    };
    let move_away = |name: &str, back: bool| {
        let (there, away) = (
            scratch.session_path(&id(1), name),
            scratch.dir.path().join("away"),
        );
        let (from, to): (&Path, &Path) = if back { (&away, &there) } else { (&there, &away) };
        fs::rename(from, to).unwrap();
    };
    for name in ["journal", "pack.000001", "packr.000001"] {
        move_away(name, false);
        assert_eq!(kinds(SEALED), [(name.to_owned(), FaultKind::Missing)]);
        let pruned = kinds(Expect {
            pruned: true,
            ..SEALED
        });
        assert_eq!(pruned.is_empty(), name == "packr.000001");
        move_away(name, true);
    }
    fs::write(scratch.session_path(&id(1), "notes"), "x").unwrap();
    assert_eq!(kinds(SEALED), [("notes".to_owned(), FaultKind::Foreign)]);
    fs::remove_file(scratch.session_path(&id(1), "notes")).unwrap();
    fs::copy(
        scratch.session_path(&id(1), "pack.000001"),
        scratch.session_path(&id(1), "pack.000777"),
    )
    .unwrap();
    assert!(kinds(SEALED).contains(&("pack.000777".to_owned(), FaultKind::Unmarked)));
    fs::remove_file(scratch.session_path(&id(1), "pack.000777")).unwrap();
    fs::remove_file(scratch.session_path(&id(1), "journal")).unwrap();
    fs::create_dir(scratch.session_path(&id(1), "journal")).unwrap();
    assert!(matches!(&kinds(SEALED)[..], [(_, FaultKind::Unreadable(_))]));
    fs::remove_dir(scratch.session_path(&id(1), "journal")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        scratch.session_path(&id(1), "journal"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    assert!(matches!(&kinds(SEALED)[..], [(_, FaultKind::Unreadable(_))]));
}

#[test]
fn a_key_that_is_gone_or_there_against_the_ledger_is_a_fault() {
    let scratch = Scratch::with(options());
    let marks = session(&scratch);
    let kinds = |expect: Expect| {
        scratch
            .vault
            .verify_session(&id(1), &marks, expect)
            .unwrap()
            .faults
    };
    assert_eq!(kinds(ERASED)[0].kind, FaultKind::KeyPresent);
    fs::remove_file(scratch.path("keys").join(id(1).as_str())).unwrap();
    assert_eq!(kinds(SEALED)[0].kind, FaultKind::KeyMissing);
    assert_eq!(kinds(ERASED), []);
}

/// The reader, the writer and verify meet thousands of random files and neither panic nor hang.
#[test]
fn nothing_panics_whatever_the_bytes() {
    let scratch = Scratch::with(options());
    let marks = session(&scratch);
    let path = |name| scratch.session_path(&id(1), name);
    let good = [
        fs::read(path("journal")).unwrap(),
        fs::read(path("pack.000003")).unwrap(),
    ];
    for seed in 0..300 {
        let mut random = Random::new(seed);
        for (name, good) in ["journal", "pack.000003"].iter().zip(&good) {
            let mut bytes = if seed % 4 == 0 {
                random.bytes(3000)
            } else {
                good.clone()
            };
            for _ in 0..=random.below(6) {
                if !bytes.is_empty() {
                    let _what = mutate(&mut bytes, good, &mut random);
                }
            }
            fs::write(path(name), bytes).unwrap();
        }
        let open = Expect { open: true, ..SEALED };
        let _faults = scratch.vault.verify_session(&id(1), &marks, open).unwrap();
        let reader = scratch.vault.open_session(&id(1)).unwrap();
        let _frames = reader.frames(random.below(9000)).unwrap().count();
        for _ in 0..20 {
            let text = format!("blob:pack.000003@{}+{}", random.below(30_000), random.below(3000));
            let _result = reader.read_all(&rescind_model::Locator(text), 1 << 20);
        }
        // Whatever was there, the writer goes on behind it and what it writes is read back.
        let writer = scratch.vault.resume_session(&id(1)).unwrap();
        let offset = writer.append(b"after").unwrap();
        let (_, locator) = writer.put(b"after", Keeping::Lasting).unwrap();
        assert_eq!(reader.read_all(&locator, 5).unwrap(), b"after");
        let last = reader.frames(0).unwrap().last().unwrap().unwrap();
        assert_eq!(last, (offset, b"after".to_vec()), "seed {seed}");
    }
}
