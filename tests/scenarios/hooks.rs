//! Hooks of coding agents: payloads through the real program, and a real client.

use rescind_scenarios::{Outcome, Scenario, kill, proved};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

fn hook(scenario: &Scenario, client: &str, payload: &[u8]) -> Outcome {
    let file = scenario.scratch().join("payload");
    std::fs::write(&file, payload).expect("a payload");
    let mut command = scenario.rescind(&["hook", client]);
    command.stdin(std::fs::File::open(&file).expect("the payload"));
    Outcome::of(&mut command)
}

fn claude(scenario: &Scenario, event: &str, tool: &str, input: Value) -> Outcome {
    let payload = json!({
        "session_id": "s", "cwd": scenario.tree(), "hook_event_name": event, "tool_name": tool,
        "tool_input": input, "tool_use_id": "toolu_1", "agent_id": "sub", "agent_type": "Explore",
    });
    hook(scenario, "claude-code", payload.to_string().as_bytes())
}

#[test]
fn a_file_edit_is_captured_and_undone_with_its_folders() {
    let scenario = Scenario::new();
    scenario.write("a.txt", "one\n");
    let before = scenario.manifest();
    for file in ["a.txt", "new/er/b.txt"] {
        let path = scenario.path(file);
        let input = json!({"file_path": path, "content": "two\n"});
        let pre = claude(&scenario, "PreToolUse", "Write", input.clone()).success();
        assert_eq!(pre.out(), "", "the user's own rules decide");
        scenario.write(file, "two\n");
        claude(&scenario, "PostToolUse", "Write", input).success();
    }
    for session in scenario.runs().iter().rev() {
        scenario.undo(&[session]);
    }
    before.assert_same(&scenario.manifest(), "both edits are undone");
    scenario.verify();
    proved(
        "hooks",
        "file edits of a client are captured at their hooks and undone",
    );
}

#[test]
fn what_a_client_may_do_is_in_a_file_and_a_subagent_may_do_less() {
    let scenario = Scenario::new();
    scenario.write("site/a", "one\n");
    scenario.write("other", "one\n");
    let config = scenario.scratch().join(".config/rescind");
    std::fs::create_dir_all(&config).expect("a folder");
    let say = |text: &str| std::fs::write(config.join("hooks.toml"), text).expect("a file");
    let edit = |name: &str, subagent: bool| {
        let mut payload = json!({
            "session_id": "s", "cwd": scenario.tree(), "hook_event_name": "PreToolUse", "tool_name": "Write",
            "tool_input": {"file_path": scenario.path(name), "content": "two"}, "tool_use_id": format!("toolu_{name}{subagent}"),
        });
        if subagent {
            payload["agent_id"] = "sub".into();
        }
        hook(&scenario, "claude-code", payload.to_string().as_bytes()).said()
    };
    let shell = |script: &str, subagent: bool| {
        let mut payload = json!({
            "session_id": "s", "cwd": scenario.tree(), "hook_event_name": "PreToolUse", "tool_name": "Bash",
            "tool_input": {"command": script}, "tool_use_id": "toolu_2",
        });
        if subagent {
            payload["agent_id"] = "sub".into();
        }
        let said = hook(&scenario, "claude-code", payload.to_string().as_bytes()).out();
        let said: Value = serde_json::from_str(&said).expect("an answer");
        let command = said["hookSpecificOutput"]["updatedInput"]["command"]
            .as_str()
            .expect("a command");
        Outcome::of(scenario.command("sh").args(["-c", command]))
    };
    say(&format!(
        "[all]\nmay = [\"write:files:{}\"]\n[claude-code.subagents]\nread_only = true\n",
        scenario.path("site").display()
    ));
    assert_eq!(edit("site/a", false), "");
    let refused = edit("other", false);
    assert!(refused.contains("may not write"), "{refused}");
    assert!(edit("site/a", true).contains("read-only"));
    shell("echo two > site/a", false).success();
    assert!(shell("echo two > other", false).err().contains("may not write"));
    assert!(shell("echo three > site/a", true).err().contains("read-only"));
    assert_eq!(
        (scenario.read("site/a"), scenario.read("other")),
        ("two\n".to_owned(), "one\n".to_owned())
    );
    // Shell calls can't change the file that says so.
    let path = config.join("hooks.toml");
    shell(
        &format!(
            "echo > {0}; rm {0}; mv {0} x; rm -rf {1}; mv {1} y",
            path.display(),
            config.display()
        ),
        false,
    );
    assert!(path.exists());
    // What can't be read permits nothing.
    say("[all]\nmay = \"everything\"\n");
    assert!(edit("site/a", false).contains("is not of its form"));
    assert_ne!(shell("echo four > site/a", false).code(), 0);
    assert_eq!(scenario.read("site/a"), "two\n");
}

