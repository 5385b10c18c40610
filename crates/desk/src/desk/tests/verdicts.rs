use super::super::{Acting, SessionDesk};
use crate::{Configuration, Tally};
use rescind_model::{Level, SessionId, Verdict};
use rescind_policy::Environment;
use rescind_supervisor::{Asked, Connecting, Desk as _, Judged, Understood};

fn desk() -> SessionDesk {
    let acting = Acting {
        session: "1m7z0000000a2".parse::<SessionId>().unwrap(),
        agent: "bot".to_owned(),
        owner: "ann".to_owned(),
        domain: String::new(),
        environment: Environment::Unknown,
        path: "/usr/bin".to_owned(),
        cwd: "/work".to_owned(),
    };
    SessionDesk::new(
        &Configuration::default(),
        acting,
        Tally::at("/nonexistent".into(), Level::Process),
    )
    .unwrap()
}

fn asked(desk: &mut SessionDesk, exe: &str, line: &str, cleared: Option<u8>) -> Judged {
    let argv: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let environment = vec![b"HOME=/home/bot".to_vec(), b"PATH=/usr/bin".to_vec()];
    desk.judge(&Asked {
        node: 7,
        parent: 0,
        exe,
        file: "",
        argv: &argv,
        cwd: "/work",
        environment: &environment,
        cleared,
        scopes: None,
    })
}

#[test]
fn what_can_be_taken_back_runs_and_what_cant_waits() {
    let mut desk = desk();
    let runs = asked(&mut desk, "/usr/bin/rm", "rm -rf build", None);
    assert_eq!(
        (&runs.verdict, runs.understood),
        (&Verdict::Allow, Understood::Wholly)
    );
    let waits = asked(&mut desk, "/usr/bin/kubectl", "kubectl delete ns shop", None);
    assert!(matches!(waits.verdict, Verdict::Hold(_)), "{waits:?}");
    assert_eq!((waits.form.persons, waits.severity), (2, 4));
    assert!(waits.form.score > runs.form.score);
}

#[test]
fn the_file_that_runs_says_what_runs_not_the_first_argument() {
    let mut desk = desk();
    let judged = asked(&mut desk, "/usr/bin/kubectl", "ls delete ns shop", None);
    assert!(matches!(judged.verdict, Verdict::Hold(_)), "{judged:?}");
    let script = asked(&mut desk, "/usr/bin/node", "node /usr/bin/npm test", None);
    assert_eq!(script.understood, Understood::Itself);
    let code = asked(&mut desk, "/usr/bin/node", "node ./server.js", None);
    assert_eq!(
        (&code.verdict, code.understood),
        (&Verdict::Allow, Understood::Not)
    );
}

#[test]
fn a_part_of_what_was_approved_needs_no_second_word_and_worse_does() {
    let mut desk = desk();
    let line = "kubectl delete ns shop";
    let part = asked(&mut desk, "/usr/bin/kubectl", line, Some(4));
    assert_eq!(part.verdict, Verdict::Allow);
    let worse = asked(&mut desk, "/usr/bin/kubectl", line, Some(3));
    assert!(matches!(worse.verdict, Verdict::Hold(_)));
}

#[test]
fn three_denials_in_a_row_halt_until_something_was_let_run() {
    let mut desk = desk();
    for name in ["a", "b", "c"] {
        let judged = asked(
            &mut desk,
            "/usr/bin/kubectl",
            &format!("kubectl delete ns {name}"),
            None,
        );
        desk.settled(&judged, false);
    }
    let halted = asked(&mut desk, "/usr/bin/rm", "rm x", Some(4));
    assert!(matches!(halted.verdict, Verdict::Hold(_)), "{halted:?}");
    desk.settled(&halted, true);
    assert_eq!(
        asked(&mut desk, "/usr/bin/rm", "rm y", None).verdict,
        Verdict::Allow
    );
}

#[test]
fn a_connection_by_who_knows_what_waits() {
    let mut desk = desk();
    let judged = desk.judge_connection(&Connecting {
        node: 7,
        parent: 1,
        to: "203.0.113.5:443",
        by: "python3 x.py",
        key: None,
        cleared: None,
        scopes: None,
    });
    assert!(matches!(judged.verdict, Verdict::Hold(_)), "{judged:?}");
    assert!(
        judged
            .form
            .uncovered
            .iter()
            .any(|gap| gap.contains("203.0.113.5"))
    );
}

#[test]
fn a_desk_that_only_records_says_what_it_would_have_done() {
    let mut desk = desk().record_only();
    let judged = asked(&mut desk, "/usr/bin/kubectl", "kubectl delete ns shop", None);
    assert_eq!(
        (judged.verdict, judged.form.verdict.as_str()),
        (Verdict::Allow, "hold")
    );
}
