//! What was stopped goes into the ledger as soon as that can be: by whoever opens the store next, where the killer could not.

use super::stops::{ANSWERED, CALLED};
use super::{Control, KillReport, KillScope, Stop};
use crate::entry::EntryKind;
use crate::{Store, StoreError, now};
use rescind_model::Timestamp;
use serde_json::{Value, json};

/// After so long, in ns, nobody is about to record what came of a kill.
const ANSWERED_WITHIN: i64 = 30_000_000_000;

impl Control {
    /// Record a kill.
    ///
    /// # Errors
    /// The ledger can't be written: [`Control::record_owed`] does it later.
    pub fn record_called(&self, store: &Store, report: &KillReport) -> Result<(), StoreError> {
        let _survives_a_power_cut_where_it_can = self.board.sync();
        self.enter(
            store,
            &report.stop,
            CALLED,
            EntryKind::KillCalled,
            &called(&report.stop),
        )
    }

    /// Record what a kill came to; `credentials`: what became of them, as JSON.
    ///
    /// # Errors
    /// As [`Control::record_called`].
    pub fn record_answer(
        &self,
        store: &Store,
        report: &KillReport,
        credentials: &Value,
    ) -> Result<(), StoreError> {
        let answer = json!({
            "stop": report.stop.id,
            "scope": report.stop.scope,
            "mode": report.stop.mode,
            "milliseconds": report.milliseconds,
            "sessions": report.sessions,
            "credentials": credentials,
        });
        self.enter(store, &report.stop, ANSWERED, EntryKind::KillAnswered, &answer)
    }

    /// Record what is on the board and not in the ledger yet. How much that was.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub fn record_owed(&self, store: &Store) -> Result<usize, StoreError> {
        let mut recorded = 0;
        for (stop, has) in self.board.unrecorded() {
            if has & CALLED == 0 {
                self.enter(store, &stop, CALLED, EntryKind::KillCalled, &called(&stop))?;
                recorded += 1;
            }
            if has & ANSWERED == 0 && is_old(&stop) {
                let answer = json!({
                    "stop": stop.id, "scope": stop.scope, "mode": stop.mode,
                    "unknown": "whoever called it ended before it could be said what came of it",
                });
                self.enter(store, &stop, ANSWERED, EntryKind::KillAnswered, &answer)?;
                recorded += 1;
            }
        }
        let lost = self.board.take_lost();
        if lost > 0 {
            let note = json!({"unrecorded": lost, "why": "the ledger could not be written for so long that there was no more room"});
            store.note_control(EntryKind::KillCalled, note.to_string())?;
        }
        Ok(recorded)
    }

    fn enter(
        &self,
        store: &Store,
        stop: &Stop,
        what: u64,
        kind: EntryKind,
        note: &Value,
    ) -> Result<(), StoreError> {
        if !self.board.take_record(stop.id, what) {
            return Ok(());
        }
        let entered = store.note_control(kind, note.to_string());
        match &entered {
            Ok(()) => self.board.has_record(stop.id),
            Err(_) => self.board.owe_record(stop.id, what),
        }
        entered
    }

    /// Record that a person lets things start again. To be done before [`Control::lift`]: what can't be recorded is not lifted.
    ///
    /// # Errors
    /// The ledger can't be written.
    pub fn record_lift(
        &self,
        store: &Store,
        scope: &KillScope,
        by: &str,
        why: &str,
    ) -> Result<(), StoreError> {
        self.record_owed(store)?;
        let stops: Vec<u64> = self.stops_of(scope).iter().map(|stop| stop.id).collect();
        let note = json!({"scope": scope, "by": by, "why": why, "stops": stops});
        store.note_control(EntryKind::KillLifted, note.to_string())
    }
}

/// Whether whoever called it would have recorded by now what came of it.
fn is_old(stop: &Stop) -> bool {
    let at = stop.at.parse::<Timestamp>();
    at.is_ok_and(|at| now().0.saturating_sub(at.0) > ANSWERED_WITHIN)
}

fn called(stop: &Stop) -> Value {
    json!({
        "stop": stop.id,
        "scope": stop.scope,
        "mode": stop.mode,
        "by": stop.by,
        "why": stop.why,
        "at": stop.at,
    })
}
