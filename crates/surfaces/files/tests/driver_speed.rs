//! How fast files come back. The bounds hold for optimised builds on a quiet machine; in others they are wide.

#![allow(clippy::unwrap_used, reason = "a test")]

mod driver;

use driver::Bench;
use rescind_conformance::Tape;
use rescind_model::{Digest, ResourceId, SessionId, State};
use rescind_recovery::{Earlier, OnConflict};
use rescind_supervisor::{
    Driver as _, Intents, Opening, Position, Recorder, Restored, Step, StepOpening, SystemRecord,
    SystemSession,
};
use std::fs;
use std::io;
use std::process::Command;
use std::time::{Duration, Instant};

struct Forgetful;

impl Recorder for Forgetful {
    fn record(&mut self, _: &SystemRecord) -> io::Result<()> {
        Ok(())
    }
}

struct Silent;

impl Intents for Silent {
    fn intend(&mut self, _: &ResourceId, _: &str, _: &State, _: &State) -> io::Result<()> {
        Ok(())
    }
}

fn within(limit: Duration) -> Duration {
    if cfg!(debug_assertions) { limit * 20 } else { limit }
}

/// 10,000 files of 2 KB in 100 folders.
fn grow(bench: &Bench) {
    for folder in 0..100 {
        for file in 0..100 {
            let text = format!("{folder} {file}\n").repeat(250);
            bench.write(&format!("tree/{folder}/file{file}"), text);
        }
    }
}

/// The time to take all steps.
fn take(driver: &rescind_files::FilesDriver, steps: &[Step], bench: &Bench) -> Duration {
    let opening = Opening {
        scope: "speed".to_owned(),
        plan: Digest::of(b""),
        resume: Position::default(),
        behind: Vec::new(),
    };
    let mut session = SystemSession::open(SessionId::new(3, 3), Forgetful, opening).unwrap();
    let begun = Instant::now();
    for step in steps {
        let opening = StepOpening {
            resource: &step.resource,
            name: &step.name,
            took: &[],
            whole: true,
        };
        let end = session
            .step(opening, |permit, _| {
                driver.restore(permit, step, &bench.shelf, &mut Silent)
            })
            .unwrap();
        assert!(matches!(end, Ok(Restored::Done { .. })), "{end:?}");
    }
    begun.elapsed()
}

fn restores_faster_than_cp(mut bench: Bench) -> f64 {
    grow(&bench);
    let before = bench.manifest();
    let copy = bench.root.parent().unwrap().join("copy");
    let mut ratios = Vec::new();
    for _ in 0..3 {
        let begun = Instant::now();
        let copied = Command::new("cp")
            .arg("-a")
            .args([bench.path("tree"), copy.clone()])
            .status();
        let cp = begun.elapsed();
        assert!(copied.unwrap().success());
        fs::remove_dir_all(&copy).unwrap();
        let effects = bench.does(|root| fs::remove_dir_all(root.join("tree")).unwrap());
        let driver = bench.driver();
        let plan = bench.plan(&driver, &effects, &Earlier::default(), OnConflict::Ask);
        let steps: Vec<Step> = plan.steps.into_iter().map(|planned| planned.step).collect();
        let own = take(&driver, &steps, &bench);
        let opening = Opening {
            scope: "speed".to_owned(),
            plan: Digest::of(b""),
            resume: Position::default(),
            behind: Vec::new(),
        };
        let mut session = SystemSession::open(SessionId::new(3, 3), Tape::default(), opening).unwrap();
        session.disturbs(&plan.disturbed).unwrap();
        let begun = Instant::now();
        session
            .finish(|permit| driver.finish(permit, &plan.disturbed))
            .unwrap();
        let own = own + begun.elapsed();
        bench.assert_is(&before);
        println!("cp -a {cp:?}, restored in {own:?}");
        ratios.push(own.as_secs_f64() / cp.as_secs_f64());
        // What is there now has other inodes: the session begins anew.
        bench.table = rescind_files::ObjectTable::new(bench.table.session().clone());
        bench.noted = driver::Noted::default();
    }
    ratios.sort_by(f64::total_cmp);
    ratios.get(2).copied().unwrap()
}

#[test]
#[ignore = "a timing: for a quiet machine, in release"]
fn ten_thousand_files_come_back_faster_than_cp_copies_them() {
    for (name, bench) in [("memory", Bench::in_memory()), ("disk", Bench::new())] {
        if cfg!(debug_assertions) && name == "disk" {
            continue;
        }
        let ratio = restores_faster_than_cp(bench);
        println!("{name}: {ratio:.2} of cp -a");
        let limit = if cfg!(debug_assertions) { 20.0 } else { 1.0 };
        assert!(ratio < limit, "{name}: {ratio:.2} of cp -a");
    }
}

#[test]
#[ignore = "a timing: for a quiet machine, in release"]
fn a_hundred_thousand_steps_are_arranged_in_less_than_a_second() {
    let mut bench = Bench::in_memory();
    for folder in 0..200 {
        fs::create_dir(bench.path(&folder.to_string())).unwrap();
        for file in 0..10 {
            bench.write(&format!("{folder}/{file}"), "x");
        }
    }
    let effects = bench.does(|root| {
        for folder in 0..200 {
            fs::remove_dir_all(root.join(folder.to_string())).unwrap();
        }
    });
    let driver = bench.driver();
    let plan = bench.plan(&driver, &effects, &Earlier::default(), OnConflict::Ask);
    let few: Vec<Step> = plan.steps.into_iter().map(|planned| planned.step).collect();
    let mut steps = Vec::new();
    for round in 0..50 {
        for step in &few {
            let mut step = step.clone();
            if round > 0 {
                step.resource
                    .key
                    .extend_from_slice(format!("-{round}").as_bytes());
                let State::Present(fields) = &mut step.target else {
                    continue;
                };
                fields.remove("object");
                fields.remove("folder");
            }
            steps.push(step);
        }
    }
    assert!(steps.len() > 100_000);
    steps.reverse();
    let begun = Instant::now();
    let arranged = driver.arrange(steps);
    let took = begun.elapsed();
    println!("{} steps in {took:?}", arranged.steps.len());
    assert!(arranged.held.is_empty());
    assert!(took < within(Duration::from_secs(1)), "{took:?}");
}
