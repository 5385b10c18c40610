//! Who somebody is, as a provider proved it.

use crate::grants::Grants;
use crate::secret::Secret;

/// Who somebody is. Only a provider's answer that was verified makes one.
#[derive(Debug, Clone)]
pub struct Identity {
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) name: String,
    pub(crate) shown: String,
    pub(crate) email: String,
    pub(crate) groups: Vec<String>,
    pub(crate) grants: Grants,
    pub(crate) renews: Option<Secret>,
}

impl Identity {
    /// Where. With the subject it is what a person is recognised by.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Who they are there.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The name they ask for.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How they are called; the name where the provider does not say.
    #[must_use]
    pub fn shown(&self) -> String {
        if self.shown.is_empty() {
            self.name.clone()
        } else {
            self.shown.clone()
        }
    }

    /// Their e-mail address, or nothing. Nobody is recognised by it.
    #[must_use]
    pub fn email(&self) -> &str {
        &self.email
    }

    /// Their groups.
    #[must_use]
    pub fn groups(&self) -> &[String] {
        &self.groups
    }

    /// What the configuration grants them.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The cookie of the sign-in that this one was begun to renew: for
    /// [`Access::reauthenticate_elsewhere`](crate::Access::reauthenticate_elsewhere).
    #[must_use]
    pub fn renews(&self) -> Option<&Secret> {
        self.renews.as_ref()
    }
}
