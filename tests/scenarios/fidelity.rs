//! What an agent and its programs see is what they would see without us.

use rescind_scenarios::{Outcome, Place, Scenario, Who, count, kill, proved, until};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

fn scenario() -> Scenario {
    let mut scenario = Scenario::at(Place::Tmpfs, Who::Me);
    scenario.options = vec!["--quiet".to_owned()];
    scenario
}

/// A script as the agent: what it starts are its actions.
#[track_caller]
fn agent(scenario: &Scenario, script: &str) -> Outcome {
    let path = scenario.scratch().join("agent");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a script");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    Outcome::of(&mut scenario.supervised([&path])).success()
}

#[test]
fn exit_codes_and_signals_are_the_agents() {
    let scenario = scenario();
    for code in [0, 1, 2, 42, 126, 127, 200, 255] {
        scenario.run(&format!("exit {code}")).exits(code);
    }
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGSEGV, libc::SIGINT] {
        let outcome = scenario.run(&format!("kill -{signal} $$"));
        assert_eq!(outcome.status.signal(), Some(signal), "{:?}", outcome.status);
    }
    Outcome::of(&mut scenario.supervised(["no-such-program-at-all"])).exits(127);
    Outcome::of(&mut scenario.supervised(["/etc/passwd"])).exits(126);
}

#[test]
fn standard_input_reaches_the_agent() {
    let scenario = scenario();
    let mut command = scenario.supervised(["sh", "-c", "wc -c; cat"]);
    let mut run = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    run.stdin
        .take()
        .expect("a pipe")
        .write_all(&[b'x'; 100_000])
        .expect("write");
    let output = run.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "100000");
}

