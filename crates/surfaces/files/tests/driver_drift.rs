//! What others do while and after the session works is never lost.

#![allow(clippy::unwrap_used, reason = "a test")]

mod driver;
#[path = "driver/torture.rs"]
mod torture;

use driver::Bench;
use rescind_conformance::Tape;
use rescind_files::FilesDriver;
use rescind_model::{Content, Digest, Effect, Locator, ResourceId, SessionId, State};
use rescind_recovery::{Earlier, OnConflict};
use rescind_supervisor::{
    Bodies, Driver as _, DriverError, Intents, Opening, Position, Restored, Step, StepOpening, SystemSession,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

#[test]
fn new_files_of_others_in_the_same_folders_stay_and_folders_with_them() {
    let mut bench = torture::tree();
    let effects = bench.does(|root| {
        fs::remove_file(root.join("d/x")).unwrap();
        fs::create_dir_all(root.join("made/by/session")).unwrap();
        fs::write(root.join("made/by/session/file"), "s").unwrap();
        fs::remove_dir_all(root.join("keep")).unwrap();
    });
    bench.write("d/mine", "others\n");
    bench.write("made/by/mine", "others\n");
    let undone = bench.undo(&effects);
    let receipt = undone.result.unwrap();
    assert!(
        receipt.failed.is_empty() && receipt.conflicts.is_empty(),
        "{receipt:#?}"
    );
    assert_eq!(receipt.kept.len(), 2, "{receipt:#?}");
    assert_eq!(fs::read_to_string(bench.path("d/x")).unwrap(), "ex\n");
    assert_eq!(fs::read_to_string(bench.path("d/mine")).unwrap(), "others\n");
    assert_eq!(
        fs::read_to_string(bench.path("made/by/mine")).unwrap(),
        "others\n"
    );
    assert!(!bench.path("made/by/session").exists());
    assert_eq!(fs::read_to_string(bench.path("keep/me")).unwrap(), "stay\n");
}

#[test]
fn a_folder_that_somebody_made_again_is_taken_as_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut bench = torture::tree();
    let effects = bench.does(|root| fs::remove_dir_all(root.join("d")).unwrap());
    fs::create_dir(bench.path("d")).unwrap();
    torture::chmod(&bench.path("d"), 0o750);
    bench.write("d/mine", "others\n");
    let undone = bench.undo(&effects);
    let receipt = undone.result.unwrap();
    assert!(
        receipt.failed.is_empty() && receipt.conflicts.is_empty(),
        "{receipt:#?}"
    );
    assert_eq!(fs::read_to_string(bench.path("d/e/f/deep")).unwrap(), "deep\n");
    assert_eq!(fs::read_to_string(bench.path("d/mine")).unwrap(), "others\n");
    let mode = bench.path("d").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o750);
}

#[test]
fn other_hunks_of_a_file_that_others_saved_by_a_rename_are_merged() {
    let mut bench = torture::tree();
    let lines = |change: &[(usize, &str)]| {
        let line = |number: usize| {
            let changed = change.iter().find(|(own, _)| *own == number);
            changed.map_or_else(|| format!("line {number}\n"), |(_, text)| format!("{text}\n"))
        };
        (0..40).map(line).collect::<String>()
    };
    bench.write("text", lines(&[]));
    let effects = bench.does(|root| fs::write(root.join("text"), lines(&[(3, "session")])).unwrap());
    bench.write("text.tmp", lines(&[(3, "session"), (30, "person")]));
    torture::chmod(&bench.path("text.tmp"), 0o600);
    fs::rename(bench.path("text.tmp"), bench.path("text")).unwrap();
    let undone = bench.undo(&effects);
    assert!(undone.result.unwrap().proved());
    assert_eq!(
        fs::read_to_string(bench.path("text")).unwrap(),
        lines(&[(30, "person")])
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&bench.path("text").metadata().unwrap());
    assert_eq!(mode & 0o7777, 0o600, "the person's mode stays");
}

