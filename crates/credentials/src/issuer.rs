//! Issuers: those that are shipped, and a person's own.

use crate::step::placeholders;
use crate::{Check, CredentialError, Step, Values};
use regex::Regex;
use rescind_catalog::{Capture, CaptureFrom, take};
use serde::Deserialize;
use std::collections::BTreeMap;

/// How a kind of credential is issued, revoked and proved dead.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What a credential has to say in `with`.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What it may say, and what is taken where it does not.
    #[serde(default)]
    pub defaults: BTreeMap<String, String>,
    /// Secrets that are made here: how many letters and digits each has.
    #[serde(default)]
    pub generate: BTreeMap<String, usize>,
    /// Secrets that the last command of `issue` prints.
    #[serde(default)]
    pub secret: BTreeMap<String, Capture>,
    /// What else it prints that is no secret: it is kept with the record.
    #[serde(default)]
    pub public: BTreeMap<String, Capture>,
    /// Issue it.
    pub issue: Vec<Step>,
    /// Revoke it, also where nobody knows whether it was issued, and more than once.
    pub revoke: Vec<Step>,
    /// Tell whether it works: it is dead when all of them say so.
    #[serde(default)]
    pub check: Vec<Check>,
    /// Why none can tell, where none can.
    #[serde(default)]
    pub unproved: String,
    /// For how long after its revocation a credential may still work, in seconds.
    #[serde(default = "settles")]
    pub settles: u64,
    /// Variables of the session.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Files of the session: the variable that names the file, and what is in it.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
}

/// What every issuer can ask for: the session, the credential as the file has it, a name of its own in letters that a
/// database takes and in those that a host's name has, the duration in seconds, its end, and the time now.
pub const KNOWN: [&str; 7] = [
    "session",
    "credential",
    "name",
    "dns_name",
    "seconds",
    "until",
    "now",
];
/// How long a generated secret may be.
pub const GENERATED: std::ops::RangeInclusive<usize> = 16..=128;
/// The longest that a revocation may take to be seen, in seconds.
const LONGEST: u64 = 300;

const SHIPPED: [(&str, &str); 3] = [
    ("postgres", include_str!("../issuers/postgres.toml")),
    ("kubernetes", include_str!("../issuers/kubernetes.toml")),
    ("aws-sts", include_str!("../issuers/aws-sts.toml")),
];

fn settles() -> u64 {
    10
}

/// Issuers by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuers(BTreeMap<String, Issuer>);

impl Issuers {
    /// The shipped ones, with a person's own, which may not have their names.
    ///
    /// # Errors
    /// One of them contradicts itself.
    pub fn with(own: BTreeMap<String, Issuer>) -> Result<Self, CredentialError> {
        let mut all = BTreeMap::new();
        for (name, text) in SHIPPED {
            let issuer: Issuer = toml::from_str(text).map_err(|error| CredentialError::Form {
                file: name.to_owned(),
                why: error.to_string(),
            })?;
            all.insert(name.to_owned(), issuer);
        }
        for (name, issuer) in own {
            if all.contains_key(&name) {
                return Err(CredentialError::Issuer {
                    issuer: name,
                    why: "one of that name is shipped".to_owned(),
                });
            }
            all.insert(name, issuer);
        }
        for (name, issuer) in &all {
            issuer.lint().map_err(|why| CredentialError::Issuer {
                issuer: name.clone(),
                why,
            })?;
        }
        Ok(Self(all))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Issuer> {
        self.0.get(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl Issuer {
    /// Whether a value of this name must stay unseen.
    #[must_use]
    pub fn is_secret(&self, name: &str) -> bool {
        self.generate.contains_key(name) || self.secret.contains_key(name)
    }

    /// What the last command of `issue` printed, as values: the public ones, and the secrets.
    ///
    /// # Errors
    /// One is not there. The error holds nothing of what was printed.
    pub fn taken(&self, printed: &str) -> Result<(Values, Values), CredentialError> {
        let both = [&self.public, &self.secret].map(|captures| {
            let mut bound = Values::new();
            for from in [CaptureFrom::PreCapture, CaptureFrom::Result] {
                take(captures, from, printed, &mut bound).map_err(|error| CredentialError::Taken {
                    why: error.to_string(),
                })?;
            }
            if let Some((name, _)) = bound.iter().find(|(_, value)| value.is_empty()) {
                return Err(CredentialError::Taken {
                    why: format!("`{name}` is empty"),
                });
            }
            Ok(bound)
        });
        let [public, secret] = both;
        Ok((public?, secret?))
    }

    fn lint(&self) -> Result<(), String> {
        if self.issue.is_empty() || self.revoke.is_empty() {
            return Err("it needs at least one command in `issue` and in `revoke`".to_owned());
        }
        if self.check.is_empty() && self.unproved.is_empty() {
            return Err("it has no `check`: say in `unproved` why a revocation can't be proved".to_owned());
        }
        if self.settles > LONGEST {
            return Err(format!("`settles` is at most {LONGEST} seconds"));
        }
        if let Some((name, _)) = self
            .generate
            .iter()
            .find(|(_, length)| !GENERATED.contains(length))
        {
            return Err(format!(
                "the generated `{name}` has to have {GENERATED:?} letters"
            ));
        }
        let given = |name: &str| {
            KNOWN.contains(&name)
                || self.needs.iter().any(|own| own == name)
                || self.defaults.contains_key(name)
                || self.generate.contains_key(name)
        };
        let printed = |name: &str| self.secret.contains_key(name) || self.public.contains_key(name);
        let checks = self.check.iter().map(|check| (&check.step, true));
        let steps = self.issue.iter().map(|step| (step, false));
        let steps = steps
            .chain(self.revoke.iter().map(|step| (step, true)))
            .chain(checks);
        for (step, after) in steps {
            if let Some(name) = step.on_command_line()?.iter().find(|name| self.is_secret(name)) {
                return Err(format!(
                    "the secret `{name}` stands on the command line `{}`, which every process can read: give it by \
                     `input` or `env`",
                    step.run
                ));
            }
            let unknown = |name: &&String| !(given(name) || after && printed(name));
            if let Some(name) = step.placeholders()?.iter().find(unknown) {
                return Err(format!("nothing gives `{{{name}}}` in `{}` a value", step.run));
            }
        }
        for check in &self.check {
            for pattern in [&check.dead, &check.live] {
                Regex::new(pattern).map_err(|error| error.to_string())?;
            }
        }
        for text in self.env.values().chain(self.files.values()) {
            if let Some(name) = placeholders(text)
                .into_iter()
                .find(|name| !given(name) && !printed(name))
            {
                return Err(format!("nothing gives `{{{name}}}` a value"));
            }
        }
        Ok(())
    }
}
