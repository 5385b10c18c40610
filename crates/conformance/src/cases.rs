//! The cases. Each is named for what a driver must do.

use crate::bench::{Bench, assert_same};
use crate::{Fixture, Tape};
use rescind_model::{Digest, SessionId, State};
use rescind_recovery::{ApplyError, Earlier, OnConflict};
use rescind_supervisor::{
    DriverError, HeldCause, Intents, Opening, Position, Restored, Step, StepOpening, SystemSession,
};
use std::io;

/// A case: its name, and what runs it on an empty fixture. It panics where the driver falls short.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// What the driver must do.
    pub name: &'static str,
    /// Run it.
    pub run: fn(&dyn Fixture),
}

macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// Every case of the suite.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($name), run: $name }),*];
    };
}

cases![
    what_is_not_there_is_absent_and_no_error,
    reading_twice_gives_the_same_with_and_without_a_hint,
    a_change_is_taken_back,
    a_removal_is_taken_back,
    a_creation_is_taken_back,
    a_step_refuses_a_resource_that_drifted,
    a_step_taken_again_changes_nothing,
    the_state_left_is_the_state_read_after,
    no_change_is_made_that_could_not_be_announced,
    what_others_write_after_the_announcement_is_not_overwritten,
    other_fields_of_others_stay,
    other_hunks_of_others_stay,
    the_same_hunk_is_a_conflict_and_nothing_is_touched,
    a_conflict_is_decided_either_way_and_the_rest_is_taken_back,
    what_was_restored_over_others_comes_back_by_undoing_the_undo,
    an_item_that_others_removed_is_a_conflict,
    an_undo_that_died_at_any_record_goes_on,
    the_order_of_steps_does_not_depend_on_their_order,
    a_folder_comes_back_with_what_was_in_it,
    a_folder_goes_with_what_was_in_it,
    a_folder_stays_with_what_others_put_there,
    an_item_without_its_folder_has_no_place,
    a_folder_looks_as_before_after_its_items_moved,
    finishing_twice_changes_nothing,
    an_undo_is_undone_and_that_again,
    undoing_twice_takes_no_step,
];

fn what_is_not_there_is_absent_and_no_error(on: &dyn Fixture) {
    assert_eq!(Bench::new(on).state("nothing"), State::Absent);
    on.folder("f");
    assert_eq!(Bench::new(on).state("f/nothing"), State::Absent);
}

fn reading_twice_gives_the_same_with_and_without_a_hint(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let (resource, name) = on.place("a");
    let first = bench.captured("a");
    bench.assert_is("a", &first);
    let again = on.driver().read(&resource, &name, Some(&first)).unwrap();
    assert_same(&again, &first);
    on.put("a", "two\n");
    let other = on.driver().read(&resource, &name, Some(&first)).unwrap();
    assert!(!other.same(&first), "a stale hint was taken for the state");
}

fn a_change_is_taken_back(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let before = bench.captured("a");
    let effects = bench.does(&["a"], || on.put("a", "two, which is longer\n"));
    assert!(!bench.state("a").same(&before));
    bench.undo_all(&effects);
    bench.assert_is("a", &before);
}

fn a_removal_is_taken_back(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let before = bench.captured("a");
    let effects = bench.does(&["a"], || on.remove("a"));
    bench.undo_all(&effects);
    bench.assert_is("a", &before);
}

fn a_creation_is_taken_back(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let effects = bench.does(&["a"], || on.put("a", "one\n"));
    bench.undo_all(&effects);
    assert_eq!(bench.state("a"), State::Absent);
}

/// Take one step alone.
fn take(on: &dyn Fixture, step: &Step, tape: &mut Tape) -> Result<Restored, DriverError> {
    let opening = Opening {
        scope: "a step".to_owned(),
        plan: Digest::of(b""),
        resume: Position::default(),
        behind: Vec::new(),
    };
    let mut session = SystemSession::open(SessionId::new(9, 9), tape, opening).unwrap();
    let opening = StepOpening {
        resource: &step.resource,
        name: &step.name,
        took: &[],
        whole: true,
    };
    let taken = session.step(opening, |permit, intents| {
        on.driver().restore(permit, step, on.bodies(), intents)
    });
    taken.unwrap()
}

