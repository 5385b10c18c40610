//! How long a verdict takes, catalog and policies together: `cargo run --release -p rescind-desk --example judge_bench`.
//!
//! The corpus of the catalog, each command once as words and once as a shell's text, at desks with 0, 10, 100 and 1,000
//! policies of one's own, against a loop that judges nothing. One JSON object a line, times in microseconds.

use rescind_desk::{Acting, Configuration, SessionDesk, Tally};
use rescind_model::Level;
use rescind_policy::Environment;
use rescind_supervisor::{Asked, Desk as _, Judged};
use std::error::Error;
use std::time::{Duration, Instant};

const CORPUS: [&str; 3] = [
    include_str!("../../catalog/tests/corpus/cloud_and_cluster.tsv"),
    include_str!("../../catalog/tests/corpus/machine.tsv"),
    include_str!("../../catalog/tests/corpus/tricks.tsv"),
];

const ROUNDS: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let commands: Vec<&str> = CORPUS
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.split('\t').nth(1))
        .collect();
    let environment: Vec<Vec<u8>> = std::env::vars()
        .map(|(name, value)| format!("{name}={value}").into_bytes())
        .collect();
    let words: Vec<Vec<String>> = commands
        .iter()
        .map(|text| text.split_whitespace().map(str::to_owned).collect())
        .collect();
    let texts: Vec<Vec<String>> = commands
        .iter()
        .map(|text| vec!["/bin/sh".to_owned(), "-c".to_owned(), (*text).to_owned()])
        .collect();
    for (mix, argvs) in [("words", &words), ("texts", &texts)] {
        print(mix, "empty", measure(argvs, |_| ()));
        for own in [0, 10, 100, 1_000] {
            let mut desk = desk(own)?;
            let times = measure(argvs, |argv| {
                let judged = judge(&mut desk, argv, &environment);
                desk.settled(&judged, true);
            });
            print(mix, &format!("{own} policies"), times);
        }
    }
    Ok(())
}

fn judge(desk: &mut SessionDesk, argv: &[String], environment: &[Vec<u8>]) -> Judged {
    desk.judge(&Asked {
        node: 1,
        parent: 0,
        exe: argv.first().map_or("", String::as_str),
        file: "",
        argv,
        cwd: "/work",
        environment,
        cleared: None,
        scopes: None,
    })
}

/// The times of each command, over all rounds.
fn measure(argvs: &[Vec<String>], mut judge: impl FnMut(&[String])) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::with_capacity(ROUNDS); argvs.len()];
    for _ in 0..ROUNDS {
        for (argv, own) in argvs.iter().zip(&mut times) {
            let begun = Instant::now();
            judge(std::hint::black_box(argv));
            own.push(begun.elapsed());
        }
    }
    times
}

/// All verdicts, and each command's median: what other programs on the machine cost is in the first alone.
fn print(mix: &str, what: &str, mut times: Vec<Vec<Duration>>) {
    let at = |times: &[Duration], share: usize| {
        let time = times.get(times.len() * share / 1_000).copied();
        time.unwrap_or_default().as_nanos() as f64 / 1_000.0
    };
    let mut all: Vec<Duration> = times.iter().flatten().copied().collect();
    all.sort();
    let median = |own: &mut Vec<Duration>| {
        own.sort();
        own.get(own.len() / 2).copied().unwrap_or_default()
    };
    let mut medians: Vec<Duration> = times.iter_mut().map(median).collect();
    medians.sort();
    println!(
        "{{\"mix\":\"{mix}\",\"desk\":\"{what}\",\"verdicts\":{},\"p50_us\":{:.1},\"p99_us\":{:.1},\
         \"p99_of_commands_us\":{:.1}}}",
        all.len(),
        at(&all, 500),
        at(&all, 990),
        at(&medians, 990)
    );
}

fn desk(own: usize) -> Result<SessionDesk, Box<dyn Error>> {
    let mut text = String::new();
    for number in 0..own {
        text.push_str(&format!(
            "@id(\"own.{number}\") @hold(\"team{number}\") forbid (principal, action == Action::\"delete\", resource in \
             Domain::\"team{number}\") when {{ context.surface == \"postgres\" }};\n"
        ));
    }
    let file = std::env::temp_dir().join(format!("rescind-judge-bench-{}.cedar", std::process::id()));
    std::fs::write(&file, text)?;
    let acting = Acting {
        session: "1m7z0000000a2".parse()?,
        agent: "bot".to_owned(),
        owner: "ann".to_owned(),
        domain: "team1".to_owned(),
        environment: Environment::Production,
        path: "/usr/bin:/bin".to_owned(),
        cwd: "/work".to_owned(),
    };
    let begun = Instant::now();
    let desk = SessionDesk::new(
        &Configuration::default().with_policies(vec![file.clone()]),
        acting,
        Tally::at(file.clone(), Level::Process),
    )?
    .record_only();
    println!(
        "{{\"policies\":{own},\"desk_made_in_ms\":{:.1}}}",
        begun.elapsed().as_secs_f64() * 1e3
    );
    std::fs::remove_file(file)?;
    Ok(desk)
}
