//! Others write to the same tree while and after a session does: none of their work is lost.

use rescind_scenarios::{Outcome, Place, Scenario, proved, until};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Stdio};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);

/// Sixty numbered lines.
fn page() -> String {
    (1..=60).map(|n| format!("line {n}\n")).collect()
}

/// `text` with line `n` replaced.
fn with(text: &str, n: usize, line: &str) -> String {
    text.lines()
        .enumerate()
        .map(|(at, was)| {
            if at + 1 == n {
                format!("{line}\n")
            } else {
                format!("{was}\n")
            }
        })
        .collect()
}

/// What a person does to a file: line `n` becomes `line`. In place, or as editors do by a new file over the old one.
fn person(scenario: &Scenario, name: &str, n: usize, line: &str, by_rename: bool) {
    let content = with(&scenario.read(name), n, line);
    if by_rename {
        let temporary = scenario.write(format!("{name}.swp"), content);
        fs::rename(temporary, scenario.path(name)).expect("rename");
    } else {
        fs::write(scenario.path(name), content).expect("write");
    }
}

/// A session that does its parts one by one, each when told.
struct Turns<'s> {
    scenario: &'s Scenario,
    run: Child,
    part: usize,
}

impl<'s> Turns<'s> {
    fn start(scenario: &'s Scenario, parts: &[&str]) -> Self {
        let mut script = String::from("#!/bin/sh\nset -e\n");
        for (n, part) in parts.iter().enumerate() {
            script += &format!(
                "while [ ! -e ../scratch/go-{n} ]; do sleep 0.01; done\n{part}\necho > ../scratch/did-{n}\n"
            );
        }
        let agent = scenario.scratch().join("agent");
        fs::write(&agent, script).expect("a script");
        fs::set_permissions(&agent, fs::Permissions::from_mode(0o755)).expect("chmod");
        let mut command = scenario.supervised([&agent]);
        let run = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        Self {
            scenario,
            run,
            part: 0,
        }
    }

    fn next(&mut self) {
        let dir = self.scenario.scratch();
        fs::write(dir.join(format!("go-{}", self.part)), "").expect("the sign");
        let did = dir.join(format!("did-{}", self.part));
        until("the session's part", LIMIT, || did.exists().then_some(()));
        self.part += 1;
    }

