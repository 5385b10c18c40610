//! What is kept comes back: journal, blobs, sparse files, pins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{Random, Scratch, files_below, id};
use rescind_model::{Digest, Locator};
use rescind_vault::{Error, Expect, Keeping, SessionReader};
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::sync::atomic::{AtomicBool, Ordering};

const LIMIT: u64 = 1 << 30;

fn streamed(reader: &SessionReader, locator: &Locator) -> Vec<u8> {
    let mut bytes = Vec::new();
    reader.get(locator).unwrap().read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_journal_gives_back_its_frames_and_their_offsets_while_it_is_written() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    let mut offsets = Vec::new();
    let mut from = 0;
    for number in 0..300_u32 {
        let line = vec![number as u8; (number * 7) as usize];
        offsets.push(writer.append(&line).unwrap());
        if number % 50 == 49 {
            let mut frames = reader.frames(from).unwrap();
            for (place, frame) in frames.by_ref().enumerate() {
                let (offset, plain) = frame.unwrap();
                let number = number as usize - 49 + place;
                assert_eq!((offset, plain.len()), (offsets[number], number * 7));
            }
            assert!(!frames.torn());
            from = frames.end();
        }
    }
    assert_eq!(offsets[0], 16);
    assert_eq!(reader.frames(0).unwrap().count(), 300);
    assert_eq!(reader.frames(offsets[200]).unwrap().count(), 100);
}

#[test]
fn blobs_of_every_size_come_back_and_are_kept_once() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    let mut random = Random::new(1);
    const MIB: usize = 1 << 20;
    for length in [
        0,
        1,
        255,
        256,
        257,
        4096,
        MIB - 1,
        MIB,
        MIB + 1,
        3 * MIB + 17,
        4 * MIB + 3,
    ] {
        for text in [true, false] {
            let bytes = if text {
                b"line of text\n".repeat(length / 13 + 1)
            } else {
                random.bytes(length)
            };
            let bytes = &bytes[..length];
            let (digest, locator) = writer.put(bytes, Keeping::Lasting).unwrap();
            assert_eq!(digest, Digest::of(bytes));
            assert!(streamed(&reader, &locator) == bytes, "{length} {text}");
            assert!(reader.read_all(&locator, LIMIT).unwrap() == bytes);
            assert_eq!(reader.length(&locator).unwrap(), length as u64);
            let before = writer.marks();
            assert_eq!(
                writer.put(bytes, Keeping::Lasting).unwrap(),
                (digest, locator.clone())
            );
            assert_eq!(
                writer.put(bytes, Keeping::Recreatable).unwrap(),
                (digest, locator)
            );
            assert_eq!(writer.marks(), before);
        }
    }
    assert!(
        writer
            .marks()
            .iter()
            .filter(|mark| mark.file.starts_with("pack."))
            .count()
            > 1
    );
    assert!(matches!(
        reader.read_all(&writer.put(&[7; 100], Keeping::Lasting).unwrap().1, 99),
        Err(Error::TooLarge {
            length: 100,
            limit: 99
        })
    ));
}

#[test]
fn recreatable_content_does_not_stand_in_for_lasting() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let (_, first) = writer.put(b"same", Keeping::Recreatable).unwrap();
    let (_, second) = writer.put(b"same", Keeping::Lasting).unwrap();
    assert_eq!(first.0, "blob:packr.000001@16+4");
    assert_eq!(second.0, "blob:pack.000001@16+4");
}

#[test]
fn sparse_files_keep_their_holes() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    let mut random = Random::new(2);
    let mut file = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    let length = 300 << 20;
    file.set_len(length).unwrap();
    for at in [0_u64, 5 << 20, (64 << 20) + 4096, 200 << 20] {
        file.write_all_at(&random.bytes(3 * 4096 + 5), at).unwrap();
    }
    file.write_all_at(&vec![0; 1 << 20], 100 << 20).unwrap();
    let blob = writer.put_file(&file, u64::MAX, Keeping::Lasting).unwrap();
    assert_eq!(blob.length, length);
    let copy = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    copy.write_all_at(b"something before", 1 << 20).unwrap();
    assert_eq!(reader.copy_to(&blob.locator, &copy).unwrap(), length);
    assert_eq!(
        file.metadata().unwrap().blocks(),
        copy.metadata().unwrap().blocks()
    );
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    assert_eq!(blob.digest, Some(Digest::of(&bytes)));
    assert!(streamed(&reader, &blob.locator) == bytes);
    let mut copied = vec![0; length as usize];
    copy.read_exact_at(&mut copied, 0).unwrap();
    assert!(copied == bytes);
    // The stored bytes are in proportion to the data, not to the length.
    assert!(writer.marks().iter().map(|mark| mark.length).sum::<u64>() < 1 << 20);
}

