//! What is set about a provider.

use crate::grants::{Grant, Grants};
use crate::oidc::OidcError;
use crate::secret::Secret;
use openidconnect::url::{Host, Url};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// A provider: `[oidc]` in the configuration file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// Its issuer, exactly as it names itself.
    pub issuer: String,
    /// What we are called there.
    pub client_id: String,
    /// Our secret there; none for a public client. Never in the file itself: whoever reads the configuration puts it in.
    #[serde(skip)]
    pub client_secret: Option<Secret>,
    /// Where it sends people back to: `https://HOST/…`.
    pub redirect: String,
    /// A file with the certificates, in PEM form, that the provider's is signed by; without it those that browsers trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What is asked for besides `openid`.
    #[serde(default = "scopes")]
    pub scopes: Vec<String>,
    /// The claim that a person's name comes from.
    #[serde(default = "name_claim")]
    pub name_claim: String,
    /// The claim with the groups.
    #[serde(default = "groups_claim")]
    pub groups_claim: String,
    /// Who gets what: `[[oidc.grant]]`.
    #[serde(default, rename = "grant")]
    pub grants: Vec<GrantRule>,
}

/// What a group, or any other claim with a value, grants: `group = "sre"` or `claim = "department"` with `value = "sre"`,
/// then `role` and `domain`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "RuleForm")]
pub struct GrantRule {
    /// `None` is the claim with the groups.
    claim: Option<String>,
    value: String,
    grant: Grant,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleForm {
    group: Option<String>,
    claim: Option<String>,
    value: Option<String>,
    role: String,
    domain: String,
}

fn scopes() -> Vec<String> {
    ["profile", "email", "groups"].map(str::to_owned).to_vec()
}

fn name_claim() -> String {
    "preferred_username".to_owned()
}

fn groups_claim() -> String {
    "groups".to_owned()
}

impl GrantRule {
    /// What a group grants.
    #[must_use]
    pub fn group(name: &str, grant: Grant) -> Self {
        Self {
            claim: None,
            value: name.to_owned(),
            grant,
        }
    }

    /// What a claim with a value, or with that value among several, grants.
    #[must_use]
    pub fn claim(name: &str, value: &str, grant: Grant) -> Self {
        Self {
            claim: Some(name.to_owned()),
            value: value.to_owned(),
            grant,
        }
    }
}

impl TryFrom<RuleForm> for GrantRule {
    type Error = String;

    fn try_from(form: RuleForm) -> Result<Self, String> {
        let grant: Result<Grant, _> = format!("{}:{}", form.role, form.domain).parse();
        let grant = grant.map_err(|error| error.to_string())?;
        match (form.group, form.claim, form.value) {
            (Some(group), None, None) => Ok(Self::group(&group, grant)),
            (None, Some(claim), Some(value)) => Ok(Self::claim(&claim, &value, grant)),
            _ => Err("a grant is for a `group`, or for a `claim` with a `value`".to_owned()),
        }
    }
}

impl OidcConfig {
    /// A provider with the usual settings.
    #[must_use]
    pub fn new(issuer: &str, client_id: &str, redirect: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_id: client_id.to_owned(),
            client_secret: None,
            redirect: redirect.to_owned(),
            ca_file: None,
            scopes: scopes(),
            name_claim: name_claim(),
            groups_claim: groups_claim(),
            grants: Vec::new(),
        }
    }

    /// Whether it could work, without asking anybody.
    ///
    /// # Errors
    /// It can't: an address is none, or is not HTTPS.
    pub fn check(&self) -> Result<(), OidcError> {
        address("issuer", &self.issuer)?;
        address("redirect", &self.redirect)?;
        if self.client_id.is_empty() {
            return Err(OidcError::Configuration {
                what: "`client_id` is empty".to_owned(),
            });
        }
        Ok(())
    }

    /// What claims grant.
    pub(crate) fn grants_of(&self, claims: &Map<String, Value>) -> Grants {
        let fits = |rule: &&GrantRule| {
            let claim = rule.claim.as_deref().unwrap_or(&self.groups_claim);
            values(claims, claim).iter().any(|value| **value == rule.value)
        };
        self.grants
            .iter()
            .filter(fits)
            .map(|rule| rule.grant.clone())
            .collect()
    }

    pub(crate) fn groups_of(&self, claims: &Map<String, Value>) -> Vec<String> {
        let values = values(claims, &self.groups_claim);
        values.into_iter().map(str::to_owned).collect()
    }
}

/// A claim's value, or its values.
fn values<'a>(claims: &'a Map<String, Value>, claim: &str) -> Vec<&'a str> {
    match claims.get(claim) {
        Some(Value::String(value)) => vec![value],
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// An address that may be used: HTTPS, or this machine itself.
pub(crate) fn address(what: &str, text: &str) -> Result<Url, OidcError> {
    let wrong = |why: &str| OidcError::Configuration {
        what: format!("`{what}` is `{text}`: {why}"),
    };
    let url = Url::parse(text).map_err(|_| wrong("that is no URL"))?;
    if !is_safe(&url) {
        return Err(wrong("it has to be https, but on this machine itself"));
    }
    Ok(url)
}

pub(crate) fn is_safe(url: &Url) -> bool {
    let here = match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && here)
}
