//! Kill, pause, resume, leases: that stop means stop, whatever is in the way.

mod elsewhere;

use rescind_scenarios::{
    Outcome, Place, Random, Scenario, Seed, Who, count, descendants, kill, process_named, proved, text, until,
};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

const RESTLESS: &str = env!("CARGO_BIN_EXE_restless");
const SOON: Duration = Duration::from_secs(60);

/// A session of these options that is at work on `file`, and its front.
struct Running {
    front: Child,
    file: PathBuf,
    session: String,
}

impl Running {
    /// Start a script that writes to `$F`, and wait until it has.
    fn new(scenario: &Scenario, name: &str, options: &[&str], script: &str) -> Self {
        let file = scenario.path(name);
        let before = gateways(scenario);
        let mut command = scenario.rescind(&["run"]);
        command
            .args(options)
            .args(&scenario.options)
            .args(["--", "sh", "-c", script]);
        command
            .env("F", &file)
            .env("RESTLESS", RESTLESS)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let front = command.spawn().expect("it starts");
        until("the session to be at work", SOON, || {
            fs::metadata(&file)
                .is_ok_and(|found| found.len() > 0)
                .then_some(())
        });
        let session = until("its gateway", SOON, || {
            gateways(scenario)
                .into_iter()
                .map(|gateway| word(&gateway, "session"))
                .find(|id| before.iter().all(|other| word(other, "session") != *id))
        });
        Self { front, file, session }
    }

    fn supervisor(&self) -> i32 {
        process_named(self.front.id() as i32, "rescind-super")
            .expect("a supervisor")
            .pid
    }

    fn guardian(&self) -> i32 {
        process_named(self.front.id() as i32, "guardian")
            .expect("a guardian")
            .pid
    }

    /// Whether it has ended, and what it said.
    fn end(mut self) -> (Option<i32>, String) {
        let status = until("the front to end", SOON, || {
            self.front.try_wait().expect("a child")
        });
        let mut said = String::new();
        use std::io::Read as _;
        let mut pipe = self.front.stderr.take().expect("a pipe");
        pipe.read_to_string(&mut said).expect("text");
        (status.code(), said)
    }

    fn lives(&mut self) -> bool {
        self.front.try_wait().expect("a child").is_none()
    }

    fn size(&self) -> u64 {
        fs::metadata(&self.file).map_or(0, |found| found.len())
    }
}

fn word(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_slice(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {}", outcome.said()))
}

fn gateways(scenario: &Scenario) -> Vec<Value> {
    let status = json(&scenario.tell(&["status", "--json"]).success());
    status["gateways"].as_array().cloned().unwrap_or_default()
}

fn stops(scenario: &Scenario) -> Vec<Value> {
    let status = json(&scenario.tell(&["status", "--json"]).success());
    status["stops"].as_array().cloned().unwrap_or_default()
}

/// The notes of all entries of a kind.
fn notes(scenario: &Scenario, kind: &str) -> Vec<Value> {
    let entries = scenario
        .tell(&["ledger", "entries", "--json"])
        .success()
        .json_lines();
    let own = entries.into_iter().map(|entry| match entry.get("entry") {
        Some(inner) => inner.clone(),
        None => entry,
    });
    own.filter(|entry| entry["kind"] == kind)
        .map(|entry| serde_json::from_str(entry["note"].as_str().expect("a note")).expect("JSON"))
        .collect()
}

/// The processes whose environment says that they are of a session.
fn members(session: &str) -> Vec<i32> {
    let own = format!("RESCIND_SESSION={session}");
    let pids = fs::read_dir("/proc").expect("proc").flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &i32| {
            let bytes = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            bytes.split(|byte| *byte == 0).any(|one| one == own.as_bytes())
        })
        .collect()
}

/// That nothing wrote to this file after `ended`.
#[track_caller]
fn assert_not_written_after(path: &Path, ended: SystemTime) {
    let written = fs::metadata(path)
        .and_then(|found| found.modified())
        .expect("a time");
    assert!(written <= ended, "{} was written after the kill", path.display());
}

