//! What a session's agent gets where a server is in charge: its address, and a token of the session's own, by which it may ask
//! about itself and nothing else.

use crate::commands::access;
use crate::person::person;
use rescind_access::{Access, Authority, NewAgent};
use rescind_model::{Scopes, SessionId, chain};
use rescind_supervisor::Store;
use rescind_supervisor::control::Control;
use rescind_supervisor::journal::SessionOpened;
use std::ffi::OsString;

/// A token that ends with its session.
pub struct AgentToken {
    access: Access,
    session: SessionId,
    /// What the agent's environment gets.
    pub environment: Vec<(OsString, OsString)>,
}

impl AgentToken {
    /// One for this session; `None` where no server is in charge. Without it the session is as good: the agent only can't ask.
    #[must_use]
    pub fn issue(store: &Store, id: &SessionId, opened: &SessionOpened, scopes: &Scopes) -> Option<Self> {
        Control::open(store.home()).ok()?.charge()?;
        let url = std::fs::read_to_string(store.home().root().join("server/url")).ok()?;
        let access = access::open(store.clone()).ok()?;
        let new = NewAgent::new(id.clone(), &opened.agent, &opened.domain, scopes.clone());
        match access.issue_agent(&Authority::Machine(person()), &new) {
            Ok(made) => Some(Self {
                environment: vec![
                    ("RESCIND_URL".into(), url.trim().into()),
                    ("RESCIND_TOKEN".into(), made.secret.expose().into()),
                ],
                access,
                session: id.clone(),
            }),
            Err(error) => {
                eprintln!("rescind: the agent gets no token of its own: {}", chain(&error));
                None
            }
        }
    }

    /// The session is over: its token and all that were made from it are no good any more.
    pub fn end(self) {
        if let Err(error) = self
            .access
            .revoke_session(&Authority::Machine(person()), &self.session)
        {
            eprintln!(
                "rescind: the agent's tokens end by themselves within a quarter of an hour: {}",
                chain(&error)
            );
        }
    }
}
