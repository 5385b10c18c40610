//! A seeded slice of the proof. `RESCIND_HISTORIES` and `RESCIND_SEED` say how much of it and where it begins.

#![allow(clippy::panic, reason = "a test")]

use rescind_conformance::prove;

fn number(name: &str, or: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is `{text}`, not a number")),
        Err(_) => or,
    }
}

#[test]
fn the_properties_of_recovery_hold_over_generated_histories() {
    let histories = number("RESCIND_HISTORIES", 2_000);
    let seed = number("RESCIND_SEED", 20_261_121);
    let report = prove(histories, seed);
    println!("proved: recovery over histories (seed {seed}): {report}");
    assert!(report.failures.is_empty(), "{report}");
    assert!(
        report.vacuous * 10 < histories * 3,
        "too many histories say nothing: {report}"
    );
    assert!(
        report.histories.values().all(|count| *count > histories / 20),
        "a property is hardly tried: {report}"
    );
    let least = histories / 20;
    assert!(
        report.deaths > least && report.conflicts > least && report.compensated > least,
        "{report}"
    );
}
