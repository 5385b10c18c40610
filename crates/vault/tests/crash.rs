//! kill -9 at any instant, torn writes at any byte, no room in the middle of a frame: nothing that was acknowledged is
//! lost, verify passes, and the next writer goes on.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test"
)]

mod common;

use common::{Random, Scratch, id};
use rescind_model::Locator;
use rescind_vault::{Error, Expect, Keeping, Mark, Options, SessionReader, SessionWriter, Urgency, Vault};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const OPEN: Expect = Expect {
    open: true,
    erased: false,
    pruned: false,
};
const CLOSED: Expect = Expect {
    open: false,
    erased: false,
    pruned: false,
};
const VAULT: &str = "RESCIND_TEST_VAULT";
const SEED: &str = "RESCIND_TEST_SEED";

fn options() -> Options {
    Options {
        pack_bytes: 1 << 20,
        reserve_bytes: 0,
    }
}

/// What a child was told was kept.
#[derive(Default)]
struct Acknowledged {
    frames: Vec<(u64, u64, usize)>,
    blobs: Vec<(Locator, u64, usize)>,
    marks: Vec<Mark>,
    full: bool,
}

/// No test of its own: the process that is killed. Writes until it is, and says what was acknowledged.
#[test]
fn child_that_writes() {
    let (Ok(path), Ok(seed)) = (std::env::var(VAULT), std::env::var(SEED)) else {
        return;
    };
    let vault = Vault::open(Path::new(&path), options()).unwrap();
    let writer = vault
        .resume_session(&id(1))
        .or_else(|_| vault.create_session(&id(1)))
        .unwrap();
    let mut random = Random::new(seed.parse().unwrap());
    let mut out = std::io::stdout();
    loop {
        if let Err(error) = write_one(&writer, &mut random, &mut out) {
            assert!(error.is_disk_full(), "{error}");
            writeln!(out, "\n!full").unwrap();
            return;
        }
    }
}

fn write_one(
    writer: &SessionWriter,
    random: &mut Random,
    out: &mut impl std::io::Write,
) -> Result<(), Error> {
    let seed = random.next() >> 1;
    let length = match random.below(20) {
        0 => random.below(1_300_000),
        1..=4 => random.below(60_000),
        _ => random.below(2000),
    } as usize;
    let bytes = Random::new(seed).bytes(length);
    let line = if random.below(2) == 0 {
        format!("!frame {} {seed} {length}", writer.append(&bytes)?)
    } else {
        let keeping = if random.below(4) == 0 {
            Keeping::Recreatable
        } else {
            Keeping::Lasting
        };
        format!("!blob {} {seed} {length}", writer.put(&bytes, keeping)?.1.0)
    };
    let mut lines = format!("\n{line}\n");
    if random.below(4) == 0 {
        for mark in writer.marks() {
            lines += &format!("!mark {} {} {}\n", mark.file, mark.length, mark.digest);
        }
    }
    out.write_all(lines.as_bytes()).unwrap();
    Ok(())
}

