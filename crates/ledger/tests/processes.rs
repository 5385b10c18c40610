//! Several real processes on one ledger: stopped, killed and failing at every step of appending and signing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions and not in their helpers"
)]

use rescind_ledger::{Against, Interference, Ledger, Options, Probe, Step, verify};
use rescind_model::Level;
use rustix::process::{Pid, Signal, getpid, kill_process};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const STEPS: [Step; 19] = [
    Step::Claim,
    Step::Header,
    Step::Allocate,
    Step::Tidy,
    Step::Locked,
    Step::Append,
    Step::Fence,
    Step::SyncSegment,
    Step::SyncDir,
    Step::KeyTemp,
    Step::KeyName,
    Step::PublicTemp,
    Step::PublicName,
    Step::MirrorsTemp,
    Step::MirrorsName,
    Step::CheckpointTemp,
    Step::CheckpointName,
    Step::FrontierTemp,
    Step::FrontierName,
];

/// Sends this process a signal at the n-th time of a step, before or after it.
struct Signaller {
    step: Step,
    turn: u32,
    after: bool,
    signal: Signal,
    seen: AtomicU32,
}

impl Signaller {
    fn at(&self, step: Step, after: bool) {
        if step == self.step
            && after == self.after
            && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.turn
        {
            kill_process(getpid(), self.signal).unwrap();
            // The signal may be delivered by way of another thread: this one must not run on meanwhile.
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Probe for Signaller {
    fn before(&self, step: Step) -> Interference {
        self.at(step, false);
        Interference::None
    }

    fn after(&self, step: Step) {
        self.at(step, true);
    }
}

/// Fails at the n-th time of a step.
struct Failer {
    step: Step,
    turn: u32,
    how: Interference,
    seen: AtomicU32,
}

impl Probe for Failer {
    fn before(&self, step: Step) -> Interference {
        let hit = step == self.step && self.seen.fetch_add(1, Ordering::Relaxed) + 1 == self.turn;
        if hit { self.how } else { Interference::None }
    }
}

/// The body of a child process. Started by [`spawn`] with its orders in the environment.
#[test]
#[ignore = "the other tests run this one as a child process"]
fn child() {
    let orders = std::env::var("LEDGER_CHILD").unwrap();
    let orders: Vec<&str> = orders.split('|').collect();
    let [dir, name, count, step, turn, after, signal] = orders[..] else {
        panic!("orders")
    };
    let probe = STEPS
        .iter()
        .find(|known| format!("{known:?}") == step)
        .map(|step| {
            let signal = if signal == "stop" {
                Signal::STOP
            } else {
                Signal::KILL
            };
            let turn = turn.parse().unwrap();
            Arc::new(Signaller {
                step: *step,
                turn,
                after: after == "after",
                signal,
                seen: AtomicU32::new(0),
            }) as Arc<dyn Probe>
        });
    work(Path::new(dir), name, count.parse().unwrap(), probe);
}

/// Append entries by turns at both levels, sign now and then; tell each acknowledged entry on stderr.
fn work(dir: &Path, name: &str, count: u32, probe: Option<Arc<dyn Probe>>) {
    let options = Options {
        probe,
        ..Options::default()
    };
    let ledger = Ledger::open(dir, &options).unwrap();
    for turn in 0..count {
        let entry = format!("{name}-{turn} {}", "x".repeat(turn as usize * 37 % 5000));
        let level = if turn % 5 == 4 {
            Level::Power
        } else {
            Level::Process
        };
        let index = ledger.append(entry.as_bytes(), level).unwrap();
        // One write a line, so that a line of a killed child is whole or missing.
        std::io::stderr()
            .write_all(format!("ack {index} {name}-{turn}\n").as_bytes())
            .unwrap();
        if turn % 10 == 9 {
            ledger.checkpoint().unwrap();
        }
    }
    ledger.checkpoint().unwrap();
}

fn spawn(dir: &Path, name: &str, count: u32, at: Option<(Step, u32, bool, &str)>) -> Child {
    let (step, turn, after, signal) =
        at.map_or(("none".to_owned(), 0, "", ""), |(step, turn, after, signal)| {
            (
                format!("{step:?}"),
                turn,
                if after { "after" } else { "before" },
                signal,
            )
        });
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "child", "--nocapture"])
        .env(
            "LEDGER_CHILD",
            format!("{}|{name}|{count}|{step}|{turn}|{after}|{signal}", dir.display()),
        )
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What a child was told, once it has ended.
fn acknowledged(child: &mut Child) -> BTreeMap<u64, String> {
    let mut acks = BTreeMap::new();
    let mut rest = String::new();
    for line in BufReader::new(child.stderr.take().unwrap()).lines() {
        let line = line.unwrap();
        match line.strip_prefix("ack ").and_then(|line| line.split_once(' ')) {
            Some((index, name)) => drop(acks.insert(index.parse().unwrap(), name.to_owned())),
            None => rest.push_str(&line),
        }
    }
    let status = child.wait().unwrap();
    let killed = std::os::unix::process::ExitStatusExt::signal(&status) == Some(9);
    assert!(status.success() || killed, "{status}: {rest}");
    acks
}

fn pid(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn wait_until_stopped(child: &mut Child) {
    let start = Instant::now();
    loop {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap();
        if stat.rsplit(") ").next().unwrap().starts_with('T') {
            return;
        }
        assert!(
            child.try_wait().unwrap().is_none(),
            "the child ended before it came to the step"
        );
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "the child never came to the step"
        );
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Every acknowledged entry is where it was said to be, none is there twice, and the verifier finds no fault.
fn judge(dir: &Path, acks: &BTreeMap<u64, String>) -> Vec<String> {
    let report = verify(dir, &Against::default());
    assert!(report.is_sound(), "{:#?}", report.faults);
    let ledger = Ledger::open(dir, &Options::default()).unwrap();
    let entries: Vec<String> = ledger
        .cursor(0)
        .unwrap()
        .map(|entry| {
            String::from_utf8(entry.unwrap().1)
                .unwrap()
                .split(' ')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    for (index, name) in acks {
        assert_eq!(entries.get(*index as usize), Some(name), "entry {index}");
    }
    let mut once = entries.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), entries.len(), "an entry is there twice");
    ledger.append(b"after", Level::Power).unwrap();
    ledger.checkpoint().unwrap();
    let report = verify(dir, &Against::default());
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.beyond(), 0);
    entries
}

/// Whatever there is opens; what was never begun is begun.
fn opens(dir: &Path) {
    if !dir.join("log.000001").exists() {
        Ledger::open(dir, &Options::default()).unwrap();
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let temp = quick();
    let dir = temp.path().join("ledger");
    (temp, dir)
}

#[test]
fn a_writer_stopped_inside_the_critical_section_holds_nobody_up_and_loses_nothing() {
    for (step, after) in [
        (Step::Locked, true),
        (Step::Append, false),
        (Step::Append, true),
        (Step::CheckpointName, false),
    ] {
        let (_temp, dir) = scratch();
        let mut stopped = spawn(
            &dir,
            "stopped",
            15,
            Some((
                step,
                if step == Step::CheckpointName { 1 } else { 7 },
                after,
                "stop",
            )),
        );
        wait_until_stopped(&mut stopped);
        let ledger = Ledger::open(&dir, &Options::default()).unwrap();
        let mut acks = BTreeMap::new();
        for turn in 0..20 {
            let start = Instant::now();
            let index = ledger
                .append(format!("other-{turn}").as_bytes(), Level::Process)
                .unwrap();
            assert!(
                start.elapsed() < Duration::from_secs(2),
                "{step:?}: waited {:?}",
                start.elapsed()
            );
            acks.insert(index, format!("other-{turn}"));
        }
        assert!(
            dir.join("log.000002").exists(),
            "{step:?}: nobody had to take over"
        );
        ledger.checkpoint().unwrap();
        kill_process(pid(&stopped), Signal::CONT).unwrap();
        acks.extend(acknowledged(&mut stopped));
        assert_eq!(acks.len(), 35);
        let entries = judge(&dir, &acks);
        assert_eq!(entries.len(), 35, "{step:?}");
    }
}

#[test]
fn a_taker_stopped_or_killed_between_claim_and_header_is_overtaken_or_completed() {
    for (step, after, signal) in [
        (Step::Claim, true, "stop"),
        (Step::Header, false, "stop"),
        (Step::Header, true, "stop"),
        (Step::Claim, true, "kill"),
        (Step::Header, false, "kill"),
        (Step::Header, true, "kill"),
    ] {
        let (_temp, dir) = scratch();
        let mut first = spawn(&dir, "first", 9, Some((Step::Append, 5, false, "stop")));
        wait_until_stopped(&mut first);
        // The first claim and header of the second process are those of its takeover: the ledger exists.
        // It is waited for below, killed or let go.
        #[expect(
            clippy::zombie_processes,
            reason = "the lint does not see through `acknowledged`"
        )]
        let mut second = spawn(&dir, "second", 9, Some((step, 1, after, signal)));
        if signal == "stop" {
            wait_until_stopped(&mut second);
        }
        let mut acks = if signal == "kill" {
            acknowledged(&mut second)
        } else {
            BTreeMap::new()
        };
        let start = Instant::now();
        let ledger = Ledger::open(&dir, &Options::default()).unwrap();
        for turn in 0..5 {
            let index = ledger
                .append(format!("third-{turn}").as_bytes(), Level::Power)
                .unwrap();
            acks.insert(index, format!("third-{turn}"));
        }
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "{step:?} {signal}: {:?}",
            start.elapsed()
        );
        ledger.checkpoint().unwrap();
        kill_process(pid(&first), Signal::CONT).unwrap();
        acks.extend(acknowledged(&mut first));
        if signal == "stop" {
            kill_process(pid(&second), Signal::CONT).unwrap();
            acks.extend(acknowledged(&mut second));
            assert_eq!(acks.len(), 23);
        }
        judge(&dir, &acks);
    }
}

#[test]
fn a_process_killed_before_or_after_any_write_leaves_a_sound_ledger() {
    let mut reached = Vec::new();
    for step in STEPS {
        for after in [false, true] {
            for turn in [1, 3, 8] {
                let (_temp, dir) = scratch();
                let mut killed = spawn(&dir, "killed", 12, Some((step, turn, after, "kill")));
                let acks = acknowledged(&mut killed);
                if acks.len() < 12 {
                    reached.push(step);
                }
                opens(&dir);
                let entries = judge(&dir, &acks);
                assert!(
                    entries.len() <= acks.len() + 1,
                    "{step:?}: entries nobody appended"
                );
            }
        }
    }
    reached.dedup();
    assert!(reached.len() >= 17, "only these steps were reached: {reached:?}");
}

#[test]
fn a_write_that_fails_or_fails_and_is_stored_leaves_a_sound_ledger_that_works_again() {
    const EIO: i32 = 5;
    const ENOSPC: i32 = 28;
    let mut failed = 0;
    for step in STEPS {
        for how in [
            Interference::Fail(EIO),
            Interference::Fail(ENOSPC),
            Interference::FailStored(EIO),
        ] {
            for turn in [1, 2, 4] {
                let (_temp, dir) = scratch();
                let probe = Arc::new(Failer {
                    step,
                    turn,
                    how,
                    seen: AtomicU32::new(0),
                });
                let options = Options {
                    probe: Some(probe.clone()),
                    ..Options::default()
                };
                let mut acks = BTreeMap::new();
                let mut refused = Vec::new();
                if let Ok(ledger) = Ledger::open(&dir, &options) {
                    for number in 0..8 {
                        let name = format!("entry-{number}");
                        let level = if number % 2 == 0 {
                            Level::Power
                        } else {
                            Level::Process
                        };
                        match ledger.append(name.as_bytes(), level) {
                            Ok(index) => drop(acks.insert(index, name)),
                            Err(_) => refused.push(name),
                        }
                        if number == 3 {
                            let _may_fail = ledger.checkpoint();
                        }
                    }
                    let _may_fail = ledger.mirror_add("/nowhere/at/all");
                    let _may_fail = ledger.checkpoint();
                }
                opens(&dir);
                failed += usize::from(probe.seen.load(Ordering::Relaxed) >= turn);
                let entries = judge(&dir, &acks);
                // What was refused is not there, save where the sync or the fence could not be had, and the
                // error says so.
                if !matches!(step, Step::SyncSegment | Step::SyncDir | Step::Fence) {
                    assert!(
                        refused.iter().all(|name| !entries.contains(name)),
                        "{step:?} {how:?}: {refused:?}"
                    );
                }
            }
        }
    }
    assert!(failed >= 100, "only {failed} faults were met");
}

#[test]
fn writers_killed_at_random_moments_lose_nothing_that_was_acknowledged() {
    let (_temp, dir) = scratch();
    Ledger::open(&dir, &Options::default()).unwrap();
    let kills: u64 = std::env::var("RESCIND_KILLS").map_or(25, |text| text.parse().unwrap());
    let mut acks = BTreeMap::new();
    let mut random = 12345_u64;
    let mut running: Vec<Child> = (0..3)
        .map(|number| spawn(&dir, &format!("c{number}"), u32::MAX, None))
        .collect();
    for kill in 0..kills {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        std::thread::sleep(Duration::from_micros(20_000 + (random >> 33) % 60_000));
        let mut victim = running.swap_remove((random >> 20) as usize % running.len());
        // Its pipe must be read while it writes, so it is killed first.
        kill_process(pid(&victim), Signal::KILL).unwrap();
        acks.extend(acknowledged(&mut victim));
        running.push(spawn(&dir, &format!("k{kill}"), u32::MAX, None));
    }
    for mut child in running {
        kill_process(pid(&child), Signal::KILL).unwrap();
        acks.extend(acknowledged(&mut child));
    }
    // How many there are is the machine's speed; that there are any makes the judgement one.
    assert!(!acks.is_empty());
    judge(&dir, &acks);
}

/// A scratch folder in memory where there is one: what is tested here is not the disk, and its syncs are slow.
fn quick() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}
