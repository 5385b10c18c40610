use super::{installed, removed};
use crate::Client;
use serde_json::Value;

const PROGRAM: &str = "/opt/a b/rescind";

/// Settings as people have them, each with whether a trip there and back leaves every byte.
const TEXTS: [&str; 9] = [
    "{}\n",
    "{\n  \"model\": \"x\"\n}\n",
    "{\"a\":1,\"hooks\":{\"PreToolUse\":[{\"matcher\":\"Bash\",\"hooks\":[{\"type\":\"command\",\"command\":\"mine\"}]}]}}",
    "{\n\t\"a\": [1, 2], // kept\n\t\"hooks\": {\n\t\t\"PreToolUse\": [\n\t\t\t{\"hooks\": [{\"command\": \"mine\"}]} // mine, too\n\t\t]\n\t}\n}\n",
    "/* mine */\n{\n    \"unknown\": {\"deep\": [null, true]},\n    \"b\": 1, // the last\n}\n",
    "{\n  \"b\": 1 /* said */\n}",
    "{\r\n  \"a\": \"\\u00e4\\n\"\r\n}\r\n",
    "{\n  // nothing yet\n  \"hooks\": {\n    \"Notification\": [],\n    \"BeforeTool\": [\n      {\"matcher\": \"x\", \"hooks\": []},\n    ],\n  },\n}\n",
    "{\"version\": 1, \"hooks\": {\"stop\": [{\"command\": \"say done\"}]}}\n",
];

#[test]
fn settings_come_back_byte_for_byte() {
    for client in Client::ALL {
        for text in TEXTS {
            let with = installed(client, PROGRAM, text).unwrap();
            if client == Client::Cline {
                continue;
            }
            assert!(with.contains("/opt/a b/rescind"), "{with}");
            assert_eq!(
                installed(client, PROGRAM, &with).unwrap(),
                with,
                "twice is once: {text}"
            );
            let moved = installed(client, "/usr/bin/rescind", &with).unwrap();
            assert!(!moved.contains("/opt"), "the old one is replaced");
            let back = removed(client, &with).unwrap();
            let expected = match (client, text) {
                (_, "{}\n") => "",
                (Client::Cursor, text) if !text.contains("version") => {
                    // The version that the format demands stays.
                    assert!(back.contains("\"version\": 1"));
                    continue;
                }
                (_, text) => text,
            };
            assert_eq!(back, expected, "{client:?}\n{with}");
        }
    }
}

#[test]
fn what_is_installed_is_what_the_client_documents() {
    let value = |client| -> Value {
        serde_json::from_str(&installed(client, "/usr/bin/rescind", "").unwrap()).unwrap()
    };
    let claude = value(Client::ClaudeCode);
    for event in ["PreToolUse", "PostToolUse", "PostToolUseFailure"] {
        let handler = &claude["hooks"][event][0]["hooks"][0];
        assert_eq!(handler["type"], "command");
        assert_eq!(handler["args"], serde_json::json!(["hook", "claude-code"]));
        assert_eq!(handler["onFailure"] == "block", event == "PreToolUse");
    }
    let codex = value(Client::Codex);
    assert_eq!(
        codex["hooks"]["PreToolUse"][0]["hooks"][0]["command"],
        "/usr/bin/rescind hook codex"
    );
    let gemini = value(Client::Gemini);
    assert_eq!(gemini["hooks"]["BeforeTool"][0]["hooks"][0]["timeout"], 120_000);
    let cursor = value(Client::Cursor);
    assert_eq!(cursor["version"], 1);
    assert_eq!(cursor["hooks"]["beforeShellExecution"][0]["failClosed"], true);
    assert_eq!(cursor["hooks"]["preToolUse"][0]["failClosed"], true);
}

#[test]
fn what_others_wrote_beside_us_stays() {
    let with = installed(Client::ClaudeCode, "/usr/bin/rescind", TEXTS[1]).unwrap();
    // Somebody adds a handler of theirs to our group: the group is not ours alone any more.
    let theirs = with.replacen(
        "\"hooks\": [\n",
        "\"hooks\": [\n{\"type\": \"command\", \"command\": \"theirs\"},\n",
        1,
    );
    let back = removed(Client::ClaudeCode, &theirs).unwrap();
    assert!(
        back.contains("theirs") && !back.contains("PostToolUse\""),
        "{back}"
    );
    let other =
        r#"{"hooks": {"PreToolUse": [{"hooks": [{"command": "/usr/bin/rescinder hook claude-code"}]}]}}"#;
    assert_eq!(removed(Client::ClaudeCode, other).unwrap(), other);
}

#[test]
fn what_is_no_settings_is_not_touched() {
    for text in [
        "[]",
        "{",
        "{\"a\": }",
        "{\"hooks\": []}",
        "{\"hooks\": {\"PreToolUse\": {}}}",
        "nonsense",
        "{} {}",
    ] {
        assert!(installed(Client::ClaudeCode, PROGRAM, text).is_err(), "{text}");
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(installed(Client::Gemini, PROGRAM, &deep).is_err());
}
