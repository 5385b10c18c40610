//! How long each question to the projection takes: `page_bench FOLDER [HOLDS] [ROUNDS]`, over a store that `fill` filled.
//! Makes the projection first where it is not there. Says p50, p99 and the most in ms, how much of that it had a processor,
//! and how much memory all takes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a tool for measuring"
)]

#[path = "../tests/common/mod.rs"]
mod common;

use common::Dice;
use common::open::hold;
use rescind_index::{ActionFilter, DomainSet, Events, Index, Order, Page, SessionFilter};
use rescind_model::Timestamp;
use rescind_supervisor::holds::{Closed, ClosedForm, HoldFilter, HoldForm, Holds, OpenHolds};
use rescind_supervisor::now;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let number = |place: usize, usual: u64| arguments.get(place).map_or(usual, |text| text.parse().unwrap());
    let (holds, rounds) = (number(2, 10_000), number(3, 200));
    let store = common::store(Path::new(&arguments[1]));
    let path = Path::new(&arguments[1]).join("index.sqlite");
    let begun = Instant::now();
    let index = Index::open(&path, Arc::clone(&store)).unwrap();
    let mut said = Instant::now();
    let position = index.follow_with(&mut |progress| {
        if said.elapsed() > Duration::from_secs(10) {
            said = Instant::now();
            eprintln!(
                "{} of {}, {} MiB",
                progress.position,
                progress.of,
                memory("VmRSS")
            );
        }
    });
    println!(
        "followed {} entries in {:.1} s ({:.1} s of a processor); the file has {} MiB; memory {} MiB, at most {} MiB",
        position.unwrap(),
        begun.elapsed().as_secs_f64(),
        processor().as_secs_f64(),
        path.metadata().unwrap().len() >> 20,
        memory("VmRSS"),
        memory("VmHWM"),
    );
    queries(&index, rounds);
    open_holds(&store.home().holds(), holds, rounds);
    let begun = Instant::now();
    let head = store.ledger().len().unwrap();
    let mut events = Events::from(&store, head.saturating_sub(20_000)).unwrap();
    let read = events.batch(20_000).unwrap();
    println!(
        "the last {} events with their bodies: {:.1} s, {} without",
        read.len(),
        begun.elapsed().as_secs_f64(),
        read.iter().filter(|event| event.missing.is_some()).count()
    );
    println!("memory {} MiB, at most {} MiB", memory("VmRSS"), memory("VmHWM"));
}

fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_ascii_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        >> 10
}

/// How long this thread had a processor: what it takes on a machine that others use is that, and waiting for them.
fn processor() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(
        u64::try_from(time.tv_sec).unwrap(),
        u32::try_from(time.tv_nsec).unwrap(),
    )
}

/// Ask so many times, and say how long it took.
fn measure(what: &str, rounds: u64, mut ask: impl FnMut(&mut Dice) -> String) {
    let mut dice = Dice::new(99);
    let (mut times, mut busy) = (Vec::new(), Vec::new());
    let mut answer = String::new();
    for _ in 0..rounds {
        let (begun, used) = (Instant::now(), processor());
        answer = ask(&mut dice);
        times.push(begun.elapsed());
        busy.push(processor().saturating_sub(used));
    }
    times.sort();
    busy.sort();
    let of = |times: &[Duration], percent: usize| {
        times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3
    };
    let at = |percent: usize| of(&times, percent);
    println!(
        "{what:<40} p50 {:>7.2}  p99 {:>7.2}  most {:>7.2}  processor p50 {:>7.2}  p99 {:>7.2}  {answer}",
        at(50),
        at(99),
        at(100),
        of(&busy, 50),
        of(&busy, 99)
    );
}