fn start(vault: &Path, seed: u64, limit: Option<u64>) -> Child {
    let ourselves = std::env::current_exe().unwrap();
    // The limit is in units of 512 bytes; the signal that comes with it is ignored as rescind ignores it.
    let limit = limit.map_or(String::new(), |limit| {
        format!("trap '' XFSZ; ulimit -f {limit}; ")
    });
    Command::new("sh")
        .args([
            "-c",
            &format!("{limit}exec \"$0\" --exact child_that_writes --nocapture"),
        ])
        .arg(ourselves)
        .env(VAULT, vault)
        .env(SEED, seed.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

impl Acknowledged {
    /// Take in a line; an incomplete last one does not count.
    fn take(&mut self, line: &str) {
        let Some(line) = line.strip_prefix('!').and_then(|line| line.strip_suffix('\n')) else {
            return;
        };
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["frame", offset, seed, length] => {
                self.frames.push((
                    offset.parse().unwrap(),
                    seed.parse().unwrap(),
                    length.parse().unwrap(),
                ));
            }
            ["blob", locator, seed, length] => {
                let locator = Locator(locator.to_owned());
                self.blobs
                    .push((locator, seed.parse().unwrap(), length.parse().unwrap()));
            }
            ["mark", file, length, digest] => self.marks.push(Mark {
                file: file.to_owned(),
                length: length.parse().unwrap(),
                digest: digest.parse().unwrap(),
            }),
            ["full"] => self.full = true,
            _ => panic!("{line}"),
        }
    }

    fn check(&self, reader: &SessionReader) {
        let mut frames = reader.frames(0).unwrap().map(Result::unwrap);
        for (offset, seed, length) in &self.frames {
            let (_, plain) = frames
                .by_ref()
                .find(|(at, _)| at == offset)
                .expect("an acknowledged frame");
            assert!(plain == Random::new(*seed).bytes(*length));
        }
        for (locator, seed, length) in &self.blobs {
            assert!(reader.read_all(locator, 4 << 20).unwrap() == Random::new(*seed).bytes(*length));
        }
    }
}

/// Let a child write, kill it, and read what it said until then.
fn run_and_kill(vault: &Path, seed: u64, acknowledged: &mut Acknowledged) {
    let mut child = start(vault, seed, None);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut random = Random::new(seed ^ 0xdead);
    let lines = random.below(60);
    let mut line = String::new();
    for _ in 0..lines {
        line.clear();
        out.read_line(&mut line).unwrap();
        acknowledged.take(&line);
    }
    std::thread::sleep(Duration::from_micros(random.below(3000)));
    child.kill().unwrap();
    child.wait().unwrap();
    line.clear();
    while out.read_line(&mut line).unwrap() > 0 {
        acknowledged.take(&line);
        line.clear();
    }
}

#[test]
fn a_writer_killed_at_seeded_points_loses_nothing_it_acknowledged() {
    let kills: u64 = std::env::var("RESCIND_KILLS").map_or(24, |kills| kills.parse().unwrap());
    let mut torn = 0;
    for round in 0..kills.div_ceil(8) {
        let scratch = Scratch::with(options());
        let vault = scratch.path("");
        let mut acknowledged = Acknowledged::default();
        for kill in 0..8 {
            run_and_kill(&vault, round * 8 + kill, &mut acknowledged);
            let Ok(reader) = scratch.vault.open_session(&id(1)) else {
                assert!(
                    acknowledged.frames.is_empty(),
                    "killed before the session was begun"
                );
                continue;
            };
            if !scratch.session_path(&id(1), "journal").exists() {
                continue;
            }
            let mut frames = reader.frames(0).unwrap();
            assert!(frames.all(|frame| frame.is_ok()), "a kill never makes damage");
            torn += u32::from(frames.torn());
            let verified = scratch
                .vault
                .verify_session(&id(1), &acknowledged.marks, OPEN)
                .unwrap();
            assert_eq!(verified.faults, [], "round {round}, kill {kill}");
        }
        let writer = scratch.vault.resume_session(&id(1)).unwrap();
        acknowledged.check(&scratch.vault.open_session(&id(1)).unwrap());
        writer.append(b"the books are finished").unwrap();
        acknowledged.marks.extend(writer.marks());
        let verified = scratch
            .vault
            .verify_session(&id(1), &acknowledged.marks, CLOSED)
            .unwrap();
        assert_eq!(verified.faults, [], "round {round}");
    }
    eprintln!("{kills} kills, {torn} of them in the middle of a journal frame");
}

#[test]
fn a_file_size_limit_in_the_middle_of_a_frame_leaves_a_vault_that_goes_on() {
    for seed in 0..16 {
        let scratch = Scratch::with(options());
        let vault = scratch.path("");
        let mut acknowledged = Acknowledged::default();
        // From a few hundred bytes, where not even the first frame fits, to some packs.
        let limit = 1 + Random::new(seed).below(1 << (seed % 12));
        for more in 0..3 {
            let child = start(&vault, seed, Some(limit + more));
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "seed {seed}");
            for line in String::from_utf8(output.stdout).unwrap().split_inclusive('\n') {
                acknowledged.take(line);
            }
            assert!(acknowledged.full);
            let verified = scratch
                .vault
                .verify_session(&id(1), &acknowledged.marks, OPEN)
                .unwrap();
            assert_eq!(verified.faults, [], "seed {seed}");
        }
        let writer = scratch.vault.resume_session(&id(1)).unwrap();
        writer.append(b"after").unwrap();
        acknowledged.marks.extend(writer.marks());
        acknowledged.check(&scratch.vault.open_session(&id(1)).unwrap());
        let verified = scratch
            .vault
            .verify_session(&id(1), &acknowledged.marks, CLOSED)
            .unwrap();
        assert_eq!(verified.faults, [], "seed {seed}");
    }
}

