//! People and tokens from the command line: kept, recorded, never shown, and out of every session's reach.

use rescind_scenarios::{Outcome, Scenario};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;

const PASSWORD: &str = "a heron at the weir";

/// A command with the password as the first line of its standard input.
fn with_password(scenario: &Scenario, arguments: &[&str], password: &str) -> Outcome {
    let script = format!("printf '%s\\nmore' '{password}' | \"$0\" \"$@\"");
    let mut command = scenario.command("sh");
    command.args(["-c", &script]);
    command.arg(rescind_scenarios::rescind_binary()).args(arguments);
    Outcome::of(&mut command)
}

fn add(scenario: &Scenario, name: &str, more: &[&str]) -> Outcome {
    let arguments = [&["access", "user", "add", name, "--password-stdin"], more].concat();
    with_password(scenario, &arguments, PASSWORD)
}

/// What the ledger says of access.
fn changes(scenario: &Scenario) -> Vec<Value> {
    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    let own = entries.iter().map(|entry| entry.get("entry").unwrap_or(entry));
    own.filter(|entry| entry["kind"] == "access.changed")
        .map(|entry| serde_json::from_str(entry["note"].as_str().expect("a note")).expect("JSON"))
        .collect()
}

#[test]
fn people_and_tokens_are_set_up_from_the_command_line_and_every_change_is_in_the_ledger() {
    let scenario = Scenario::new();
    add(
        &scenario,
        "ana",
        &["--grant", "operator:payments", "--grant", "viewer:*"],
    )
    .success();
    add(&scenario, "ana", &[]).exits(1);
    scenario
        .tell(&["access", "user", "revoke-grant", "ana", "viewer:*"])
        .success();
    scenario
        .tell(&["access", "user", "grant", "ana", "admin:shop/eu"])
        .success();
    let listed = scenario
        .tell(&["access", "user", "list", "--json"])
        .success()
        .json_lines();
    assert_eq!(
        listed[0]["grants"],
        serde_json::json!(["operator:payments", "admin:shop/eu"])
    );
    assert_eq!(listed[0]["must_change_password"], true);
    with_password(
        &scenario,
        &["access", "user", "password", "ana", "--password-stdin", "--keep"],
        "the weir has a heron",
    )
    .success();
    scenario.tell(&["access", "user", "disable", "ana"]).success();
    let token = scenario
        .tell(&[
            "access", "token", "add", "ci", "--grant", "viewer:*", "--days", "7",
        ])
        .success();
    let secret = token.out().trim().to_owned();
    assert!(secret.starts_with("rsc_api_") && secret.len() == 57, "{secret}");
    let tokens = scenario
        .tell(&["access", "token", "list", "--json"])
        .success()
        .json_lines();
    let id = tokens[0]["id"].as_str().expect("an id").to_owned();
    scenario.tell(&["access", "token", "revoke", &id]).success();
    let refused = scenario
        .tell(&["access", "token", "revoke", "0123456789abcdef"])
        .exits(1);
    assert!(refused.err().contains("no-such-access"), "{}", refused.err());
    assert!(
        scenario
            .tell(&["access", "agent", "list"])
            .success()
            .out()
            .contains("no agent")
    );

    let changes = changes(&scenario);
    let whats: Vec<&str> = changes
        .iter()
        .filter_map(|change| change["what"].as_str())
        .collect();
    assert_eq!(
        whats,
        [
            "person.added",
            "person.grant-revoked",
            "person.granted",
            "person.password-changed",
            "person.disabled",
            "token.made",
            "token.revoked"
        ]
    );
    let by = changes[0]["by"].as_str().expect("somebody");
    assert!(by.starts_with("machine:"), "{by}");
    scenario.verify();

    let folder = scenario.home().join("control");
    assert_eq!(
        fs::metadata(&folder).expect("a folder").permissions().mode() & 0o777,
        0o700
    );
    let mut kept = scenario.tell(&["ledger", "entries", "--json"]).out().into_bytes();
    for entry in fs::read_dir(&folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        assert_eq!(
            fs::metadata(&path).expect("a file").permissions().mode() & 0o777,
            0o600
        );
        kept.extend(fs::read(path).expect("a file"));
    }
    for hidden in [PASSWORD, "the weir has a heron", &secret, &secret[8..30]] {
        let found = kept
            .windows(hidden.len())
            .any(|window| window == hidden.as_bytes());
        assert!(!found, "{hidden}");
    }
}

