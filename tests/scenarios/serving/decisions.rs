//! Decisions by the API: they arrive, also across a server's death, and those that may not count do not.

use super::SOON;
use crate::holds::{Running, configure, done, place};
use rescind_scenarios::{Ask, Scenario, Served, Visitor, proved, until};
use serde_json::{Value, json};
use std::time::Instant;

/// The one hold, as the API shows it.
fn hold(served: &Served, token: &str) -> Value {
    until("a hold", SOON, || {
        let holds = Ask::get("/api/v1/holds").token(token).of(served.port()).is(200);
        holds.json()["items"]
            .as_array()
            .and_then(|items| items.first().cloned())
    })
}

fn decide(hold: &Value, decision: &str, digest: &Value) -> Ask {
    let path = format!(
        "/api/v1/holds/{}/decisions",
        hold["action"].as_str().expect("an action")
    );
    Ask::post(&path, &json!({"decision": decision, "digest": digest}))
}

fn reviewer(scenario: &Scenario, served: &Served, name: &str) -> String {
    Visitor::new(scenario, served, name, &["reviewer:*"])
        .token(name, &["reviewer:*"])
        .0
}

#[test]
fn what_is_approved_by_the_api_goes_on_and_what_was_not_shown_so_is_refused() {
    let scenario = place();
    let served = Served::start(&scenario, &[]);
    let port = served.port();
    let ann = reviewer(&scenario, &served, "ann");
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end $?");
    let held = hold(&served, &ann);
    decide(&held, "approve", &json!("sha256:another"))
        .token(&ann)
        .of(port)
        .problem(409, "hold-changed");
    // A token that is nobody's decides nothing.
    decide(&held, "approve", &held["digest"])
        .token(&served.token)
        .of(port)
        .problem(403, "not-allowed");
    assert_eq!(done(&scenario), "");
    let began = Instant::now();
    let answer = decide(&held, "approve", &held["digest"])
        .token(&ann)
        .of(port)
        .is(200)
        .json();
    let answered = began.elapsed();
    until("it to run", SOON, || (!done(&scenario).is_empty()).then_some(()));
    let ran = began.elapsed();
    assert_eq!(
        (&answer["person"], &answer["approvals_missing"]),
        (&json!("ann"), &json!(0))
    );
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    assert_eq!(done(&scenario), "delete ns drone\n");
    decide(&held, "approve", &held["digest"])
        .token(&ann)
        .of(port)
        .problem(409, "hold-over");
    assert!(served.stop());
    scenario.verify();
    proved(
        "4 server",
        format!(
            "approved by the API: answered after {answered:?}, the program had run after {ran:?} from the request"
        ),
    );
}

#[test]
fn where_two_have_to_approve_whoever_asked_is_none_of_them_and_nobody_counts_twice() {
    let scenario = place();
    // The default policy asks two.
    configure(&scenario, "policies/own.cedar", "");
    let served = Served::start(&scenario, &[]);
    let port = served.port();
    let ann = reviewer(&scenario, &served, "ann");
    let bob = reviewer(&scenario, &served, "bob");
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end $?");
    let held = hold(&served, &ann);
    assert_eq!(held["persons"], 2, "{held}");
    let requester = held["requester"].as_str().expect("a name");
    let asker = reviewer(&scenario, &served, requester);
    let approve = |token: &str| {
        let now = hold(&served, token);
        decide(&now, "approve", &now["digest"]).token(token).of(port)
    };
    approve(&asker).problem(403, "hold-requester");
    assert_eq!(approve(&ann).is(200).json()["approvals_missing"], 1);
    approve(&ann).problem(409, "hold-decided");
    assert_eq!(done(&scenario), "", "one is not enough");
    assert_eq!(approve(&bob).is(200).json()["approvals_missing"], 0);
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 0")), (0, true), "{out}{err}");
    assert_eq!(done(&scenario), "delete ns drone\n");
    assert!(served.stop());
}

#[test]
fn what_waits_goes_on_waiting_while_the_server_is_away_and_is_decided_by_the_next() {
    let scenario = place();
    let served = Served::start(&scenario, &[]);
    let port = served.port();
    let ann = reviewer(&scenario, &served, "ann");
    let running = Running::new(
        &scenario,
        "kubectl delete ns one; kubectl delete ns two; echo end $?",
    );
    let first = hold(&served, &ann);
    // A decision is answered, and the server is gone before anybody could take it up by way of it.
    decide(&first, "approve", &first["digest"])
        .token(&ann)
        .of(port)
        .is(200);
    served.kill();
    let served = Served::on(&scenario, port, &[]);
    let second = until("the second hold", SOON, || {
        let held = hold(&served, &ann);
        (held["action"] != first["action"]).then_some(held)
    });
    assert_eq!(done(&scenario), "delete ns one\n");
    served.kill();
    let served = Served::on(&scenario, port, &[]);
    let same = hold(&served, &ann);
    assert_eq!(
        (&same["action"], &same["digest"]),
        (&second["action"], &second["digest"])
    );
    decide(&same, "reject", &same["digest"])
        .token(&ann)
        .of(port)
        .is(200);
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 137")), (0, true), "{out}{err}");
    assert_eq!(done(&scenario), "delete ns one\n");
    assert!(served.stop());
    scenario.verify();
}
