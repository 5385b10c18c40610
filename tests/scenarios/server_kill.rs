//! The server killed without a word, again and again, while agents work, holds are decided and the stream is read.

use crate::holds::{configure, done, place};
use rescind_scenarios::{
    Ask, Follower, Random, Scenario, Seed, Served, Visitor, count, proved, proving, until,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const SOON: Duration = Duration::from_secs(120);
/// Each does something harmless, then something that a person has to allow, and so on until it is told to end.
const WORK: &str =
    "i=0; while [ ! -e \"$END\" ]; do i=$((i+1)); echo $i > own$NAME; kubectl delete ns $NAME-$i; done";

/// What a person answered, and the server took.
type Answered = BTreeMap<String, &'static str>;

/// Somebody who decides whatever waits, as long as it is to.
struct Decider {
    answered: Arc<Mutex<Answered>>,
    number: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Decider {
    fn new(port: u16, token: &str, mut random: Random) -> Self {
        let answered = Arc::new(Mutex::new(Answered::new()));
        let (number, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (own, taken, end) = (Arc::clone(&answered), Arc::clone(&number), Arc::clone(&over));
        let token = token.to_owned();
        let thread = std::thread::spawn(move || {
            while !end.load(Ordering::Acquire) {
                let Ok(list) = Ask::get("/api/v1/holds").token(&token).try_of(port) else {
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let list = list.is(200).json();
                for hold in list["items"].as_array().expect("holds") {
                    if let Some((action, said)) = decide(port, &token, hold, &mut random) {
                        let before = own.lock().expect("answers").insert(action.clone(), said);
                        assert_eq!(before, None, "{action} was decided twice");
                        taken.fetch_add(1, Ordering::AcqRel);
                    }
                }
            }
        });
        Self {
            answered,
            number,
            over,
            thread,
        }
    }

    fn number(&self) -> u64 {
        self.number.load(Ordering::Acquire)
    }

    fn end(self) -> Answered {
        self.over.store(true, Ordering::Release);
        self.thread
            .join()
            .expect("a decider to whom nothing odd was said");
        std::mem::take(&mut *self.answered.lock().expect("answers"))
    }
}

/// Decide one hold: what the server took. None: it was cut off, or the hold was decided before.
fn decide(port: u16, token: &str, hold: &Value, random: &mut Random) -> Option<(String, &'static str)> {
    let action = hold["action"].as_str().expect("an action").to_owned();
    let said = if random.below(4) == 0 { "reject" } else { "approve" };
    let body = json!({"decision": said, "digest": hold["digest"]});
    let post = Ask::post(&format!("/api/v1/holds/{action}/decisions"), &body).token(token);
    let answer = post.try_of(port).ok()?;
    match answer.status {
        200 => Some((action, said)),
        // An answer that was lost on its way is given, and counts.
        404 | 409 => None,
        _ => panic!("{action}: {} {}", answer.status, answer.text()),
    }
}

fn worker(scenario: &Scenario, name: &str) -> Child {
    let mut command = scenario.supervised(["sh", "-c", WORK]);
    command
        .env("NAME", name)
        .env("END", scenario.scratch().join("end"));
    let log = std::fs::File::create(scenario.scratch().join(format!("{name}.log"))).expect("a log");
    let child = command.stdout(Stdio::null()).stderr(log).spawn();
    child.expect("a supervisor")
}

/// The commands that took effect, and how often each.
fn effects(scenario: &Scenario) -> BTreeMap<String, usize> {
    let mut effects = BTreeMap::new();
    for line in done(scenario).lines() {
        *effects.entry(line.to_owned()).or_default() += 1;
    }
    effects
}

#[test]
fn a_server_that_is_killed_under_load_loses_nothing_and_nothing_happens_twice() {
    let kills = count("RESCIND_SERVER_KILLS", 4);
    let scenario = place();
    configure(
        &scenario,
        "server.toml",
        "[limits]\nrequests_per_minute = 1000000\n",
    );
    let mut random = Random::new(Seed::from_environment().0);
    let mut served = Served::start(&scenario, &[]);
    let (port, admin) = (served.port(), served.token.clone());
    let (token, _) = Visitor::new(&scenario, &served, "ann", &["reviewer:*"]).token("ann", &["reviewer:*"]);
    let follower = Follower::new(port, &admin);
    let decider = Decider::new(port, &token, Random::new(random.bits()));
    let mut workers: Vec<Child> = ["one", "two", "three"].map(|name| worker(&scenario, name)).into();
    let mut away = Vec::new();
    for number in 0..kills {
        let before = decider.number();
        until("a decision", SOON, || (decider.number() > before).then_some(()));
        // Somewhere within what follows.
        std::thread::sleep(Duration::from_micros(random.below(150_000)));
        served.kill();
        if number % 4 == 3 {
            everything_is_held(&scenario);
        }
        let began = Instant::now();
        served = Served::on(&scenario, port, &[]);
        away.push(began.elapsed());
    }
    let last = decider.number();
    until("one more decision", SOON, || {
        (decider.number() > last).then_some(())
    });
    std::fs::write(scenario.scratch().join("end"), "").expect("a file");
    for worker in &mut workers {
        until("an agent's end", SOON, || worker.try_wait().expect("a child"));
    }
    let answered = decider.end();
    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    until("the whole stream", SOON, || {
        (follower.len() >= entries.len() as u64).then_some(())
    });
    let times = follower.times();
    assert!(served.stop(), "the last server ends well");
    let told = follower.end();
    for (entry, event) in entries.iter().zip(&told) {
        assert_eq!(entry["index"], event.seq, "{entry}");
        let kind = &entry["entry"]["kind"];
        assert_eq!(*kind, event.kind.as_str(), "{entry} is not {event:?}");
    }
    let held = nothing_is_lost(&scenario, &answered);
    scenario.verify();
    away.sort();
    assert!(proving() || times >= kills as u64, "{times} times cut off");
    proved(
        "4 server",
        format!(
            "killed {kills} times under load: {} decisions answered, all of {held} holds decided once, {} events in the \
             stream without a gap ({times} times cut off); back after {:?}, at most {:?}",
            answered.len(),
            told.len(),
            away[away.len() / 2],
            away[away.len() - 1],
        ),
    );
}

/// While nobody is in charge, no action begins: what gateways are told is to hold.
fn everything_is_held(scenario: &Scenario) {
    until("all gateways to hold", SOON, || {
        let status = scenario.tell(&["status", "--json"]).success().json_lines();
        let status = status.first().expect("a status");
        let gateways = status["gateways"].as_array().expect("gateways");
        let held = gateways.iter().all(|gateway| gateway["order"] == "held");
        (held && !gateways.is_empty()).then_some(())
    });
}

/// What the agents were told.
fn logs(scenario: &Scenario) -> String {
    let read = |name| std::fs::read_to_string(scenario.scratch().join(name)).unwrap_or_default();
    ["one.log", "two.log", "three.log", "serve.log"]
        .map(read)
        .join("\n")
}

/// Every answer is on record, every hold ended by one, and everything that was approved happened once. How many there were.
fn nothing_is_lost(scenario: &Scenario, answered: &Answered) -> usize {
    let mut effects = effects(scenario);
    let mut held = 0;
    let mut left = answered.clone();
    for session in scenario.runs() {
        for action in scenario.log(&[&session]) {
            let id = action["action_id"].as_str().expect("an id");
            let outcome = action["approval"]["outcome"].as_str().unwrap_or_default();
            if action["approval"]["required"] != true {
                continue;
            }
            held += 1;
            assert!(
                ["approved", "rejected"].contains(&outcome),
                "{id} ended as `{outcome}`: {action}\n{}",
                logs(scenario)
            );
            if let Some(said) = left.remove(id) {
                let same = outcome.starts_with(said);
                assert!(
                    same,
                    "{id}: the server took `{said}`, the record says `{outcome}`"
                );
            }
            let command = action["command"].as_str().expect("a command");
            let command = command.strip_prefix("kubectl ").expect("what was held");
            let times = effects.remove(command).unwrap_or_default();
            let right = usize::from(outcome == "approved");
            assert_eq!(times, right, "{command}, {outcome}");
        }
    }
    assert!(left.is_empty(), "decisions are lost: {left:?}");
    assert!(effects.is_empty(), "nobody knows of {effects:?}");
    held
}
