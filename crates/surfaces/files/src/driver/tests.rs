//! The driver dies at every point of an undo, and another goes on.

#[path = "../../tests/driver/mod.rs"]
mod bench;
#[path = "../../tests/driver/torture.rs"]
mod torture;

use super::crash::die_after;
use bench::Bench;
use rescind_conformance::Tape;
use rescind_model::Effect;
use rescind_recovery::{Earlier, OnConflict};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Undo, dying after so many points; `None`: it was not so many.
fn undo_dying(bench: &mut Bench, effects: &[Effect], tape: &mut Tape, points: u32) -> Option<()> {
    let driver = if tape.records.is_empty() {
        bench.driver()
    } else {
        bench.driver().resumed()
    };
    let before = tape.clone();
    let _ = before;
    die_after(Some(points));
    let died = catch_unwind(AssertUnwindSafe(|| {
        let undone = bench.undo_on(&driver, effects, OnConflict::Ask, tape);
        undone.proved();
    }));
    die_after(None);
    match died {
        Ok(()) => None,
        Err(cause) if cause.is::<super::crash::Died>() => Some(()),
        Err(cause) => std::panic::resume_unwind(cause),
    }
}

/// Die at every point of the undo of `act` on `tree`, `twice` as soon again, then go on to the end.
fn dies_everywhere(tree: fn() -> Bench, act: fn(&Path), twice: Option<u32>) {
    std::panic::set_hook(Box::new(|info| {
        if !info.payload().is::<super::crash::Died>() {
            eprintln!("{info}");
        }
    }));
    for points in 0.. {
        let mut bench = tree();
        let before = bench.manifest();
        let effects = bench.does(act);
        let mut tape = Tape::default();
        if undo_dying(&mut bench, &effects, &mut tape, points).is_none() {
            bench.assert_is(&before);
            assert!(points > 3, "there was nothing to die at");
            return;
        }
        if let Some(again) = twice {
            undo_dying(&mut bench, &effects, &mut tape, again);
        }
        let driver = bench.driver().resumed();
        let undone = bench.undo_on(&driver, &effects, OnConflict::Ask, &mut tape);
        if undone.result.is_err() {
            for conflict in &undone.plan.conflicts {
                eprintln!("CONFLICT at {points}: {} {:#?}", conflict.name, conflict.clashes);
            }
            for record in &tape.records {
                let line = format!("{record:?}");
                eprintln!("REC {}", line.chars().take(400).collect::<String>());
            }
            for note in bench.noted.0.lock().unwrap().iter() {
                eprintln!("NOTE {note:?}");
            }
        }
        let receipt = undone.result.as_ref().unwrap();
        if !receipt.proved() || !before.diff(&bench.manifest()).is_empty() {
            for record in &tape.records {
                let line = format!("{record:?}");
                eprintln!("REC {}", line.chars().take(300).collect::<String>());
            }
            for note in bench.noted.0.lock().unwrap().iter() {
                eprintln!("NOTE {note:?}");
            }
            for step in &undone.plan.disturbed {
                let mtime = |state: &rescind_model::State| state.fields().and_then(|f| f.int("mtime"));
                eprintln!(
                    "DIST {} {:?} {:?}",
                    step.name,
                    mtime(&step.expected),
                    mtime(&step.target)
                );
            }
            eprintln!("TIMES {:?}", driver.lock().folders);
        }
        assert!(receipt.proved(), "after {points} points: {receipt:#?}");
        let differences = before.diff(&bench.manifest());
        assert!(
            differences.is_empty(),
            "after {points} points:\n{}",
            differences.join("\n")
        );
        assert!(Earlier::read(&tape.records).unfinished.is_none());
    }
}

#[test]
fn an_undo_of_everything_dies_at_every_point() {
    dies_everywhere(torture::tree, torture::everything, None);
}

#[test]
fn an_undo_of_everything_dies_at_every_point_and_soon_again() {
    dies_everywhere(torture::tree, torture::everything, Some(7));
}

#[test]
fn an_undo_of_a_removal_dies_at_every_point() {
    dies_everywhere(
        torture::tree,
        |root| {
            fs::remove_dir_all(root.join("d")).unwrap();
            fs::remove_file(root.join("a")).unwrap();
            fs::remove_file(root.join("sparse")).unwrap();
        },
        Some(3),
    );
}
