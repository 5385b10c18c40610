//! Limits per session, agent and domain: counts by kind, files, rows, objects, money, rate and duration. Pure
//! arithmetic: what is used is given in, and what it is afterwards is given back, for a store to exchange atomically.
//!
//! INVARIANT: under any order of reserve, settle and release, what is settled plus what is reserved never exceeds a
//! cap, as long as no action settles more than it reserved. Where one does (more files changed than were announced),
//! the counter says the truth, and the next reservation is held.

mod bounds;
mod counter;
mod parts;
mod quantity;

pub use bounds::{Bounds, BoundsError};
pub(crate) use bounds::{BoundsForm, operation, surface};
pub use counter::{Bucket, Counter, Counters, Reservation, Reserved, Slot};
pub use parts::{settle_as_reserved, take};
pub use quantity::{Measure, Quantity};

use crate::{Money, Proposal, Session, Spend};
use rescind_model::{Operation, Pattern, Surface, Timestamp};
use std::fmt;
use std::time::Duration;

/// All limits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    limits: Vec<Limit>,
}

/// One limit: how much of something may be used, by whom, with which actions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limit {
    /// Its name; counters go by it.
    pub id: String,
    /// For each session, agent or domain.
    pub per: Per,
    /// What is measured.
    pub measure: Measure,
    /// The most of it. Reaching it is allowed, exceeding it holds.
    pub cap: Quantity,
    /// Within the last so long; `None` is from the beginning.
    pub window: Option<Duration>,
    /// Only actions of this kind.
    pub kind: Option<Pattern>,
    /// Only this operation.
    pub operation: Option<Operation>,
    /// Only on this surface.
    pub surface: Option<Surface>,
    /// Only of this agent.
    pub agent: Option<Pattern>,
    /// Only in this domain or one around it.
    pub domain: Option<Pattern>,
}

/// Who has a counter of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Per {
    /// Every session.
    Session,
    /// Every agent, over all its sessions.
    Agent,
    /// Every domain, over all agents.
    Domain,
}

/// What an action asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// The session.
    pub session: String,
    /// Its agent.
    pub agent: String,
    /// Its domain, and those around it, innermost first.
    pub domains: Vec<String>,
    /// When the session began.
    pub started: Timestamp,
    /// What the action does.
    pub operation: Operation,
    /// Where.
    pub surface: Surface,
    /// Its kind.
    pub kind: String,
    /// How much it is expected to use.
    pub spent: Spent,
}

/// How much an action uses, expected or in the end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spent {
    /// Files.
    pub files: u64,
    /// Rows.
    pub rows: u64,
    /// Objects.
    pub objects: u64,
    /// Money. What is not known here is held by any limit on money.
    pub spend: Spend,
}

/// What was reserved, and the counters that it changed: to be stored together, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// To be settled or released.
    pub reservation: Reservation,
    /// The changed counters, whole.
    pub changed: Counters,
}

/// The counters that a settling or releasing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The changed counters, whole.
    pub changed: Counters,
}

/// A limit that is hit. The action is held; nothing was reserved, of any limit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Exceeded {
    /// It would be more than the cap.
    #[error("{0}")]
    Cap(Box<Hit>),
    /// Money is limited, and it can't be told how much this would be.
    #[error("limit `{limit}` is on money, and nobody can say how much this spends")]
    Unknown {
        /// The limit.
        limit: String,
    },
    /// Money is limited, and none of the limits is in this currency.
    #[error(
        "no limit allows spending {money}: money is limited here, in other currencies, and nothing converts"
    )]
    Currency {
        /// What was asked for.
        money: Money,
    },
}

/// A cap that would be exceeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The limit.
    pub limit: String,
    /// Whose.
    pub bucket: Bucket,
    /// Settled and reserved.
    pub used: Quantity,
    /// Asked for.
    pub asked: Quantity,
    /// The most.
    pub cap: Quantity,
    /// In this time; `None` is from the beginning.
    pub window: Option<Duration>,
}

fn within(window: Option<Duration>) -> String {
    window.map_or(String::new(), |window| format!(" in {} s", window.as_secs()))
}

