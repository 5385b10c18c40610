//! Many processes on one store.

use rescind_scenarios::{Outcome, Place, Scenario, Who, count, kill, process_named, proved, proving, until};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(300);

/// Sessions of a moment each, which change files of folder `n`; what they said.
fn short_sessions(scenario: &Scenario, n: usize, rounds: usize) -> String {
    (1..=rounds)
        .map(|round| {
            let last = round + 1;
            let script = format!(
                "echo {round} >> s{n}/1; rm -f s{n}/{last}; sed -i s/1/one/ s{n}/{}",
                rounds + 2
            );
            let outcome = scenario.run(&script);
            assert_eq!(outcome.code(), 0, "{}", outcome.said());
            outcome.err()
        })
        .collect()
}

/// Count down when `work` is over, also where it panics.
fn ended<T>(at_work: &AtomicUsize, work: impl FnOnce() -> T) -> T {
    struct Over<'a>(&'a AtomicUsize);
    impl Drop for Over<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Release);
        }
    }
    let _over = Over(at_work);
    work()
}

#[test]
fn eight_sessions_readers_and_an_undo_on_one_store_while_one_is_stopped() {
    let scenario = Scenario::at(Place::Tmpfs, Who::Me);
    let rounds = count("RESCIND_ROUNDS", 4);
    for n in 0..8 {
        scenario.bare(&format!(
            "mkdir s{n}; for f in $(seq {}); do seq $f > s{n}/$f; done",
            rounds + 2
        ));
    }
    scenario.write("earlier/file", "before\n");
    scenario.run("rm -r earlier").success();
    let earlier = scenario.runs().pop().expect("a session");
    let before = scenario.manifest();
    // One session is stopped in the middle, with its supervisor.
    let mut stopped = scenario
        .supervised([
            "sh",
            "-c",
            "echo x > s0/1; echo > ../scratch/ready; while :; do echo y >> s0/2; sleep 0.05; done",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("the session to be stopped", LIMIT, || {
        scenario.scratch().join("ready").exists().then_some(())
    });
    let front = stopped.id() as i32;
    let supervisor = process_named(front, "rescind-super").expect("a supervisor").pid;
    kill(supervisor, libc::SIGSTOP);
    let readers: [&[&str]; 13] = [
        &["sessions", "--json"],
        &["sessions"],
        &["log"],
        &["log", "--tree"],
        &["log", "--json", &earlier],
        &["diff", &earlier],
        &["why", "earlier/file"],
        &["plan", &earlier],
        &["verify"],
        &["status"],
        &["ledger", "entries"],
        &["ledger", "checkpoint"],
        &["prune", "--older-than", "30d", "--dry-run"],
    ];
    let at_work = AtomicUsize::new(8);
    let (longest, said) = std::thread::scope(|scope| {
        let (scenario, earlier, at_work) = (&scenario, &earlier, &at_work);
        let mut threads: Vec<_> = (1..8)
            .map(|n| scope.spawn(move || ended(at_work, || short_sessions(scenario, n, rounds))))
            .collect();
        threads.push(scope.spawn(move || ended(at_work, || scenario.undo(&[earlier]).said())));
        threads.extend(readers.map(|arguments| {
            scope.spawn(move || {
                let mut said = String::new();
                // Once more after all have ended, too.
                loop {
                    let last = at_work.load(Ordering::Acquire) == 0;
                    said += &scenario.tell(arguments).success().err();
                    if last {
                        return said;
                    }
                }
            })
        }));
        let said: Vec<String> = threads
            .into_iter()
            .map(|thread| thread.join().expect("a thread that succeeds"))
            .collect();
        // Now that nothing else runs: what does the stopped one cost?
        let longest = (0..5)
            .map(|_| {
                let start = Instant::now();
                scenario.run("true").success();
                start.elapsed()
            })
            .max()
            .expect("five");
        (longest, said.concat())
    });
    // A machine that is busy with other work is no fault of ours.
    assert!(
        !proving() || longest < Duration::from_secs(2),
        "somebody waited {longest:?} for a stopped process"
    );
    assert!(!said.to_lowercase().contains("locked"), "{said}");
    assert_eq!(scenario.read("earlier/file"), "before\n");
    scenario.verify();
    kill(supervisor, libc::SIGCONT);
    kill(front, libc::SIGTERM);
    stopped.wait().expect("it ends");
    let runs = scenario.runs();
    for run in runs.iter().rev().filter(|run| **run != earlier) {
        Outcome::of(&mut scenario.rescind(&["undo", "--yes", run])).success();
    }
    let differences = before.differences(&scenario.manifest());
    let mine: Vec<_> = differences
        .iter()
        .filter(|line| !line.contains("earlier") && !line.starts_with("changed   .:"))
        .collect();
    assert!(mine.is_empty(), "{mine:#?}");
    scenario.verify();
    proved(
        "6 concurrency",
        format!(
            "8 at work with {rounds} sessions each, 13 readers, an undo, one stopped: longest wait {longest:?}"
        ),
    );
}
