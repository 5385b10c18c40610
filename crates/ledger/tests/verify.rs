//! The shipped verifier finds every change of a ledger at rest, says where, and never panics.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions and not in their helpers"
)]

use rescind_ledger::{Against, Ledger, Options, Report, verify};
use rescind_model::Level;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// splitmix64: enough for choosing places.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }
}

/// The last used byte of a segment; other files are used to their end.
fn used(bytes: &[u8]) -> usize {
    let zeros = [0; 4096];
    let pages = bytes
        .chunks(4096)
        .rposition(|page| *page != zeros[..page.len()])
        .map_or(0, |page| page + 1);
    let end = (pages * 4096).min(bytes.len());
    bytes[..end]
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |last| last + 1)
}

type Files = BTreeMap<String, Vec<u8>>;

fn snapshot(dir: &Path) -> Files {
    std::fs::read_dir(dir)
        .unwrap()
        .map(Result::unwrap)
        // Nobody may read a lock, so that nobody can hold it without being seen; it holds nothing.
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with("lock."))
        .map(|entry| {
            (
                entry.file_name().into_string().unwrap(),
                std::fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

fn restore(dir: &Path, files: &Files) {
    for entry in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        write(&dir.join(name), bytes);
    }
}

/// Zeros at the end as a hole, for speed.
fn write(path: &Path, bytes: &[u8]) {
    let file = std::fs::File::create(path).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &bytes[..used(bytes)], 0).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
}

/// Make the directory, which holds `from`, hold `to`.
fn change(dir: &Path, from: &Files, to: &Files) {
    for (name, bytes) in from {
        match to.get(name) {
            None => std::fs::remove_file(dir.join(name)).unwrap(),
            Some(other) if other == bytes => {}
            Some(other) => write(&dir.join(name), other),
        }
    }
    for (name, bytes) in to.iter().filter(|(name, _)| !from.contains_key(*name)) {
        write(&dir.join(name), bytes);
    }
}

fn fill(ledger: &Ledger, entries: std::ops::Range<u64>) {
    for index in entries {
        let entry = format!("entry {index} {}", "x".repeat((index as usize * 7) % 300));
        ledger.append(entry.as_bytes(), Level::Process).unwrap();
    }
}

/// A ledger at rest of three epochs: each takeover is what a claim of the next segment makes the next writer
/// do.
fn at_rest() -> (tempfile::TempDir, PathBuf) {
    let temp = quick();
    let dir = temp.path().join("ledger");
    let ledger = Ledger::open(&dir, &Options::default()).unwrap();
    let mut size = 0;
    for epoch in 2..=4_u64 {
        fill(&ledger, size..size + 70 * epoch);
        size += 70 * epoch;
        ledger.checkpoint().unwrap();
        if epoch < 4 {
            std::fs::write(dir.join(format!("log.{epoch:06}")), b"").unwrap();
        }
    }
    (temp, dir)
}

fn sound(report: &Report) {
    assert!(report.is_sound(), "{:#?}", report.faults);
}

#[test]
fn a_ledger_at_rest_is_sound_and_there_is_nothing_to_note() {
    let (_temp, dir) = at_rest();
    let report = verify(&dir, &Against::default());
    sound(&report);
    assert_eq!((report.entries, report.signed, report.beyond()), (630, 630, 0));
    assert!(report.notes.is_empty(), "{:#?}", report.notes);
    assert!(dir.join("log.000003").exists());
}

/// Change one file, or two; the files that were changed, and a word for what was done. `None`: nothing would
/// have changed.
fn mutate(files: &mut Files, random: &mut Random) -> Option<(Vec<String>, String)> {
    let names: Vec<String> = files.keys().cloned().collect();
    let name = names[random.below(names.len())].clone();
    let other = names[random.below(names.len())].clone();
    let before = files.clone();
    let bytes = files.get_mut(&name).unwrap();
    let end = if name.starts_with("log") {
        used(bytes)
    } else {
        bytes.len()
    };
    let (what, touched) = match random.below(9) {
        0 | 1 if !bytes.is_empty() => {
            let place = random.below(end);
            bytes[place] ^= 1 << random.below(8);
            (format!("flip at {place}"), vec![name.clone()])
        }
        2 if !bytes.is_empty() => {
            let place = random.below(bytes.len());
            bytes[place] = bytes[place].wrapping_add(1 + random.below(255) as u8);
            (format!("byte at {place}"), vec![name.clone()])
        }
        3 => {
            files.remove(&name);
            ("drop".to_owned(), vec![name.clone()])
        }
        4 => {
            let length = random.below(end + 1);
            bytes.truncate(length);
            (format!("truncate to {length}"), vec![name.clone()])
        }
        5 => {
            let (from, length) = (random.below(end), 1 + random.below(400));
            let to = (from + length).min(bytes.len());
            bytes.drain(from..to);
            (format!("cut {from}..{to}"), vec![name.clone()])
        }
        6 => {
            let theirs = before[&other].clone();
            let from = random.below(used(&theirs));
            let piece = theirs[from..(from + 1 + random.below(300)).min(theirs.len())].to_vec();
            let place = random.below(end + 1);
            bytes.splice(place..place, piece);
            (format!("splice of {other} at {place}"), vec![name.clone()])
        }
        7 => {
            let mine = bytes.clone();
            *bytes = before[&other].clone();
            files.insert(other.clone(), mine);
            (format!("swap with {other}"), vec![name.clone(), other.clone()])
        }
        _ => {
            let (from, length) = (random.below(end), 1 + random.below(64));
            let to = (from + length).min(end);
            bytes[from..to].fill(0);
            (format!("zeros at {from}..{to}"), vec![name.clone()])
        }
    };
    (*files != before).then_some((touched, format!("{name}: {what}")))
}

/// A takeover that drops the last segment with all its company leaves nothing that is not as it was before:
/// that is a rollback, found against a mirror or an earlier checkpoint only. No single mutation here does
/// that.
#[test]
fn every_mutation_of_a_ledger_at_rest_is_found_and_located() {
    let (_temp, dir) = at_rest();
    let files = snapshot(&dir);
    let mut random = Random(7);
    let mut kinds = BTreeMap::<String, u32>::new();
    let count: usize = std::env::var("RESCIND_MUTATIONS").map_or(400, |text| text.parse().unwrap());
    let mut done = 0;
    while done < count {
        let mut changed = files.clone();
        let Some((touched, what)) = mutate(&mut changed, &mut random) else {
            continue;
        };
        change(&dir, &files, &changed);
        let report = verify(&dir, &Against::default());
        change(&dir, &changed, &files);
        let found: Vec<_> = report.faults.iter().chain(&report.notes).collect();
        let located = found.iter().any(|fault| touched.contains(&fault.file));
        // What replaced a name (a swap of a log) may be seen from its neighbours; a dropped segment from any
        // of its company.
        let epoch = |name: &str| name.rsplit('.').next().unwrap().to_owned();
        let near = found
            .iter()
            .any(|fault| touched.iter().any(|name| epoch(name) == epoch(&fault.file)));
        assert!(located || near, "{what}: {found:#?}");
        let harmless = touched
            .iter()
            .all(|name| name.starts_with("lock") || name.starts_with("frontier"));
        let tail = report.entries == 630 && report.signed == 630 && report.faults.is_empty();
        let private = touched == ["key"] && what.ends_with("drop");
        assert!(
            !report.faults.is_empty() || harmless || tail || private,
            "only a note: {what}: {found:#?}"
        );
        *kinds
            .entry(touched[0].split('.').next().unwrap().to_owned())
            .or_default() += 1;
        done += 1;
    }
    sound(&verify(&dir, &Against::default()));
    assert!(kinds.len() >= 5, "{kinds:?}");
}

#[test]
fn an_entry_forged_with_all_checksums_made_right_contradicts_the_signature() {
    let (_temp, dir) = at_rest();
    let path = dir.join("log.000001");
    let mut bytes = std::fs::read(&path).unwrap();
    let (mut offset, mut previous, mut number) = (0, 0_u32, 0);
    loop {
        let length = u32::from_le_bytes(bytes[offset..offset + 4].try_into().unwrap()) as usize;
        if length == 0 {
            break;
        }
        if number == 50 {
            bytes[offset + 8] = b'E';
        }
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&previous.to_le_bytes());
        hasher.update(&bytes[offset + 8..offset + 8 + length]);
        previous = hasher.finalize();
        bytes[offset + 4..offset + 8].copy_from_slice(&previous.to_le_bytes());
        offset += 8 + length;
        number += 1;
    }
    std::fs::write(&path, bytes).unwrap();
    let report = verify(&dir, &Against::default());
    assert!(
        report
            .faults
            .iter()
            .any(|fault| fault.file == "checkpoint.000001" && fault.what.contains("entries 0 to 139"))
    );
}

