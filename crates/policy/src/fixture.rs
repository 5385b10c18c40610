//! A session and a proposal that tests change what they need of.

pub(crate) mod random;

use crate::{Blast, Environment, Proposal, Session};
use rescind_model::{Coverage, Digest, Operation, Reversibility, Scopes, SessionId, Surface, Timestamp};

pub(crate) fn session() -> Session {
    Session {
        id: SessionId::new(1, 1),
        agent: "coder".to_owned(),
        teams: Vec::new(),
        owner: "ann".to_owned(),
        domain: "web/prod".to_owned(),
        environment: Environment::Production,
        scopes: Scopes::all(),
        started: Timestamp(0),
        actions: 0,
    }
}

pub(crate) fn proposal(text: &str) -> Proposal {
    Proposal {
        operation: Operation::Write,
        surface: Surface::Files,
        kind: "files.edit".to_owned(),
        text: text.to_owned(),
        digest: Digest::of(text.as_bytes()),
        targets: vec!["/srv/a".to_owned()],
        class: Some(Reversibility::ReversibleWithState),
        coverage: Coverage::Captured,
        blast: Blast::default(),
        force: Default::default(),
        drives: Vec::new(),
    }
}
