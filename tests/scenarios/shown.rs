//! What a reviewer is shown, and that what was shown is what runs.

use crate::holds::{Running, SOON, configure, done, hold, name, place, refused, waiting};
use rescind_scenarios::{Scenario, proved, until};
use serde_json::Value;
use std::fs;
use std::process::Command;

const HOLD_DELETES: &str = r#"@id("deletes") @hold("reviewer") @because("ask before deleting")
forbid (principal, action == Action::"delete", resource);
@id("default.irreversible") @hold("reviewer")
forbid (principal, action, resource) when { context.class == "irreversible" };
"#;

pub(crate) fn deletes() -> Scenario {
    let scenario = place();
    configure(&scenario, "policies/own.cedar", HOLD_DELETES);
    scenario
}

#[test]
fn a_reviewer_sees_what_the_command_names_why_and_what_undo_would_be() {
    let mut scenario = deletes();
    scenario.bare(
        "git init -q . && mkdir -p data/sub && echo one > data/a && echo two > data/sub/b && git add data/a",
    );
    scenario.options = ["--reason", "the disk is full\u{1b}[2J"]
        .map(str::to_owned)
        .to_vec();
    let running = Running::new(&scenario, "rm -r data gone; echo end");
    let held = hold(&scenario);
    let paths = held["preview"]["paths"].as_array().expect("paths");
    let data = paths
        .iter()
        .find(|path| path["path"].as_str().unwrap_or_default().ends_with("/data"))
        .expect("data");
    assert_eq!(
        (&data["kind"], &data["files"], &data["bytes"], &data["tracked"]),
        (&"folder".into(), &2.into(), &8.into(), &1.into()),
        "{held:#}"
    );
    assert_eq!(data["gap"], Value::Null);
    let shown = scenario.tell(&["approvals", &name(&held)]).success().out();
    for text in [
        "ask before deleting",
        "\"the disk is full\\x1b[2J\" (the agent's own word)",
        "folder, 2 files, 8 B, 1 in git",
        "captured as it changes",
        "undo",
        "needs 1 person",
    ] {
        assert!(shown.contains(text), "no `{text}`:\n{shown}");
    }
    assert!(!shown.contains("\u{1b}[2J"), "{shown}");
    scenario.tell(&["reject", &name(&held)]).success();
    running.end();
    assert!(scenario.path("data/sub/b").exists());
}

#[test]
fn when_what_it_names_has_moved_an_approval_shows_it_again() {
    let scenario = deletes();
    scenario.write("data/a", "one");
    let running = Running::new(&scenario, "rm -r data; echo end");
    let first = hold(&scenario);
    // Somebody works there while it waits.
    scenario.write("data/precious", "a day's work");
    let listed = scenario.tell(&["approvals", &name(&first)]).success().out();
    assert!(listed.contains("it has changed since"), "{listed}");
    let told = scenario.tell(&["approve", &name(&first)]);
    refused(told, "hold-changed");
    assert!(
        scenario.path("data/precious").exists(),
        "what was not shown was deleted"
    );
    let again = until("it is shown again", SOON, || {
        waiting(&scenario).into_iter().find(|held| held["moved"] == 1)
    });
    assert_eq!(name(&again), name(&first));
    assert_ne!(again["digest"], first["digest"]);
    assert_eq!(again["preview"]["paths"][0]["files"], 2);
    let digest = first["digest"].as_str().expect("a digest");
    refused(
        scenario.tell(&["approve", &name(&first), "--digest", digest]),
        "hold-changed",
    );
    scenario.tell(&["approve", &name(&first)]).success();
    let (code, out, err) = running.end();
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        err.contains("shown again") && !scenario.path("data").exists(),
        "{err}"
    );
    let log = scenario.log(&[]);
    let action = log
        .iter()
        .find(|action| action["action_id"] == first["action_id"])
        .expect("it");
    assert!(
        action["approval"]["waited"][0]["what"]
            .as_str()
            .unwrap_or_default()
            .contains("shown again")
    );
    assert_eq!(action["approval"]["outcome"], "approved");
    scenario.verify();
    scenario.undo(&[]);
    assert_eq!(scenario.read("data/precious"), "a day's work");
    proved(
        "5 holds",
        "after the state shown moved, an approval shows it again and runs nothing",
    );
}

