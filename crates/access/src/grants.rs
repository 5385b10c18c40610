//! Roles on domains.

use crate::role::{Role, RoleError};
use rescind_model::domain;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A role on a domain and all below it. Written `ROLE:DOMAIN`; the domain `*` is every one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Grant {
    role: Role,
    domain: String,
}

/// All that somebody was granted: any one of them is enough.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(BTreeSet<Grant>);

/// Where a role is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Domains {
    /// In every domain.
    Everything,
    /// In these domains and all below them; an empty set is nowhere.
    Below(BTreeSet<String>),
}

/// Why a text is no grant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrantFault {
    /// There is no colon in it.
    #[error("`{text}` is no grant: it is written `ROLE:DOMAIN`, as in `operator:payments` or `viewer:*`")]
    Form {
        /// What was given.
        text: String,
    },
    /// The role is none.
    #[error(transparent)]
    Role(#[from] RoleError),
    /// The domain is no name of one.
    #[error(
        "`{text}` is no domain: parts of letters, digits, `.`, `_` and `-` with `/` between them, at most 128 \
         characters, or `*` for every domain"
    )]
    Domain {
        /// What was given.
        text: String,
    },
}

const EVERYTHING: &str = "*";
const LONGEST: usize = 128;

impl Grant {
    /// A role on a domain.
    ///
    /// # Errors
    /// The domain is no name of one.
    pub fn new(role: Role, domain: &str) -> Result<Self, GrantFault> {
        if domain != EVERYTHING && !is_domain(domain) {
            return Err(GrantFault::Domain {
                text: domain.chars().take(LONGEST).collect(),
            });
        }
        Ok(Self {
            role,
            domain: domain.to_owned(),
        })
    }

    /// The role on every domain.
    #[must_use]
    pub fn everywhere(role: Role) -> Self {
        Self {
            role,
            domain: EVERYTHING.to_owned(),
        }
    }

    /// The role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// The domain, or `*`.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What both grant.
    fn and(&self, other: &Self) -> Option<Self> {
        let domain = if covers(&self.domain, &other.domain) {
            &other.domain
        } else if covers(&other.domain, &self.domain) {
            &self.domain
        } else {
            return None;
        };
        Some(Self {
            role: self.role.min(other.role),
            domain: domain.clone(),
        })
    }
}

/// Whether a name is one of a domain: no empty part, none that means another folder.
fn is_domain(name: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let part = |part: &str| !part.is_empty() && part != "." && part != ".." && part.chars().all(plain);
    name.len() <= LONGEST && name.split('/').all(part)
}

/// Whether what is granted on `held` holds on `asked`, which may itself be `*`.
fn covers(held: &str, asked: &str) -> bool {
    held == EVERYTHING || domain::covers(held, asked)
}

impl Grants {
    /// These grants.
    #[must_use]
    pub fn new(grants: impl IntoIterator<Item = Grant>) -> Self {
        Self(grants.into_iter().collect())
    }

    /// Whether the role, or one above it, is held on a domain. To ask for all domains at once, ask for `*`.
    #[must_use]
    pub fn may(&self, role: Role, domain: &str) -> bool {
        (domain == EVERYTHING || is_domain(domain) || self.reaches_all(role))
            && self
                .0
                .iter()
                .any(|grant| grant.role >= role && covers(&grant.domain, domain))
    }

    fn reaches_all(&self, role: Role) -> bool {
        let all = |grant: &Grant| grant.role >= role && grant.domain == EVERYTHING;
        self.0.iter().any(all)
    }

    /// Where the role, or one above it, is held.
    #[must_use]
    pub fn domains(&self, role: Role) -> Domains {
        if self.reaches_all(role) {
            return Domains::Everything;
        }
        let held = self.0.iter().filter(|grant| grant.role >= role);
        let mut found: BTreeSet<String> = BTreeSet::new();
        for grant in held {
            if found.iter().any(|other| covers(other, &grant.domain)) {
                continue;
            }
            found.retain(|other| !covers(&grant.domain, other));
            found.insert(grant.domain.clone());
        }
        Domains::Below(found)
    }

    /// Whether the role, or one above it, is held anywhere at all.
    #[must_use]
    pub fn anywhere(&self, role: Role) -> bool {
        self.0.iter().any(|grant| grant.role >= role)
    }

    /// What both grant, and never more than either.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut both = BTreeSet::new();
        for own in &self.0 {
            both.extend(other.0.iter().filter_map(|theirs| own.and(theirs)));
        }
        Self(both)
    }

    /// Whether all that `other` grants is granted here too.
    #[must_use]
    pub fn cover(&self, other: &Self) -> bool {
        other.0.iter().all(|grant| self.may(grant.role, &grant.domain))
    }

    /// The grants, in order.
    pub fn iter(&self) -> impl Iterator<Item = &Grant> {
        self.0.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Domains {
    /// Whether a domain is among them.
    #[must_use]
    pub fn has(&self, domain: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::Below(held) => is_domain(domain) && held.iter().any(|held| covers(held, domain)),
        }
    }
}

impl FromStr for Grant {
    type Err = GrantFault;

    fn from_str(text: &str) -> Result<Self, GrantFault> {
        let (role, domain) = text.split_once(':').ok_or_else(|| GrantFault::Form {
            text: text.chars().take(LONGEST).collect(),
        })?;
        Self::new(role.parse()?, domain)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.role, self.domain)
    }
}

impl FromIterator<Grant> for Grants {
    fn from_iter<T: IntoIterator<Item = Grant>>(grants: T) -> Self {
        Self::new(grants)
    }
}
