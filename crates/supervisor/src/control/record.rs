//! What was stopped goes into the ledger as soon as that can be: by whoever opens the store next, where the killer could not.

use super::board::{BORN, RESTORED};
use super::stops::{ANSWERED, CALLED};
use super::{Control, KillReport, KillScope, Mode, Stop};
use crate::entry::{Entry, EntryKind};
use crate::{Store, StoreError, now};
use rescind_model::Timestamp;
use serde::Deserialize;
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

    /// Whether this board is in the place of a lost one, and nobody has put the stops back yet that were in force there.
    #[must_use]
    pub fn lacks_stops(&self) -> bool {
        let words = self.board.words();
        words.load(BORN) != 0 && words.load(RESTORED) == 0
    }

    /// Put the stops back that were in force on a lost board, by what the ledger says was called and not lifted. How many.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub fn restore(&self, store: &Store) -> Result<usize, StoreError> {
        if !self.lacks_stops() {
            return Ok(0);
        }
        let mut in_force: Vec<CalledForm> = Vec::new();
        let length = store.ledger().len()?;
        let mut from = 0;
        while from < length {
            let to = length.min(from + AT_ONCE);
            for bytes in store.ledger().read(from..to)? {
                replay(&mut in_force, &bytes);
            }
            from = to;
        }
        let mut restored = 0;
        for called in &in_force {
            let stop = self
                .board
                .announce(&called.scope, called.mode, &called.by, &called.why);
            if let Some(stop) = stop {
                restored += 1;
                for what in [CALLED, ANSWERED] {
                    let _by_another_command = self.board.take_record(stop.id, what);
                }
            }
        }
        self.board.change();
        self.board.words().store(RESTORED, 1);
        Ok(restored)
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

/// So many entries are read at once.
const AT_ONCE: u64 = 4_096;

/// What of `kill.called` and `kill.lifted` says what is in force.
#[derive(Deserialize)]
struct CalledForm {
    scope: KillScope,
    #[serde(default = "kill")]
    mode: Mode,
    #[serde(default)]
    by: String,
    #[serde(default)]
    why: String,
}

fn kill() -> Mode {
    Mode::Kill
}

fn replay(in_force: &mut Vec<CalledForm>, bytes: &[u8]) {
    let Ok(entry) = serde_json::from_slice::<Entry>(bytes) else {
        return;
    };
    if !matches!(entry.kind, EntryKind::KillCalled | EntryKind::KillLifted) {
        return;
    }
    let form = entry
        .note
        .and_then(|note| serde_json::from_str::<CalledForm>(&note).ok());
    let Some(form) =
        form.filter(|form| !(matches!(form.scope, KillScope::Session(_)) && form.mode == Mode::Kill))
    else {
        return;
    };
    if entry.kind == EntryKind::KillLifted {
        in_force.retain(|other| other.scope != form.scope);
    } else if in_force
        .iter()
        .all(|other| (&other.scope, other.mode) != (&form.scope, form.mode))
    {
        in_force.push(form);
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