fn queries(index: &Index, rounds: u64) {
    let all = DomainSet::Everything;
    let sessions = |filter: &SessionFilter, page: &Page| {
        let paged = index.sessions(filter, page).unwrap();
        format!(
            "{} rows{}",
            paged.rows.len(),
            if paged.cut { ", cut" } else { "" }
        )
    };
    let actions = |filter: &ActionFilter, page: &Page| {
        let paged = index.actions(filter, page).unwrap();
        format!(
            "{} rows{}",
            paged.rows.len(),
            if paged.cut { ", cut" } else { "" }
        )
    };
    let of_sessions = SessionFilter::of(all.clone());
    let of = ActionFilter::of(all.clone());
    let first = Page::first(50);
    let some = |value: &str| Some(value.to_owned());
    measure("sessions", rounds, |_| sessions(&of_sessions, &first));
    measure("sessions, 500", rounds, |_| {
        sessions(&of_sessions, &Page::first(500))
    });
    let text = SessionFilter {
        text: some("person7 payments"),
        ..of_sessions.clone()
    };
    measure("sessions, text", rounds, |_| sessions(&text, &first));
    let running = SessionFilter {
        state: some("running"),
        ..of_sessions.clone()
    };
    measure("sessions, running", rounds, |_| sessions(&running, &first));
    measure("summary", rounds, |_| {
        format!("{} running", index.summary(&all).unwrap().running)
    });
    measure("summary, one domain", rounds, |_| {
        format!(
            "{} running",
            index.summary(&DomainSet::under("payments/prod")).unwrap().running
        )
    });
    measure("actions", rounds, |_| actions(&of, &first));
    measure("actions, oldest, 500", rounds, |_| {
        actions(
            &of,
            &Page {
                order: Order::Oldest,
                ..Page::first(500)
            },
        )
    });
    let ids: Vec<String> = index
        .sessions(&of_sessions, &Page::first(500))
        .unwrap()
        .rows
        .into_iter()
        .map(|row| row.session)
        .collect();
    let filters: Vec<(&str, ActionFilter)> = vec![
        (
            "agent",
            ActionFilter {
                agent: some("codex"),
                ..of.clone()
            },
        ),
        (
            "owner",
            ActionFilter {
                owner: some("person3"),
                ..of.clone()
            },
        ),
        (
            "domain",
            ActionFilter {
                domain: some("payments"),
                ..of.clone()
            },
        ),
        (
            "reader of 3 domains",
            ActionFilter::of(DomainSet::Under(vec!["payments/prod".into(), "shop".into()])),
        ),
        (
            "class",
            ActionFilter {
                class: some("irreversible"),
                ..of.clone()
            },
        ),
        (
            "verdict deny",
            ActionFilter {
                verdict: some("deny"),
                ..of.clone()
            },
        ),
        (
            "state rejected",
            ActionFilter {
                state: some("rejected"),
                ..of.clone()
            },
        ),
        (
            "state that none has",
            ActionFilter {
                state: some("kept"),
                ..of.clone()
            },
        ),
        (
            "coverage partial",
            ActionFilter {
                coverage: some("partial"),
                ..of.clone()
            },
        ),
        (
            "failures",
            ActionFilter {
                failures: true,
                ..of.clone()
            },
        ),
        (
            "score 80 and more",
            ActionFilter {
                min_score: Some(80),
                ..of.clone()
            },
        ),
        (
            "score 60 and more, environment",
            ActionFilter {
                min_score: Some(60),
                environment: some("staging"),
                ..of.clone()
            },
        ),
        (
            "agent, class, failures",
            ActionFilter {
                agent: some("codex"),
                class: some("irreversible"),
                failures: true,
                ..of.clone()
            },
        ),
        (
            "never together",
            ActionFilter {
                verdict: some("deny"),
                class: some("irreversible"),
                surface: some("files"),
                ..of.clone()
            },
        ),
        (
            "never together, frequent",
            ActionFilter {
                agent: some("codex"),
                role: some("system"),
                ..of.clone()
            },
        ),
        (
            "role that none has, surface",
            ActionFilter {
                surface: some("files"),
                ..of.clone()
            },
        ),
        (
            "text, rare",
            ActionFilter {
                text: some("ticket-4711"),
                ..of.clone()
            },
        ),
        (
            "text, frequent",
            ActionFilter {
                text: some("kubectl"),
                ..of.clone()
            },
        ),
        (
            "text, begun",
            ActionFilter {
                text: some("module1"),
                ..of.clone()
            },
        ),
        (
            "text, two frequent words",
            ActionFilter {
                text: some("git module299"),
                ..of.clone()
            },
        ),
        (
            "text, agent, failures",
            ActionFilter {
                text: some("git"),
                agent: some("codex"),
                failures: true,
                ..of.clone()
            },
        ),
        (
            "text that is nowhere",
            ActionFilter {
                text: some("xyzzy"),
                ..of.clone()
            },
        ),
        (
            "path, a file",
            ActionFilter {
                path: some("/work/src/module7/file77.rs"),
                ..of.clone()
            },
        ),
        (
            "path, a folder",
            ActionFilter {
                path: some("/work/src/module7"),
                ..of.clone()
            },
        ),
        (
            "path, everything",
            ActionFilter {
                path: some("/"),
                ..of.clone()
            },
        ),
    ];
    for (what, filter) in &filters {
        measure(&format!("actions, {what}"), rounds, |_| actions(filter, &first));
    }
    measure("actions, a day a week ago", rounds, |dice| {
        let since = now().0 - (7 + i64::try_from(dice.below(20)).unwrap()) * 86_400_000_000_000;
        let filter = ActionFilter {
            since: Some(Timestamp(since).to_string()),
            until: Some(Timestamp(since + 86_400_000_000_000).to_string()),
            ..of.clone()
        };
        actions(&filter, &first)
    });
    measure("actions of a session", rounds, |dice| {
        let filter = ActionFilter {
            session: Some(dice.pick(&ids).clone()),
            ..of.clone()
        };
        actions(&filter, &Page::first(500))
    });
    measure("actions of a session, failures", rounds, |dice| {
        let filter = ActionFilter {
            session: Some(dice.pick(&ids).clone()),
            failures: true,
            ..of.clone()
        };
        actions(&filter, &first)
    });
    measure("deep pages, class", rounds, |dice| {
        let seq = dice.below(index.position().unwrap());
        let cursor = format!("k{}", base36(seq << 20));
        let filter = ActionFilter {
            class: some("irreversible"),
            ..of.clone()
        };
        actions(
            &filter,
            &Page {
                cursor: Some(cursor),
                ..first.clone()
            },
        )
    });
    measure("an action", rounds, |dice| {
        let id = format!("{}.{}", dice.pick(&ids), 2 + dice.below(900));
        let found = index.action(&id.parse().unwrap(), &all).unwrap();
        found.map_or_else(String::new, |found| found.action.state)
    });
    measure("a session", rounds, |dice| {
        let found = index.session(dice.pick::<String>(&ids), &all).unwrap();
        found.map_or_else(String::new, |found| found.state)
    });
    measure("timeline, 400 marks", rounds, |dice| {
        let found = index.timeline(dice.pick::<String>(&ids), 400, &all).unwrap();
        format!("{} marks", found.unwrap().marks.len())
    });
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while digits.is_empty() || number > 0 {
        digits.push(char::from_digit(u32::try_from(number % 36).unwrap(), 36).unwrap());
        number /= 36;
    }
    digits.iter().rev().collect()
}

