use super::{Answer, CommandError, Own, run};
use crate::programs::Trusted;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A shell script as a program of rescind's own.
struct Script {
    folder: tempfile::TempDir,
    words: Vec<String>,
    environment: Vec<(OsString, OsString)>,
    input: Vec<u8>,
    within: Duration,
}

impl Script {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tool");
        std::fs::write(&file, format!("#!/bin/sh\n{text}\n")).expect("a script");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        Self {
            folder,
            words: vec!["tool".to_owned()],
            environment: Vec::new(),
            input: Vec::new(),
            within: Duration::from_secs(20),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self) -> Result<Answer, CommandError> {
        let program = self.path("tool");
        run(&Own {
            program: &program,
            executable: Trusted::new("/usr/bin:/bin", None).executable(&program),
            argv: &self.words,
            input: self.input.clone(),
            environment: self.environment.clone(),
            cwd: self.folder.path(),
            within: self.within,
            writes: false,
        })
    }

    fn says(&self) -> String {
        let answer = self.run().expect("an answer");
        assert_eq!(answer.code, 0, "{}", answer.complaint);
        String::from_utf8(answer.output).expect("text")
    }
}

#[test]
fn words_stay_words_and_input_environment_and_folder_are_those_given() {
    let mut script = Script::new("read line; echo \"$#|$1|$KEY|$line|$HOME\"; pwd");
    script.words.push("web; rm -rf / $(id) `id` --flag\nx".to_owned());
    script.environment.push(("KEY".into(), "k".into()));
    script.input = b"given\n".to_vec();
    let folder = script.folder.path().canonicalize().expect("a folder");
    assert_eq!(
        script.says(),
        format!(
            "1|web; rm -rf / $(id) `id` --flag\nx|k|given|\n{}\n",
            folder.display()
        )
    );
}

#[test]
fn no_file_can_be_changed_in_any_way() {
    let attempts = [
        ("> new", "new"),
        (">> there", "there"),
        (": > there", "there"),
        ("> /tmp/rescind-outside-$$", "outside"),
    ];
    for (attempt, name) in attempts {
        let script = Script::new(&format!("({attempt}) 2> /dev/null && echo done || echo refused"));
        std::fs::write(script.path("there"), "as it was").expect("a file");
        assert_eq!(script.says(), "refused\n", "{attempt}");
        assert_eq!(
            std::fs::read_to_string(script.path("there")).expect("a file"),
            "as it was",
            "{attempt}"
        );
        assert!(name == "there" || !script.path(name).exists(), "{attempt}");
    }
}

#[test]
fn no_other_program_can_be_started_not_even_one_that_the_agent_has_put_there() {
    let script =
        Script::new("(/usr/bin/id) 2> /dev/null && echo ran; (./planted) 2> /dev/null && echo ran; echo end");
    std::fs::write(script.path("planted"), "#!/bin/sh\necho planted\n").expect("a script");
    std::fs::set_permissions(script.path("planted"), std::fs::Permissions::from_mode(0o755)).expect("chmod");
    assert_eq!(script.says(), "end\n");
}

#[test]
fn nobody_outside_can_be_signalled() {
    if rescind_sys::landlock_abi() < 6 {
        eprintln!("NOT SHOWN: this kernel's Landlock knows nothing of signals");
        return;
    }
    let mut other = std::process::Command::new("sleep")
        .arg("60")
        .spawn()
        .expect("a process");
    let script = Script::new(&format!(
        "kill -9 {} 2> /dev/null && echo done || echo refused",
        other.id()
    ));
    let said = script.says();
    let lives = other.try_wait().expect("a child").is_none();
    other.kill().expect("ours");
    other.wait().expect("ours");
    assert_eq!((said.as_str(), lives), ("refused\n", true));
}

#[test]
fn what_takes_too_long_is_ended_with_all_that_it_started() {
    let mut script = Script::new("echo $$; while :; do :; done");
    script.within = Duration::from_millis(300);
    let began = Instant::now();
    assert!(matches!(script.run(), Err(CommandError::TooLong { .. })));
    assert!(began.elapsed() < Duration::from_secs(15), "it was waited for");
    // One that has closed its outputs and goes on is waited for no longer.
    let mut silent = Script::new("exec > /dev/null 2>&1; while :; do :; done");
    silent.within = Duration::from_millis(300);
    assert!(matches!(silent.run(), Err(CommandError::TooLong { .. })));
}

#[test]
fn more_than_can_be_kept_is_refused_and_what_it_complains_of_is_cut() {
    let script = Script::new(
        "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789; done",
    );
    assert!(matches!(script.run(), Err(CommandError::TooMuch)));
    let loud =
        Script::new("i=0; while [ $i -lt 5000 ]; do echo complaint-number-$i >&2; i=$((i+1)); done; exit 3");
    let answer = loud.run().expect("an answer");
    assert_eq!(answer.code, 3);
    assert!(answer.complaint.starts_with("complaint-number-0") && answer.complaint.len() <= 16 << 10);
}

#[test]
fn what_is_not_there_or_no_program_was_never_started() {
    let script = Script::new("echo x");
    std::fs::remove_file(script.path("tool")).expect("a file");
    assert!(matches!(script.run(), Err(CommandError::NotStarted { .. })));
    let nul = Script::new("echo x");
    let program = nul.path("tool");
    let refused = run(&Own {
        program: &program,
        executable: vec![program.clone()],
        argv: &["tool".to_owned(), "a\0b".to_owned()],
        input: Vec::new(),
        environment: Vec::new(),
        cwd: Path::new("/"),
        within: Duration::from_secs(5),
        writes: false,
    });
    assert!(matches!(refused, Err(CommandError::NotStarted { .. })));
}

#[test]
fn the_calling_thread_stays_free() {
    let script = Script::new("echo x");
    script.says();
    std::fs::write(script.path("after"), "x").expect("this thread can still write");
}
