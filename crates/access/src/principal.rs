//! Who is behind a request, once that is proved. Only [`Access`](crate::Access) makes these.

use crate::FRESH;
use crate::grants::Grants;
use crate::name::PersonName;
use crate::role::Role;
use rescind_model::{Scopes, SessionId, Timestamp};

/// Whoever it is.
#[derive(Debug, Clone)]
pub enum Principal {
    /// A person who signed in.
    Person(PersonPrincipal),
    /// An API token.
    Token(TokenPrincipal),
    /// An agent of a session.
    Agent(AgentPrincipal),
}

/// Somebody who can hold a role: never an agent.
#[derive(Debug, Clone)]
pub enum Actor {
    /// A person who signed in.
    Person(PersonPrincipal),
    /// An API token.
    Token(TokenPrincipal),
}

/// A person who signed in.
#[derive(Debug, Clone)]
pub struct PersonPrincipal {
    pub(crate) name: PersonName,
    pub(crate) grants: Grants,
    pub(crate) sign_in: String,
    pub(crate) signed_in_at: Timestamp,
    pub(crate) must_change_password: bool,
    pub(crate) elsewhere: bool,
}

/// An API token.
#[derive(Debug, Clone)]
pub struct TokenPrincipal {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) owner: Option<PersonName>,
    pub(crate) grants: Grants,
}

/// An agent of a session. It has scopes, and can't be asked for a role:
///
/// ```compile_fail,E0599
/// fn may(agent: &rescind_access::AgentPrincipal) -> bool {
///     agent.may(rescind_access::Role::Viewer, "payments")
/// }
/// ```
#[derive(Debug, Clone)]
pub struct AgentPrincipal {
    pub(crate) id: String,
    pub(crate) session: SessionId,
    pub(crate) agent: String,
    pub(crate) domain: String,
    pub(crate) scopes: Scopes,
    pub(crate) expires: Timestamp,
    pub(crate) line: Vec<String>,
}

impl Principal {
    /// Whoever can hold a role; `None` for an agent.
    #[must_use]
    pub fn actor(self) -> Option<Actor> {
        match self {
            Self::Person(person) => Some(Actor::Person(person)),
            Self::Token(token) => Some(Actor::Token(token)),
            Self::Agent(_) => None,
        }
    }
}

impl Actor {
    /// Whether the role, or one above it, is held on a domain (`*`: on every one).
    #[must_use]
    pub fn may(&self, role: Role, domain: &str) -> bool {
        self.grants().may(role, domain)
    }

    /// What is granted.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        match self {
            Self::Person(person) => &person.grants,
            Self::Token(token) => &token.grants,
        }
    }

    /// Who it is in records: a person's name, or `token:NAME/ID`.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Person(person) => person.name.to_string(),
            Self::Token(token) => format!("token:{}/{}", token.name, token.id),
        }
    }

    /// The person who answers for it: to be compared with whoever asked for an action. A token without an owner is the
    /// first run's.
    #[must_use]
    pub fn person(&self) -> Option<&PersonName> {
        match self {
            Self::Person(person) => Some(&person.name),
            Self::Token(token) => token.owner.as_ref(),
        }
    }

    /// Whether a person gave a password, or signed in elsewhere, within [`FRESH`]. A token never has fresh authority.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        matches!(self, Self::Person(person) if person.is_fresh(now))
    }
}

impl PersonPrincipal {
    /// The name.
    #[must_use]
    pub fn name(&self) -> &PersonName {
        &self.name
    }

    /// What is granted: nothing as long as the password must be changed.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }

    /// The id of the sign-in, which is no secret.
    #[must_use]
    pub fn sign_in(&self) -> &str {
        &self.sign_in
    }

    /// When the password was given last.
    #[must_use]
    pub fn signed_in_at(&self) -> Timestamp {
        self.signed_in_at
    }

    /// Whether that was within [`FRESH`].
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.0.saturating_sub(self.signed_in_at.0);
        u64::try_from(age).is_ok_and(|age| u128::from(age) <= FRESH.as_nanos())
    }

    /// Whether nothing may be done before the password is changed.
    #[must_use]
    pub fn must_change_password(&self) -> bool {
        self.must_change_password
    }

    /// Whether the person signs in at an OpenID Connect provider.
    #[must_use]
    pub fn signs_in_elsewhere(&self) -> bool {
        self.elsewhere
    }
}

impl TokenPrincipal {
    /// The id, which is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What its maker called it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whose it is; `None` is the first run's, or was made with that one.
    #[must_use]
    pub fn owner(&self) -> Option<&PersonName> {
        self.owner.as_ref()
    }

    /// What is granted: what it was made with, and its owner still has.
    #[must_use]
    pub fn grants(&self) -> &Grants {
        &self.grants
    }
}

impl AgentPrincipal {
    /// The id of its token, which is no secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The session it acts in.
    #[must_use]
    pub fn session(&self) -> &SessionId {
        &self.session
    }

    /// What the agent is called.
    #[must_use]
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// The session's domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What it may do. A count of uses is counted by whoever permits actions, for each token of [`AgentPrincipal::line`].
    #[must_use]
    pub fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    /// When its token ends.
    #[must_use]
    pub fn expires(&self) -> Timestamp {
        self.expires
    }

    /// The ids of its token and of all above it, its own first.
    #[must_use]
    pub fn line(&self) -> &[String] {
        &self.line
    }
}
