//! One command of an issuer, and what its answer says.

use crate::{CredentialError, Values};
use regex::Regex;
use rescind_catalog::{Template, fill_text};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A command: words with placeholders, never a text for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The command line, quoted as for a shell. No secret may stand in it: every process of the machine can read it.
    pub run: String,
    /// What it reads on standard input, with placeholders.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub input: String,
    /// Variables, with placeholders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Whether its failure is only told: what it does is tidying.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tidies: bool,
}

/// A command that tells whether a credential still works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The command.
    #[serde(flatten)]
    pub step: Step,
    /// A regular expression; what the command prints fits it only if the credential does not work.
    pub dead: String,
    /// One that it fits only if it does.
    pub live: String,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It does not work.
    Dead,
    /// It works.
    Live,
    /// Neither can be said: no answer, or one that nobody expected.
    Unclear,
}

/// A command that can be run.
#[derive(Clone, PartialEq, Eq)]
pub struct Ready {
    /// The words.
    pub argv: Vec<String>,
    /// For its standard input.
    pub input: String,
    /// Variables besides those that are there.
    pub env: Vec<(String, String)>,
}

impl std::fmt::Debug for Ready {
    /// Without what may hold a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ready")
            .field("argv", &self.argv)
            .finish_non_exhaustive()
    }
}

impl Step {
    /// With all placeholders filled.
    ///
    /// # Errors
    /// One of them has no value.
    pub fn ready(&self, values: &Values) -> Result<Ready, CredentialError> {
        let missing = |name: &str| CredentialError::Missing {
            name: name.to_owned(),
            what: self.run.clone(),
        };
        let template = Template::new(&self.run).map_err(|error| CredentialError::Issuer {
            issuer: self.run.clone(),
            why: error.to_string(),
        })?;
        let filled = template.fill(values, |_| false);
        if let Some(name) = filled.missing.first() {
            return Err(missing(name));
        }
        let text = |text: &str| {
            fill_text(text, values).ok_or_else(|| {
                let unfilled = placeholders(text)
                    .into_iter()
                    .find(|name| !values.contains_key(*name));
                missing(unfilled.unwrap_or_default())
            })
        };
        let env = self
            .env
            .iter()
            .map(|(name, value)| Ok((name.clone(), text(value)?)));
        Ok(Ready {
            argv: filled.argv,
            input: text(&self.input)?,
            env: env.collect::<Result<_, CredentialError>>()?,
        })
    }

    /// Its program, for messages.
    #[must_use]
    pub fn program(&self) -> &str {
        self.run.split_whitespace().next().unwrap_or_default()
    }

    /// The placeholders on its command line.
    ///
    /// # Errors
    /// It is no command.
    pub(crate) fn on_command_line(&self) -> Result<Vec<String>, String> {
        let template = Template::new(&self.run).map_err(|error| error.to_string())?;
        Ok(template.placeholders().map(str::to_owned).collect())
    }

    /// All of its placeholders.
    pub(crate) fn placeholders(&self) -> Result<Vec<String>, String> {
        let mut names = self.on_command_line()?;
        for text in self.env.values().chain([&self.input]) {
            names.extend(placeholders(text).into_iter().map(str::to_owned));
        }
        Ok(names)
    }
}

impl Check {
    /// What an answer says: standard output and standard error together.
    #[must_use]
    pub fn finding(&self, printed: &str) -> Finding {
        let fits = |pattern: &str| Regex::new(pattern).is_ok_and(|regex| regex.is_match(printed));
        match (fits(&self.dead), fits(&self.live)) {
            (true, false) => Finding::Dead,
            (false, true) => Finding::Live,
            _ => Finding::Unclear,
        }
    }
}

/// The placeholders of a text.
pub(crate) fn placeholders(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('{') {
        rest = behind;
        if let Some((name, after)) = behind.split_once('}')
            && !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        {
            names.push(name);
            rest = after;
        }
    }
    names
}
