//! Small parts of pages: chips, scores, times, commands, diffs. What a colour says stands there in words, too.

use maud::{Markup, html};
use rescind_model::is_hidden;

/// How loud something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Good,
    /// To be looked at.
    Warn,
    /// Bad.
    Bad,
    /// Nothing to say.
    Plain,
}

impl Level {
    /// Its name in the sheet.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
            Self::Plain => "",
        }
    }

    /// Of a class of reversibility.
    #[must_use]
    pub fn of_class(class: &str) -> Self {
        match class {
            "no_effect" | "trivially_reversible" | "reversible_with_state" => Self::Good,
            "reversible_with_backup" | "partially_reversible" => Self::Warn,
            "irreversible" => Self::Bad,
            _ => Self::Plain,
        }
    }

    /// Of a risk score.
    #[must_use]
    pub fn of_score(score: u64) -> Self {
        match score {
            0..40 => Self::Good,
            40..70 => Self::Warn,
            _ => Self::Bad,
        }
    }

    /// Of a state in an action's life.
    #[must_use]
    pub fn of_state(state: &str) -> Self {
        match state {
            "done" | "approved" | "allowed" | "ended" => Self::Good,
            "held" | "in_doubt" | "void" | "expired" | "kept" | "paused" => Self::Warn,
            "denied" | "failed" | "rejected" | "killed" | "capture_failed" | "undo_conflict" => Self::Bad,
            _ => Self::Plain,
        }
    }
}

/// A word in a box.
#[must_use]
pub fn chip(text: &str, level: Level) -> Markup {
    let class = format!("chip {}", level.name());
    html! { span class=(class.trim_end()) { (text) } }
}

/// A class of reversibility, in words.
#[must_use]
pub fn class(name: &str) -> Markup {
    let words = match name {
        "no_effect" => "changes nothing",
        "trivially_reversible" => "reversible",
        "reversible_with_state" => "reversible by state",
        "reversible_with_backup" => "reversible by backup",
        "partially_reversible" => "partly reversible",
        "" => "not judged",
        other => other,
    };
    chip(words, Level::of_class(name))
}

/// A risk score with a bar. The bar is a picture of the number beside it.
#[must_use]
pub fn score(score: u64) -> Markup {
    let width = score.min(100).saturating_mul(44) / 100;
    html! {
        span.score {
            svg width="44" height="6" viewBox="0 0 44 6" aria-hidden="true" {
                rect.rest width="44" height="6" rx="3" {}
                rect class=(Level::of_score(score).name()) width=(width) height="6" rx="3" {}
            }
            span { span.hidden { "risk " } (score) }
        }
    }
}

/// A time of the day; the reader's clock is put in by the script.
#[must_use]
pub fn clock(at: &str) -> Markup {
    let short = at.get(11..19).unwrap_or(at);
    html! { time.nowrap datetime=(at) { (short) } }
}

/// A day and a time.
#[must_use]
pub fn moment(at: &str) -> Markup {
    let short = at
        .get(..19)
        .map_or_else(|| at.to_owned(), |text| text.replace('T', " "));
    html! { time datetime=(at) data-long { (short) } }
}

/// How long until then, counted down by the script.
#[must_use]
pub fn until(at: &str) -> Markup {
    html! { span.nowrap data-until=(at) { "until " (at.get(11..16).unwrap_or(at)) } }
}

/// What an agent wrote, without what could deceive a reader: control characters and what turns the direction of text.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| match letter {
            '\n' | '\t' => letter,
            other if other.is_control() || is_hidden(other) => '\u{fffd}',
            other => other,
        })
        .collect()
}

/// The same, at most so many letters.
#[must_use]
pub fn short(text: &str, most: usize) -> String {
    let cleaned = clean(text);
    if cleaned.chars().count() <= most {
        return cleaned;
    }
    let mut cut: String = cleaned.chars().take(most.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// So many of something.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(number), if number == 1 { one } else { many })
}

/// A number with thin gaps.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes, as people say it.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut rest = number;
    let mut tenths = 0;
    let mut unit = 0;
    while rest >= 1_024 && unit + 1 < UNITS.len() {
        tenths = rest % 1_024 * 10 / 1_024;
        rest /= 1_024;
        unit += 1;
    }
    let name = UNITS.get(unit).copied().unwrap_or_default();
    if unit == 0 {
        format!("{rest} {name}")
    } else {
        format!("{rest}.{tenths} {name}")
    }
}

/// A unified diff in colours; the signs at the left say the same.
#[must_use]
pub fn diff(text: &str) -> Markup {
    html! {
        div.diff tabindex="0" role="region" aria-label="Differences" {
            @for line in text.lines() {
                @let kind = kind_of_line(line);
                span class=[(!kind.is_empty()).then_some(kind)] { (clean(line)) }
            }
        }
    }
}

fn kind_of_line(line: &str) -> &'static str {
    if line.starts_with("+++") || line.starts_with("---") || line.starts_with("diff ") {
        "file"
    } else if line.starts_with("@@") {
        "hunk"
    } else if line.starts_with('+') {
        "add"
    } else if line.starts_with('-') {
        "del"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::{bytes, clean, diff, score, short, thousands};

    #[test]
    fn what_an_agent_wrote_can_not_deceive() {
        assert_eq!(clean("rm\u{1b}[2J \u{202e}txt"), "rm\u{fffd}[2J \u{fffd}txt");
        let page = diff("+<script>alert(1)</script>").into_string();
        assert!(!page.contains("<script>"), "{page}");
        assert_eq!(short("abcdef", 4), "abc…");
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(bytes(1_023), "1023 B");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(thousands(1_234_567), "1\u{202f}234\u{202f}567");
        assert!(score(250).into_string().contains("width=\"44\""));
    }
}
