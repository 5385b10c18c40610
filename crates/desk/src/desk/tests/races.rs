//! Processes race for the last unit of a limit, and are killed at every step of it: never one too many, none lost.

use super::{desk_at, judge, runs};
use rescind_model::Timestamp;
use rescind_policy::{Counters, Measure, Quantity};
use rescind_supervisor::Desk;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const PLACE: &str = "RESCIND_RACE_PLACE";
const LIMIT: &str = "[[limit]]\nid = \"last\"\nper = \"domain\"\nmeasure = \"actions\"\ncap = 1\n";
/// A fresh state directory after so many rounds, so that reading all of it stays quick.
const ROUNDS_A_PLACE: u64 = 250;
const STEPS: [&str; 6] = ["locked", "appending", "half", "appended", "drafted", "renamed"];

/// One racer, driven by lines on its standard input: `try ROUND STEP`, `end STEP`, `drop STEP`. It dies at that step.
#[test]
#[ignore = "a process of the races"]
fn racer() {
    let Some(place) = std::env::var_os(PLACE).map(PathBuf::from) else {
        return;
    };
    let mut desk = desk_at(&place);
    let mut node = 0;
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        // `-` is no step, so that nobody dies later of what was meant for now.
        desk.usage.tally().die_at(words.last().unwrap(), 1);
        let said = match words.as_slice() {
            ["try", round, ..] => {
                node += 1;
                desk.session.domain = format!("round-{round}");
                let judged = judge(&mut desk, "rm x", node, 0, None);
                let won = runs(&judged);
                if won {
                    desk.settled(&judged, true);
                }
                if won { "won" } else { "held" }
            }
            ["end", ..] => {
                desk.ended(node, Some(1));
                "done"
            }
            ["drop", ..] => {
                desk.ended(node, None);
                "done"
            }
            _ => panic!("{line}"),
        };
        println!("\nrace: {said}");
    }
}

struct Racer {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Racer {
    fn start(place: &Path) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "desk::tests::races::racer", "--ignored", "--nocapture"]);
        command.env(PLACE, place).stdin(Stdio::piped());
        let mut process = command
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            orders: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            process,
        }
    }

    fn order(&mut self, order: &str) {
        let _dead_then = writeln!(self.orders, "{order}");
    }

    /// What it answered; `None` if it died.
    fn answer(&mut self) -> Option<String> {
        for line in self.answers.by_ref().lines() {
            if let Some(said) = line.ok()?.strip_prefix("race: ") {
                return Some(said.to_owned());
            }
        }
        None
    }

    fn ask(&mut self, order: &str) -> Option<String> {
        self.order(order);
        self.answer()
    }
}

impl Drop for Racer {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    /// Where somebody dies, in one of eight cases.
    fn step(&mut self) -> &'static str {
        match self.below(8) {
            0 => STEPS[self.below(STEPS.len() as u64) as usize],
            _ => "-",
        }
    }
}

/// A course with its racers.
struct Course {
    place: PathBuf,
    racers: Vec<Racer>,
    random: Random,
    deaths: u64,
}

impl Course {
    /// What is used in a round, by the store.
    fn used(&self, round: u64) -> u64 {
        let state = crate::Tally::read(&self.place.join("limits")).unwrap();
        let counters: &Counters = state.counters();
        let own = counters
            .iter()
            .find(|(bucket, _)| bucket.owner == format!("round-{round}"));
        match own.map(|(_, counter)| counter.used(None, Timestamp(0), Measure::Actions)) {
            Some(Quantity::Count(count)) => count,
            None => 0,
            Some(other) => panic!("{other:?}"),
        }
    }

    fn replace(&mut self, number: usize) {
        self.deaths += 1;
        self.racers[number] = Racer::start(&self.place);
    }

