//! The properties of recovery (DESIGN section 5) over generated histories on the in-memory surface.

mod check;
mod history;
mod properties;
mod random;

use random::Random;
use std::collections::BTreeMap;
use std::fmt;

/// A history on which a property does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The history's own seed: `prove_one` runs it again.
    pub seed: u64,
    /// The property.
    pub property: &'static str,
    /// What happened instead.
    pub what: String,
}

/// What a proof came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Histories, by the property they were held against.
    pub histories: BTreeMap<&'static str, u64>,
    /// Undos that were carried out.
    pub undos: u64,
    /// Times that a process died in the middle of one.
    pub deaths: u64,
    /// Undos that met conflicts.
    pub conflicts: u64,
    /// Undos that left something as it was because it can't come back.
    pub lost: u64,
    /// Resources restored.
    pub restored: u64,
    /// Calls compensated.
    pub compensated: u64,
    /// Histories that say nothing on their property (both orders of two undos with conflicts between them).
    pub vacuous: u64,
    /// Where a property does not hold. At most 20 are kept.
    pub failures: Vec<Failure>,
    /// How often a property does not hold.
    pub failed: u64,
}

/// Generate `histories` histories from `seed` and hold each against the properties, on as many threads as there are
/// processors.
#[must_use]
pub fn prove(histories: u64, seed: u64) -> Report {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get() as u64);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let mut report = Report::default();
                    for number in (worker..histories).step_by(usize::try_from(threads).unwrap_or(1)) {
                        one(Random::seed(seed, number), &mut report);
                    }
                    report
                })
            })
            .collect();
        let mut report = Report::default();
        for worker in workers {
            report.add(
                worker
                    .join()
                    .expect("a worker panicked: the seed is in its message"),
            );
        }
        report
    })
}

/// Run one history again, from its own seed.
#[must_use]
pub fn prove_one(seed: u64) -> Report {
    let mut report = Report::default();
    one(seed, &mut report);
    report
}

fn one(seed: u64, report: &mut Report) {
    let mut random = Random::new(seed);
    let (property, hold) = *random.pick(properties::ALL);
    *report.histories.entry(property).or_default() += 1;
    if let Err(what) = hold(&mut random, report) {
        report.failed += 1;
        if report.failures.len() < 20 {
            report.failures.push(Failure { seed, property, what });
        }
    }
}

impl Report {
    fn add(&mut self, other: Self) {
        for (property, count) in other.histories {
            *self.histories.entry(property).or_default() += count;
        }
        self.undos += other.undos;
        self.deaths += other.deaths;
        self.conflicts += other.conflicts;
        self.lost += other.lost;
        self.restored += other.restored;
        self.compensated += other.compensated;
        self.vacuous += other.vacuous;
        self.failed += other.failed;
        self.failures.extend(other.failures);
        self.failures.truncate(20);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: u64 = self.histories.values().sum();
        writeln!(
            f,
            "{all} histories, {} do not hold ({} say nothing on their property)",
            self.failed, self.vacuous
        )?;
        for (property, count) in &self.histories {
            writeln!(f, "  {count:>7}  {property}")?;
        }
        writeln!(
            f,
            "{} undos, {} deaths in the middle of one, {} with conflicts, {} with losses; {} resources restored, {} calls \
             compensated",
            self.undos, self.deaths, self.conflicts, self.lost, self.restored, self.compensated
        )?;
        for failure in &self.failures {
            writeln!(f, "seed {}: {}: {}", failure.seed, failure.property, failure.what)?;
        }
        Ok(())
    }
}
