//! What the server shows of the record is what `rescind log` and `rescind sessions` show.

use crate::holds::{Running, SOON, hold, name, place, waiting};
use rescind_scenarios::{Ask, Scenario, Served, proved, until};
use serde_json::{Value, json};

/// The rows of a list, all on one page.
fn rows(served: &Served, path: &str) -> Vec<Value> {
    let answer = Ask::get(path).token(&served.token).of(served.port()).is(200);
    let list = answer.json();
    assert_eq!(list["next"], Value::Null, "{path}: one page");
    list["items"].as_array().expect("rows").clone()
}

/// The actions of a session, oldest first.
fn actions(served: &Served, session: &str) -> Vec<Value> {
    let mut rows = rows(served, &format!("/api/v1/actions?session={session}&limit=100"));
    rows.reverse();
    rows
}

fn states(served: &Served, session: &str, word: &str) -> Vec<String> {
    let rows = actions(served, session).into_iter();
    rows.filter(|row| text(row, "command").starts_with(word))
        .map(|row| text(&row, "state"))
        .collect()
}

fn text(row: &Value, name: &str) -> String {
    row[name].as_str().unwrap_or_default().to_owned()
}

fn session(served: &Served, id: &str) -> Value {
    let ask = Ask::get(&format!("/api/v1/sessions/{id}")).token(&served.token);
    ask.of(served.port()).is(200).json()
}

/// The commands that changed a path, or something below it.
fn changing(served: &Served, scenario: &Scenario, path: &str) -> Vec<String> {
    let path = scenario.path(path).display().to_string();
    let rows = rows(served, &format!("/api/v1/actions?path={path}&limit=100"));
    rows.iter().map(|row| text(row, "command")).collect()
}

fn assert_as_told(row: &Value, told: &Value) {
    assert_eq!(row["action"], told["action_id"]);
    for name in ["role", "coverage", "effects", "program"] {
        assert_eq!(row[name], told[name], "{name}: {told:#}");
    }
    assert_eq!(row["score"], told["risk_score"], "{told:#}");
    let exit = row["exit"].as_str().unwrap_or("running");
    assert_eq!(Some(exit), told["exit"].as_str(), "{told:#}");
    let gaps = told["coverage_gaps"].as_array().map_or(0, Vec::len);
    assert_eq!(row["gaps_total"], json!(gaps), "{told:#}");
    if row["role"] != "direct" {
        assert_eq!(row["command"], told["command"]);
    }
    assert_eq!(row["decided"]["how"], told["approval"]["outcome"], "{told:#}");
}

#[test]
fn a_run_and_its_undo_are_shown_as_the_log_shows_them() {
    let scenario = place();
    let served = Served::start(&scenario, &[]);
    scenario.write("old", "old");
    scenario.write("gone", "gone");
    let script = "echo new > new; touch made; cp new old; rm gone; mkdir -p deep/er; mv new deep/er/moved; \
                  sh -c 'echo x > deep/x; echo y > deep/y'; ls nowhere; kubectl delete ns drone; kubectl delete ns drone";
    let running = Running::new(&scenario, script);
    let first = name(&hold(&scenario));
    let held = until("a session that waits", SOON, || {
        rows(&served, "/api/v1/sessions?waiting=true").pop()
    });
    assert_eq!(
        (text(&held, "state").as_str(), &held["waiting"]),
        ("running", &json!(1))
    );
    assert_eq!(states(&served, &text(&held, "session"), "kubectl"), ["held"]);
    scenario.tell(&["approve", &first]).success();
    let second = until("another hold", SOON, || {
        waiting(&scenario).into_iter().find(|held| name(held) != first)
    });
    scenario.tell(&["reject", &name(&second)]).success();
    running.end();
    let log = scenario.log(&[]);
    let id = text(&log[0], "session_id");
    let row = until("the session's end", SOON, || {
        Some(session(&served, &id)).filter(|row| row["state"] == "ended")
    });
    assert_eq!(row["how"], "ended");

    let shown = actions(&served, &id);
    assert_eq!(shown.len(), log.len());
    for (row, told) in shown.iter().zip(&log) {
        assert_as_told(row, told);
    }
    assert_eq!(states(&served, &id, "ls"), ["failed"]);
    assert_eq!(states(&served, &id, "kubectl"), ["done", "rejected"]);
    let listed = scenario.tell(&["sessions", "--json"]).success().json_lines();
    let told = listed.iter().find(|own| own["session_id"] == id.as_str());
    assert_eq!(row["effects"], told.expect("it")["effects"]);
    assert_eq!(changing(&served, &scenario, "old"), ["cp new old"]);
    assert_eq!(changing(&served, &scenario, "gone"), ["rm gone"]);
    assert!(changing(&served, &scenario, "deep").len() >= 3);

    scenario.tell(&["undo", "--yes", &id]);
    let path = format!("/api/v1/sessions/{id}/undos");
    let undo = until("the undo's receipt", SOON, || {
        let undos = Ask::get(&path)
            .token(&served.token)
            .of(served.port())
            .is(200)
            .json();
        let undo = undos.as_array()?.first()?.clone();
        (!undo["receipt"].is_null() && undo["state"] == "ended").then_some(undo)
    });
    assert!(
        undo["begun"].as_u64() > Some(0) && undo["begun"] == undo["over"],
        "{undo:#}"
    );
    assert_eq!(session(&served, &id)["undone_by"], json!([undo["undo"]]));
    assert_eq!(states(&served, &id, "cp"), ["undone"]);
    assert_eq!(states(&served, &id, "rm"), ["undone"]);

    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    let events = scenario
        .tell(&["export", "--format", "jsonl"])
        .success()
        .json_lines();
    assert_eq!(events.len(), entries.len());
    assert!(
        events.iter().all(|event| event["missing"].is_null()),
        "{events:#?}"
    );
    proved(
        "projection",
        format!(
            "{} actions, {} events as the log has them",
            shown.len(),
            events.len()
        ),
    );
}
