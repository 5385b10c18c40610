//! Record, then change: whatever fails, whoever dies, and however many processes there are.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    reason = "tests may panic"
)]

mod common;

use common::{Bench, HERE, Kept, PASSWORD, grant, grants, machine, session};
use rescind_access::{Access, AccessError, Change, NewAgent, NewPerson, NewToken, RecordError};
use rescind_model::Scopes;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// In a process of its own: what to do, and with which file.
const CHILD: &str = "RESCIND_ACCESS_TEST_CHILD";

#[test]
fn what_can_not_be_recorded_does_not_happen() {
    let bench = Bench::new();
    let access = &bench.access;
    let ana = bench.person("ana", &["operator:*"]);
    let cookie = bench.sign_in("ana").cookie;
    let by = bench.authority("ana");
    let token = access
        .make_token(&by, &NewToken::new("ci", grants(&["viewer:*"])))
        .unwrap();
    let agent = NewAgent::new(session(1), "codex", "shop", Scopes::all());
    let issued = access.issue_agent(&by, &agent).unwrap();
    let before = state(access);
    bench.kept.refuses.store(true, Ordering::SeqCst);
    let refused = |what: &str, error: AccessError| {
        assert!(
            matches!(error, AccessError::NotRecorded { .. }),
            "{what}: {error}"
        );
    };
    let new = NewPerson {
        name: "eve".parse().unwrap(),
        grants: grants(&[]),
        must_change_password: true,
    };
    refused("add", access.add_person(&machine(), &new, PASSWORD).unwrap_err());
    refused("disable", access.disable_person(&machine(), &ana).unwrap_err());
    refused(
        "password",
        access
            .set_password(&machine(), &ana, "another one, long", false)
            .unwrap_err(),
    );
    refused(
        "grant",
        access.grant(&machine(), &ana, &grant("admin:*")).unwrap_err(),
    );
    refused(
        "revoke grant",
        access
            .revoke_grant(&machine(), &ana, &grant("operator:*"))
            .unwrap_err(),
    );
    refused(
        "token",
        access
            .make_token(&by, &NewToken::new("x", grants(&["viewer:*"])))
            .unwrap_err(),
    );
    refused(
        "revoke",
        access.revoke_token(&machine(), &token.info.id).unwrap_err(),
    );
    refused("sign in", access.sign_in("ana", PASSWORD, HERE).unwrap_err());
    refused("sign out", access.sign_out(cookie.expose()).unwrap_err());
    refused("issue", access.issue_agent(&machine(), &agent).unwrap_err());
    refused(
        "revoke agent",
        access.revoke_agent(&machine(), &issued.info.id).unwrap_err(),
    );
    refused("end", access.revoke_session(&machine(), &session(1)).unwrap_err());
    assert_eq!(state(access), before);
    access.principal_of_cookie(cookie.expose()).unwrap();
    access.authenticate(token.secret.expose()).unwrap();
    access.authenticate(issued.secret.expose()).unwrap();
    bench.kept.refuses.store(false, Ordering::SeqCst);
    access.disable_person(&machine(), &ana).unwrap();
    assert_eq!(
        bench.kept.whats().last().map(String::as_str),
        Some("person.disabled")
    );
}

fn state(access: &Access) -> String {
    let (people, tokens) = (access.people().unwrap(), access.tokens().unwrap());
    let mut tokens = tokens;
    tokens.iter_mut().for_each(|token| token.used = None);
    format!(
        "{people:?} {tokens:?} {:?} {:?}",
        access.sign_ins(None).unwrap(),
        access.agents(None).unwrap()
    )
}

#[test]
fn each_change_is_recorded_before_it_can_be_seen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    // Another reader of the same file looks while the record is being made.
    let reader = Access::open(&path, Arc::new(Kept::default())).unwrap();
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let recorder = {
        let seen = Arc::clone(&seen);
        move |change: &Change| -> Result<(), RecordError> {
            let people = reader.people().unwrap().len();
            seen.lock().unwrap().push((change.what(), people));
            Ok(())
        }
    };
    let access = Access::open(&path, Arc::new(recorder)).unwrap();
    for name in ["ana", "ben"] {
        let new = NewPerson {
            name: name.parse().unwrap(),
            grants: grants(&["viewer:*"]),
            must_change_password: false,
        };
        access.add_person(&machine(), &new, PASSWORD).unwrap();
    }
    assert_eq!(*seen.lock().unwrap(), [("person.added", 0), ("person.added", 1)]);
}

