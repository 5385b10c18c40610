//! Issuers as they are read: what is shipped, and what is refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a failed assumption ends a test loudly"
)]

use rescind_credentials::{CredentialError, Credentials, Finding, Values};

const OWN: &str = r#"
[issuer.own]
needs = ["place"]
secret = { token = "$.token" }
public = { accessor = "$.accessor" }
env = { TOKEN = "{token}" }
issue = [{ run = "make {place} {name}" }]
revoke = [{ run = "end {place} {accessor}" }]
check = [{ run = "ask", env = { TOKEN = "{token}" }, dead = "^dead$", live = "^live$" }]
[credential.one]
issuer = "own"
with = { place = "a b" }
"#;

fn refusal(from: &str, to: &str) -> String {
    assert!(OWN.contains(from), "{from}");
    let text = OWN.replace(from, to);
    Credentials::parse("credentials.toml", &text)
        .expect_err(to)
        .to_string()
}

#[test]
fn the_shipped_issuers_are_sound_and_say_what_they_need() {
    for issuer in ["postgres", "kubernetes", "aws-sts"] {
        let text = format!("[credential.x]\nissuer = \"{issuer}\"\n");
        let error = Credentials::parse("f", &text).expect_err(issuer).to_string();
        assert!(error.contains("needs `"), "{error}");
    }
}

#[test]
fn what_can_not_work_is_refused_when_it_is_read() {
    for (from, to, why) in [
        (
            "run = \"ask\"",
            "run = \"ask {token}\"",
            "stands on the command line",
        ),
        ("make {place}", "make {plaice}", "nothing gives `{plaice}`"),
        ("make {place}", "make {accessor}", "nothing gives `{accessor}`"),
        ("make {place}", "make $(id)", "needs a shell"),
        ("\"^dead$\"", "\"(\"", "unclosed group"),
        ("check = ", "#", "no `check`"),
        (
            "revoke = [{ run = \"end {place} {accessor}\" }]",
            "revoke = []",
            "at least one command",
        ),
        ("with = { place = \"a b\" }", "", "needs `place`"),
        (
            "with = { place = \"a b\" }",
            "with = { place = \"a\", other = \"b\" }",
            "knows no `other`",
        ),
        (
            "issuer = \"own\"",
            "issuer = \"none\"",
            "there is no issuer `none`",
        ),
        (
            "[credential.one]",
            "[credential.\"../one\"]",
            "lower-case letters",
        ),
        ("[issuer.own]", "[issuer.postgres]", "of that name is shipped"),
        ("[issuer.own]", "[issuer.own]\nunknown = 1", "unknown"),
        ("env = { TOKEN", "env = { \"A=B\"", "no name of a variable"),
        (
            "[issuer.own]",
            "[issuer.own]\ngenerate = { p = 3 }",
            "has to have",
        ),
        ("[issuer.own]", "[issuer.own]\nsettles = 100000", "at most"),
    ] {
        let said = refusal(from, to);
        assert!(said.contains(why), "{to}: {said}");
    }
}

#[test]
fn a_value_stays_one_word_and_what_was_printed_is_never_told() {
    let credentials = Credentials::parse("f", OWN).unwrap();
    let issuer = &credentials.get("one").unwrap().issuer;
    let mut values: Values = credentials.get("one").unwrap().values.clone();
    values.insert("name".to_owned(), "n; rm -rf / {token}".to_owned());
    let ready = issuer.issue[0].ready(&values).unwrap();
    assert_eq!(ready.argv, ["make", "a b", "n; rm -rf / {token}"]);
    let (public, secret) = issuer
        .taken("{\"token\": \"s3cr3t\", \"accessor\": \"--all\"}")
        .unwrap();
    assert_eq!(
        (public["accessor"].as_str(), secret["token"].as_str()),
        ("--all", "s3cr3t")
    );
    values.extend(secret);
    assert!(!format!("{:?}", issuer.check[0].step.ready(&values).unwrap()).contains("s3cr3t"));
    for printed in [
        "",
        "s3cr3t",
        "{\"token\": [\"s3cr3t\"], \"accessor\": \"a\"}",
        "{\"accessor\": \"s3cr3t\"}",
        "{\"token\": \"\", \"accessor\": \"s3cr3t\"}",
    ] {
        let error = issuer.taken(printed).expect_err(printed);
        assert!(
            matches!(error, CredentialError::Taken { .. }) && !error.to_string().contains("s3cr3t"),
            "{error}"
        );
    }
    // In doubt, what would have been printed is not known.
    assert!(matches!(
        issuer.revoke[0].ready(&Values::new()),
        Err(CredentialError::Missing { .. })
    ));
}

#[test]
fn only_an_answer_that_a_dead_credential_gets_is_one() {
    let credentials = Credentials::parse("f", OWN).unwrap();
    let check = &credentials.get("one").unwrap().issuer.check[0];
    for (printed, finding) in [
        ("dead", Finding::Dead),
        ("live", Finding::Live),
        ("", Finding::Unclear),
        ("connection refused", Finding::Unclear),
    ] {
        assert_eq!(check.finding(printed), finding, "{printed}");
    }
    let postgres = "[credential.db]\nissuer = \"postgres\"\nwith = { server = \"s\", admin = \"a\", member_of = \"m\" }\n";
    let postgres = Credentials::parse("f", postgres).unwrap();
    let check = &postgres.get("db").unwrap().issuer.check[0];
    for (printed, finding) in [
        (
            "psql: error: connection to server on socket \"/x\" failed: FATAL:  password authentication failed for user \"rescind_x\"",
            Finding::Dead,
        ),
        (
            "psql: error: connection to server on socket \"/x\" failed: FATAL:  role \"rescind_x\" is not permitted to log in",
            Finding::Dead,
        ),
        ("1\n", Finding::Live),
        (
            "psql: error: connection to server on socket \"/x\" failed: No such file or directory",
            Finding::Unclear,
        ),
        (
            "psql: error: FATAL:  the database system is shutting down",
            Finding::Unclear,
        ),
        (
            "psql: error: FATAL:  sorry, too many clients already",
            Finding::Unclear,
        ),
        (
            "psql: error: FATAL:  database \"app\" does not exist",
            Finding::Unclear,
        ),
    ] {
        assert_eq!(check.finding(printed), finding, "{printed}");
    }
}
