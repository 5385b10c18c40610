//! Recorded payloads of every client, and what is said back.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests: a failed assumption ends them"
)]

use rescind_hooks::{Act, Answer, Call, Client, PayloadError, Phase};
use serde_json::Value;
use std::path::Path;

fn fixture(name: &str) -> (Client, Vec<u8>) {
    let client = Client::of_name(name.split('.').next().unwrap()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(format!("{name}.json"));
    (client, std::fs::read(path).unwrap())
}

fn call(name: &str) -> Call {
    let (client, bytes) = fixture(name);
    Call::read(client, &bytes).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_shell_call_is_known_whoever_tells_of_it() {
    for name in [
        "claude-code.bash",
        "codex.bash",
        "gemini.shell",
        "cursor.shell",
        "cline.command",
    ] {
        let call = call(name);
        let command = "rm -rf build".to_owned();
        assert_eq!(
            (call.phase, &call.act),
            (Phase::Before, &Act::Shell { command }),
            "{name}"
        );
        assert_eq!(call.session, "s", "{name}");
    }
    let claude = call("claude-code.bash");
    assert_eq!(
        (claude.subagent.as_deref(), claude.subagent_kind.as_deref()),
        (Some("a1"), Some("Explore"))
    );
    assert_eq!(
        (claude.turn.as_deref(), claude.description()),
        (Some("p1"), Some("Remove build output"))
    );
    assert_eq!(call("cursor.shell").cwd, Path::new("/w/x"));
}

#[test]
fn an_edit_names_its_files_whoever_tells_of_it() {
    for (name, phase, files) in [
        ("claude-code.write", Phase::Before, &["/w/a b"][..]),
        ("claude-code.edit-failed", Phase::Failed, &["/w/a"]),
        ("claude-code.notebook", Phase::After, &["/w/n.ipynb"]),
        ("codex.patch", Phase::Before, &["/w/a.txt", "/w/new/b.txt"]),
        ("gemini.replace-failed", Phase::Failed, &["/w/a"]),
        ("cursor.write", Phase::Before, &["/w/a.txt"]),
        ("cline.write-done", Phase::After, &["/w/a.txt"]),
    ] {
        let call = call(name);
        let found = call.act.files(&call.cwd);
        assert_eq!(
            (
                call.phase,
                found
                    .iter()
                    .map(|file| file.to_str().unwrap())
                    .collect::<Vec<_>>()
            ),
            (phase, files.to_vec()),
            "{name}"
        );
    }
}

#[test]
fn what_is_no_command_and_no_edit_is_left_alone() {
    for name in ["claude-code.mcp", "cursor.shell-twice"] {
        assert_eq!(call(name).act, Act::Other, "{name}");
    }
    assert_eq!(call("claude-code.stop").phase, Phase::TurnEnd);
}

#[test]
fn a_call_has_one_key_before_and_after_and_another_for_each_agent() {
    let (client, bytes) = fixture("claude-code.write");
    let text = String::from_utf8(bytes).unwrap();
    let key = |text: &str| Call::read(client, text.as_bytes()).unwrap().key();
    let own = key(&text);
    assert_eq!(own, key(&text.replace("PreToolUse", "PostToolUse")));
    assert_ne!(own, key(&text.replace("toolu_2", "toolu_9")));
    let sub = text.replacen('{', "{\"agent_id\":\"x\",", 1);
    assert_ne!(own.split('-').next(), key(&sub).split('-').next());
}

#[test]
fn another_command_is_given_as_each_client_wants_it() {
    let answer = Answer::Run {
        command: "new".to_owned(),
    };
    let specific = |name: &str| {
        let call = call(name);
        let reply = answer.reply(call.client, Some(&call));
        assert_eq!((reply.code, reply.stderr.as_str()), (0, ""), "{name}");
        json(&reply.stdout)["hookSpecificOutput"].clone()
    };
    let claude = specific("claude-code.bash");
    assert_eq!(claude["updatedInput"]["command"], "new");
    assert_eq!(
        claude["updatedInput"]["timeout"], 1000,
        "the rest of the input stays"
    );
    assert_eq!(
        claude.get("permissionDecision"),
        None,
        "the user's own rules still apply"
    );
    let codex = specific("codex.bash");
    assert_eq!(
        (&codex["permissionDecision"], &codex["updatedInput"]["command"]),
        (&"allow".into(), &"new".into())
    );
    assert_eq!(
        specific("gemini.shell")["tool_input"],
        serde_json::json!({"command": "new"})
    );
    // Who takes none must not be told that it runs.
    for name in ["cursor.shell", "cline.command"] {
        let call = call(name);
        let reply = answer.reply(call.client, Some(&call));
        assert!(
            reply.stdout.contains("deny") || reply.stdout.contains("\"cancel\":true"),
            "{name}"
        );
    }
}

#[test]
fn a_no_is_a_no_in_every_protocol() {
    for client in Client::ALL {
        for call in [
            None,
            Some(call("claude-code.bash")).map(|call| Call { client, ..call }),
        ] {
            for why in ["because", ""] {
                let reply = Answer::Deny { why: why.to_owned() }.reply(client, call.as_ref());
                if client == Client::Cline {
                    assert_eq!(
                        (reply.code, &json(&reply.stdout)["cancel"]),
                        (0, &Value::Bool(true))
                    );
                } else {
                    assert_eq!(reply.code, 2);
                    assert!(
                        !reply.stderr.trim().is_empty(),
                        "codex lets through what has no text"
                    );
                }
            }
        }
    }
}

#[test]
fn who_can_not_ask_says_no() {
    for (name, asks) in [
        ("claude-code.bash", true),
        ("codex.bash", false),
        ("gemini.shell", false),
        ("cursor.shell", true),
        ("cline.command", false),
    ] {
        let call = call(name);
        let reply = Answer::Ask { why: "w".to_owned() }.reply(call.client, Some(&call));
        assert_eq!(reply.stdout.contains("\"ask\""), asks, "{name}");
        assert_eq!(
            reply.code == 2 || reply.stdout.contains("\"cancel\":true"),
            !asks,
            "{name}"
        );
    }
}

#[test]
fn what_is_malformed_is_an_error_and_never_a_call() {
    for client in Client::ALL {
        for bytes in [
            &b""[..],
            b"null",
            b"[]",
            b"{}",
            b"{\"hook_event_name\":",
            b"\xff\xfe",
            b"\"text\"",
            b"{\"hookName\":1}",
        ] {
            assert!(Call::read(client, bytes).is_err(), "{client:?} {bytes:?}");
        }
        let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(matches!(
            Call::read(client, deep.as_bytes()),
            Err(PayloadError::NotJson { .. })
        ));
    }
    // Every field that is promised and is not there, or is of another kind.
    for name in [
        "claude-code.bash",
        "codex.patch",
        "gemini.shell",
        "cursor.shell",
        "cline.command",
    ] {
        let (client, bytes) = fixture(name);
        let whole: Value = serde_json::from_slice(&bytes).unwrap();
        for field in [
            "hook_event_name",
            "hookName",
            "tool_name",
            "tool_input",
            "session_id",
            "cwd",
            "command",
            "conversation_id",
            "taskId",
            "preToolUse",
        ] {
            let mut cut = whole.clone();
            let had = cut.as_object_mut().unwrap().remove(field).is_some();
            if had && !(client == Client::Cursor && field == "cwd") {
                assert!(
                    Call::read(client, cut.to_string().as_bytes()).is_err(),
                    "{name} without {field}"
                );
                cut[field] = Value::from(7);
                assert!(
                    Call::read(client, cut.to_string().as_bytes()).is_err(),
                    "{name} with a number as {field}"
                );
            }
        }
    }
    let (client, bytes) = fixture("claude-code.write");
    let nameless = String::from_utf8(bytes).unwrap().replace("file_path", "other");
    assert!(matches!(
        Call::read(client, nameless.as_bytes()),
        Err(PayloadError::NoFile { .. })
    ));
}

#[test]
fn a_huge_payload_is_read() {
    let (client, bytes) = fixture("claude-code.write");
    let huge = String::from_utf8(bytes)
        .unwrap()
        .replace("\"x\"", &format!("\"{}\"", "x".repeat(20 << 20)));
    let call = Call::read(client, huge.as_bytes()).unwrap();
    assert_eq!(call.act.files(&call.cwd), [Path::new("/w/a b")]);
}