fn open_holds(folder: &Path, count: u64, rounds: u64) {
    let holds = Holds::at(folder.to_owned()).of_session("payments/prod", "production");
    let begun = Instant::now();
    for number in 0..count {
        holds.open(&hold(number)).unwrap();
    }
    println!("{count} holds opened in {:.1} s", begun.elapsed().as_secs_f64());
    let before = memory("VmRSS");
    let begun = Instant::now();
    let open = OpenHolds::at(folder.to_owned());
    open.look().unwrap();
    println!(
        "all holds read in {:.0} ms, {} MiB of memory",
        begun.elapsed().as_secs_f64() * 1e3,
        memory("VmRSS").saturating_sub(before)
    );
    let everything = HoldFilter::of(DomainSet::Everything);
    let total = |filter: &HoldFilter| {
        let list = open.list(filter, None, 50).unwrap();
        format!("{} of {}", list.holds.len(), list.total)
    };
    measure("holds, a look where nothing changed", rounds, |_| {
        open.look().unwrap().to_string()
    });
    measure("holds", rounds, |_| total(&everything));
    let text = HoldFilter {
        text: Some("ns-77".into()),
        ..everything.clone()
    };
    measure("holds, text", rounds, |_| total(&text));
    let domain = HoldFilter {
        domain: Some("payments".into()),
        ..everything.clone()
    };
    measure("holds, domain", rounds, |_| total(&domain));
    let mut number = 0;
    measure("holds, one changed", rounds, |_| {
        number += 1;
        holds
            .open(&HoldForm {
                moved: 1,
                ..hold(number % count)
            })
            .unwrap();
        total(&everything)
    });
    measure("holds, the gateway's look", rounds, |dice| {
        let action = hold(dice.below(count)).action;
        holds
            .look(&action)
            .unwrap()
            .map_or_else(String::new, |hold| hold.form.agent)
    });
    measure("holds, waiting() without a watcher", rounds.min(5), |_| {
        holds.waiting().unwrap().len().to_string()
    });
    for number in 0..count {
        let closed = ClosedForm {
            how: Closed::Rejected,
            at: "2020-01-01T00:00:00Z".into(),
            decisions: Vec::new(),
        };
        holds.close(&hold(number).action, &closed).unwrap();
    }
    let begun = Instant::now();
    let removed = holds.sweep(now()).unwrap();
    println!(
        "{removed} holds swept away in {:.1} s",
        begun.elapsed().as_secs_f64()
    );
}