impl Exceeded {
    /// The limit that was hit, where it is one.
    #[must_use]
    pub fn limit(&self) -> Option<&str> {
        match self {
            Self::Cap(hit) => Some(&hit.limit),
            Self::Unknown { limit } => Some(limit),
            Self::Currency { .. } => None,
        }
    }
}

impl Ask {
    /// What a proposal asks for. Of what it is not known to touch, and could, it asks for one: the truth is settled
    /// afterwards, and a cap that is reached holds the next.
    #[must_use]
    pub fn of(proposal: &Proposal, session: &Session) -> Self {
        let blast = &proposal.blast;
        let local = matches!(proposal.surface, Surface::Files | Surface::Shell);
        let rows = proposal.surface == Surface::Postgres;
        let at_least = |could: bool| u64::from(could && !proposal.only_reads());
        Self {
            session: session.id.to_string(),
            agent: session.agent.clone(),
            domains: session.domains().map(str::to_owned).collect(),
            started: session.started,
            operation: proposal.operation,
            surface: proposal.surface,
            kind: proposal.kind.clone(),
            spent: Spent {
                files: blast.files.unwrap_or(at_least(local)),
                rows: blast.rows.unwrap_or(at_least(rows)),
                objects: blast.objects.unwrap_or(at_least(!local && !rows)),
                spend: blast.spend.clone(),
            },
        }
    }
}

impl Limit {
    /// Whether it is about such actions of such a session.
    #[must_use]
    pub fn applies(&self, ask: &Ask) -> bool {
        let fits = |pattern: &Option<Pattern>, text: &str| pattern.as_ref().is_none_or(|own| own.fits(text));
        // What only reads changes no files, rows or objects: however many were changed, it is not held for them.
        let changes = matches!(self.measure, Measure::Files | Measure::Rows | Measure::Objects);
        !(changes && ask.operation == Operation::Read)
            && fits(&self.kind, &ask.kind)
            && fits(&self.agent, &ask.agent)
            && self.operation.is_none_or(|own| own == ask.operation)
            && self.surface.is_none_or(|own| own == ask.surface)
            && self.bucket(ask).is_some()
    }

    /// Whose counter is used: for a domain, the outermost one that the limit names, so that a limit on
    /// `payments` counts what happens in `payments/prod`.
    fn bucket(&self, ask: &Ask) -> Option<Bucket> {
        let domain = match &self.domain {
            None => ask.domains.first(),
            Some(pattern) => ask.domains.iter().rev().find(|domain| pattern.fits(domain)),
        };
        if self.domain.is_some() && domain.is_none() {
            return None;
        }
        let owner = match self.per {
            Per::Session => ask.session.clone(),
            Per::Agent => ask.agent.clone(),
            Per::Domain => domain.cloned().unwrap_or_default(),
        };
        Some(Bucket {
            limit: self.id.clone(),
            per: self.per,
            owner,
        })
    }
}

impl Limits {
    /// These limits.
    #[must_use]
    pub fn new(limits: Vec<Limit>) -> Self {
        Self { limits }
    }