/// A session with three frames in `file`, and where the last one begins.
fn three_frames(scratch: &Scratch, file: &str) -> (Vec<u8>, usize, Vec<Mark>) {
    let writer = scratch.vault.create_session(&id(1)).unwrap();
    let mut random = Random::new(5);
    let mut lengths = Vec::new();
    let mut marks = Vec::new();
    for _ in 0..3 {
        marks = writer.marks();
        lengths.push(fs::metadata(scratch.session_path(&id(1), file)).map_or(16, |data| data.len()));
        writer.append(&random.bytes(90)).unwrap();
        writer.put(&random.bytes(90), Keeping::Lasting).unwrap();
    }
    (
        fs::read(scratch.session_path(&id(1), file)).unwrap(),
        lengths[2] as usize,
        marks,
    )
}

fn resume_and_check(scratch: &Scratch, marks: &[Mark], file: &str, what: &str) {
    let check = |marks: &[Mark], expect| {
        let verified = scratch.vault.verify_session(&id(1), marks, expect).unwrap();
        assert_eq!(verified.faults, [], "{what}");
        verified.frames
    };
    check(marks, OPEN);
    let writer = scratch.vault.resume_session(&id(1)).unwrap();
    let offset = writer.append(b"next").unwrap();
    let (_, locator) = writer.put(b"next", Keeping::Lasting).unwrap();
    let mut marks = marks.to_vec();
    marks.extend(writer.marks());
    // Two whole frames in the torn file, three in the other, and a new one in each.
    assert_eq!(check(&marks, CLOSED), 7, "{what}");
    let reader = scratch.vault.open_session(&id(1)).unwrap();
    assert_eq!(reader.read_all(&locator, 4).unwrap(), b"next");
    let frames: Vec<_> = reader.frames(0).unwrap().map(Result::unwrap).collect();
    assert_eq!(frames.len(), if file == "journal" { 3 } else { 4 });
    assert_eq!(frames.last().unwrap(), &(offset, b"next".to_vec()));
}

#[test]
fn a_frame_torn_at_any_byte_becomes_void_even_if_mending_it_is_torn_too() {
    for file in ["journal", "pack.000001"] {
        let scratch = Scratch::with(options());
        let (bytes, last, marks) = three_frames(&scratch, file);
        let path = scratch.session_path(&id(1), file);
        let others = |keep: bool| {
            let other = scratch.session_path(
                &id(1),
                if file == "journal" {
                    "pack.000001"
                } else {
                    "journal"
                },
            );
            let copy = scratch.dir.path().join("copy");
            if keep {
                fs::copy(&other, &copy)
            } else {
                fs::copy(&copy, &other)
            }
            .unwrap();
        };
        others(true);
        for torn in 1..bytes.len() - last {
            fs::write(&path, &bytes[..last + torn]).unwrap();
            others(false);
            resume_and_check(&scratch, &marks, file, &format!("{file} torn after {torn} bytes"));
            // The void frame's 24 bytes, of which only some were written.
            let mended = fs::read(&path).unwrap();
            let some = torn % 24;
            let mut half = bytes[..last + torn].to_vec();
            half.resize(half.len().max(last + some), 0);
            half[last..last + some].copy_from_slice(&mended[last..last + some]);
            fs::write(&path, half).unwrap();
            others(false);
            resume_and_check(
                &scratch,
                &marks,
                file,
                &format!("{file} torn after {torn}, void after {some}"),
            );
        }
    }
}

