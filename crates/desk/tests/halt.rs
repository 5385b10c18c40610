//! A session that is halted: everything that changes anything waits until a person has let something run.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking; clippy.toml allows it in test functions and not in their helpers"
)]

use rescind_desk::{Acting, Configuration, SessionDesk, Tally};
use rescind_model::{Level, SessionId, Verdict};
use rescind_policy::Environment;
use rescind_supervisor::{Asked, Desk as _, Judged};
use std::sync::atomic::{AtomicU64, Ordering};

fn desk() -> SessionDesk {
    let acting = Acting {
        session: SessionId::new(1_795_255_200_000, 7),
        agent: "bot".to_owned(),
        owner: "someone".to_owned(),
        domain: String::new(),
        environment: Environment::Development,
        path: "/usr/bin".to_owned(),
        cwd: "/work".to_owned(),
    };
    let tally = Tally::at("/nonexistent".into(), Level::Process);
    SessionDesk::new(&Configuration::default(), acting, tally).unwrap()
}

fn judge(desk: &mut SessionDesk, words: &[&str]) -> Judged {
    let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    static NODE: AtomicU64 = AtomicU64::new(1);
    desk.judge(&Asked {
        node: NODE.fetch_add(1, Ordering::Relaxed),
        parent: 0,
        exe: &format!("/usr/bin/{}", words[0]),
        file: "",
        argv: &argv,
        cwd: "/work",
        environment: &[],
        cleared: None,
        scopes: None,
    })
}

#[test]
fn what_changes_anything_waits_and_what_only_reads_goes_on_until_a_person_lets_something_run() {
    let mut desk = desk();
    let write = ["touch", "/work/a"];
    assert_eq!(judge(&mut desk, &write).verdict, Verdict::Allow);
    desk.halt("it did again what was undone");
    desk.halt("another reason, later");
    let held = judge(&mut desk, &write);
    let Verdict::Hold(reasons) = &held.verdict else {
        panic!("{held:?}")
    };
    assert_eq!(reasons[0], "the session is halted: it did again what was undone");
    assert_eq!((held.form.verdict.as_str(), held.form.persons), ("hold", 1));
    assert_eq!(judge(&mut desk, &["ls", "/work"]).verdict, Verdict::Allow);

    desk.settled(&held, false);
    let again = judge(&mut desk, &write);
    assert!(
        matches!(again.verdict, Verdict::Hold(_)),
        "a rejection ends no halt"
    );
    desk.settled(&again, true);
    assert_eq!(judge(&mut desk, &["touch", "/work/b"]).verdict, Verdict::Allow);
}

#[test]
fn a_session_that_is_only_recorded_says_so_and_goes_on() {
    let mut desk = desk().record_only();
    desk.halt("it did again what was undone");
    let judged = judge(&mut desk, &["touch", "/work/a"]);
    assert_eq!(judged.verdict, Verdict::Allow);
    let reasons = judged.form.reasons.join("; ");
    assert!(
        reasons.contains("is halted") && reasons.contains("only records"),
        "{reasons}"
    );
}
