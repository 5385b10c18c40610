//! The rows that a session's record comes to.

use super::{Action, Counts, Tale, Tallies, Took};
use crate::rows::{ActionRow, ChangeRow, SessionRow, UndoRow};
use rescind_model::command_line;
use rescind_supervisor::journal::{ExitForm, Role, SessionKind};

/// An action's row, with what is compared and searched beside it.
pub(crate) struct ActionFacts {
    /// Its place in the list.
    pub id: i64,
    /// What is shown; agent, owner, domain and environment are the session's.
    pub row: ActionRow,
    /// What it changed, where that is not as it was written down last.
    pub changes: Option<Vec<ChangeRow>>,
}

/// A session's row, with what is kept beside it.
pub(crate) struct SessionFacts {
    /// What is shown; the ledger's numbers, undos and whether it lives are filled in elsewhere.
    pub row: SessionRow,
    /// The process that supervises it.
    pub supervisor: String,
    /// What it came to, if it is an undo.
    pub undo: Option<UndoRow>,
}

impl Tale {
    /// The rows of the actions that changed since this was asked last.
    pub fn actions(&mut self) -> Vec<ActionFacts> {
        let over = self.ended.as_ref().map(|ended| ended.how.clone());
        let dirty = std::mem::take(&mut self.dirty);
        let mut facts = Vec::with_capacity(dirty.len());
        for number in dirty {
            let end = self.end_of(number).cloned();
            let Some(action) = self.actions.get_mut(&number) else {
                continue;
            };
            let changed = std::mem::take(&mut action.changed);
            let changes = changed.then(|| action.changes(&self.alike));
            let mut row = action.row(end.as_ref(), over.as_deref());
            row.exit = end.as_ref().map(|end| end.exit.text(&self.id));
            row.session = self.id.to_string();
            row.action = self.id.action(number).to_string();
            let id = action.id;
            self.tally(number, &row);
            facts.push(ActionFacts { id, row, changes });
        }
        facts
    }

    /// Count an action as its row is now.
    fn tally(&mut self, number: u64, row: &ActionRow) {
        let own = [Role::Launcher, Role::Agent].map(Role::name);
        let is = Counts {
            // How the agent itself ended is how the session did.
            failed: matches!(row.state.as_str(), "failed" | "killed" | "in_doubt")
                && !own.contains(&row.role.as_str()),
            denied: row.verdict == "deny",
            held: row.verdict == "hold",
            waits: row.state == "held",
            uncovered: row.coverage != "captured",
        };
        let was = self.counted.insert(number, is);
        let tallies = &mut self.tallies;
        tallies.actions += u64::from(was.is_none());
        let was = was.unwrap_or_default();
        let counts = [
            (was.failed, is.failed, &mut tallies.failures),
            (was.denied, is.denied, &mut tallies.denials),
            (was.held, is.held, &mut tallies.holds),
            (was.waits, is.waits, &mut tallies.waiting),
            (was.uncovered, is.uncovered, &mut tallies.not_captured),
        ];
        for (was, is, count) in counts {
            *count = *count + u64::from(is) - u64::from(was);
        }
    }

    /// What an undo settled since this was asked last.
    pub fn took(&mut self) -> Vec<Took> {
        std::mem::take(&mut self.took)
    }

    /// The session's row. Ask for the actions first: they are counted in it.
    pub fn session(&self) -> SessionFacts {
        let mut row = SessionRow {
            session: self.id.to_string(),
            effects: self.changed.len() as u64,
            ..SessionRow::default()
        };
        let Tallies {
            actions,
            failures,
            denials,
            holds,
            waiting,
            not_captured,
        } = self.tallies;
        (row.actions, row.failures, row.denials) = (actions, failures, denials);
        (row.holds, row.waiting, row.not_captured) = (holds, waiting, not_captured);
        let mut supervisor = String::new();
        let mut undo = None;
        if let Some(opened) = &self.opened {
            row.kind = kind(opened.kind, opened.promotes.is_some()).to_owned();
            row.agent.clone_from(&opened.agent);
            row.owner.clone_from(&opened.user);
            row.domain.clone_from(&opened.domain);
            row.environment.clone_from(&opened.environment);
            row.command = command_line(&opened.argv);
            row.cwd.clone_from(&opened.cwd);
            row.host.clone_from(&opened.host);
            row.staged = opened.staged;
            row.promotes.clone_from(&opened.promotes);
            row.undoes = opened.taken_back().map(str::to_owned).collect();
            row.scope.clone_from(&opened.scope);
            row.started.clone_from(&opened.time);
            supervisor.clone_from(&opened.supervisor);
            undo = (opened.kind == SessionKind::Undo).then(|| self.undo());
        }
        if let Some(ended) = &self.ended {
            row.ended = Some(ended.time.clone());
            row.how = Some(ended.how.clone());
            row.exit = Some(ended.exit.text(&self.id));
            (row.exit_code, row.signal) = numbers(ended.exit);
        }
        SessionFacts {
            row,
            supervisor,
            undo,
        }
    }

    fn undo(&self) -> UndoRow {
        let proved = self.receipt.as_ref().map(|receipt| {
            receipt.failed + receipt.in_doubt + receipt.differs + receipt.conflicts + receipt.lost == 0
        });
        UndoRow {
            undo: self.id.to_string(),
            begun: self.begun,
            over: self.over,
            proved,
            receipt: self.receipt.clone(),
            ..UndoRow::default()
        }
    }
}

fn kind(kind: SessionKind, promotes: bool) -> &'static str {
    match kind {
        SessionKind::Undo => "undo",
        SessionKind::Run if promotes => "promote",
        SessionKind::Run => "run",
    }
}

impl Action {
    /// The row of the action, but for what is the session's.
    fn row(&self, end: Option<&super::End>, over: Option<&str>) -> ActionRow {
        let started = &self.started;
        let (gaps, gaps_total) = self.gaps();
        let (exit_code, signal) = end.map_or((None, None), |end| numbers(end.exit));
        let mut row = ActionRow {
            n: started.n,
            parent: started.parent,
            role: started.role.to_owned(),
            time: started.time.clone(),
            ended: end.map(|end| end.time.clone()),
            command: started.command.clone(),
            program: started.program.clone(),
            cwd: started.cwd.clone(),
            coverage: self.coverage(gaps_total).to_owned(),
            gaps,
            gaps_total,
            state: self.state(end, over).to_owned(),
            exit_code,
            signal,
            effects: self.effects(),
            output: end.map_or(0, |end| end.output),
            surface: started.surface.clone(),
            decided: self.decision(),
            why: self.step.clone().flatten().and_then(|(_, why)| why),
            seq: self.seq,
            ..ActionRow::default()
        };
        if let Some(judged) = &self.judged {
            row.kind.clone_from(&judged.kind);
            row.class.clone_from(&judged.class);
            row.score = Some(judged.score);
            row.verdict.clone_from(&judged.verdict);
            row.reasons.clone_from(&judged.reasons);
            row.rule.clone_from(&judged.rule);
        }
        row
    }
}

/// Exit code and signal, of which one at most is there.
fn numbers(exit: ExitForm) -> (Option<i32>, Option<i32>) {
    match exit {
        ExitForm::Code(code) => (Some(code), None),
        ExitForm::Signal(signal) => (None, Some(signal)),
        _ => (None, None),
    }
}