#[test]
fn a_file_whose_header_is_torn_is_begun_again() {
    for length in 0..16 {
        let scratch = Scratch::with(options());
        drop(scratch.vault.create_session(&id(1)).unwrap());
        fs::write(
            scratch.session_path(&id(1), "journal"),
            &b"rescind vault 1\n"[..length],
        )
        .unwrap();
        assert_eq!(
            scratch.vault.verify_session(&id(1), &[], OPEN).unwrap().faults,
            []
        );
        let writer = scratch.vault.resume_session(&id(1)).unwrap();
        assert_eq!(writer.append(b"first").unwrap(), 16);
        assert_eq!(
            scratch
                .vault
                .verify_session(&id(1), &writer.marks(), CLOSED)
                .unwrap()
                .faults,
            []
        );
    }
}

#[test]
fn a_long_stretch_of_rubbish_at_the_end_becomes_void_frames() {
    for file in ["journal", "pack.000001"] {
        let scratch = Scratch::with(options());
        let (bytes, last, marks) = three_frames(&scratch, file);
        let path = scratch.session_path(&id(1), file);
        // What a power cut can leave: blocks that were never written.
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(bytes.len() as u64 + (40 << 20))
            .unwrap();
        let verified = scratch.vault.verify_session(&id(1), &marks, OPEN).unwrap();
        assert_eq!(verified.faults, []);
        let writer = scratch.vault.resume_session(&id(1)).unwrap();
        writer.append(b"next").unwrap();
        writer.put(b"next", Keeping::Lasting).unwrap();
        let verified = scratch
            .vault
            .verify_session(&id(1), &writer.marks(), CLOSED)
            .unwrap();
        assert_eq!((verified.faults, verified.frames), (vec![], 8), "{file} {last}");
    }
}

/// A small file system of its own, where we may mount one.
struct Tmpfs(PathBuf);

impl Tmpfs {
    fn mount(at: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&at).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"])
            .arg(&at);
        mount
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
            .then_some(Self(at))
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _status = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn on_a_full_disk_recovery_still_writes_from_the_reserve() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tmpfs) = Tmpfs::mount(dir.path().join("small"), "2m") else {
        eprintln!("not run: mounting a tmpfs needs privileges");
        return;
    };
    let options = Options {
        pack_bytes: 1 << 20,
        reserve_bytes: 256 << 10,
    };
    let vault = Vault::open(&tmpfs.0.join("vault"), options).unwrap();
    let writer = vault.create_session(&id(1)).unwrap();
    let mut random = Random::new(1);
    let mut fill = |writer: &SessionWriter| loop {
        let length = random.below(20_000) as usize;
        match writer.put(&random.bytes(length), Keeping::Lasting) {
            Ok(_) => {}
            Err(error) => {
                assert!(error.is_disk_full(), "{error}");
                assert!(error.to_string().starts_with("disk full while writing `"));
                break;
            }
        }
    };
    fs::write(tmpfs.0.join("filler"), vec![1; 1 << 20]).unwrap();
    fill(&writer);
    // The last free bytes of the journal's own page go first.
    while writer.append(&[2; 3000]).is_ok() {}
    let marks = writer.marks();
    assert_eq!(vault.verify_session(&id(1), &marks, OPEN).unwrap().faults, []);
    writer.set_urgency(Urgency::Recovery);
    for number in 0..40_u8 {
        writer.append(&[number; 3000]).unwrap();
    }
    assert!(!vault.make_reserve().unwrap(), "there is no room for it");
    fs::remove_file(tmpfs.0.join("filler")).unwrap();
    drop(writer);
    let writer = vault.resume_session(&id(1)).unwrap();
    assert_eq!(
        vault
            .verify_session(&id(1), &writer.marks(), CLOSED)
            .unwrap()
            .faults,
        []
    );
    assert!(vault.make_reserve().unwrap());
    assert_eq!(
        fs::metadata(tmpfs.0.join("vault/reserve")).unwrap().len(),
        128 << 10,
        "at most a sixteenth of the file system"
    );
}

