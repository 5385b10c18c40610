//! Policies in Cedar: read, validated against the published schema, indexed, evaluated.
//!
//! INVARIANT: an action is allowed exactly where Cedar, given all policies, would allow it, and no policy errored.

mod annotations;
mod load;
mod statements;

pub use annotations::Annotations;
pub(crate) use annotations::REVIEWER;

use crate::analyse::Analysis;
use crate::facts::Facts;
use crate::index::Index;
use crate::{Place, Problem, Problems, Session};
use cedar_policy::{
    Authorizer, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
};
use rescind_model::Digest;
use std::collections::{BTreeSet, HashSet};
use std::str::FromStr as _;

/// The schema that every policy is validated against.
pub const SCHEMA: &str = include_str!("../../../policies/rescind.cedarschema");

/// The policy that holds where nobody wrote another.
pub const DEFAULT_POLICY: &str = include_str!("../../../policies/default.cedar");

/// The most targets that policies about targets look at, one by one. An action with more is held by them.
pub const MAX_TARGETS: usize = 1_000;

/// What a policy says by matching.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Cedar's `permit`: it runs.
    Run,
    /// `forbid` with `@hold` or `@two_person`: it waits for people.
    Hold,
    /// `forbid`: it does not run.
    Deny,
}

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Its name: `@id`, or else `FILE:LINE`.
    pub id: String,
    /// Where it begins.
    pub place: Place,
    /// What a match means.
    pub effect: Effect,
    /// What its annotations say.
    pub annotations: Annotations,
    /// Its text.
    pub text: String,
}

/// Policies, ready to judge by.
#[derive(Debug, Clone)]
pub struct Rules {
    rules: Vec<Rule>,
    parts: Vec<Part>,
    index: Index,
    kinds: Kinds,
    version: Digest,
}

/// A policy as the evaluator has it.
#[derive(Debug, Clone)]
struct Part {
    /// A set of this policy alone: what it answers is about nothing else. Where the scope is among the demands, the
    /// policy is here without it.
    set: PolicySet,
    analysis: Analysis,
}

/// Names of types, parsed once.
#[derive(Debug, Clone)]
struct Kinds {
    agent: EntityTypeName,
    team: EntityTypeName,
    domain: EntityTypeName,
    action: EntityTypeName,
    actions: Vec<Entity>,
}

/// What evaluating all policies on a proposal found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evaluation {
    /// The numbers of the policies that match, in order.
    pub matched: Vec<usize>,
    /// The numbers of those that could not be evaluated, and why. The action is held for each.
    pub failed: Vec<(usize, String)>,
}

/// The entities of a session: its agent with teams, its domain with those around it.
struct Entitled {
    agent: EntityUid,
    domain: EntityUid,
    entities: Entities,
}

impl Rules {
    /// The default policy alone.
    ///
    /// # Errors
    /// It is damaged in this build.
    pub fn default_policy() -> Result<Self, Problems> {
        Self::parse(&[])
    }

    /// The default policy and these files, name and text. A policy with the `@id` of a default one takes its place.
    ///
    /// # Errors
    /// Everything that is wrong with any of them. None is used then.
    pub fn parse(files: &[(&str, &str)]) -> Result<Self, Problems> {
        load::load(files, true)
    }

    /// These files alone, without the default policy.
    ///
    /// # Errors
    /// As [`Rules::parse`].
    pub fn parse_alone(files: &[(&str, &str)]) -> Result<Self, Problems> {
        load::load(files, false)
    }

    /// The policies, in the order of their numbers.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The digest of all policies: approvals are bound to it.
    #[must_use]
    pub fn version(&self) -> Digest {
        self.version
    }

    /// Which policies match. Only those are evaluated that can, and of them only those whose demands are not all there
    /// is to them.
    pub(crate) fn evaluate(&self, facts: &Facts<'_>) -> Evaluation {
        let candidates = self.index.candidates(facts, self.parts.len());
        let mut found = Evaluation::default();
        let (mut once, mut by_target) = (Vec::new(), Vec::new());
        for number in candidates {
            match self.parts.get(number) {
                Some(part) if part.analysis.exact => found.matched.push(number),
                Some(part) if part.reads("target") => by_target.push((number, part)),
                Some(part) => once.push((number, part)),
                None => {}
            }
        }
        if !once.is_empty() || !by_target.is_empty() {
            self.ask(facts, &once, &by_target, &mut found);
        }
        found.matched.sort_unstable();
        found.matched.dedup();
        found.failed.sort_unstable();
        found.failed.dedup_by_key(|(number, _)| *number);
        found
    }

