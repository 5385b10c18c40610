//! Revoking, and proving it: by the session's end, by a person, or by whichever command comes after a crash.

use super::command;
use super::keep::{self, Kept};
use crate::error::Done;
use crate::out::say;
use crate::text::clean;
use rescind_credentials::Finding;
use rescind_model::Timestamp;
use rescind_supervisor::journal::CredentialEvent;
use rescind_supervisor::{SessionLog, Store, lives, now, opened};
use std::time::{Duration, Instant};

/// Where it is recorded.
pub enum Into<'l> {
    /// In the session's own log, by its supervisor.
    Log(&'l SessionLog),
    /// In the ledger, by anybody else.
    Ledger,
}

/// What a revocation came to.
#[derive(Debug, Clone)]
pub struct End {
    /// The session.
    pub session: String,
    /// The credential's name in the person's file.
    pub credential: String,
    /// Why it is not proved dead; `None`: it is.
    pub unproved: Option<String>,
}

/// How often it is looked whether a revocation has been seen.
const EVERY: Duration = Duration::from_millis(200);
/// How long whoever else is at a session's credentials is waited for.
const WAITS: Duration = Duration::from_secs(5);
/// How long what was sent and not answered may take to happen.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// A revocation that failed is tried again by later commands, at first after so many seconds, then each time later.
const AGAIN: i64 = 15;
const AGAIN_AT_MOST: i64 = 3_600;

impl End {
    /// Whether it is dead.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.unproved.is_none()
    }

    /// For a person.
    #[must_use]
    pub fn sentence(&self) -> String {
        let own = format!("credential `{}` of session {}", self.credential, self.session);
        match &self.unproved {
            None => format!("{own} is revoked, and proved dead"),
            Some(why) => format!("{own}: {}", clean(why)),
        }
    }
}

/// Revoke one, and look whether it is dead. It may be done again, whatever became of it before. `alone`: nobody else is
/// at the session's credentials.
///
/// # Errors
/// What is kept of it can't be changed.
pub fn revoke(store: &Store, into: &Into<'_>, mut kept: Kept, alone: bool) -> Done<End> {
    kept.take_files(store.home());
    let end = |unproved| End {
        session: kept.session.clone(),
        credential: kept.credential.clone(),
        unproved,
    };
    let mut whether = dead(&kept);
    if whether.is_ok() && !kept.issued {
        // What was asked for and not answered may still be under way where it is issued.
        std::thread::sleep(UNDER_WAY);
        whether = dead(&kept);
        if !alone {
            whether = Err("it was revoked, and the command that issues it may still run".to_owned());
        }
    }
    let why = match whether {
        Ok(()) => {
            record(
                store,
                into,
                &kept,
                CredentialEvent::Revoked,
                "its check finds it dead",
            )?;
            let end = end(None);
            kept.forget(store.home())?;
            return Ok(end);
        }
        Err(why) => {
            let rules = store
                .rules()
                .knowing("session-credential", kept.secrets.values().map(String::as_str));
            rules.map_or_else(
                |_| "it failed".to_owned(),
                |rules| rules.redact(&why).text.into_owned(),
            )
        }
    };
    let end = end(Some(why.clone()));
    let new = kept.why.as_ref() != Some(&why);
    kept.attempts += 1;
    kept.tried = Some(now().to_string());
    kept.why = Some(why.clone());
    kept.write(store.home())?;
    if new {
        record(store, into, &kept, CredentialEvent::Unproved, &why)?;
    }
    Ok(end)
}

fn record(store: &Store, into: &Into<'_>, kept: &Kept, what: CredentialEvent, said: &str) -> Done<()> {
    match into {
        Into::Log(log) => log.credential(&kept.form(what, said.to_owned()))?,
        Into::Ledger => {
            let note = format!("credential `{}` ({}): {said}", kept.credential, kept.name);
            if let Ok(id) = kept.session.parse() {
                store.note(what.into(), &id, note)?;
            }
        }
    }
    Ok(())
}

/// Revoke and check. The error: why it is not proved dead.
fn dead(kept: &Kept) -> Result<(), String> {
    let mut failed = None;
    for step in &kept.revoke {
        let why = match step.ready(&kept.all_values()) {
            Err(error) => Some(error.to_string()),
            Ok(ready) => match command::run(&ready) {
                Ok(printed) if printed.well => None,
                Ok(printed) => Some(format!("`{}` {}", step.program(), printed.why())),
                Err(error) => Some(format!("`{}` can't be run: {error}", step.program())),
            },
        };
        if !step.tidies {
            failed = failed.or(why);
        }
    }
    let whether = proved(kept);
    match (whether, failed) {
        (Ok(()), _) => Ok(()),
        (Err(why), None) => Err(why),
        (Err(_), Some(why)) => Err(format!("it could not be revoked: {why}")),
    }
}

