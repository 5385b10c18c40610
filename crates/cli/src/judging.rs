//! Judging what is on record, outside of its session.

use crate::error::Done;
use rescind_desk::{Acting, Configuration, SessionDesk, Tally};
use rescind_model::Level;
use rescind_policy::Environment;
use rescind_supervisor::SessionView;
use std::path::PathBuf;

/// A desk as the session had it, by this configuration. Limits are left out: what was used of them then is not known, and
/// what is used of them now is for the one that runs it.
///
/// # Errors
/// The configuration can't be used.
pub fn desk_of(configuration: &Configuration, view: &SessionView) -> Done<SessionDesk> {
    let opened = &view.opened;
    let acting = Acting {
        session: view.id.clone(),
        agent: opened.agent.clone(),
        owner: opened.user.clone(),
        domain: opened.domain.clone(),
        environment: opened.environment.parse().unwrap_or(Environment::Unknown),
        path: view.environment(1).remove("PATH").unwrap_or_default(),
        cwd: opened.cwd.clone(),
    };
    let tally = Tally::at(PathBuf::new(), Level::Process);
    Ok(SessionDesk::new(configuration, acting, tally)?.without_limits())
}
