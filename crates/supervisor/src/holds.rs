//! Holds: actions that wait for a person, shared between processes by files.
//!
//! The session's supervisor opens a hold and alone closes it; anybody who may read the state directory can put a
//! decision beside it, once per person. The supervisor records what was decided before anything runs, so that a
//! decision file is a message and never the record. No process of a session can make one: the directory is rescind's
//! own, and the commands that decide refuse inside a session.
//!
//! `holds/ACTION.hold` is the hold, `holds/ACTION.by-PERSON` a decision, `holds/ACTION.closed` how it ended. What is over
//! lies there for a day, so that a late decision can be told why it comes too late, and is then swept away: the record has
//! it all.

mod error;
mod files;
mod lesson;
mod open;
mod pattern;
mod preview;
mod sweep;
mod tiers;
mod watch;

pub use error::HoldError;
pub use lesson::{AlwaysForm, Instead, Lesson};
pub use open::{HoldFilter, HoldList, OpenHolds};
pub use pattern::{OpenWord, Pattern, PatternError, split};
pub use preview::{PathForm, PreviewForm};
pub use sweep::KEPT_AFTER;
pub use tiers::{Tier, TierForm, Tiers, USUAL_WAIT, after};

use crate::journal::JudgedForm;
use crate::{lives, now, own};
use rescind_model::{Level, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use watch::Looked;

/// An action that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldForm {
    /// The form's version: 1.
    pub v: u32,
    /// The action, `SESSION.NUMBER`.
    pub action: String,
    /// The agent's name.
    pub agent: String,
    /// Who started the session.
    pub requester: String,
    /// The command line, redacted.
    pub argv: Vec<String>,
    /// The working directory.
    pub cwd: String,
    /// The session's domain; empty for none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub domain: String,
    /// The session's environment; empty where it was not given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub environment: String,
    /// Since when it waits, RFC 3339.
    pub since: String,
    /// When it is denied, RFC 3339.
    pub expires: String,
    /// What was judged, and why it is held.
    pub judged: JudgedForm,
    /// The digest of all that an approval is bound to: the exact arguments, environment, working directory, program
    /// file, and policy version.
    pub digest: String,
    /// The process that waits, as [`crate::clock::process_mark`].
    pub waiter: String,
    /// Whether policies alone hold it, so that a rule learned from an approval could answer for it again.
    #[serde(default)]
    pub learnable: bool,
    /// Who is asked, one after the other; empty: anybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierForm>,
    /// Why the agent says it does this, where it said so. Its word, and no evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<String>,
    /// What it names, as it was when it was shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<PreviewForm>,
    /// How often that had changed when an approval came, so that it is shown anew.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub moved: u32,
}

/// What a person said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionForm {
    /// `approve` or `reject`.
    pub decision: Decision,
    /// Who.
    pub person: String,
    /// When, RFC 3339.
    pub at: String,
    /// The digest of what they saw.
    pub digest: String,
    /// What they want the agent to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether, and until when, the same may run again without asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<AlwaysForm>,
    /// What may run instead, once; the action itself does not run then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<Vec<String>>,
}

/// The two things one can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// It may run, this once.
    Approve,
    /// It may not.
    Reject,
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosedForm {
    /// `approved`, `changed`, `rejected`, `expired` or `void`.
    pub how: Closed,
    /// When, RFC 3339.
    pub at: String,
    /// The decisions it rests on.
    pub decisions: Vec<DecisionForm>,
}

/// The ends of a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Closed {
    /// It ran.
    Approved,
    /// It did not run; what a person wants instead may, once.
    Changed,
    /// A person said no.
    Rejected,
    /// Nobody said anything in time: denied.
    Expired,
    /// Whoever waited for it is gone: nothing runs.
    Void,
}

impl Closed {
    /// Its name in records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Changed => "changed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Void => "void",
        }
    }
}

/// A hold with what was said so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// What waits.
    pub form: HoldForm,
    /// What people said, oldest first.
    pub decisions: Vec<DecisionForm>,
}

/// The holds of a state directory.
#[derive(Debug, Clone)]
pub struct Holds {
    directory: PathBuf,
    domain: String,
    environment: String,
    /// What [`Holds::look`] knows.
    looked: Arc<Mutex<Looked>>,
}

