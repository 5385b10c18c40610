//! The risk score: a number, and everything that made it.

use std::fmt;

/// One thing that raised a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RiskFactor {
    /// What it is: `class`, `environment`, `blast radius`, `coverage`, `novelty`, `denied before`.
    pub name: &'static str,
    /// How many points it added. Zero is shown, too: it was looked at.
    pub points: u8,
    /// Why, for a person.
    pub sentence: String,
}

/// A risk score, 0 to 100: the sum of its factors, cut at 100. Equal facts give equal scores.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RiskScore {
    factors: Vec<RiskFactor>,
}

impl RiskScore {
    /// A score with these factors, shown in this order.
    #[must_use]
    pub fn new(factors: Vec<RiskFactor>) -> Self {
        Self { factors }
    }

    /// 0 to 100.
    #[must_use]
    pub fn points(&self) -> u8 {
        let sum: u32 = self.factors.iter().map(|factor| u32::from(factor.points)).sum();
        u8::try_from(sum.min(100)).unwrap_or(100)
    }

    /// What made it.
    #[must_use]
    pub fn factors(&self) -> &[RiskFactor] {
        &self.factors
    }
}

impl fmt::Display for RiskFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} +{}: {}", self.name, self.points, self.sentence)
    }
}
