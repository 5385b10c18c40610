//! What a session may do, from its command line: refused before it happens, said to the agent, and on record.

use rescind_scenarios::{Outcome, Scenario, proved};
use std::fs;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;

fn with(options: &[&str]) -> Scenario {
    let mut scenario = Scenario::new();
    scenario.options = options.iter().map(|&word| word.to_owned()).collect();
    scenario
}

/// A script, by Python, of which nothing is known beforehand.
fn python(scenario: &Scenario, script: &str) -> Outcome {
    Outcome::of(&mut scenario.supervised(["python3", "-c", script]))
}

/// That this was said in the session's refusals, on record.
#[track_caller]
fn assert_on_record(scenario: &Scenario, said: &str) {
    let session = scenario.runs().pop().expect("a session");
    let log = scenario.log(&[&session, "--tree"]);
    assert!(
        log.iter()
            .any(|node| node["coverage_gaps"].to_string().contains(said)),
        "`{said}` is not on record: {log:#?}"
    );
    scenario.verify();
}

#[test]
fn a_read_only_session_is_refused_its_first_write_and_told_why() {
    let scenario = with(&["--read-only"]);
    scenario.write("kept", "as it was\n");
    let before = scenario.manifest();
    let script = "
import errno, sys
try:
    open('kept', 'w').write('changed')
except OSError as error:
    assert error.errno == errno.EROFS, error
    sys.exit(7)
";
    let outcome = python(&scenario, script).exits(7);
    before.assert_same(&scenario.manifest(), "a read-only session");
    let said = outcome.err();
    let path = scenario.path("kept");
    assert!(
        said.contains("rescind: refused (") && said.contains("this session is read-only: it may not write `"),
        "{said}"
    );
    assert!(
        said.contains("kept`") && said.contains("rescind run --may write:files:"),
        "{said}"
    );
    assert!(said.contains("  refused: "), "the summary is silent: {said}");
    assert!(path.exists());
    assert_on_record(&scenario, "this session is read-only");
    proved(
        "judgement",
        "a read-only session is refused its first write, with an error that says so",
    );
}

#[test]
fn a_read_only_session_is_refused_every_kind_of_change_by_every_kind_of_program() {
    let scenario = with(&["--read-only"]);
    scenario.write("file", "x\n");
    scenario.write("folder/in", "y\n");
    scenario.bare("ln -s file link");
    let before = scenario.manifest();
    for change in [
        "echo z > file",
        "echo z >> file",
        "echo z > new",
        "rm file",
        "rm -rf folder",
        "mv file moved",
        "mv folder moved",
        "cp file copy",
        "ln file second",
        "ln -s file third",
        "mkdir made",
        "rmdir folder",
        "chmod 600 file",
        "chmod 700 folder",
        "touch file",
        "touch -d @1 link -h",
        "truncate -s 0 file",
        "mkfifo pipe",
        "python3 -c \"import os; os.chmod('file', 0o600)\"",
        "python3 -c \"import os; os.utime('file')\"",
        "python3 -c \"import os; os.setxattr('file', 'user.x', b'y')\"",
        "python3 -c \"import os; os.fchmod(os.open('file', 0), 0o600)\"",
        "python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('socket')\"",
        "python3 -c \"import os; os.open('.', os.O_TMPFILE | os.O_RDWR)\"",
        "python3 -c \"import os; os.open('/proc/self/root' + os.path.abspath('file'), os.O_WRONLY)\"",
        "python3 -c \"import os; os.open('/dev/shm/rescind-bounds', os.O_WRONLY | os.O_CREAT)\"",
        "git init -q .",
        "sed -i s/x/z/ file",
        "tar cf all.tar file",
        "sh -c 'exec 3>file'",
    ] {
        let outcome = scenario.run(&format!("{change}; code=$?; true; exit $code"));
        assert_ne!(
            outcome.code(),
            0,
            "`{change}` was not refused\n{}",
            outcome.said()
        );
        assert!(
            outcome.err().contains("rescind: refused") || outcome.err().contains("rescind: denied"),
            "{change}: {}",
            outcome.said()
        );
        before.assert_same(&scenario.manifest(), change);
    }
    assert!(!Path::new("/dev/shm/rescind-bounds").exists());
}

