//! Rules learned from approvals, kept in a directory that all sessions share (docs/formats/learned.md).
//!
//! A rule answers for the persons who gave it, where the very question that they answered is asked again: by the same
//! policies, about a command that is what was shown in every respect that could lead it elsewhere (words, program,
//! folder, environment, the files it names). Whatever the rule, a denial, a freeze, a limit, a halted session and a hold
//! for more persons stand.

mod surroundings;

pub use surroundings::Surroundings;

use crate::learned::surroundings::Bound;
use rescind_model::{Level, SessionId, Timestamp};
use rescind_policy::{Grant, Granting, Proposal, Reach, Session};
use rescind_supervisor::holds::{Instead, Lesson, Pattern};
use rescind_supervisor::{now, own, salt};
use serde::{Deserialize, Serialize};
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

/// More rules than this are not kept.
const MOST: usize = 1_000;
/// A larger file is no rule.
const MOST_BYTES: u64 = 4 << 20;
/// A file of uses does not grow beyond this; it is no record, which the sessions' journals are.
const MOST_USES: u64 = 1 << 20;
/// A rule can stand for so long at most: 90 days, in ns.
pub const LONGEST: i64 = 90 * 24 * 3_600 * 1_000_000_000;
const DAY: i64 = 24 * 3_600 * 1_000_000_000;
/// Rules are shown for so long after their end: 7 days, in ns.
const SHOWN: i64 = 7 * 24 * 3_600 * 1_000_000_000;
const VERSION: u32 = 1;

/// The rules of a state directory.
#[derive(Debug, Clone)]
pub struct LearnedRules {
    directory: PathBuf,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learned {
    /// What it permits to whom; its id is the action it was learned from.
    pub grant: Grant,
    /// The session it was learned in.
    pub session: SessionId,
    /// When.
    pub at: Timestamp,
    /// The command as it was shown, redacted.
    pub shown: Vec<String>,
    /// The command with a `*` for what may be another, where anything may.
    pub pattern: Option<String>,
    /// The folder it is given in.
    pub cwd: String,
    /// The digest of the policies that asked.
    pub policy: String,
    /// Only within this session of a client, `CLIENT:SESSION`, each of whose calls is a session here.
    pub within: Option<String>,
    /// Whether it is used up by its first use.
    pub once: bool,
    /// To what it is bound.
    bound: Bound,
}

/// How often a rule was used.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Uses {
    /// So often, or more often where `more`.
    pub count: u64,
    /// Whether it was used more often than is counted.
    pub more: bool,
    /// The last use that was counted: action and time.
    pub last: Option<(String, String)>,
}

/// Why rules can't be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum LearnedError {
    /// The directory.
    #[error("the learned rules in `{path}` can't be used: nothing runs by them")]
    Directory {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// There are too many.
    #[error(
        "there are {MOST} learned rules already, and no more are kept: `rescind policy forget` takes one back"
    )]
    TooMany,
    /// It would be wider than what was shown.
    #[error("no rule was learned: {why}")]
    Wider {
        /// In what.
        why: String,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    v: u32,
    session: String,
    at: String,
    shown: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    cwd: String,
    policy: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    once: bool,
    bound: Bound,
    grant: serde_json::Value,
}

