//! The index and the shortcuts against Cedar with all policies at once: the same matches, the same errors, the same
//! decision, on random policies and random proposals.

use crate::facts::Facts;
use crate::fixture::random::{Random, policy, proposal, session};
use crate::{Effect, Evaluation, Rules};
use cedar_policy::{Authorizer, Decision, Policy, PolicyId, PolicySet, Request, Schema};

/// Cedar with everything at once: every policy as a `permit`, so that one answer names all that match; and every policy
/// as it is written, for the decision.
struct Oracle {
    matching: PolicySet,
    written: PolicySet,
    schema: Schema,
}

impl Oracle {
    fn new(rules: &Rules) -> Self {
        let (mut matching, mut written) = (PolicySet::new(), PolicySet::new());
        for (number, rule) in rules.rules().iter().enumerate() {
            let id = PolicyId::new(number.to_string());
            let policy = Policy::parse(Some(id.clone()), &rule.text).unwrap();
            let mut json = policy.to_json().unwrap();
            json["effect"] = "permit".into();
            matching.add(Policy::from_json(Some(id), json).unwrap()).unwrap();
            written.add(policy).unwrap();
        }
        let (schema, _) = Schema::from_cedarschema_str(crate::SCHEMA).unwrap();
        Self {
            matching,
            written,
            schema,
        }
    }

    /// What matches, what errors, and whether Cedar allows, over all targets.
    fn answer(&self, rules: &Rules, facts: &Facts<'_>) -> (Vec<usize>, Vec<usize>, bool) {
        let (mut matched, mut failed, mut allowed) = (Vec::new(), Vec::new(), true);
        let mut targets: Vec<&str> = facts.proposal.targets.iter().map(String::as_str).collect();
        if targets.is_empty() {
            targets.push("");
        }
        let entitled = rules.kinds.entitled(facts.session, true).unwrap();
        let action = rules
            .kinds
            .uid(&rules.kinds.action, facts.proposal.operation.name());
        for target in targets {
            let context = facts.context(None, target).unwrap();
            let (agent, domain) = (entitled.agent.clone(), entitled.domain.clone());
            // Validated: what we hand to Cedar is what the published schema says.
            let request = Request::new(agent, action.clone(), domain, context, Some(&self.schema)).unwrap();
            let all = Authorizer::new().is_authorized(&request, &self.matching, &entitled.entities);
            let number = |id: &PolicyId| id.to_string().parse::<usize>().unwrap();
            matched.extend(all.diagnostics().reason().map(number));
            failed.extend(all.diagnostics().errors().map(|error| match error {
                cedar_policy::AuthorizationError::PolicyEvaluationError(error) => number(error.policy_id()),
            }));
            let decision = Authorizer::new()
                .is_authorized(&request, &self.written, &entitled.entities)
                .decision();
            allowed &= decision == Decision::Allow;
        }
        matched.sort_unstable();
        matched.dedup();
        failed.sort_unstable();
        failed.dedup();
        (matched, failed, allowed)
    }
}

fn agree(random: &mut Random, rules: &Rules, proposals: usize, seen: &mut [usize; 4]) {
    let oracle = Oracle::new(rules);
    for _ in 0..proposals {
        let (session, proposal) = (session(random), proposal(random));
        let facts = Facts {
            proposal: &proposal,
            session: &session,
            risk: u8::try_from(random.below(101)).unwrap(),
            new: random.one_in(2),
            stronger: random.one_in(4),
        };
        let Evaluation { matched, failed } = rules.evaluate(&facts);
        let failed: Vec<usize> = failed.into_iter().map(|(number, _)| number).collect();
        let (expected, errors, allowed) = oracle.answer(rules, &facts);
        assert_eq!(matched, expected, "{proposal:?} {session:?}");
        assert_eq!(failed, errors, "{proposal:?} {session:?}");
        let effects = |effect: Effect| {
            matched
                .iter()
                .any(|number| rules.rules()[*number].effect == effect)
        };
        let ours = effects(Effect::Run) && !effects(Effect::Hold) && !effects(Effect::Deny);
        if failed.is_empty() && proposal.targets.len() <= 1 {
            assert_eq!(ours, allowed);
        } else if !allowed {
            // Several targets are judged together: strictly, so never more is allowed than Cedar allows for each.
            assert!(!ours || proposal.targets.len() > 1 || !failed.is_empty());
        }
        seen[0] += matched.len();
        seen[1] += failed.len();
        seen[2] += usize::from(ours);
        seen[3] += usize::from(!ours);
    }
}

fn random_rules(random: &mut Random, count: usize) -> Rules {
    let text: String = (0..count).map(|_| policy(random)).collect();
    Rules::parse_alone(&[("random.cedar", &text)]).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn a_thousand_random_policies_answer_as_cedar_does() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let rules = random_rules(&mut random, 1_000);
    assert!(rules.parts.iter().filter(|part| part.analysis.exact).count() > 100);
    let mut seen = [0; 4];
    agree(&mut random, &rules, 300, &mut seen);
    assert!(seen[0] > 1_000 && seen[1] > 20, "{seen:?}");
}

#[test]
fn small_sets_of_random_policies_answer_as_cedar_does_on_thousands_of_proposals() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut seen = [0; 4];
    for _ in 0..200 {
        let count = 1 + random.below(12);
        let rules = random_rules(&mut random, count);
        agree(&mut random, &rules, 40, &mut seen);
    }
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
}

#[test]
fn the_default_policy_answers_as_cedar_does() {
    let mut random = Random(77);
    let rules = Rules::default_policy().unwrap();
    let mut seen = [0; 4];
    agree(&mut random, &rules, 3_000, &mut seen);
    assert!(seen[2] > 300 && seen[3] > 300, "{seen:?}");
}
