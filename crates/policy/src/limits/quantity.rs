//! What is measured, and how much of it.

use super::Spent;
use crate::{Amount, Currency, Spend};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a limit measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Actions.
    Actions,
    /// Files changed.
    Files,
    /// Rows changed.
    Rows,
    /// Objects, replicas, instances.
    Objects,
    /// Money of one currency.
    Money(Currency),
    /// Seconds since the session began.
    Duration,
}

/// How much: a number, or an amount of money. Which of both goes with the measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// A number.
    Count(u64),
    /// Money; the currency is the limit's.
    Amount(Amount),
}

impl Measure {
    /// How much of it was used; `None` where nothing of that currency was.
    pub(super) fn of(self, spent: &Spent) -> Option<Quantity> {
        match self {
            Self::Actions => Some(Quantity::Count(1)),
            Self::Files => Some(Quantity::Count(spent.files)),
            Self::Rows => Some(Quantity::Count(spent.rows)),
            Self::Objects => Some(Quantity::Count(spent.objects)),
            Self::Money(currency) => match &spent.spend {
                Spend::Known(sums) => sums.get(&currency).copied().map(Quantity::Amount),
                Spend::None | Spend::Unknown => None,
            },
            Self::Duration => None,
        }
    }

    /// None of it.
    pub(super) fn nothing(self) -> Quantity {
        match self {
            Self::Money(_) => Quantity::Amount(Amount::ZERO),
            _ => Quantity::Count(0),
        }
    }
}

impl Quantity {
    pub(super) fn nothing(self) -> Self {
        match self {
            Self::Count(_) => Self::Count(0),
            Self::Amount(_) => Self::Amount(Amount::ZERO),
        }
    }

    /// The sum. A number and an amount don't add up: the sum is then beyond any cap, which holds.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Count(one), Self::Count(two)) => Self::Count(one.saturating_add(two)),
            (Self::Amount(one), Self::Amount(two)) => Self::Amount(one.plus(two)),
            _ => Self::Count(u64::MAX),
        }
    }

    pub(super) fn minus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Count(one), Self::Count(two)) => Self::Count(one.saturating_sub(two)),
            (Self::Amount(one), Self::Amount(two)) => Self::Amount(one.minus(two)),
            (own, _) => own,
        }
    }

    /// Whether so much more stays within a cap.
    pub(super) fn fits(self, more: Self, cap: Self) -> bool {
        match (self.plus(more), cap) {
            (Self::Count(u64::MAX), _) => false,
            (Self::Count(sum), Self::Count(cap)) => sum <= cap,
            (Self::Amount(sum), Self::Amount(cap)) => sum <= cap && !sum.is_full(),
            _ => false,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self == self.nothing()
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Amount(amount) => write!(f, "{amount}"),
        }
    }
}
