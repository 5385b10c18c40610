//! What stands at the end of a client's transcript: what the agent was asked, what it said last, what it saw last.
//!
//! Claude Code writes a line of JSON for each message (`type` user or assistant, `message.content`), Codex one for each item
//! (`payload.type` message, `payload.role`). What is not understood is skipped: it is the agent's word, and no evidence.

use serde_json::Value;

/// What a transcript tells of the reasons for a call.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// What the agent was asked last.
    pub asked: Option<String>,
    /// What it said since.
    pub said: Option<String>,
    /// What it saw last: the end of a tool's result.
    pub saw: Option<String>,
}

/// How many characters of each are taken.
const MOST: usize = 1_000;

/// Read the last part of a transcript; its first line may be cut.
#[must_use]
pub fn told(end: &[u8]) -> Told {
    let mut told = Told::default();
    for line in end.split(|byte| *byte == b'\n') {
        let Ok(value) = serde_json::from_slice::<Value>(line) else {
            continue;
        };
        let message = value
            .get("message")
            .or_else(|| value.get("payload"))
            .unwrap_or(&value);
        let role = message.get("role").and_then(Value::as_str);
        let content = message.get("content");
        match role {
            Some("user") => user(&mut told, content),
            Some("assistant") => {
                if let Some(text) = texts(content, &["text", "output_text"]) {
                    told.said = Some(text);
                }
            }
            _ => {
                if let Some(output) = message.get("output").and_then(Value::as_str) {
                    told.saw = cut(output);
                }
            }
        }
    }
    told
}

/// A message of the user: a question, or what a tool gave back.
fn user(told: &mut Told, content: Option<&Value>) {
    if let Some(text) = texts(content, &["text", "input_text"]) {
        *told = Told {
            asked: Some(text),
            ..Told::default()
        };
    }
    let parts = content.and_then(Value::as_array).into_iter().flatten();
    for part in parts.filter(|part| part.get("type").and_then(Value::as_str) == Some("tool_result")) {
        told.saw = texts(part.get("content"), &["text"]).or(told.saw.take());
    }
}

/// The text of a content: itself, or its parts of these types.
fn texts(content: Option<&Value>, types: &[&str]) -> Option<String> {
    match content? {
        Value::String(text) => cut(text),
        Value::Array(parts) => {
            let of_type = |part: &&Value| {
                let kind = part.get("type").and_then(Value::as_str);
                kind.is_some_and(|kind| types.contains(&kind))
            };
            let texts = parts.iter().filter(of_type);
            let texts = texts.filter_map(|part| part.get("text").and_then(Value::as_str));
            cut(&texts.collect::<Vec<_>>().join("\n"))
        }
        _ => None,
    }
}

fn cut(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.chars().take(MOST).collect())
}

impl Told {
    /// As one text for the record; `does` is what the call itself says it is for. `None`: nothing is known.
    #[must_use]
    pub fn reason(&self, does: Option<&str>) -> Option<String> {
        let does = does.and_then(cut);
        let parts = [
            ("asked", self.asked.as_ref()),
            ("saw", self.saw.as_ref()),
            ("said", self.said.as_ref()),
            ("does", does.as_ref()),
        ];
        let lines = parts
            .iter()
            .filter_map(|(name, text)| Some(format!("{name}: {}", (*text)?)));
        let text = lines.collect::<Vec<_>>().join("\n");
        (!text.is_empty()).then_some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_claude_transcript_tells_what_was_asked_said_and_seen_last() {
        let lines = [
            r#"cut off","role":"user"}"#,
            r#"{"type":"user","message":{"role":"user","content":"older"}}"#,
            r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"old words"}]}}"#,
            r#"{"type":"user","message":{"role":"user","content":"clean up"}}"#,
            r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"thinking","thinking":"t"},{"type":"text","text":"I look first"},{"type":"tool_use","id":"t","name":"Bash","input":{}}]}}"#,
            r#"{"type":"user","message":{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a b c"}]}]}}"#,
            r#"{"type":"assistant","message":{"role":"assistant","content":[{"type":"text","text":"Now I remove it"}]}}"#,
            "{broken",
        ];
        let told = told(lines.join("\n").as_bytes());
        assert_eq!(
            told.reason(Some("Remove build output")).unwrap(),
            "asked: clean up\nsaw: a b c\nsaid: Now I remove it\ndoes: Remove build output"
        );
    }

    #[test]
    fn a_codex_rollout_tells_the_same() {
        let lines = [
            r#"{"timestamp":"t","type":"response_item","payload":{"type":"message","role":"user","content":[{"type":"input_text","text":"tidy"}]}}"#,
            r#"{"type":"response_item","payload":{"type":"message","role":"assistant","content":[{"type":"output_text","text":"On it"}]}}"#,
            r#"{"type":"response_item","payload":{"type":"function_call_output","call_id":"c","output":"seen"}}"#,
        ];
        let told = told(lines.join("\n").as_bytes());
        assert_eq!(told.reason(None).unwrap(), "asked: tidy\nsaw: seen\nsaid: On it");
    }

    #[test]
    fn of_no_transcript_nothing_is_told() {
        assert_eq!(told(b"\xff\xfe\n[]\n12\n{}").reason(None), None);
        assert_eq!(told(b"").reason(Some("  ")), None);
    }
}