    fn end(self) {
        let output = self.run.wait_with_output().expect("it ends");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

const FILES: usize = 200;

fn name(n: usize) -> String {
    format!("folder-{}/f{n}", n % 7)
}

/// The session changes line 10 of 200 files, half of them before and half after a person was there, and makes 50 files.
fn session(scenario: &Scenario, mut between: impl FnMut(std::ops::Range<usize>)) {
    for n in 0..FILES {
        scenario.write(name(n), page());
    }
    let edit = |from: usize, to: usize| {
        let files: Vec<String> = (from..to).map(name).collect();
        format!("sed -i 's/^line 10$/BY THE AGENT/' {}", files.join(" "))
    };
    let first = format!(
        "{}; for n in $(seq 50); do echo agent > folder-3/made-$n; done",
        edit(0, FILES / 2)
    );
    let second = edit(FILES / 2, FILES);
    let mut turns = Turns::start(scenario, &[&first, &second]);
    turns.next();
    between(0..FILES / 2);
    turns.next();
    turns.end();
    between(FILES / 2..FILES);
}

#[test]
fn other_hunks_new_files_and_deletions_by_others_are_kept() {
    let scenario = Scenario::at(Place::Tmpfs, rescind_scenarios::Who::Me);
    session(&scenario, |range| {
        for n in range.clone() {
            person(&scenario, &name(n), 50, &format!("by a person {n}"), n % 2 == 0);
            scenario.write(format!("folder-{}/of-a-person-{n}", n % 7), "new\n");
        }
        if range.start == 0 {
            // Deleting what the agent had made is what an undo wants as well.
            (1..10).for_each(|n| {
                fs::remove_file(scenario.path(format!("folder-3/made-{n}"))).expect("made by the agent")
            });
        }
    });
    scenario.undo(&[]);
    for n in 0..FILES {
        let expected = with(&page(), 50, &format!("by a person {n}"));
        assert_eq!(scenario.read(name(n)), expected, "{}", name(n));
        assert_eq!(
            scenario.read(format!("folder-{}/of-a-person-{n}", n % 7)),
            "new\n"
        );
    }
    assert!(
        (1..=50).all(|n| !scenario.path(format!("folder-3/made-{n}")).exists()),
        "the agent's files are left"
    );
    proved(
        "5 drift",
        format!("{FILES} files with edits of others in other hunks: all kept, the session's taken back"),
    );
}

#[test]
fn the_same_hunk_is_a_conflict_and_nothing_is_touched() {
    let scenario = Scenario::at(Place::Tmpfs, rescind_scenarios::Who::Me);
    session(&scenario, |range| {
        for n in range {
            match n % 4 {
                0 => person(&scenario, &name(n), 50, "elsewhere", n % 8 == 0),
                1 => person(&scenario, &name(n), 10, "BY A PERSON", n % 8 == 1),
                2 => fs::remove_file(scenario.path(name(n))).expect("a person removes it"),
                _ => {}
            }
        }
    });
    let found = scenario.manifest();
    let undo = scenario.tell(&["undo", "--yes"]).exits(3);
    found.assert_same(&scenario.manifest(), "an undo that stopped at conflicts");
    let said = undo.said();
    // 1, 5, 9, .. of the second half and of the first, where the agent came first.
    assert!(said.contains(&name(1)) || said.contains("conflict"), "{said}");
    // Decided for the persons, everything else is taken back and none of their work is lost.
    let kept = scenario.tell(&["undo", "--yes", "--on-conflict", "keep"]);
    assert!([0, 5].contains(&kept.code()), "{}", kept.said());
    for n in 0..FILES {
        match n % 4 {
            0 => assert_eq!(
                scenario.read(name(n)),
                with(&page(), 50, "elsewhere"),
                "{}",
                name(n)
            ),
            1 => assert!(scenario.read(name(n)).contains("BY A PERSON"), "{}", name(n)),
            2 => assert!(!scenario.path(name(n)).exists(), "{} came back", name(n)),
            _ => assert_eq!(scenario.read(name(n)), page(), "{}", name(n)),
        }
    }
    proved(
        "5 drift",
        format!(
            "{} same-hunk edits and deletions of {FILES} files: conflicts, nothing touched",
            FILES / 2
        ),
    );
}

#[test]
fn session_and_person_by_turns_on_one_file() {
    let scenario = Scenario::new();
    scenario.write("shared", page());
    let edit = |n: usize| format!("sed -i 's/^line {n}$/agent {n}/' shared");
    let parts = [edit(5), edit(25), edit(45)];
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let mut turns = Turns::start(&scenario, &parts);
    for n in [15, 35, 55] {
        turns.next();
        person(&scenario, "shared", n, &format!("person {n}"), n == 35);
    }
    turns.end();
    scenario.undo(&[]);
    let expected = [15, 35, 55]
        .iter()
        .fold(page(), |text, n| with(&text, *n, &format!("person {n}")));
    assert_eq!(scenario.read("shared"), expected);
    proved(
        "5 drift",
        "three turns each of session and person on one file: the person's lines stay",
    );
}

#[test]
fn session_and_person_by_turns_on_one_line() {
    let scenario = Scenario::new();
    scenario.write("shared", page());
    let mut turns = Turns::start(
        &scenario,
        &[
            "sed -i 's/^line 5$/agent/' shared",
            "sed -i 's/^person$/agent again/' shared",
        ],
    );
    turns.next();
    person(&scenario, "shared", 5, "person", false);
    turns.next();
    turns.end();
    let found = scenario.manifest();
    scenario.tell(&["undo", "--yes"]).exits(3);
    found.assert_same(&scenario.manifest(), "an undo that stopped at a conflict");
    proved(
        "5 drift",
        "session, person, session on one line: a conflict, nothing touched",
    );
}

#[test]
fn a_file_that_a_person_put_where_the_session_deleted_one_stays() {
    let scenario = Scenario::new();
    scenario.write("gone", "old\n");
    scenario.run("rm gone").success();
    scenario.write("gone", "a person's own\n");
    let found = scenario.manifest();
    scenario.tell(&["undo", "--yes"]).exits(3);
    found.assert_same(&scenario.manifest(), "a conflict");
    assert_eq!(scenario.read("gone"), "a person's own\n");
}

#[test]
fn a_folder_that_the_session_made_stays_while_a_persons_file_is_in_it() {
    let scenario = Scenario::new();
    scenario.run("mkdir made; echo agent > made/agents").success();
    scenario.write("made/persons", "keep me\n");
    scenario.tell(&["undo", "--yes", "--on-conflict", "keep"]);
    assert_eq!(scenario.read("made/persons"), "keep me\n");
    assert!(!scenario.path("made/agents").exists(), "the agent's file is left");
}

#[test]
fn only_one_path_is_undone() {
    let scenario = Scenario::new();
    scenario.write("a/one", "1\n");
    scenario.write("b/two", "2\n");
    scenario
        .run("echo x > a/one; echo y > b/two; rm -f b/none")
        .success();
    let pattern = scenario.path("a").join("**");
    scenario.undo(&["--path", pattern.to_str().expect("text")]);
    assert_eq!(scenario.read("a/one"), "1\n");
    assert_eq!(scenario.read("b/two"), "y\n");
    scenario.undo(&[&scenario.runs()[0]]);
    assert_eq!(scenario.read("b/two"), "2\n");
}

#[test]
fn an_undo_done_twice_does_nothing_more() {
    let scenario = Scenario::new();
    scenario.write("f", "1\n");
    scenario.run("echo 2 > f").success();
    let run = scenario.runs().pop().expect("a session");
    scenario.undo(&[&run]);
    let after = scenario.manifest();
    let again = Outcome::of(scenario.rescind(&["undo", "--yes"]).arg(&run));
    assert_eq!(again.code(), 0, "{}", again.said());
    after.assert_same(&scenario.manifest(), "the second undo");
}