impl Holds {
    /// Those in this directory, which need not be there yet.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self {
            looked: Arc::new(Mutex::new(Looked::at(directory.clone()))),
            directory,
            domain: String::new(),
            environment: String::new(),
        }
    }

    /// The same for a session of this domain and environment: holds that it opens say so.
    #[must_use]
    pub fn of_session(mut self, domain: &str, environment: &str) -> Self {
        domain.clone_into(&mut self.domain);
        environment.clone_into(&mut self.environment);
        self
    }

    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    fn fail(&self, source: io::Error) -> HoldError {
        HoldError::Directory {
            path: self.directory.display().to_string(),
            source,
        }
    }

    fn path(&self, action: &str, ending: &str) -> PathBuf {
        self.directory.join(format!("{action}.{ending}"))
    }

    /// Open a hold. For the supervisor whose action it is.
    ///
    /// # Errors
    /// [`HoldError::Directory`]: nobody could decide it, so the action may not run.
    pub fn open(&self, form: &HoldForm) -> Result<(), HoldError> {
        own::folder(&self.directory).map_err(|error| self.fail(error))?;
        let target = self.path(&form.action, "hold");
        let placed = if form.domain.is_empty() && form.environment.is_empty() {
            let form = HoldForm {
                domain: self.domain.clone(),
                environment: self.environment.clone(),
                ..form.clone()
            };
            place(&form, &target)
        } else {
            place(form, &target)
        };
        placed.map_err(|error| self.fail(error))
    }

    /// All that wait now, oldest first; those whose waiter died are left out.
    ///
    /// # Errors
    /// [`HoldError::Directory`].
    pub fn waiting(&self) -> Result<Vec<Hold>, HoldError> {
        let all = files::scan(&self.directory).map_err(|error| self.fail(error))?;
        let mut alive: HashMap<String, bool> = HashMap::new();
        let mut holds = Vec::new();
        for (action, files) in all.iter().filter(|(_, files)| files.is_open()) {
            let read = files::read(&self.directory, action, files).map_err(|error| self.fail(error))?;
            let Some(hold) = read else { continue };
            let waiter = hold.form.waiter.clone();
            if *alive.entry(waiter).or_insert_with_key(|waiter| lives(waiter)) {
                holds.push(hold);
            }
        }
        holds.sort_by(|one, other| {
            (&one.form.since, &one.form.action).cmp(&(&other.form.since, &other.form.action))
        });
        Ok(holds)
    }

    /// One hold, whether it is over or not.
    ///
    /// # Errors
    /// It can't be read.
    pub fn read(&self, action: &str) -> io::Result<Option<Hold>> {
        let Some(form) = read_form::<HoldForm>(&self.path(action, "hold"))? else {
            return Ok(None);
        };
        Ok(Some(Hold {
            form,
            decisions: self.decisions(action)?,
        }))
    }

    /// The same as [`Holds::read`] for whoever asks again and again: read only where something of it changed since.
    ///
    /// # Errors
    /// It can't be read.
    pub fn look(&self, action: &str) -> io::Result<Option<Hold>> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.at_hold(action)
    }

    /// How a hold ended, if it did.
    #[must_use]
    pub fn closed(&self, action: &str) -> Option<ClosedForm> {
        read_form(&self.path(action, "closed")).ok().flatten()
    }

    /// What people said about a hold.
    ///
    /// # Errors
    /// It can't be read.
    pub fn decisions(&self, action: &str) -> io::Result<Vec<DecisionForm>> {
        let mut found: Vec<DecisionForm> = Vec::new();
        let start = format!("{action}.by-");
        for entry in fs::read_dir(&self.directory)?.flatten() {
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.starts_with(&start))
                && let Some(decision) = read_form(&entry.path())?
            {
                found.push(decision);
            }
        }
        found.sort_by(|one, other| one.at.cmp(&other.at));
        Ok(found)
    }

    /// Decide. `separate`: the requester may not approve.
    ///
    /// # Errors
    /// [`HoldError`], each for its own reason; nothing was decided then.
    pub fn decide(&self, action: &str, said: &DecisionForm) -> Result<Hold, HoldError> {
        let hold = self.read(action).map_err(|error| self.fail(error))?;
        let name = || action.to_owned();
        let hold = hold.ok_or_else(|| HoldError::Unknown { action: name() })?;
        if let Some(closed) = self.closed(action) {
            return Err(HoldError::Over {
                action: name(),
                how: closed.how.name(),
                at: closed.at,
            });
        }
        if !lives(&hold.form.waiter) {
            return Err(HoldError::Void { action: name() });
        }
        if hold.form.is_expired(now()) {
            return Err(HoldError::Expired {
                action: name(),
                at: hold.form.expires,
            });
        }
        if said.digest != hold.form.digest {
            return Err(HoldError::Changed { action: name() });
        }
        if !hold.form.may_decide(&said.person) {
            return Err(HoldError::Tier {
                action: name(),
                person: said.person.clone(),
                deciders: hold.form.deciders(),
            });
        }
        let approves = said.decision == Decision::Approve;
        if approves && hold.form.judged.persons > 1 && said.person == hold.form.requester {
            return Err(HoldError::Requester {
                action: name(),
                person: said.person.clone(),
            });
        }
        let target = self.path(action, &format!("by-{}", said.person));
        match bytes(said).and_then(|bytes| own::put_new(&target, &bytes)) {
            Ok(()) => Ok(hold),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                // What they said of something else that was shown before counts for nothing any more.
                let before = read_form::<DecisionForm>(&target).map_err(|error| self.fail(error))?;
                if before.is_some_and(|before| before.digest == said.digest) {
                    return Err(HoldError::Again {
                        action: name(),
                        person: said.person.clone(),
                    });
                }
                place(said, &target).map_err(|error| self.fail(error))?;
                Ok(hold)
            }
            Err(error) => Err(self.fail(error)),
        }
    }

    /// Close a hold: no later decision counts. For the supervisor whose action it is.
    ///
    /// # Errors
    /// [`HoldError::Directory`].
    pub fn close(&self, action: &str, closed: &ClosedForm) -> Result<(), HoldError> {
        place(closed, &self.path(action, "closed")).map_err(|error| self.fail(error))
    }
}