impl Learned {
    /// The rule that follows from an approval.
    ///
    /// # Errors
    /// [`LearnedError::Wider`]: the pattern is not about what was shown, or names a word of which a part was not shown.
    pub fn of(
        lesson: &Lesson,
        proposal: &Proposal,
        session: &Session,
        around: &Surroundings,
        policy: &str,
    ) -> Result<Self, LearnedError> {
        let wider = |why: String| LearnedError::Wider { why };
        let pattern = lesson.pattern.as_deref();
        let pattern = pattern.map(|text| Pattern::parse(text, &lesson.shown));
        let open = match pattern.transpose().map_err(|error| wider(error.to_string()))? {
            Some(pattern) => pattern.open().to_vec(),
            None => Vec::new(),
        };
        let shown = |at: usize| lesson.shown.get(at) == around.argv.get(at);
        if lesson.shown.len() != around.argv.len() || open.iter().any(|word| !shown(word.at)) {
            return Err(wider(
                "the pattern names a word that was not shown whole".to_owned(),
            ));
        }
        let reach = if open.is_empty() {
            Reach::Exact
        } else {
            Reach::Words
        };
        let latest = Timestamp(now().0.saturating_add(LONGEST));
        let until = lesson.until.min(latest);
        let mut grant = Grant::learned(&*lesson.action, proposal, session, reach, until);
        if !lesson.session {
            grant = grant.for_agent();
        }
        grant.persons.clone_from(&lesson.persons);
        grant.groups.extend(lesson.groups.iter().cloned());
        Ok(Self {
            grant,
            session: session.id.clone(),
            at: now(),
            shown: lesson.shown.clone(),
            pattern: lesson.pattern.clone(),
            cwd: around.cwd.clone(),
            policy: policy.to_owned(),
            within: None,
            once: false,
            bound: Bound::to(around, open, salt()),
        })
    }

    /// A command that may run once in this session instead of another: as people gave it.
    #[must_use]
    pub fn instead(
        instead: &Instead,
        proposal: &Proposal,
        session: &Session,
        around: &Surroundings,
        policy: &str,
    ) -> Self {
        // A shell may be given it as a text: then it is the same kind of action, by other words.
        let mut grant = Grant::learned(&*instead.action, proposal, session, Reach::Words, instead.until);
        grant.persons.clone_from(&instead.persons);
        grant.groups.extend(instead.groups.iter().cloned());
        Self {
            grant,
            session: session.id.clone(),
            at: now(),
            shown: Vec::new(),
            pattern: None,
            cwd: around.cwd.clone(),
            policy: policy.to_owned(),
            within: None,
            once: true,
            bound: Bound::to(around, Vec::new(), salt()),
        }
    }

    /// The same, for all calls of a client's session, which are sessions here: for a day at most.
    #[must_use]
    pub fn within(mut self, client: Option<&str>) -> Self {
        if let (Some(client), Granting::Session(_)) = (client, &self.grant.granting) {
            self.within = Some(client.to_owned());
            self.grant = self.grant.for_agent();
            self.grant.until = self.grant.until.min(Timestamp(now().0.saturating_add(DAY)));
        }
        self
    }

    /// Whether it is about a command in these surroundings, asked about by these policies, in a client's session. What may
    /// run once is also what a shell is given the very words of.
    #[must_use]
    pub fn is_about(&self, around: &Surroundings, policy: &str, client: Option<&str>) -> bool {
        let here = self.within.is_none() || self.within.as_deref() == client;
        let same = self.bound.holds(around) || self.once && self.bound.holds_as_script(around);
        here && self.policy == policy && same
    }

    fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let grant = self.grant.to_json().map_err(io::Error::other)?;
        let form = Form {
            v: VERSION,
            session: self.session.to_string(),
            at: self.at.to_string(),
            shown: self.shown.clone(),
            pattern: self.pattern.clone(),
            cwd: self.cwd.clone(),
            policy: self.policy.clone(),
            within: self.within.clone(),
            once: self.once,
            bound: self.bound.clone(),
            grant: serde_json::from_str(&grant)?,
        };
        Ok(serde_json::to_vec(&form)?)
    }

    /// A file that is not what was written is no rule.
    fn read(bytes: &[u8]) -> Option<Self> {
        let form: Form = serde_json::from_slice(bytes).ok()?;
        (form.v == VERSION).then_some(())?;
        Some(Self {
            grant: Grant::from_json(&form.grant.to_string()).ok()?,
            session: form.session.parse().ok()?,
            at: form.at.parse().ok()?,
            shown: form.shown,
            pattern: form.pattern,
            cwd: form.cwd,
            policy: form.policy,
            within: form.within,
            once: form.once,
            bound: form.bound,
        })
    }
}

