//! Issuing: kept and recorded first, then issued, then seen to work, then given to the agent.

use super::keep::{self, Kept};
use super::revoke::Into;
use super::{command, configured};
use crate::error::{Code, Done, Failure};
use crate::text::parse_duration;
use rescind_credentials::{Credential, Finding, Values};
use rescind_model::{SessionId, Timestamp};
use rescind_redact::Rules;
use rescind_supervisor::journal::CredentialEvent;
use rescind_supervisor::{SessionLog, Store, now, secret};
use std::ffi::OsString;
use std::time::{Duration, Instant};

/// What a session was given.
#[derive(Debug, Default)]
pub struct Purse {
    /// Variables for the agent. Secret.
    pub environment: Vec<(OsString, OsString)>,
    secrets: Vec<String>,
}

/// How long a credential is for where nothing else is said.
const USUAL: Duration = Duration::from_secs(60 * 60);
/// The kind that the secrets have in the record.
const KIND: &str = "session-credential";

impl Purse {
    /// Redaction rules that know the secrets.
    ///
    /// # Errors
    /// They can't be searched for.
    pub fn rules(&self, rules: &Rules) -> Done<Rules> {
        let known = rules.knowing(KIND, self.secrets.iter().map(String::as_str));
        known.map_err(|error| Failure::new(Code::CredentialNotIssued, error.to_string()))
    }
}

/// Issue the credentials of these names to a session. `lasts`: how long the session is for.
///
/// # Errors
/// One of them can't be issued, or does not work. What was issued is revoked again then.
pub fn issue(store: &Store, log: &SessionLog, names: &[String], lasts: Option<Duration>) -> Done<Purse> {
    let mut purse = Purse::default();
    if names.is_empty() {
        return Ok(purse);
    }
    let configured = configured()?;
    // All of them are there before the first is issued.
    let wanted: Result<Vec<&Credential>, _> = names.iter().map(|name| configured.get(name)).collect();
    let mut wanted = wanted?;
    wanted.sort_by(|one, two| one.name.cmp(&two.name));
    wanted.dedup_by(|one, two| one.name == two.name);
    for credential in wanted {
        if let Err(failure) = one(store, log, credential, lasts, &mut purse) {
            let mut failure = failure.means("the agent was not started, and what was issued is revoked");
            let ends = super::revoke::revoke_of(store, &Into::Log(log), log.id().as_str())?;
            for end in ends.iter().filter(|end| !end.is_dead()) {
                failure = failure.means("the agent was not started").help(format!(
                    "not proved dead: {}; `rescind revoke` tries again",
                    end.sentence()
                ));
            }
            return Err(failure);
        }
    }
    Ok(purse)
}

fn one(
    store: &Store,
    log: &SessionLog,
    credential: &Credential,
    lasts: Option<Duration>,
    purse: &mut Purse,
) -> Done<()> {
    let home = store.home();
    let values = values(store, credential, log.id(), lasts)?;
    let generate = credential.issuer.generate.iter();
    let secrets = generate.map(|(name, length)| Ok((name.clone(), secret(*length)?)));
    let secrets = secrets.collect::<std::io::Result<Values>>()?;
    let mut kept = Kept::new(credential, log.id(), values, secrets);
    let in_doubt = |error: std::io::Error| Failure::from(error).means("nothing was issued");
    kept.write(home).map_err(in_doubt)?;
    let _lock = keep::lock(home, log.id().as_str(), keep::HANGS)?;
    log.credential(&kept.form(CredentialEvent::Issuing, String::new()))
        .map_err(in_doubt)?;
    let printed = run_all(store, credential, &kept)?;
    let (public, secret) = credential.issuer.taken(&printed)?;
    kept.values.extend(public);
    kept.secrets.extend(secret);
    // Its secrets are needed for its check, also by whoever comes after a crash.
    kept.write(home).map_err(in_doubt)?;
    works(&kept)?;
    kept.issued = true;
    kept.write(home).map_err(in_doubt)?;
    let said = format!(
        "for {} s",
        kept.values.get("seconds").cloned().unwrap_or_default()
    );
    log.credential(&kept.form(CredentialEvent::Issued, said))
        .map_err(in_doubt)?;
    give(store, credential, &kept, purse)
}

