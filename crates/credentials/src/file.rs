//! `credentials.toml`: which credentials a session can be given, and a person's own issuers.

use crate::step::placeholders;
use crate::{CredentialError, Issuer, Issuers, KNOWN, Values};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A credential that a session can be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its name in the file.
    pub name: String,
    /// The name of its issuer.
    pub issuer_name: String,
    /// Its issuer, with the credential's own variables and files.
    pub issuer: Issuer,
    /// What it says in `with`, and the issuer's defaults.
    pub values: Values,
    /// How long it is for, as the file has it.
    pub duration: Option<String>,
}

/// All that a file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    credentials: BTreeMap<String, Credential>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    credential: BTreeMap<String, CredentialForm>,
    #[serde(default)]
    issuer: BTreeMap<String, Issuer>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CredentialForm {
    issuer: String,
    duration: Option<String>,
    #[serde(default)]
    with: Values,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
}

impl Credentials {
    /// From a file's text.
    ///
    /// # Errors
    /// It is not of its form, or contradicts itself.
    pub fn parse(file: &str, text: &str) -> Result<Self, CredentialError> {
        let form: FileForm = toml::from_str(text).map_err(|error| CredentialError::Form {
            file: file.to_owned(),
            why: error.to_string().trim_end().to_owned(),
        })?;
        let issuers = Issuers::with(form.issuer)?;
        let mut credentials = BTreeMap::new();
        for (name, form) in form.credential {
            let credential = form.credential(&name, &issuers);
            let credential = credential.map_err(|why| CredentialError::Credential {
                credential: name.clone(),
                why,
            })?;
            credentials.insert(name, credential);
        }
        Ok(Self { credentials })
    }

    /// One of them.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn get(&self, name: &str) -> Result<&Credential, CredentialError> {
        self.credentials.get(name).ok_or_else(|| {
            let names: Vec<String> = self.credentials.keys().map(|name| format!("`{name}`")).collect();
            CredentialError::Unknown {
                asked: name.to_owned(),
                known: match names.as_slice() {
                    [] => "are none".to_owned(),
                    [one] => format!("is {one}"),
                    many => format!("are {}", many.join(", ")),
                },
            }
        })
    }
}

impl CredentialForm {
    fn credential(self, name: &str, issuers: &Issuers) -> Result<Credential, String> {
        let plain =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        if name.is_empty() || name.len() > 32 || !name.bytes().all(plain) {
            return Err("its name has 1 to 32 lower-case letters, digits, `-` and `_`".to_owned());
        }
        let mut issuer = issuers.get(&self.issuer).cloned().ok_or_else(|| {
            let known: Vec<&str> = issuers.names().collect();
            format!(
                "there is no issuer `{}`: there are {}",
                self.issuer,
                known.join(", ")
            )
        })?;
        if let Some(name) = issuer.needs.iter().find(|name| !self.with.contains_key(*name)) {
            return Err(format!("its issuer needs `{name}` in `with`"));
        }
        let known = |name: &String| issuer.needs.contains(name) || issuer.defaults.contains_key(name);
        if let Some(name) = self.with.keys().find(|name| !known(name)) {
            return Err(format!("its issuer knows no `{name}`"));
        }
        for text in self.env.values().chain(self.files.values()) {
            let unknown = |name: &&str| {
                let owned = (*name).to_owned();
                !(KNOWN.contains(name)
                    || known(&owned)
                    || issuer.is_secret(name)
                    || issuer.public.contains_key(*name))
            };
            if let Some(name) = placeholders(text).into_iter().find(unknown) {
                return Err(format!("nothing gives `{{{name}}}` a value"));
            }
        }
        let mut values = issuer.defaults.clone();
        values.extend(self.with);
        issuer.env.extend(self.env);
        issuer.files.extend(self.files);
        let is_name = |name: &String| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if let Some(name) = issuer
            .env
            .keys()
            .chain(issuer.files.keys())
            .find(|name| !is_name(name))
        {
            return Err(format!("`{name}` is no name of a variable"));
        }
        Ok(Credential {
            name: name.to_owned(),
            issuer_name: self.issuer,
            issuer,
            values,
            duration: self.duration,
        })
    }
}