#[test]
fn a_reader_that_goes_away_ends_the_writer_as_without_us() {
    let scenario = scenario();
    scenario.run("yes | head -n 1").success();
    let status = scenario
        .run("bash -c 'yes | head -n 1 >/dev/null; echo ${PIPESTATUS[0]}'")
        .success();
    assert_eq!(status.out().trim(), "141");
    let mut run = scenario
        .supervised(["yes"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = run.stdout.take().expect("a pipe");
    pipe.read_exact(&mut [0; 2]).expect("a line");
    drop(pipe);
    let status = until("`yes` to end", LIMIT, || run.try_wait().expect("wait"));
    assert_eq!(status.signal(), Some(libc::SIGPIPE), "{status:?}");
}

#[test]
fn binary_output_on_both_streams_is_exact() {
    let scenario = scenario();
    let random = rescind_scenarios::Random::new(5).bytes(3_000_000);
    std::fs::write(scenario.scratch().join("data"), &random).expect("data");
    let outcome = scenario
        .run("sh -c 'cat ../scratch/data; cat ../scratch/data >&2'")
        .success();
    assert!(
        outcome.stdout == random,
        "standard output differs: {} bytes",
        outcome.stdout.len()
    );
    assert!(
        outcome.stderr == random,
        "standard error differs: {} bytes",
        outcome.stderr.len()
    );
}

#[test]
fn the_order_of_two_streams_into_one_is_kept() {
    let scenario = scenario();
    let script = "sh -c 'for n in $(seq 2000); do echo out $n; echo err $n >&2; done' 2>&1";
    let expected: String = (1..=2000).map(|n| format!("out {n}\nerr {n}\n")).collect();
    assert!(
        scenario.run(script).success().out() == expected,
        "the order changed"
    );
}

/// Right after a command has ended its output is complete.
#[test]
fn output_is_complete_when_the_command_has_ended() {
    let scenario = scenario();
    let script = "import subprocess, os, fcntl\nbad = 0\nfor n in range(60):\n p = subprocess.Popen(['echo', str(n)], stdout=subprocess.PIPE)\n \
        p.wait()\n fcntl.fcntl(p.stdout, fcntl.F_SETFL, os.O_NONBLOCK)\n got = p.stdout.read() or b''\n bad += got.strip() != str(n).encode()\nprint(bad)\n";
    let outcome = Outcome::of(&mut scenario.supervised(["python3", "-c", script])).success();
    assert_eq!(
        outcome.out().trim(),
        "0",
        "of 60 outputs so many were not there yet"
    );
}

#[test]
fn a_great_output_passes_whole() {
    let scenario = scenario();
    let mebibytes = count("RESCIND_OUTPUT_MIB", 100);
    let mut command = scenario.supervised([
        "sh",
        "-c",
        &format!(
            "head -c {}M /dev/zero | tr '\\0' 'a'; sh -c 'seq 1000000' | tail -n 1",
            mebibytes
        ),
    ]);
    let mut run = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let mut pipe = run.stdout.take().expect("a pipe");
    let (mut total, mut others, mut buffer) = (0_u64, 0, vec![0; 1 << 16]);
    loop {
        let read = pipe.read(&mut buffer).expect("read");
        if read == 0 {
            break;
        }
        total += read as u64;
        others += buffer[..read].iter().filter(|byte| **byte != b'a').count();
    }
    assert!(run.wait().expect("it ends").success());
    assert_eq!((total, others), ((mebibytes as u64) << 20 | 8, 8));
    proved("output", format!("{mebibytes} MiB passed whole"));
}

#[test]
fn the_whole_output_can_be_shown_later() {
    let scenario = scenario();
    agent(
        &scenario,
        "seq 50000\nsh -c 'echo to the other >&2; exit 4'\nexit 0",
    );
    let session = scenario.runs().pop().expect("a session");
    let log = scenario.log(&[&session]);
    let seq = log
        .iter()
        .find(|action| action["argv"][0] == "seq")
        .unwrap_or_else(|| panic!("{log:#?}"));
    let expected: String = (1..=50_000).map(|n| format!("{n}\n")).collect();
    assert_eq!(seq["output"]["bytes"], expected.len());
    assert_eq!(seq["exit_code"], 0);
    assert_eq!(seq["command"], "seq 50000");
    let id = seq["action_id"].as_str().expect("an id");
    let shown = scenario.tell(&["show", id, "--output"]).success();
    assert!(shown.out() == expected, "{} bytes are shown", shown.stdout.len());
    assert!(log.iter().any(|action| {
        action["output"]["preview"]
            .as_str()
            .is_some_and(|text| text.contains("to the other"))
    }));
}

#[test]
fn every_record_has_its_fields() {
    let scenario = scenario();
    agent(&scenario, "sh -c 'echo hi > f; exit 3'\nexit 0");
    let session = scenario.runs().pop().expect("a session");
    let log = scenario.log(&[&session]);
    assert!(!log.is_empty());
    for record in &log {
        for field in [
            "timestamp",
            "session_id",
            "action_id",
            "agent",
            "command",
            "argv",
            "risk_score",
            "approval",
            "exit_code",
            "signal",
            "output",
            "working_directory",
            "environment",
            "reversibility",
            "coverage",
            "reasoning",
        ] {
            assert!(record.get(field).is_some(), "`{field}` is missing in {record}");
        }
        assert!(
            record["command"].is_string() && record["argv"].is_array(),
            "{record}"
        );
        assert!(
            record["timestamp"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z')),
            "{record}"
        );
        for field in ["required", "reviewer", "approved_at"] {
            assert!(
                record["approval"].get(field).is_some(),
                "`approval.{field}` is missing in {record}"
            );
        }
        for field in ["preview", "bytes", "digest"] {
            assert!(
                record["output"].get(field).is_some(),
                "`output.{field}` is missing in {record}"
            );
        }
    }
    assert!(log.iter().any(|record| record["exit_code"] == 3), "{log:#?}");
}

/// Wrappers that become the agent by exec are common: `#!/bin/sh`, some settings, `exec node cli.js`.
#[test]
fn an_agent_behind_a_wrapper_that_execs_is_still_the_agent() {
    let scenario = scenario();
    let inner = scenario.scratch().join("inner");
    std::fs::write(&inner, "#!/bin/sh\nseq 3\nmkdir made\n").expect("a script");
    std::fs::set_permissions(&inner, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    agent(&scenario, "exec ../scratch/inner");
    let log = scenario.log(&[&scenario.runs().pop().expect("a session")]);
    let roles: Vec<_> = log
        .iter()
        .map(|it| {
            (
                it["command"].as_str().unwrap_or(""),
                it["role"].as_str().unwrap_or(""),
            )
        })
        .collect();
    for command in ["seq 3", "mkdir made"] {
        assert!(
            roles.contains(&(command, "action")),
            "`{command}` is no action: {roles:?}"
        );
    }
}

#[test]
fn a_terminal_stays_a_terminal() {
    let scenario = scenario();
    let command = format!(
        "{} run --quiet -- python3 -c 'import os,sys,subprocess; print([os.isatty(n) for n in (0, 1, 2)], flush=True); \
         subprocess.run([\"sh\", \"-c\", \"test -t 0 && test -t 1 && test -t 2 && tty && stty size\"], check=True)'",
        scenario.lend(&rescind_scenarios::rescind_binary()).display()
    );
    let outcome = Outcome::of(scenario.command("script").args(["-qec", &command, "/dev/null"])).success();
    assert!(outcome.out().contains("[True, True, True]"), "{}", outcome.out());
    assert!(outcome.out().contains("/dev/pts/"), "{}", outcome.out());
}

#[test]
fn a_background_process_outlives_the_agent_and_is_undone_with_it() {
    let scenario = scenario();
    scenario.write("f", "old\n");
    let before = scenario.manifest();
    // Long enough for the front to have ended before.
    scenario.run("(while [ ! -e ../scratch/go ]; do sleep 0.02; done; echo late > f; echo > late) >/dev/null 2>&1 & exit 5").exits(5);
    std::fs::write(scenario.scratch().join("go"), "").expect("the sign");
    until("the background process to write", LIMIT, || {
        scenario.path("late").exists().then_some(())
    });
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "a background process");
}

#[test]
fn an_undo_of_a_running_session_stops_it_first() {
    let scenario = scenario();
    scenario.write("f", "old\n");
    let before = scenario.manifest();
    let mut run = scenario
        .supervised(["sh", "-c", "while :; do echo x >> f; echo > new; rm new; done"])
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("a first write", LIMIT, || {
        (scenario.read("f") != "old\n").then_some(())
    });
    scenario.undo(&[]);
    let status = until("the session to end", LIMIT, || run.try_wait().expect("wait"));
    assert!(!status.success());
    before.assert_same(&scenario.manifest(), "a running session");
}

#[test]
fn termination_is_passed_on() {
    let scenario = scenario();
    let script = "trap 'echo got it > caught; exit 9' TERM; echo > ready; while :; do sleep 0.02; done";
    let mut run = scenario
        .supervised(["sh", "-c", script])
        .spawn()
        .expect("it starts");
    until("the agent", LIMIT, || {
        scenario.path("ready").exists().then_some(())
    });
    kill(run.id() as i32, libc::SIGTERM);
    let status = until("the agent to end", LIMIT, || run.try_wait().expect("wait"));
    assert_eq!(status.code(), Some(9));
    assert_eq!(scenario.read("caught"), "got it\n");
}

/// A terminal multiplexer with one window in it; gone with the value.
struct Tmux<'s> {
    scenario: &'s Scenario,
    socket: std::path::PathBuf,
}

impl<'s> Tmux<'s> {
    fn start(scenario: &'s Scenario) -> Self {
        let tmux = Self {
            scenario,
            socket: scenario.base().join("tmux"),
        };
        tmux.tell(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            "100",
            "-y",
            "30",
            "env PS1='$ ' sh",
        ]);
        tmux
    }

    fn command(&self) -> Command {
        let mut command = self.scenario.command("tmux");
        command.arg("-S").arg(&self.socket);
        command
    }

    fn tell(&self, arguments: &[&str]) {
        Outcome::of(self.command().args(arguments)).success();
    }

    fn type_in(&self, keys: &[&str]) {
        self.tell(&[&["send-keys"][..], keys].concat());
    }

    fn shows(&self, what: &str) {
        let screen = || Outcome::of(self.command().args(["capture-pane", "-p"])).out();
        let start = Instant::now();
        while !screen().contains(what) {
            assert!(
                start.elapsed() < LIMIT,
                "`{what}` never came on the screen:\n{}",
                screen().trim_end()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Tmux<'_> {
    fn drop(&mut self) {
        let _gone_already = self.command().arg("kill-server").output();
    }
}

#[test]
fn interrupt_stop_continue_and_size_changes_reach_an_agent_in_a_terminal() {
    let scenario = scenario();
    let rescind = rescind_scenarios::rescind_binary();
    let agent = scenario.scratch().join("agent.sh");
    std::fs::write(
        &agent,
        "trap 'echo caught-int; exit 7' INT\ntrap 'echo size $(stty size)' WINCH\necho ready-now\nwhile :; do sleep 0.05; done\n",
    )
    .expect("a script");
    let tmux = Tmux::start(&scenario);
    let line = format!(
        "{} run --quiet -- sh {}; echo status-$?",
        rescind.display(),
        agent.display()
    );
    tmux.type_in(&[&line, "Enter"]);
    tmux.shows("ready-now");
    tmux.tell(&["resize-window", "-x", "90", "-y", "25"]);
    tmux.shows("size 25 90");
    tmux.type_in(&["C-z"]);
    tmux.shows("Stopped");
    tmux.type_in(&["echo in-the-shell-$((1+1))", "Enter"]);
    tmux.shows("in-the-shell-2");
    tmux.type_in(&["fg", "Enter"]);
    tmux.tell(&["resize-window", "-x", "80", "-y", "24"]);
    tmux.shows("size 24 80");
    tmux.type_in(&["C-c"]);
    tmux.shows("caught-int");
    proved(
        "terminal",
        "Ctrl-C, Ctrl-Z, fg and size changes reach the agent under tmux",
    );
}