#[test]
fn the_same_hunk_and_other_conflicts_touch_nothing() {
    let mut bench = torture::tree();
    let effects = bench.does(|root| {
        fs::write(root.join("a"), "one\nsession\nthree\n").unwrap();
        fs::write(root.join("b"), [0_u8, 1, 2]).unwrap();
        fs::remove_file(root.join("c")).unwrap();
        fs::write(root.join("new"), "new\n").unwrap();
        fs::remove_file(root.join("fifo")).unwrap();
    });
    bench.write("a", "one\nperson\nthree\n");
    fs::write(bench.path("b"), [0_u8, 1, 3]).unwrap();
    fs::write(bench.path("c"), "made again by a person\n").unwrap();
    fs::write(bench.path("new"), "new, and more by a person\n").unwrap();
    fs::write(bench.path("fifo"), "a file of a person\n").unwrap();
    let before = bench.manifest();
    let undone = bench.undo(&effects);
    assert!(undone.result.is_err());
    assert_eq!(undone.plan.conflicts.len(), 5, "{:#?}", undone.plan.conflicts);
    bench.assert_is(&before);
}

#[test]
fn a_folder_that_somebody_moved_after_the_session_is_said_not_to_be_reached() {
    let mut bench = torture::tree();
    let effects = bench.does(|root| fs::write(root.join("d/e/z"), "session\n").unwrap());
    fs::rename(bench.path("d"), bench.path("elsewhere")).unwrap();
    let before = bench.manifest();
    let undone = bench.undo(&effects);
    let receipt = undone.result.unwrap();
    let why = format!("{:?}", receipt.lost);
    assert!(why.contains("can't be reached"), "{receipt:#?}");
    bench.assert_is(&before);
}

#[test]
fn a_touched_or_newly_linked_file_of_the_session_is_still_the_sessions() {
    let mut bench = torture::tree();
    let before = bench.manifest();
    let effects = bench.does(|root| {
        fs::write(root.join("made"), "s\n").unwrap();
        fs::write(root.join("linked"), "s\n").unwrap();
    });
    torture::set_mtime(&bench.path("made"), 4_000);
    let outside = bench.root.parent().unwrap().join("outside");
    fs::hard_link(bench.path("linked"), &outside).unwrap();
    bench.undo(&effects).proved();
    bench.assert_is(&before);
    assert_eq!(fs::read_to_string(outside).unwrap(), "s\n");
}

#[test]
fn a_device_number_that_changed_with_a_reboot_is_accepted() {
    let mut bench = torture::tree();
    let before = bench.manifest();
    let effects = bench.does(|root| fs::remove_file(root.join("d/x")).unwrap());
    let mut table = rescind_files::ObjectTable::new(bench.table.session().clone());
    let mut number = 1;
    while let Some(mut record) = bench.table.record(rescind_model::ObjectId(number)) {
        record.identity.dev ^= 0xff;
        table.load(&record);
        number += 1;
    }
    bench.table = table;
    bench.undo(&effects).proved();
    bench.assert_is(&before);
}

/// Intents that let something happen just when a change was announced and before it is made.
struct Meanwhile<'a>(&'a dyn Fn());

impl Intents for Meanwhile<'_> {
    fn intend(&mut self, _: &ResourceId, _: &str, _: &State, _: &State) -> io::Result<()> {
        (self.0)();
        Ok(())
    }
}

/// Take one step, with something happening between the announcement and the change.
fn step_meanwhile(
    driver: &FilesDriver,
    step: &Step,
    bodies: &dyn Bodies,
    meanwhile: &dyn Fn(),
) -> Result<Restored, DriverError> {
    let opening = Opening {
        scope: "a race".to_owned(),
        plan: rescind_model::Digest::of(b""),
        resume: Position::default(),
        behind: Vec::new(),
    };
    let mut session = SystemSession::open(SessionId::new(3, 3), Tape::default(), opening).unwrap();
    let opening = StepOpening {
        resource: &step.resource,
        name: &step.name,
        took: &[],
        whole: true,
    };
    session
        .step(opening, |permit, _| {
            driver.restore(permit, step, bodies, &mut Meanwhile(meanwhile))
        })
        .unwrap()
}