fn a_step_refuses_a_resource_that_drifted(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let target = bench.captured("a");
    on.put("a", "two\n");
    for target in [target, State::Absent] {
        let step = bench.step_to("a", target);
        on.put("a", &format!("somebody else's {}\n", step.target.exists()));
        let theirs = bench.captured("a");
        let Restored::Drifted { now } = take(on, &step, &mut Tape::default()).unwrap() else {
            panic!("it wrote over what it did not expect");
        };
        assert_same(&now, &theirs);
        bench.assert_is("a", &theirs);
    }
    let step = Step {
        expected: State::Absent,
        ..bench.step_to("b", bench.captured("a"))
    };
    on.put("b", "somebody else's\n");
    let theirs = bench.captured("b");
    assert!(matches!(
        take(on, &step, &mut Tape::default()).unwrap(),
        Restored::Drifted { .. }
    ));
    bench.assert_is("b", &theirs);
}

fn a_step_taken_again_changes_nothing(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let target = bench.captured("a");
    on.put("a", "two\n");
    let step = bench.step_to("a", target);
    assert!(matches!(
        take(on, &step, &mut Tape::default()).unwrap(),
        Restored::Done { .. }
    ));
    let after = bench.captured("a");
    let again = take(on, &step, &mut Tape::default()).unwrap();
    assert!(
        matches!(again, Restored::Already | Restored::Drifted { .. }),
        "{again:?}"
    );
    bench.assert_is("a", &after);
}

fn the_state_left_is_the_state_read_after(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let target = bench.captured("a");
    on.put("a", "two\n");
    let step = bench.step_to("a", target);
    let Restored::Done { left } = take(on, &step, &mut Tape::default()).unwrap() else {
        panic!("not restored")
    };
    let (resource, name) = on.place("a");
    assert_same(&on.driver().read(&resource, &name, Some(&left)).unwrap(), &left);
    assert_same(&left, &step.target);
}

/// Intents that can't be recorded.
struct NoIntents;

impl Intents for NoIntents {
    fn intend(&mut self, _: &rescind_model::ResourceId, _: &str, _: &State, _: &State) -> io::Result<()> {
        Err(io::Error::other("the disk is full"))
    }
}

fn no_change_is_made_that_could_not_be_announced(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let target = bench.captured("a");
    on.put("a", "two\n");
    let before = bench.captured("a");
    for step in [
        bench.step_to("a", target.clone()),
        bench.step_to("a", State::Absent),
        bench.step_to("b", target),
    ] {
        let mut tape = Tape::default();
        let opening = Opening {
            scope: "a step".to_owned(),
            plan: Digest::of(b""),
            resume: Position::default(),
            behind: Vec::new(),
        };
        let mut session = SystemSession::open(SessionId::new(9, 9), &mut tape, opening).unwrap();
        let opening = StepOpening {
            resource: &step.resource,
            name: &step.name,
            took: &[],
            whole: true,
        };
        let taken = session.step(opening, |permit, _| {
            on.driver().restore(permit, &step, on.bodies(), &mut NoIntents)
        });
        assert!(
            matches!(taken.unwrap(), Err(DriverError::NotRecorded { .. })),
            "it went on unrecorded"
        );
        bench.assert_is("a", &before);
        assert_eq!(bench.state("b"), State::Absent);
    }
}

/// Somebody writes right after a change was announced: the last moment before it is made.
struct Meddling<'a> {
    intents: &'a mut dyn Intents,
    write: &'a dyn Fn(),
}

impl Intents for Meddling<'_> {
    fn intend(
        &mut self,
        resource: &rescind_model::ResourceId,
        name: &str,
        before: &State,
        after: &State,
    ) -> io::Result<()> {
        self.intents.intend(resource, name, before, after)?;
        (self.write)();
        Ok(())
    }
}

fn what_others_write_after_the_announcement_is_not_overwritten(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let target = bench.captured("a");
    on.put("a", "two\n");
    for (path, target) in [("a", target.clone()), ("a", State::Absent), ("b", target)] {
        let step = bench.step_to(path, target);
        let write = || on.put(path, "somebody else's\n");
        let mut tape = Tape::default();
        let opening = Opening {
            scope: "a step".to_owned(),
            plan: Digest::of(b""),
            resume: Position::default(),
            behind: Vec::new(),
        };
        let mut session = SystemSession::open(SessionId::new(9, 9), &mut tape, opening).unwrap();
        let opening = StepOpening {
            resource: &step.resource,
            name: &step.name,
            took: &[],
            whole: true,
        };
        let taken = session.step(opening, |permit, intents| {
            let mut intents = Meddling {
                intents,
                write: &write,
            };
            on.driver().restore(permit, &step, on.bodies(), &mut intents)
        });
        let taken = taken.unwrap().unwrap();
        assert!(matches!(taken, Restored::Drifted { .. }), "{path}: {taken:?}");
        assert_eq!(on.text(path), "somebody else's\n");
        on.put(path, "two\n");
    }
}

