//! Time and randomness from the system, for those who have no reason to be given them.

use rescind_model::{SessionId, Timestamp};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

/// The time now.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Sixteen random bytes as hex, so that a body can't be guessed from its digest.
#[must_use]
pub fn salt() -> String {
    use std::fmt::Write as _;
    let mut bytes = [0_u8; 16];
    let _all_zero_is_only_less_secret = getrandom::fill(&mut bytes);
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

/// A secret of so many letters and digits, each as likely as any other.
///
/// # Errors
/// The system gives no randomness: there is no secret then.
pub fn secret(length: usize) -> io::Result<String> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let mut bytes = [0_u8; 64];
        getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
        // 248 is the largest multiple of 62 that a byte holds.
        let fair = bytes.iter().filter(|byte| **byte < 248).map(|byte| byte % 62);
        let letters = fair.map(|number| match number {
            0..10 => b'0' + number,
            10..36 => b'a' + (number - 10),
            _ => b'A' + (number - 36),
        });
        text.extend(letters.take(length - text.len()).map(char::from));
    }
    Ok(text)
}

/// A new session's id.
#[must_use]
pub fn session_id() -> SessionId {
    let mut random = [0_u8; 4];
    let _less_random_then = getrandom::fill(&mut random);
    SessionId::new(
        u64::try_from(now().milliseconds()).unwrap_or(0),
        u32::from_ne_bytes(random),
    )
}

/// Who a process is, so that a later command can tell whether it still lives: number, start time in ticks since boot,
/// and the boot's id, separated by colons.
#[must_use]
pub fn process_mark(pid: u32) -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let start = stat
        .rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19))
        .unwrap_or("0");
    format!("{pid}:{start}:{}", boot.trim())
}

/// Whether the process with this mark still lives.
#[must_use]
pub fn lives(mark: &str) -> bool {
    let pid = mark.split(':').next().and_then(|pid| pid.parse().ok());
    pid.is_some_and(|pid| process_mark(pid) == mark && !is_zombie(pid))
}

/// Whether a process has ended and only waits for its parent to ask how.
fn is_zombie(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| matches!(rest.trim_start().chars().next(), Some('Z' | 'X')))
}

#[cfg(test)]
mod tests {
    use super::{lives, process_mark};
    use std::process::Command;

    #[test]
    fn a_process_that_ended_does_not_live_although_nobody_asked_for_its_status() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let mark = process_mark(child.id());
        assert!(lives(&mark) && lives(&process_mark(std::process::id())));
        child.kill().unwrap();
        let stat = format!("/proc/{}/stat", child.id());
        while !std::fs::read_to_string(&stat).unwrap().contains(") Z") {
            std::thread::yield_now();
        }
        assert!(!lives(&mark));
        child.wait().unwrap();
        assert!(!lives(&mark));
    }
}