fn bytes<T: Serialize>(form: &T) -> io::Result<Vec<u8>> {
    Ok(serde_json::to_vec(form)?)
}

fn place<T: Serialize>(form: &T, target: &Path) -> io::Result<()> {
    own::put(target, &bytes(form)?, Level::Process)
}

impl ClosedForm {
    /// What may run instead: the change that the decision rests on.
    #[must_use]
    pub fn instead(&self) -> Option<&[String]> {
        let said = self
            .decisions
            .iter()
            .filter(|said| said.decision == Decision::Approve);
        let mut changes: Vec<&Vec<String>> = said.filter_map(|said| said.change.as_ref()).collect();
        // The one that most agreed on; by the time it is closed that is the one that counted.
        changes.sort_by_key(|change| changes_like(&self.decisions, change));
        (self.how == Closed::Changed).then(|| changes.pop().map(Vec::as_slice))?
    }
}

fn changes_like(decisions: &[DecisionForm], change: &[String]) -> usize {
    decisions
        .iter()
        .filter(|said| said.change.as_deref() == Some(change))
        .count()
}

impl HoldForm {
    /// Whether its time is up.
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires
            .parse::<Timestamp>()
            .is_ok_and(|expires| expires <= now)
    }
}

impl Hold {
    /// What the decisions so far come to, for what has this digest; `None` while more is needed.
    #[must_use]
    pub fn outcome(&self, digest: &str) -> Option<Closed> {
        let counts = |said: &&DecisionForm| said.digest == digest && self.form.may_decide(&said.person);
        let bound = || self.decisions.iter().filter(counts);
        if bound().any(|said| said.decision == Decision::Reject) {
            return Some(Closed::Rejected);
        }
        // Two persons approve where both want the same: as it is, or the same instead.
        let approvals: Vec<_> = bound().map(|said| &said.change).collect();
        let wanted = approvals.iter().find(|change| {
            let same = approvals.iter().filter(|other| other == change).count();
            same >= usize::from(self.form.judged.persons.max(1))
        })?;
        Some(if wanted.is_some() {
            Closed::Changed
        } else {
            Closed::Approved
        })
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn read_form<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod open_tests;
#[cfg(test)]
mod tests;