fn other_fields_of_others_stay(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let before = bench.captured("a");
    let effects = bench.does(&["a"], || on.put("a", "two\n"));
    on.change_other("a");
    let undone = bench.undo(&effects, OnConflict::Ask, Tape::default());
    assert!(undone.result.unwrap().proved());
    assert_eq!(on.text("a"), "one\n");
    assert!(!bench.state("a").same(&before), "what others changed is lost");
}

const LINES: &str = "1\n2\n3\n4\n5\n6\n7\n8\n";

fn other_hunks_of_others_stay(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", LINES);
    let effects = bench.does(&["a"], || on.put("a", &LINES.replace("2\n", "two\n")));
    on.put("a", &LINES.replace("2\n", "two\n").replace("7\n", "seven\n"));
    let undone = bench.undo(&effects, OnConflict::Ask, Tape::default());
    assert!(undone.result.unwrap().proved());
    assert_eq!(on.text("a"), LINES.replace("7\n", "seven\n"));
}

fn the_same_hunk_is_a_conflict_and_nothing_is_touched(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", LINES);
    on.put("b", "one\n");
    let mut effects = bench.does(&["a"], || on.put("a", &LINES.replace("2\n", "two\n")));
    effects.extend(bench.does(&["b"], || on.put("b", "two\n")));
    on.put("a", &LINES.replace("2\n", "zwei\n"));
    let (a, b) = (bench.state("a"), bench.state("b"));
    let undone = bench.undo(&effects, OnConflict::Ask, Tape::default());
    assert!(
        matches!(undone.result, Err(ApplyError::Undecided { count: 1 })),
        "{:?}",
        undone.result
    );
    let [conflict] = &undone.plan.conflicts[..] else {
        panic!("{:#?}", undone.plan.conflicts)
    };
    let hunks: Vec<_> = conflict
        .clashes
        .iter()
        .flat_map(|c| &c.fields)
        .flat_map(|f| &f.hunks)
        .collect();
    let [hunk] = &hunks[..] else {
        panic!("{conflict:#?}")
    };
    assert_eq!(
        (&*hunk.before, &*hunk.after, &*hunk.now),
        ("2\n", "two\n", "zwei\n")
    );
    bench.assert_is("a", &a);
    bench.assert_is("b", &b);
}

fn a_conflict_is_decided_either_way_and_the_rest_is_taken_back(on: &dyn Fixture) {
    for (on_conflict, line, path) in [
        (OnConflict::Keep, "zwei\n", "a"),
        (OnConflict::Restore, "2\n", "b"),
    ] {
        let bench = Bench::new(on);
        on.put(path, LINES);
        let session = LINES.replace("2\n", "two\n").replace("7\n", "seven\n");
        let effects = bench.does(&[path], || on.put(path, &session));
        on.put(path, &session.replace("two\n", "zwei\n").replace("5\n", "five\n"));
        let undone = bench.undo(&effects, on_conflict, Tape::default());
        let receipt = undone.result.unwrap();
        assert!(
            receipt.differs.is_empty() && receipt.failed.is_empty(),
            "{receipt:#?}"
        );
        assert_eq!(on.text(path), LINES.replace("2\n", line).replace("5\n", "five\n"));
    }
}

fn what_was_restored_over_others_comes_back_by_undoing_the_undo(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let effects = bench.does(&["a"], || on.put("a", "two\n"));
    on.put("a", "somebody else's\n");
    let theirs = bench.captured("a");
    let undone = bench.undo(&effects, OnConflict::Restore, Tape::default());
    undone.result.unwrap();
    assert!(!bench.state("a").same(&theirs));
    bench.undo_all(&Earlier::read(&undone.tape.records).effects());
    bench.assert_is("a", &theirs);
}

