//! Texts made safe to show, and short enough.

use rescind_model::is_hidden;

/// Lines of what it would change that are shown.
pub(crate) const MOST_LINES: usize = 12;

/// One line: no control characters, no line breaks, at most so many characters, an ellipsis where it was cut.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut words = String::new();
    for word in text.split(|own: char| own.is_whitespace() || own.is_control()) {
        if words.len() > most.saturating_mul(4) {
            break;
        }
        if !words.is_empty() && !word.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().filter(|own| !is_hidden(*own)).take(most + 1));
    }
    cut(&words, most)
}

/// Several lines: line breaks and tabs stay, everything else that is not to be seen goes.
pub(crate) fn lines(text: &str, most: usize) -> String {
    let shown: String = text
        .replace("\r\n", "\n")
        .chars()
        .filter(|own| !is_hidden(*own) && (!own.is_control() || matches!(own, '\n' | '\t')))
        .take(most + 1)
        .collect();
    cut(shown.trim_end(), most)
}

/// The first of several lines, each made safe, and how many more there were.
pub(crate) fn list(texts: &[String], each: usize) -> (Vec<String>, usize) {
    let shown: Vec<String> = texts
        .iter()
        .take(MOST_LINES)
        .map(|text| line(text, each))
        .collect();
    let more = texts.len().saturating_sub(shown.len());
    (shown, more)
}

/// At most so many characters; an ellipsis stands for the rest.
pub(crate) fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(most.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

#[cfg(test)]
mod tests {
    use super::{cut, line, lines};

    #[test]
    fn what_can_not_be_seen_is_not_passed_on() {
        assert_eq!(
            line("rm \u{202e}fdp.exe\u{1b}[31m\r\nBcc: all@example.com\0", 80),
            "rm fdp.exe [31m Bcc: all@example.com"
        );
        assert_eq!(lines("a\r\nb\tc\u{7}\u{200b}\rd", 80), "a\nb\tcd");
        assert_eq!(line("   ", 5), "");
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_character() {
        assert_eq!(cut("äöüß", 4), "äöüß");
        assert_eq!(cut("äöüß€", 4), "äöü…");
        assert_eq!(line(&"word ".repeat(100_000), 20).chars().count(), 20);
        assert_eq!(line(&"w".repeat(100_000), 20).chars().count(), 20);
    }
}