#[test]
fn a_shell_call_runs_under_exec_and_is_undone() {
    let scenario = Scenario::new();
    scenario.write("a.txt", "one\n");
    let before = scenario.manifest();
    let input = json!({"command": "cd . && rm a.txt; echo 'it''s' > b; exit 3", "description": "Tidy up the key sk-ant-api03-AAAA"});
    let pre = claude(&scenario, "PreToolUse", "Bash", input).success();
    let said: Value = serde_json::from_slice(&pre.stdout).expect("an answer");
    let command = said["hookSpecificOutput"]["updatedInput"]["command"]
        .as_str()
        .expect("a command");
    let ran = Outcome::of(scenario.command("sh").args(["-c", command]));
    assert_eq!(ran.code(), 3, "{}", ran.said());
    assert_eq!(scenario.read("b"), "its\n");
    let log = scenario.log(&["--tree"]);
    let reason = |record: &&Value| {
        record["reasoning"]
            .as_str()
            .is_some_and(|text| text.contains("Tidy up"))
    };
    assert_eq!(
        log.iter().filter(reason).count(),
        1,
        "once, on the first action: {log:#?}"
    );
    assert_eq!(log[0]["agent"], "claude-code");
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "the command is undone");
    scenario.verify();
}

#[test]
fn exec_joins_a_session_and_its_reason_is_recorded_once() {
    let scenario = Scenario::new();
    let binary = rescind_scenarios::rescind_binary();
    let script = format!(
        "{} exec --reason 'make room' -- sh -c 'touch x; true'; true",
        binary.display()
    );
    scenario.run(&script).success();
    assert_eq!(scenario.runs().len(), 1);
    let log = scenario.log(&["--tree"]);
    let reasons: Vec<&str> = log
        .iter()
        .filter_map(|record| record["reasoning"].as_str())
        .collect();
    assert_eq!(reasons, ["make room"]);
}

#[test]
fn what_is_malformed_or_endless_is_refused_by_every_client() {
    let scenario = Scenario::new();
    let huge = vec![b'['; (64 << 20) + 2];
    for client in ["claude-code", "codex", "gemini", "cursor", "cline"] {
        for payload in [&b""[..], b"{", b"[]", b"{}", &huge] {
            let outcome = hook(&scenario, client, payload);
            let refused = outcome.code() == 2 && !outcome.err().trim().is_empty();
            let cancelled = client == "cline" && outcome.out().contains("\"cancel\":true");
            assert!(refused || cancelled, "{client}: {}", outcome.said());
        }
    }
}

#[test]
fn a_keeper_that_is_killed_leaves_the_edit_in_doubt_and_undoable() {
    let scenario = Scenario::new();
    scenario.write("a.txt", "one\n");
    let input = json!({"file_path": scenario.path("a.txt"), "content": "two\n"});
    claude(&scenario, "PreToolUse", "Write", input.clone()).success();
    let marks = std::fs::read_dir("/proc")
        .expect("proc")
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let environment = std::fs::read(entry.path().join("environ")).ok()?;
            let home = scenario.home().display().to_string().into_bytes();
            let ours =
                line.ends_with(b"hook\0keep\0") && environment.windows(home.len()).any(|part| part == home);
            ours.then_some(pid)
        });
    let keepers: Vec<i32> = marks.collect();
    assert_eq!(keepers.len(), 1);
    kill(keepers[0], libc::SIGKILL);
    scenario.write("a.txt", "two\n");
    let post = claude(&scenario, "PostToolUse", "Write", input).success();
    assert!(post.out().contains("not recorded"), "{}", post.said());
    scenario.undo(&["--on-conflict", "restore"]);
    assert_eq!(scenario.read("a.txt"), "one\n");
    scenario.verify();
}

