//! What the binary answers where no agent was run: shapes, exit codes, errors, colours, pipes.

mod common;

use common::{Place, begin, close, node, node_end};
use rescind_supervisor::journal::{ExitForm, Role};
use serde_json::json;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

const HOSTILE: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{9b}31mx\u{202e}";

#[test]
fn an_empty_store_has_answers_and_no_errors() {
    let place = Place::new();
    let sessions = place.rescind(&["sessions"]).ends(0);
    assert_eq!(
        sessions.out,
        "no sessions yet; `rescind run -- COMMAND` makes one\n"
    );
    assert_eq!(place.rescind(&["sessions", "--json"]).ends(0).out, "");
    let status = place.rescind(&["status", "--json"]).ends(0).json();
    assert_eq!(status[0]["ledger"]["entries"], 0);
    for key in [
        "home",
        "vault",
        "mirrors",
        "lacks",
        "not_covered",
        "interrupted",
        "running",
    ] {
        assert!(!status[0][key].is_null(), "{key}");
    }
    assert!(
        place
            .rescind(&["verify"])
            .ends(0)
            .out
            .starts_with("verified: 0 entries")
    );
    assert_eq!(
        place.rescind(&["prune", "--dry-run"]).ends(0).out,
        "nothing to prune\n"
    );
}

#[test]
fn an_error_has_its_code_on_stderr_nothing_on_stdout_and_its_exit_code() {
    let place = Place::new();
    for words in [
        &["log"][..],
        &["undo", "--yes"],
        &["plan", "abc"],
        &["show", "1"],
        &["diff", "abc"],
    ] {
        let answer = place.rescind(words).ends(1);
        assert_eq!(answer.out, "", "{words:?}");
        assert!(answer.err.starts_with("error[no-such-session]: "), "{answer:?}");
        assert!(
            answer.err.contains("\n  nothing was changed\n  help: "),
            "{answer:?}"
        );
    }
    let error = place.rescind(&["--json", "log", "abc"]).ends(1).error();
    assert_eq!(error["error"]["code"], "no-such-session");
    assert_eq!(error["error"]["exit_code"], 1);
    assert_eq!(error["error"]["meaning"], "nothing was changed");
    assert!(
        place
            .rescind(&["kill"])
            .ends(1)
            .err
            .starts_with("error[not-running]")
    );
    assert!(
        place
            .rescind(&["why", "x"])
            .ends(1)
            .err
            .starts_with("error[path-unknown]")
    );
}

#[test]
fn a_command_line_that_is_not_understood_ends_with_2() {
    let place = Place::new();
    for words in [
        &["nonsense"][..],
        &["undo", "--on-conflict", "maybe"],
        &["prune", "--older-than", "1y"],
        &[],
    ] {
        place.rescind(words).ends(2);
    }
    let error = place.rescind(&["log", "--nonsense", "--json"]).ends(2).error();
    assert_eq!(error["error"]["code"], "bad-argument");
    assert!(place.rescind(&["--version"]).ends(0).out.starts_with("rescind "));
    assert!(
        place
            .rescind(&["undo", "--help"])
            .ends(0)
            .out
            .contains("--on-conflict")
    );
}