#[test]
fn who_proves_who_they_are_waits_for_nobodys_change() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    let cookie = bench.sign_in("ana").cookie;
    let token = bench
        .access
        .make_token(&machine(), &NewToken::new("ci", grants(&["viewer:*"])))
        .unwrap();
    bench.pass(std::time::Duration::from_secs(3600));
    let other = rusqlite::Connection::open(bench.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    // With the lock never given up, waiting for it would end as an error or never.
    bench.access.authenticate(token.secret.expose()).unwrap();
    bench.access.principal_of_cookie(cookie.expose()).unwrap();
    assert_eq!(bench.access.tokens().unwrap()[0].used, None);
    other.execute_batch("ROLLBACK").unwrap();
    bench.access.authenticate(token.secret.expose()).unwrap();
    assert!(bench.access.tokens().unwrap()[0].used.is_some());
}

/// What a child process does; no test of its own.
#[test]
fn child() {
    let Ok(what) = std::env::var(CHILD) else {
        return;
    };
    let (what, path) = what.split_once('=').unwrap();
    let kind = what.to_owned();
    let recorder = move |change: &Change| -> Result<(), RecordError> {
        say(&change.json().to_string());
        if kind == "die" {
            // It is killed here, between the record and the change.
            loop {
                std::thread::park();
            }
        }
        Ok(())
    };
    let access = Access::open(Path::new(path), Arc::new(recorder)).unwrap();
    match what {
        "die" => drop(access.disable_person(&machine(), &"ana".parse().unwrap())),
        "bootstrap" => {
            wait();
            say(access.bootstrap().unwrap().map_or("none", |_| "made"));
        }
        "work" => {
            wait();
            for number in 0..20 {
                let new = NewToken::new(&format!("t{number}"), grants(&["viewer:*"]));
                let made = access.make_token(&machine(), &new).unwrap();
                access.authenticate(made.secret.expose()).unwrap();
                access.revoke_token(&machine(), &made.info.id).unwrap();
                assert!(access.authenticate(made.secret.expose()).is_err());
            }
        }
        "check" => {
            for line in std::io::stdin().lock().lines() {
                let known = access.authenticate(&line.unwrap());
                say(if known.is_ok() { "known" } else { "refused" });
            }
        }
        other => panic!("{other}"),
    }
}

/// The harness writes to the standard output as well: what counts has a mark.
fn say(text: &str) {
    println!("\n@{text}");
    std::io::stdout().flush().unwrap();
}

fn wait() {
    say("ready");
    let _go = std::io::stdin().lock().lines().next();
}

fn spawn(what: &str, path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, format!("{what}={}", path.display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn next(lines: &mut impl Iterator<Item = std::io::Result<String>>) -> String {
    let found = lines.find_map(|line| line.unwrap().strip_prefix('@').map(str::to_owned));
    found.expect("the child says something")
}

#[test]
fn a_process_that_is_killed_between_record_and_change_has_changed_nothing() {
    let bench = Bench::new();
    let ana = bench.person("ana", &["viewer:*"]);
    let mut child = spawn("die", &bench.path());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let record: serde_json::Value = serde_json::from_str(&next(&mut lines)).unwrap();
    assert_eq!(record["what"], "person.disabled");
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!bench.access.person(&ana).unwrap().disabled);
    // Its lock died with it, and the file tells which records were never made true.
    bench.access.disable_person(&machine(), &ana).unwrap();
    assert!(bench.access.person(&ana).unwrap().disabled);
    let mine = bench.kept.changes.lock().unwrap().last().unwrap()["change"].clone();
    assert!(bench.access.was_made(mine.as_str().unwrap()).unwrap());
    assert!(!bench.access.was_made(record["change"].as_str().unwrap()).unwrap());
}

#[test]
fn of_many_processes_at_the_first_run_one_gets_the_token() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.db");
    let mut children: Vec<Child> = (0..6).map(|_| spawn("bootstrap", &path)).collect();
    let mut outputs: Vec<_> = children
        .iter_mut()
        .map(|child| BufReader::new(child.stdout.take().unwrap()).lines())
        .collect();
    outputs
        .iter_mut()
        .for_each(|lines| assert_eq!(next(lines), "ready"));
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut made = 0;
    for lines in &mut outputs {
        let said = next(lines);
        made += usize::from(said.starts_with('{'));
    }
    assert_eq!(made, 1);
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
}