#[test]
fn a_read_only_session_reads_and_writes_what_keeps_nothing() {
    let scenario = with(&["--read-only"]);
    scenario.write("file", "text\n");
    let script = "
set -e
cat file | tr a-z A-Z
echo gone > /dev/null; echo gone 2>/dev/null >/dev/stdout
echo to-error > /dev/stderr
echo named > /proc/self/comm
python3 -c \"open('/proc/self/oom_score_adj', 'w').write('500'); print('python', open('file').read())\"
cat <<END
here
END
";
    let outcome = scenario.run(script).success();
    assert!(
        outcome.out().contains("TEXT") && outcome.out().contains("python text"),
        "{}",
        outcome.out()
    );
    assert!(outcome.err().contains("to-error"), "{}", outcome.err());
    assert!(!outcome.err().contains("refused"), "{}", outcome.err());
}

#[test]
fn output_that_goes_to_a_file_goes_on_in_a_read_only_session() {
    let scenario = with(&["--read-only"]);
    let out = scenario.scratch().join("out");
    let mut command = scenario.supervised(["sh", "-c", "echo one; echo two >> /dev/stdout; echo three >&2"]);
    let status = command
        .stdout(
            fs::File::options()
                .create(true)
                .append(true)
                .open(&out)
                .expect("a file"),
        )
        .status()
        .expect("a run");
    assert!(status.success());
    assert_eq!(fs::read_to_string(&out).expect("output"), "one\ntwo\n");
}

#[test]
fn what_a_session_may_do_is_by_operation_and_target() {
    let scenario = with(&["--may", "write:files:site", "--may", "delete:files:**/*.tmp"]);
    scenario.write("site/page", "a\n");
    scenario.write("site/x.tmp", "a\n");
    scenario.write("other", "a\n");
    let all = "
import os
def tried(change):
    try:
        change()
        return 'done'
    except PermissionError:
        return 'refused'
print(tried(lambda: open('site/page', 'w').write('b')),
      tried(lambda: open('site/new', 'w').write('b')),
      tried(lambda: open('other', 'w').write('b')),
      tried(lambda: os.unlink('site/page')),
      tried(lambda: os.unlink('site/x.tmp')),
      tried(lambda: os.rename('site/new', 'elsewhere')),
      tried(lambda: os.rename('site/new', 'site/newer')))
";
    let outcome = python(&scenario, all).success();
    assert_eq!(
        outcome.out(),
        "done done refused refused done refused done\n",
        "{}",
        outcome.err()
    );
    assert!(
        outcome.err().contains("this session may not delete `"),
        "{}",
        outcome.err()
    );
    assert_eq!(scenario.read("other"), "a\n");
    assert_on_record(&scenario, "this session may not write");
    scenario.undo(&[]);
    assert_eq!(scenario.read("site/page"), "a\n");
}

/// What understood commands write is looked at change by change, and not taken from their words.
#[test]
fn ordinary_tools_work_where_a_session_may_write() {
    let scenario = with(&["--may", "write", "--may", "delete:files:site"]);
    let scenario_files = with(&["--may", "write:files:site", "--may", "delete:files:site"]);
    for scenario in [scenario, scenario_files] {
        scenario.write("other", "a\n");
        scenario.write("site/a", "a\n");
        let script = "set -e; cp other site/copy; cp -p other site/exact; sed -i s/a/b/ site/a; mv site/copy site/moved; rm site/moved; \
                      mkdir site/deep; cd site; git init -q .; git add -A; git commit -qm one; tar cf all.tar a; make --version >/dev/null; \
                      python3 -c 'open(\"made\", \"w\")'; tar xf all.tar; ln -s a link; touch a";
        let outcome = scenario.run(script).success();
        assert!(
            !outcome.err().contains("refused") && !outcome.err().contains("denied"),
            "{}",
            outcome.err()
        );
        assert!(scenario.path("site/made").exists() && scenario.path("site/.git/HEAD").exists());
    }
}

/// A session that is only limited in time is not fenced in otherwise: a sandbox of its own can still mount.
#[test]
fn limits_in_time_and_number_change_nothing_else() {
    let scenario = with(&["--for", "1h", "--uses", "100"]);
    let script = "touch made; exec 7>>other; echo x >&7; bwrap --bind / / --dev /dev true && echo mounted || echo no namespaces";
    let free = Outcome::of(&mut Scenario::new().supervised(["sh", "-c", script])).success();
    let outcome = scenario.run(script).success();
    assert_eq!(outcome.out(), free.out(), "{}", outcome.err());
}

