//! How often, how long and how patiently it is tried.

use std::time::Duration;

/// How often, how long and how patiently it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The longest that one try takes.
    pub time_out: Duration,
    /// The wait after the first failure; doubled after each further one.
    pub first_wait: Duration,
    /// The longest wait between two tries, unless the receiver asks for more (at most an hour).
    pub longest_wait: Duration,
    /// After so many tries it is given up.
    pub most_tries: u32,
    /// So long after the event it is given up.
    pub most_age: Duration,
}

impl Default for Pace {
    /// Ten seconds for a try; waits of 1 s, 2 s, 4 s and so on up to 15 minutes; 60 tries, a day.
    fn default() -> Self {
        Self {
            time_out: Duration::from_secs(10),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(900),
            most_tries: 60,
            most_age: Duration::from_secs(86_400),
        }
    }
}

impl Pace {
    /// The wait after the given number of tries, with jitter: between half of the doubled time and all of it.
    /// `random` is any number.
    pub(super) fn wait(&self, tries: u32, random: u64) -> Duration {
        let doubled = self
            .first_wait
            .saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1)))
            .min(self.longest_wait);
        let half = doubled / 2;
        let span = u64::try_from(half.as_nanos()).unwrap_or(u64::MAX).max(1);
        half.saturating_add(Duration::from_nanos(random % span))
    }
}

/// A number nobody foresees; 0 where the kernel gives none, which only takes the jitter away.
pub(super) fn random() -> u64 {
    let mut bytes = [0; 8];
    if getrandom::fill(&mut bytes).is_err() {
        return 0;
    }
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::Pace;
    use std::time::Duration;

    #[test]
    fn waits_double_up_to_a_bound_and_differ() {
        let pace = Pace::default();
        for (tries, whole) in [
            (1, 1),
            (2, 2),
            (3, 4),
            (10, 512),
            (11, 900),
            (12, 900),
            (4_000_000_000, 900),
        ] {
            let whole = Duration::from_secs(whole);
            for random in [0, 1, u64::MAX / 3, u64::MAX] {
                let wait = pace.wait(tries, random);
                assert!(wait >= whole / 2 && wait <= whole, "{tries}: {wait:?}");
            }
        }
        assert_ne!(pace.wait(9, 17), pace.wait(9, 1_000_000_007));
    }
}
