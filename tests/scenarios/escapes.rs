//! What happens outside the tree of supervised processes is not undone, and that is said.

use rescind_scenarios::{Outcome, Scenario, proved};
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;

const TALK: &str =
    "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.send(b'move'); s.recv(9)";

/// An agent changes a config and has a daemon outside move the files.
#[test]
fn tc_24_a_daemon_that_acts_for_the_agent_is_reported() {
    let scenario = Scenario::new();
    scenario.write("config", "move: no\n");
    scenario.write("music/song", "la\n");
    let socket = scenario.scratch().join("docker.sock");
    let daemon = UnixListener::bind(&socket).expect("a socket");
    let music = scenario.path("music");
    let thread = std::thread::spawn(move || {
        let (mut peer, _) = daemon.accept().expect("a peer");
        peer.read_exact(&mut [0; 4]).expect("a word");
        fs::rename(music.join("song"), music.join("moved")).expect("the daemon moves it");
        peer.write_all(b"ok").expect("an answer");
    });
    let script = format!(
        "echo 'move: yes' > config; python3 -c \"{TALK}\" {}",
        socket.display()
    );
    let outcome = scenario.run(&script).success();
    thread.join().expect("the daemon");
    assert!(
        outcome.err().contains("docker.sock"),
        "the exit summary is silent about the daemon: {}",
        outcome.err()
    );
    let session = scenario.runs().pop().expect("a session");
    let log = scenario.log(&[&session, "--tree"]);
    assert!(
        log.iter()
            .any(|node| node["coverage_gaps"].to_string().contains("docker.sock")),
        "{log:#?}"
    );
    scenario.undo(&[]);
    assert_eq!(scenario.read("config"), "move: no\n");
    assert!(
        scenario.path("music/moved").exists(),
        "an undo took back what the session did not do"
    );
    proved(
        "4 incidents",
        "TC-24: the daemon's doing is reported, not claimed",
    );
}

#[test]
fn a_daemon_can_be_refused_by_policy() {
    let mut scenario = Scenario::new();
    let socket = scenario.scratch().join("docker.sock");
    let _daemon = UnixListener::bind(&socket).expect("a socket");
    scenario.options = vec!["--escapes".to_owned(), "refuse".to_owned()];
    let outcome = scenario.run(&format!("python3 -c \"{TALK}\" {}", socket.display()));
    assert_ne!(outcome.code(), 0, "the connection was made");
    assert!(outcome.err().contains("docker.sock"), "{}", outcome.err());
}

#[test]
fn the_agent_cannot_touch_the_state_directory() {
    let scenario = Scenario::new();
    scenario.run("true").success();
    let home = scenario.home();
    let home = home.display();
    for attack in [
        format!("rm -rf {home}"),
        format!("mv {home} {home}.away"),
        format!("echo x >> $(ls {home}/ledger/log.* | head -1)"),
        format!("truncate -s 0 $(ls {home}/ledger/log.* | head -1)"),
        format!("chmod 000 {home}"),
        format!("touch {home}/ledger/new"),
        format!("ln {home}/ledger/key stolen"),
        format!("cd {home}/ledger && rm -f key"),
        format!("ln -s {home} here && rm -rf here/ledger"),
        format!("python3 -c \"import os; os.rename('{home}/ledger', '{home}/gone')\""),
    ] {
        let outcome = scenario.run(&attack);
        assert_ne!(outcome.code(), 0, "`{attack}` succeeded");
        scenario.verify();
    }
    proved("laws", "ten attacks on the state directory refused");
}

#[test]
fn the_agent_cannot_signal_or_trace_the_supervisor() {
    let scenario = Scenario::new();
    let script = "import os,signal\n\
        def name(p):\n  return open(f'/proc/{p}/comm').read().strip()\n\
        ours=[int(p) for p in os.listdir('/proc') if p.isdigit() and os.path.exists(f'/proc/{p}/comm') and name(p).startswith('rescind')]\n\
        up=set(); p=os.getpid()\n\
        while p>1: up.add(p); p=int(open(f'/proc/{p}/stat').read().rsplit(')',1)[1].split()[1])\n\
        ours=[p for p in ours if p in up]\n\
        assert ours, 'no supervisor above'\n\
        for p in ours:\n\
        \x20 for act in (lambda: os.kill(p, signal.SIGSTOP), lambda: os.kill(p, signal.SIGKILL), lambda: open(f'/proc/{p}/mem','r+b')):\n\
        \x20   try: act()\n\
        \x20   except (PermissionError, ProcessLookupError, OSError): continue\n\
        \x20   raise SystemExit(f'{name(p)} could be reached')\n";
    let file = scenario.scratch().join("attack.py");
    fs::write(&file, script).expect("a script");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("chmod");
    Outcome::of(&mut scenario.supervised(["python3", file.to_str().expect("text")])).success();
}

#[test]
fn a_change_that_cannot_be_captured_is_refused_or_reported() {
    let mut scenario = Scenario::new();
    scenario.write("large", vec![1; 3 << 20]);
    scenario.options = vec!["--capture-limit".to_owned(), "1".to_owned()];
    let refused = scenario.run("echo x >> large");
    assert_ne!(refused.code(), 0, "a file over the limit was changed");
    assert_eq!(
        fs::metadata(scenario.path("large")).expect("it is there").len(),
        3 << 20
    );
    scenario
        .options
        .extend(["--uncaptured".to_owned(), "allow".to_owned()]);
    let passed = scenario.run("echo x >> large").success();
    assert!(
        passed.err().contains("large"),
        "the exit summary is silent: {}",
        passed.err()
    );
    let log = scenario.log(&[&scenario.runs().pop().expect("a session"), "--tree"]);
    assert!(log.iter().any(|node| node["coverage"] != "captured"), "{log:#?}");
    // Law 7: what was not captured is not taken for what was not there.
    scenario.tell(&["undo", "--yes"]);
    assert!(
        scenario.path("large").exists(),
        "the undo deleted what was never captured"
    );
}

#[test]
fn a_run_inside_a_run_joins_the_outer_session() {
    let scenario = Scenario::new();
    scenario.write("f", "x\n");
    let rescind = rescind_scenarios::rescind_binary();
    let before = scenario.manifest();
    scenario
        .run(&format!("{} run -- rm f", rescind.display()))
        .success();
    assert!(!scenario.path("f").exists());
    assert_eq!(
        scenario.runs().len(),
        1,
        "the inner run made a session of its own"
    );
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "a run inside a run");
}