#[test]
fn a_ledger_rolled_back_as_a_whole_is_found_against_an_earlier_checkpoint_and_a_mirror() {
    let (temp, dir) = at_rest();
    let earlier = snapshot(&dir);
    let mirror = temp.path().join("mirror");
    let saved = {
        let ledger = Ledger::open(&dir, &Options::default()).unwrap();
        fill(&ledger, 630..700);
        let saved = ledger.checkpoint().unwrap().unwrap();
        ledger.mirror_add(mirror.to_str().unwrap()).unwrap();
        ledger.mirror_push().unwrap().pop().unwrap().1.unwrap();
        sound(&ledger.verify(Some(&saved.text)));
        saved
    };
    restore(&dir, &earlier);
    sound(&verify(&dir, &Against::default()));
    let against = Against {
        since: Some(&saved.text),
        ..Against::default()
    };
    let report = verify(&dir, &against);
    assert!(
        report
            .faults
            .iter()
            .any(|fault| fault.file == "since" && fault.what.contains("rolled back")),
        "{report:?}"
    );
    let report = verify(
        &dir,
        &Against {
            mirrors: vec![mirror.to_str().unwrap().to_owned()],
            ..Against::default()
        },
    );
    assert!(
        report
            .faults
            .iter()
            .any(|fault| fault.file.starts_with("mirror ")),
        "{report:?}"
    );

    // A rolled-back ledger that goes on differently: found too, and the mirror refuses it.
    let ledger = Ledger::open(&dir, &Options::default()).unwrap();
    fill(&ledger, 900..1100);
    ledger.checkpoint().unwrap();
    assert!(!verify(&dir, &against).is_sound());
    ledger.mirror_add(mirror.to_str().unwrap()).unwrap();
    let refused = ledger.mirror_push().unwrap().pop().unwrap().1.unwrap_err();
    assert!(
        refused.to_string().contains("rolled back or changed"),
        "{refused}"
    );
    let report = rescind_ledger::verify_mirror(mirror.to_str().unwrap(), &ledger.verifier_key()).unwrap();
    assert_eq!(report.checkpoint.unwrap().size, 700);
    assert!(report.faults.is_empty());
}