fn proved(kept: &Kept) -> Result<(), String> {
    if kept.check.is_empty() {
        return Err(format!(
            "it was revoked, and nothing can tell that it is dead: {}",
            kept.unproved
        ));
    }
    let begun = Instant::now();
    loop {
        let (mut findings, mut why) = (Vec::new(), String::new());
        for check in &kept.check {
            let finding = match check.step.ready(&kept.all_values()) {
                Err(error) => return Err(in_doubt(kept, &error.to_string())),
                Ok(ready) => match command::run(&ready) {
                    Ok(printed) => {
                        let found = check.finding(&printed.whole());
                        if found == Finding::Unclear {
                            why = format!(
                                "its check is unclear: `{}` {}",
                                check.step.program(),
                                printed.why()
                            );
                        }
                        found
                    }
                    Err(error) => {
                        why = format!("its check can't be run: {error}");
                        Finding::Unclear
                    }
                },
            };
            if finding == Finding::Live {
                why = "it still works".to_owned();
            }
            findings.push(finding);
        }
        if findings.iter().all(|finding| *finding == Finding::Dead) {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(kept.settles) {
            return Err(why);
        }
        std::thread::sleep(EVERY);
    }
}

fn in_doubt(kept: &Kept, why: &str) -> String {
    if kept.issued {
        return format!("its check can't be made: {why}");
    }
    "whether it was issued is not known; it was revoked, and without its secret nothing can tell that it is dead".to_owned()
}

/// Revoke all that is kept for a session. Waits for whoever is at it, not for long.
///
/// # Errors
/// What is kept can't be read or changed.
pub fn revoke_of(store: &Store, into: &Into<'_>, session: &str) -> Done<Vec<End>> {
    let lock = keep::lock(store.home(), session, WAITS)?;
    let kept = keep::of_session(store.home(), session)?.into_iter();
    kept.map(|kept| revoke(store, into, kept, lock.is_some()))
        .collect()
}

/// The same by somebody else than its supervisor; of one credential where its name is given.
///
/// # Errors
/// As [`revoke_of`].
pub fn revoke_session(store: &Store, session: &str, credential: Option<&str>) -> Done<Vec<End>> {
    let lock = keep::lock(store.home(), session, WAITS)?;
    let kept = keep::of_session(store.home(), session)?.into_iter();
    kept.filter(|kept| credential.is_none_or(|name| kept.credential == name))
        .map(|kept| revoke(store, &Into::Ledger, kept, lock.is_some()))
        .collect()
}

/// A person takes it on themselves that it is dead, or does no harm: it is on record, and kept no more.
///
/// # Errors
/// It can't be recorded or forgotten.
pub fn give_up(store: &Store, kept: &Kept) -> Done<()> {
    let said = format!("given up unproved by {}", crate::person::person());
    record(store, &Into::Ledger, kept, CredentialEvent::Unproved, &said)?;
    kept.take_files(store.home());
    Ok(kept.forget(store.home())?)
}

/// Revoke what sessions left whose supervisors died, and what could not be revoked before. Says what it did; fails never:
/// the command at hand has its own work, and waits for nobody else who is at it, but so long.
pub fn sweep(store: &Store, wait: Duration) {
    for id in keep::sessions(store.home()).unwrap_or_default() {
        if opened(store, &id).is_ok_and(|begun| lives(&begun.supervisor)) {
            continue;
        }
        let lock = keep::lock(store.home(), id.as_str(), wait).ok().flatten();
        if lock.is_none() && !keep::is_stale(store.home(), id.as_str()) {
            continue;
        }
        for kept in keep::of_session(store.home(), id.as_str()).unwrap_or_default() {
            if !is_due(&kept, now()) {
                continue;
            }
            match revoke(store, &Into::Ledger, kept, lock.is_some()) {
                Ok(end) if end.is_dead() => say(format!("rescind: {}", end.sentence())),
                Ok(end) => say(format!("rescind: NOT PROVED DEAD: {}", end.sentence())),
                Err(failure) => failure.report(false),
            }
        }
    }
}

fn is_due(kept: &Kept, now: Timestamp) -> bool {
    let tried = kept
        .tried
        .as_ref()
        .and_then(|tried| tried.parse::<Timestamp>().ok());
    let wait = AGAIN
        .saturating_mul(1_i64.checked_shl(kept.attempts.min(16)).unwrap_or(1))
        .min(AGAIN_AT_MOST);
    tried.is_none_or(|tried| now.milliseconds() - tried.milliseconds() >= wait * 1_000)
}