#[test]
fn what_is_too_weak_or_no_name_is_refused_with_a_page() {
    let scenario = Scenario::new();
    let weak = with_password(
        &scenario,
        &["access", "user", "add", "ana", "--password-stdin"],
        "short",
    );
    assert!(
        weak.err().contains("access-refused") && weak.code() == 1,
        "{}",
        weak.err()
    );
    for arguments in [
        &["access", "user", "add", "Ana", "--password-stdin"] as &[&str],
        &["access", "user", "add", "../ana", "--password-stdin"],
        &[
            "access",
            "user",
            "add",
            "ana",
            "--password-stdin",
            "--grant",
            "root:*",
        ],
        &[
            "access",
            "user",
            "add",
            "ana",
            "--password",
            "a heron at the weir",
        ],
        &[
            "access", "token", "add", "x", "--grant", "viewer:*", "--days", "0",
        ],
    ] {
        assert_eq!(scenario.tell(arguments).code(), 2, "{arguments:?}");
    }
    let asked = scenario.tell(&["access", "user", "add", "ana"]);
    assert!(asked.err().contains("--password-stdin"), "{}", asked.err());
    assert!(changes(&scenario).is_empty());
    for code in ["access-refused", "no-such-access", "access-unusable"] {
        scenario.tell(&["errors", code]).success();
    }
}

#[test]
fn no_process_of_a_session_manages_or_reads_who_may_do_what() {
    let scenario = Scenario::new();
    let token = scenario
        .tell(&["access", "token", "add", "ci", "--grant", "admin:*"])
        .success();
    let rescind = rescind_scenarios::rescind_binary();
    let script = format!(
        "{0} access token add mine --grant admin:*; {0} access user list; env -u RESCIND_SESSION {0} access token list; true",
        rescind.display()
    );
    let outcome = scenario.run(&script).success();
    assert_eq!(outcome.out(), "", "{}", outcome.err());
    assert!(
        outcome.err().contains("inside-supervised-tree"),
        "{}",
        outcome.err()
    );
    // What an agent prints of a token that it came by is not kept.
    let secret = token.out().trim().to_owned();
    scenario.run(&format!("echo the token is {secret}")).success();
    let shown = scenario.tell(&["show", "1"]).success().said();
    assert!(
        !shown.contains(&secret[8..40]) && shown.contains("rescind-token"),
        "{shown}"
    );
    let tokens = scenario
        .tell(&["access", "token", "list", "--json"])
        .success()
        .json_lines();
    assert_eq!(tokens.len(), 1);
}

/// A terminal, with somebody who waits for each question before they type.
const TYPIST: &str = r#"
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
seen = b""
for question, answer in [(b"New password: ", b"a heron at the WEIR\x15a heron at the weirr\x7f\r"), (b"again: ", b"a heron at the weir\r")]:
    while question not in seen:
        seen += os.read(terminal, 1000)
    before, seen = seen.split(question, 1)
    sys.stdout.buffer.write(before + question)
    os.write(terminal, answer)
while True:
    try:
        more = os.read(terminal, 1000)
    except OSError:
        break
    if not more:
        break
    seen += more
sys.stdout.buffer.write(seen)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"#;

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let scenario = Scenario::new();
    let mut command = scenario.command("python3");
    command.args(["-c", TYPIST]);
    command
        .arg(rescind_scenarios::rescind_binary())
        .args(["access", "user", "add", "ana", "--grant", "viewer:*"]);
    let outcome = Outcome::of(&mut command).success();
    assert!(outcome.out().contains("ana added"), "{}", outcome.said());
    assert!(
        !outcome.said().to_lowercase().contains("heron"),
        "{}",
        outcome.said()
    );
}

#[test]
fn two_commands_at_once_are_both_done() {
    let scenario = Scenario::new();
    let children: Vec<_> = (0..6)
        .map(|number| {
            let mut command =
                scenario.rescind(&["access", "user", "add", &format!("p{number}"), "--password-stdin"]);
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("a child");
            let mut stdin = child.stdin.take().expect("its input");
            stdin.write_all(PASSWORD.as_bytes()).expect("a password");
            child
        })
        .collect();
    for mut child in children {
        assert!(child.wait().expect("its end").success());
    }
    let listed = scenario
        .tell(&["access", "user", "list", "--json"])
        .success()
        .json_lines();
    assert_eq!(listed.len(), 6);
    assert_eq!(changes(&scenario).len(), 6);
}
