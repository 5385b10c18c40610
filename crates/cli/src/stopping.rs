//! Stopping from the command line: what is meant, the call itself, and then, without holding it up, what follows from it.

mod after;
mod scope;
mod show;

use crate::context::{Context, inside};
use crate::error::{Code, Done, Failure};
use crate::person::person;
pub use after::After;
use rescind_model::chain;
use rescind_supervisor::control::{Control, ControlError, KillScope, Mode};
pub use scope::{Meant, StopScopeArgs};
pub use show::answer;
use std::ffi::OsString;
use std::time::Duration;

/// How long a stop is waited for: far more than any lease.
const AT_MOST: Duration = Duration::from_secs(30);

/// Whether a command line is that of a stop, before it is parsed.
pub fn is_asked_for(words: impl Iterator<Item = OsString>) -> bool {
    let mut words = words
        .skip(1)
        .filter(|word| !word.as_encoded_bytes().starts_with(b"-"));
    words.next().is_some_and(|word| word == "kill" || word == "pause")
}

/// Stop all in scope. Nothing comes before it: no store, no ledger.
///
/// # Errors
/// This process is part of a session; nothing can be stopped by the board.
pub fn stop(context: &Context, control: &Control, scope: &KillScope, mode: Mode, why: &str) -> Done {
    let report = control.kill(scope, mode, &person(), why, AT_MOST)?;
    let after = After::of(context, control, &report);
    answer(context, &report, &after)
}

/// The board, for a command that no supervised process may give.
///
/// # Errors
/// There is none to be had, or this process belongs to a session.
pub fn control_outside(context: &Context) -> Done<Control> {
    if crate::context::inside_by_environment() {
        return Err(inside());
    }
    let control = Control::open(&context.home()?).map_err(|error| match &error {
        ControlError::Board { source, .. }
            if source.kind() == std::io::ErrorKind::PermissionDenied && crate::context::is_filtered() =>
        {
            inside()
        }
        _ => Failure::from(error),
    })?;
    if crate::context::is_below(&control.supervisors()) {
        return Err(inside());
    }
    Ok(control)
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let message = chain(&error);
        match error {
            ControlError::Board { .. } => Self::new(Code::ControlUnusable, message)
                .help("`touch STOP` in rescind's state directory stops everything that can still look there"),
            ControlError::NoName => Self::new(Code::BadArgument, message),
            ControlError::NotStopped { .. } => {
                Self::new(Code::ScopeNotStopped, message).help("`rescind status` shows what is")
            }
            ControlError::Full => Self::new(Code::ControlUnusable, message).help(
                "`rescind kill --everything` always has room; `rescind resume` lifts what is no more needed",
            ),
            ControlError::InCharge { .. } => Self::new(Code::ControlUnusable, message)
                .help("stop the server: then nobody is in charge any more"),
        }
    }
}
