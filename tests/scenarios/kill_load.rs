//! The kill under load: many sessions at work, stopped at once, again and again, and measured from outside.

use rescind_scenarios::{Place, Random, Scenario, Seed, Who, count, proved, until};
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const RESTLESS: &str = env!("CARGO_BIN_EXE_restless");
const SOON: Duration = Duration::from_secs(240);

fn wall() -> i128 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    now.as_nanos() as i128
}

/// Nanoseconds since the epoch of an RFC 3339 time in UTC.
fn nanoseconds(time: &str) -> i128 {
    let digits = |from: usize, to: usize| -> i128 { time[from..to].parse().expect("digits") };
    let (year, month, day) = (digits(0, 4), digits(5, 7), digits(8, 10));
    // Days since the epoch, by the proleptic Gregorian calendar.
    let shifted = if month <= 2 { year - 1 } else { year };
    let days = 365 * shifted + shifted / 4 - shifted / 100
        + shifted / 400
        + (153 * ((month + 9) % 12) + 2) / 5
        + day
        - 1
        - 719_468;
    let seconds = days * 86_400 + digits(11, 13) * 3_600 + digits(14, 16) * 60 + digits(17, 19);
    let fraction = time[19..].trim_end_matches('Z').trim_start_matches('.');
    let padded = format!("{fraction:0<9}");
    seconds * 1_000_000_000 + padded[..9].parse::<i128>().expect("digits")
}

#[test]
fn times_are_read_as_they_are_written() {
    assert_eq!(nanoseconds("1970-01-01T00:00:00Z"), 0);
    assert_eq!(
        nanoseconds("2026-11-21T23:26:23.139794666Z"),
        1_795_303_583_139_794_666
    );
}

/// The times of the lines in a session's file.
fn marks(scenario: &Scenario, number: usize) -> Vec<i128> {
    let text = fs::read_to_string(scenario.path(format!("marks{number}"))).unwrap_or_default();
    let time = |line: &str| line.split_once(' ')?.1.parse().ok();
    text.lines().filter_map(time).collect()
}

fn start(scenario: &Scenario, number: usize) -> Child {
    let file = scenario.path(format!("marks{number}"));
    let file = file.to_str().expect("text");
    let script = "sleep 1000 & while :; do \"$0\" mark \"$1\"; sleep 0.01; done";
    let words: Vec<&str> = match number % 4 {
        0 => vec!["sh", "-c", script, RESTLESS, file],
        1 => vec![RESTLESS, "pace", file, "plain"],
        2 => vec![RESTLESS, "pace", file, "twice"],
        _ => vec![RESTLESS, "pace", file, "deaf"],
    };
    let mut command = scenario.rescind(&["run", "--quiet", "--domain", "load/test", "--"]);
    command.args(words).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("it starts")
}

/// What one kill came to, in ns.
struct Measured {
    /// From before the command was started to the last action that was let start, by the ledger.
    last_by_ledger: i128,
    /// The same from when the stop stood on the board.
    last_from_board: i128,
    /// From before the command was started, by what the programs themselves wrote.
    last_by_marks: i128,
    /// From the call to its return, as the answer has it.
    took: i128,
    /// Actions a second of all sessions in the second before.
    rate: usize,
    how: HashMap<String, usize>,
}

fn one_kill(sessions: usize, random: &mut Random) -> Measured {
    let scenario = Scenario::at(Place::Tmpfs, Who::Me);
    let mut fronts: Vec<Child> = (0..sessions).map(|number| start(&scenario, number)).collect();
    until("all to be at work", SOON, || {
        (0..sessions)
            .all(|number| marks(&scenario, number).len() > 20)
            .then_some(())
    });
    std::thread::sleep(Duration::from_micros(random.below(20_000)));
    let called = wall();
    let answer = scenario.tell(&["kill", "--domain", "load", "--json"]).success();
    let report: Value = serde_json::from_slice(&answer.stdout).expect("JSON");
    let took = (report["milliseconds"].as_f64().expect("a number") * 1e6) as i128;
    let announced = nanoseconds(report["at"].as_str().expect("a time"));
    let returned = announced + took;
    for front in &mut fronts {
        until("the fronts to end", SOON, || front.try_wait().expect("a child"));
    }
    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    let started: Vec<i128> = entries
        .iter()
        .map(|entry| entry.get("entry").unwrap_or(entry))
        .filter(|entry| entry["kind"] == "action.started")
        .map(|entry| nanoseconds(entry["time"].as_str().expect("a time")))
        .collect();
    let marked: Vec<i128> = (0..sessions)
        .flat_map(|number| marks(&scenario, number))
        .collect();
    let late = |times: &[i128]| times.iter().filter(|time| **time > returned).count();
    assert_eq!(
        (late(&started), late(&marked)),
        (0, 0),
        "started after the kill had returned"
    );
    // And nothing is left that could write: the very files say so.
    for number in 0..sessions {
        let written = fs::metadata(scenario.path(format!("marks{number}"))).expect("a file");
        let written = written
            .modified()
            .expect("a time")
            .duration_since(UNIX_EPOCH)
            .expect("a time");
        assert!(
            written.as_nanos() as i128 <= returned,
            "written after the kill had returned"
        );
    }
    let list = report["sessions"].as_array().expect("a list");
    assert_eq!(list.len(), sessions, "{report}");
    let mut how = HashMap::new();
    for one in list {
        *how.entry(one["how"].as_str().expect("a word").to_owned())
            .or_default() += 1;
    }
    scenario.verify();
    let after = |times: &[i128], from: i128| times.iter().max().map_or(0, |last| (last - from).max(0));
    let second = |time: &&i128| **time > called - 1_000_000_000 && **time <= called;
    Measured {
        last_by_ledger: after(&started, called),
        last_from_board: after(&started, announced),
        last_by_marks: after(&marked, called),
        took,
        rate: started.iter().filter(second).count(),
        how,
    }
}

/// p50, p99 and maximum, in ms.
fn spread(mut all: Vec<i128>) -> String {
    all.sort_unstable();
    let at = |part: usize| all[(all.len() * part).div_ceil(100).max(1) - 1] as f64 / 1e6;
    format!(
        "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms",
        at(50),
        at(99),
        at(100)
    )
}

#[test]
fn nothing_starts_once_a_kill_of_many_busy_sessions_has_returned() {
    let Seed(seed) = Seed::from_environment();
    let mut random = Random::new(seed);
    let sessions = count("RESCIND_KILL_SESSIONS", 5);
    let kills = count("RESCIND_KILL_CALLS", 3);
    let measured: Vec<Measured> = (0..kills).map(|_| one_kill(sessions, &mut random)).collect();
    let mut how: HashMap<&str, usize> = HashMap::new();
    for (word, number) in measured.iter().flat_map(|one| &one.how) {
        *how.entry(word).or_default() += number;
    }
    let of = |value: fn(&Measured) -> i128| spread(measured.iter().map(value).collect());
    let rate = measured.iter().map(|one| one.rate).sum::<usize>() / kills;
    proved(
        "3 kill",
        format!(
            "{kills} kills of {sessions} sessions with {rate} actions/s in all: from before the command starts to the last action started, by the \
             ledger {}, by the programs {}; from the stop on the board to the last action started {}, to the return {}; started after it returned 0; {how:?}",
            of(|one| one.last_by_ledger),
            of(|one| one.last_by_marks),
            of(|one| one.last_from_board),
            of(|one| one.took),
        ),
    );
}