fn an_item_that_others_removed_is_a_conflict(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.put("a", "one\n");
    let effects = bench.does(&["a"], || on.put("a", "two\n"));
    on.remove("a");
    let undone = bench.undo(&effects, OnConflict::Ask, Tape::default());
    assert_eq!(undone.plan.conflicts.len(), 1);
    assert_eq!(bench.state("a"), State::Absent);
}

/// A scope of every kind of change.
fn some_of_everything(bench: &Bench<'_>) -> Vec<rescind_model::Effect> {
    let on = bench.on;
    on.put("changed", "one\n");
    on.put("removed", "one\n");
    on.folder("f");
    on.put("f/inside", "one\n");
    let mut effects = bench.does(&["changed"], || on.put("changed", "two\n"));
    effects.extend(bench.does(&["removed"], || on.remove("removed")));
    effects.extend(bench.does(&["created"], || on.put("created", "one\n")));
    effects.extend(bench.does(&["f/inside", "f"], || on.remove("f/inside")));
    effects.extend(bench.does(&["f"], || on.remove("f")));
    effects
}

const EVERYWHERE: [&str; 5] = ["changed", "removed", "created", "f", "f/inside"];

fn an_undo_that_died_at_any_record_goes_on(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let mut effects = some_of_everything(&bench);
    let done: Vec<State> = ["changed", "removed", "created"]
        .map(|path| bench.captured(path))
        .to_vec();
    let reference = bench.undo_all(&effects);
    let expect: Vec<State> = EVERYWHERE.map(|path| bench.captured(path)).to_vec();
    let steps = reference.tape.records.len();
    assert!(steps > 10, "the case is too small to die in");
    for at in 0..steps {
        // The session again: it begins where the undo ended, so it is new effects on the same resources.
        effects = bench.does(&["changed"], || on.put("changed", "two\n"));
        effects.extend(bench.does(&["removed"], || on.remove("removed")));
        effects.extend(bench.does(&["created"], || on.put("created", "one\n")));
        effects.extend(bench.does(&["f/inside", "f"], || on.remove("f/inside")));
        effects.extend(bench.does(&["f"], || on.remove("f")));
        assert_eq!(bench.state("removed"), done[1]);
        let mut tape = Tape::default();
        tape.die_after(at);
        let died = bench.undo(&effects, OnConflict::Ask, tape);
        assert!(died.result.is_err(), "it did not die at record {at}");
        let resumed = bench.undo(&effects, OnConflict::Ask, Tape::after(died.tape.records));
        let receipt = resumed.result.unwrap();
        assert!(receipt.proved(), "died at record {at}: {receipt:#?}");
        for (path, expect) in EVERYWHERE.iter().zip(&expect) {
            let (resource, name) = on.place(path);
            let now = on.driver().read(&resource, &name, Some(expect)).unwrap();
            let passing = on.driver().undisturbed(&now, expect);
            assert!(
                passing.same(expect),
                "died at record {at}: {path} is {now:#?}, not {expect:#?}"
            );
        }
    }
}

fn the_order_of_steps_does_not_depend_on_their_order(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let effects = some_of_everything(&bench);
    let plan = bench.plan(&effects, &Earlier::default(), OnConflict::Ask);
    let steps: Vec<Step> = plan.steps.iter().map(|planned| planned.step.clone()).collect();
    assert_eq!(steps.len(), 5);
    for turn in 0..steps.len() {
        for reverse in [false, true] {
            let mut other = steps.clone();
            other.rotate_left(turn);
            if reverse {
                other.reverse();
            }
            assert_eq!(on.driver().arrange(other).steps, steps);
        }
    }
    let mut shuffled = effects.clone();
    shuffled.reverse();
    bench.undo_all(&shuffled);
    assert!(bench.state("f/inside").exists());
}

fn a_folder_comes_back_with_what_was_in_it(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.folder("f");
    on.put("f/a", "a\n");
    on.put("f/b", "b\n");
    let before = ["f", "f/a", "f/b"].map(|path| bench.captured(path));
    let mut effects = bench.does(&["f/a", "f"], || on.remove("f/a"));
    effects.extend(bench.does(&["f/b", "f"], || on.remove("f/b")));
    effects.extend(bench.does(&["f"], || on.remove("f")));
    bench.undo_all(&effects);
    for (path, before) in ["f", "f/a", "f/b"].iter().zip(&before) {
        bench.assert_is(path, before);
    }
}