#[test]
fn the_state_directory_must_be_known_and_usable() {
    let place = Place::new();
    let mut command = place.command(&["sessions"]);
    command
        .env_remove("RESCIND_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("HOME");
    let answer = common::Answer::of(command.output().unwrap()).ends(1);
    assert!(answer.err.starts_with("error[state-directory]"), "{answer:?}");
    let mut command = place.command(&["sessions"]);
    command.env("RESCIND_HOME", "/proc/nowhere");
    let answer = common::Answer::of(command.output().unwrap()).ends(1);
    assert!(answer.err.starts_with("error[state-directory]"), "{answer:?}");
}

#[test]
fn the_log_has_one_object_a_line_with_everything_a_record_must_have() {
    let place = Place::new();
    let store = place.store();
    let (id, log) = begin(&store, &["agent"], "1:1:gone");
    log.start(&node(1, 0, Role::Agent, &["agent"])).unwrap();
    let mut action = node(2, 1, Role::Action, &["rm", "-f", "it's mine"]);
    action.reasoning = Some("make room".to_owned());
    action.env.set.insert("LANG".to_owned(), "C".to_owned());
    log.start(&action).unwrap();
    log.start(&node(3, 2, Role::Process, &["true"])).unwrap();
    log.end(&node_end(3, ExitForm::Code(0), "")).unwrap();
    log.end(&node_end(2, ExitForm::Signal(9), "out\n")).unwrap();
    log.end(&node_end(1, ExitForm::Code(3), "")).unwrap();
    close(&log);

    let records = place.rescind(&["log", "--json", id.as_str()]).ends(0).json();
    assert_eq!(records.len(), 2, "the process of an action is no action");
    let record = &records[1];
    let expected = json!({
        "session_id": id.to_string(),
        "action_id": format!("{id}.2"),
        "parent_id": format!("{id}.1"),
        "agent": "agent",
        "role": "action",
        "command": "rm -f 'it'\\''s mine'",
        "argv": ["rm", "-f", "it's mine"],
        "risk_score": null,
        "approval": {"required": false, "reviewer": null, "approved_at": null},
        "exit_code": null,
        "signal": 9,
        "working_directory": "/work",
        "environment": {"LANG": "C"},
        "reversibility": "trivially_reversible",
        "coverage": "captured",
        "coverage_gaps": [],
        "effects": 0,
        "reasoning": "make room",
        "client": null,
    });
    for (key, value) in expected.as_object().unwrap() {
        assert_eq!(&record[key], value, "{key}");
    }
    assert_eq!(record["risk"]["judged"], false);
    assert_eq!(record["judgement"]["default"], true);
    assert_eq!(record["output"]["bytes"], 4);
    assert_eq!(record["output"]["preview"], "out\n");
    assert!(record["timestamp"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        (&records[0]["exit_code"], &records[0]["signal"]),
        (&json!(3), &json!(null))
    );

    assert_eq!(
        place.rescind(&["log", "--json", "--tree"]).ends(0).json().len(),
        3
    );
    let shown = place.rescind(&["show", "2", "--json"]).ends(0).json();
    assert_eq!(shown[0]["changes"], json!([]));
    assert_eq!(place.rescind(&["show", "2", "--output"]).ends(0).out, "out\n");
    assert!(
        place
            .rescind(&["show", "9"])
            .ends(1)
            .err
            .starts_with("error[no-such-action]")
    );
    let listed = place.rescind(&["sessions", "--json"]).ends(0).json();
    assert_eq!(
        (&listed[0]["kind"], &listed[0]["actions"]),
        (&json!("run"), &json!(3))
    );
}

#[test]
fn nothing_an_agent_wrote_steers_the_terminal() {
    let place = Place::new();
    let store = place.store();
    let (_, log) = begin(&store, &["agent", HOSTILE], "1:1:gone");
    let mut action = node(1, 0, Role::Action, &["x", HOSTILE]);
    action.reasoning = Some(HOSTILE.to_owned());
    action.cwd = HOSTILE.to_owned();
    log.start(&action).unwrap();
    let mut end = node_end(1, ExitForm::Code(0), HOSTILE);
    end.missing = vec![(HOSTILE.to_owned(), HOSTILE.to_owned())];
    log.end(&end).unwrap();
    close(&log);
    for words in [
        &["sessions"][..],
        &["log"],
        &["log", "--tree"],
        &["show", "1"],
        &["plan"],
        &["diff"],
    ] {
        for json in [&[][..], &["--json"]] {
            let answer = place.rescind(&[words, json].concat()).ends(0);
            let steers = |character: char| {
                (character.is_control() && character != '\n' && character != '\t') || character == '\u{202e}'
            };
            assert!(
                !answer.out.chars().any(steers),
                "{words:?} {json:?}: {:?}",
                answer.out
            );
        }
    }
}

#[test]
fn colour_is_only_for_terminals_and_never_against_the_users_word() {
    let place = Place::new();
    begin(&place.store(), &["agent"], "1:1:gone");
    let plain = place.rescind(&["sessions"]).ends(0);
    assert!(!plain.out.contains('\u{1b}'), "{plain:?}");
    let mut forced = place.command(&["sessions"]);
    let forced = common::Answer::of(forced.env("CLICOLOR_FORCE", "1").output().unwrap());
    assert!(forced.out.contains('\u{1b}'), "{forced:?}");
    let mut refused = place.command(&["sessions"]);
    refused.env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    let refused = common::Answer::of(refused.output().unwrap());
    assert!(!refused.out.contains('\u{1b}'), "{refused:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let place = Place::new();
    let store = place.store();
    let (_, log) = begin(&store, &["agent"], "1:1:gone");
    let long = "x".repeat(2_000);
    for number in 1..400 {
        log.start(&node(number, 0, Role::Action, &["echo", &long]))
            .unwrap();
    }
    close(&log);
    for words in [&["log"][..], &["log", "--json"], &["ledger", "entries"]] {
        let mut command = place.command(words);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap())
            .read_line(&mut first)
            .unwrap();
        assert!(!first.is_empty());
        let output = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{words:?}");
        assert_eq!(output.status.code(), Some(0), "{words:?}");
    }
}

#[test]
fn a_session_whose_supervisor_died_is_closed_by_the_next_command() {
    let place = Place::new();
    let (id, log) = begin(&place.store(), &["agent"], "1:1:gone");
    drop(log);
    let answer = place.rescind(&["sessions", "--json"]).ends(0);
    assert!(answer.err.contains(id.as_str()), "{answer:?}");
    assert_eq!(answer.json()[0]["state"], "ended");
    assert_eq!(place.rescind(&["sessions"]).ends(0).err, "");
}

#[test]
fn manual_completions_and_error_pages_are_in_the_binary() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(
            place
                .rescind(&["completions", shell])
                .ends(0)
                .out
                .contains("on-conflict"),
            "{shell}"
        );
    }
    assert!(place.rescind(&["man"]).ends(0).out.contains(".TH"));
    let folder = place.work().join("man");
    place.rescind(&["man", folder.to_str().unwrap()]).ends(0);
    for page in ["rescind.1", "rescind-undo.1", "rescind-ledger-prove.1"] {
        assert!(folder.join(page).is_file(), "{page}");
    }
    assert!(
        place
            .rescind(&["errors", "conflicts"])
            .ends(0)
            .out
            .starts_with("# conflicts\n")
    );
    let codes = place.rescind(&["errors", "--json"]).ends(0).json();
    for code in &codes {
        place.rescind(&["errors", code["code"].as_str().unwrap()]).ends(0);
    }
    assert!(
        place
            .rescind(&["errors", "no-such-code"])
            .ends(1)
            .err
            .starts_with("error[no-such-page]")
    );
}