#[test]
fn a_hole_of_a_tebibyte_costs_nothing_and_has_no_digest() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let file = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    file.write_all_at(b"end", 1 << 40).unwrap();
    let blob = writer.put_file(&file, u64::MAX, Keeping::Lasting).unwrap();
    assert_eq!((blob.digest, blob.length), (None, (1 << 40) + 3));
    let copy = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    scratch
        .vault
        .open_session(&id(1))
        .unwrap()
        .copy_to(&blob.locator, &copy)
        .unwrap();
    let mut end = [0; 4];
    copy.read_exact_at(&mut end, (1 << 40) - 1).unwrap();
    assert_eq!(&end, b"\0end");
}

#[test]
fn a_changed_chunk_of_a_large_file_is_all_that_is_kept_again() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let file = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    file.write_all_at(&Random::new(3).bytes(6 << 20), 0).unwrap();
    let size = || writer.marks().iter().map(|mark| mark.length).sum::<u64>();
    let first = writer.put_file(&file, u64::MAX, Keeping::Lasting).unwrap();
    let before = size();
    file.write_all_at(b"changed", 3 << 20).unwrap();
    let second = writer.put_file(&file, u64::MAX, Keeping::Lasting).unwrap();
    assert!(size() - before < (1 << 20) + 4096);
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    for blob in [first, second] {
        assert_eq!(blob.digest, Some(Digest::of(&streamed(&reader, &blob.locator))));
    }
}

#[test]
fn a_hundred_thousand_small_blobs_make_fewer_than_ten_files() {
    let scratch = Scratch::with(rescind_vault::Options::default());
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let mut last = None;
    for number in 0..100_000_u32 {
        let text = format!("file {number}\n").repeat(1 + number as usize % 40);
        last = Some((writer.put(text.as_bytes(), Keeping::Lasting).unwrap().1, text));
    }
    assert!(files_below(&scratch.path("")).len() < 10);
    let (locator, text) = last.unwrap();
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    assert_eq!(reader.read_all(&locator, LIMIT).unwrap(), text.as_bytes());
}

#[test]
fn pins_hold_files_that_go_and_show_changes() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let path = scratch.dir.path().join("work.txt");
    std::fs::write(&path, "before").unwrap();
    let slot = writer
        .pin_slot(scratch.vault.device(), Keeping::Lasting)
        .unwrap()
        .unwrap();
    rustix::fs::linkat(
        rustix::fs::CWD,
        &path,
        slot.dir(),
        slot.name(),
        rustix::fs::AtFlags::empty(),
    )
    .unwrap();
    let locator = writer.adopt(&slot).unwrap();
    std::fs::remove_file(&path).unwrap();
    writer.sync().unwrap();
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    assert!(reader.pin_stat(&locator).unwrap().intact());
    assert_eq!(reader.pin_stat(&locator).unwrap().links, 1);
    assert_eq!(reader.read_all(&locator, LIMIT).unwrap(), b"before");
    let copy = File::create(scratch.dir.path().join("copy")).unwrap();
    assert_eq!(reader.copy_to(&locator, &copy).unwrap(), 6);
    let mut file = File::options().append(true).open(slot.path()).unwrap();
    file.write_all(b" and after").unwrap();
    let stat = reader.pin_stat(&locator).unwrap();
    assert!(!stat.intact());
    assert_eq!(stat.now.unwrap().size, 16);
    let place = reader.pin_slot(&locator).unwrap();
    rustix::fs::unlinkat(place.dir(), place.name(), rustix::fs::AtFlags::empty()).unwrap();
    assert_eq!(reader.pin_stat(&locator).unwrap().now, None);
    assert!(matches!(
        reader.get(&locator).err(),
        Some(Error::Io { .. } | Error::Gone { .. })
    ));
}

#[test]
fn another_file_systems_pin_root_is_found_again_by_another_process() {
    let scratch = Scratch::new();
    let shm = tempfile::tempdir_in("/dev/shm").unwrap();
    let root = shm.path().join("pins here");
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let device = shm.path().metadata().unwrap().dev();
    assert!(writer.pin_slot(device, Keeping::Recreatable).unwrap().is_none());
    assert_eq!(scratch.vault.add_pin_root(&root).unwrap(), device);
    assert_eq!(scratch.vault.add_pin_root(&root).unwrap(), device);
    let slot = writer.pin_slot(device, Keeping::Recreatable).unwrap().unwrap();
    std::fs::write(slot.path(), "there").unwrap();
    let locator = writer.adopt(&slot).unwrap();
    assert!(locator.0.starts_with("pin:1/pinsr/1@"), "{locator:?}");
    let again = rescind_vault::Vault::open(&scratch.path(""), common::small()).unwrap();
    let reader = again.open_session(&id(1)).unwrap();
    assert!(reader.pin_stat(&locator).unwrap().intact());
    // Pin numbers go on behind what is there.
    drop(writer);
    let writer = again.resume_session(&id(1)).unwrap();
    let slot = writer.pin_slot(device, Keeping::Recreatable).unwrap().unwrap();
    assert_eq!(slot.name(), "2");
    assert_eq!(root.metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_session_has_one_writer_and_begins_once() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    assert!(matches!(
        scratch.vault.create_session(&id(1)).err(),
        Some(Error::SessionExists { .. })
    ));
    assert!(matches!(
        scratch.vault.resume_session(&id(1)).err(),
        Some(Error::Busy { .. })
    ));
    drop(writer);
    assert!(scratch.vault.resume_session(&id(1)).is_ok());
    assert!(matches!(
        scratch.vault.open_session(&id(2)).err(),
        Some(Error::NoSession { .. })
    ));
}

#[test]
fn everything_in_the_vault_is_private() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    writer.put(b"x", Keeping::Lasting).unwrap();
    for file in files_below(&scratch.path("")) {
        assert_eq!(
            file.metadata().unwrap().mode() & 0o777,
            0o600,
            "{}",
            file.display()
        );
        let parent = file.parent().unwrap().metadata().unwrap();
        assert_eq!(parent.mode() & 0o777, 0o700, "{}", file.display());
    }
}

