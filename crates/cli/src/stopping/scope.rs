//! What a person means to stop, without asking the store.

use crate::error::{Code, Done, Failure};
use clap::Args;
use rescind_supervisor::control::{Control, KillScope};

/// What is to be stopped, or to go on.
#[derive(Debug, Clone, Default, Args)]
pub struct StopScopeArgs {
    /// All sessions of this agent
    #[arg(long, value_name = "NAME", group = "stopped")]
    pub agent: Option<String>,
    /// All sessions in this domain and those below it
    #[arg(long, value_name = "DOMAIN", group = "stopped")]
    pub domain: Option<String>,
    /// All sessions there are
    #[arg(long, group = "stopped")]
    pub everything: bool,
}

/// What is meant.
#[derive(Debug)]
pub enum Meant {
    /// This.
    Scope(KillScope),
    /// A session that is not on the board; its name, where one was given.
    Elsewhere(Option<String>),
}

impl StopScopeArgs {
    /// The scope by its name.
    #[must_use]
    pub fn scope(&self) -> Option<KillScope> {
        let agent = self.agent.clone().map(KillScope::Agent);
        let domain = self.domain.clone().map(KillScope::Domain);
        let everything = self.everything.then_some(KillScope::Everything);
        agent.or(domain).or(everything)
    }

    /// What is meant: a scope by its name, a running session by a part of its id, or the one that runs.
    ///
    /// # Errors
    /// Several sessions fit.
    pub fn meant(&self, control: &Control, session: Option<&str>) -> Done<Meant> {
        if let Some(scope) = self.scope() {
            return Ok(Meant::Scope(scope));
        }
        let gateways = control.gateways();
        let fits = |id: &&str| session.is_none_or(|asked| id.starts_with(asked) || id.ends_with(asked));
        let ids = gateways.iter().map(|gateway| gateway.member.session.as_str());
        let found: Vec<&str> = ids.filter(fits).collect();
        match found.as_slice() {
            [] => Ok(Meant::Elsewhere(session.map(ToOwned::to_owned))),
            [one] => Ok(Meant::Scope(KillScope::Session((*one).to_owned()))),
            [first, second, ..] => {
                let message = match session {
                    Some(asked) => format!("`{asked}` could be {first} or {second}, among others"),
                    None => format!("several sessions are running, {first} and {second} among them"),
                };
                Err(Failure::new(Code::AmbiguousSession, message)
                    .help("say which one, or `--agent`, `--domain` or `--everything`"))
            }
        }
    }
}
