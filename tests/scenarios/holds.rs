//! What can't be taken back waits for people, and nobody in the session can be one of them.

use rescind_scenarios::{Outcome, Scenario, proved, until};
use serde_json::Value;
use std::fs;
use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A policy of one's own: one person is enough for everything.
const ONE_PERSON: &str = r#"@id("default.irreversible")
@hold("reviewer")
forbid (principal, action, resource)
when { context.class == "irreversible" };
"#;

/// A place with a `kubectl` that writes down what it was told to do, and a policy that asks one person.
pub(crate) fn place() -> Scenario {
    let mut scenario = Scenario::new();
    program(&scenario, "kubectl", "echo \"$@\" >> \"$DONE\"");
    let path = format!(
        "{}:{}",
        scenario.scratch().join("bin").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    let done = scenario.scratch().join("done").display().to_string();
    let config = scenario.scratch().join("config").display().to_string();
    scenario.environment.push(("PATH".to_owned(), path));
    scenario.environment.push(("DONE".to_owned(), done));
    scenario.environment.push(("XDG_CONFIG_HOME".to_owned(), config));
    configure(&scenario, "policies/own.cedar", ONE_PERSON);
    scenario
}

pub(crate) fn program(scenario: &Scenario, name: &str, script: &str) {
    let path = scenario.scratch().join("bin").join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
}

pub(crate) fn configure(scenario: &Scenario, name: &str, text: &str) {
    let path = scenario.scratch().join("config/rescind").join(name);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

pub(crate) fn done(scenario: &Scenario) -> String {
    fs::read_to_string(scenario.scratch().join("done")).unwrap_or_default()
}

/// A supervised script that goes on while people decide.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    pub(crate) fn new(scenario: &Scenario, script: &str) -> Self {
        let mut command = scenario.supervised(["sh", "-c", script]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        Self {
            child: child.expect("a supervisor"),
        }
    }

    /// Its end: exit code, stdout, stderr.
    pub(crate) fn end(mut self) -> (i32, String, String) {
        let status = until("the session's end", SOON, || {
            self.child.try_wait().expect("a child of ours")
        });
        let (mut out, mut err) = (String::new(), String::new());
        let (stdout, stderr) = (self.child.stdout.take(), self.child.stderr.take());
        stdout.expect("a pipe").read_to_string(&mut out).expect("text");
        stderr.expect("a pipe").read_to_string(&mut err).expect("text");
        (status.code().unwrap_or(-1), out, err)
    }
}

pub(crate) fn waiting(scenario: &Scenario) -> Vec<Value> {
    scenario.tell(&["approvals", "--json"]).json_lines()
}

/// The one hold, as soon as it is there.
pub(crate) fn hold(scenario: &Scenario) -> Value {
    until("a hold", SOON, || waiting(scenario).pop())
}

pub(crate) fn name(hold: &Value) -> String {
    hold["action_id"].as_str().expect("an action").to_owned()
}

/// `rescind ARGUMENTS` as this person.
pub(crate) fn tell_as(scenario: &Scenario, person: &str, arguments: &[&str]) -> Outcome {
    Outcome::of(scenario.rescind(arguments).env("SUDO_USER", person))
}

#[track_caller]
pub(crate) fn refused(outcome: Outcome, code: &str) {
    let outcome = outcome.exits(1);
    assert!(
        outcome.err().contains(&format!("error[{code}]")),
        "{}",
        outcome.err()
    );
}

#[test]
fn what_cant_be_taken_back_runs_once_when_a_person_has_approved_and_the_record_says_who() {
    let scenario = place();
    let running = Running::new(
        &scenario,
        "kubectl get pods; kubectl delete ns drone; kubectl delete ns drone; echo end $?",
    );
    let first = hold(&scenario);
    assert_eq!(done(&scenario), "get pods\n", "it ran before anybody decided");
    assert_eq!(first["command"], "kubectl delete ns drone");
    assert_eq!(first["judged"]["class"], "irreversible");
    scenario.tell(&["approve"]).success();
    // The same once more: an approval counts once.
    let second = until("the second hold", SOON, || {
        waiting(&scenario)
            .into_iter()
            .find(|hold| name(hold) != name(&first))
    });
    assert_eq!(done(&scenario), "get pods\ndelete ns drone\n");
    scenario
        .tell(&["reject", "--message", "not on a Friday", &name(&second)])
        .success();
    let (code, out, err) = running.end();
    assert_eq!((code, out.contains("end 137")), (0, true), "{out}{err}");
    assert!(err.contains("rejected by a reviewer: not on a Friday"), "{err}");
    assert_eq!(done(&scenario), "get pods\ndelete ns drone\n");
    let log = scenario.log(&[]);
    let of = |hold: &Value| {
        let found = log.iter().find(|action| action["action_id"] == hold["action_id"]);
        found.expect("the action").clone()
    };
    let (approved, rejected) = (of(&first), of(&second));
    assert_eq!(approved["approval"]["required"], true);
    assert_eq!(approved["approval"]["outcome"], "approved");
    assert!(approved["approval"]["reviewer"].is_string(), "{approved}");
    assert!(approved["approval"]["approved_at"].is_string(), "{approved}");
    assert!(approved["risk_score"].as_u64() > Some(50), "{approved}");
    assert_ne!(approved["coverage"], "captured", "{approved}");
    assert_eq!(rejected["approval"]["outcome"], "rejected");
    assert_eq!(rejected["approval"]["approved_at"], Value::Null);
    scenario.verify();
    proved("5 holds", "held, approved once, rejected with a word; on record");
}

#[test]
fn every_approval_that_may_not_count_is_refused_with_an_error_of_its_own() {
    let scenario = place();
    if !Scenario::is_root() {
        proved("5 holds", "NOT SHOWN: several persons need root here");
        return;
    }
    configure(&scenario, "policies/own.cedar", "");
    let running = Running::new(&scenario, "kubectl delete ns drone; kubectl delete ns drone");
    let first = hold(&scenario);
    let action = name(&first);
    assert_eq!(first["judged"]["persons"], 2);
    refused(scenario.tell(&["approve", &action]), "hold-requester");
    let other = format!("sha256:{}", "0".repeat(64));
    refused(
        tell_as(&scenario, "ann", &["approve", &action, "--digest", &other]),
        "hold-changed",
    );
    tell_as(&scenario, "ann", &["approve", &action]).success();
    refused(tell_as(&scenario, "ann", &["approve", &action]), "hold-decided");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(done(&scenario), "", "one person was enough for two");
    tell_as(&scenario, "bob", &["approve", &action]).success();
    let second = until("the second hold", SOON, || {
        waiting(&scenario).into_iter().find(|hold| name(hold) != action)
    });
    refused(tell_as(&scenario, "eve", &["approve", &action]), "hold-over");
    refused(tell_as(&scenario, "eve", &["reject", &action]), "hold-over");
    refused(scenario.tell(&["approve", "nothing.1"]), "no-such-hold");
    scenario.tell(&["kill"]).success();
    let _ended = running.end();
    let late = tell_as(&scenario, "ann", &["approve", &name(&second)]).exits(1);
    assert!(
        late.err().contains("hold-void") || late.err().contains("hold-over"),
        "{}",
        late.err()
    );
    assert_eq!(done(&scenario), "delete ns drone\n");
    proved(
        "5 holds",
        "requester, changed, twice, over, unknown, void: each refused by its own error",
    );
}

#[test]
fn nobody_decides_in_time_and_it_is_denied() {
    let mut scenario = place();
    scenario.options.extend(["--hold-for".to_owned(), "0".to_owned()]);
    let (code, _, err) = Running::new(&scenario, "kubectl delete ns drone").end();
    assert_ne!(code, 0);
    assert!(err.contains("nobody decided in time"), "{err}");
    assert_eq!(done(&scenario), "");
    let log = scenario.log(&[]);
    assert!(
        log.iter()
            .any(|action| action["approval"]["outcome"] == "expired"),
        "{log:#?}"
    );
    let action = log
        .iter()
        .find(|action| action["approval"]["outcome"] == "expired");
    let action = action
        .and_then(|action| action["action_id"].as_str())
        .expect("an action");
    refused(scenario.tell(&["approve", action]), "hold-over");
}

#[test]
fn no_process_of_a_session_decides_its_holds() {
    let scenario = place();
    let script = r#"
kubectl delete ns drone & held=$!
while ! ls "$RESCIND_HOME"/holds/*.hold >/dev/null 2>&1; do sleep 0.02; done
rescind=$1
"$RESCIND" approve; echo "approve $?"
env -u RESCIND_SESSION "$RESCIND" approve; echo "approve unset $?"
hold=$(ls "$RESCIND_HOME"/holds/*.hold)
cp "$hold" "${hold%.hold}.by-ann"; echo "file $?"
mv "$hold" "$hold.gone"; echo "move $?"
"$RESCIND" approve --always; echo "always $?"
"$RESCIND" policy forget x; echo "forget $?"
env -u RESCIND_SESSION "$RESCIND" policy forget x; echo "forget unset $?"
(mkdir -p "$RESCIND_HOME/learned"; cp "$hold" "$RESCIND_HOME/learned/a.rule"); echo "rule $?"
python3 -c "
import os
try:
    os.rename('/tmp', os.environ['RESCIND_HOME'] + '/learned')
except OSError as error:
    print('learned', error.errno in (1, 13, 16, 18))
"
kill -CONT $held; echo "cont $?"
kill -CONT -1; echo "all $?"
python3 -c "
import fcntl, os, pty, termios
master, slave = pty.openpty()
os.setsid() if os.fork() == 0 else os._exit(0)
fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
try:
    fcntl.ioctl(slave, termios.TIOCSTI, b'a')
    print('pushed')
except OSError as error:
    print('tiocsti', error.errno == 1)
"
sleep 0.3
cat "$DONE" 2>/dev/null; echo tried
sleep 30
"#;
    let mut scenario = scenario;
    let binary = rescind_scenarios::rescind_binary().display().to_string();
    scenario.environment.push(("RESCIND".to_owned(), binary));
    let running = Running::new(&scenario, script);
    let held = hold(&scenario);
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(done(&scenario), "", "a process of the session let it go");
    assert_eq!(waiting(&scenario).len(), 1);
    let stated = scenario.tell(&["approvals", "--json", &name(&held)]).json_lines();
    assert_eq!(stated[0]["decisions"], Value::Array(Vec::new()));
    scenario.tell(&["kill"]).success();
    let (_, out, err) = running.end();
    for line in [
        "approve 1",
        "approve unset 1",
        "file 1",
        "move 1",
        "cont 1",
        "always 1",
        "forget 1",
        "forget unset 1",
        "rule 1",
        "learned True",
    ] {
        assert!(out.contains(line), "no `{line}`:\n{out}\n{err}");
    }
    assert!(
        out.contains("tiocsti True") && !out.contains("pushed"),
        "{out}{err}"
    );
    assert!(out.contains("tried") && !out.contains("delete ns"), "{out}");
    assert_eq!(done(&scenario), "");
    proved(
        "5 holds",
        "own commands, store, signals and TIOCSTI refused to the session",
    );
}

#[test]
fn what_was_shown_is_what_runs() {
    let scenario = place();
    let running = Running::new(&scenario, "kubectl delete ns drone; echo end");
    hold(&scenario);
    // Somebody exchanges the program while it waits.
    program(&scenario, "kubectl", "echo other \"$@\" >> \"$DONE\"");
    scenario.tell(&["approve"]).success();
    let (_, out, err) = running.end();
    assert!(err.contains("exchanged since they were shown"), "{out}{err}");
    assert_eq!(done(&scenario), "");
    proved("5 holds", "after the state moved, an approval runs nothing");
}

#[test]
fn when_the_waiter_has_ended_an_approval_runs_nothing() {
    let scenario = place();
    let running = Running::new(
        &scenario,
        "sh -c 'kubectl delete ns drone; true' & sleep 0.5; kill -9 $!; sleep 2; echo end",
    );
    let held = hold(&scenario);
    std::thread::sleep(Duration::from_millis(900));
    let late = scenario.tell(&["approve", &name(&held)]).exits(1);
    assert!(
        late.err().contains("hold-over") || late.err().contains("hold-void"),
        "{}",
        late.err()
    );
    let _end = running.end();
    assert_eq!(done(&scenario), "");
    let log = scenario.log(&["--tree"]);
    assert!(
        log.iter().any(|node| node["approval"]["outcome"] == "void"),
        "{log:#?}"
    );
}

#[test]
fn a_word_for_the_session_covers_the_very_same_command_and_no_other() {
    let scenario = place();
    let running = Running::new(
        &scenario,
        "for n in 1 2 3; do kubectl delete ns a; done; kubectl delete ns b; echo end",
    );
    hold(&scenario);
    scenario.tell(&["approve", "--for-session"]).success();
    let other = until("the other hold", SOON, || {
        waiting(&scenario)
            .into_iter()
            .find(|hold| hold["command"] == "kubectl delete ns b")
    });
    assert_eq!(done(&scenario), "delete ns a\ndelete ns a\ndelete ns a\n");
    scenario.tell(&["reject", &name(&other)]).success();
    running.end();
    proved("3 bypass", "a standing approval does not cover another target");
}

#[test]
fn what_was_denied_and_comes_back_stronger_or_three_times_halts_the_session() {
    let scenario = place();
    let running = Running::new(
        &scenario,
        "git push origin main --force-with-lease; git push origin main --force; echo end; ls >/dev/null; echo after",
    );
    let first = hold(&scenario);
    scenario.tell(&["reject", &name(&first)]).success();
    let second = until("the stronger one", SOON, || {
        waiting(&scenario)
            .into_iter()
            .find(|hold| name(hold) != name(&first))
    });
    let factors = second["judged"]["factors"].to_string();
    assert!(factors.contains("denied before\",\"points\":20"), "{second:#}");
    assert!(
        second["judged"]["reasons"].to_string().contains("breaker"),
        "{second:#}"
    );
    assert!(
        second["judged"]["score"].as_u64() > first["judged"]["score"].as_u64(),
        "{second:#}"
    );
    scenario.tell(&["kill"]).success();
    running.end();
    let scenario = place();
    let running = Running::new(
        &scenario,
        "kubectl delete ns a; kubectl delete ns b; kubectl delete ns c; ls; echo end",
    );
    for name in ["a", "b", "c"] {
        let held = until("a hold", SOON, || {
            let command = format!("kubectl delete ns {name}");
            waiting(&scenario)
                .into_iter()
                .find(|hold| hold["command"] == command.as_str())
        });
        scenario
            .tell(&["reject", held["action_id"].as_str().expect("an action")])
            .success();
    }
    let halted = until("the halt", SOON, || {
        waiting(&scenario)
            .into_iter()
            .find(|hold| hold["command"] == "ls")
    });
    assert!(
        halted["judged"]["reasons"].to_string().contains("in a row"),
        "{halted:#}"
    );
    scenario.tell(&["approve"]).success();
    let (_, out, _) = running.end();
    assert!(out.contains("end"), "{out}");
    proved(
        "3 bypass",
        "a stronger retry and three denials in a row halt the session",
    );
}

#[test]
fn a_freeze_denies_whatever_the_agent_was_told() {
    let scenario = place();
    configure(
        &scenario,
        "limits.toml",
        "[[freeze]]\nid = \"code-freeze\"\nreason = \"nothing is changed this week\"\nfrom = \
         \"2020-01-01T00:00:00Z\"\nuntil = \"2100-01-01T00:00:00Z\"\n",
    );
    let (_, out, err) = Running::new(
        &scenario,
        "ls >/dev/null && echo reads; rm -rf x; echo rm $?; kubectl delete ns a; echo kubectl $?",
    )
    .end();
    assert!(out.contains("reads"), "{out}{err}");
    assert!(out.contains("rm 126"), "{out}{err}");
    assert!(err.contains("nothing is changed this week"), "{err}");
    assert_eq!(done(&scenario), "");
}

/// An address of this machine that is none of its loopback ones.
fn own_address() -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the kernel only says from where it would be.
    socket.connect("198.51.100.1:9").ok()?;
    let address = socket.local_addr().ok()?;
    (!address.ip().is_loopback() && !address.ip().is_unspecified()).then_some(address)
}

/// The same request by five routes: what no word tells is asked about where it leaves the machine.
#[test]
fn what_a_program_sends_elsewhere_is_asked_about_whatever_the_route() {
    let Some(own) = own_address() else {
        proved("3 bypass", "NOT SHOWN: this machine has no address but its own");
        return;
    };
    let server = TcpListener::bind((own.ip(), 0)).expect("a port");
    server.set_nonblocking(true).expect("a socket");
    let (host, port) = (
        own.ip().to_string(),
        server.local_addr().expect("an address").port(),
    );
    let python = format!("import socket; socket.create_connection(('{host}', {port})).close()");
    let routes = [
        format!("curl -s -m 5 -X DELETE http://{host}:{port}/volumes/1"),
        format!("python3 -c \"{python}\""),
        format!("bash -c 'exec 3<>/dev/tcp/{host}/{port}'"),
        format!("printf '%s' \"{python}\" > s.py; sh -c 'python3 s.py'"),
        format!("echo \"exec 3<>/dev/tcp/{host}/{port}\" | base64 | base64 -d | bash"),
    ];
    for route in &routes {
        let scenario = place();
        let running = Running::new(&scenario, &format!("{route}; echo end $?"));
        let held = hold(&scenario);
        assert!(
            server.accept().is_err(),
            "{route}: it was connected before anybody decided"
        );
        scenario.tell(&["reject", &name(&held)]).success();
        let (_, out, err) = running.end();
        assert!(!out.contains("end 0"), "{route}: {out}{err}");
        assert!(server.accept().is_err(), "{route}: it was connected all the same");
    }
    // Approved, it goes on where it waited.
    let scenario = place();
    let running = Running::new(&scenario, &format!("{}; echo end $?", routes[1]));
    let held = hold(&scenario);
    assert_eq!(held["argv"][1], format!("{host}:{port}"));
    scenario.tell(&["approve", &name(&held)]).success();
    let (_, out, err) = running.end();
    assert!(out.contains("end 0"), "{out}{err}");
    server.accept().expect("a connection");
    proved("3 bypass", "one request by five routes: each held, none sent");
}

#[test]
fn the_past_is_judged_by_another_policy_and_says_what_would_have_been_otherwise() {
    let scenario = place();
    scenario.write("a", "a");
    scenario.run("ls >/dev/null; rm a; kubectl get pods").success();
    let strict = scenario.scratch().join("strict.cedar");
    fs::write(
        &strict,
        "@id(\"mine\") @hold(\"me\") forbid (principal, action == Action::\"delete\", resource);",
    )
    .expect("a policy");
    let same = scenario
        .tell(&["policy", "replay", "--json"])
        .success()
        .json_lines();
    assert_eq!(same.len(), 1, "{same:#?}");
    let strict = strict.display().to_string();
    let replayed = scenario
        .tell(&["policy", "replay", "--json", "--policy", &strict])
        .success()
        .json_lines();
    assert_eq!(replayed.len(), 2, "{replayed:#?}");
    assert_eq!(replayed[0]["command"], "rm a");
    assert_eq!(
        (&replayed[0]["was"], &replayed[0]["would_be"]),
        (&"allow".into(), &"hold".into())
    );
    assert_eq!(replayed[1]["held"], 1);
    let action = replayed[0]["action_id"].as_str().expect("an action").to_owned();
    let explained = scenario.tell(&["policy", "explain", &action]).success();
    assert!(
        explained.out().contains("let run: class reversible_with_state"),
        "{}",
        explained.out()
    );
}

#[test]
fn a_session_that_only_records_holds_nothing_and_says_what_it_would_have() {
    let mut scenario = place();
    scenario.options.push("--record-only".to_owned());
    scenario.run("kubectl delete ns drone").success();
    assert_eq!(done(&scenario), "delete ns drone\n");
    let log = scenario.log(&[]);
    let judged = log
        .iter()
        .find(|action| action["judgement"]["verdict"] == "hold")
        .expect("the judgement");
    assert!(
        judged["judgement"]["reasons"]
            .to_string()
            .contains("only records"),
        "{judged:#}"
    );
}

/// The command that was given to `run` is itself held: whoever waits for it goes on waiting, and gets its end.
#[test]
fn a_session_whose_own_command_is_held_goes_on_when_it_is_approved() {
    let scenario = place();
    let mut command = scenario.supervised(["kubectl", "delete", "ns", "drone"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let running = Running {
        child: child.expect("a supervisor"),
    };
    hold(&scenario);
    std::thread::sleep(Duration::from_millis(300));
    scenario.tell(&["approve"]).success();
    let (code, out, err) = running.end();
    assert_eq!(code, 0, "{out}{err}");
    assert_eq!(done(&scenario), "delete ns drone\n");
}

/// What seems to start an agent may be the deed itself: it is judged by its words, too.
#[test]
fn what_seems_to_start_an_agent_is_judged() {
    let mut scenario = place();
    program(&scenario, "npm", "echo \"npm $*\" >> \"$DONE\"");
    scenario.options.extend(["--hold-for".to_owned(), "0".to_owned()]);
    for command in [
        &["npm", "publish"][..],
        &["sh", "-c", "npm publish"],
        &["env", "A=1", "npm", "publish"],
        &["timeout", "20", "kubectl", "delete", "ns", "drone"],
    ] {
        let ended = Outcome::of(&mut scenario.supervised(command));
        assert_ne!(ended.code(), 0, "{command:?}: {}", ended.err());
        assert!(ended.err().contains("held"), "{command:?}: {}", ended.err());
        assert_eq!(done(&scenario), "", "{command:?}");
    }
}

/// A program is what it is, whatever it is called: a link to it, or a descriptor of it.
#[test]
fn a_program_under_another_name_is_judged_as_what_it_is() {
    let mut scenario = place();
    scenario.options.extend(["--hold-for".to_owned(), "0".to_owned()]);
    let by_descriptor = "import os; os.execve(os.open(os.environ['PROGRAM'], os.O_RDONLY), ['ls', 'delete', 'ns', 'drone'], os.environ)";
    let program = scenario.scratch().join("bin/kubectl").display().to_string();
    scenario.environment.push(("PROGRAM".to_owned(), program));
    let script = format!(
        "ln -s \"$PROGRAM\" k; ./k delete ns drone; echo link $?; python3 -c \"{by_descriptor}\"; echo descriptor $?"
    );
    let (_, out, err) = Running::new(&scenario, &script).end();
    assert!(out.contains("link ") && !out.contains("link 0"), "{out}{err}");
    assert!(
        out.contains("descriptor ") && !out.contains("descriptor 0"),
        "{out}{err}"
    );
    assert_eq!(err.matches("held (").count(), 2, "{err}");
    assert_eq!(done(&scenario), "");
}
