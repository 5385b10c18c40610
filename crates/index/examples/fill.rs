//! Fill a store through the real log: `fill FOLDER SESSIONS ACTIONS [HOLDS]`, so many sessions of so many actions each, over
//! the last month. The last fifty sessions go on. With a number of holds these are opened then, `ready` is said, and they wait
//! until nothing more comes from standard input.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a tool for measuring"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::Dice;
use rescind_model::{Level, SessionId, State, Timestamp};
use rescind_supervisor::holds::{Closed, Holds};
use rescind_supervisor::journal::{ExitForm, Record, Role, SessionOpened};
use rescind_supervisor::{Store, now, process_mark};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

const DAY: i64 = 86_400_000_000_000;
const THREADS: u64 = 2;
const RUNNING: u64 = 50;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize| arguments[place].parse::<u64>().unwrap();
    let (sessions, actions) = (number(2), number(3));
    let store = common::store(Path::new(&arguments[1]));
    let begun = Instant::now();
    let next = Arc::new(AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            let (store, next) = (Arc::clone(&store), Arc::clone(&next));
            scope.spawn(move || {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= sessions {
                        return;
                    }
                    session(&store, number, sessions, actions);
                    if number % 100 == 99 {
                        eprintln!("{} sessions, {:.0} s", number + 1, begun.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    eprintln!(
        "{} entries in {:.0} s",
        store.ledger().len().unwrap(),
        begun.elapsed().as_secs_f64()
    );
    if let Some(holds) = arguments.get(4) {
        wait_for_people(&store, holds.parse().unwrap());
    }
}

fn wait_for_people(store: &Store, holds: u64) {
    let waiting = Holds::at(store.home().holds()).of_session("payments/prod", "production");
    for number in 0..holds {
        waiting.open(&common::open::hold(number)).unwrap();
    }
    println!("ready");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).unwrap();
}

/// One session: an agent that writes, reads, is held now and then, and fails at times.
fn session(store: &Store, number: u64, sessions: u64, actions: u64) {
    let mut dice = Dice::new(number + 1);
    let span = 30 * DAY / i64::try_from(sessions).unwrap().max(1);
    let began = now().0 - span * i64::try_from(sessions - number).unwrap();
    let tick = span / i64::try_from(actions).unwrap().max(1);
    let time = |n: u64| Timestamp(began + tick * i64::try_from(n).unwrap()).to_string();
    let milliseconds = u64::try_from(Timestamp(began).milliseconds()).unwrap();
    let id = SessionId::new(milliseconds, u32::try_from(number).unwrap());
    let domain = format!(
        "{}/{}",
        dice.pick(&["payments", "shop", "search", "data", "mail"]),
        dice.pick(&["prod", "staging", "dev"])
    );
    let agent = *dice.pick(&[
        "claude-code",
        "codex",
        "gemini",
        "aider",
        "goose",
        "bot-a",
        "bot-b",
        "bot-c",
    ]);
    let opening = SessionOpened {
        time: time(0),
        user: format!("person{}", dice.below(40)),
        environment: (*dice.pick(&["production", "staging", "development"])).to_owned(),
        supervisor: process_mark(1),
        ..common::opened(&id, agent, &domain)
    };
    let log = store.begin(&id, opening, Level::Process).unwrap();
    let mut agent = common::node(1, 0, Role::Agent, &["agent", "--task", "ticket"]);
    agent.time = time(0);
    log.start(&agent).unwrap();
    let mut seq = 0;
    for n in 2..actions + 2 {
        action(&mut dice, &log, &id, n, &mut seq, &time);
    }
    if number + RUNNING < sessions {
        let mut closing = common::closing("ended");
        closing.time = time(actions + 2);
        log.close(&closing).unwrap();
    }
}

fn action(
    dice: &mut Dice,
    log: &rescind_supervisor::SessionLog,
    id: &SessionId,
    n: u64,
    seq: &mut u64,
    time: &impl Fn(u64) -> String,
) {
    let program = *dice.pick(&[
        "git", "sed", "kubectl", "psql", "npm", "cargo", "python3", "make", "cp", "rm",
    ]);
    let target = format!("src/module{}/file{}.rs", dice.below(300), dice.below(2000));
    let words = [
        program,
        "--path",
        &target,
        &format!("ticket-{}", dice.below(100_000)),
    ];
    let mut started = common::node(n, 1, Role::Action, &words);
    started.time = time(n);
    let (class, score) = match dice.below(100) {
        0..60 => ("no_effect", 5),
        60..90 => ("reversible_with_state", 25),
        90..97 => ("partially_reversible", 55),
        _ => ("irreversible", 85),
    };
    let verdict = match dice.below(200) {
        0 => "deny",
        1..4 => "hold",
        _ => "allow",
    };
    let mut judged = common::judged(verdict, class, score);
    judged.kind = format!("{program}.change");
    started.judged = Some(Box::new(judged));
    log.start(&started).unwrap();
    if verdict == "hold" {
        let mut decided = common::decided(n, *dice.pick(&[Closed::Approved, Closed::Rejected]));
        decided.closed.at = time(n);
        log.decided(&decided).unwrap();
    }
    if class != "no_effect" && verdict == "allow" {
        *seq += 1;
        let was = common::file(n, 1, 1, 0o644);
        let is = if program == "rm" {
            State::Absent
        } else {
            common::file(n, 2, 2, 0o644)
        };
        let before = common::before(id, *seq, n, &target, &was);
        log.write(&[Record::Before(before)]).unwrap();
        log.write(&[Record::After(common::after(*seq, &is))]).unwrap();
    }
    let exit = match (verdict, dice.below(50)) {
        ("deny", _) => ExitForm::NotStarted,
        (_, 0) => ExitForm::Code(1),
        _ => ExitForm::Code(0),
    };
    let mut ended = common::ended(n, exit);
    ended.time = time(n);
    log.end(&ended).unwrap();
}
