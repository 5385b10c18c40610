//! `cargo xtask prove spine`, `prove judgement` and `prove control`: every promise at its full count, a line of numbers for each.

use crate::part::{self, cargo};
use crate::{Failure, bench, machine, test, values};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::chown;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// A promise: its name, and how it is shown.
struct Item {
    name: &'static str,
    /// Which tests, as a filter of nextest.
    tests: &'static str,
    /// How much of everything.
    counts: &'static [(&'static str, &'static str)],
}

const SCENARIOS: &str = "package(rescind-scenarios)";

/// What is proved under a name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The first capability: run, see, take back, prove.
    Spine,
    /// Judging: what waits, who decides, limits.
    Judgement,
    /// Control: the server, the kill switch, approvals anywhere.
    Control,
}

/// The promises of control that tests show.
const CONTROL: [Item; 8] = [
    Item {
        name: "1-console",
        tests: "(package(rescind-scenarios) & test(/^(console|browser)::/))",
        counts: &[],
    },
    Item {
        name: "3-kill",
        tests: "(package(rescind-scenarios) & test(/^kill(_load)?::/)) | (package(rescind-supervisor) & test(/control/))",
        counts: &[
            ("RESCIND_KILL_SESSIONS", "50"),
            ("RESCIND_KILL_CALLS", "100"),
            ("RESCIND_KILLER_KILLS", "100"),
        ],
    },
    Item {
        name: "4-server-kill",
        tests: "(package(rescind-scenarios) & test(/^(server_kill|serving)::/))",
        counts: &[("RESCIND_SERVER_KILLS", "200")],
    },
    Item {
        name: "5-access",
        tests: "(package(rescind-scenarios) & test(/^access::/)) | package(rescind-access) | package(rescind-server)",
        counts: &[],
    },
    Item {
        name: "5-fuzz",
        tests: "(package(rescind-scenarios) & test(/^fuzzed::/))",
        counts: &[("RESCIND_FUZZ_SECONDS", "1500")],
    },
    Item {
        name: "6-index",
        tests: "package(rescind-index) | (package(rescind-supervisor) & test(/holds/))",
        counts: &[("PROPTEST_CASES", "2000")],
    },
    Item {
        name: "7-told",
        tests: "(package(rescind-scenarios) & test(/^(told|signin|people)::/)) | package(rescind-notify)",
        counts: &[],
    },
    Item {
        name: "8-export",
        tests: "(package(rescind-scenarios) & test(/^(export|mirror)::/)) | package(rescind-export)",
        counts: &[("RESCIND_EXPORT_KILLS", "100"), ("RESCIND_EXPORT_ROUNDS", "20")],
    },
];

/// The promises of judging that tests show.
const JUDGEMENT: [Item; 9] = [
    Item {
        name: "1-incidents",
        tests: "test(/^(judged|development)::/)",
        counts: &[],
    },
    Item {
        name: "2-catalog",
        tests: "package(rescind-catalog)",
        counts: &[("PROPTEST_CASES", "20000")],
    },
    Item {
        name: "3-holds",
        tests: "test(/^(holds|approvals|tiers|changes|shown|novelty)::/)",
        counts: &[],
    },
    Item {
        name: "4-limits",
        tests: "(package(rescind-scenarios) & test(/^limits::/)) | (package(rescind-desk) & test(/race/))",
        counts: &[("RESCIND_RACES", "10000")],
    },
    Item {
        name: "5-policy",
        tests: "package(rescind-policy) | package(rescind-desk) - test(/race/)",
        counts: &[("PROPTEST_CASES", "20000")],
    },
    Item {
        name: "6-stage",
        tests: "test(/^stage::/)",
        counts: &[("RESCIND_PROMOTE_KILLS", "200"), ("RESCIND_PROMOTE_RACES", "50")],
    },
    Item {
        name: "7-compensation",
        tests: "test(/^compensation::/) | package(rescind-shell)",
        counts: &[],
    },
    Item {
        name: "8-scopes",
        tests: "test(/^(scopes|failing|history|hooks)::/)",
        counts: &[],
    },
    Item {
        name: "11-credentials",
        tests: "test(/^(bounds|credentials)::/)",
        counts: &[("RESCIND_CREDENTIAL_KILLS", "200")],
    },
];

