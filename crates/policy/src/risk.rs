//! The risk score: the same facts give the same number, and every factor is shown, also those that add nothing.

use crate::{Environment, Proposal, Session, Spend, Trip};
use rescind_model::{Coverage, Reversibility, RiskFactor, RiskScore};

/// The score of a proposal in a session. `new` is whether this agent has never had such a kind of action permitted;
/// `stronger` is the finding that it was denied before in a weaker form.
#[must_use]
pub fn score(proposal: &Proposal, session: &Session, new: bool, stronger: Option<&Trip>) -> RiskScore {
    let mut factors = vec![class(proposal), environment(session)];
    factors.extend(blast(proposal));
    factors.push(coverage(proposal));
    factors.push(novelty(proposal, session, new));
    factors.push(match stronger {
        Some(trip) => factor("denied before", 20, trip.to_string()),
        None => factor("denied before", 0, "nothing like it was denied to this session"),
    });
    RiskScore::new(factors)
}

fn factor(name: &'static str, points: u8, sentence: impl Into<String>) -> RiskFactor {
    RiskFactor {
        name,
        points,
        sentence: sentence.into(),
    }
}

fn class(proposal: &Proposal) -> RiskFactor {
    let (points, sentence) = match proposal.class {
        Some(Reversibility::TriviallyReversible) => {
            (0, "it changes nothing, or its inverse needs no saved state")
        }
        Some(Reversibility::ReversibleWithState) => (10, "it can be taken back exactly, with a snapshot"),
        Some(Reversibility::ReversibleWithBackup) => (25, "it can be taken back from a backup, at a cost"),
        Some(Reversibility::PartiallyReversible) => (40, "a part of it can't be taken back"),
        Some(Reversibility::Irreversible) => (55, "nothing of it can be taken back"),
        None => (
            45,
            "nobody can say what it does, or whether that can be taken back",
        ),
    };
    factor("class", points, format!("{}: {sentence}", proposal.class_name()))
}

fn environment(session: &Session) -> RiskFactor {
    let points = match session.environment {
        Environment::Development => 0,
        Environment::Test => 2,
        Environment::Staging => 6,
        Environment::Unknown => 10,
        Environment::Production => 15,
    };
    let sentence = match (session.domain.as_str(), session.environment) {
        ("", Environment::Unknown) => "nobody said what environment this is".to_owned(),
        ("", environment) => format!("the environment is {environment}"),
        (domain, environment) => format!("{domain} is {environment}"),
    };
    factor("environment", points, sentence)
}

/// One factor for the largest of the counts, one for money where there is any.
fn blast(proposal: &Proposal) -> Vec<RiskFactor> {
    let blast = &proposal.blast;
    let counts = [
        ("files", blast.files),
        ("rows", blast.rows),
        ("objects", blast.objects),
    ];
    let known: Vec<(&str, u64)> = counts
        .into_iter()
        .filter_map(|(name, count)| Some((name, count?)))
        .collect();
    let largest = known.iter().map(|(_, count)| *count).max();
    let points = match largest {
        None if proposal.only_reads() => 0,
        None => 3,
        Some(0..=1) => 0,
        Some(2..=10) => 2,
        Some(11..=100) => 5,
        Some(101..=1_000) => 8,
        Some(1_001..=10_000) => 11,
        Some(_) => 15,
    };
    let counted: Vec<String> = known
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    let sentence = if counted.is_empty() {
        "how much it touches is not known".to_owned()
    } else {
        counted.join(", ")
    };
    let mut factors = vec![factor("blast radius", points, sentence)];
    factors.extend(money(&blast.spend));
    factors
}

/// Whole units of the largest sum, whatever the currency: a score compares magnitudes, it does not convert.
fn money(spend: &Spend) -> Option<RiskFactor> {
    match spend {
        Spend::None => None,
        Spend::Unknown => Some(factor(
            "money",
            10,
            "it spends money, and nobody can say how much",
        )),
        Spend::Known(sums) => {
            let largest = sums
                .values()
                .max()
                .map_or(0, |sum| sum.billionths() / 1_000_000_000);
            let points = match largest {
                ..10 => 3,
                10..100 => 5,
                100..1_000 => 10,
                _ => 15,
            };
            let sums: Vec<String> = sums
                .iter()
                .map(|(currency, amount)| format!("{amount} {currency}"))
                .collect();
            Some(factor(
                "money",
                points,
                format!("it spends {}", sums.join(" and ")),
            ))
        }
    }
}

fn coverage(proposal: &Proposal) -> RiskFactor {
    let name = "coverage";
    match &proposal.coverage {
        _ if proposal.only_reads() => factor(name, 0, "it changes nothing that would have to be captured"),
        Coverage::Captured => factor(name, 0, "everything it changes is captured first"),
        Coverage::Partial(missing) => {
            let first = missing
                .first()
                .map_or(String::new(), |missing| format!(": {missing}"));
            factor(
                name,
                8,
                format!("{} of what it changes is not captured{first}", missing.len()),
            )
        }
        Coverage::NotCaptured(why) => factor(name, 15, format!("nothing of it is captured: {why}")),
    }
}

fn novelty(proposal: &Proposal, session: &Session, new: bool) -> RiskFactor {
    if new {
        factor(
            "novelty",
            5,
            format!("{} has not done `{}` before", session.agent, proposal.kind),
        )
    } else {
        factor(
            "novelty",
            0,
            format!("{} has done `{}` before", session.agent, proposal.kind),
        )
    }
}