#[test]
fn on_a_full_disk_a_running_session_leaves_half_of_the_reserve_to_a_recovery() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tmpfs) = Tmpfs::mount(dir.path().join("small"), "8m") else {
        eprintln!("not run: mounting a tmpfs needs privileges");
        return;
    };
    let options = Options {
        pack_bytes: 1 << 20,
        reserve_bytes: 512 << 10,
    };
    let vault = Vault::open(&tmpfs.0.join("vault"), options).unwrap();
    let reserve = || fs::metadata(tmpfs.0.join("vault/reserve")).unwrap().len();
    assert_eq!(reserve(), 512 << 10);
    let writer = vault.create_session(&id(1)).unwrap();
    let mut filler = fs::File::create(tmpfs.0.join("filler")).unwrap();
    let mut outcomes = 0;
    // Whatever the session takes of the reserve and leaves over, others take.
    while {
        while std::io::Write::write_all(&mut filler, &[1; 1000]).is_ok() {}
        writer.append_outcome(&[2; 3000]).is_ok()
    } {
        outcomes += 1;
    }
    assert!(outcomes > 0);
    assert_eq!(reserve(), 256 << 10);
    drop(writer);
    let writer = vault.create_recovery_session(&id(2)).unwrap();
    for number in 0..40_u8 {
        writer.append(&[number; 3000]).unwrap();
    }
    assert_eq!(
        vault
            .verify_session(&id(2), &writer.marks(), CLOSED)
            .unwrap()
            .faults,
        []
    );
}

#[test]
fn on_a_full_disk_no_session_begins_by_halves_and_a_recovery_begins_with_the_reserve() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tmpfs) = Tmpfs::mount(dir.path().join("small"), "1m") else {
        eprintln!("not run: mounting a tmpfs needs privileges");
        return;
    };
    let options = Options {
        pack_bytes: 1 << 20,
        reserve_bytes: 64 << 10,
    };
    let vault = Vault::open(&tmpfs.0.join("vault"), options).unwrap();
    fs::write(tmpfs.0.join("filler"), vec![1; 2 << 20]).unwrap_err();
    for _ in 0..3 {
        assert!(vault.create_session(&id(1)).err().unwrap().is_disk_full());
        assert_eq!(vault.sessions().unwrap(), []);
    }
    let writer = vault.create_recovery_session(&id(1)).unwrap();
    writer.append(b"room").unwrap();
    assert_eq!(
        vault
            .verify_session(&id(1), &writer.marks(), CLOSED)
            .unwrap()
            .faults,
        []
    );
}

#[test]
fn on_a_full_disk_every_outcome_that_is_owed_fits_and_no_intent_does() {
    let dir = tempfile::tempdir().unwrap();
    let Some(tmpfs) = Tmpfs::mount(dir.path().join("small"), "4m") else {
        eprintln!("not run: mounting a tmpfs needs privileges");
        return;
    };
    let options = Options {
        pack_bytes: 1 << 20,
        reserve_bytes: 0,
    };
    let vault = Vault::open(&tmpfs.0.join("vault"), options).unwrap();
    let writer = vault.create_session(&id(1)).unwrap();
    let owed = 1000 * 640;
    writer.set_owed(owed);
    writer.append(b"what was announced").unwrap();
    fs::write(tmpfs.0.join("filler"), vec![1; 8 << 20]).unwrap_err();
    // The last step of room may hold some more.
    while writer.append(&[3; 2000]).is_ok() {}
    for number in 0..1000_u32 {
        let outcome = number.to_le_bytes().repeat(150);
        writer.append_outcome(&outcome).unwrap();
    }
    assert!(
        writer
            .append(b"what is about to happen")
            .unwrap_err()
            .is_disk_full()
    );
    let journal = tmpfs
        .0
        .join("vault/sessions")
        .join(id(1).as_str())
        .join("journal");
    let length = fs::metadata(&journal).unwrap().len();
    writer.give_back().unwrap();
    assert_eq!(fs::metadata(&journal).unwrap().len(), length);
    let blocks = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&journal).unwrap());
    assert!(blocks * 512 < length + 8192, "{blocks} blocks for {length} bytes");
    let marks = writer.marks();
    assert_eq!(vault.verify_session(&id(1), &marks, OPEN).unwrap().faults, []);
}