/// The promises of the spine that tests show, in the order of the list. `1`, `10` and `11` are commands of their own.
const SPINE: [Item; 9] = [
    Item {
        name: "2-torture",
        tests: "test(/^torture::/)",
        counts: &[],
    },
    Item {
        name: "3-programs",
        tests: "test(/^(programs|git|agent)::/)",
        counts: &[],
    },
    Item {
        name: "4-incidents",
        tests: "test(/^(incidents|escapes)::/) | test(/::tc_/)",
        counts: &[],
    },
    Item {
        name: "5-drift",
        tests: "test(/^drift::/)",
        counts: &[],
    },
    Item {
        name: "6-crashes",
        tests: "test(/^(concurrency|crash)::/)",
        counts: &[("RESCIND_KILLS", "250"), ("RESCIND_ROUNDS", "30")],
    },
    Item {
        name: "7-tampering",
        tests: "test(/^tamper::/)",
        counts: &[("RESCIND_MUTATIONS", "5000")],
    },
    Item {
        name: "8-properties",
        tests: "package(rescind-recovery) | package(rescind-memory) | package(rescind-conformance)",
        counts: &[("RESCIND_HISTORIES", "100000"), ("PROPTEST_CASES", "100000")],
    },
    Item {
        name: "9-redaction",
        tests: "test(/^redaction::/) | package(rescind-redact)",
        counts: &[],
    },
    Item {
        name: "output",
        tests: "test(/^fidelity::/)",
        counts: &[("RESCIND_OUTPUT_MIB", "1024")],
    },
];

/// Run all parts, or those that were asked for.
///
/// # Errors
/// A promise was not kept; the rest is still tried.
pub fn run(proof: Proof, options: &[&str]) -> Result<(), Failure> {
    let seed = values(options, "--seed").first().copied().unwrap_or("20261121");
    let parts = values(options, "--part");
    let wanted = |name: &str| {
        parts.is_empty()
            || parts.iter().any(|part| {
                name == *part || name.starts_with(&format!("{part}-")) || name.ends_with(&format!("-{part}"))
            })
    };
    let counterparts = machine::prepare().map(|()| machine::counterparts())?;
    part::run(
        "release build",
        &mut cargo(&["build", "--release", "--package", "rescind", "--quiet"]),
    )?;
    let mut broken: Vec<String> = Vec::new();
    let mut note = |name: &str, done: Result<(), Failure>| {
        if let Err(failure) = done {
            println!("NOT PROVED {name}: {failure}");
            broken.push(name.to_owned());
        }
    };
    let spine = proof == Proof::Spine;
    if spine && wanted("1-fresh") {
        note("1-fresh", fresh_clone());
    }
    let items: &[Item] = match proof {
        Proof::Spine => &SPINE,
        Proof::Judgement => &JUDGEMENT,
        Proof::Control => &CONTROL,
    };
    for item in items.iter().filter(|item| wanted(item.name)) {
        note(item.name, show(item, seed, &counterparts));
    }
    if proof == Proof::Control && wanted("6-pages") {
        note("6-pages", bench::run(&["--only", "pages"]));
    }
    if proof != Proof::Control && wanted("10-bench") {
        let judging: &[&str] = if spine { &[] } else { &["--only", "judge"] };
        note("10-bench", bench::run(judging));
    }
    if spine && wanted("11-test") {
        note("11-test", twice());
    }
    match broken.as_slice() {
        [] => Ok(()),
        broken => Err(format!("not proved: {}", broken.join(", ")).into()),
    }
}

