//! The index and the shortcuts against Cedar with all policies at once: the same matches, the same errors, the same
//! decision, on random policies and random proposals.

use crate::facts::Facts;
use crate::{Blast, Effect, Environment, Evaluation, Proposal, Rules, Session, Spend};
use cedar_policy::{Authorizer, Decision, Policy, PolicyId, PolicySet, Request, Schema};
use rescind_model::{Coverage, Digest, Missing, Operation, Reversibility, Scopes, SessionId, Surface, Timestamp};

/// A small generator (xorshift64*): the same seed, the same run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    fn of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const AGENTS: [&str; 4] = ["deploy", "fix", "coder", "night"];
const TEAMS: [&str; 3] = ["sre", "web", "data"];
const DOMAINS: [&str; 6] = ["payments", "payments/prod", "payments/prod/eu", "web", "web/prod", ""];
const KINDS: [&str; 5] = ["git.push", "kubernetes.delete", "postgres.ddl", "files.delete", "x"];
const TARGETS: [&str; 5] = ["/srv/a", "/srv/b", "prod/db", "*", ""];

fn words(attribute: &str) -> Vec<&'static str> {
    match attribute {
        "surface" => Surface::ALL.iter().map(|known| known.name()).collect(),
        "class" => Reversibility::ALL.iter().map(|known| known.name()).chain(["unknown"]).collect(),
        "coverage" => vec!["captured", "partial", "not_captured"],
        "environment" => Environment::ALL.iter().map(|known| known.name()).collect(),
        _ => KINDS.to_vec(),
    }
}

/// One random term. Some of them can error, some hide behind what an index must not look through.
fn term(random: &mut Random, depth: usize) -> String {
    let attribute = random.of(&["surface", "class", "coverage", "environment", "kind"]);
    let word = random.of(&words(attribute));
    let other = random.of(&words(attribute));
    match random.below(if depth == 0 { 18 } else { 24 }) {
        0..=3 => format!("context.{attribute} == \"{word}\""),
        4 => format!("\"{word}\" == context.{attribute}"),
        5 | 6 => format!("[\"{word}\", \"{other}\"].contains(context.{attribute})"),
        7 => format!("(context.{attribute} == \"{word}\" || context.{attribute} == \"{other}\")"),
        8 => format!("context.{attribute} != \"{word}\""),
        9 => format!("context has files && context.files > {}", random.below(20)),
        10 => format!("context.risk >= {}", random.below(100)),
        // Overflows for large counts: an error.
        11 => format!("context has rows && context.rows * 9000000000 * {} > 5", random.of(&["1", "3", "900000000"])),
        12 => format!("context.target like \"{}*\"", random.of(&["/srv/", "prod", "\\*"])),
        13 => format!("context.force.contains(\"{}\")", random.of(&["force", "recursive"])),
        14 => format!("principal in Team::\"{}\"", random.of(&TEAMS)),
        15 => format!("resource in Domain::\"{}\"", random.of(&DOMAINS)),
        // An entity that need not exist: an error.
        16 => format!("Agent::\"{}\".owner == \"ann\"", random.of(&AGENTS)),
        17 => "context has spend && context.spend.currency == \"USD\" && \
               context.spend.amount.greaterThan(decimal(\"10.5\"))"
            .to_owned(),
        18 => format!("!({})", term(random, depth - 1)),
        19 => format!("({} || {})", term(random, depth - 1), term(random, depth - 1)),
        20 => format!("({} && {})", term(random, depth - 1), term(random, depth - 1)),
        21 => format!("(if {} then {} else {})", term(random, depth - 1), term(random, depth - 1), term(random, depth - 1)),
        22 => "context.new".to_owned(),
        _ => "(context.stronger || principal.owner == \"ann\")".to_owned(),
    }
}

fn policy(random: &mut Random) -> String {
    let principal = match random.below(6) {
        0 => format!("principal == Agent::\"{}\"", random.of(&AGENTS)),
        1 => format!("principal in Team::\"{}\"", random.of(&TEAMS)),
        2 => "principal is Agent".to_owned(),
        _ => "principal".to_owned(),
    };
    let action = match random.below(6) {
        0 => format!("action == Action::\"{}\"", random.of(&Operation::ALL).name()),
        1 => "action in Action::\"change\"".to_owned(),
        2 => "action in [Action::\"read\", Action::\"delete\"]".to_owned(),
        _ => "action".to_owned(),
    };
    let resource = match random.below(5) {
        0 => format!("resource == Domain::\"{}\"", random.of(&DOMAINS)),
        1 | 2 => format!("resource in Domain::\"{}\"", random.of(&DOMAINS)),
        _ => "resource".to_owned(),
    };
    let head = random.of(&["permit", "permit", "forbid", "@hold(\"oncall\") forbid", "@two_person forbid", "@notify(\"o\") permit"]);
    let mut text = format!("{head} ({principal}, {action}, {resource})");
    for _ in 0..random.below(3) {
        let terms: Vec<String> = (0..=random.below(4)).map(|_| term(random, 2)).collect();
        let word = if random.one_in(4) { "unless" } else { "when" };
        text.push_str(&format!("\n{word} {{ {} }}", terms.join(" && ")));
    }
    text + ";\n"
}

fn session(random: &mut Random) -> Session {
    let teams: Vec<String> = TEAMS.iter().filter(|_| random.one_in(3)).map(|team| (*team).to_owned()).collect();
    Session {
        id: SessionId::new(0, 0),
        agent: random.of(&AGENTS).to_owned(),
        teams,
        owner: random.of(&["ann", "bob"]).to_owned(),
        domain: random.of(&DOMAINS).to_owned(),
        environment: random.of(&Environment::ALL),
        scopes: Scopes::all(),
        started: Timestamp(0),
        actions: 0,
    }
}

fn proposal(random: &mut Random) -> Proposal {
    let count = |random: &mut Random| random.of(&[None, Some(0), Some(7), Some(30), Some(2_000_000_000)]);
    let targets = (0..random.below(4)).map(|_| random.of(&TARGETS).to_owned()).collect();
    let missing = Missing {
        what: String::new(),
        why: String::new(),
    };
    Proposal {
        operation: random.of(&Operation::ALL),
        surface: random.of(&Surface::ALL),
        kind: random.of(&KINDS).to_owned(),
        text: String::new(),
        digest: Digest([0; 32]),
        targets,
        class: if random.one_in(5) { None } else { Some(random.of(&Reversibility::ALL)) },
        coverage: random.of(&[Coverage::Captured, Coverage::Partial(vec![missing]), Coverage::NotCaptured(String::new())]),
        blast: Blast {
            files: count(random),
            rows: count(random),
            objects: count(random),
            spend: match random.below(5) {
                0 => Spend::Unknown,
                1 => Spend::of(["10.5001 USD".parse().unwrap()]),
                2 => Spend::of(["10.5 USD".parse().unwrap()]),
                3 => Spend::of(["9 USD".parse().unwrap(), "9 EUR".parse().unwrap()]),
                _ => Spend::None,
            },
        },
        force: ["force", "recursive"].iter().filter(|_| random.one_in(2)).map(|flag| (*flag).to_owned()).collect(),
        drives: Vec::new(),
    }
}

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
        let entitled = rules.kinds.entitled(facts.session).unwrap();
        let action = rules.kinds.uid(&rules.kinds.action, facts.proposal.operation.name());
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
            let decision = Authorizer::new().is_authorized(&request, &self.written, &entitled.entities).decision();
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
        let effects = |effect: Effect| matched.iter().any(|number| rules.rules()[*number].effect == effect);
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