fn a_folder_goes_with_what_was_in_it(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let mut effects = bench.does(&["f"], || on.folder("f"));
    effects.extend(bench.does(&["f/a", "f"], || on.put("f/a", "a\n")));
    bench.undo_all(&effects);
    assert_eq!(bench.state("f"), State::Absent);
}

fn a_folder_stays_with_what_others_put_there(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let mut effects = bench.does(&["f"], || on.folder("f"));
    effects.extend(bench.does(&["f/a", "f"], || on.put("f/a", "a\n")));
    on.put("f/theirs", "theirs\n");
    let theirs = bench.captured("f/theirs");
    let undone = bench.undo(&effects, OnConflict::Ask, Tape::default());
    let receipt = undone.result.unwrap();
    assert_eq!(receipt.kept.len(), 1, "{receipt:#?}");
    assert_eq!(undone.plan.held[0].held.cause, HeldCause::Stays);
    assert!(bench.state("f").exists());
    assert_eq!(bench.state("f/a"), State::Absent);
    bench.assert_is("f/theirs", &theirs);
}

fn an_item_without_its_folder_has_no_place(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.folder("f");
    on.put("f/a", "a\n");
    let effects = bench.does(&["f/a"], || on.remove("f/a"));
    on.remove("f");
    let undone = bench.undo(&effects, OnConflict::Ask, Tape::default());
    assert!(
        matches!(undone.result, Err(ApplyError::Undecided { count: 1 })),
        "{:?}",
        undone.result
    );
    assert_eq!(undone.plan.held[0].held.cause, HeldCause::NoPlace);
    assert_eq!(bench.state("f"), State::Absent);
}

fn a_folder_looks_as_before_after_its_items_moved(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.folder("f");
    on.put("f/a", "a\n");
    let before = bench.captured("f");
    let mut effects = bench.does(&["f/b", "f"], || on.put("f/b", "b\n"));
    effects.extend(bench.does(&["f/a", "f"], || on.remove("f/a")));
    bench.undo_all(&effects);
    bench.assert_is("f", &before);
}

fn finishing_twice_changes_nothing(on: &dyn Fixture) {
    let bench = Bench::new(on);
    on.folder("f");
    let before = bench.captured("f");
    let effects = bench.does(&["f/b", "f"], || on.put("f/b", "b\n"));
    let undone = bench.undo_all(&effects);
    let mut tape = Tape::default();
    let opening = Opening {
        scope: "again".to_owned(),
        plan: Digest::of(b""),
        resume: Position::default(),
        behind: Vec::new(),
    };
    let mut session = SystemSession::open(SessionId::new(9, 9), &mut tape, opening).unwrap();
    session.disturbs(&undone.plan.disturbed).unwrap();
    for _ in 0..2 {
        session
            .finish(|permit| on.driver().finish(permit, &undone.plan.disturbed))
            .unwrap();
        bench.assert_is("f", &before);
    }
}

fn an_undo_is_undone_and_that_again(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let effects = some_of_everything(&bench);
    let acted = ["changed", "removed", "created", "f"].map(|path| bench.captured(path));
    let undo = bench.undo_all(&effects);
    let before = ["changed", "removed", "created", "f"].map(|path| bench.captured(path));
    let redo = bench.undo_all(&Earlier::read(&undo.tape.records).effects());
    for (path, expect) in ["changed", "removed", "created", "f"].iter().zip(&acted) {
        bench.assert_is(path, expect);
    }
    bench.undo_all(&Earlier::read(&redo.tape.records).effects());
    for (path, expect) in ["changed", "removed", "created", "f"].iter().zip(&before) {
        bench.assert_is(path, expect);
    }
}

fn undoing_twice_takes_no_step(on: &dyn Fixture) {
    let bench = Bench::new(on);
    let effects = some_of_everything(&bench);
    let undo = bench.undo_all(&effects);
    let again = bench.undo(&effects, OnConflict::Ask, undo.tape);
    assert!(again.plan.is_empty(), "{:#?}", again.plan.steps);
    assert!(again.result.unwrap().proved());
    // And without the records: the state alone says so.
    let again = bench.plan(&effects, &Earlier::default(), OnConflict::Ask);
    assert!(again.steps.is_empty(), "{:#?}", again.steps);
}
