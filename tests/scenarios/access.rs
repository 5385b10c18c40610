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
//! Who reaches what: every operation of the API's own document, and every page, by every kind of somebody.

mod people;
mod requests;

use people::{Somebody, Way, crowd};
use requests::{PAGES, Wanted, World, ask};
use rescind_scenarios::{Answer, Ask, proved};
use serde_json::Value;
use std::collections::BTreeSet;

/// An operation of the document.
struct Operation {
    method: String,
    path: String,
    role: String,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it is about one session or action.
    fn has_object(&self) -> bool {
        ["{session}", "{action}", "{job}"]
            .iter()
            .any(|part| self.path.contains(part))
    }

    fn is_safe(&self) -> bool {
        self.method == "GET"
    }
}

fn operations(document: &Value) -> Vec<Operation> {
    let paths = document["paths"].as_object().expect("paths");
    let mut all = Vec::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().expect("operations") {
            let role = operation["x-rescind-role"].as_str();
            all.push(Operation {
                method: method.to_uppercase(),
                path: path.clone(),
                role: role
                    .unwrap_or_else(|| panic!("{method} {path} says no role"))
                    .to_owned(),
            });
        }
    }
    all
}

/// What must come of it.
#[derive(Debug, PartialEq, Eq)]
enum Must {
    /// Not known: 401.
    SignIn,
    /// Known, and may not: 403 with this code.
    NotMay(&'static str),
    /// It looks as if there were nothing.
    NotThere,
    /// It is not refused for who asks.
    Reach,
    /// It may be reached, or refused: the domain decides, and the operation has a test of its own.
    Either,
}

const RANKS: [&str; 4] = ["viewer", "reviewer", "operator", "admin"];

fn rank(role: &str) -> Option<usize> {
    RANKS.iter().position(|own| *own == role)
}

fn must(operation: &Operation, who: &Somebody) -> Must {
    let need = operation.role.as_str();
    if need == "nobody" {
        return Must::Reach;
    }
    let (role, domain) = match &who.way {
        Way::Unknown => return Must::SignIn,
        Way::Agent if need == "agent" => return Must::Reach,
        Way::Agent => return Must::NotMay("not-allowed"),
        Way::Forged if need == "agent" => return Must::SignIn,
        Way::Forged if !operation.is_safe() => return Must::NotMay(who.code),
        Way::Forged => ("admin", "*"),
        Way::Person(role, domain) => (*role, *domain),
    };
    match need {
        "agent" => return Must::NotMay("not-allowed"),
        "anybody" => return Must::Reach,
        _ => {}
    }
    if rank(role).expect("a role") < rank(need).unwrap_or_else(|| panic!("no role `{need}`")) {
        return Must::NotMay("not-allowed");
    }
    if domain == "*" {
        return Must::Reach;
    }
    if operation.path == "/metrics" {
        return Must::NotMay("not-allowed");
    }
    if need == "admin" {
        return Must::Either;
    }
    let about_one = operation.has_object() || operation.path.starts_with("/api/v1/control/");
    if domain == people::ELSEWHERE && about_one {
        return Must::NotThere;
    }
    Must::Reach
}

fn check(operation: &Operation, who: &Somebody, answer: &Answer, must: &Must) -> Result<(), String> {
    let code = || serde_json::from_slice::<Value>(&answer.body).unwrap_or_default()["code"].clone();
    let right = match must {
        Must::SignIn => answer.status == 401 && code() == "not-signed-in",
        Must::NotMay(own) => answer.status == 403 && code() == *own,
        Must::NotThere => answer.status == 404,
        Must::Reach => {
            let unfresh = answer.status == 403 && code() == "sign-in-not-fresh";
            // Of one's own tokens others' are none.
            let not_own = answer.status == 404 && operation.path == "/api/v1/me/tokens/{id}";
            ![401, 403, 404, 429].contains(&answer.status) && answer.status < 500 || unfresh || not_own
        }
        Must::Either => answer.status != 401 && answer.status < 500,
    };
    if right {
        return Ok(());
    }
    Err(format!(
        "{} by {}: {must:?}, but it is {}: {}",
        operation.name(),
        who.name,
        answer.status,
        answer.text()
    ))
}

#[test]
fn every_operation_is_reached_by_whom_it_is_for_and_by_nobody_else() {
    let world = World::new();
    let document = Ask::get("/api/v1/openapi.json").of(world.port).is(200).json();
    let printed = world
        .scenario
        .tell(&["serve", "--openapi"])
        .success()
        .out()
        .parse::<Value>();
    assert_eq!(printed.expect("JSON"), document, "both documents are the same");
    let operations = operations(&document);
    assert!(
        operations.len() > 30,
        "the document has {} operations",
        operations.len()
    );
    let crowd = crowd(&world);
    let (mut faults, mut refused, mut reached) = (Vec::new(), 0, 0);
    let before = world.state();
    // First everybody who may not: nothing may have changed then. Afterwards those who may.
    for denied in [true, false] {
        for operation in &operations {
            for who in &crowd {
                let must = must(operation, who);
                if denied == matches!(must, Must::Reach | Must::Either) {
                    continue;
                }
                let wanted = Wanted {
                    operation: &operation.name(),
                    own_grant: who.grant,
                };
                let answer = who.send(ask(&world, &wanted, denied), world.port);
                if let Err(fault) = check(operation, who, &answer, &must) {
                    faults.push(fault);
                }
                *(if denied { &mut refused } else { &mut reached }) += 1;
            }
        }
        if denied {
            let after = world.state();
            assert_eq!(after, before, "somebody who may not changed something");
        }
    }
    assert!(
        faults.is_empty(),
        "{}\n{} faults",
        faults.join("\n"),
        faults.len()
    );
    world.end();
    proved(
        "5 access",
        format!(
            "{} operations, {} kinds of somebody: {refused} refused with nothing changed, {reached} let through",
            operations.len(),
            crowd.len()
        ),
    );
}

#[test]
fn every_page_is_listed_and_shows_nothing_to_whom_it_is_not_for() {
    let world = World::new();
    let document = Ask::get("/api/v1/openapi.json").of(world.port).is(200).json();
    let routed: BTreeSet<&str> = document["x-rescind-pages"]
        .as_array()
        .expect("the pages")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let listed: BTreeSet<&str> = PAGES.iter().map(|(page, _)| *page).collect();
    assert_eq!(
        routed, listed,
        "every page stands in the table of this test, with who may see it"
    );
    let crowd = crowd(&world);
    let before = world.state();
    let (mut faults, mut tried) = (Vec::new(), 0);
    for (page, role) in PAGES {
        let (method, path) = page.split_once(' ').expect("a method");
        for who in &crowd {
            let person = matches!(who.way, Way::Person(..));
            if person && (method == "POST" || *role != "nobody") || (matches!(who.way, Way::Forged)) {
                continue;
            }
            let answer = who.send(world.page(method, path), world.port);
            tried += 1;
            let in_public = *role == "nobody";
            let to_sign_in = answer.status == 303 && answer.header("location").starts_with("/signin");
            let refused = to_sign_in || [401, 403].contains(&answer.status);
            // A form without its fields is not understood, whoever sends it.
            let unread = method == "POST" && answer.status == 400;
            if in_public == refused && !unread {
                faults.push(format!("{page} by {}: {}", who.name, answer.status));
            }
            if !in_public && answer.text().contains(&world.session) && answer.status == 200 {
                faults.push(format!("{page} by {} shows the session", who.name));
            }
        }
    }
    // Forms that come from elsewhere, or with another sign-in's word.
    for (page, _) in PAGES.iter().filter(|(page, _)| page.starts_with("POST ")) {
        let path = page.split_once(' ').expect("a method").1;
        if path.starts_with("/signin") {
            continue;
        }
        for who in crowd.iter().filter(|who| matches!(who.way, Way::Forged)) {
            let answer = who.send(world.page("POST", path), world.port);
            tried += 1;
            if ![400, 403].contains(&answer.status) {
                faults.push(format!("{page} by {}: {}", who.name, answer.status));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(world.state(), before, "a page changed something");
    world.end();
    proved(
        "5 access",
        format!(
            "{} pages, {tried} requests of people they are not for",
            PAGES.len()
        ),
    );
}

#[test]
fn what_is_in_another_domain_looks_like_what_does_not_exist() {
    let world = World::new();
    let document = Ask::get("/api/v1/openapi.json").of(world.port).is(200).json();
    let crowd = crowd(&world);
    let elsewhere =
        |who: &&Somebody| matches!(who.way, Way::Person(_, domain) if domain == people::ELSEWHERE);
    let none = world.nothing();
    let mut compared = 0;
    for operation in operations(&document) {
        if rank(&operation.role).is_none() {
            continue;
        }
        for who in crowd.iter().filter(elsewhere) {
            let wanted = Wanted {
                operation: &operation.name(),
                own_grant: who.grant,
            };
            let about_one = operation.has_object() || operation.path.starts_with("/api/v1/control/");
            if about_one {
                let of = |ids: &requests::Ids| {
                    let answer = who.send(requests::ask_about(&world, &wanted, ids), world.port);
                    let text = answer
                        .text()
                        .replace(&ids.action, "ACTION")
                        .replace(&ids.session, "SESSION")
                        .replace(&format!("number {} ", ids.job), "number JOB ");
                    let mut headers = answer.headers.clone();
                    headers.retain(|(name, _)| name != "date" && name != "content-length");
                    (answer.status, headers, text)
                };
                assert_eq!(
                    of(&world.ids()),
                    of(&none),
                    "{} by {}",
                    operation.name(),
                    who.name
                );
                compared += 1;
            } else if operation.is_safe() && !operation.path.ends_with("/events") {
                let text = who.send(ask(&world, &wanted, true), world.port).text();
                assert!(
                    !text.contains(&world.session),
                    "{} by {}: {text}",
                    operation.name(),
                    who.name
                );
            }
        }
    }
    let stops = world.stopped_elsewhere();
    for who in crowd.iter().filter(elsewhere) {
        let text = who.send(Ask::get("/api/v1/control"), world.port).text();
        assert!(!text.contains(&stops), "{} sees a stop: {text}", who.name);
        let stream = who.events(world.port);
        assert!(
            !stream.contains(&world.session),
            "{} reads events: {stream}",
            who.name
        );
    }
    let own = crowd
        .iter()
        .find(|who| who.name == "viewer on payments (token)")
        .expect("a viewer");
    assert!(own.events(world.port).contains(&world.session));
    world.end();
    proved(
        "5 access",
        format!("{compared} answers about another domain are as about nothing"),
    );
}
