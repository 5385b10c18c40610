//! Failed sign-ins, slowed per name and per address.
//!
//! A try is counted before the password is looked at, so that a thousand at once are no more tries than a thousand in a
//! row; a success takes the count back.

use crate::access::{Access, Work, after};
use crate::error::AccessError;
use rescind_model::Timestamp;
use rusqlite::{OptionalExtension as _, params};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// What tries are counted by.
struct Counter {
    who: Vec<u8>,
    /// So many failures cost nothing.
    free: u32,
    /// The longest wait.
    longest: Duration,
}

/// A series of failures is forgotten after a day without one.
const FORGET: Duration = Duration::from_secs(86_400);
/// The most names and addresses that are kept. Those that failed longest ago go first.
const KEPT: i64 = 100_000;

/// A name's wait is short: who fails on purpose must not lock somebody else out for long.
fn counters(name: &str, address: &str) -> [Counter; 2] {
    [
        Counter {
            who: key("name", name),
            free: 4,
            longest: Duration::from_secs(60),
        },
        Counter {
            who: key("address", address),
            free: 19,
            longest: Duration::from_secs(900),
        },
    ]
}

/// People type passwords into the field for the name: nothing of it is kept but a hash.
fn key(kind: &str, text: &str) -> Vec<u8> {
    let hash = Sha256::new()
        .chain_update(kind)
        .chain_update([0])
        .chain_update(text);
    hash.finalize().to_vec()
}

/// Count a try.
///
/// # Errors
/// There were too many failures: it does not count, and nothing may be looked at.
pub(crate) fn begin(access: &Access, name: &str, address: &str) -> Result<(), AccessError> {
    access.change(|work| {
        let mut found = Vec::new();
        for counter in counters(name, address) {
            let kept = work
                .tx
                .prepare_cached("SELECT count, until, last FROM failures WHERE who = ?1");
            let row = kept
                .and_then(|mut select| {
                    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
                    select.query_row([&counter.who], row).optional()
                })
                .map_err(|source| work.database.fail(source))?;
            let (count, until, last): (u32, i64, i64) = row.unwrap_or_default();
            let wait = until.saturating_sub(work.now.0);
            // After the clock was set back, a wait is never longer than it can be.
            let wait = wait.min(i64::try_from(counter.longest.as_nanos()).unwrap_or(i64::MAX));
            if wait > 0 {
                return Err(AccessError::SlowDown {
                    seconds: u64::try_from(wait).unwrap_or(0).div_ceil(1_000_000_000),
                });
            }
            let over = after(Timestamp(last), FORGET) < work.now;
            found.push((counter, if over { 0 } else { count }));
        }
        for (counter, count) in found {
            count_one(work, &counter, count.saturating_add(1))?;
        }
        Ok(())
    })
}

fn count_one(work: &Work<'_>, counter: &Counter, count: u32) -> Result<(), AccessError> {
    let until = match count.checked_sub(counter.free + 1) {
        None => work.now,
        Some(more) => {
            let seconds = 1_u64.checked_shl(more).filter(|_| more < 32).unwrap_or(u64::MAX);
            after(work.now, Duration::from_secs(seconds).min(counter.longest))
        }
    };
    work.run(
        "INSERT INTO failures (who, count, until, last) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (who) DO UPDATE SET \
         count = excluded.count, until = excluded.until, last = excluded.last",
        params![counter.who, count, until.0, work.now.0],
    )?;
    // Now and then is enough.
    if work.now.0.rem_euclid(64) == 0 {
        let old = work.now.0.saturating_sub(after(Timestamp(0), FORGET).0);
        work.run("DELETE FROM failures WHERE last < ?1", [old])?;
        work.run(
            "DELETE FROM failures WHERE who IN (SELECT who FROM failures ORDER BY last DESC LIMIT -1 OFFSET ?1)",
            [KEPT],
        )?;
    }
    Ok(())
}

/// The try was a success: the name's failures are forgotten, and the address's count is as before. What an address
/// failed at with other names stays.
pub(crate) fn succeeded(work: &Work<'_>, name: &str, address: &str) -> Result<(), AccessError> {
    let [of_name, of_address] = counters(name, address);
    work.run("DELETE FROM failures WHERE who = ?1", [&of_name.who])?;
    work.run(
        "UPDATE failures SET count = max(count - 1, 0), until = ?2 WHERE who = ?1",
        params![of_address.who, work.now.0],
    )?;
    Ok(())
}

/// The try was none: there was no time for it.
pub(crate) fn uncounted(work: &Work<'_>, name: &str, address: &str) -> Result<(), AccessError> {
    for counter in counters(name, address) {
        work.run(
            "UPDATE failures SET count = max(count - 1, 0), until = ?2 WHERE who = ?1",
            params![counter.who, work.now.0],
        )?;
    }
    Ok(())
}
