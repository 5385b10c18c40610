//! Taking in a record.

use super::action::{Action, Begun, Counted, End};
use super::change::{Side, key_hash};
use super::{Effect, Process, Tale, Took};
use crate::rows::ReceiptRow;
use rescind_model::{State, command_line};
use rescind_supervisor::holds::Closed;
use rescind_supervisor::journal::{
    AfterForm, BeforeForm, ExitForm, NodeEnded, NodeStarted, OutcomeForm, Record, Role, SystemForm,
};
use rescind_supervisor::{Called, Restored, StepEnd, SystemRecord};

/// Gives rows of actions their places in the list.
pub(crate) trait Places {
    /// The place of the next action, and the ledger's entry that brings it.
    fn next(&mut self) -> (i64, u64);
}

impl Tale {
    /// Take in a frame. What is no record that this version knows says nothing.
    pub fn frame(&mut self, bytes: &[u8], places: &mut dyn Places) {
        let records = if bytes.first() == Some(&b'[') {
            serde_json::from_slice::<Vec<Record>>(bytes).unwrap_or_default()
        } else {
            serde_json::from_slice::<Record>(bytes).into_iter().collect()
        };
        for record in records {
            self.take(record, places);
        }
    }

    fn take(&mut self, record: Record, places: &mut dyn Places) {
        match record {
            Record::Session(opened) if self.opened.is_none() => self.opened = Some(opened),
            Record::Node(node) => self.node(node, places),
            Record::NodeEnd(ended) => self.node_end(ended),
            Record::Decided(decided) => {
                let ran = decided.closed.how == Closed::Approved;
                let action = self.action_of(decided.n);
                self.with(action, |action| {
                    if !ran {
                        action.judged_gaps.remove(&decided.n);
                    }
                    if action.started.n == decided.n {
                        action.decided = Some(decided.closed);
                    }
                });
            }
            Record::Rejudged(again) => {
                let action = self.action_of(again.n);
                self.with(action, |action| {
                    action.judged_gaps.insert(again.n, again.judged.uncovered.clone());
                    if action.started.n == again.n {
                        action.judged = Some(Box::new(again.judged));
                    }
                });
            }
            Record::Before(form) => self.before(form),
            Record::After(form) => self.after(form),
            Record::Missing { n, what, why } | Record::Escape { n, what, why } => {
                let action = self.action_of(n);
                self.with(action, |action| action.gap(&what, &why));
            }
            Record::System(form) => self.system(form, places),
            Record::SessionEnd(ended) => {
                // What had not ended is in doubt, or void; what ended by a signal was killed.
                let killed = ended.how == "killed";
                let over = |action: &Action| match &action.end {
                    None => true,
                    Some(end) => killed && matches!(end.exit, ExitForm::Signal(_)),
                };
                let settled = self.actions.iter().filter(|(_, action)| over(action));
                self.dirty.extend(settled.map(|(number, _)| *number));
                self.ended = Some(ended);
            }
            _ => {}
        }
    }

    /// Change an action, whose row is written anew then.
    fn with(&mut self, number: u64, change: impl FnOnce(&mut Action)) {
        if let Some(action) = self.actions.get_mut(&number) {
            change(action);
            self.dirty.insert(number);
        }
    }

    fn node(&mut self, node: NodeStarted, places: &mut dyn Places) {
        let is_process = node.role == Role::Process;
        let n = node.n;
        let mut above = node.parent;
        // A parent that is not on record does not take its children with it.
        let action = if is_process && self.nodes.contains_key(&above) {
            above = self.action_of(above);
            if self.actions.contains_key(&above) {
                above
            } else {
                n
            }
        } else {
            n
        };
        let process = Process {
            action,
            is_process,
            end: None,
        };
        self.nodes.insert(n, process);
        if action != n {
            self.below.push((n, action));
            if let Some(judged) = node.judged {
                self.with(action, |action| {
                    action.judged_gaps.insert(n, judged.uncovered);
                });
            }
            return;
        }
        if is_process {
            return;
        }
        let (id, seq) = places.next();
        let begun = Begun::of(&node);
        self.actions.insert(n, Action::new(id, seq, begun, node.judged));
        self.dirty.insert(n);
    }

    fn node_end(&mut self, ended: NodeEnded) {
        let NodeEnded {
            n,
            time,
            exit,
            output,
            missing,
            ..
        } = ended;
        let number = self.action_of(n);
        let end = End {
            exit,
            time,
            output: output.bytes,
        };
        if let Some(process) = self.nodes.get_mut(&n) {
            process.end = Some(end);
        }
        let whole = self.end_of(number).cloned();
        self.with(number, |action| {
            for (what, why) in missing {
                action.gap(&what, &why);
            }
            if exit == ExitForm::NotStarted {
                action.judged_gaps.remove(&n);
            }
            action.end = whole;
        });
    }

    fn before(&mut self, form: BeforeForm) {
        let before = Side::of(&State::from(form.b));
        let after = form.i.map_or(before, |intended| Side::of(&State::from(intended)));
        let captured = form.w != OutcomeForm::NotCaptured;
        self.alike.seen(&before);
        let effect = Effect {
            node: form.n,
            key: key_hash(&form.f, &form.k),
            of_folder: form.k.ends_with('/'),
            path: form.p,
            before,
            counted: Counted::Nothing,
            changed: false,
        };
        self.effect(form.s, effect, &after, captured.then_some(false));
    }

