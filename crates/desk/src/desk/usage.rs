//! What one session's actions use of the limits. Without a limit about an action nothing is locked, read or written.

use crate::tally::{Locked, Tally, TallyError};
use rescind_model::{Operation, Surface, Timestamp};
use rescind_policy::{Ask, Counters, Limits, Measure, Session, Spent};
use std::collections::HashMap;

/// The reservations of a session's actions that run.
#[derive(Debug)]
pub struct Usage {
    tally: Tally,
    session: String,
    actions: HashMap<u64, Action>,
    /// Files that were changed and could not be counted yet.
    owed: u64,
}

/// An action that was judged and runs.
#[derive(Debug, Default)]
struct Action {
    /// The reservation that its parts take from: its own, or that of the action around it.
    reserved: Option<String>,
    /// Whether that is its own.
    own: bool,
    /// What it was let run with, and could not be reserved.
    owes: Option<Ask>,
}

impl Usage {
    /// That of a session, from a tally that all share.
    pub fn new(tally: Tally, session: String) -> Self {
        Self {
            tally,
            session,
            actions: HashMap::new(),
            owed: 0,
        }
    }

    /// The tally that all share.
    #[cfg(test)]
    pub fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    /// Judge by what is used, and reserve at once what is judged to run: nobody can come between. `judge` is given
    /// what is used, and whether the action around it has reserved all of it already; `runs` says whether it runs, and
    /// whether a cap is exceeded by that.
    ///
    /// # Errors
    /// How much is used can't be told, or what it needs can't be reserved.
    pub fn judge<T>(
        &mut self,
        limits: &Limits,
        ask: &Ask,
        (node, parent): (u64, u64),
        now: Timestamp,
        judge: impl FnOnce(&Counters, bool) -> T,
        runs: impl FnOnce(&T) -> (bool, bool),
    ) -> Result<T, TallyError> {
        let around = self
            .actions
            .get(&parent)
            .and_then(|action| action.reserved.clone());
        if limits.buckets(ask).next().is_none() {
            let judged = judge(&Counters::default(), false);
            self.remember(limits, node, around, false);
            return Ok(judged);
        }
        let Self { tally, session, .. } = self;
        let (judged, reserved) = tally.locked(now, |locked| {
            let room = locked.room(limits, ask, around.as_deref());
            let judged = judge(&room.counters, room.covered);
            let (runs, over) = runs(&judged);
            let reserved = runs
                .then(|| locked.reserve(room, (session, node), over))
                .transpose()?;
            Ok((judged, reserved))
        })?;
        if reserved.is_some() {
            self.remember(limits, node, reserved, true);
        }
        Ok(judged)
    }

    fn remember(&mut self, limits: &Limits, node: u64, reserved: Option<String>, own: bool) {
        if !limits.limits().is_empty() {
            let action = Action {
                reserved,
                own,
                owes: None,
            };
            self.actions.insert(node, action);
        }
    }

    /// A person lets an action run: what it needs is reserved. `seen`: they were shown that a limit is hit, and it is
    /// reserved whatever is left.
    ///
    /// # Errors
    /// Why it must not run all the same: a limit was reached since it was shown, or nothing can be reserved.
    pub fn approved(
        &mut self,
        limits: &Limits,
        ask: Ask,
        (node, parent): (u64, u64),
        seen: bool,
        now: Timestamp,
    ) -> Result<(), String> {
        let around = self
            .actions
            .get(&parent)
            .and_then(|action| action.reserved.clone());
        if limits.buckets(&ask).next().is_none() {
            self.remember(limits, node, around, false);
            return Ok(());
        }
        let Self { tally, session, .. } = self;
        let reserved = tally.locked(now, |locked| {
            let room = locked.room(limits, &ask, around.as_deref());
            let hit = limits.reserve(&room.counters, &ask, now).err();
            let hit = hit.filter(|_| !room.covered);
            match hit {
                Some(hit) if !seen => Ok(Err(hit.to_string())),
                hit => locked.reserve(room, (session, node), hit.is_some()).map(Ok),
            }
        });
        match reserved {
            Ok(Ok(id)) => self.remember(limits, node, Some(id), true),
            Ok(Err(hit)) => return Err(hit),
            // They knew that nothing could be told: it runs, and is counted at its end, if that can be written then.
            Err(_) if seen => {
                let action = Action {
                    owes: Some(ask),
                    ..Action::default()
                };
                self.actions.insert(node, action);
            }
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    /// An action ended and has changed so many files; `None` where it never ran. What nobody judged (an agent's own writes)
    /// counts by its files.
    pub fn ended(
        &mut self,
        limits: &Limits,
        own_writes: impl FnOnce() -> Ask,
        node: u64,
        files: Option<u64>,
        clock: fn() -> Timestamp,
    ) {
        if limits.limits().is_empty() {
            return;
        }
        let Some(action) = self.actions.remove(&node) else {
            if let Some(files) = files.filter(|files| *files > 0) {
                self.count_files(limits, own_writes(), files, clock());
            }
            return;
        };
        let Self { tally, session, .. } = self;
        let now = clock();
        // What can't be written stays reserved, and counts in full when this process is gone.
        let _settled_later_else = match (action, files) {
            (Action { owes: Some(ask), .. }, Some(files)) => tally.locked(now, |locked| {
                let room = locked.room(limits, &ask, None);
                let id = locked.reserve(room, (session, node), true)?;
                locked.settle(&id, Some(files))
            }),
            (
                Action {
                    reserved: Some(id),
                    own: true,
                    ..
                },
                Some(files),
            ) => tally.locked(now, |locked| locked.settle(&id, Some(files))),
            (
                Action {
                    reserved: Some(id),
                    own: true,
                    ..
                },
                None,
            ) => tally.locked(now, |locked| locked.release(&id)),
            _ => Ok(()),
        };
    }

    /// Files that the agent itself changed, without a command.
    fn count_files(&mut self, limits: &Limits, mut ask: Ask, files: u64, now: Timestamp) {
        self.owed = self.owed.saturating_add(files);
        ask.spent.files = self.owed;
        let on_files = limits
            .limits()
            .iter()
            .filter(|limit| limit.measure == Measure::Files);
        let on_files = Limits::new(on_files.cloned().collect());
        if on_files.buckets(&ask).next().is_none() {
            self.owed = 0;
            return;
        }
        let (session, owed) = (&self.session, self.owed);
        let counted = self.tally.locked(now, |locked: &mut Locked<'_>| {
            let room = locked.room(&on_files, &ask, None);
            let id = locked.reserve(room, (session, 0), true)?;
            locked.settle(&id, Some(owed))
        });
        if counted.is_ok() {
            self.owed = 0;
        }
    }

    /// The session is over: what is still reserved is used.
    pub fn closed(&mut self, clock: fn() -> Timestamp) {
        let open = self.actions.drain().filter(|(_, action)| action.own);
        let ids: Vec<String> = open.filter_map(|(_, action)| action.reserved).collect();
        if !ids.is_empty() {
            // What can't be written is settled by whoever comes next: this process ends.
            let _settled_later_else = self.tally.locked(clock(), |locked| {
                ids.iter().try_for_each(|id| locked.settle(id, None))
            });
        }
    }
}

/// What an agent asks for that writes files itself, without a command.
pub fn own_writes(session: &Session) -> Ask {
    Ask {
        session: session.id.to_string(),
        agent: session.agent.clone(),
        domains: session.domains().map(str::to_owned).collect(),
        started: session.started,
        operation: Operation::Write,
        surface: Surface::Files,
        kind: "files.write".to_owned(),
        spent: Spent::default(),
    }
}
