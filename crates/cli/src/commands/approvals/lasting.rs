//! `approve --always`: that the same may run again, and until when.

use super::ApproveArgs;
use crate::error::{Code, Done, Failure};
use crate::text::parse_duration;
use rescind_desk::LONGEST;
use rescind_model::Timestamp;
use rescind_supervisor::holds::{AlwaysForm, Hold, Pattern};
use rescind_supervisor::now;

/// How long a rule stands where nobody says: a working day, in seconds.
const USUAL: u64 = 8 * 3_600;

/// What is asked for with an approval; `None`: it runs this once.
///
/// # Errors
/// It would be wider than what is shown, or no rule could answer for this hold.
pub fn always(args: &ApproveArgs, hold: &Hold) -> Done<Option<AlwaysForm>> {
    if !args.always && !args.for_session {
        return Ok(None);
    }
    let form = &hold.form;
    if !form.learnable {
        let message = format!(
            "`{}` is not held by policies alone, and no rule could answer for it",
            form.action
        );
        return Err(Failure::new(Code::RuleUnfit, message)
            .means("nothing was decided, and nothing ran")
            .help("without --always it can be approved for this once"));
    }
    if let Some(pattern) = &args.pattern {
        Pattern::parse(pattern, &form.argv).map_err(|error| {
            Failure::new(Code::RuleTooWide, error.to_string())
                .means("nothing was decided, and nothing ran")
                .help("write the command as it is shown, with a `*` for each word, or end of a word, that may be another")
        })?;
    }
    let until = match &args.until {
        Some(text) => until(text)?,
        None if args.for_session && !args.always => Timestamp(now().0.saturating_add(LONGEST)),
        None => ahead(USUAL)?,
    };
    Ok(Some(AlwaysForm {
        until: until.to_string(),
        session: args.for_session,
        pattern: args.pattern.clone(),
    }))
}

/// `2026-11-21T10:00:00Z`, or a duration from now.
fn until(text: &str) -> Done<Timestamp> {
    let wrong = |why: &str| {
        Failure::new(Code::BadArgument, format!("`{text}` {why}"))
            .help("write 2026-11-21T10:00:00Z, or a duration from now as in 8h, of 90 days at most")
    };
    let until = match text.parse::<jiff::Timestamp>() {
        Ok(time) => Timestamp(i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)),
        Err(_) => ahead(parse_duration(text).map_err(|_| wrong("is no time"))?)?,
    };
    if until <= now() {
        return Err(wrong("has passed"));
    }
    if until.0.saturating_sub(now().0) > LONGEST {
        return Err(wrong("is too far ahead"));
    }
    Ok(until)
}

fn ahead(seconds: u64) -> Done<Timestamp> {
    let ahead = i64::try_from(seconds)
        .ok()
        .and_then(|ahead| ahead.checked_mul(1_000_000_000));
    let time = ahead.and_then(|ahead| now().0.checked_add(ahead));
    time.map(Timestamp)
        .ok_or_else(|| Failure::new(Code::BadArgument, "that is longer than time is counted"))
}