    /// The limits.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// The counters that an action needs, for a store to read them under one lock.
    pub fn buckets<'l>(&'l self, ask: &'l Ask) -> impl Iterator<Item = Bucket> {
        let counted = |limit: &&Limit| limit.applies(ask) && limit.measure != Measure::Duration;
        self.limits
            .iter()
            .filter(counted)
            .filter_map(|limit| limit.bucket(ask))
    }

    /// Reserve what an action asks for, of every limit that is about it, or of none.
    ///
    /// # Errors
    /// The first limit that is hit. An action without a reservation does not run.
    pub fn reserve(&self, counters: &Counters, ask: &Ask, now: Timestamp) -> Result<Granted, Exceeded> {
        self.money_is_covered(ask)?;
        let mut granted = Granted {
            reservation: Reservation::default(),
            changed: Counters::default(),
        };
        for limit in self.limits.iter().filter(|limit| limit.applies(ask)) {
            let Some(bucket) = limit.bucket(ask) else { continue };
            if limit.measure == Measure::Duration {
                limit.lasts(bucket, ask, now)?;
                continue;
            }
            let Some(asked) = limit.measure.of(&ask.spent) else {
                continue;
            };
            let counter = granted.changed.get(&bucket).or_else(|| counters.get(&bucket));
            let counter = counter.cloned().unwrap_or_default();
            let used = counter.used(limit.window, now, limit.measure);
            if !used.fits(asked, limit.cap) {
                return Err(hit(Hit {
                    limit: limit.id.clone(),
                    bucket,
                    used,
                    asked,
                    cap: limit.cap,
                    window: limit.window,
                }));
            }
            granted.changed.set(bucket.clone(), counter.reserved(asked));
            granted.reservation.parts.push(Reserved {
                bucket,
                measure: limit.measure,
                window: limit.window,
                amount: asked,
            });
        }
        Ok(granted)
    }

    /// Every currency asked for has to be limited where money is, or a limit in dollars could be passed in euros.
    fn money_is_covered(&self, ask: &Ask) -> Result<(), Exceeded> {
        let on_money = |limit: &&Limit| matches!(limit.measure, Measure::Money(_)) && limit.applies(ask);
        let mut limits = self.limits.iter().filter(on_money).peekable();
        let Some(first) = limits.peek() else { return Ok(()) };
        match &ask.spent.spend {
            Spend::None => Ok(()),
            Spend::Unknown => Err(Exceeded::Unknown {
                limit: first.id.clone(),
            }),
            Spend::Known(sums) => {
                let limited: Vec<Measure> = limits.map(|limit| limit.measure).collect();
                let free = sums
                    .iter()
                    .find(|(currency, _)| !limited.contains(&Measure::Money(**currency)));
                free.map_or(Ok(()), |(currency, amount)| {
                    Err(Exceeded::Currency {
                        money: Money {
                            amount: *amount,
                            currency: *currency,
                        },
                    })
                })
            }
        }
    }
}

impl Limit {
    fn lasts(&self, bucket: Bucket, ask: &Ask, now: Timestamp) -> Result<(), Exceeded> {
        let lasted = now.0.saturating_sub(ask.started.0).max(0).unsigned_abs() / 1_000_000_000;
        let used = Quantity::Count(lasted);
        if used.fits(Quantity::Count(1), self.cap) {
            return Ok(());
        }
        Err(hit(Hit {
            limit: self.id.clone(),
            bucket,
            used,
            asked: Quantity::Count(1),
            cap: self.cap,
            window: None,
        }))
    }
}

fn hit(hit: Hit) -> Exceeded {
    Exceeded::Cap(Box::new(hit))
}

/// An action ended: what it reserved is given back, and what it really used counts.
#[must_use]
pub fn settle(counters: &Counters, reservation: &Reservation, spent: &Spent, now: Timestamp) -> Applied {
    let mut changed = Counters::default();
    for part in &reservation.parts {
        let counter = changed.get(&part.bucket).or_else(|| counters.get(&part.bucket));
        let counter = counter.cloned().unwrap_or_default().released(part.amount);
        let used = part.measure.of(spent).unwrap_or(part.amount.nothing());
        changed.set(part.bucket.clone(), counter.settled(used, part.window, now));
    }
    Applied { changed }
}

/// An action did not run: what it reserved is given back.
#[must_use]
pub fn release(counters: &Counters, reservation: &Reservation) -> Applied {
    let mut changed = Counters::default();
    for part in &reservation.parts {
        let counter = changed.get(&part.bucket).or_else(|| counters.get(&part.bucket));
        changed.set(
            part.bucket.clone(),
            counter.cloned().unwrap_or_default().released(part.amount),
        );
    }
    Applied { changed }
}

impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            limit,
            bucket,
            used,
            asked,
            cap,
            window,
        } = self;
        write!(
            f,
            "limit `{limit}` of {bucket}: {used} used, {asked} asked, {cap} allowed{}",
            within(*window)
        )
    }
}

impl fmt::Display for Per {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Session => "session",
            Self::Agent => "agent",
            Self::Domain => "domain",
        })
    }
}

#[cfg(test)]
mod tests;
