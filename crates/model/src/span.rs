//! Spans of time, as people write and read them.

use std::time::Duration;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A span as people give it: a whole number of seconds, minutes, hours, days or weeks (`90s`, `15m`, `12h`, `30d`, `8w`). `None`: it is
/// none of these.
#[must_use]
pub fn read_span(text: &str) -> Option<Duration> {
    let at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(at)?;
    let unit = match unit {
        "s" => 1,
        "m" => MINUTE,
        "h" => HOUR,
        "d" => DAY,
        "w" => 7 * DAY,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    number.checked_mul(unit).map(Duration::from_secs)
}

/// A span in words, in its largest whole unit: `90 s` is `1 min`.
#[must_use]
pub fn span(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..MINUTE => format!("{seconds} s"),
        seconds @ MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        seconds @ HOUR..DAY => format!("{} h", seconds / HOUR),
        seconds => format!("{} d", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::{read_span, span};
    use std::time::Duration;

    #[test]
    fn spans_are_read_as_people_write_them() {
        for (text, seconds) in [
            ("90s", 90),
            ("15m", 900),
            ("2h", 7_200),
            ("30d", 2_592_000),
            ("8w", 4_838_400),
        ] {
            assert_eq!(read_span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in [
            "",
            "5",
            "d",
            "+5m",
            "-5m",
            "5 m",
            "1.5h",
            "5y",
            "5mm",
            "5ü",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert_eq!(read_span(text), None, "{text}");
        }
    }

    #[test]
    fn spans_are_said_in_their_largest_unit() {
        let told = |seconds| span(Duration::from_secs(seconds));
        assert_eq!(told(59), "59 s");
        assert_eq!(told(90), "1 min");
        assert_eq!(told(3_600), "1 h");
        assert_eq!(told(200_000), "2 d");
    }
}
