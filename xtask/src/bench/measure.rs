//! Times, ratios, and a random order.

use crate::Failure;
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// SplitMix64, seeded by the clock: the order of runs must not be the same every time.
pub struct Random(u64);

impl Random {
    /// From the clock.
    pub fn from_clock() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(now.as_secs() ^ u64::from(now.subsec_nanos()) << 20)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound.max(1) as u64) as usize
    }

    /// Fisher and Yates.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for last in (1..list.len()).rev() {
            list.swap(last, self.below(last + 1));
        }
    }
}

/// Run a command to its end; seconds.
///
/// # Errors
/// It can't be started, or fails: with what it said.
pub fn seconds(command: &mut Command) -> Result<f64, Failure> {
    let start = Instant::now();
    let output = command.output()?;
    let time = start.elapsed().as_secs_f64();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("{command:?}: {}: {}", output.status, said.trim()).into());
    }
    Ok(time)
}

/// Write back what others left, so that it isn't counted.
pub fn sync() {
    rustix::fs::sync();
}

/// Times by round and variant.
#[derive(Default)]
pub struct Ratios(BTreeMap<&'static str, BTreeMap<usize, f64>>);

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    if values.len() % 2 == 1 {
        at(middle)
    } else {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    }
}

impl Ratios {
    /// A variant took so many seconds in this round.
    pub fn add(&mut self, round: usize, variant: &'static str, seconds: f64) {
        self.0.entry(variant).or_default().insert(round, seconds);
    }

    /// A line for each variant: median of its times, and median, least and greatest of its ratios to `base`.
    pub fn print(&self, base: &str) {
        let Some(bases) = self.0.get(base) else { return };
        println!(
            "  {:<30} {:>10} {:>8} {:>17} {:>3}",
            "", "median", "ratio", "least..greatest", "n"
        );
        for (variant, times) in &self.0 {
            let ratios: Vec<f64> = times
                .iter()
                .filter_map(|(round, time)| Some(time / bases.get(round)?))
                .collect();
            let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
            let greatest = ratios.iter().copied().fold(0.0, f64::max);
            let range = format!("{least:.2}..{greatest:.2}");
            let time = median(times.values().copied().collect());
            println!(
                "  {variant:<30} {time:>8.3} s {:>8.2} {range:>17} {:>3}",
                median(ratios.clone()),
                ratios.len()
            );
        }
    }
}
