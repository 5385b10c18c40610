//! What is used of the limits, and the records that make it. Pure: the same records give the same state.

use rescind_model::Timestamp;
use rescind_policy::{Bucket, Counters, Per, Reservation, release, settle_as_reserved, take};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is used, and what is reserved by whom.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    pub(super) counters: Counters,
    pub(super) open: BTreeMap<String, Open>,
    /// When each session last reserved something, in nanoseconds since the epoch.
    pub(super) sessions: BTreeMap<String, i64>,
}

/// A reservation of an action that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// The process that will settle it, as [`rescind_supervisor::process_mark`].
    pub holder: String,
    /// The session.
    pub session: String,
    /// The number of its action.
    pub node: u64,
    /// When it was made, in nanoseconds since the epoch.
    pub at: i64,
    /// What is reserved.
    pub reservation: Reservation,
    /// Whether a person, or a session that only records, let it exceed a cap.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub over: bool,
}

/// What a part of an action takes over from the action around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Taken {
    pub id: String,
    pub reservation: Reservation,
}

/// One line of the journal (docs/formats/limits.md).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub(super) enum Record {
    /// The first line: everything so far.
    State {
        v: u32,
        #[serde(flatten)]
        state: State,
    },
    Reserve {
        id: String,
        #[serde(flatten)]
        open: Open,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<Taken>,
    },
    /// It ended. `files`: how many it changed; `null` where nobody knows, and all that was reserved counts.
    Settle { id: String, at: i64, files: Option<u64> },
    /// It did not run.
    Release { id: String },
}

impl State {
    /// Take a record in. What is settled or released already stays as it is, so that no order of deaths counts twice.
    pub(super) fn apply(&mut self, record: Record) {
        match record {
            Record::State { state, .. } => *self = state,
            Record::Reserve { id, open, from } => {
                if self.open.contains_key(&id) {
                    return;
                }
                if let Some(from) = from
                    && let Some(around) = self.open.get_mut(&from.id)
                {
                    self.counters
                        .apply(release(&self.counters, &from.reservation).changed);
                    around.reservation = around.reservation.without(&from.reservation);
                }
                self.counters
                    .apply(take(&self.counters, &open.reservation).changed);
                self.sessions.insert(open.session.clone(), open.at);
                self.open.insert(id, open);
            }
            Record::Settle { id, at, files } => {
                if let Some(open) = self.open.remove(&id) {
                    let settled = settle_as_reserved(&self.counters, &open.reservation, files, Timestamp(at));
                    self.counters.apply(settled.changed);
                }
            }
            Record::Release { id } => {
                if let Some(open) = self.open.remove(&id) {
                    self.counters
                        .apply(release(&self.counters, &open.reservation).changed);
                }
            }
        }
    }

    /// The counters.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// What is reserved of a counter, by whom.
    pub fn reserved<'s>(&'s self, bucket: &'s Bucket) -> impl Iterator<Item = &'s Open> {
        let about = |open: &&Open| open.reservation.parts.iter().any(|part| part.bucket == *bucket);
        self.open.values().filter(about)
    }

    /// The state without the counters of sessions that reserved nothing since a time and hold nothing.
    pub(super) fn without_sessions_before(&self, time: i64) -> Self {
        let holding = |session: &str| self.open.values().any(|open| open.session == session);
        let old =
            |session: &str| self.sessions.get(session).is_some_and(|last| *last < time) && !holding(session);
        let mut counters = Counters::default();
        for (bucket, counter) in self.counters.iter() {
            if bucket.per != Per::Session || !old(&bucket.owner) {
                counters.set(bucket.clone(), counter.clone());
            }
        }
        let kept = self.sessions.iter().filter(|(session, _)| !old(session));
        Self {
            counters,
            open: self.open.clone(),
            sessions: kept.map(|(session, last)| (session.clone(), *last)).collect(),
        }
    }
}