#[test]
fn a_client_that_takes_no_other_command_is_told_what_is_judged() {
    let scenario = Scenario::new();
    let ask = |command: &str| {
        let payload = json!({
            "conversation_id": "s", "generation_id": "g", "hook_event_name": "beforeShellExecution",
            "workspace_roots": [scenario.tree()], "command": command, "cwd": scenario.tree(),
        });
        let outcome = hook(&scenario, "cursor", payload.to_string().as_bytes());
        let said: Value = serde_json::from_slice(&outcome.stdout).expect("an answer");
        said["permission"].as_str().expect("a permission").to_owned()
    };
    assert_eq!(ask("ls -l"), "allow");
    assert_ne!(ask("terraform destroy -auto-approve"), "allow");
    assert_eq!(scenario.runs().len(), 2, "both are on record");
    scenario.verify();
}

#[test]
fn an_agent_can_not_edit_what_watches_it() {
    let scenario = Scenario::new();
    scenario
        .tell(&["hook", "install", "claude-code", "--project"])
        .success();
    let settings = scenario.path(".claude/settings.json");
    let state = scenario.home().join("ledger/x");
    for file in [
        settings,
        state,
        scenario.scratch().join(".config/rescind/policies/x.cedar"),
    ] {
        let outcome = claude(
            &scenario,
            "PreToolUse",
            "Write",
            json!({"file_path": file, "content": ""}),
        );
        assert_eq!(outcome.code(), 2, "{}: {}", file.display(), outcome.said());
    }
    scenario
        .tell(&["hook", "install", "claude-code", "--project", "--remove"])
        .success();
    assert!(!scenario.path(".claude/settings.json").exists());
}

/// A client from the npm registry; `None`, said loudly, where it can't be had.
fn client(package: &str, program: &str) -> Option<PathBuf> {
    let name = package.rsplit('/').next()?;
    let folder = rescind_scenarios::rescind_binary()
        .parent()?
        .join("clients")
        .join(name);
    let program = folder.join("node_modules").join(program);
    if !program.is_file() {
        std::fs::create_dir_all(&folder).ok()?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", package])
            .current_dir(&folder);
        let installed = npm.output().is_ok_and(|output| output.status.success());
        if !installed || !program.is_file() {
            eprintln!(
                "SKIPPED: {package} can't be installed from the npm registry: its scenario did not run"
            );
            return None;
        }
    }
    Some(program)
}

/// A scripted model on loopback, ended with the value.
struct Model {
    process: std::process::Child,
    url: String,
}

impl Model {
    fn start(scenario: &Scenario, steps: &Value) -> Self {
        let script = scenario.scratch().join("steps.json");
        std::fs::write(&script, steps.to_string()).expect("a script");
        let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("clients/model.py");
        let mut command = Command::new("python3");
        command.arg(program).arg(&script).stdout(Stdio::piped());
        let mut process = command.spawn().expect("a model");
        let mut port = String::new();
        let output = process.stdout.take().expect("its output");
        BufReader::new(output).read_line(&mut port).expect("its port");
        let url = format!("http://127.0.0.1:{}", port.trim());
        Self { process, url }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _nothing_to_wait_for = self.process.wait();
    }
}

