//! A real coding agent, driven by a scripted model, wrecks a repository with its own shell tool; all of it is undone.

use rescind_scenarios::{Outcome, Place, Scenario, Who, proved};
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

/// The model's end, on loopback; ended with the value.
struct Model {
    process: Child,
    port: String,
}

impl Model {
    fn start(scenario: &Scenario, commands: &[&str]) -> Self {
        let script = scenario.scratch().join("commands.json");
        fs::write(&script, json!(commands).to_string()).expect("a script");
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_scripted_model"));
        process.arg(&script).stdout(Stdio::piped()).stdin(Stdio::null());
        let mut process = process.spawn().expect("the model starts");
        let mut port = String::new();
        BufReader::new(process.stdout.take().expect("a pipe"))
            .read_line(&mut port)
            .expect("a port");
        Self {
            process,
            port: port.trim().to_owned(),
        }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _gone_already = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Where `cargo xtask` put the agent: `RESCIND_CLAUDE`, else below the target directory.
fn claude() -> Option<PathBuf> {
    let given = std::env::var_os("RESCIND_CLAUDE").map(PathBuf::from);
    let usual = std::env::current_exe()
        .ok()?
        .ancestors()
        .find(|dir| dir.ends_with("target"))?
        .join("agents/node_modules/.bin/claude");
    given.or(Some(usual)).filter(|path| path.exists())
}

const REPOSITORY: &str = "mkdir -p home/.config/rescind; git init -q -b main repo; cd repo; mkdir src; \
    for n in $(seq 20); do echo \"fn f$n() {}\" > src/f$n.rs; git add .; git commit -qm \"add $n\"; done; \
    git branch topic HEAD~4; git tag v1; echo 'TOKEN=x' > .env.local; echo .env.local > .git/info/exclude; \
    echo dirty >> src/f3.rs; echo new > src/untracked.rs; echo staged > staged; git add staged; git stash -q; \
    echo dirty again >> src/f4.rs; echo notes > notes.md";

const WRECK: [&str; 5] = [
    "echo 'all new' > src/f1.rs; sed -i s/fn/FN/ src/f2.rs; rm notes.md .env.local",
    "git reset --hard HEAD~6 && git clean -fdx",
    "rm -rf .git/refs .git/packed-refs .git/logs; git stash drop; true",
    "rm -rf src && mkdir src && echo 'rewritten from scratch' > src/main.rs",
    "find . -name '*.rs' -exec sh -c 'echo broken > \"$1\"' _ {} \\; ; python3 -c \"open('made.py','w').write('x')\"",
];

#[test]
fn claude_code_wrecks_a_repository_and_all_of_it_is_undone() {
    let Some(claude) = claude() else {
        eprintln!(
            "LEFT OUT: Claude Code is not installed; `cargo xtask test` installs it from npm where it can"
        );
        return;
    };
    let who = if Scenario::is_root() { Who::Nobody } else { Who::Me };
    let mut scenario = Scenario::at(Place::Disk, who);
    scenario.bare(REPOSITORY);
    let model = Model::start(&scenario, &WRECK);
    let home = scenario.path("home").display().to_string();
    for (name, value) in [
        ("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{}", model.port)),
        ("ANTHROPIC_API_KEY", "anything".to_owned()),
        ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()),
        ("DISABLE_AUTOUPDATER", "1".to_owned()),
        ("HOME", home),
    ] {
        scenario.environment.push((name.to_owned(), value));
    }
    let before = scenario.manifest();
    let mut command = scenario.supervised([claude.as_os_str()]);
    command
        .args(["-p", "tidy up this repository", "--dangerously-skip-permissions"])
        .current_dir(scenario.path("repo"));
    let outcome = Outcome::of(&mut command).success();
    assert!(outcome.out().contains("All tidy"), "{}", outcome.said());
    assert!(
        !scenario.path("repo/.git/refs").exists() && scenario.path("repo/src/main.rs").exists(),
        "nothing was wrecked"
    );
    before.assert_changed(&scenario.manifest(), "the agent");
    let log = scenario.log(&[&scenario.runs().pop().expect("a session")]);
    for part in ["git reset --hard", "rm -rf src", "rm -rf .git/refs"] {
        let found = log.iter().any(|action| {
            action["command"]
                .as_str()
                .is_some_and(|command| command.contains(part))
        });
        assert!(
            found,
            "`{part}` is not in the log: {:#?}",
            log.iter().map(|it| &it["command"]).collect::<Vec<_>>()
        );
    }
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "Claude Code");
    scenario.verify();
    proved(
        "3 real agent",
        format!(
            "Claude Code, {} shell commands, {} actions: {} paths identical",
            WRECK.len(),
            log.len(),
            before.len()
        ),
    );
}