#[test]
fn after_its_uses_and_after_its_time_a_session_may_do_nothing_more() {
    let scenario = with(&["--uses", "2"]);
    let outcome = scenario.run("ls; ls; ls; echo end");
    assert_eq!(outcome.out(), "end\n", "{}", outcome.err());
    assert!(
        outcome
            .err()
            .contains("were for 2 actions, and all of them are used"),
        "{}",
        outcome.err()
    );
    let scenario = with(&["--for", "1s"]);
    let script = "
import os, time
open('early', 'w')
end = time.monotonic() + 30
while time.monotonic() < end:
    try:
        open('late', 'w').close()
        os.unlink('late')
    except PermissionError:
        raise SystemExit(9)
";
    let outcome = python(&scenario, script).exits(9);
    assert!(
        outcome.err().contains("the session's credentials ended at"),
        "{}",
        outcome.err()
    );
    assert!(scenario.path("early").exists());
}

#[test]
fn a_part_of_a_session_may_do_less_and_never_more() {
    let rescind = rescind_scenarios::rescind_binary();
    let rescind = rescind.display();
    let scenario = with(&["--may", "write:files:mine"]);
    scenario.write("mine/a", "a\n");
    scenario.write("other", "a\n");
    let before = scenario.manifest();
    for (narrowed, said) in [
        (
            format!("{rescind} run --read-only -- sh -c 'echo b > mine/a'"),
            "read-only",
        ),
        (
            format!("{rescind} exec --read-only -- sh -c 'echo b > mine/a'"),
            "read-only",
        ),
        // A subagent's own environment narrows, too, and what it starts can't widen it again.
        (
            "RESCIND_MAY=read sh -c 'RESCIND_MAY=write sh -c \"echo b > mine/a\"'".to_owned(),
            "read-only",
        ),
        (
            "RESCIND_MAY=read sh -c 'env -i /bin/sh -c \"echo b > mine/a\"'".to_owned(),
            "read-only",
        ),
        (
            "RESCIND_MAY=nonsense sh -c 'echo b > mine/a'".to_owned(),
            "refused",
        ),
        (
            format!("{rescind} run --may write -- sh -c 'echo b > other'"),
            "may not write",
        ),
        (
            format!("{rescind} run --write . -- sh -c 'echo b > other'"),
            "may not write",
        ),
        (
            format!("{rescind} run --may write:files:other -- sh -c 'echo b > other; echo b > mine/a'"),
            "may not write",
        ),
        (format!("{rescind} run --uses 3 -- true"), "can't be counted"),
    ] {
        let outcome = scenario.run(&format!("true; {narrowed}"));
        assert!(outcome.err().contains(said), "{narrowed}: {}", outcome.said());
        before.assert_same(&scenario.manifest(), &narrowed);
    }
    scenario
        .run(&format!(
            "true; {rescind} run --write mine -- sh -c 'echo b > mine/a'"
        ))
        .success();
    assert_eq!(scenario.read("mine/a"), "b\n");
}

#[test]
fn what_is_no_limit_starts_nothing() {
    let scenario = Scenario::new();
    for wrong in [
        vec!["--may", "fly"],
        vec!["--may", "write:disk"],
        vec!["--for", "0s"],
        vec!["--for", "soon"],
        vec!["--write", "/nowhere"],
        vec!["--read-only", "--may", "write"],
    ] {
        let mut command = scenario.rescind(&["run"]);
        let outcome = Outcome::of(command.args(&wrong).args(["--", "touch", "made"]));
        assert_ne!(outcome.code(), 0, "{wrong:?}");
        assert!(outcome.err().contains("error"), "{wrong:?}: {}", outcome.err());
        assert!(!scenario.path("made").exists(), "{wrong:?}");
    }
    assert!(scenario.runs().is_empty());
}

