//! In whose name a change is made.

use crate::error::AccessError;
use crate::grants::Grants;
use crate::name::PersonName;
use crate::principal::Actor;
use crate::role::Role;

/// Who changes something.
#[derive(Debug, Clone)]
pub enum Authority {
    /// A person at the machine's own keyboard, by the operating system's name: may do all. Whoever can write the file
    /// could do it anyway.
    Machine(String),
    /// Somebody who proved to be it.
    Actor(Actor),
}

impl Authority {
    /// Who it is in records. Names of the machine's users have `machine:` in front: nothing ties them to a person's.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Machine(name) => format!("machine:{name}"),
            Self::Actor(actor) => actor.label(),
        }
    }

    /// The person who answers for it.
    pub(crate) fn person(&self) -> Option<&PersonName> {
        match self {
            Self::Machine(_) => None,
            Self::Actor(actor) => actor.person(),
        }
    }

    /// To manage somebody takes an admin of every domain that they have something in; who has nothing is managed by an
    /// admin of anything.
    pub(crate) fn manages(&self, what: &str, theirs: &Grants) -> Result<(), AccessError> {
        let Self::Actor(actor) = self else {
            return Ok(());
        };
        let own = actor.grants();
        let all = theirs.iter().all(|grant| own.may(Role::Admin, grant.domain()));
        if all && own.anywhere(Role::Admin) {
            return Ok(());
        }
        Err(self.refused(what, "the role admin in every domain it concerns"))
    }

    /// Nobody gives more than they have.
    pub(crate) fn has(&self, what: &str, given: &Grants) -> Result<(), AccessError> {
        match self {
            Self::Actor(actor) if !actor.grants().cover(given) => {
                Err(self.refused(what, "all that it would grant"))
            }
            Self::Actor(_) | Self::Machine(_) => Ok(()),
        }
    }

    pub(crate) fn refused(&self, what: &str, needs: &str) -> AccessError {
        AccessError::NotAllowed {
            who: self.label(),
            what: what.to_owned(),
            needs: needs.to_owned(),
        }
    }
}
