//! What the ledger says of all sessions: which began, which ended, which are erased. Follows the ledger as it grows.

use crate::entry::{Entry, EntryKind};
use crate::journal::SessionOpened;
use rescind_ledger::{Cursor, Ledger};
use rescind_model::SessionId;
use std::collections::BTreeMap;

/// The sessions of the ledger, and how those began that were asked about.
#[derive(Default)]
pub(crate) struct Index {
    /// Where reading goes on; `None` before the first entry.
    cursor: Option<Cursor>,
    sessions: BTreeMap<SessionId, Known>,
    openings: BTreeMap<SessionId, SessionOpened>,
}

#[derive(Default)]
struct Known {
    started: bool,
    ended: bool,
}

impl Index {
    /// Take in what was appended since, by whomever.
    pub fn follow(&mut self, ledger: &Ledger) -> rescind_ledger::Result<()> {
        let cursor = match &mut self.cursor {
            Some(cursor) => cursor,
            none => none.insert(ledger.cursor(0)?),
        };
        while let Some((_, bytes)) = cursor.advance()? {
            take(&mut self.sessions, &bytes);
        }
        Ok(())
    }

    /// Sessions that began, oldest first.
    pub fn started(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions
            .iter()
            .filter_map(|(id, known)| known.started.then_some(id))
    }

    /// Sessions that began and did not end; erased ones have ended.
    pub fn unended(&self) -> impl Iterator<Item = &SessionId> {
        self.sessions
            .iter()
            .filter_map(|(id, known)| (known.started && !known.ended).then_some(id))
    }

    /// How a session began, if that was asked before.
    pub fn opening(&self, id: &SessionId) -> Option<&SessionOpened> {
        self.openings.get(id)
    }

    /// Keep how a session began.
    pub fn remember(&mut self, id: &SessionId, opened: SessionOpened) {
        self.openings.insert(id.clone(), opened);
    }
}

fn take(sessions: &mut BTreeMap<SessionId, Known>, bytes: &[u8]) {
    // Most entries are of actions and need not be parsed.
    if bytes.starts_with(br#"{"v":1,"kind":"action."#) || bytes.starts_with(br#"{"v":1,"kind":"undo."#) {
        return;
    }
    let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else {
        return;
    };
    let Ok(id) = entry.session.parse::<SessionId>() else {
        return;
    };
    let known = sessions.entry(id).or_default();
    match entry.kind {
        EntryKind::SessionStarted => known.started = true,
        EntryKind::SessionEnded | EntryKind::SessionRecovered | EntryKind::VaultErased => known.ended = true,
        EntryKind::VaultPruned
        | EntryKind::StageDiscarded
        | EntryKind::ActionHeld
        | EntryKind::ActionDecided
        | EntryKind::RuleForgotten
        | EntryKind::KillCalled
        | EntryKind::KillAnswered
        | EntryKind::KillLifted
        | EntryKind::AccessChanged
        | EntryKind::ActionStarted
        | EntryKind::ActionEnded
        | EntryKind::CredentialIssuing
        | EntryKind::CredentialIssued
        | EntryKind::CredentialRevoked
        | EntryKind::CredentialUnproved
        | EntryKind::UndoStep
        | EntryKind::UndoReceipt => {}
    }
}