/// A place with one folder that may be written, and a program without a dynamic linker that writes.
fn fenced() -> Scenario {
    let scenario = with(&["--write", "mine"]);
    scenario.write("mine/file", "m\n");
    scenario.write("other/file", "o\n");
    scenario.bare("ln -s ../other mine/link; ln -s ../other/file mine/leaf");
    scenario
}

#[test]
fn outside_of_its_folders_a_session_writes_nothing() {
    let scenario = fenced();
    let before = scenario.manifest();
    for change in [
        "echo x > other/file",
        "echo x > other/new",
        "echo x > mine/leaf",
        "echo x > mine/link/new",
        "echo x > new",
        "mv mine/file other/",
        "mv mine/file out",
        "mv other/file mine/",
        "ln other/file mine/hard",
        "ln mine/file other/hard",
        "cp mine/file other/copy",
        "truncate -s 0 other/file",
        "rm other/file",
        "echo x > mine/../other/file",
        "echo x > /proc/self/root/$PWD/other/file",
        "echo x > /proc/self/cwd/other/file",
        "exec 3<other/file; echo x > /proc/self/fd/3",
        "mkdir other/folder",
        "chmod 600 other/file",
        "python3 -c \"import os; os.truncate('other/file', 0)\"",
        "python3 -c \"import os; os.rename('mine', 'taken')\"",
        "python3 -c \"import os; d = os.open('other', os.O_RDONLY); os.open('new', os.O_CREAT | os.O_WRONLY, dir_fd=d)\"",
    ] {
        let outcome = scenario.run(&format!("{change}; code=$?; true; exit $code"));
        assert_ne!(
            outcome.code(),
            0,
            "`{change}` was not refused\n{}",
            outcome.said()
        );
        before.assert_same(&scenario.manifest(), change);
    }
    let outcome = scenario.run("echo x > other/file");
    assert!(
        outcome
            .err()
            .contains("this session may change files only within `")
            && outcome.err().contains("--write DIR"),
        "{}",
        outcome.err()
    );
    assert_on_record(&scenario, "may change files only within");
    let inside = "echo y > mine/file; echo z > mine/new; mkdir mine/deep; mv mine/new mine/deep/; ln mine/file mine/hard; \
                  rm mine/leaf; : > /dev/null; python3 -c \"import pty, os; pty.openpty()\"";
    let before = scenario.manifest();
    let outcome = scenario.run(inside).success();
    assert!(!outcome.err().contains("refused"), "{}", outcome.err());
    before.assert_changed(&scenario.manifest(), inside);
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), inside);
    proved(
        "judgement",
        "--write DIR: nothing is written outside, by 22 routes",
    );
}

#[test]
fn a_descriptor_that_is_open_for_writing_starts_nothing() {
    let scenario = fenced();
    let file = fs::File::options()
        .append(true)
        .open(scenario.path("other/file"))
        .expect("a file");
    let number = file.as_raw_fd();
    let mut command = scenario.supervised(["sh", "-c", "echo x >&9"]);
    // SAFETY: dup2 is async-signal-safe, and the number is open.
    unsafe {
        command.pre_exec(move || {
            if libc::dup2(number, 9) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        });
    }
    let outcome = Outcome::of(&mut command).exits(125);
    assert!(
        outcome.err().contains("descriptor 9 is open for writing"),
        "{}",
        outcome.err()
    );
    assert_eq!(scenario.read("other/file"), "o\n");
}

#[test]
fn a_program_without_a_dynamic_linker_is_fenced_in_like_any_other() {
    let scenario = fenced();
    let source = scenario.scratch().join("write.c");
    fs::write(
        &source,
        "#include <fcntl.h>\n#include <unistd.h>\nint main(int c, char **v) { int f = open(v[1], O_WRONLY | O_CREAT, 0644); \
         return f < 0 || write(f, \"x\", 1) != 1; }\n",
    )
    .expect("a source");
    let program = scenario.scratch().join("write");
    let built = Command::new("cc")
        .args(["-static", "-o"])
        .arg(&program)
        .arg(&source)
        .status();
    assert!(built.expect("a C compiler").success());
    let run = |path: &str| Outcome::of(&mut scenario.supervised([program.to_str().expect("text"), path]));
    run("mine/new").success();
    run("other/new").exits(1);
    run("new").exits(1);
    assert!(!scenario.path("other/new").exists() && !scenario.path("new").exists());
}
