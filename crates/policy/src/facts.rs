//! A proposal in a session, as policies see it: the values that the index looks up, and the context for Cedar.

use crate::{Amount, Proposal, Session, Spend};
use cedar_policy::{Context, RestrictedExpression};
use rescind_model::Operation;
use std::collections::BTreeSet;

/// What policies can be told apart by before any of them is evaluated. `index` keeps one table for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Dimension {
    Agent,
    Team,
    Operation,
    Domain,
    DomainWithin,
    Surface,
    Kind,
    Class,
    Coverage,
    Environment,
}

impl Dimension {
    pub(crate) const ALL: [Self; 10] = [
        Self::Agent,
        Self::Team,
        Self::Operation,
        Self::Domain,
        Self::DomainWithin,
        Self::Surface,
        Self::Kind,
        Self::Class,
        Self::Coverage,
        Self::Environment,
    ];

    /// The dimension of an attribute of the context. They are all required strings.
    pub(crate) fn of_attribute(name: &str) -> Option<Self> {
        Some(match name {
            "surface" => Self::Surface,
            "kind" => Self::Kind,
            "class" => Self::Class,
            "coverage" => Self::Coverage,
            "environment" => Self::Environment,
            _ => return None,
        })
    }

    /// The words that an attribute can have, where they are a closed list.
    pub(crate) fn words(self) -> Option<Vec<&'static str>> {
        Some(match self {
            Self::Surface => rescind_model::Surface::ALL
                .iter()
                .map(|known| known.name())
                .collect(),
            Self::Class => {
                let known = rescind_model::Reversibility::ALL.iter().map(|known| known.name());
                known.chain(["unknown"]).collect()
            }
            Self::Coverage => vec!["captured", "partial", "not_captured"],
            Self::Environment => crate::Environment::ALL.iter().map(|known| known.name()).collect(),
            _ => return None,
        })
    }
}

/// Everything a policy can ask about one proposal.
pub(crate) struct Facts<'p> {
    pub(crate) proposal: &'p Proposal,
    pub(crate) session: &'p Session,
    pub(crate) risk: u8,
    pub(crate) new: bool,
    pub(crate) stronger: bool,
}

impl Facts<'_> {
    /// The values of the proposal in a dimension; `visit` is called with each.
    pub(crate) fn values(&self, dimension: Dimension, mut visit: impl FnMut(&str)) {
        match dimension {
            Dimension::Agent => visit(&self.session.agent),
            Dimension::Team => self.session.teams.iter().for_each(|team| visit(team)),
            Dimension::Operation => visit(self.proposal.operation.name()),
            Dimension::Domain => visit(&self.session.domain),
            Dimension::DomainWithin => self.session.domains().for_each(visit),
            Dimension::Surface => visit(self.proposal.surface.name()),
            Dimension::Kind => visit(&self.proposal.kind),
            Dimension::Class => visit(self.proposal.class_name()),
            Dimension::Coverage => visit(self.proposal.coverage_name()),
            Dimension::Environment => visit(self.session.environment.name()),
        }
    }

    /// The context with the attributes that are asked for; `None` asks for all.
    pub(crate) fn context(&self, asked: Option<&BTreeSet<String>>, target: &str) -> Result<Context, String> {
        let wanted = |name: &str| asked.is_none_or(|asked| asked.contains(name));
        let mut pairs = Vec::new();
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let count = |count: u64| RestrictedExpression::new_long(i64::try_from(count).unwrap_or(i64::MAX));
        let mut put = |name: &str, value: &dyn Fn() -> Option<RestrictedExpression>| {
            if wanted(name)
                && let Some(value) = value()
            {
                pairs.push((name.to_owned(), value));
            }
        };
        let (proposal, blast) = (self.proposal, &self.proposal.blast);
        put("surface", &|| Some(text(proposal.surface.name())));
        put("kind", &|| Some(text(&proposal.kind)));
        put("class", &|| Some(text(proposal.class_name())));
        put("coverage", &|| Some(text(proposal.coverage_name())));
        put("environment", &|| Some(text(self.session.environment.name())));
        put("target", &|| Some(text(target)));
        put("targets", &|| Some(count(proposal.targets.len() as u64)));
        put("force", &|| {
            Some(RestrictedExpression::new_set(
                proposal.force.iter().map(|flag| text(flag)),
            ))
        });
        put("risk", &|| Some(count(u64::from(self.risk))));
        put("new", &|| Some(RestrictedExpression::new_bool(self.new)));
        put("stronger", &|| {
            Some(RestrictedExpression::new_bool(self.stronger))
        });
        put("files", &|| blast.files.map(count));
        put("rows", &|| blast.rows.map(count));
        put("objects", &|| blast.objects.map(count));
        let spend = one_currency(&blast.spend);
        put("spend", &|| {
            spend
                .as_ref()
                .and_then(|(amount, currency)| spend_record(amount, currency))
        });
        put("spend_unknown", &|| {
            Some(RestrictedExpression::new_bool(
                blast.spend != Spend::None && spend.is_none(),
            ))
        });
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }
}

/// The amount as Cedar's decimal, where it is of one currency and within what such a decimal holds.
fn one_currency(spend: &Spend) -> Option<(String, String)> {
    let Spend::Known(sums) = spend else { return None };
    let mut sums = sums.iter();
    let (currency, amount) = sums.next().filter(|_| sums.next().is_none())?;
    Some((decimal(*amount)?, currency.to_string()))
}

/// Four decimals, rounded up: a limit in a policy is never passed by rounding.
fn decimal(amount: Amount) -> Option<String> {
    let parts = amount.billionths().checked_add(99_999)? / 100_000;
    let parts = i64::try_from(parts).ok()?;
    Some(format!("{}.{:04}", parts / 10_000, parts % 10_000))
}

fn spend_record(amount: &str, currency: &str) -> Option<RestrictedExpression> {
    RestrictedExpression::new_record([
        ("amount".to_owned(), RestrictedExpression::new_decimal(amount)),
        (
            "currency".to_owned(),
            RestrictedExpression::new_string(currency.to_owned()),
        ),
    ])
    .ok()
}

/// The entity of an operation.
pub(crate) fn operations() -> impl Iterator<Item = &'static str> {
    Operation::ALL.into_iter().map(Operation::name)
}
