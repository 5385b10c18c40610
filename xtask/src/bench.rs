//! `cargo xtask bench`: what supervision costs, as medians of ratios in one run.
//!
//! In every round each variant runs once, in random order; bare runs twice, and the second is the control: what it differs
//! from the first is noise. A ratio is always that of two times of one round.

mod fixture;
mod measure;
mod pages;
mod workload;

use crate::part::{self, cargo};
use crate::{Failure, values};
use measure::{Random, Ratios, seconds, sync};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use workload::{WORKLOADS, Workload};

/// A way to run a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Bare,
    BareAgain,
    Supervised,
    Traced,
    CopyBefore,
}

impl Variant {
    fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareAgain => "bare again (control)",
            Self::Supervised => "rescind run",
            Self::Traced => "strace -f",
            Self::CopyBefore => "cp -a of the tree, then bare",
        }
    }
}

/// Strace is slow and its ratio is far from any limit: fewer rounds.
const TRACED_ROUNDS: usize = 3;

/// Where the benchmark works.
struct Place {
    name: &'static str,
    dir: PathBuf,
}

/// Run everything, or what `--only` names.
///
/// # Errors
/// Something can't be made or run.
pub fn run(options: &[&str]) -> Result<(), Failure> {
    let rounds = values(options, "--rounds")
        .first()
        .map_or(Ok(7), |text| text.parse())?;
    let only: Vec<&str> = values(options, "--only")
        .iter()
        .flat_map(|list| list.split(','))
        .collect();
    let wanted = |name: &str| only.is_empty() || only.contains(&name);
    let binary = binary()?;
    let guards = [tempfile::tempdir_in("/dev/shm")?, tempfile::tempdir()?];
    let [shm, disk] = &guards;
    let places = [
        Place {
            name: "tmpfs",
            dir: shm.path().to_owned(),
        },
        Place {
            name: "disk",
            dir: disk.path().to_owned(),
        },
    ];
    for workload in WORKLOADS.iter().filter(|workload| wanted(workload.name)) {
        for place in &places {
            bench_workload(workload, place, &binary, rounds)?;
        }
    }
    if wanted("undo") {
        for place in &places {
            bench_undo(place, &binary, rounds)?;
        }
    }
    if wanted("judge") {
        println!("\njudge: how long verdicts take, catalog and policies together, against an empty pipeline");
        let example = [
            "run",
            "--release",
            "--quiet",
            "--package",
            "rescind-desk",
            "--example",
            "judge_bench",
        ];
        part::run("judge", &mut cargo(&example))?;
    }
    if only.contains(&"pages") {
        pages::run(&binary, rounds.max(100))?;
    }
    if wanted("ledger") {
        println!("\nledger: appends per second against the fdatasync rate of the same disk");
        let arguments = [
            "run",
            "--release",
            "--quiet",
            "--package",
            "rescind-ledger",
            "--example",
            "append_bench",
            "--",
        ];
        part::run("ledger", cargo(&arguments).arg(disk.path()))?;
    }
    Ok(())
}

/// What is measured: `RESCIND_BIN`, else a release build made now.
fn binary() -> Result<PathBuf, Failure> {
    if let Some(given) = std::env::var_os("RESCIND_BIN") {
        println!("== measuring {}", Path::new(&given).display());
        return Ok(Path::new(&given).canonicalize()?);
    }
    part::run(
        "release build",
        &mut cargo(&["build", "--release", "--package", "rescind", "--quiet"]),
    )?;
    Ok(part::target().join("release/rescind").canonicalize()?)
}

