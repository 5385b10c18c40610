//! Secrets in arguments, environment and output stay out of what is recorded and shown.

use rescind_scenarios::{Outcome, Place, Scenario, Who, proved, text};
use std::process::Command;

/// Made up from pieces while the test runs, so that nothing here looks like a credential to a scanner.
fn secrets() -> Vec<(&'static str, String)> {
    let word = |seed: u64, length: usize| -> String {
        let mut random = rescind_scenarios::Random::new(seed);
        let alphabet: Vec<char> = ('a'..='z').chain('A'..='Z').chain('0'..='9').collect();
        (0..length).map(|_| *random.pick(&alphabet)).collect()
    };
    vec![
        ("GITHUB_TOKEN", format!("{}_{}", "ghp", word(1, 36))),
        (
            "AWS_ACCESS_KEY_ID",
            format!("{}{}", "AKIA", word(2, 16).to_uppercase()),
        ),
        ("AWS_SECRET_ACCESS_KEY", word(3, 40)),
        (
            "ANTHROPIC_API_KEY",
            format!("sk-{}-api03-{}-{}AA", "ant", word(4, 86), word(5, 6)),
        ),
        (
            "SLACK_TOKEN",
            format!(
                "{}-{}-{}-{}",
                "xoxb",
                123_456_789_012_u64,
                987_654_321_098_u64,
                word(6, 24)
            ),
        ),
        ("DB_PASSWORD", word(7, 20)),
        ("STRIPE_KEY", format!("sk_{}_{}", "live", word(8, 24))),
        ("NPM_TOKEN", format!("{}_{}", "npm", word(9, 36))),
    ]
}

#[test]
fn secrets_in_arguments_environment_and_output_are_recorded_nowhere() {
    let mut scenario = Scenario::at(Place::Tmpfs, Who::Me);
    let secrets = secrets();
    let database = "Pa55-of-the-database-9x";
    for (name, value) in &secrets {
        scenario.environment.push(((*name).to_owned(), value.clone()));
    }
    let key: String = "MC4CAQAwBQYDK2VwBCIEI"
        .chars()
        .chain("Jx9".repeat(14).chars())
        .collect();
    let begin = format!("-----BEGIN {} KEY-----", "PRIVATE");
    let by_argument = &secrets[5].1;
    let script = format!(
        "env; sh -c 'true --password {by_argument}'; true postgres://app:{database}@db.example.com/prod; \
         printf '%s\\n%s\\n-----END PRIVATE KEY-----\\n' '{begin}' '{key}'; curl --version -H 'Authorization: Bearer {}' >/dev/null 2>&1; \
         echo done-and-plain; echo \"token: $GITHUB_TOKEN\" >&2; true",
        secrets[0].1,
    );
    let outcome = scenario.run(&script).success();
    // What the agent sees is untouched.
    assert!(
        outcome.out().contains(by_argument),
        "the agent's own output was changed"
    );
    let session = scenario.runs().pop().expect("a session");
    let mut shown = text(
        &scenario
            .tell(&["log", "--json", &session, "--tree"])
            .success()
            .stdout,
    );
    shown += &scenario.tell(&["log", &session]).said();
    let log = scenario.log(&[&session, "--tree"]);
    for node in &log {
        let id = node["action_id"].as_str().expect("an id");
        shown += &scenario.tell(&["show", id]).said();
        shown += &scenario.tell(&["show", id, "--output"]).said();
    }
    shown += &scenario.tell(&["sessions"]).said();
    shown += &scenario.tell(&["diff", &session]).said();
    shown += &scenario.tell(&["plan", &session]).said();
    let all = secrets
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .chain([("private key", &*key), ("url", database)]);
    let mut leaked = Vec::new();
    for (name, value) in all {
        if shown.contains(value) {
            let line = shown
                .lines()
                .find(|line| line.contains(value))
                .unwrap_or_default();
            leaked.push(format!(
                "{name} is shown: {}",
                line.chars().take(300).collect::<String>()
            ));
        }
        let lying = Outcome::of(
            Command::new("grep")
                .args(["-rlaF", "--", value])
                .arg(scenario.home()),
        )
        .out();
        if !lying.is_empty() {
            leaked.push(format!("{name} lies in {lying}"));
        }
    }
    assert!(leaked.is_empty(), "{leaked:#?}");
    assert!(shown.contains("done-and-plain"), "what is no secret is not shown");
    assert!(
        shown.to_lowercase().contains("redacted"),
        "what was redacted is not marked"
    );
    proved(
        "9 redaction",
        format!(
            "{} secrets, end to end: recorded and shown nowhere",
            secrets.len() + 2
        ),
    );
}
