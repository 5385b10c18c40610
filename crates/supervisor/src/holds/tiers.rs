//! Tiers: who is asked first, who is asked when they don't answer, and how each is told.
//!
//! Computed from the hold's own times, so that whoever waits and whoever looks say the same.

use super::HoldForm;
use rescind_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a hold waits where nobody says: 30 minutes.
pub const USUAL_WAIT: Duration = Duration::from_secs(30 * 60);

/// The tiers that are configured, lowest first, and how those are told whom policies name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tiers {
    /// The tiers. None: anybody, for [`USUAL_WAIT`].
    pub tiers: Vec<Tier>,
    /// Commands by the names that `@notify` uses.
    pub notify: BTreeMap<String, Vec<String>>,
}

/// One tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// Its name, which `@hold` can begin at.
    pub name: String,
    /// Who is in it; nobody named is anybody.
    pub who: BTreeSet<String>,
    /// How long it is asked before the next is.
    pub wait: Duration,
    /// The program that tells it, with its words.
    pub notify: Option<Vec<String>>,
}

/// A tier of a hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierForm {
    /// Its name.
    pub name: String,
    /// Who is in it; empty: anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// Until when it is asked, RFC 3339: then the next is, or the action is denied.
    pub until: String,
}

impl Tiers {
    /// The tiers of a hold that begins now, from the highest that its groups name, or the lowest. `most`: how long it may
    /// wait in all, whatever is configured.
    #[must_use]
    pub fn of_hold(&self, groups: &[String], now: Timestamp, most: Option<Duration>) -> Vec<TierForm> {
        let named = |tier: &Tier| groups.contains(&tier.name);
        let first = self.tiers.iter().rposition(named).unwrap_or(0);
        let mut waited = Duration::ZERO;
        let tiers = self.tiers.iter().skip(first);
        let forms = tiers.map(|tier| {
            waited = waited.saturating_add(tier.wait);
            let until = most.map_or(waited, |most| most.min(waited));
            TierForm {
                name: tier.name.clone(),
                who: tier.who.iter().cloned().collect(),
                until: after(now, until).to_string(),
            }
        });
        forms.collect()
    }

    /// The command that tells a tier, or whom a policy names.
    #[must_use]
    pub fn command(&self, name: &str) -> Option<&[String]> {
        let of_tier = || self.tiers.iter().find(|tier| tier.name == name)?.notify.as_ref();
        self.notify.get(name).or_else(of_tier).map(Vec::as_slice)
    }
}

/// A time so long after another.
#[must_use]
pub fn after(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = i64::try_from(wait.as_nanos()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(wait))
}

impl HoldForm {
    /// The number of the tier that is asked at a time, from 0; `None` where there are no tiers.
    #[must_use]
    pub fn tier_at(&self, now: Timestamp) -> Option<usize> {
        let last = self.tiers.len().checked_sub(1)?;
        let asked = |tier: &TierForm| tier.until.parse::<Timestamp>().is_ok_and(|until| now < until);
        Some(self.tiers.iter().position(asked).unwrap_or(last))
    }

    /// Whether a person may decide: those of the tier at which it began, and of all above it.
    #[must_use]
    pub fn may_decide(&self, person: &str) -> bool {
        let of = |tier: &TierForm| tier.who.is_empty() || tier.who.iter().any(|who| who == person);
        self.tiers.is_empty() || self.tiers.iter().any(of)
    }

    /// Who may decide, in words.
    #[must_use]
    pub fn deciders(&self) -> String {
        let tiers = self.tiers.iter().map(TierForm::to_string);
        tiers.collect::<Vec<_>>().join(", ")
    }
}

impl std::fmt::Display for TierForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if self.who.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", self.who.join(", "))
    }
}
