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
        let held = &undone.plan.held;
        assert!(held.is_empty(), "after {points} points: {held:#?}");
        let conflicts = &undone.plan.conflicts;
        assert!(conflicts.is_empty(), "after {points} points: {conflicts:#?}");
        let receipt = undone.result.as_ref().unwrap();
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
    dies_everywhere(torture::tree_in_memory, torture::everything, None);
}

#[test]
fn an_undo_of_everything_dies_at_every_point_and_soon_again() {
    dies_everywhere(torture::tree_in_memory, torture::everything, Some(7));
}

#[test]
fn an_undo_of_a_removal_dies_at_every_point() {
    dies_everywhere(
        torture::tree_in_memory,
        |root| {
            fs::remove_dir_all(root.join("d")).unwrap();
            fs::remove_file(root.join("a")).unwrap();
            fs::remove_file(root.join("sparse")).unwrap();
        },
        Some(3),
    );
}

#[test]
fn an_undo_of_circles_and_chains_dies_at_every_point() {
    dies_everywhere(
        torture::tree_in_memory,
        |root| {
            torture::exchange(&root.join("a"), &root.join("b"));
            torture::exchange(&root.join("b"), &root.join("c"));
            torture::exchange(&root.join("d"), &root.join("keep"));
            torture::exchange(&root.join("keep"), &root.join("hollow"));
            fs::rename(root.join("empty"), root.join("sparse")).unwrap();
            fs::write(root.join("empty"), "new").unwrap();
            fs::write(root.join("hollow/x"), "written where it went\n").unwrap();
        },
        None,
    );
}

#[test]
fn an_undo_of_folders_made_anew_dies_at_every_point() {
    dies_everywhere(
        torture::tree_in_memory,
        |root| {
            fs::remove_dir_all(root.join("d")).unwrap();
            fs::create_dir_all(root.join("d/e/g")).unwrap();
            fs::write(root.join("d/x"), "the new one\n").unwrap();
            fs::write(root.join("d/e/g/new"), "x").unwrap();
            fs::rename(root.join("a"), root.join("d/e/a")).unwrap();
            fs::remove_file(root.join("b")).unwrap();
            fs::create_dir(root.join("b")).unwrap();
            fs::write(root.join("b/in"), "x").unwrap();
            fs::rename(root.join("keep"), root.join("old")).unwrap();
            fs::create_dir(root.join("keep")).unwrap();
            fs::write(root.join("keep/me"), "another me\n").unwrap();
        },
        None,
    );
}

#[test]
fn an_undo_of_what_is_in_the_way_of_each_other_dies_at_every_point() {
    dies_everywhere(
        torture::tree_in_memory,
        |root| {
            fs::rename(root.join("b"), root.join("a")).unwrap();
            fs::remove_dir_all(root.join("hollow")).unwrap();
            fs::rename(root.join("d"), root.join("hollow")).unwrap();
            fs::rename(root.join("keep"), root.join("hollow/keep")).unwrap();
            fs::create_dir(root.join("d")).unwrap();
            fs::hard_link(root.join("c"), root.join("d/c2")).unwrap();
            fs::create_dir(root.join("keep")).unwrap();
            fs::write(root.join("keep/me"), "new\n").unwrap();
            fs::rename(root.join("hollow/e"), root.join("keep/e")).unwrap();
            fs::rename(root.join("hollow"), root.join("keep/e/f/hollow")).unwrap();
        },
        Some(5),
    );
}

#[test]
fn an_undo_of_links_and_pins_dies_at_every_point() {
    dies_everywhere(
        || {
            let mut bench = torture::tree_in_memory();
            bench.pinned.insert(bench.path("d/y"));
            bench.write("l1", "links\n");
            for link in ["l2", "keep/l3"] {
                fs::hard_link(bench.path("l1"), bench.path(link)).unwrap();
            }
            bench
        },
        |root| {
            fs::write(root.join("l1"), "written through one\n").unwrap();
            fs::remove_file(root.join("l2")).unwrap();
            fs::hard_link(root.join("keep/l3"), root.join("l4")).unwrap();
            fs::remove_file(root.join("c")).unwrap();
            fs::remove_file(root.join("d/c2")).unwrap();
            torture::chmod(&root.join("d/y"), 0o600);
            fs::remove_file(root.join("d/y")).unwrap();
        },
        None,
    );
}

#[test]
fn an_undo_of_a_file_that_went_and_got_links_dies_at_every_point() {
    dies_everywhere(
        torture::tree_in_memory,
        |root| {
            fs::rename(root.join("a"), root.join("b")).unwrap();
            fs::hard_link(root.join("b"), root.join("keep/b")).unwrap();
            fs::hard_link(root.join("b"), root.join("e")).unwrap();
            fs::write(root.join("e"), "over another\n").unwrap();
            fs::rename(root.join("c"), root.join("f")).unwrap();
            fs::rename(root.join("d/c2"), root.join("keep/f")).unwrap();
            torture::chmod(&root.join("f"), 0o600);
        },
        Some(4),
    );
}

#[test]
fn an_undo_of_files_that_went_and_were_written_dies_at_every_point() {
    dies_everywhere(
        torture::tree_in_memory,
        |root| {
            fs::rename(root.join("a"), root.join("keep/a")).unwrap();
            fs::write(root.join("keep/a"), "written where it went\n").unwrap();
            torture::exchange(&root.join("b"), &root.join("d/x"));
            fs::write(root.join("d/x"), "written there, too\n").unwrap();
            torture::chmod(&root.join("b"), 0o600);
            fs::rename(root.join("d/e"), root.join("hollow/e")).unwrap();
            torture::chmod(&root.join("hollow/e"), 0o700);
        },
        Some(2),
    );
}
