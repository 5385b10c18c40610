//! `cargo run --release -p rescind-conformance --example prove -- HISTORIES [SEED]`, or `one SEED` to run a history again.
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, or: u64| arguments.get(at).and_then(|text| text.parse().ok()).unwrap_or(or);
    let report = if arguments.first().is_some_and(|first| first == "one") {
        rescind_conformance::prove_one(number(1, 0))
    } else {
        rescind_conformance::prove(number(0, 2_000), number(1, 1))
    };
    println!("{report}");
}