#[test]
fn locators_that_are_none_are_refused() {
    let scratch = Scratch::new();
    let _writer = scratch.vault.create_session(&id(1)).unwrap();
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    for text in [
        "",
        "blob:",
        "blob:pack.1@0+0",
        "blob:pack.000001@16",
        "blob:pack.000001@+16+4",
        "blob:../x@16+4",
        "blob:pack.000001@016+4",
        "pin:0/pins/../1@1:1+1~1.000000000",
        "pin:0/pins/1@1:1+1~1.1",
        "pack.000001",
        "blob:pack.000000@16+4",
        "blob:pack.000001@18446744073709551616+1",
    ] {
        let locator = Locator(text.to_owned());
        assert!(
            matches!(reader.get(&locator).err(), Some(Error::BadLocator { .. })),
            "{text}"
        );
    }
    let none = Locator("blob:pack.000009@16+4".to_owned());
    assert!(matches!(reader.read_all(&none, 9), Err(Error::Gone { .. })));
}

#[test]
fn threads_share_a_writer() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let places: Vec<Vec<(Vec<u8>, Locator)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|seed| {
                let writer = &writer;
                scope.spawn(move || {
                    let mut random = Random::new(seed);
                    let mut places = Vec::new();
                    for _ in 0..300 {
                        let length = random.below(6000) as usize;
                        let bytes = random.bytes(length);
                        let (_, locator) = writer.put(&bytes, Keeping::Lasting).unwrap();
                        writer.append(locator.0.as_bytes()).unwrap();
                        let marks = writer.marks();
                        assert!(
                            marks
                                .iter()
                                .any(|mark| mark.file == "journal" && mark.length > 16)
                        );
                        places.push((bytes, locator));
                    }
                    places
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    for (bytes, locator) in places.into_iter().flatten() {
        assert_eq!(reader.read_all(&locator, LIMIT).unwrap(), bytes);
    }
    assert_eq!(reader.frames(0).unwrap().count(), 1200);
}

#[test]
fn readers_and_verify_follow_a_writer_without_faults() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(9);
            for number in 0..400_u32 {
                let length = random.below(if number % 40 == 0 { 300_000 } else { 2000 }) as usize;
                let (_, locator) = writer.put(&random.bytes(length), Keeping::Lasting).unwrap();
                writer
                    .append(format!("{number} {}", locator.0).as_bytes())
                    .unwrap();
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            let reader = scratch.vault.open_session(&id(1)).unwrap();
            let (mut from, mut next) = (0, 0);
            while next < 400 {
                let mut frames = reader.frames(from).unwrap();
                for frame in frames.by_ref() {
                    let text = String::from_utf8(frame.unwrap().1).unwrap();
                    let (number, locator) = text.split_once(' ').unwrap();
                    assert_eq!(number, next.to_string());
                    reader.read_all(&Locator(locator.to_owned()), LIMIT).unwrap();
                    next += 1;
                }
                from = frames.end();
            }
        });
        let open = Expect {
            open: true,
            ..Expect::default()
        };
        while !done.load(Ordering::Acquire) {
            let marks = writer.marks();
            assert_eq!(
                scratch.vault.verify_session(&id(1), &marks, open).unwrap().faults,
                []
            );
        }
    });
    let verified = scratch
        .vault
        .verify_session(&id(1), &writer.marks(), Expect::default())
        .unwrap();
    assert_eq!((verified.faults, verified.frames), (vec![], 800));
}

#[test]
fn a_file_that_is_preallocated_and_has_holes_keeps_them() {
    let scratch = Scratch::new();
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let file = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    file.write_all_at(b"data", 1 << 16).unwrap();
    rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::KEEP_SIZE, 1 << 20, 1 << 20).unwrap();
    let blob = writer.put_file(&file, u64::MAX, Keeping::Lasting).unwrap();
    let copy = tempfile::tempfile_in(scratch.dir.path()).unwrap();
    scratch
        .vault
        .open_session(&id(1))
        .unwrap()
        .copy_to(&blob.locator, &copy)
        .unwrap();
    let hole = |file: &File| rustix::fs::seek(file, rustix::fs::SeekFrom::Hole(0)).unwrap();
    assert_eq!((hole(&file), hole(&copy)), (0, 0));
    assert_eq!(copy.metadata().unwrap().len(), (1 << 16) + 4);
}