#[test]
fn several_processes_make_and_revoke_at_once_and_each_sees_what_the_others_did() {
    let bench = Bench::new();
    let first = bench.access.bootstrap().unwrap().unwrap();
    let mut children: Vec<Child> = (0..3).map(|_| spawn("work", &bench.path())).collect();
    for child in &mut children {
        child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }
    let mut checker = spawn("check", &bench.path());
    let mut lines = BufReader::new(checker.stdout.take().unwrap()).lines();
    let mut ask = checker.stdin.take().unwrap();
    writeln!(ask, "{}", first.expose()).unwrap();
    assert_eq!(next(&mut lines), "known");
    let id = bench
        .access
        .tokens()
        .unwrap()
        .into_iter()
        .find(|token| token.name == "first-run")
        .unwrap()
        .id;
    bench.access.revoke_token(&machine(), &id).unwrap();
    writeln!(ask, "{}", first.expose()).unwrap();
    assert_eq!(
        next(&mut lines),
        "refused",
        "revoked in one process is revoked in all"
    );
    drop(ask);
    for mut child in children {
        let mut rest = String::new();
        child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
        assert!(child.wait().unwrap().success(), "{rest}");
    }
    assert!(checker.wait().unwrap().success());
    assert_eq!(bench.access.tokens().unwrap().len(), 61);
}

#[test]
fn the_file_is_its_owners_alone_and_another_format_is_left_as_it_is() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    for entry in std::fs::read_dir(bench.folder.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.path());
    }
    let open = |path: &Path| Access::open(path, Arc::new(Kept::default()));
    std::fs::set_permissions(bench.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    open(&bench.path()).unwrap();
    assert_eq!(
        std::fs::metadata(bench.path()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    assert!(matches!(open(&bench.path()), Err(AccessError::Damaged { .. })));
    let garbage = bench.folder.path().join("garbage.db");
    std::fs::write(&garbage, vec![b'x'; 8192]).unwrap();
    assert!(matches!(open(&garbage), Err(AccessError::Store { .. })));
    assert!(matches!(
        open(Path::new("/nonexistent/access.db")),
        Err(AccessError::File { .. })
    ));
}

#[test]
fn damage_grants_nothing() {
    let bench = Bench::new();
    bench.person("ana", &["viewer:*"]);
    let cookie = bench.sign_in("ana").cookie;
    let new = NewAgent::new(session(1), "codex", "shop", Scopes::new(Vec::new()));
    let agent = bench.access.issue_agent(&machine(), &new).unwrap();
    let token = bench
        .access
        .make_token(&machine(), &NewToken::new("x", grants(&["viewer:*"])))
        .unwrap();
    let connection = rusqlite::Connection::open(bench.path()).unwrap();
    for (table, column, texts) in [
        ("agents", "scopes", &["", "{}", "null", "[]"] as &[&str]),
        ("tokens", "grants", &["admin", "root:*", "viewer:*\nx"]),
        ("grants", "role", &["", "Admin", "root"]),
    ] {
        for text in texts {
            connection
                .execute(&format!("UPDATE {table} SET {column} = ?1"), [text])
                .unwrap();
            let answers = match table {
                "agents" => bench.access.authenticate(agent.secret.expose()).map(drop),
                "tokens" => bench.access.authenticate(token.secret.expose()).map(drop),
                _ => bench.access.principal_of_cookie(cookie.expose()).map(drop),
            };
            assert!(
                matches!(answers, Err(AccessError::Store { .. })),
                "{table} {text:?}"
            );
        }
    }
}
