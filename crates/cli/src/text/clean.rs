//! What came from an agent must not steer a terminal: control characters are shown, never sent.

use rescind_model::is_hidden;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use std::fmt::Write as _;
use std::io;

/// Whether a character could steer a terminal or deceive who reads.
fn steers(character: char) -> bool {
    character.is_control() || is_hidden(character)
}

/// One line: every control character as an escape.
#[must_use]
pub fn clean(text: &str) -> String {
    cleaned(text, &[])
}

/// Lines: as [`clean`], with line ends and tabs left.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    cleaned(text, &['\n', '\t'])
}

fn cleaned(text: &str, but: &[char]) -> String {
    let mut clean = String::with_capacity(text.len());
    for character in text.chars() {
        if !steers(character) || but.contains(&character) {
            clean.push(character);
            continue;
        }
        let _infallible = match character {
            '\n' => write!(clean, "\\n"),
            '\r' => write!(clean, "\\r"),
            '\t' => write!(clean, "\\t"),
            other if u32::from(other) < 0x100 => write!(clean, "\\x{:02x}", u32::from(other)),
            other => write!(clean, "\\u{{{:x}}}", u32::from(other)),
        };
    }
    clean
}

/// JSON in which no character steers a terminal: they are `\u` escapes, so that the value is the same.
#[must_use]
pub fn json_text(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut bytes, Plain(CompactFormatter));
    if serde::Serialize::serialize(value, &mut serializer).is_err() {
        return "null".to_owned();
    }
    String::from_utf8(bytes).unwrap_or_default()
}

struct Plain(CompactFormatter);

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        if !text.chars().any(steers) {
            return self.0.write_string_fragment(writer, text);
        }
        for character in text.chars() {
            if steers(character) {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                write!(writer, "{character}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{clean, clean_lines, json_text};
    use serde_json::{Value, json};

    const HOSTILE: &str = "a\u{1b}]0;owned\u{7}b\u{9b}2Jc\u{202e}d\re\u{7f}\u{feff}\u{200b}\u{e0041}";

    #[test]
    fn nothing_that_steers_a_terminal_gets_through() {
        assert_eq!(
            clean(HOSTILE),
            "a\\x1b]0;owned\\x07b\\x9b2Jc\\u{202e}d\\re\\x7f\\u{feff}\\u{200b}\\u{e0041}"
        );
        assert_eq!(clean("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(clean_lines("a\nb\tc\r"), "a\nb\tc\\r");
    }

    #[test]
    fn json_means_the_same_and_steers_nothing() {
        let value = json!({"a": HOSTILE, "ü": [1, null, true]});
        let text = json_text(&value);
        assert!(!text.chars().any(super::steers), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