#[test]
fn a_ledger_signed_anew_with_another_key_is_found_with_the_known_key() {
    let (temp, dir) = at_rest();
    let known = Ledger::open(&dir, &Options::default()).unwrap().verifier_key();
    let other = temp.path().join("other");
    let forged = Ledger::open(&other, &Options::default()).unwrap();
    fill(&forged, 0..630);
    forged.checkpoint().unwrap();
    sound(&verify(&other, &Against::default()));
    let report = verify(
        &other,
        &Against {
            key: Some(&known),
            ..Against::default()
        },
    );
    assert!(report.faults.iter().any(|fault| fault.file == "key.pub"));
    assert!(
        report
            .faults
            .iter()
            .any(|fault| fault.file == "checkpoint.000001")
    );
}

#[test]
fn random_bytes_in_every_file_make_no_panic() {
    let (_temp, dir) = at_rest();
    let files = snapshot(&dir);
    let mut random = Random(11);
    for _ in 0..60 {
        let mut changed = files.clone();
        for (name, bytes) in &mut changed {
            if random.below(3) == 0 || name.starts_with("log") {
                let length = random.below(3000);
                *bytes = (0..length).map(|_| random.next() as u8).collect();
            }
        }
        restore(&dir, &changed);
        assert!(!verify(&dir, &Against::default()).is_sound());
        // Opening may refuse or go on; it must not panic.
        let _either = Ledger::open(
            &dir,
            &Options {
                patience: std::time::Duration::from_millis(1),
                probe: None,
            },
        );
    }
}

/// A scratch folder in memory where there is one: what is tested here is not the disk, and its syncs are slow.
fn quick() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
