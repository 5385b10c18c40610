//! Counters as plain values, in a form that a store can keep and exchange: what is settled, what is reserved.

use super::{Measure, Per, Quantity};
use rescind_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Whose counter of which limit. As text `limit/per/owner`; only the owner may hold a `/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bucket {
    /// The limit's name.
    pub limit: String,
    /// What the owner is.
    pub per: Per,
    /// The session, agent or domain.
    pub owner: String,
}

/// What is used of one limit by one owner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counter {
    /// Used by actions that ended; `None` is nothing yet. Without a window, from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settled: Option<Quantity>,
    /// Reserved by actions that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reserved: Option<Quantity>,
    /// With a window: what was used when, in at most a hundred slots, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    slots: Vec<Slot>,
}

/// What was used in one part of a window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Its number: so many parts since the epoch.
    part: i64,
    /// How much.
    used: Quantity,
}

/// Counters by owner.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Counters {
    counters: BTreeMap<Bucket, Counter>,
}

/// What an action holds reserved, to be settled or released exactly once.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reservation {
    /// Of which counters how much.
    pub parts: Vec<Reserved>,
}

/// A part of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reserved {
    /// Whose counter.
    pub bucket: Bucket,
    /// What is measured.
    pub measure: Measure,
    /// Within what time.
    pub window: Option<Duration>,
    /// How much.
    pub amount: Quantity,
}

/// A window is counted in so many parts. What was used counts until its whole part has left the window: up to one
/// part too long, never too short.
const PARTS: i64 = 60;

fn part_length(window: Duration) -> i64 {
    let nanoseconds = i64::try_from(window.as_nanos()).unwrap_or(i64::MAX);
    (nanoseconds / PARTS).max(1)
}

impl Counters {
    /// The counter of an owner.
    #[must_use]
    pub fn get(&self, bucket: &Bucket) -> Option<&Counter> {
        self.counters.get(bucket)
    }

    /// Put a counter in place.
    pub fn set(&mut self, bucket: Bucket, counter: Counter) {
        self.counters.insert(bucket, counter);
    }

    /// Take over the counters that a step changed.
    pub fn apply(&mut self, changed: Self) {
        self.counters.extend(changed.counters);
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&Bucket, &Counter)> {
        self.counters.iter()
    }
}

impl Counter {
    /// What is used at a time: settled, within the window if there is one, and reserved.
    #[must_use]
    pub fn used(&self, window: Option<Duration>, now: Timestamp, measure: Measure) -> Quantity {
        let none = measure.nothing();
        let reserved = self.reserved.unwrap_or(none);
        let Some(window) = window else {
            return self.settled.unwrap_or(none).plus(reserved);
        };
        let oldest = now.0 / part_length(window) - PARTS - 1;
        let within = self.slots.iter().filter(|slot| slot.part > oldest);
        within.fold(reserved, |sum, slot| sum.plus(slot.used))
    }

    pub(super) fn reserved(mut self, amount: Quantity) -> Self {
        self.reserved = Some(self.reserved.map_or(amount, |own| own.plus(amount)));
        self
    }

    pub(super) fn released(mut self, amount: Quantity) -> Self {
        self.reserved = self
            .reserved
            .map(|own| own.minus(amount))
            .filter(|left| !left.is_zero());
        self
    }

    pub(super) fn settled(mut self, used: Quantity, window: Option<Duration>, now: Timestamp) -> Self {
        if used.is_zero() {
            return self;
        }
        let Some(window) = window else {
            self.settled = Some(self.settled.map_or(used, |own| own.plus(used)));
            return self;
        };
        let part = now.0 / part_length(window);
        self.slots.retain(|slot| slot.part > part - PARTS - 1);
        // A clock that went back must not open a slot in the past: what was used counts from the latest part on.
        let latest = self
            .slots
            .iter()
            .map(|slot| slot.part)
            .max()
            .unwrap_or(part)
            .max(part);
        match self.slots.iter_mut().find(|slot| slot.part == latest) {
            Some(slot) => slot.used = slot.used.plus(used),
            None => self.slots.push(Slot { part: latest, used }),
        }
        self
    }
}

impl Per {
    const ALL: [Self; 3] = [Self::Session, Self::Agent, Self::Domain];
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let owner = if self.owner.is_empty() {
            "(none)"
        } else {
            &self.owner
        };
        write!(f, "{} `{owner}`", self.per)
    }
}

impl From<Bucket> for String {
    fn from(bucket: Bucket) -> Self {
        format!("{}/{}/{}", bucket.limit, bucket.per, bucket.owner)
    }
}

impl TryFrom<String> for Bucket {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut parts = text.splitn(3, '/');
        let (limit, per, owner) = (parts.next(), parts.next(), parts.next());
        let per = Per::ALL
            .into_iter()
            .find(|known| Some(known.to_string().as_str()) == per);
        match (limit, per, owner) {
            (Some(limit), Some(per), Some(owner)) => Ok(Self {
                limit: limit.to_owned(),
                per,
                owner: owner.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` is not the name of a counter: LIMIT/session|agent|domain/OWNER"
            )),
        }
    }
}
