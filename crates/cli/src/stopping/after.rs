//! What follows from a stop: its record, the books of sessions that could not close them, their credentials. It is waited for,
//! but never for long: what can't be recorded now is on the board, and in the ledger as soon as that can be written.

use crate::context::Context;
use crate::credentials::{End, Kept, outstanding, revoke_session};
use crate::error::Done;
use crate::undoing::close_books;
use rescind_supervisor::Store;
use rescind_supervisor::control::{Control, How, KillReport, Mode, Stopped};
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// How long the record is waited for.
const RECORD: Duration = Duration::from_secs(3);
/// How long the credentials of a session are waited for, once it is known that it has some.
const CREDENTIALS: Duration = Duration::from_secs(120);

/// What came of it.
#[derive(Debug, Default)]
pub struct After {
    /// Why it is not on record; `None`: it is.
    pub unrecorded: Option<String>,
    /// The credentials that were to be revoked.
    pub credentials: Vec<End>,
    /// Why those are not known.
    pub credentials_unknown: Option<String>,
}

enum Step {
    Called,
    Revoking,
    Done(Vec<End>),
}

impl After {
    /// Do what follows, as far as it can be done in time.
    #[must_use]
    pub fn of(context: &Context, control: &Control, report: &KillReport) -> Self {
        let (to, from) = channel();
        let (context, control, report) = (*context, control.clone(), report.clone());
        let thread = std::thread::Builder::new().name("after".to_owned());
        let started = thread.spawn(move || {
            if let Err(failure) = follow(&context, &control, &report, &to) {
                let _nobody_waits = to.send(Err(failure.message().to_owned()));
            }
        });
        match started {
            Ok(_) => Self::hear(&from),
            Err(error) => Self {
                unrecorded: Some(error.to_string()),
                ..Self::default()
            },
        }
    }

    fn hear(from: &Receiver<Result<Step, String>>) -> Self {
        let mut after = Self {
            unrecorded: Some("the ledger did not answer in time".to_owned()),
            ..Self::default()
        };
        let mut at_most = RECORD;
        let (mut called, mut revoking) = (false, false);
        loop {
            match from.recv_timeout(at_most) {
                Ok(Ok(Step::Called)) => called = true,
                Ok(Ok(Step::Revoking)) => (revoking, at_most) = (true, CREDENTIALS),
                Ok(Ok(Step::Done(credentials))) => {
                    return Self {
                        credentials,
                        ..Self::default()
                    };
                }
                Ok(Err(why)) => {
                    after.unrecorded = Some(why);
                    break;
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
            }
        }
        if called {
            after.unrecorded = None;
        }
        if revoking {
            after.credentials_unknown = Some("it takes too long to revoke them".to_owned());
        }
        after
    }

    /// Credentials that may still work.
    pub fn unproved(&self) -> Option<String> {
        let unproved = self.credentials.iter().find(|end| !end.is_dead());
        unproved
            .map(End::sentence)
            .or_else(|| self.credentials_unknown.clone())
    }

    /// As JSON.
    #[must_use]
    pub fn credentials_json(&self) -> Value {
        credentials_json(&self.credentials)
    }
}

fn credentials_json(ends: &[End]) -> Value {
    let one = |end: &End| {
        json!({
            "session_id": end.session, "credential": end.credential, "dead": end.is_dead(), "why": end.unproved,
        })
    };
    ends.iter().map(one).collect()
}

fn follow(
    context: &Context,
    control: &Control,
    report: &KillReport,
    to: &Sender<Result<Step, String>>,
) -> Done<()> {
    let tell = |step| {
        let _nobody_waits = to.send(Ok(step));
    };
    let store = Store::open(context.home()?)?;
    control.record_called(&store, report)?;
    tell(Step::Called);
    let ends = match report.stop.mode {
        Mode::Kill => revoke(&store, report, to)?,
        Mode::Pause => Vec::new(),
    };
    control.record_answer(&store, report, &credentials_json(&ends))?;
    if report.stop.mode == Mode::Kill {
        for stopped in &report.sessions {
            close(&store, stopped);
        }
    }
    tell(Step::Done(ends));
    Ok(())
}

/// Revoke the credentials of those that were killed. Their supervisors are at it, too; whoever comes second finds it done.
fn revoke(store: &Store, report: &KillReport, to: &Sender<Result<Step, String>>) -> Done<Vec<End>> {
    let killed = |kept: &Kept| {
        let is_one = |stopped: &Stopped| stopped.member.session == kept.session;
        report.sessions.iter().any(is_one)
    };
    let mut before = outstanding(store)?;
    before.retain(killed);
    let mut ends: Vec<End> = Vec::new();
    for kept in &before {
        let is_done = |end: &End| end.session == kept.session && end.credential == kept.credential;
        if ends.iter().any(is_done) {
            continue;
        }
        let _nobody_waits = to.send(Ok(Step::Revoking));
        ends.extend(revoke_session(store, &kept.session, None)?);
        if !ends.iter().any(is_done) {
            let (session, credential) = (kept.session.clone(), kept.credential.clone());
            ends.push(End {
                session,
                credential,
                unproved: None,
            });
        }
    }
    Ok(ends)
}

/// See that the books of a session are closed that did not end by itself. What can't be closed now is by the next command.
fn close(store: &Store, stopped: &Stopped) {
    if stopped.how == How::NotStopped {
        return;
    }
    let Ok(id) = stopped.member.session.parse() else {
        return;
    };
    let _by_the_next_command_else = close_books(store, &id);
}
