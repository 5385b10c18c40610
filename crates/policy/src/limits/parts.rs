//! Reservations as values: what an action asks for whatever is used, what a part of an action takes over from the
//! action around it, and reservations that are made without regard to a cap, because a person said so.

use super::{Applied, Ask, Counters, Limits, Measure, Quantity, Reservation, Reserved};
use rescind_model::Timestamp;

impl Limits {
    /// What an action asks for, of every limit that is about it, whether or not there is so much left. Money that
    /// nobody can tell is no part of it.
    #[must_use]
    pub fn asked(&self, ask: &Ask) -> Reservation {
        let counted = |limit: &&super::Limit| limit.applies(ask) && limit.measure != Measure::Duration;
        let part = |limit: &super::Limit| {
            Some(Reserved {
                bucket: limit.bucket(ask)?,
                measure: limit.measure,
                window: limit.window,
                amount: limit.measure.of(&ask.spent)?,
            })
        };
        Reservation {
            parts: self.limits.iter().filter(counted).filter_map(part).collect(),
        }
    }

    /// These limits without those that count something: of the session's duration alone.
    #[must_use]
    pub fn on_duration(&self) -> Self {
        let own = self
            .limits
            .iter()
            .filter(|limit| limit.measure == Measure::Duration);
        Self::new(own.cloned().collect())
    }
}

impl Reservation {
    /// What of `asked` this reservation has already: the smaller of both, counter by counter.
    #[must_use]
    pub fn covering(&self, asked: &Self) -> Self {
        let both = asked.parts.iter().filter_map(|part| {
            let own = self.parts.iter().find(|own| own.bucket == part.bucket)?;
            Some(Reserved {
                amount: own.amount.smaller(part.amount),
                ..part.clone()
            })
        });
        Self {
            parts: both.filter(|part| !part.amount.is_zero()).collect(),
        }
    }

    /// What is left when `taken` goes to another. An action that passed itself on is none any more; what it may
    /// still change is counted at its end.
    #[must_use]
    pub fn without(&self, taken: &Self) -> Self {
        let left = self.parts.iter().map(|part| {
            let taken = taken.parts.iter().find(|taken| taken.bucket == part.bucket);
            Reserved {
                amount: taken.map_or(part.amount, |taken| part.amount.minus(taken.amount)),
                ..part.clone()
            }
        });
        Self {
            parts: left
                .filter(|part| part.measure != Measure::Actions || !part.amount.is_zero())
                .collect(),
        }
    }

    /// Whether nothing of it is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.amount.is_zero())
    }
}

/// A reservation is made, whatever is left: it was granted, or a person said that it may exceed a cap.
#[must_use]
pub fn take(counters: &Counters, reservation: &Reservation) -> Applied {
    let mut changed = Counters::default();
    for part in &reservation.parts {
        let counter = changed.get(&part.bucket).or_else(|| counters.get(&part.bucket));
        let counter = counter.cloned().unwrap_or_default().reserved(part.amount);
        changed.set(part.bucket.clone(), counter);
    }
    Applied { changed }
}

/// An action ended of which nothing is known but how many files it changed, if that: of everything else it used what it
/// had reserved.
#[must_use]
pub fn settle_as_reserved(
    counters: &Counters,
    reservation: &Reservation,
    files: Option<u64>,
    now: Timestamp,
) -> Applied {
    let mut changed = Counters::default();
    for part in &reservation.parts {
        let counter = changed.get(&part.bucket).or_else(|| counters.get(&part.bucket));
        let counter = counter.cloned().unwrap_or_default().released(part.amount);
        let used = match (part.measure, files) {
            (Measure::Files, Some(files)) => Quantity::Count(files),
            _ => part.amount,
        };
        changed.set(part.bucket.clone(), counter.settled(used, part.window, now));
    }
    Applied { changed }
}

impl Quantity {
    fn smaller(self, other: Self) -> Self {
        match (self, other) {
            (Self::Count(one), Self::Count(two)) => Self::Count(one.min(two)),
            (Self::Amount(one), Self::Amount(two)) => Self::Amount(one.min(two)),
            // A number and an amount have nothing in common.
            (own, _) => own.nothing(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Counters, Quantity, settle};
    use super::{settle_as_reserved, take};
    use crate::fixture::{proposal, session};
    use crate::{Ask, Bounds, Spend};
    use rescind_model::Timestamp;

    #[test]
    fn a_part_takes_over_what_the_action_around_it_has_and_settles_to_the_same_sum() {
        let text = "[[limit]]\nid = \"a\"\nper = \"session\"\nmeasure = \"actions\"\ncap = 2\n\
                    [[limit]]\nid = \"f\"\nper = \"agent\"\nmeasure = \"files\"\ncap = 9\n\
                    [[limit]]\nid = \"m\"\nper = \"domain\"\nmeasure = \"money\"\ncap = \"9 USD\"\n";
        let limits = Bounds::parse("limits.toml", text, &|_| None).unwrap().limits;
        let mut ask = Ask::of(&proposal("x"), &session());
        (ask.spent.files, ask.spent.spend) = (5, Spend::of(["3 USD".parse().unwrap()]));
        let whole = limits.asked(&ask);
        assert_eq!(
            limits
                .reserve(&Counters::default(), &ask, Timestamp(0))
                .unwrap()
                .reservation,
            whole
        );
        let spent = ask.spent.clone();
        ask.spent.files = 2;
        let part = whole.covering(&limits.asked(&ask));
        let left = whole.without(&part);
        let amounts = |reservation: &crate::Reservation| -> Vec<Quantity> {
            reservation.parts.iter().map(|part| part.amount).collect()
        };
        assert_eq!(amounts(&part).first(), Some(&Quantity::Count(1)));
        assert_eq!(
            amounts(&left),
            [Quantity::Count(3), Quantity::Amount("0".parse().unwrap())]
        );
        assert!(!left.is_empty() && left.without(&left).is_empty());
        // Settled in two parts, it comes to the same.
        let mut counters = Counters::default();
        counters.apply(take(&counters, &whole).changed);
        let mut parted = Counters::default();
        parted.apply(take(&parted, &part).changed);
        parted.apply(take(&parted, &left).changed);
        for reservation in [&part, &left] {
            parted.apply(settle_as_reserved(&parted, reservation, None, Timestamp(0)).changed);
        }
        let files = settle_as_reserved(&counters, &whole, Some(7), Timestamp(0)).changed;
        counters.apply(settle(&counters, &whole, &spent, Timestamp(0)).changed);
        assert_eq!(counters, parted);
        let settled = |counters: &Counters| serde_json::to_string(counters).unwrap();
        assert_eq!(
            settled(&files),
            settled(&counters).replace("{\"count\":5}", "{\"count\":7}")
        );
    }
}
