//! Sizes, durations and points in time, for people.

use rescind_model::{Timestamp, read_span};

/// `12 B`, `3.4 MiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = number as f64;
    let mut unit = UNITS.iter();
    let mut name = unit.next().unwrap_or(&"B");
    while value >= 1024.0 {
        let Some(next) = unit.next() else { break };
        name = next;
        value /= 1024.0;
    }
    if *name == "B" {
        format!("{number} B")
    } else {
        format!("{value:.1} {name}")
    }
}

/// `1 file`, `2 files`.
#[must_use]
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {many}")
    }
}

/// Seconds as `0.3 s`, `12 s`, `3 min`.
#[must_use]
pub fn seconds(value: f64) -> String {
    match value {
        value if value < 0.1 => "less than 0.1 s".to_owned(),
        value if value < 10.0 => format!("{value:.1} s"),
        value if value < 120.0 => format!("{value:.0} s"),
        value => format!("{:.0} min", value / 60.0),
    }
}

/// The time between two RFC 3339 times, as [`seconds`] says it; `None` where one is none.
#[must_use]
pub fn duration(from: &str, to: &str) -> Option<String> {
    let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    let milliseconds = to.milliseconds().saturating_sub(from.milliseconds()).max(0);
    Some(if milliseconds < 1_000 {
        format!("{milliseconds} ms")
    } else {
        seconds(milliseconds as f64 / 1_000.0)
    })
}

/// An RFC 3339 time in the user's time zone, to the second.
#[must_use]
pub fn local_time(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => time
            .to_zoned(jiff::tz::TimeZone::system())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string(),
        Err(_) => text.to_owned(),
    }
}

/// How long ago a time was.
#[must_use]
pub fn ago(text: &str, now: Timestamp) -> String {
    let Ok(then) = text.parse::<Timestamp>() else {
        return text.to_owned();
    };
    let seconds = now.milliseconds().saturating_sub(then.milliseconds()).max(0) / 1_000;
    match seconds {
        0..=59 => format!("{seconds} s ago"),
        60..=3_599 => format!("{} min ago", seconds / 60),
        3_600..=172_799 => format!("{} h ago", seconds / 3_600),
        _ => format!("{} days ago", seconds / 86_400),
    }
}

/// A duration as people give it (`90s`, `15m`, `12h`, `30d`, `8w`), in seconds.
///
/// # Errors
/// What is wrong with it, in words.
pub fn parse_duration(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no duration; write a number with s, m, h, d or w, as in 30d");
    read_span(text).map(|span| span.as_secs()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::{ago, bytes, duration};
    use rescind_model::Timestamp;

    #[test]
    fn sizes_and_times_are_short() {
        assert_eq!(
            [bytes(0), bytes(1_023), bytes(1_536)],
            ["0 B", "1023 B", "1.5 KiB"]
        );
        let now = Timestamp(7_200_000_000_000);
        assert_eq!(ago("1970-01-01T00:00:00Z", now), "2 h ago");
        let half = duration("1970-01-01T00:00:00Z", "1970-01-01T00:00:00.5Z");
        assert_eq!(half.as_deref(), Some("500 ms"));
    }
}