const LOOP: &str = "while :; do echo x >> $F; /bin/true; done";

#[test]
fn each_scope_ends_what_is_in_it_and_nothing_else() {
    let scenario = Scenario::new();
    let prod = Running::new(
        &scenario,
        "prod",
        &["--domain", "payments/prod", "--agent", "one"],
        LOOP,
    );
    let mut other = Running::new(
        &scenario,
        "other",
        &["--domain", "payments2", "--agent", "two"],
        LOOP,
    );
    let killed = scenario.tell(&["kill", "--domain", "payments", "--why", "a test", "--json"]);
    let after = SystemTime::now();
    let report = json(&killed.success());
    let sessions = report["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), 1, "{report}");
    assert_eq!(word(&sessions[0], "session"), prod.session);
    assert_eq!(word(&sessions[0], "how"), "acknowledged");
    assert_not_written_after(&prod.file, after);
    assert_eq!(members(&prod.session), Vec::<i32>::new());
    let (code, said) = prod.end();
    assert_eq!(code, None, "ended by a signal: {said}");
    assert!(
        said.contains("domain `payments` is killed by") && said.contains("a test"),
        "{said}"
    );
    assert!(other.lives());

    // Nothing starts in the scope, everything else does.
    let refused = Outcome::of(
        scenario
            .rescind(&["run", "--domain", "payments/test", "--"])
            .arg("true"),
    );
    let refused = refused.exits(125);
    assert!(refused.err().contains("error[stopped]"), "{}", refused.err());
    Outcome::of(
        scenario
            .rescind(&["run", "--domain", "payment", "--"])
            .arg("true"),
    )
    .success();
    scenario
        .tell(&["resume", "--domain", "payments/prod", "--why", "x"])
        .exits(1);
    scenario
        .tell(&["resume", "--domain", "payments", "--why", "mended"])
        .success();
    Outcome::of(
        scenario
            .rescind(&["run", "--domain", "payments/test", "--"])
            .arg("true"),
    )
    .success();

    // By agent.
    scenario.tell(&["kill", "--agent", "nobody"]).success();
    assert!(other.lives());
    scenario.tell(&["kill", "--agent", "two"]).success();
    assert_not_written_after(&other.file, SystemTime::now());
    assert_eq!(members(&other.session), Vec::<i32>::new());
    other.end();
    Outcome::of(scenario.rescind(&["run", "--agent", "two", "--"]).arg("true")).exits(125);

    // By session: it does not come twice, so that nothing stays in force.
    let third = Running::new(&scenario, "third", &[], LOOP);
    let report = json(&scenario.tell(&["kill", &third.session, "--json"]).success());
    assert_eq!(word(&report, "session_id"), third.session);
    assert_eq!(members(&third.session), Vec::<i32>::new());
    third.end();
    assert_eq!(stops(&scenario).len(), 2, "{:?}", stops(&scenario));

    // Everything.
    let fourth = Running::new(&scenario, "fourth", &["--domain", "d"], LOOP);
    scenario.tell(&["kill", "--everything"]).success();
    assert_eq!(members(&fourth.session), Vec::<i32>::new());
    fourth.end();
    scenario.run("true").exits(125);
    for scope in [
        vec!["--everything"],
        vec!["--agent", "two"],
        vec!["--agent", "nobody"],
    ] {
        let mut words = vec!["resume", "--why", "over"];
        words.extend(&scope);
        scenario.tell(&words).success();
    }
    scenario.run("true").success();
    assert_eq!(notes(&scenario, "kill.called").len(), 5);
    assert_eq!(notes(&scenario, "kill.answered").len(), 5);
    assert_eq!(notes(&scenario, "kill.lifted").len(), 4);
    scenario.verify();
}

#[test]
fn what_does_not_want_to_end_ends() {
    let scenario = Scenario::new();
    let mut killed = 0;
    for kind in ["runaway", "deaf", "threads"] {
        let script = format!("\"$RESTLESS\" {kind} \"$F\"; sleep 1000");
        let running = Running::new(&scenario, kind, &[], &script);
        until("some lines", SOON, || (running.size() > 200).then_some(()));
        scenario.tell(&["kill", &running.session]).success();
        let after = SystemTime::now();
        assert_eq!(members(&running.session), Vec::<i32>::new(), "{kind}");
        assert_not_written_after(&running.file, after);
        let (front, session) = (running.front.id() as i32, running.session.clone());
        running.end();
        assert!(descendants(front).is_empty(), "{kind}");
        let view = scenario
            .sessions()
            .into_iter()
            .find(|one| one["session_id"] == session.as_str());
        assert_eq!(view.expect("it is listed")["state"], "ended", "{kind}");
        killed += 1;
    }
    scenario.verify();
    proved("3 kill", format!("{killed} kinds of restless trees ended whole"));
}

#[test]
fn a_gateway_that_is_stopped_ends_with_its_lease_and_the_answer_says_so() {
    let scenario = Scenario::new();
    for guardian_too in [false, true] {
        let name = format!("f{guardian_too}");
        let running = Running::new(&scenario, &name, &["--domain", "d"], LOOP);
        let mut answers = Running::new(&scenario, &format!("{name}-other"), &["--domain", "d"], LOOP);
        let (supervisor, guardian) = (running.supervisor(), running.guardian());
        kill(supervisor, libc::SIGSTOP);
        if guardian_too {
            kill(guardian, libc::SIGSTOP);
        }
        let report = json(&scenario.tell(&["kill", "--domain", "d", "--json"]).success());
        let after = SystemTime::now();
        let how = |id: &str| {
            let sessions = report["sessions"].as_array().expect("a list");
            let own = sessions
                .iter()
                .find(|one| one["session"] == id)
                .expect("it is named");
            word(own, "how")
        };
        assert_eq!(how(&running.session), "lease_ended", "{report}");
        assert_eq!(how(&answers.session), "acknowledged", "{report}");
        assert_eq!(members(&running.session), Vec::<i32>::new());
        assert_not_written_after(&running.file, after);
        assert!(!Path::new(&format!("/proc/{supervisor}/fd")).exists() || !answers.lives());
        running.end();
        answers.end();
        scenario
            .tell(&["resume", "--domain", "d", "--why", "over"])
            .success();
    }
    let sessions = scenario.sessions();
    assert!(
        sessions.iter().all(|one| one["state"] != "running"),
        "{sessions:?}"
    );
    scenario.verify();
}

/// A small file system of our own; gone with the value.
struct Small(PathBuf);

impl Small {
    fn new(at: PathBuf, mebibytes: u32) -> Self {
        fs::create_dir_all(&at).expect("a mount point");
        let mut mount = Command::new("mount");
        let options = format!("size={mebibytes}m,mode=755");
        Outcome::of(
            mount
                .args(["-t", "tmpfs", "-o", &options, "rescind-scenario"])
                .arg(&at),
        )
        .success();
        Self(at)
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _left_to_the_machine = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_stops_no_kill_and_its_record_comes_later() {
    if !Scenario::is_root() {
        eprintln!("LEFT OUT: only root mounts a small file system");
        return;
    }
    let mut scenario = Scenario::at(Place::Tmpfs, Who::Me);
    let small = Small::new(scenario.scratch().join("small"), 48);
    let home = small.0.join("home").display().to_string();
    scenario.environment.push(("RESCIND_HOME".to_owned(), home));
    let running = Running::new(&scenario, "f", &["--domain", "d"], LOOP);
    let filler = small.0.join("filler");
    {
        use std::io::Write as _;
        let mut file = fs::File::create(&filler).expect("a file");
        for size in [1 << 20, 4096, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }
    let report = json(
        &scenario
            .tell(&["kill", "--domain", "d", "--why", "full", "--json"])
            .success(),
    );
    let after = SystemTime::now();
    assert_eq!(word(&report["sessions"][0], "how"), "acknowledged", "{report}");
    assert_eq!(members(&running.session), Vec::<i32>::new());
    assert_not_written_after(&running.file, after);
    running.end();
    fs::remove_file(&filler).expect("room again");
    let refused = Outcome::of(scenario.rescind(&["run", "--domain", "d", "--"]).arg("true"));
    refused.exits(125);
    scenario.tell(&["status"]).success();
    let called = notes(&scenario, "kill.called");
    assert_eq!(called.len(), 1);
    assert_eq!(word(&called[0], "why"), "full");
    scenario.verify();
}

#[test]
fn a_kill_waits_neither_for_the_gateway_nor_for_the_ledger() {
    let scenario = Scenario::new();
    let running = Running::new(&scenario, "f", &[], LOOP);
    // Whoever records next waits for these locks, and holds the gateway's own meanwhile.
    let folder = fs::read_dir(scenario.home().join("ledger"))
        .expect("a ledger")
        .flatten();
    let locks: Vec<fs::File> = folder
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("lock"))
        .map(|entry| {
            // Its owner may write it and nobody may read it.
            let file = fs::OpenOptions::new().write(true).open(entry.path());
            let file = file.expect("a lock");
            rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).expect("ours");
            file
        })
        .collect();
    assert!(!locks.is_empty());
    let report = json(&scenario.tell(&["kill", &running.session, "--json"]).success());
    let after = SystemTime::now();
    assert_eq!(word(&report["sessions"][0], "how"), "acknowledged", "{report}");
    assert_eq!(members(&running.session), Vec::<i32>::new());
    assert_not_written_after(&running.file, after);
    drop(locks);
    running.end();
    assert_eq!(notes(&scenario, "kill.called").len(), 1);
    scenario.verify();
}

/// A place whose sessions are watched by these triggers, under this policy.
fn with_triggers(triggers: &str) -> Scenario {
    let mut scenario = Scenario::new();
    let config = scenario.scratch().join("config/rescind");
    fs::create_dir_all(config.join("policies")).expect("a folder");
    fs::write(config.join("triggers.toml"), triggers).expect("a file");
    let config = scenario.scratch().join("config").display().to_string();
    scenario.environment.push(("XDG_CONFIG_HOME".to_owned(), config));
    scenario
}

#[test]
fn denials_in_a_row_stop_what_the_trigger_says() {
    let scenario =
        with_triggers("[[trigger]]\non = \"denials\"\ncount = 3\ndo = \"kill\"\nscope = \"domain\"\n");
    let policy = "@id(\"no\") @deny(\"never\") forbid (principal, action == Action::\"delete\", resource);";
    fs::write(
        scenario.scratch().join("config/rescind/policies/own.cedar"),
        policy,
    )
    .expect("a file");
    let kubectl = scenario.scratch().join("kubectl");
    fs::copy("/bin/true", &kubectl).expect("a program");
    let denied = format!("{} delete ns prod", kubectl.display());
    // What runs in between begins the count anew.
    let script = format!(
        "{denied}; {denied}; touch a; {denied}; {denied}; touch b; {denied}; {denied}; {denied}; sleep 20; touch c"
    );
    let mut command = scenario.rescind(&["run", "--domain", "shop", "--", "sh", "-c", &script]);
    let outcome = Outcome::of(&mut command);
    assert!(
        outcome.err().contains("killed by trigger `denials`"),
        "{}",
        outcome.err()
    );
    let stop = stops(&scenario).pop().expect("a stop");
    assert_eq!(word(&stop, "by"), "trigger `denials`");
    assert_eq!(word(&stop["scope"], "name"), "shop");
    assert!(word(&stop, "why").contains("3 denials in a row"), "{stop}");
    Outcome::of(&mut scenario.rescind(&["run", "--domain", "shop", "--", "true"])).exits(125);
    assert_eq!(
        word(&notes(&scenario, "kill.called")[0], "by"),
        "trigger `denials`"
    );
    scenario.verify();
}

#[test]
fn a_verification_that_finds_faults_stops_everything_where_a_trigger_says_so() {
    let scenario = with_triggers("[[trigger]]\non = \"tamper\"\ndo = \"pause\"\nscope = \"everything\"\n");
    scenario.run("echo x > f").success();
    scenario.verify();
    let session = scenario.runs().pop().expect("a session");
    let journal = scenario
        .home()
        .join("vault/sessions")
        .join(session)
        .join("journal");
    let mut bytes = fs::read(&journal).expect("a journal");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&journal, bytes).expect("tampered with");
    scenario.tell(&["verify"]).exits(4);
    let stop = stops(&scenario).pop().expect("a stop");
    assert_eq!(
        (word(&stop, "by"), word(&stop, "mode")),
        ("trigger `tamper`".to_owned(), "pause".to_owned())
    );
}

#[test]
fn a_pause_holds_in_place_and_the_same_processes_go_on() {
    let scenario = Scenario::new();
    let script = "echo $$ > pid; exec 3>> $F; python3 -c '
import os, time
while True:
    os.write(3, b\"x\")
    time.sleep(0.002)
' & while :; do echo y >> g; /bin/true; done";
    let mut running = Running::new(&scenario, "f", &["--domain", "d"], script);
    let g = scenario.path("g");
    until("both to be at work", SOON, || {
        (running.size() > 5 && g.exists()).then_some(())
    });
    let before = descendants(running.guardian());
    assert!(before.len() >= 2, "{before:?}");
    let report = json(
        &scenario
            .tell(&["pause", "--domain", "d", "--why", "look", "--json"])
            .success(),
    );
    assert_eq!(word(&report["sessions"][0], "how"), "acknowledged", "{report}");
    let held = (running.size(), fs::metadata(&g).expect("a file").len());
    assert_eq!(word(&gateways(&scenario)[0], "order"), "paused");
    // Time passes: other sessions run.
    for _ in 0..3 {
        Outcome::of(
            scenario
                .rescind(&["run", "-q", "--"])
                .args(["sh", "-c", "echo x > other"]),
        )
        .success();
    }
    assert_eq!((running.size(), fs::metadata(&g).expect("a file").len()), held);
    assert!(running.lives(), "the front waits as before");
    let stat = fs::read_to_string(format!("/proc/{}/stat", running.front.id())).expect("a process");
    assert!(!stat.contains(") T "), "the front is not stopped: {stat}");
    // Whoever wakes them from outside changes nothing.
    for process in descendants(running.guardian()) {
        kill(process.pid, libc::SIGCONT);
    }
    until("them to stand again", SOON, || {
        let all = descendants(running.guardian());
        all.iter()
            .all(|process| matches!(process.state, 'T' | 'D'))
            .then_some(())
    });
    scenario
        .tell(&["resume", "--domain", "d", "--why", "looked at"])
        .success();
    until("both to go on", SOON, || {
        let now = (running.size(), fs::metadata(&g).expect("a file").len());
        (now.0 > held.0 && now.1 > held.1).then_some(())
    });
    let pid: i32 = scenario.read("pid").trim().parse().expect("a number");
    assert!(
        descendants(running.guardian())
            .iter()
            .any(|process| process.pid == pid)
    );
    scenario.tell(&["kill", &running.session]).success();
    running.end();
    assert_eq!(word(&notes(&scenario, "kill.lifted")[0], "why"), "looked at");
    scenario.verify();
}

#[test]
fn a_session_in_a_paused_domain_waits_for_its_start() {
    let scenario = Scenario::new();
    scenario.tell(&["pause", "--domain", "d"]).success();
    let mut command = scenario.rescind(&["run", "--domain", "d", "--", "sh", "-c", "echo x > f"]);
    let mut front = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    until("it to wait", SOON, || {
        gateways(&scenario)
            .iter()
            .any(|gateway| gateway["order"] == "paused")
            .then_some(())
    });
    assert!(!scenario.path("f").exists());
    scenario
        .tell(&["resume", "--domain", "d", "--why", "go"])
        .success();
    assert!(front.wait().expect("it ends").success());
    assert_eq!(scenario.read("f"), "x\n");
}

#[test]
fn nothing_goes_on_where_a_health_check_fails() {
    let mut scenario = Scenario::new();
    let config = scenario.scratch().join("config");
    fs::create_dir_all(config.join("rescind")).expect("a folder");
    let healthy = scenario.scratch().join("healthy");
    let check = format!(
        "[[check]]\nname = \"up\"\ndomain = \"d/below\"\ncommand = [\"test\", \"-e\", \"{}\"]\n",
        healthy.display()
    );
    fs::write(config.join("rescind/health.toml"), check).expect("a file");
    scenario
        .environment
        .push(("XDG_CONFIG_HOME".to_owned(), config.display().to_string()));
    scenario.tell(&["kill", "--domain", "d"]).success();
    let refused = scenario
        .tell(&["resume", "--domain", "d", "--why", "try"])
        .exits(6);
    assert!(refused.err().contains("nothing was lifted"), "{}", refused.said());
    assert_eq!(stops(&scenario).len(), 1);
    scenario.tell(&["resume", "--domain", "d"]).exits(2);
    scenario
        .tell(&["resume", "--domain", "d", "--why", "  "])
        .exits(2);
    fs::write(&healthy, "").expect("a file");
    scenario
        .tell(&["resume", "--domain", "d", "--why", "up again"])
        .success();
    assert_eq!(stops(&scenario).len(), 0);
}

#[test]
fn the_file_stop_stops_everything_as_long_as_it_is_there() {
    let scenario = Scenario::new();
    let running = Running::new(&scenario, "f", &[], LOOP);
    let stop = scenario.home().join("STOP");
    fs::write(&stop, "").expect("a file");
    let session = running.session.clone();
    let (code, said) = running.end();
    assert_eq!(code, None, "{said}");
    assert!(said.contains("by the file STOP"), "{said}");
    assert_eq!(members(&session), Vec::<i32>::new());
    let refused = scenario.run("true").exits(125);
    assert!(refused.err().contains("STOP"), "{}", refused.err());
    let hook = hook(&scenario, "true");
    assert!(hook.said().contains("STOP"), "{}", hook.said());
    fs::remove_file(&stop).expect("gone");
    scenario.run("true").success();
    scenario.verify();
}

/// A shell call that a client's hook asks about.
fn hook(scenario: &Scenario, command: &str) -> Outcome {
    use std::io::Write as _;
    let payload = serde_json::json!({
        "session_id": "abc", "transcript_path": "/nowhere", "cwd": scenario.tree(), "hook_event_name": "PreToolUse",
        "tool_name": "Bash", "tool_input": {"command": command}, "tool_use_id": "t1",
    });
    let input = scenario.scratch().join("payload");
    let mut file = fs::File::create(&input).expect("a file");
    file.write_all(payload.to_string().as_bytes()).expect("written");
    let mut command = scenario.rescind(&["hook", "claude-code"]);
    command.stdin(fs::File::open(&input).expect("a file"));
    Outcome::of(&mut command)
}

#[test]
fn hooks_and_exec_refuse_what_is_stopped() {
    let scenario = Scenario::new();
    hook(&scenario, "true").success();
    scenario
        .tell(&["kill", "--agent", "claude-code", "--why", "odd"])
        .success();
    let refused = hook(&scenario, "true").exits(2);
    assert!(refused.err().contains("odd"), "{}", refused.said());
    let mut exec = scenario.rescind(&["exec", "--agent", "claude-code", "--", "true"]);
    Outcome::of(&mut exec).exits(125);
    let mut exec = scenario.rescind(&["exec", "--agent", "codex", "--", "true"]);
    Outcome::of(&mut exec).success();
}

/// A server that is in charge, as the board has it (docs/formats/control.md), written from outside.
struct Charge {
    board: fs::File,
}

impl Charge {
    fn new(scenario: &Scenario) -> Self {
        let path = scenario.home().join("control/board");
        let board = fs::File::options()
            .read(true)
            .write(true)
            .open(path)
            .expect("a board");
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("a boot");
        let digits: String = boot.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        let boot = u64::from_str_radix(&digits, 16).expect("digits");
        let charge = Self { board };
        charge.put(9, boot);
        charge.put(7, u64::from(std::process::id()));
        charge
    }

    fn put(&self, word: u64, value: u64) {
        self.board
            .write_all_at(&value.to_le_bytes(), word * 8)
            .expect("written");
    }

    /// In charge for so long from now on.
    fn until(&self, after: Duration) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let now = now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64;
        self.put(6, now + after.as_nanos() as u64);
    }
}

#[test]
fn without_the_server_in_charge_everything_new_is_held_until_it_is_back_or_a_person_says_so() {
    let scenario = Scenario::new();
    let mut running = Running::new(&scenario, "f", &[], "while :; do echo x >> $F; sleep 0.01; done");
    let charge = Charge::new(&scenario);
    charge.until(Duration::from_secs(600));
    let before = running.size();
    until("it to go on", SOON, || {
        (running.size() > before + 4).then_some(())
    });
    // The server is gone: it does not say so any more.
    charge.until(Duration::ZERO);
    until("it to hold", SOON, || {
        (word(&gateways(&scenario)[0], "order") == "held").then_some(())
    });
    let held = running.size();
    Outcome::of(&mut scenario.rescind(&["status"])).success();
    assert_eq!(running.size(), held);
    assert!(running.lives());
    // It is back.
    charge.until(Duration::from_secs(600));
    until("it to go on", SOON, || (running.size() > held).then_some(()));
    charge.until(Duration::ZERO);
    until("it to hold again", SOON, || {
        (word(&gateways(&scenario)[0], "order") == "held").then_some(())
    });
    let held = running.size();
    scenario.tell(&["release"]).success();
    until("it to go on", SOON, || (running.size() > held).then_some(()));
    scenario.tell(&["kill", &running.session]).success();
    let (_, said) = running.end();
    assert!(said.contains("held: the server in charge is gone"), "{said}");
    assert!(said.contains("rescind release"), "{said}");
    scenario.verify();
}

#[test]
fn a_kill_needs_no_server_that_is_gone() {
    let scenario = Scenario::new();
    let running = Running::new(&scenario, "f", &[], LOOP);
    let charge = Charge::new(&scenario);
    charge.until(Duration::ZERO);
    let report = json(&scenario.tell(&["kill", &running.session, "--json"]).success());
    assert_eq!(word(&report["sessions"][0], "how"), "acknowledged", "{report}");
    running.end();
    scenario.verify();
}

#[test]
fn a_gateway_whose_board_is_lost_holds_and_is_found_on_the_next_one() {
    let scenario = Scenario::new();
    let running = Running::new(&scenario, "f", &["--domain", "d"], LOOP);
    fs::remove_file(scenario.home().join("control/board")).expect("gone");
    // Whoever kills by a new board waits until all that look at the lost one have held, or are on it.
    let report = json(&scenario.tell(&["kill", "--domain", "d", "--json"]).success());
    let after = SystemTime::now();
    assert_eq!(
        word(&report["sessions"][0], "session"),
        running.session,
        "{report}"
    );
    assert_eq!(word(&report["sessions"][0], "how"), "acknowledged", "{report}");
    assert_eq!(members(&running.session), Vec::<i32>::new());
    assert_not_written_after(&running.file, after);
    running.end();
    // What was in force on a lost board is so on the next one: the ledger has it.
    fs::remove_file(scenario.home().join("control/board")).expect("gone");
    Outcome::of(
        scenario
            .rescind(&["run", "--domain", "d/below", "--"])
            .arg("true"),
    )
    .exits(125);
    assert_eq!(word(&stops(&scenario)[0]["scope"], "name"), "d");
    scenario
        .tell(&["resume", "--domain", "d", "--why", "over"])
        .success();
    fs::remove_file(scenario.home().join("control/board")).expect("gone");
    Outcome::of(
        scenario
            .rescind(&["run", "--domain", "d/below", "--"])
            .arg("true"),
    )
    .success();
    assert_eq!(notes(&scenario, "kill.called").len(), 1);
    // Without a kill it goes on as soon as there is a board again.
    let mut running = Running::new(&scenario, "g", &[], LOOP);
    fs::remove_file(scenario.home().join("control/board")).expect("gone");
    until("a new board", SOON, || {
        scenario.tell(&["status"]).success();
        (gateways(&scenario).len() == 1).then_some(())
    });
    let before = running.size();
    until("it to go on", SOON, || (running.size() > before).then_some(()));
    assert!(running.lives());
    scenario.tell(&["kill"]).success();
    running.end();
    scenario.verify();
}

#[test]
fn two_kills_at_once_and_a_killer_that_is_killed() {
    let Seed(seed) = Seed::from_environment();
    let mut random = Random::new(seed);
    let scenario = Scenario::new();
    let rounds = count("RESCIND_KILLER_KILLS", 4);
    for round in 0..rounds {
        let running = Running::new(&scenario, &format!("f{round}"), &["--domain", "d"], LOOP);
        let spawn = |words: &[&str]| {
            let mut command = scenario.rescind(words);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.spawn().expect("it starts")
        };
        let mut one = spawn(&["kill", "--domain", "d"]);
        let mut other = spawn(&["kill", "--everything"]);
        std::thread::sleep(Duration::from_micros(random.below(6_000)));
        kill(one.id() as i32, libc::SIGKILL);
        one.wait().expect("it ends");
        assert!(other.wait().expect("it ends").success());
        let after = SystemTime::now();
        assert_eq!(members(&running.session), Vec::<i32>::new());
        assert_not_written_after(&running.file, after);
        running.end();
        for scope in [vec!["--everything"], vec!["--domain", "d"]] {
            let mut words = vec!["resume", "--why", "over"];
            words.extend(&scope);
            let lifted = scenario.tell(&words);
            assert!([0, 1].contains(&lifted.code()), "{}", lifted.said());
        }
        assert_eq!(stops(&scenario).len(), 0);
    }
    scenario.verify();
    proved(
        "3 kill",
        format!("two killers at once, one killed, {rounds} times, seed {seed}"),
    );
}

#[test]
fn a_session_can_neither_kill_nor_lift_nor_touch_what_stops_it() {
    let mut scenario = Scenario::new();
    let binary = rescind_scenarios::rescind_binary().display().to_string();
    scenario.environment.push(("RESCIND".to_owned(), binary));
    let script = r#"
"$RESCIND" kill --everything; echo "kill $?"
"$RESCIND" resume --everything --why mine; echo "resume $?"
"$RESCIND" release; echo "release $?"
env -u RESCIND_SESSION "$RESCIND" kill --everything; echo "kill unset $?"
env -u RESCIND_SESSION "$RESCIND" pause --everything; echo "pause unset $?"
touch "$RESCIND_HOME/STOP" 2>/dev/null; echo "touch $?"
(echo x > "$RESCIND_HOME/control/board") 2>/dev/null; echo "board $?"
rm -f "$RESCIND_HOME/control/board" 2>/dev/null; echo "rm $?"
mv "$RESCIND_HOME/control" "$RESCIND_HOME/control2" 2>/dev/null; echo "mv $?"
"#;
    let outcome = scenario.run(script).success();
    let out = text(&outcome.stdout);
    for line in [
        "kill 1",
        "resume 1",
        "release 1",
        "kill unset 1",
        "pause unset 1",
        "touch 1",
        "rm 1",
        "mv 1",
    ] {
        assert!(out.contains(line), "no `{line}`:\n{}", outcome.said());
    }
    assert!(!out.contains("board 0"), "{out}");
    assert_eq!(stops(&scenario).len(), 0);
    assert!(!scenario.home().join("STOP").exists());
}