impl LearnedRules {
    /// Those of this directory, which need not be there yet.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    fn fail(&self, source: io::Error) -> LearnedError {
        LearnedError::Directory {
            path: self.directory.clone(),
            source,
        }
    }

    fn path(&self, id: &str, ending: &str) -> PathBuf {
        self.directory.join(format!("{id}.{ending}"))
    }

    /// All of them, oldest first. What can't be read as a rule is none.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn all(&self) -> Result<Vec<Learned>, LearnedError> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.fail(error)),
        };
        let mut rules = Vec::new();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(id) = name.to_str().and_then(|name| name.strip_suffix(".rule")) else {
                continue;
            };
            let is_rule = entry
                .metadata()
                .is_ok_and(|found| found.is_file() && found.len() <= MOST_BYTES);
            let bytes = is_rule.then(|| fs::read(entry.path()).ok()).flatten();
            let rule = bytes.and_then(|bytes| Learned::read(&bytes));
            rules.extend(rule.filter(|rule| rule.grant.id == id));
        }
        rules.sort_by_key(|rule| (rule.at, rule.grant.id.clone()));
        Ok(rules)
    }

    /// Those that are about a command. None where they can't be read: then it is asked about.
    #[must_use]
    pub fn about(&self, around: &Surroundings, policy: &str, client: Option<&str>) -> Vec<Learned> {
        let mut rules = self.all().unwrap_or_default();
        rules.retain(|rule| rule.is_about(around, policy, client));
        rules
    }

    /// Take a rule that can be used once, so that nobody else can. Whether it was still there.
    #[must_use]
    pub fn claim(&self, id: &str) -> bool {
        let (own, spent) = (self.path(id, "rule"), self.path(id, "spent"));
        fs::rename(own, &spent).is_ok() && fs::remove_file(spent).is_ok()
    }

    /// Keep a rule, whole or not at all.
    ///
    /// # Errors
    /// It can't be kept.
    pub fn keep(&self, rule: &Learned) -> Result<(), LearnedError> {
        own::folder(&self.directory).map_err(|error| self.fail(error))?;
        let old = Timestamp(now().0.saturating_sub(SHOWN));
        let rules = self.all()?;
        for gone in rules.iter().filter(|rule| rule.grant.until < old) {
            self.remove(&gone.grant.id)?;
        }
        if rules.iter().filter(|rule| rule.grant.until >= old).count() >= MOST {
            return Err(LearnedError::TooMany);
        }
        let path = self.path(&rule.grant.id, "rule");
        let placed = rule
            .to_bytes()
            .and_then(|bytes| own::put(&path, &bytes, Level::Power));
        placed.map_err(|error| self.fail(error))
    }

    /// Take a rule back. Whoever judges next does not find it.
    ///
    /// # Errors
    /// It can't be removed.
    pub fn remove(&self, id: &str) -> Result<(), LearnedError> {
        for ending in ["rule", "uses"] {
            match fs::remove_file(self.path(id, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(self.fail(error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// The rules that held for a session are over with it.
    pub fn session_over(&self, session: &SessionId) {
        for rule in self.all().unwrap_or_default() {
            if rule.grant.granting == Granting::Session(session.clone()) {
                let _it_names_a_session_that_is_over = self.remove(&rule.grant.id);
            }
        }
    }

    /// Count a use: an action that ran by it. The record has it; this only makes it quick to tell.
    pub fn used(&self, id: &str, action: &str) {
        let path = self.path(id, "uses");
        let full = path.metadata().is_ok_and(|found| found.len() >= MOST_USES);
        if full || !self.path(id, "rule").exists() {
            return;
        }
        let mut options = OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600).open(path);
        let line = format!("{action} {}\n", now());
        let _the_record_has_it = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }

    /// How often a rule was used.
    #[must_use]
    pub fn uses(&self, id: &str) -> Uses {
        let text = fs::read_to_string(self.path(id, "uses")).unwrap_or_default();
        let last = text.lines().last().and_then(|line| line.split_once(' '));
        Uses {
            count: text.lines().count() as u64,
            more: text.len() as u64 >= MOST_USES,
            last: last.map(|(action, at)| (action.to_owned(), at.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests;