/// `rescind approvals` on a terminal of so many columns, given these lines; what it wrote.
fn on_a_terminal(scenario: &Scenario, columns: u16, lines: &[&str]) -> String {
    let script = r#"
import fcntl, os, pty, select, struct, sys, termios, time
columns, binary, lines = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.execv(binary, [binary, "approvals"])
seen, deadline = b"", time.time() + 60
asked = 0
while time.time() < deadline:
    ready, _, _ = select.select([fd], [], [], 0.2)
    if ready:
        try:
            got = os.read(fd, 65536)
        except OSError:
            break
        if not got:
            break
        seen += got
    tail = seen[asked:]
    if lines and (b":" in tail[-3:] or b"? " in tail[-3:] or b") " in tail[-3:]):
        asked = len(seen)
        os.write(fd, lines.pop(0).encode() + b"\n")
os.waitpid(pid, 0)
sys.stdout.buffer.write(seen)
"#;
    let binary = rescind_scenarios::rescind_binary().display().to_string();
    let mut command: Command = scenario.command("python3");
    command
        .args(["-c", script, &columns.to_string(), &binary])
        .args(lines);
    let output = command.output().expect("python3");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a terminal shows of it: without colours. Anything else that would steer it fails.
fn plain(shown: &str) -> String {
    let mut text = String::new();
    let mut letters = shown.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\u{1b}' {
            assert!(!letter.is_control() || "\r\n".contains(letter), "{shown:?}");
            text.push(letter);
            continue;
        }
        assert_eq!(letters.next(), Some('['), "{shown:?}");
        let end = letters.find(|letter| !letter.is_ascii_digit() && *letter != ';');
        assert_eq!(end, Some('m'), "no colour: {shown:?}");
    }
    text
}

#[test]
fn at_a_terminal_everything_is_readable_however_narrow_and_whatever_the_agent_wrote() {
    let scenario = place();
    assert!(plain(&on_a_terminal(&scenario, 80, &[])).contains("nothing waits"));
    let hostile = "kubectl delete ns \"$(printf 'x\\033[2J\\033]0;owned\\007\\rgood')\" \
                   a-name-that-is-longer-than-any-narrow-terminal-is-wide-0123456789";
    let running = Running::new(&scenario, hostile);
    hold(&scenario);
    for columns in [40, 80] {
        let shown = plain(&on_a_terminal(&scenario, columns, &["", "l"]));
        assert!(
            shown.contains("left waiting") && shown.contains("another command may instead"),
            "{shown}"
        );
        let page = shown.split("[a]pprove").next().expect("a page");
        for line in page.lines() {
            let columns = usize::from(columns);
            assert!(line.trim_end().chars().count() <= columns, "{columns}: {line}");
        }
    }
    on_a_terminal(&scenario, 80, &["r", "not so"]);
    let (_, _, err) = running.end();
    assert!(err.contains("not so"), "{err}");
    // Twelve at once: a list, one is chosen, the rest waits.
    let script = "for n in 1 2 3 4 5 6 7 8 9 10 11 12; do kubectl delete ns n$n & done; wait; echo end";
    let running = Running::new(&scenario, script);
    until("twelve holds", SOON, || {
        (waiting(&scenario).len() == 12).then_some(())
    });
    let shown = plain(&on_a_terminal(&scenario, 60, &["12", "a", "q"]));
    assert!(
        shown.contains("12 actions wait") && shown.contains("11 actions wait"),
        "{shown}"
    );
    assert!(shown.contains("approved"), "{shown}");
    until("it ran", SOON, || {
        (done(&scenario).lines().count() == 1).then_some(())
    });
    assert_eq!(waiting(&scenario).len(), 11);
    scenario.tell(&["kill"]).success();
    running.end();
    let _empty = fs::read_dir(scenario.home().join("holds")).expect("holds");
    proved(
        "5 holds",
        "the interactive view holds 0, 1 and 12 actions, 40 columns, and what an agent wrote",
    );
}
