//! Command lines as a person would type them.

use std::fmt::Write as _;

/// One word, quoted for a POSIX shell; words with control characters in the `$'..'` form of bash and POSIX 2024.
#[must_use]
pub fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    if word.chars().any(char::is_control) {
        let mut quoted = String::from("$'");
        for character in word.chars() {
            let _infallible = match character {
                '\n' => write!(quoted, "\\n"),
                '\t' => write!(quoted, "\\t"),
                '\r' => write!(quoted, "\\r"),
                '\'' | '\\' => write!(quoted, "\\{character}"),
                other if other.is_control() && u32::from(other) < 0x80 => {
                    write!(quoted, "\\x{:02x}", u32::from(other))
                }
                other if other.is_control() => write!(quoted, "\\u{:04x}", u32::from(other)),
                other => write!(quoted, "{other}"),
            };
        }
        quoted.push('\'');
        return quoted;
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

/// A whole command line.
#[must_use]
pub fn command_line(argv: &[String]) -> String {
    argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{command_line, quote};

    #[test]
    fn words_are_quoted_only_where_a_shell_would_change_them() {
        for plain in ["ls", "-la", "a/b.c", "--x=1,2", "user@host:80", "100%"] {
            assert_eq!(quote(plain), plain);
        }
        assert_eq!(quote(""), "''");
        assert_eq!(quote("it's"), "'it'\\''s'");
        assert_eq!(quote("~"), "'~'");
        assert_eq!(quote("[a]*"), "'[a]*'");
        assert_eq!(quote("a\u{1b}'\n"), "$'a\\x1b\\'\\n'");
    }

    #[test]
    fn a_shell_reads_every_word_back() {
        let words = [
            "",
            "a b",
            "$HOME",
            "`x`",
            "it's \"so\"",
            "#!",
            "\\",
            "ü\u{7f}",
            "a\nb",
            "!",
        ];
        let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let script = format!("for w in {}; do printf '%s\\0' \"$w\"; done", command_line(&argv));
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let back: Vec<String> = output
            .stdout
            .split(|byte| *byte == 0)
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .take(words.len())
            .collect();
        assert_eq!(back, argv);
    }
}
