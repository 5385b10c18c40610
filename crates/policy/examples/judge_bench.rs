//! Verdict latency: p50 and p99 of one judgement, in microseconds, for 0, 10, 100 and 1,000 policies of one's own on top
//! of the default policy, against an empty pipeline (the same loop with nothing judged).
//!
//! Two mixes. `selective` is an organisation: ten policies for each domain, of every form (constants, thresholds,
//! patterns of targets, agents), and actions in all its domains. `unselective` is the worst case: no policy says anything
//! that tells actions apart before it is evaluated.
//!
//! `cargo run --release -p rescind-policy --example judge_bench [-- ROUNDS]`; one JSON object a line.

use rescind_model::{Coverage, Digest, Operation, Reversibility, Scopes, SessionId, Surface, Timestamp};
use rescind_policy::{
    Blast, Bounds, Counters, Environment, History, Input, Judge, Proposal, Rules, Session, Whitelist,
};
use std::hint::black_box;
use std::time::Instant;

const LIMITS: &str = r#"
[[limit]]
id = "deletes"
per = "session"
measure = "actions"
operation = "delete"
cap = 5

[[limit]]
id = "spend"
per = "agent"
measure = "money"
cap = "500 USD"
"#;

fn selective(count: usize) -> String {
    (0..count).map(|number| one(number / 10, number % 10)).collect()
}

fn one(domain: usize, form: usize) -> String {
    let here = format!("resource in Domain::\"team{domain}\"");
    match form {
        0 => format!(
            "@deny(\"no\") forbid (principal, action == Action::\"delete\", {here}) when {{ context.surface == \"postgres\" }};\n"
        ),
        1 => format!(
            "@hold(\"oncall\") forbid (principal, action in Action::\"change\", {here}) when {{ context.risk >= 90 }};\n"
        ),
        2 => format!(
            "@hold(\"oncall\") forbid (principal, action, {here}) when {{ context.surface == \"kubernetes\" && context has objects && context.objects > 50 }};\n"
        ),
        3 => format!(
            "@notify(\"#team{domain}\") permit (principal, action == Action::\"delete\", {here}) when {{ context.coverage == \"captured\" && context.class == \"reversible_with_state\" }};\n"
        ),
        4 => format!(
            "@deny(\"secrets\") forbid (principal, action, {here}) when {{ context.surface == \"files\" && context.target like \"*/.env\" }};\n"
        ),
        5 => format!(
            "@two_person forbid (principal == Agent::\"bot{domain}\", action == Action::\"admin\", resource);\n"
        ),
        6 => format!(
            "forbid (principal in Team::\"guests{domain}\", action in Action::\"change\", resource);\n"
        ),
        7 => format!(
            "@hold(\"oncall\") forbid (principal, action, {here}) when {{ context.kind == \"git.push\" && context.force.contains(\"force\") }};\n"
        ),
        8 => format!(
            "@hold(\"finance\") forbid (principal, action, {here}) when {{ context has spend && context.spend.amount.greaterThan(decimal(\"100.0\")) }};\n"
        ),
        _ => format!(
            "@deny(\"frozen\") forbid (principal, action, resource == Domain::\"team{domain}/prod/eu\") when {{ context.environment == \"production\" }};\n"
        ),
    }
}

fn unselective(count: usize) -> String {
    (0..count)
        .map(|number| {
            format!(
                "@hold(\"x\") forbid (principal, action, resource) when {{ context.risk > {} }};\n",
                101 + number
            )
        })
        .collect()
}

/// What is done, in turn: files, tables, clusters, pushes; in all domains.
fn actions(domains: usize) -> Vec<(Session, Proposal)> {
    let forms = [
        (Operation::Write, Surface::Files, "files.edit", "/srv/app/main.rs"),
        (Operation::Delete, Surface::Files, "files.delete", "/srv/app/old"),
        (
            Operation::Admin,
            Surface::Postgres,
            "postgres.ddl",
            "public.orders",
        ),
        (
            Operation::Write,
            Surface::Kubernetes,
            "kubernetes.apply",
            "shop/deployment/web",
        ),
        (Operation::Write, Surface::Shell, "git.push", "origin/main"),
        (
            Operation::Read,
            Surface::Http,
            "http.get",
            "https://api.example/v1/orders",
        ),
    ];
    let mut all = Vec::new();
    for domain in 0..domains.max(1) {
        for (operation, surface, kind, target) in forms {
            let session = Session {
                id: SessionId::new(1, 1),
                agent: format!("bot{domain}"),
                teams: vec![format!("team{domain}")],
                owner: "ann".to_owned(),
                domain: format!("team{domain}/prod"),
                environment: Environment::Production,
                scopes: Scopes::all(),
                started: Timestamp(0),
                actions: 0,
            };
            let proposal = Proposal {
                operation,
                surface,
                kind: kind.to_owned(),
                text: format!("{kind} {target}"),
                digest: Digest([7; 32]),
                targets: vec![target.to_owned()],
                class: Some(Reversibility::ReversibleWithState),
                coverage: Coverage::Captured,
                blast: Blast {
                    objects: Some(3),
                    ..Blast::default()
                },
                force: Default::default(),
                drives: Vec::new(),
            };
            all.push((session, proposal));
        }
    }
    all
}

fn percentiles(mut nanoseconds: Vec<u128>) -> (f64, f64) {
    nanoseconds.sort_unstable();
    let at = |share: usize| {
        nanoseconds
            .get(nanoseconds.len() * share / 100)
            .copied()
            .unwrap_or(0)
    };
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let microseconds = |time: u128| time as f64 / 1_000.0;
    (microseconds(at(50)), microseconds(at(99)))
}

fn measure(rounds: usize, actions: &[(Session, Proposal)], work: impl Fn(&Session, &Proposal)) -> (f64, f64) {
    let mut times = Vec::with_capacity(rounds);
    for (session, proposal) in actions.iter().cycle().take(rounds) {
        let start = Instant::now();
        work(session, proposal);
        times.push(start.elapsed().as_nanos());
    }
    percentiles(times)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rounds = std::env::args().nth(1).map_or(Ok(50_000), |text| text.parse())?;
    let bounds = Bounds::parse("limits.toml", LIMITS, &|_| None)?;
    let (history, whitelist, counters) = (History::default(), Whitelist::default(), Counters::default());
    let all = actions(100);
    let (p50, p99) = measure(rounds, &all, |session, proposal| {
        black_box((session, proposal));
    });
    println!("{{\"mix\":\"empty\",\"policies\":0,\"p50_us\":{p50:.2},\"p99_us\":{p99:.2}}}");
    type Make = fn(usize) -> String;
    let mixes: [(&str, Make); 2] = [("selective", selective), ("unselective", unselective)];
    for (mix, make) in mixes {
        for count in [0, 10, 100, 1_000] {
            let rules = Rules::parse(&[("bench.cedar", &make(count))])?;
            let judge = Judge {
                rules: &rules,
                bounds: &bounds,
            };
            let actions = actions(count / 10);
            let rounds = if mix == "unselective" { rounds / 10 } else { rounds };
            let (p50, p99) = measure(rounds, &actions, |session, proposal| {
                black_box(judge.judge(&Input {
                    proposal,
                    session,
                    history: &history,
                    whitelist: &whitelist,
                    counters: &counters,
                    now: Timestamp(1),
                }));
            });
            println!("{{\"mix\":\"{mix}\",\"policies\":{count},\"p50_us\":{p50:.2},\"p99_us\":{p99:.2}}}");
        }
    }
    Ok(())
}