fn steps(bench: &Bench, driver: &FilesDriver, effects: &[Effect]) -> Vec<Step> {
    let plan = bench.plan(driver, effects, &Earlier::default(), OnConflict::Ask);
    let own = |step: &Step| step.name.ends_with("/f");
    plan.steps
        .into_iter()
        .map(|planned| planned.step)
        .filter(own)
        .collect()
}

/// Somebody saves `f` by a rename at the worst moment: what they saved is there afterwards, whatever the step said.
#[track_caller]
fn nothing_lost(prepare: &dyn Fn(&Path), session: &dyn Fn(&Path)) {
    let mut bench = Bench::in_memory();
    prepare(&bench.root);
    let effects = bench.does(session);
    let driver = bench.driver();
    let steps = steps(&bench, &driver, &effects);
    let step = steps.first().unwrap();
    let path = bench.path("f");
    let saved = || {
        fs::write(bench.path("f.tmp"), "a person's work\n").unwrap();
        fs::rename(bench.path("f.tmp"), &path).unwrap();
    };
    let end = step_meanwhile(&driver, step, &bench.shelf, &saved).unwrap();
    assert!(matches!(end, Restored::Drifted { .. }), "{end:?}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a person's work\n");
    let left: Vec<_> = fs::read_dir(&bench.root).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_file_saved_just_before_it_is_exchanged_removed_or_made() {
    nothing_lost(&|root| fs::write(root.join("f"), "before\n").unwrap(), &|root| {
        fs::write(root.join("f"), "session\n").unwrap();
    });
    nothing_lost(&|_| (), &|root| fs::write(root.join("f"), "session\n").unwrap());
    nothing_lost(&|root| fs::write(root.join("f"), "before\n").unwrap(), &|root| {
        fs::remove_file(root.join("f")).unwrap();
    });
}

/// A thread saves a file over and over by renames while steps are taken on it, each conditional on the save that was
/// just read. A save may be gone only because a later one replaced it, or a step that expected just that one.
#[test]
fn a_thousand_saves_at_any_moment_and_none_is_lost() {
    let mut bench = Bench::in_memory();
    fs::write(bench.path("f"), "before\n").unwrap();
    let effects = bench.does(|root| fs::write(root.join("f"), "session\n").unwrap());
    let target = effects[0].before.clone();
    let path = bench.path("f");
    let (saves, stop, step_runs) = (AtomicU64::new(0), AtomicBool::new(false), Mutex::new(()));
    let gone = Mutex::new(BTreeSet::new());
    let (mut expected, mut done, mut drifted) = (BTreeSet::new(), 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut last = None;
            while !stop.load(Ordering::Relaxed) {
                let mut found = fs::read_to_string(&path).unwrap();
                if last.as_ref().is_some_and(|last| *last != found) {
                    // In the middle of a step anything may show for a moment: what counts is what is there after it.
                    let _between_steps = step_runs.lock().unwrap();
                    found = fs::read_to_string(&path).unwrap();
                }
                if let Some(last) = last.filter(|last: &String| *last != found) {
                    assert_eq!(found, "before\n", "neither its own nor the step's");
                    gone.lock().unwrap().insert(Digest::of(last.as_bytes()));
                }
                let text = format!("save {}\n", saves.fetch_add(1, Ordering::Relaxed));
                fs::write(bench.path("f.tmp"), &text).unwrap();
                fs::rename(bench.path("f.tmp"), &path).unwrap();
                last = Some(text);
            }
        });
        while saves.load(Ordering::Relaxed) < 2_000 || done < 100 || drifted < 100 {
            let driver = bench.driver();
            let (resource, name) = (effects[0].resource.clone(), "f".to_owned());
            let Ok(now) = driver.read(&resource, &name, None) else {
                continue;
            };
            let Ok(now) = driver.capture(&resource, &name, &now, &bench.shelf) else {
                continue;
            };
            if now.same(&target) {
                continue;
            }
            let digest = now.fields().unwrap().content("content").unwrap().digest.unwrap();
            let step = Step {
                resource,
                name,
                expected: now,
                target: target.clone(),
            };
            let running = step_runs.lock().unwrap();
            let end = step_meanwhile(&driver, &step, &bench.shelf, &|| ());
            drop(running);
            match end {
                Ok(Restored::Done { .. }) => {
                    done += 1;
                    expected.insert(digest);
                }
                Ok(Restored::Drifted { .. }) => drifted += 1,
                // Replaced all the time, so that it could not be read.
                Ok(_) | Err(_) => {}
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let gone = gone.into_inner().unwrap();
    assert!(gone.is_subset(&expected), "a save was lost that no step expected");
    let left = fs::read_dir(&bench.root).unwrap().count();
    assert!(left <= 2, "temporary names were left");
}

/// Bodies that can't be written anywhere.
struct Full;

impl Bodies for Full {
    fn holds(&self, _: &Locator) -> bool {
        true
    }

    fn read(&self, _: &Locator, _: u64) -> io::Result<Vec<u8>> {
        Err(io::Error::other("the body is damaged"))
    }

    fn copy_to(&self, _: &Locator, _: &File) -> io::Result<()> {
        Err(io::Error::other("the body is damaged"))
    }

    fn keep(&self, _: &[u8]) -> io::Result<Content> {
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn link(&self, _: &Locator, _: BorrowedFd<'_>, _: &OsStr) -> io::Result<bool> {
        Ok(false)
    }
}

#[test]
fn a_damaged_body_and_a_full_vault_change_nothing() {
    let mut bench = Bench::in_memory();
    fs::write(bench.path("f"), "before\n").unwrap();
    let effects = bench.does(|root| fs::write(root.join("f"), "session, longer\n").unwrap());
    let before = bench.manifest();
    let driver = bench.driver();
    let steps = steps(&bench, &driver, &effects);
    let end = step_meanwhile(&driver, &steps[0], &Full, &|| ());
    assert!(
        matches!(
            end,
            Err(DriverError::Unreachable { .. } | DriverError::BodyLost { .. })
        ),
        "{end:?}"
    );
    let captured = driver
        .capture(&steps[0].resource, "f", &steps[0].expected, &bench.shelf)
        .unwrap();
    let kept = Step {
        expected: captured,
        ..steps[0].clone()
    };
    let end = step_meanwhile(&driver, &kept, &Full, &|| ());
    assert!(matches!(end, Err(DriverError::BodyLost { .. })), "{end:?}");
    let differences = before.diff(&bench.manifest());
    assert!(
        differences.iter().all(|line| line.starts_with(".: mtime")),
        "{differences:?}"
    );
}

#[test]
fn what_others_put_into_a_folder_that_was_made_again_stays_in_its_successor() {
    let mut bench = torture::tree();
    let before = bench.manifest();
    let effects = bench.does(|root| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir_all(root.join("d/e/own")).unwrap();
        fs::write(root.join("d/e/z"), "the session's\n").unwrap();
    });
    bench.write("d/theirs", "a person's\n");
    bench.write("d/e/own/theirs", "a person's\n");
    bench.write("d/e/theirs", "a person's\n");
    let undone = bench.undo(&effects);
    undone.result.as_ref().unwrap();
    for path in ["d/theirs", "d/e/own/theirs", "d/e/theirs"] {
        assert_eq!(
            fs::read_to_string(bench.path(path)).unwrap(),
            "a person's\n",
            "{path}"
        );
        fs::remove_file(bench.path(path)).unwrap();
    }
    fs::remove_dir(bench.path("d/e/own")).unwrap();
    for (path, seconds) in [("d/e", 900_000_000), ("d", 900_000_000)] {
        torture::set_mtime(&bench.path(path), seconds);
    }
    bench.assert_is(&before);
}
