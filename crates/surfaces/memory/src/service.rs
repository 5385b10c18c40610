//! A remote payment service, as a fake: charges can't be looked at from outside or restored, only refunded.

use crate::World;
use rescind_model::{Effect, EffectId, State, Surface};
use rescind_supervisor::{Called, Caller, Permit};
use std::collections::{BTreeMap, VecDeque};

/// How the service takes a call. It does what it does at most once for each idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Answer {
    /// It does it and answers.
    #[default]
    Does,
    /// It takes this many instants to do it and answer.
    Slow(u8),
    /// It does not do it and says so.
    Fails,
    /// It does it and does not answer.
    DoesUnheard,
    /// It does not do it and does not answer.
    Unheard,
}

/// The state of the service.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// How the next calls are taken; once they are used up, it does as asked.
    pub answers: VecDeque<Answer>,
    /// Whether it can't say what became of a call.
    pub mute: bool,
    charges: BTreeMap<String, Charge>,
    order: Vec<String>,
}

#[derive(Debug, Clone, Default)]
struct Charge {
    amount: i64,
    /// Refunds that took effect, by their idempotency keys.
    refunds: BTreeMap<String, i64>,
}

/// The prefix of the keys of charges among the surface's resources.
const PREFIX: &str = "charge:";

/// The idempotency key under which an effect's charge is made.
#[must_use]
pub fn charge_key(effect: &EffectId) -> String {
    format!("{PREFIX}{}/{}", effect.action, effect.seq.0)
}

impl Service {
    /// For each charge that took effect, how many refunds of it did.
    pub fn refunds(&self) -> impl Iterator<Item = (&str, usize)> {
        self.charges
            .iter()
            .map(|(key, charge)| (key.as_str(), charge.refunds.len()))
    }

    /// The charges in the order in which they were refunded.
    #[must_use]
    pub fn refunded(&self) -> &[String] {
        &self.order
    }

    /// All that was charged less all that was refunded.
    #[must_use]
    pub fn balance(&self) -> i64 {
        let of = |charge: &Charge| charge.amount - charge.refunds.values().sum::<i64>();
        self.charges.values().map(of).sum()
    }

    fn charge(&mut self, key: &str, amount: i64) {
        self.charges.entry(key.to_owned()).or_insert_with(|| Charge {
            amount,
            refunds: BTreeMap::new(),
        });
    }

    /// `false`: there is no such charge.
    fn refund(&mut self, key: &str, by: &str) -> bool {
        let Some(charge) = self.charges.get_mut(key) else {
            return false;
        };
        if charge.refunds.insert(by.to_owned(), charge.amount).is_none() {
            self.order.push(key.to_owned());
        }
        true
    }
}

impl World {
    /// Charge an amount under an idempotency key.
    pub fn charge(&self, key: &str, amount: i64) -> Called {
        self.call(|service| {
            service.charge(key, amount);
            true
        })
    }

    /// A call: the process can die before it, and after it has taken effect.
    fn call(&self, act: impl FnOnce(&mut Service) -> bool) -> Called {
        if self.instant().is_err() {
            return Called::InDoubt;
        }
        let answer = self
            .service(|service| service.answers.pop_front())
            .unwrap_or_default();
        if let Answer::Slow(instants) = answer {
            for _ in 0..instants {
                if self.instant().is_err() {
                    return Called::InDoubt;
                }
            }
        }
        let called = match answer {
            Answer::Fails => Called::Failed("the service refused".to_owned()),
            Answer::Unheard => Called::InDoubt,
            Answer::Does | Answer::Slow(_) | Answer::DoesUnheard => {
                let known = self.service(act);
                match (known, answer) {
                    (_, Answer::DoesUnheard) => Called::InDoubt,
                    (true, _) => Called::Done("ok".to_owned()),
                    (false, _) => Called::Failed("there is no such charge".to_owned()),
                }
            }
        };
        if self.instant().is_err() {
            Called::InDoubt
        } else {
            called
        }
    }

    /// Ask what became of something.
    fn ask(&self, known: impl FnOnce(&Service) -> bool) -> Called {
        if self.instant().is_err() {
            return Called::InDoubt;
        }
        self.service(|service| match (service.mute, known(service)) {
            (true, _) => Called::InDoubt,
            (false, true) => Called::Done("ok".to_owned()),
            (false, false) => Called::Failed("it never came".to_owned()),
        })
    }
}

/// The calling half of the surface: refunds.
#[derive(Debug, Clone, Copy)]
pub struct Payments<'a>(pub &'a World);

impl Caller for Payments<'_> {
    fn surface(&self) -> Surface {
        Surface::Memory
    }

    fn compensates(&self, effect: &Effect) -> bool {
        effect.resource.surface == Surface::Memory && effect.resource.key.starts_with(PREFIX.as_bytes())
    }

    fn happened(&self, effect: &Effect) -> Called {
        let key = charge_key(&effect.id());
        self.0.ask(|service| service.charges.contains_key(&key))
    }

    fn compensate(
        &self,
        _permit: &Permit,
        effect: &Effect,
        key: &str,
        _can_not_be_looked_at: Option<&State>,
    ) -> Called {
        let charge = charge_key(&effect.id());
        self.0.call(|service| service.refund(&charge, key))
    }

    fn probe(&self, key: &str) -> Called {
        self.0.ask(|service| {
            service
                .charges
                .values()
                .any(|charge| charge.refunds.contains_key(key))
        })
    }
}
