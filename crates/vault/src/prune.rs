//! Pruning: what to give up for room or for age, as a plan first.

use crate::erase::Remains;
use crate::error::{Error, Result};
use crate::usage::Usage;
use crate::vault::Vault;
use rescind_model::{SessionId, Timestamp};
use std::collections::BTreeSet;

/// What is to be pruned.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Sessions that began before this are pruned wholly.
    pub older_than: Option<Timestamp>,
    /// How much room the vault may take.
    pub cap: Cap,
    /// Sessions that are open: never pruned.
    pub open: BTreeSet<SessionId>,
}

/// How much room the vault may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// Any.
    None,
    /// So many bytes.
    Bytes(u64),
    /// So many hundredths of the file system that the vault directory is on.
    Percent(u8),
}

impl Default for Cap {
    fn default() -> Self {
        Self::Percent(10)
    }
}

/// One step of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PruneStep {
    /// The session.
    pub session: SessionId,
    /// What of it.
    pub what: PruneWhat,
    /// Why.
    pub why: PruneWhy,
    /// The room that this gives back, in bytes.
    pub bytes: u64,
}

/// What of a session is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneWhat {
    /// What a build or an installer can make again. The rest of the session can still be undone.
    Recreatable,
    /// The session is erased.
    Everything,
}

/// Why it is pruned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PruneWhy {
    /// It is older than the policy says.
    Old,
    /// The vault takes more room than the policy says.
    OverCap,
    /// The disk is nearly full.
    DiskFull,
}

/// What became of a step.
#[derive(Debug)]
pub struct Pruned {
    /// The step.
    pub step: PruneStep,
    /// The room it gave back in bytes, or why it was not done.
    pub freed: Result<u64>,
}

impl Vault {
    /// What the policy would prune: sessions that are too old; then, while the vault is over its cap, recreatable content
    /// from the oldest session on, and then the oldest sessions. Nothing is touched.
    ///
    /// # Errors
    /// If the vault can't be read.
    pub fn prune_plan(&self, policy: &Policy) -> Result<Vec<PruneStep>> {
        let usage = self.usage()?;
        let limit = self.limit(policy.cap)?;
        Ok(plan(usage, policy, limit))
    }

    /// Do the steps of a plan. A step that fails does not keep the others from being done.
    #[must_use]
    pub fn prune(&self, plan: &[PruneStep]) -> Vec<Pruned> {
        let done = plan.iter().map(|step| {
            let freed = match step.what {
                PruneWhat::Recreatable => self.inner.remove_recreatable(&step.session),
                PruneWhat::Everything => self
                    .erase(&step.session, Remains::Nothing)
                    .map(|erased| erased.bytes),
            };
            Pruned {
                step: step.clone(),
                freed,
            }
        });
        done.collect()
    }

    /// A cap in bytes.
    fn limit(&self, cap: Cap) -> Result<Option<u64>> {
        match cap {
            Cap::None => Ok(None),
            Cap::Bytes(bytes) => Ok(Some(bytes)),
            Cap::Percent(percent) => {
                let space = rustix::fs::fstatvfs(self.inner.dir.fd())
                    .map_err(|error| Error::io("look at the file system of", self.inner.dir.path(), error))?;
                let size = u128::from(space.f_blocks) * u128::from(space.f_frsize);
                Ok(u64::try_from(size * u128::from(percent) / 100).ok())
            }
        }
    }
}

/// The plan for sessions given the oldest first.
fn plan(mut usage: Vec<Usage>, policy: &Policy, limit: Option<u64>) -> Vec<PruneStep> {
    let mut left: u64 = usage.iter().map(Usage::total).sum();
    usage.retain(|usage| !policy.open.contains(&usage.session));
    let step = |usage: &Usage, what, why, bytes| PruneStep {
        session: usage.session.clone(),
        what,
        why,
        bytes,
    };
    let mut steps = Vec::new();
    usage.retain(|usage| {
        let old = policy
            .older_than
            .is_some_and(|time| began(&usage.session) < time.milliseconds());
        if old {
            left -= usage.total();
            steps.push(step(usage, PruneWhat::Everything, PruneWhy::Old, usage.total()));
        }
        !old
    });
    let Some(limit) = limit else { return steps };
    let mut light = Vec::new();
    for usage in usage.iter().filter(|usage| usage.recreatable() > 0) {
        if left <= limit {
            break;
        }
        left -= usage.recreatable();
        light.push(step(
            usage,
            PruneWhat::Recreatable,
            PruneWhy::OverCap,
            usage.recreatable(),
        ));
    }
    for usage in &usage {
        if left <= limit {
            break;
        }
        // All of it goes: in one step.
        let before = light.len();
        light.retain(|step| step.session != usage.session);
        let counted = if light.len() < before {
            usage.recreatable()
        } else {
            0
        };
        left -= usage.total() - counted;
        steps.push(step(
            usage,
            PruneWhat::Everything,
            PruneWhy::OverCap,
            usage.total(),
        ));
    }
    steps.append(&mut light);
    steps
}

/// When a session began, in milliseconds since the Unix epoch: the first 45 bits of its id.
fn began(session: &SessionId) -> i64 {
    const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let digits = session
        .as_str()
        .chars()
        .map(|digit| ALPHABET.find(digit).unwrap_or(0) as u128);
    let number = digits.fold(0_u128, |number, digit| number << 5 | digit);
    i64::try_from(number >> 20).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(seconds: u64, lasting: u64, recreatable: u64) -> Usage {
        Usage {
            session: id(seconds),
            key: true,
            journal: 1,
            packs: lasting - 1,
            recreatable_packs: recreatable,
            pins: 0,
            recreatable_pins: 0,
        }
    }

    fn id(seconds: u64) -> SessionId {
        SessionId::new(seconds * 1000, 0xf_ffff)
    }

    fn said(steps: &[PruneStep]) -> Vec<String> {
        let say = |step: &PruneStep| {
            format!(
                "{} {:?} {:?} {}",
                began(&step.session) / 1000,
                step.what,
                step.why,
                step.bytes
            )
        };
        steps.iter().map(say).collect()
    }

    #[test]
    fn age_then_recreatable_then_the_oldest_and_never_what_is_open() {
        let all = || {
            vec![
                usage(10, 100, 50),
                usage(20, 100, 50),
                usage(30, 100, 0),
                usage(40, 100, 50),
            ]
        };
        let policy = |older_than: Option<i64>, open: &[u64]| Policy {
            older_than: older_than.map(|seconds| Timestamp(seconds * 1_000_000_000)),
            cap: Cap::None,
            open: open.iter().map(|seconds| id(*seconds)).collect(),
        };
        let check = |older_than, open: &[u64], limit, expect: &[&str]| {
            assert_eq!(said(&plan(all(), &policy(older_than, open), limit)), expect);
        };
        check(None, &[], None, &[]);
        check(None, &[], Some(550), &[]);
        check(Some(20), &[], None, &["10 Everything Old 150"]);
        check(Some(21), &[10], None, &["20 Everything Old 150"]);
        check(None, &[], Some(549), &["10 Recreatable OverCap 50"]);
        check(
            None,
            &[10],
            Some(460),
            &["20 Recreatable OverCap 50", "40 Recreatable OverCap 50"],
        );
        check(
            None,
            &[],
            Some(320),
            &[
                "10 Everything OverCap 150",
                "20 Recreatable OverCap 50",
                "40 Recreatable OverCap 50",
            ],
        );
        check(
            Some(11),
            &[20],
            Some(0),
            &[
                "10 Everything Old 150",
                "30 Everything OverCap 100",
                "40 Everything OverCap 150",
            ],
        );
    }
}