#[test]
fn a_real_claude_code_goes_wrong_and_is_undone() {
    let package = "@anthropic-ai/claude-code";
    let Some(client) = client(package, "@anthropic-ai/claude-code-linux-x64/claude") else {
        return;
    };
    let scenario = Scenario::new();
    scenario.write("data/precious.txt", "precious\n");
    scenario
        .tell(&["hook", "install", "claude-code", "--user"])
        .success();
    let before = scenario.manifest();
    let steps = json!([
        {"tool": "Bash", "input": {"command": "rm -rf data && echo gone", "description": "Tidy up"}},
        {"tool": "Write", "input": {"file_path": scenario.path("new/made.txt"), "content": "made\n"}},
        {"text": "All done."},
    ]);
    let model = Model::start(&scenario, &steps);
    let mut run = scenario.command(&client);
    run.args(["-p", "tidy up", "--permission-mode", "bypassPermissions"])
        .env("IS_SANDBOX", "1")
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .env("DISABLE_AUTOUPDATER", "1")
        .env("ANTHROPIC_BASE_URL", &model.url)
        .env("ANTHROPIC_API_KEY", "sk-ant-none");
    let outcome = Outcome::of(&mut run).success();
    assert!(outcome.out().contains("All done."), "{}", outcome.said());
    assert!(!scenario.path("data").exists() && scenario.path("new/made.txt").exists());
    let runs = scenario.runs();
    assert_eq!(runs.len(), 2, "{}", outcome.said());
    for session in runs.iter().rev() {
        scenario.undo(&[session]);
    }
    before.assert_same(&scenario.manifest(), "all that the client did is undone");
    scenario.verify();
    proved(
        "hooks",
        "a real Claude Code removes a folder and writes a file: captured, undone",
    );
}

#[test]
fn a_real_codex_goes_wrong_and_is_undone() {
    let Some(client) = client("@openai/codex", ".bin/codex") else {
        return;
    };
    let scenario = Scenario::new();
    scenario.write("data/precious.txt", "precious\n");
    scenario.tell(&["hook", "install", "codex", "--user"]).success();
    let before = scenario.manifest();
    let steps = json!([
        {"tool": "exec_command", "input": {"cmd": "rm -rf data"}},
        {"text": "All done."},
    ]);
    let model = Model::start(&scenario, &steps);
    let settings = format!(
        "model = \"m\"\nmodel_provider = \"local\"\n[model_providers.local]\nname = \"local\"\nbase_url = \
         \"{}/v1\"\nwire_api = \"responses\"\nenv_key = \"LOCAL_KEY\"\n",
        model.url
    );
    std::fs::write(scenario.scratch().join(".codex/config.toml"), settings).expect("settings");
    let mut run = scenario.command(&client);
    run.args([
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
    ])
    .args(["--dangerously-bypass-hook-trust", "tidy up"])
    .env("LOCAL_KEY", "none");
    let outcome = Outcome::of(&mut run).success();
    assert!(outcome.out().contains("All done."), "{}", outcome.said());
    assert!(!scenario.path("data").exists());
    assert_eq!(scenario.runs().len(), 1, "{}", outcome.said());
    scenario.undo(&[]);
    before.assert_same(&scenario.manifest(), "all that the client did is undone");
    scenario.verify();
    proved("hooks", "a real Codex removes a folder: captured, undone");
}

/// A command that a client runs is an action, not an agent: what it starts has no liberties, and its end and output are
/// the action's, also where a shell that is given one command becomes it.
#[test]
fn a_command_under_exec_is_one_action_with_its_end_and_output() {
    let scenario = Scenario::new();
    let exec = |command: &[&str]| {
        let mut line = vec!["exec", "--agent", "codex", "--"];
        line.extend(command);
        scenario.tell(&line)
    };
    let ran = exec(&[
        "bash",
        "-c",
        "python3 -c 'print(\"made\"); open(\"x\", \"w\"); exit(7)'",
    ]);
    assert_eq!(ran.code(), 7, "{}", ran.said());
    let log = scenario.log(&[]);
    assert_eq!(log.len(), 1, "{log:#?}");
    assert_eq!(log[0]["role"], "action");
    assert_eq!(log[0]["exit_code"], 7, "{:#}", log[0]);
    assert_eq!(log[0]["output"]["preview"], "made\n", "{:#}", log[0]);
    assert_eq!(log[0]["effects"], 2, "the file and its folder: {:#}", log[0]);
    let output = scenario.tell(&["show", "--output", log[0]["action_id"].as_str().expect("an id")]);
    assert_eq!(output.success().out(), "made\n");
}
