//! Many processes on one store.

use rescind_scenarios::{Outcome, Place, Scenario, Who, count, kill, process_named, proved, until};
use std::process::Stdio;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(300);

#[test]
#[ignore = "known gap: a reader can meet a session that is just beginning and end with an error"]
fn eight_sessions_readers_and_an_undo_on_one_store_while_one_is_stopped() {
    let scenario = Scenario::at(Place::Tmpfs, Who::Me);
    let rounds = count("RESCIND_ROUNDS", 15);
    for n in 0..8 {
        scenario.bare(&format!(
            "mkdir s{n}; for f in $(seq 30); do seq $f > s{n}/$f; done"
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
    let (longest, said) = std::thread::scope(|scope| {
        let sessions: Vec<_> = (1..8)
            .map(|n| {
                let scenario = &scenario;
                scope.spawn(move || {
                    let script = format!(
                        "for r in $(seq {rounds}); do echo $r >> s{n}/1; rm -f s{n}/$((r + 1)); sed -i s/1/one/ s{n}/30; done"
                    );
                    let outcome = scenario.run(&script);
                    assert_eq!(outcome.code(), 0, "{}", outcome.said());
                    outcome.err()
                })
            })
            .collect();
        let readers: Vec<_> = [
            vec!["sessions", "--json"],
            vec!["log", "--json", &earlier],
            vec!["verify"],
            vec!["status"],
        ]
        .into_iter()
        .map(|arguments| {
            let scenario = &scenario;
            scope.spawn(move || {
                (0..4)
                    .map(|_| scenario.tell(&arguments).success().err())
                    .collect::<String>()
            })
        })
        .collect();
        let undo = scope.spawn(|| scenario.undo(&[&earlier]).said());
        let mut said: Vec<String> = sessions
            .into_iter()
            .map(|it| it.join().expect("a session"))
            .collect();
        said.extend(readers.into_iter().map(|it| it.join().expect("a reader")));
        said.push(undo.join().expect("the undo"));
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
    assert!(
        longest < Duration::from_secs(2),
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
        format!("8 sessions, 4 readers, an undo, one stopped: longest wait {longest:?}"),
    );
}