fn values(store: &Store, credential: &Credential, id: &SessionId, lasts: Option<Duration>) -> Done<Values> {
    let rules = store.rules();
    let seen = |value: &&String| !rules.redact(value).found.is_empty();
    if let Some((name, _)) = credential.values.iter().find(|(_, value)| seen(value)) {
        let message = format!(
            "`{name}` of the credential `{}` holds a secret, which would stand on a command line that every process can \
             read",
            credential.name
        );
        return Err(Failure::new(Code::CredentialInvalid, message)
            .help("let the issuer's program find it itself: in a password file, a profile, a context"));
    }
    let asked = credential.duration.as_deref().map(parse_duration).transpose();
    let asked = asked.map_err(|why| Failure::new(Code::CredentialInvalid, why))?;
    let duration = asked
        .map_or(USUAL, Duration::from_secs)
        .min(lasts.unwrap_or(Duration::MAX));
    let nanoseconds = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    let until = Timestamp(now().0.saturating_add(nanoseconds));
    let name = format!("rescind_{id}_{}", credential.name.replace('-', "_"));
    let mut values = credential.values.clone();
    values.extend(
        [
            ("session", id.to_string()),
            ("credential", credential.name.clone()),
            ("dns_name", name.replace('_', "-")),
            ("name", name),
            ("seconds", duration.as_secs().to_string()),
            ("until", keep::seconds(until)),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    );
    Ok(values)
}

/// Run all that issues it; what the last command printed.
fn run_all(store: &Store, credential: &Credential, kept: &Kept) -> Done<String> {
    let values = kept.all_values();
    let mut printed = String::new();
    for step in &credential.issuer.issue {
        let ready = step.ready(&values)?;
        let fail = |why: String| {
            let rules = store
                .rules()
                .knowing(KIND, kept.secrets.values().map(String::as_str));
            let why = rules.map_or_else(|_| String::new(), |rules| rules.redact(&why).text.into_owned());
            let program = ready.argv.first().cloned().unwrap_or_default();
            let message = format!(
                "the credential `{}` was not issued: `{program}` {why}",
                credential.name
            );
            Failure::new(Code::CredentialNotIssued, message)
        };
        let ended = command::run(&ready).map_err(|error| fail(format!("can't be run: {error}")))?;
        if !ended.well && !step.tidies {
            return Err(fail(ended.why()));
        }
        printed = ended.out;
    }
    Ok(printed)
}

/// That it works: what does not work now proves nothing when it does not work later.
fn works(kept: &Kept) -> Done<()> {
    let begun = Instant::now();
    let values = kept.all_values();
    loop {
        let mut live = true;
        for check in &kept.check {
            let printed = command::run(&check.step.ready(&values)?);
            live &= printed.is_ok_and(|printed| check.finding(&printed.whole()) == Finding::Live);
        }
        if live {
            return Ok(());
        }
        if begun.elapsed() > Duration::from_secs(kept.settles) {
            let message = format!(
                "the credential `{}` was issued, and its check does not find it working: it could never be proved dead",
                kept.credential
            );
            return Err(Failure::new(Code::CredentialNotIssued, message));
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn give(store: &Store, credential: &Credential, kept: &Kept, purse: &mut Purse) -> Done<()> {
    let values = kept.all_values();
    let filled = |name: &str, text: &str| {
        rescind_catalog::fill_text(text, &values).ok_or_else(|| {
            let message = format!("`{name}` of the credential `{}` can't be filled", credential.name);
            Failure::new(Code::CredentialNotIssued, message)
        })
    };
    for (name, text) in &credential.issuer.env {
        purse.environment.push((name.into(), filled(name, text)?.into()));
    }
    for (name, text) in &credential.issuer.files {
        let path = kept.give_file(store.home(), name, &filled(name, text)?)?;
        purse.environment.push((name.into(), path.into()));
    }
    purse.secrets.extend(kept.secrets.values().cloned());
    Ok(())
}

/// Revoke all that a session was given, in its own log. What is not proved dead is told.
#[must_use]
pub fn take_back(store: &Store, log: &SessionLog) -> bool {
    let ends = super::revoke::revoke_of(store, &Into::Log(log), log.id().as_str());
    match ends {
        Ok(ends) => {
            for end in ends.iter().filter(|end| !end.is_dead()) {
                crate::out::say(format!(
                    "rescind: NOT PROVED DEAD: {}; `rescind revoke` tries again",
                    end.sentence()
                ));
            }
            ends.iter().all(super::End::is_dead)
        }
        Err(failure) => {
            failure.report(false);
            false
        }
    }
}
