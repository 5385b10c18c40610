//! A seeded slice of the proof; `cargo xtask prove spine` runs the whole of it.

use rescind_conformance::prove;

#[test]
fn the_properties_of_recovery_hold_over_generated_histories() {
    let report = prove(2_000, 20_261_121);
    println!("{report}");
    assert!(report.failures.is_empty(), "{report}");
    let vacuous = report.vacuous * 10;
    assert!(vacuous < 2_000 * 3, "too many histories say nothing: {report}");
    assert!(
        report.histories.values().all(|count| *count > 100),
        "a property is hardly tried: {report}"
    );
    assert!(
        report.deaths > 100 && report.conflicts > 100 && report.compensated > 100,
        "{report}"
    );
}