    fn ask(
        &self,
        facts: &Facts<'_>,
        once: &[(usize, &Part)],
        by_target: &[(usize, &Part)],
        found: &mut Evaluation,
    ) {
        let numbers = |parts: &[(usize, &Part)]| parts.iter().map(|(number, _)| *number).collect::<Vec<_>>();
        let fail = |found: &mut Evaluation, numbers: Vec<usize>, why: &str| {
            found
                .failed
                .extend(numbers.into_iter().map(|number| (number, why.to_owned())));
        };
        let needed = once
            .iter()
            .chain(by_target)
            .any(|(_, part)| part.needs_entities());
        let entitled = match self.kinds.entitled(facts.session, needed) {
            Ok(entitled) => entitled,
            Err(why) => return fail(found, [numbers(once), numbers(by_target)].concat(), &why),
        };
        if !once.is_empty()
            && let Err(why) = self.decide(facts, &entitled, once, "", found)
        {
            fail(found, numbers(once), &why);
        }
        if by_target.is_empty() {
            return;
        }
        let targets: BTreeSet<&str> = facts.proposal.targets.iter().map(String::as_str).collect();
        if targets.len() > MAX_TARGETS {
            let why = format!(
                "it has {} targets, and more than {MAX_TARGETS} are not looked at",
                targets.len()
            );
            return fail(found, numbers(by_target), &why);
        }
        let nameless = targets.is_empty().then_some("");
        for target in targets.into_iter().chain(nameless) {
            if let Err(why) = self.decide(facts, &entitled, by_target, target, found) {
                fail(found, numbers(by_target), &why);
            }
        }
    }

    fn decide(
        &self,
        facts: &Facts<'_>,
        entitled: &Entitled,
        parts: &[(usize, &Part)],
        target: &str,
        found: &mut Evaluation,
    ) -> Result<(), String> {
        let all: Option<Vec<&BTreeSet<String>>> = parts
            .iter()
            .map(|(_, part)| part.analysis.reads.as_ref())
            .collect();
        let asked: Option<BTreeSet<String>> = all.map(|sets| sets.into_iter().flatten().cloned().collect());
        let context = facts.context(asked.as_ref(), target)?;
        let action = self
            .kinds
            .uid(&self.kinds.action, facts.proposal.operation.name());
        let (agent, domain) = (entitled.agent.clone(), entitled.domain.clone());
        let request =
            Request::new(agent, action, domain, context, None).map_err(|error| error.to_string())?;
        let authorizer = Authorizer::new();
        for (number, part) in parts {
            let response = authorizer.is_authorized(&request, &part.set, &entitled.entities);
            let matched =
                response.decision() == Decision::Allow || response.diagnostics().reason().next().is_some();
            let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
            if !errors.is_empty() {
                found.failed.push((*number, errors.join("; ")));
            } else if matched {
                found.matched.push(*number);
            }
        }
        Ok(())
    }
}

impl Part {
    /// Making a session's entities costs more than most policies; most policies ask nothing about them.
    fn needs_entities(&self) -> bool {
        self.analysis.asks_entities || !self.analysis.scope_is_demanded
    }

    fn reads(&self, attribute: &str) -> bool {
        self.analysis
            .reads
            .as_ref()
            .is_none_or(|reads| reads.contains(attribute))
    }
}

impl Kinds {
    fn new(schema: &cedar_policy::Schema) -> Result<Self, String> {
        let name = |text: &str| EntityTypeName::from_str(text).map_err(|error| error.to_string());
        let actions = schema.action_entities().map_err(|error| error.to_string())?;
        Ok(Self {
            agent: name("Agent")?,
            team: name("Team")?,
            domain: name("Domain")?,
            action: name("Action")?,
            actions: actions.iter().cloned().collect(),
        })
    }

    fn uid(&self, kind: &EntityTypeName, id: &str) -> EntityUid {
        EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
    }

    /// The entities of a session; without `needed` only their names.
    fn entitled(&self, session: &Session, needed: bool) -> Result<Entitled, String> {
        let agent = self.uid(&self.agent, &session.agent);
        let domain = self.uid(&self.domain, &session.domain);
        if !needed {
            return Ok(Entitled {
                agent,
                domain,
                entities: Entities::empty(),
            });
        }
        let teams: HashSet<EntityUid> = session
            .teams
            .iter()
            .map(|team| self.uid(&self.team, team))
            .collect();
        let owner = cedar_policy::RestrictedExpression::new_string(session.owner.clone());
        let mut entities: Vec<Entity> = self.actions.clone();
        entities.extend(
            teams
                .iter()
                .map(|team| Entity::new_no_attrs(team.clone(), HashSet::new())),
        );
        let own = Entity::new(agent.clone(), [("owner".to_owned(), owner)].into(), teams);
        entities.push(own.map_err(|error| error.to_string())?);
        let domains: Vec<EntityUid> = session
            .domains()
            .map(|name| self.uid(&self.domain, name))
            .collect();
        for (place, uid) in domains.iter().enumerate() {
            let around: HashSet<EntityUid> = domains.get(place + 1).cloned().into_iter().collect();
            entities.push(Entity::new_no_attrs(uid.clone(), around));
        }
        let entities = Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        Ok(Entitled {
            agent,
            domain,
            entities,
        })
    }
}

impl Effect {
    /// `run`, `hold` or `deny`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Hold => "hold",
            Self::Deny => "deny",
        }
    }
}

#[cfg(test)]
mod tests;