    fn after(&mut self, form: AfterForm) {
        let Some(effect) = self.effects.remove(&form.s) else {
            return;
        };
        let after = Side::of(&State::from(form.a));
        if form.c {
            self.alike.untouched(&effect.before, &after);
        }
        self.alike.seen(&after);
        self.effect(form.s, effect, &after, Some(true));
    }

    /// Count an effect as it is known now. `seen`: `None`, it was not captured; whether its outcome was seen.
    fn effect(&mut self, s: u64, mut effect: Effect, after: &Side, seen: Option<bool>) {
        let same = effect.before.same(after, &self.alike);
        let changes = !same && !effect.before.in_passing(after, &self.alike);
        if changes != effect.changed {
            let count = self.changed.entry(effect.key).or_default();
            if changes {
                *count += 1;
            } else {
                *count = count.saturating_sub(1);
            }
            if *count == 0 {
                self.changed.remove(&effect.key);
            }
            effect.changed = changes;
        }
        let is = match seen {
            _ if effect.of_folder => Counted::Nothing,
            None => Counted::Uncaptured,
            Some(true) if same => Counted::Nothing,
            Some(_) => Counted::Captured,
        };
        let was = std::mem::replace(&mut effect.counted, is);
        let number = self.action_of(effect.node);
        if !effect.of_folder {
            self.with(number, |action| {
                action.count(effect.key, was, is);
                action.change(effect.key, &effect.path, &effect.before, after, seen);
            });
        }
        if seen != Some(true) {
            self.effects.insert(s, effect);
        }
    }

    fn system(&mut self, form: SystemForm, places: &mut dyn Places) {
        let Some(record) = form.record() else { return };
        match record {
            SystemRecord::StepStarted {
                action,
                resource,
                name,
                took,
                ..
            } => {
                let surface = resource.surface.name().to_owned();
                self.step(action.number, &name, surface, places);
                let took = took.into_iter().map(|id| id.action.to_string());
                self.taking.insert(action.number, took.collect());
            }
            SystemRecord::StepEnded { action, end } => {
                let (state, why) = ended(end);
                self.step_end(action.number, state, why);
            }
            SystemRecord::CompensationStarted { action, of, .. } => {
                let surface = of.resource.surface.name().to_owned();
                self.step(action.number, &of.name, surface, places);
                let took = std::iter::once(of.action.to_string()).collect();
                self.taking.insert(action.number, took);
            }
            SystemRecord::CompensationEnded { action, called, .. } => {
                let (state, why) = match called {
                    Called::Done(_) => ("compensated", None),
                    Called::Failed(why) => ("undo_conflict", Some(why)),
                    Called::InDoubt => ("undo_conflict", Some("no answer came".to_owned())),
                };
                self.step_end(action.number, state, why);
            }
            SystemRecord::Receipt(receipt) => {
                self.receipt = Some(ReceiptRow {
                    restored: receipt.restored,
                    already: receipt.already,
                    compensated: receipt.compensated,
                    read_back: receipt.read_back,
                    kept: receipt.kept.len() as u64,
                    conflicts: receipt.conflicts.len() as u64,
                    lost: receipt.lost.len() as u64,
                    failed: receipt.failed.len() as u64,
                    in_doubt: receipt.in_doubt.len() as u64,
                    differs: receipt.differs.len() as u64,
                });
            }
            SystemRecord::Opened { .. }
            | SystemRecord::Disturbs { .. }
            | SystemRecord::Intent { .. }
            | SystemRecord::Closed { .. } => {}
        }
    }

    /// A step of an undo begins; after a crash some begin again.
    fn step(&mut self, number: u64, name: &str, surface: String, places: &mut dyn Places) {
        if self.actions.contains_key(&number) {
            return;
        }
        self.begun += 1;
        let (time, cwd) = match &self.opened {
            Some(opened) => (opened.time.clone(), opened.cwd.clone()),
            None => Default::default(),
        };
        let words = ["rescind:".to_owned(), "restore".to_owned(), name.to_owned()];
        let begun = Begun {
            n: number,
            parent: 0,
            role: "system",
            time,
            command: command_line(&words),
            program: String::new(),
            cwd,
            surface,
        };
        let (id, seq) = places.next();
        let mut action = Action::new(id, seq, begun, None);
        action.step = Some(None);
        self.actions.insert(number, action);
        self.dirty.insert(number);
    }

    fn step_end(&mut self, number: u64, state: &'static str, why: Option<String>) {
        let own = if matches!(state, "undone" | "compensated") {
            "done"
        } else {
            state
        };
        let mut first = false;
        self.with(number, |action| {
            first = action.step == Some(None);
            action.step = Some(Some((own, why)));
        });
        self.over += u64::from(first);
        let taken = self.taking.remove(&number).unwrap_or_default();
        self.took.extend(taken.into_iter().map(|node| Took {
            step: number,
            node,
            state,
        }));
    }
}

/// What a step's end makes of what it took back, and why.
fn ended(end: StepEnd) -> (&'static str, Option<String>) {
    match end {
        StepEnd::Ended(Restored::Done { .. } | Restored::Already) => ("undone", None),
        StepEnd::Ended(Restored::Drifted { .. }) => {
            ("undo_conflict", Some("somebody wrote to it meanwhile".to_owned()))
        }
        StepEnd::Ended(Restored::Kept { why }) => ("kept", Some(why)),
        StepEnd::Failed(why) => ("undo_conflict", Some(why)),
    }
}
