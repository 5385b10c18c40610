//! Every kind of change, undone.

use rescind_scenarios::{Outcome, Place, Scenario, Who, proved};
use std::path::Path;

const TORTURE: &str = env!("CARGO_BIN_EXE_torture");

fn prepared(place: Place) -> Scenario {
    prepared_lent(place, Who::Me).0
}

/// With a copy of the program, since the scenario's user may not reach the target directory.
fn prepared_lent(place: Place, who: Who) -> (Scenario, std::path::PathBuf) {
    let scenario = Scenario::at(place, who);
    let torture = scenario.lend(Path::new(TORTURE));
    Outcome::of(scenario.command(&torture).args(["prepare", "."])).success();
    (scenario, torture)
}

fn every_kind_is_undone(place: Place, who: Who) {
    let (scenario, torture) = prepared_lent(place, who);
    let before = scenario.manifest();
    let torture = torture.to_str().expect("a path in text");
    let made = Outcome::of(&mut scenario.supervised([torture, "wreck", "."]));
    let failed: Vec<_> = made
        .out()
        .lines()
        .filter(|line| line.starts_with("failed"))
        .map(str::to_owned)
        .collect();
    assert!(
        failed.is_empty(),
        "under supervision these failed: {failed:?}\n{}",
        made.err()
    );
    let made = made.success();
    before.assert_changed(&scenario.manifest(), "torture");
    let undo = scenario.tell(&["undo", "--yes"]);
    let said = undo.said();
    let end = said.find("applies it").map_or(&*said, |at| &said[at..]);
    let differences = before.differences(&scenario.manifest());
    assert!(
        differences.is_empty() && undo.code() == 0,
        "{differences:#?}\nthe undo ended with {}: {end}",
        undo.code()
    );
    scenario.verify();
    let kinds = made.out().lines().filter(|line| line.starts_with("made")).count();
    assert!(kinds >= 45, "only {kinds} kinds of change were made");
    proved(
        "2 torture",
        format!(
            "{kinds} kinds of change undone, {} paths identical ({place:?}, {who:?})",
            before.len()
        ),
    );
}

#[test]
fn every_kind_of_change_is_undone_on_disk() {
    every_kind_is_undone(Place::Disk, Who::Me);
}

#[test]
fn every_kind_of_change_is_undone_on_tmpfs() {
    every_kind_is_undone(Place::Tmpfs, Who::Me);
}

#[test]
fn every_kind_of_change_is_undone_for_an_unprivileged_user_on_disk() {
    if Scenario::is_root() {
        every_kind_is_undone(Place::Disk, Who::Nobody);
    }
}

#[test]
fn every_kind_of_change_is_undone_for_an_unprivileged_user_on_tmpfs() {
    if Scenario::is_root() {
        every_kind_is_undone(Place::Tmpfs, Who::Nobody);
    }
}

/// One session for each kind, so that none is right only because another one came before it.
#[test]
fn each_kind_of_change_is_undone_by_itself() {
    let scenario = prepared(Place::Tmpfs);
    let mut before = scenario.manifest();
    let names = Outcome::of(scenario.command(TORTURE).arg("list")).success().out();
    let mut wrong = Vec::new();
    for name in names.lines() {
        let made = Outcome::of(&mut scenario.supervised([TORTURE, "wreck", ".", name]));
        if made.code() != 0 {
            wrong.push(format!("{name} can't be made under supervision: {}", made.said()));
        }
        let undone = scenario.tell(&["undo", "--yes"]);
        if undone.code() != 0 && !made.out().contains("left out") {
            let said = undone.said();
            let end = said.find("applies it").map_or(&*said, |at| &said[at..]);
            wrong.push(format!("{name}: undo ended with {}: {end}", undone.code()));
        }
        let now = scenario.manifest();
        let differences = before.differences(&now);
        if !differences.is_empty() {
            wrong.push(format!("{name}: {differences:#?}"));
            // The rest starts from what is there now, so that one fault is shown once.
            before = now;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn removing_everything_is_undone() {
    for who in [Who::Me, Who::Nobody] {
        for place in [Place::Disk, Place::Tmpfs] {
            if who == Who::Nobody && !Scenario::is_root() {
                continue;
            }
            let (scenario, _) = prepared_lent(place, who);
            let before = scenario.manifest();
            scenario.run("rm -rf ./* ./.[!.]*").success();
            assert_eq!(scenario.manifest().len(), 1, "something was left of the tree");
            scenario.undo(&[]);
            before.assert_same(&scenario.manifest(), "rm -rf of everything");
            proved(
                "2 rm -rf",
                format!("{} paths identical ({place:?}, {who:?})", before.len()),
            );
        }
    }
}

#[test]
fn an_undo_of_an_undo_brings_the_change_back_and_its_undo_takes_it_again() {
    for place in [Place::Tmpfs, Place::Disk] {
        let scenario = prepared(place);
        let before = scenario.manifest();
        scenario
            .run("rm -rf remove_tree; echo changed > text; mv shell elsewhere; chmod 600 mode/text")
            .success();
        let changed = scenario.manifest();
        scenario.undo(&[]);
        before.assert_same(&scenario.manifest(), "the undo");
        for times in 1..6 {
            let undos = scenario.undos();
            scenario.undo(&[undos.last().expect("an undo")]);
            let should = if times % 2 == 1 { &changed } else { &before };
            should.assert_same(&scenario.manifest(), &format!("undone {times} times more"));
        }
        // It is changed again now: the run itself is undone again.
        scenario.undo(&[&scenario.runs()[0]]);
        before.assert_same(&scenario.manifest(), "the run undone again");
        scenario.verify();
    }
}
