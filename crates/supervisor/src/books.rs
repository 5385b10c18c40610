//! Finishing the books: closing the sessions whose supervisor died before it could.

use crate::journal::{ExitForm, SessionEnded, SessionKind, SessionOpened};
use crate::{SessionView, Store, StoreError, SystemRecord, clock};
use rescind_model::{Level, SessionId};
use std::collections::BTreeSet;

/// What finishing the books came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Books {
    /// Sessions that were closed now.
    pub recovered: Vec<SessionId>,
    /// Sessions that could not be, and why.
    pub unfinished: Vec<(SessionId, String)>,
}

/// Close every run whose supervisor is gone, and every undo that only lacks its last line. An undo that was
/// interrupted stays open: it is to be gone on with. Cheap where there is nothing to close: one pass over the ledger.
///
/// # Errors
/// The ledger can't be read.
pub fn finish_books(store: &Store) -> Result<Books, StoreError> {
    let mut books = Books::default();
    for id in unended(store)? {
        match finish(store, &id) {
            Ok(true) => books.recovered.push(id),
            Ok(false) => {}
            Err(error) => books.unfinished.push((id, error.to_string())),
        }
    }
    if !books.recovered.is_empty() {
        match store.ledger().checkpoint() {
            // They are recorded; whoever finds room next signs them.
            Err(error) if error.is_disk_full() => {}
            signed => drop(signed?),
        }
    }
    Ok(books)
}

/// The sessions of which the ledger has a start and no end, oldest first; erased ones left out.
///
/// # Errors
/// The ledger can't be read.
pub fn unended(store: &Store) -> Result<BTreeSet<SessionId>, StoreError> {
    store.index(|index| index.unended().cloned().collect())
}

/// How a session began, without reading the rest of its journal.
///
/// # Errors
/// It is not there, was erased, or its journal does not begin with it.
pub fn opened(store: &Store, id: &SessionId) -> Result<SessionOpened, StoreError> {
    store.opened(id)
}

/// Close one session if it is to be closed; whether it was.
fn finish(store: &Store, id: &SessionId) -> Result<bool, StoreError> {
    let begun = opened(store, id)?;
    if clock::lives(&begun.supervisor) {
        return Ok(false);
    }
    let view = SessionView::load(store, id)?;
    let closed = view
        .system
        .iter()
        .any(|record| matches!(record, SystemRecord::Closed { .. }));
    let ended = match &view.ended {
        // Its supervisor died between the journal and the ledger: say there what the journal says.
        Some(ended) => ended.clone(),
        None if view.opened.kind == SessionKind::Undo && !closed => return Ok(false),
        None => recovered(&view),
    };
    let Some(log) = store.try_resume(id, Level::Process)? else {
        // Another command is at it.
        return Ok(false);
    };
    // Whoever had it before us, its own supervisor or another command, may have closed it since we looked.
    if !unended(store)?.contains(id) {
        return Ok(false);
    }
    log.recovering();
    let fail = |source| StoreError::Home {
        path: format!("the journal of session {id}"),
        source,
    };
    log.close(&ended).map_err(fail)?;
    Ok(true)
}

fn recovered(view: &SessionView) -> SessionEnded {
    let missing: BTreeSet<(String, String)> = view
        .missing
        .iter()
        .map(|(_, what, why)| (what.clone(), why.clone()))
        .collect();
    SessionEnded {
        time: clock::now().to_string(),
        exit: ExitForm::Unknown,
        how: "recovered".to_owned(),
        effects: view.changed() as u64,
        missing: missing.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{finish_books, opened, unended};
    use crate::journal::{ExitForm, SessionKind, SessionOpened};
    use crate::{Home, Life, SessionView, Store, clock};
    use rescind_model::{Level, SessionId};

    fn begin(store: &Store, supervisor: String) -> SessionId {
        let id = clock::session_id();
        let opened = SessionOpened {
            id: id.to_string(),
            salt: clock::salt(),
            kind: SessionKind::Run,
            time: clock::now().to_string(),
            agent: "test".to_owned(),
            argv: vec!["true".to_owned()],
            cwd: "/".to_owned(),
            user: "0".to_owned(),
            host: "here".to_owned(),
            supervisor,
            undoes: None,
            scope: None,
            spans: Vec::new(),
            domain: String::new(),
            environment: String::new(),
            staged: false,
            promotes: None,
        };
        drop(store.begin(&id, opened, Level::Process).unwrap());
        id
    }

    #[test]
    fn a_session_of_a_dead_supervisor_is_closed_once_and_one_of_a_living_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Home::at(folder.path())).unwrap();
        let dead = begin(&store, "1:1:no-such-boot".to_owned());
        let living = begin(&store, clock::process_mark(std::process::id()));
        assert_eq!(unended(&store).unwrap().len(), 2);

        assert_eq!(
            finish_books(&store).unwrap().recovered,
            std::slice::from_ref(&dead)
        );
        assert_eq!(finish_books(&store).unwrap(), super::Books::default());

        let view = SessionView::load(&store, &dead).unwrap();
        let ended = view.ended.clone().unwrap();
        assert_eq!(
            (view.life(), ended.how.as_str(), ended.exit),
            (Life::Ended, "recovered", ExitForm::Unknown)
        );
        assert_eq!(SessionView::load(&store, &living).unwrap().life(), Life::Running);
        assert!(unended(&store).unwrap().into_iter().eq([living.clone()]));
        assert_eq!(opened(&store, &living).unwrap().id, living.to_string());
    }
}