    /// All try at once, some to their death; then the winner ends, and another one tries. What must be so is asserted.
    fn round(&mut self, round: u64) {
        let steps: Vec<&str> = self.racers.iter().map(|_| self.random.step()).collect();
        let killed =
            (self.random.below(8) == 0).then(|| self.random.below(self.racers.len() as u64) as usize);
        for (racer, step) in self.racers.iter_mut().zip(&steps) {
            racer.order(&format!("try {round} {step}"));
        }
        if let Some(number) = killed {
            for _ in 0..self.random.below(40_000) {
                std::hint::spin_loop();
            }
            self.racers[number].process.kill().unwrap();
        }
        let answers: Vec<Option<String>> = self.racers.iter_mut().map(Racer::answer).collect();
        let winners: Vec<usize> = (0..answers.len())
            .filter(|number| answers[*number].as_deref() == Some("won"))
            .collect();
        let dead: Vec<usize> = (0..answers.len())
            .filter(|number| answers[*number].is_none() || killed == Some(*number))
            .collect();
        let used = self.used(round);
        assert!(
            winners.len() <= 1 && used <= 1,
            "round {round}: one too many: {answers:?}, {used} used, {steps:?}, killed {killed:?}, {:?}\n{}",
            self.racers
                .iter()
                .map(|racer| racer.process.id())
                .collect::<Vec<_>>(),
            std::fs::read_to_string(self.place.join("limits/journal")).unwrap()
        );
        assert!(
            used as usize >= winners.len(),
            "round {round}: a unit is lost: {answers:?}, {used} used"
        );
        if dead.is_empty() {
            assert_eq!(
                winners.len(),
                1,
                "round {round}: nobody won: {answers:?}, {steps:?}"
            );
        }
        for number in &dead {
            self.replace(*number);
        }
        let winner = winners.first().copied().filter(|winner| !dead.contains(winner));
        let left = match winner {
            Some(winner) => self.end(round, winner),
            None => 1 - used,
        };
        let other = self.random.below(self.racers.len() as u64) as usize;
        let again = self.racers[other].ask(&format!("try {round} -"));
        let expected = if left == 1 { "won" } else { "held" };
        assert_eq!(
            again.as_deref(),
            Some(expected),
            "round {round}: {answers:?}, {steps:?}, {left} left"
        );
        if left == 1 {
            self.racers[other].ask("end -");
        }
        assert_eq!(self.used(round), 1, "round {round}");
    }

    /// The winner ends, or did not run, or dies over it; how much is left then.
    fn end(&mut self, round: u64, winner: usize) -> u64 {
        let order = if self.random.below(2) == 0 { "end" } else { "drop" };
        let step = self.random.step();
        let answer = self.racers[winner].ask(&format!("{order} {step}"));
        if answer.is_none() {
            self.replace(winner);
        }
        let used = self.used(round);
        // Whoever died before it was written that it did not run may have run: that is never given back.
        let given_back = order == "drop" && !["locked", "appending", "half"].contains(&step);
        assert_eq!(used, u64::from(!given_back), "round {round}: {order} {step}");
        1 - used
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn race(racers: usize) {
    let rounds = number("RESCIND_RACES", if racers > 2 { 60 } else { 200 });
    let seed = number("RESCIND_SEED", 20_261_121) + racers as u64;
    let (mut random, mut deaths) = (Random(seed), 0);
    for from in (0..rounds).step_by(ROUNDS_A_PLACE as usize) {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("limits.toml"), LIMIT).unwrap();
        let mut course = Course {
            racers: (0..racers).map(|_| Racer::start(place.path())).collect(),
            place: place.path().to_owned(),
            random,
            deaths: 0,
        };
        for round in from..rounds.min(from + ROUNDS_A_PLACE) {
            course.round(round);
        }
        (random, deaths) = (course.random, deaths + course.deaths);
    }
    println!(
        "proved: 4 limits: {racers} processes, {rounds} races for the last unit, {deaths} killed: never one too many, none lost (seed {seed})"
    );
}

#[test]
fn two_processes_race_for_the_last_unit() {
    race(2);
}

#[test]
fn eight_processes_race_for_the_last_unit() {
    race(8);
}
