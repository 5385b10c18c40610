//! The projection of the ledger shows what `rescind log` and `rescind sessions` show.

use crate::holds::{Running, hold, name, place};
use rescind_index::{ActionFilter, ActionRow, DomainSet, Events, Index, Page, SessionFilter};
use rescind_scenarios::{Scenario, proved};
use rescind_supervisor::{Home, Store};
use serde_json::Value;
use std::sync::Arc;

fn projection(scenario: &Scenario) -> (Arc<Store>, Index) {
    let store = Arc::new(Store::open(Home::at(scenario.home())).expect("a store"));
    let index = Index::open(&scenario.scratch().join("index.sqlite"), Arc::clone(&store)).expect("an index");
    index.follow().expect("the ledger");
    (store, index)
}

fn actions(index: &Index, session: &str) -> Vec<ActionRow> {
    let mut filter = ActionFilter::of(DomainSet::Everything);
    filter.session = Some(session.to_owned());
    let mut rows = index.actions(&filter, &Page::first(500)).expect("actions").rows;
    rows.reverse();
    rows
}

fn states(index: &Index, session: &str, word: &str) -> Vec<String> {
    let rows = actions(index, session).into_iter();
    rows.filter(|row| row.command.starts_with(word))
        .map(|row| row.state)
        .collect()
}

#[test]
fn a_run_and_its_undo_are_shown_as_the_log_shows_them() {
    let scenario = place();
    scenario.write("old", "old");
    scenario.write("gone", "gone");
    let script = "echo new > new; touch made; cp new old; rm gone; mkdir -p deep/er; mv new deep/er/moved; \
                  sh -c 'echo x > deep/x; echo y > deep/y'; ls nowhere; kubectl delete ns drone; kubectl delete ns drone";
    let running = Running::new(&scenario, script);
    let first = name(&hold(&scenario));
    {
        // While it waits, it is shown as waiting.
        let (store, index) = projection(&scenario);
        let waits = SessionFilter {
            waiting: true,
            ..SessionFilter::of(DomainSet::Everything)
        };
        let rows = index.sessions(&waits, &Page::first(5)).expect("sessions").rows;
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].state.as_str(), rows[0].waiting), ("running", 1));
        assert_eq!(
            index.summary(&DomainSet::Everything).expect("a summary").waiting,
            1
        );
        assert_eq!(states(&index, &rows[0].session, "kubectl"), ["held"]);
        drop(store);
    }
    scenario.tell(&["approve", &first]).success();
    let second = rescind_scenarios::until("another hold", crate::holds::SOON, || {
        crate::holds::waiting(&scenario)
            .into_iter()
            .find(|held| name(held) != first)
    });
    scenario.tell(&["reject", &name(&second)]).success();
    running.end();
    let log = scenario.log(&[]);
    let session = log[0]["session_id"].as_str().expect("a session").to_owned();

    let (_store, index) = projection(&scenario);
    let rows = actions(&index, &session);
    assert_eq!(rows.len(), log.len());
    for (row, told) in rows.iter().zip(&log) {
        let words = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(row.action, words("action_id"));
        assert_eq!(row.role, words("role"));
        assert_eq!(row.coverage, words("coverage"), "{told:#}");
        assert_eq!(Value::from(row.effects), told["effects"], "{told:#}");
        assert_eq!(row.exit.clone().unwrap_or("running".into()), words("exit"));
        assert_eq!(Value::from(row.score), told["risk_score"]);
        assert_eq!(row.program, words("program"));
        assert_eq!(
            row.gaps_total,
            told["coverage_gaps"].as_array().map_or(0, Vec::len) as u64
        );
        if row.role != "direct" {
            assert_eq!(row.command, words("command"));
        }
        let decided = row.decided.as_ref().map(|decided| decided.how.clone());
        assert_eq!(Value::from(decided), told["approval"]["outcome"]);
    }
    assert_eq!(states(&index, &session, "ls"), ["failed"]);
    assert_eq!(states(&index, &session, "kubectl"), ["done", "rejected"]);
    let listed = scenario.tell(&["sessions", "--json"]).success().json_lines();
    let row = index
        .session(&session, &DomainSet::Everything)
        .expect("it")
        .expect("it");
    let told = listed
        .iter()
        .find(|own| own["session_id"] == session.as_str())
        .expect("it");
    assert_eq!(Value::from(row.effects), told["effects"], "{told:#}");
    assert_eq!(
        (row.state.as_str(), &row.how),
        ("ended", &Some("ended".to_owned()))
    );

    let path = |name: &str| {
        let mut filter = ActionFilter::of(DomainSet::Everything);
        filter.path = Some(scenario.path(name).display().to_string());
        let rows = index.actions(&filter, &Page::first(50)).expect("actions").rows;
        rows.into_iter().map(|row| row.command).collect::<Vec<_>>()
    };
    assert_eq!(path("old"), ["cp new old"]);
    assert_eq!(path("gone"), ["rm gone"]);
    assert!(path("deep").len() >= 3, "{:?}", path("deep"));
    drop(index);

    scenario.tell(&["undo", "--yes", &session]);
    let (store, index) = projection(&scenario);
    let undos = index.undos(&session, &DomainSet::Everything).expect("undos");
    assert_eq!(undos.len(), 1);
    assert!(undos[0].begun > 0 && undos[0].begun == undos[0].over, "{undos:?}");
    assert!(undos[0].receipt.is_some());
    let after = index
        .session(&session, &DomainSet::Everything)
        .expect("it")
        .expect("it");
    assert_eq!(after.undone_by, [undos[0].undo.clone()]);
    assert_eq!(states(&index, &session, "cp"), ["undone"]);
    assert_eq!(states(&index, &session, "rm"), ["undone"]);

    let mut events = Events::from(&store, 0).expect("events");
    let all = events.batch(usize::MAX).expect("events");
    assert_eq!(all.len() as u64, store.ledger().len().expect("a length"));
    assert!(all.iter().all(|event| event.missing.is_none()), "{all:#?}");
    proved(
        "projection",
        format!("{} actions, {} events as the log has them", rows.len(), all.len()),
    );
}
