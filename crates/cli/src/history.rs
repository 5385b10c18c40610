//! A run and the undos of it, the undos of those, and so on: everything that shares the run's numbers of objects.

use crate::context::load;
use crate::error::{Code, Done, Failure};
use crate::undoing::{Joined, Known, Numbers};
use rescind_model::{Effect, SessionId};
use rescind_recovery::Earlier;
use rescind_supervisor::journal::{ReceiptForm, SessionKind};
use rescind_supervisor::{Life, Receipt, SessionView, Store, SystemRecord, opened};
use std::collections::{BTreeMap, BTreeSet};

/// A run and its undos, in order of time, the run first.
pub struct History {
    /// The sessions. Never empty.
    pub sessions: Vec<SessionView>,
}

impl History {
    /// Read the history that `id` belongs to.
    ///
    /// # Errors
    /// The run, or one of its undos, can't be read.
    pub fn load(store: &Store, id: &SessionId) -> Done<Self> {
        Self::load_before(store, id, None, &Known::default())
    }

    /// The same, as it was before a session began.
    ///
    /// # Errors
    /// As [`History::load`].
    pub fn load_before(
        store: &Store,
        id: &SessionId,
        before: Option<&SessionId>,
        known: &Known,
    ) -> Done<Self> {
        let mut root = id.clone();
        while let Some(above) = opened(store, &root)?.undoes {
            let above: SessionId = above.parse().map_err(|_| {
                Failure::new(
                    Code::JournalDamaged,
                    format!("session {root} undoes `{above}`, which is no session"),
                )
            })?;
            if above >= root {
                return Err(Failure::new(
                    Code::JournalDamaged,
                    format!("session {root} undoes a later one"),
                ));
            }
            root = above;
        }
        let mut sessions = vec![load(store, &root)?];
        let mut family = BTreeSet::from([root.to_string()]);
        // Undos that count in another run's numbers: how to read them in this one's.
        let mut foreign: BTreeMap<String, Numbers> = BTreeMap::new();
        let later = store.sessions()?.into_iter().filter(|later| *later > root);
        for later in later.take_while(|later| before.is_none_or(|before| later < before)) {
            // What was erased or begins with nothing readable can't have undone anything that is still kept.
            let Ok(begun) = opened(store, &later) else {
                continue;
            };
            let undone = begun.undoes.clone().unwrap_or_default();
            if let Some(numbers) = foreign.get(&undone).cloned() {
                sessions.push(numbers.view(load(store, &later)?, &undone));
                foreign.insert(later.to_string(), numbers);
                family.insert(later.to_string());
            } else if family.contains(&undone) {
                family.insert(later.to_string());
                sessions.push(load(store, &later)?);
            } else if begun.spans.contains(&root.to_string()) {
                let joined = Joined::of(store, &begun.spans, &later, known);
                let numbers = match joined.and_then(|joined| Ok(joined.numbers(&root)?.inverse())) {
                    Ok(numbers) => numbers,
                    // Another of these runs is erased.
                    Err(failure) if failure.is(Code::SessionErased) => Numbers::unknown(&later, &root),
                    Err(failure) => return Err(failure),
                };
                sessions.push(numbers.view(load(store, &later)?, &root.to_string()));
                foreign.insert(later.to_string(), numbers);
                family.insert(later.to_string());
            }
        }
        Ok(Self { sessions })
    }

    /// One of its sessions.
    ///
    /// # Errors
    /// It is none of them.
    pub fn session(&self, id: &SessionId) -> Done<&SessionView> {
        self.sessions.iter().find(|view| view.id == *id).ok_or_else(|| {
            Failure::new(
                Code::NoSuchSession,
                format!("session {id} is not part of this history"),
            )
        })
    }

    /// The run.
    #[must_use]
    pub fn root(&self) -> Option<&SessionView> {
        self.sessions.first()
    }

    /// The undos of a session, and of these undos, in order.
    #[must_use]
    pub fn undos(&self, of: &SessionId) -> Vec<&SessionView> {
        let mut family = BTreeSet::from([of.to_string()]);
        let mut undos = Vec::new();
        for view in &self.sessions {
            if view
                .opened
                .undoes
                .as_ref()
                .is_some_and(|undone| family.contains(undone))
            {
                family.insert(view.id.to_string());
                undos.push(view);
            }
        }
        undos
    }

    /// What was done to a session so far.
    #[must_use]
    pub fn earlier(&self, of: &SessionId) -> Earlier {
        Earlier::read(self.undos(of).into_iter().flat_map(|view| &view.system))
    }

    /// An undo of this session that is not finished and that nobody is working on.
    #[must_use]
    pub fn unfinished(&self, of: &SessionId) -> Option<&SessionView> {
        let own = of.to_string();
        let undos = self.undos(of).into_iter();
        undos
            .filter(|view| view.opened.undoes.as_deref() == Some(&own))
            .rfind(|view| view.life() == Life::Broken)
    }
}

/// The effects of a session in order, whatever kind it is.
#[must_use]
pub fn effects(view: &SessionView) -> Vec<Effect> {
    match view.opened.kind {
        SessionKind::Run => view.effects.clone(),
        SessionKind::Undo => Earlier::read(&view.system).effects(),
    }
}

/// An undo's receipt, if it came to one.
#[must_use]
pub fn receipt(view: &SessionView) -> Option<&Receipt> {
    view.system.iter().rev().find_map(|record| match record {
        SystemRecord::Receipt(receipt) => Some(receipt),
        _ => None,
    })
}

/// A receipt as JSON.
///
/// # Errors
/// Never, but for memory.
pub fn receipt_json(receipt: &Receipt) -> Done<serde_json::Value> {
    let mut value = serde_json::to_value(ReceiptForm::from(receipt))?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("proved".to_owned(), receipt.proved().into());
    }
    Ok(value)
}
