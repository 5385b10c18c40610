//! Who built on what is taken back: actions of other sessions on the same paths, afterwards.

use crate::error::Done;
use crate::history::History;
use rescind_model::{Effect, ResourceId, SessionId};
use rescind_recovery::Split;
use rescind_supervisor::journal::SessionKind;
use rescind_supervisor::{SessionView, Store, opened};
use std::collections::{BTreeSet, HashMap};

/// How many later sessions are looked through, the newest first.
const MOST: usize = 256;

/// Effects of runs that began after `first`, but for the `own` ones, on the paths that the scope is about, as effects on
/// its resources. What was undone since is left out.
///
/// # Errors
/// The ledger can't be read. A session that can't be read is left out: it only names dependents.
pub fn of_others(
    store: &Store,
    first: &SessionId,
    own: &BTreeSet<SessionId>,
    scope: &Split,
) -> Done<Vec<Effect>> {
    let names: HashMap<&str, &ResourceId> = scope
        .inside()
        .map(|effect| (effect.name.as_str(), &effect.resource))
        .collect();
    let sessions = store.sessions()?;
    let is_run =
        |id: &&_| opened(store, id).is_ok_and(|opened| opened.kind == SessionKind::Run && !opened.staged);
    let runs = sessions
        .iter()
        .rev()
        .take_while(|id| *id > first)
        .filter(|id| !own.contains(id))
        .filter(is_run)
        .take(MOST);
    let mut later = Vec::new();
    for id in runs {
        let Ok(other) = SessionView::load(store, id) else {
            continue;
        };
        if !other
            .effects
            .iter()
            .any(|effect| names.contains_key(effect.name.as_str()))
        {
            continue;
        }
        let Ok(history) = History::load(store, id) else {
            continue;
        };
        let undone = history.earlier(id).taken();
        let standing = other
            .effects
            .iter()
            .filter(|effect| !undone.contains(&effect.id()));
        later.extend(standing.filter_map(|effect| {
            let resource = (*names.get(effect.name.as_str())?).clone();
            Some(Effect {
                resource,
                ..effect.clone()
            })
        }));
    }
    Ok(later)
}
