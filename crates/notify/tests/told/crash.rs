//! The sending process is killed at any time: nothing is lost, and who looks at ids sees each event once.

use crate::place::{Place, deliver, finish, held};
use crate::receiver::{Answer, OK, Receiver};
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

const EVENTS: usize = 40;
const KILLS: usize = 8;

/// The process that is killed: it puts every event in, once more each time, and delivers for ever.
#[test]
#[ignore = "run by the test below, as a process of its own"]
fn the_process_that_is_killed() {
    let Ok(folder) = std::env::var("RESCIND_NOTIFY_FOLDER") else {
        return;
    };
    let text = std::fs::read_to_string(format!("{folder}/channels")).unwrap();
    let channels = rescind_notify::Channels::parse(&text).unwrap();
    let outbox = rescind_notify::Outbox::open(format!("{folder}/outbox").as_ref(), channels).unwrap();
    let deliverer = deliver(&outbox);
    for number in 0..EVENTS {
        outbox.put(&held(&format!("k{number}"))).unwrap();
    }
    println!("\nall in");
    // Until the pipe ends: whoever started this is gone, or has killed it.
    let mut line = String::new();
    let _ = std::io::stdin().read_line(&mut line);
    drop(deliverer);
}

#[test]
fn killed_in_the_middle_of_sending_each_event_arrives_and_none_under_two_ids() {
    let place = Place::new();
    // Faults all along. The fifth request of five is left without an answer: the process is killed while it waits. The
    // third is answered: the process is killed when it has the answer, or has noted it, or neither.
    let receiver = Receiver::start(|number, _| match number % 5 {
        0 => Answer::Drop,
        1 => Answer::Status(503, "", ""),
        4 => Answer::Silence,
        _ => OK,
    });
    let text = place.webhook("hook", receiver.port, "");
    std::fs::write(place.path("channels"), &text).unwrap();
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "crash::the_process_that_is_killed",
                "--ignored",
                "--nocapture",
            ])
            .env("RESCIND_NOTIFY_FOLDER", place.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(
            lines.map_while(Result::ok).any(|line| line == "all in"),
            "the process has put everything in"
        );
        let place_of_kill = if round % 2 == 0 { 5 } else { 3 };
        let before = receiver.got().len();
        receiver.wait(before / 5 * 5 + 5 + place_of_kill);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let outbox = place.outbox(&text);
    finish(&outbox, deliver(&outbox));
    let mut told: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for request in receiver.got() {
        told.entry(request.id().to_owned())
            .or_default()
            .push(request.body);
    }
    assert_eq!(told.len(), EVENTS, "each event, and nothing else");
    for (id, bodies) in &told {
        assert!(
            bodies.iter().all(|body| *body == bodies[0]),
            "{id} always says the same"
        );
    }
    assert_eq!(outbox.status().unwrap()[0].told, EVENTS as u64);
    let sent: usize = told.values().map(Vec::len).sum();
    println!(
        "{EVENTS} events, {KILLS} kills: {sent} requests, {} distinct ids",
        told.len()
    );
}