fn show(item: &Item, seed: &str, counterparts: &[machine::Counterpart]) -> Result<(), Failure> {
    let start = Instant::now();
    let filter = match item.tests.contains("package(") {
        true => item.tests.replace(
            "test(/^redaction::/)",
            &format!("({SCENARIOS} & test(/^redaction::/))"),
        ),
        false => format!("{SCENARIOS} & ({})", item.tests),
    };
    let mut tests = cargo(&[
        "nextest",
        "run",
        "--workspace",
        "--config-file",
        "tests/nextest.toml",
        "--profile",
        "prove",
    ]);
    tests.args(["--run-ignored", "all", "--color", "never", "-E", &filter]);
    tests
        .env("RESCIND_PROVE", "1")
        .env("RESCIND_SEED", seed)
        .envs(item.counts.iter().copied());
    tests.env("RESCIND_BIN", part::target().join("release/rescind"));
    tests.envs(counterparts.iter().map(|(name, place)| (name, place)));
    let folder = part::target().join("prove");
    fs::create_dir_all(&folder)?;
    let log = folder.join(format!("{}.log", item.name));
    let file = fs::File::create(&log)?;
    let status = tests
        .stdout(Stdio::from(file.try_clone()?))
        .stderr(Stdio::from(file))
        .status()?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let mut out = std::io::stdout().lock();
    for line in text
        .lines()
        .filter_map(|line| line.split_once("proved: "))
        .map(|(_, rest)| rest)
    {
        writeln!(out, "{line}")?;
    }
    for line in text.lines().filter(|line| line.contains("LEFT OUT")) {
        writeln!(out, "!!!! {}", line.trim())?;
    }
    let summary = text
        .lines()
        .rev()
        .find(|line| line.contains("Summary"))
        .unwrap_or("no summary")
        .trim();
    writeln!(
        out,
        "{}: {summary} ({:.0} s, {})",
        item.name,
        start.elapsed().as_secs_f64(),
        log.display()
    )?;
    if status.success() {
        return Ok(());
    }
    for line in text
        .lines()
        .filter(|line| line.trim_start().starts_with("FAIL") || line.contains("panicked"))
        .take(30)
    {
        writeln!(out, "  {line}")?;
    }
    Err(format!("see {}", log.display()).into())
}

/// Both commands of the README in a fresh clone, as a user who never was here, with nothing of ours in any cache.
fn fresh_clone() -> Result<(), Failure> {
    const NEWCOMER: u32 = 23_456;
    if !rustix::process::geteuid().is_root() {
        return Err("only root can become a new user".into());
    }
    let place = tempfile::Builder::new().prefix("rescind-fresh-").tempdir()?;
    let home = place.path().join("home");
    fs::create_dir(&home)?;
    for path in [place.path(), &home] {
        chown(path, Some(NEWCOMER), Some(NEWCOMER))?;
    }
    // Where the toolchain is a user's own, nobody else can read it: the new user gets a copy.
    let sysroot = Command::new("rustc")
        .args(["--print", "sysroot"])
        .output()?
        .stdout;
    let mut copy = Command::new("cp");
    copy.arg("-a").arg(String::from_utf8(sysroot)?.trim());
    part::run(
        "1 a toolchain for a new user",
        copy.arg(place.path().join("toolchain")),
    )?;
    let own = std::env::var("HOME").unwrap_or_default();
    let path = std::env::var("PATH").unwrap_or_default();
    let others = path.split(':').filter(|folder| !folder.starts_with(&own));
    let toolchain = place.path().join("toolchain/bin").display().to_string();
    let path = std::iter::once(&*toolchain)
        .chain(others)
        .collect::<Vec<_>>()
        .join(":");
    let id = NEWCOMER.to_string();
    let newcomer = |arguments: &[&str], dir: &Path| {
        let mut command = Command::new("setpriv");
        command
            .args([
                &format!("--reuid={id}"),
                &format!("--regid={id}"),
                "--clear-groups",
                "--",
            ])
            .args(arguments);
        command
            .current_dir(dir)
            .env_clear()
            .env("HOME", &home)
            .env("PATH", &path)
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null());
        command
    };
    // Git clones for nobody from a folder that is somebody else's: what is cloned is given away.
    let clone = place.path().join("rescind");
    let mut git = Command::new("git");
    git.args(["clone", "--quiet", "--no-hardlinks"]);
    git.arg(part::repository().canonicalize()?).arg(&clone);
    part::run("1 clone", &mut git)?;
    let mut give = Command::new("chown");
    give.args(["-R", &format!("{id}:{id}")]).arg(&clone);
    part::run("1 a new user's own", &mut give)?;
    part::run(
        "1 README command one: cargo run --release -- tour",
        &mut newcomer(&["cargo", "run", "--release", "--quiet", "--", "tour"], &clone),
    )?;
    part::run(
        "1 README command two: cargo xtask test",
        &mut newcomer(&["cargo", "xtask", "test"], &clone),
    )
}

fn twice() -> Result<(), Failure> {
    for turn in ["first", "second"] {
        let start = Instant::now();
        test::run()?;
        println!(
            "11 cargo xtask test, {turn} time: {:.0} s",
            start.elapsed().as_secs_f64()
        );
    }
    Ok(())
}
