//! How long a judgement takes: `cargo run --release -p rescind-catalog --example judge_bench`.

use rescind_catalog::{Catalog, Context};
use std::time::Instant;

const CORPUS: [&str; 3] = [
    include_str!("../tests/corpus/cloud_and_cluster.tsv"),
    include_str!("../tests/corpus/machine.tsv"),
    include_str!("../tests/corpus/tricks.tsv"),
];

fn main() {
    let begun = Instant::now();
    let catalog = match Catalog::builtin() {
        Ok(catalog) => catalog,
        Err(error) => {
            eprintln!("{error}");
            return;
        }
    };
    println!(
        "{} entries read in {:?}",
        catalog.entries().len(),
        begun.elapsed()
    );
    let commands: Vec<&str> = CORPUS
        .iter()
        .flat_map(|text| text.lines())
        .filter_map(|line| line.split('\t').nth(1))
        .collect();
    let context = Context::default();
    let measure = |name: &str, judge: &dyn Fn(&str)| {
        let mut times = Vec::new();
        for _ in 0..50 {
            for command in &commands {
                let begun = Instant::now();
                judge(command);
                times.push(begun.elapsed());
            }
        }
        times.sort();
        let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
        println!(
            "{name}: p50 {:?}  p99 {:?}  p99.9 {:?}",
            at(500),
            at(990),
            at(999)
        );
    };
    measure("a shell text", &|command| {
        let _judged = catalog.judge_text(command, &context);
    });
    measure("words of one command", &|command| {
        let argv: Vec<&str> = command.split(' ').collect();
        let _judged = catalog.judge_argv(&argv, &context);
    });
}
