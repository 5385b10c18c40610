//! What an agent was permitted before, for judging what is new: read from the index, made from the record where that is
//! gone.

use rescind_desk::KnownKinds;
use rescind_supervisor::journal::{ExitForm, SessionKind};
use rescind_supervisor::{SessionView, Store, opened};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// So many sessions are looked through, the newest first, and not for longer than that: what is left out looks new.
const MOST_SESSIONS: usize = 200;
const PATIENCE: Duration = Duration::from_secs(2);

/// The index of an agent, and what it knows.
#[must_use]
pub fn of(store: &Store, agent: &str) -> (KnownKinds, BTreeSet<String>) {
    let (mut index, known) = KnownKinds::of(store.home().known(), agent);
    let kinds = match known {
        Some(kinds) => kinds,
        None => {
            let kinds = on_record(store, agent);
            index.make(&kinds);
            kinds
        }
    };
    (index, kinds)
}

/// The kinds of what an agent was permitted, as its sessions have them.
fn on_record(store: &Store, agent: &str) -> BTreeSet<String> {
    let (begun, mut kinds) = (Instant::now(), BTreeSet::new());
    let sessions = store.sessions().unwrap_or_default();
    let is_own = |id: &&_| {
        opened(store, id).is_ok_and(|opened| opened.kind == SessionKind::Run && opened.agent == agent)
    };
    for id in sessions.iter().rev().filter(is_own).take(MOST_SESSIONS) {
        if begun.elapsed() > PATIENCE {
            break;
        }
        let Ok(view) = SessionView::load(store, id) else {
            continue;
        };
        for node in view.nodes.values() {
            let Some(judged) = &node.started.judged else {
                continue;
            };
            let permitted = match &node.decided {
                Some(closed) => closed.how == rescind_supervisor::holds::Closed::Approved,
                None => judged.verdict == "allow",
            };
            let ran = node
                .ended
                .as_ref()
                .is_some_and(|ended| ended.exit != ExitForm::NotStarted);
            if permitted && ran && !judged.kind.is_empty() {
                kinds.insert(judged.kind.clone());
            }
        }
    }
    kinds
}