fn bench_workload(workload: &Workload, place: &Place, binary: &Path, rounds: usize) -> Result<(), Failure> {
    let fixture = place.dir.join(format!("fixture-{}", workload.name));
    fs::create_dir_all(&fixture)?;
    (workload.prepare)(&fixture)?;
    let mut random = Random::from_clock();
    let mut ratios = Ratios::default();
    for round in 0..rounds {
        let mut order = vec![
            Variant::Bare,
            Variant::BareAgain,
            Variant::Supervised,
            Variant::Traced,
            Variant::CopyBefore,
        ];
        order
            .retain(|variant| *variant != Variant::Traced || (round < TRACED_ROUNDS && part::have("strace")));
        random.shuffle(&mut order);
        for variant in order {
            let time = once(workload, &fixture, place, binary, variant)?;
            ratios.add(round, variant.name(), time);
        }
    }
    println!("\n{} ({}): {}", workload.name, place.name, workload.what);
    ratios.print(Variant::Bare.name());
    fs::remove_dir_all(&fixture)?;
    Ok(())
}

/// One run on a fresh copy of the fixture; seconds.
fn once(
    workload: &Workload,
    fixture: &Path,
    place: &Place,
    binary: &Path,
    variant: Variant,
) -> Result<f64, Failure> {
    let work = place.dir.join("work");
    let home = place.dir.join("home");
    seconds(Command::new("cp").arg("-a").arg(fixture).arg(&work))?;
    sync();
    let mut command = match variant {
        Variant::Supervised => Command::new(binary),
        Variant::Traced => Command::new("strace"),
        Variant::Bare | Variant::BareAgain | Variant::CopyBefore => Command::new("sh"),
    };
    match variant {
        Variant::Supervised => command.args(["run", "--quiet", "--", "sh"]),
        Variant::Traced => command.args(["-f", "-qq", "-o", "/dev/null", "sh"]),
        Variant::Bare | Variant::BareAgain | Variant::CopyBefore => &mut command,
    };
    command
        .args(["-euc", workload.script])
        .current_dir(&work)
        .env("RESCIND_HOME", &home);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let start = Instant::now();
    if variant == Variant::CopyBefore {
        seconds(
            Command::new("cp")
                .arg("-a")
                .arg(&work)
                .arg(place.dir.join("copy")),
        )?;
    }
    seconds(&mut command)?;
    let time = start.elapsed().as_secs_f64();
    for path in [work, home, place.dir.join("copy")] {
        if path.exists() {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(time)
}

/// Undo of `rm -rf` over 10,000 files against copying them back.
fn bench_undo(place: &Place, binary: &Path, rounds: usize) -> Result<(), Failure> {
    let (work, backup, home) = (
        place.dir.join("work"),
        place.dir.join("backup"),
        place.dir.join("home"),
    );
    fs::create_dir(&work)?;
    fixture::many_files(&work.join("tree"), 10_000, 2_000)?;
    let rescind = |arguments: &[&str]| {
        let mut command = Command::new(binary);
        command
            .args(arguments)
            .current_dir(&work)
            .env("RESCIND_HOME", &home);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    };
    let remove = || seconds(Command::new("rm").args(["-rf", "tree"]).current_dir(&work));
    seconds(Command::new("cp").arg("-a").arg(work.join("tree")).arg(&backup))?;
    let (copying, undoing) = ("cp -a back", "rescind undo");
    let mut ratios = Ratios::default();
    let mut random = Random::from_clock();
    for round in 0..rounds {
        let mut order = vec![copying, undoing];
        random.shuffle(&mut order);
        for variant in order {
            if variant == copying {
                remove()?;
                sync();
                ratios.add(
                    round,
                    variant,
                    seconds(Command::new("cp").arg("-a").arg(&backup).arg(work.join("tree")))?,
                );
            } else {
                seconds(&mut rescind(&["run", "--quiet", "--", "rm", "-rf", "tree"]))?;
                sync();
                ratios.add(round, variant, seconds(&mut rescind(&["undo", "--yes"]))?);
            }
        }
    }
    println!(
        "\nundo ({}): of `rm -rf` over 10,000 files, against `cp -a` back",
        place.name
    );
    ratios.print(copying);
    for path in [work, backup, home] {
        fs::remove_dir_all(path)?;
    }
    Ok(())
}
