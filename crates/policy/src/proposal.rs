//! What is judged: one proposed action, as plain values.

use crate::Money;
use rescind_model::{Coverage, Digest, Operation, Reversibility, Surface};
use std::collections::{BTreeMap, BTreeSet};

/// One proposed action, as far as it is known. It is judged again with every real capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What it does to its targets; the strongest of its parts.
    pub operation: Operation,
    /// Where.
    pub surface: Surface,
    /// What kind of action it is, in lower case with dots, most general first: `kubernetes.delete`, `git.push`. Counts,
    /// policies and what is new for an agent go by it.
    pub kind: String,
    /// The action as a person would write it, redacted.
    pub text: String,
    /// The digest of the exact action, arguments and all. Equal digests are the same action.
    pub digest: Digest,
    /// What it is about to change, resolved: absolute paths, `namespace/kind/name`, `schema.table`, URLs. Empty where
    /// nothing can be told.
    pub targets: Vec<String>,
    /// How far it can be taken back; `None` is unknown, and never taken for safe.
    pub class: Option<Reversibility>,
    /// What of it is captured, or can be.
    pub coverage: Coverage,
    /// How much it touches.
    pub blast: Blast,
    /// Flags that make it stronger, in one spelling whatever the tool: `force`, `recursive`, `no-verify`.
    pub force: BTreeSet<String>,
    /// The states it would leave, where they are known.
    pub drives: Vec<Driven>,
}

/// How much an action touches. `None` is not known, which is not zero.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blast {
    /// Files.
    pub files: Option<u64>,
    /// Rows of a database.
    pub rows: Option<u64>,
    /// Replicas, instances, objects of an API.
    pub objects: Option<u64>,
    /// Money.
    pub spend: Spend,
}

/// What an action costs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Spend {
    /// Nothing.
    #[default]
    None,
    /// These amounts, summed for each currency.
    Known(BTreeMap<crate::Currency, crate::Amount>),
    /// Something, and nobody can say how much.
    Unknown,
}

/// A target, and the state an action would leave it in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Driven {
    /// The target.
    pub target: String,
    /// The digest of the state.
    pub state: Digest,
}

impl Spend {
    /// These amounts of money.
    #[must_use]
    pub fn of(amounts: impl IntoIterator<Item = Money>) -> Self {
        let mut sums: BTreeMap<_, crate::Amount> = BTreeMap::new();
        for money in amounts {
            let sum = sums.entry(money.currency).or_default();
            *sum = sum.plus(money.amount);
        }
        sums.retain(|_, sum| *sum > crate::Amount::ZERO);
        if sums.is_empty() {
            Self::None
        } else {
            Self::Known(sums)
        }
    }
}

impl Proposal {
    /// Whether it looks and changes nothing: it reads, and nothing of it would have to be taken back.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        self.operation == Operation::Read && self.class == Some(Reversibility::TriviallyReversible)
    }

    /// The class's name, or `unknown`.
    #[must_use]
    pub fn class_name(&self) -> &'static str {
        self.class.map_or("unknown", Reversibility::name)
    }

    /// How bad the class is, for comparing: the unknown is as bad as the worst.
    #[must_use]
    pub fn severity(&self) -> Reversibility {
        self.class.unwrap_or(Reversibility::Irreversible)
    }

    /// The coverage's name in policies.
    #[must_use]
    pub fn coverage_name(&self) -> &'static str {
        match self.coverage {
            Coverage::Captured => "captured",
            Coverage::Partial(_) => "partial",
            Coverage::NotCaptured(_) => "not_captured",
        }
    }
}
