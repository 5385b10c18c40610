//! The record of an action, as `log` and `show` give it (docs/guide/cli.md, "Records").

use crate::history::effects;
use crate::text::clean;
use rescind_model::{Class, Coverage, Missing, Outcome, Reversibility, SessionId, command_line, quote};
use rescind_supervisor::holds::Closed;
use rescind_supervisor::journal::{ClientForm, ExitForm, JudgedForm, Role, SessionKind};
use rescind_supervisor::{Node, SessionView, StepEnd, SystemRecord};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a session's actions came to, counted once for all of them.
pub struct Records<'v> {
    view: &'v SessionView,
    tallies: BTreeMap<u64, Tally>,
}

/// What an action and all below it came to.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// The resources changed with their state before captured.
    pub captured: BTreeSet<Vec<u8>>,
    /// The resources changed without.
    pub uncaptured: BTreeSet<Vec<u8>>,
    /// What was not captured, and why.
    pub gaps: BTreeSet<(String, String)>,
    /// Addresses outside that could have acted for it.
    pub escapes: BTreeSet<(String, String)>,
}

impl Tally {
    /// How many resources were changed.
    #[must_use]
    pub fn effects(&self) -> usize {
        self.captured.union(&self.uncaptured).count()
    }

    /// What was captured.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        let gaps: Vec<Missing> = self
            .gaps
            .iter()
            .chain(&self.escapes)
            .map(|(what, why)| Missing {
                what: what.clone(),
                why: why.clone(),
            })
            .collect();
        match (gaps.first(), self.captured.is_empty()) {
            (None, _) if self.uncaptured.is_empty() => Coverage::Captured,
            (Some(first), true) => Coverage::NotCaptured(first.to_string()),
            (None, true) => Coverage::NotCaptured("its state before was not captured".to_owned()),
            _ => Coverage::Partial(gaps),
        }
    }

    /// How far an action can be taken back: what was captured says so, and what was judged where that is worse.
    #[must_use]
    pub fn reversibility_of(&self, node: &Node) -> &'static str {
        let found = self.reversibility();
        let judged = node.started.judged.as_ref();
        let class = judged.and_then(|judged| Class::from_name(&judged.class));
        match class {
            // It did not run.
            _ if node
                .ended
                .as_ref()
                .is_some_and(|ended| ended.exit == ExitForm::NotStarted) =>
            {
                Reversibility::TriviallyReversible.name()
            }
            Some(Class::Known(known)) if known > found => known.name(),
            _ => found.name(),
        }
    }

    /// How far it can be taken back by what was captured.
    #[must_use]
    pub fn reversibility(&self) -> Reversibility {
        match self.coverage() {
            Coverage::Captured if self.captured.is_empty() => Reversibility::TriviallyReversible,
            Coverage::Captured => Reversibility::ReversibleWithState,
            Coverage::Partial(_) => Reversibility::PartiallyReversible,
            Coverage::NotCaptured(_) => Reversibility::Irreversible,
        }
    }
}

impl<'v> Records<'v> {
    /// Count what the actions of a session came to.
    #[must_use]
    pub fn new(view: &'v SessionView) -> Self {
        let mut own: BTreeMap<u64, Tally> = BTreeMap::new();
        for effect in effects(view) {
            if effect.resource.key.ends_with(b"/") {
                continue;
            }
            let tally = own.entry(effect.action.number).or_default();
            match effect.outcome {
                Outcome::NotCaptured => tally.uncaptured.insert(effect.resource.key),
                _ if effect.before.same(&effect.after) && effect.outcome == Outcome::Observed => false,
                _ => tally.captured.insert(effect.resource.key),
            };
        }
        for (number, what, why) in &view.missing {
            own.entry(*number)
                .or_default()
                .gaps
                .insert((what.clone(), why.clone()));
        }
        for (number, what, why) in &view.escapes {
            own.entry(*number)
                .or_default()
                .escapes
                .insert((what.clone(), why.clone()));
        }
        for (number, node) in &view.nodes {
            // What the catalog knows to happen elsewhere was not captured, if it ran.
            let ran = node
                .ended
                .as_ref()
                .is_none_or(|ended| ended.exit != ExitForm::NotStarted)
                && node
                    .decided
                    .as_ref()
                    .is_none_or(|closed| closed.how == Closed::Approved);
            if let Some(judged) = node.started.judged.as_ref().filter(|_| ran) {
                let gaps = judged
                    .uncovered
                    .iter()
                    .map(|gap| (gap.clone(), "nothing captures it".to_owned()));
                own.entry(*number).or_default().gaps.extend(gaps);
            }
            if let Some(ended) = &node.ended {
                own.entry(*number)
                    .or_default()
                    .gaps
                    .extend(ended.missing.iter().cloned());
            }
        }
        let mut tallies = own.clone();
        // What a process did belongs to the action above it, too.
        for (number, tally) in own {
            let action = view.action_of(number);
            if action != number {
                let above = tallies.entry(action).or_default();
                above.captured.extend(tally.captured);
                above.uncaptured.extend(tally.uncaptured);
                above.gaps.extend(tally.gaps);
                above.escapes.extend(tally.escapes);
            }
        }
        Self { view, tallies }
    }

    /// What a node came to.
    #[must_use]
    pub fn tally(&self, number: u64) -> Tally {
        self.tallies.get(&number).cloned().unwrap_or_default()
    }

    /// The numbers of the actions: nodes that are no mere process of an action.
    #[must_use]
    pub fn actions(&self) -> Vec<u64> {
        let shown = self
            .view
            .nodes
            .iter()
            .filter(|(_, node)| node.started.role != Role::Process);
        shown.map(|(number, _)| *number).collect()
    }

    /// The record of a node, as JSON.
    #[must_use]
    pub fn json(&self, number: u64) -> Option<Value> {
        let node = self.view.nodes.get(&number)?;
        let started = &node.started;
        let tally = self.tally(number);
        let ended = self.view.end_of(number);
        let (exit_code, signal) = exit_numbers(ended.map(|ended| ended.exit));
        let output = ended.map(|ended| &ended.output);
        let id = |number: u64| self.view.id.action(number).to_string();
        Some(json!({
            "timestamp": started.time,
            "session_id": self.view.id.to_string(),
            "action_id": id(number),
            "parent_id": (started.parent != 0).then(|| id(started.parent)),
            "agent": self.view.opened.agent,
            "role": started.role.name(),
            "command": command_line(&started.argv),
            "argv": started.argv,
            "program": started.exe,
            "pid": started.pid,
            "risk_score": started.judged.as_ref().map(|judged| judged.score),
            "risk": risk(started.judged.as_deref()),
            "approval": approval(node),
            "exit_code": exit_code,
            "signal": signal,
            "exit": exit_word(ended.map(|ended| ended.exit), &self.view.id),
            "started": started.time,
            "ended": ended.map(|ended| &ended.time),
            "output": {
                "preview": output.map_or("", |output| &output.preview),
                "bytes": output.map_or(0, |output| output.bytes),
                "digest": output.and_then(|output| output.digest.as_deref()),
                "recorded": output.is_some_and(|output| output.gap.is_none()),
                "gap": output.map_or(Some("it has not ended yet"), |output| output.gap.as_deref()),
                "redacted": output.map(|output| &output.redacted),
            },
            "working_directory": started.cwd,
            "environment": self.view.environment(number),
            "reversibility": tally.reversibility_of(node),
            "coverage": tally.coverage().name(),
            "coverage_gaps": gaps(&tally),
            "effects": tally.effects(),
            "reasoning": started.reasoning,
            "client": client_form(self.view, number),
            "judgement": judgement(started.judged.as_deref()),
            "told": node.told,
        }))
    }
}

/// On whose behalf a node acts, where a client's hook told: of it, or of the whole session.
fn client_form(view: &SessionView, number: u64) -> Option<&ClientForm> {
    let own = view.clients.iter().find(|client| client.n == number);
    own.or_else(|| view.clients.iter().find(|client| client.n == 0))
}

/// The same in words.
#[must_use]
pub fn client(view: &SessionView, number: u64) -> Option<String> {
    let client = client_form(view, number)?;
    let parts = [
        ("session", Some(&client.session)),
        ("turn", client.turn.as_ref()),
        ("subagent", client.subagent.as_ref()),
        ("of kind", client.subagent_kind.as_ref()),
        ("tool", client.tool.as_ref()),
        ("call", client.call.as_ref()),
    ];
    let given = parts.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let given = given.filter(|(_, value)| !value.is_empty());
    let words: Vec<String> = given.map(|(name, value)| format!("{name} {value}")).collect();
    Some(format!("{}: {}", client.client, words.join(", ")))
}

const NOT_JUDGED: &str = "it was not judged: only actions are, and what they start";

fn risk(judged: Option<&JudgedForm>) -> Value {
    match judged {
        Some(judged) => json!({"judged": true, "factors": judged.factors}),
        None => json!({"judged": false, "note": NOT_JUDGED}),
    }
}

fn judgement(judged: Option<&JudgedForm>) -> Value {
    match judged {
        Some(judged) => json!({
            "default": false,
            "verdict": judged.verdict,
            "class": judged.class,
            "reasons": judged.reasons,
            "not_captured": judged.uncovered,
            "recovery": judged.recovery,
            "compensation": judged.compensation,
            "entry": judged.entry,
            "policy": judged.policy,
            "rule": judged.rule,
            "notify": judged.notify,
        }),
        None => json!({"default": true, "note": NOT_JUDGED}),
    }
}

/// What people had to say about it, and said.
fn approval(node: &Node) -> Value {
    let judged = node.started.judged.as_ref();
    let Some(judged) = judged.filter(|judged| judged.verdict == "hold") else {
        return json!({"required": false, "reviewer": null, "approved_at": null});
    };
    let decided = node.decided.as_ref();
    let persons: Vec<&str> = decided
        .into_iter()
        .flat_map(|closed| &closed.decisions)
        .map(|said| said.person.as_str())
        .collect();
    let approved = decided.filter(|closed| closed.how == Closed::Approved);
    json!({
        "required": true,
        "reviewer": persons.first(),
        "reviewers": persons,
        "approved_at": approved.map(|closed| &closed.at),
        "outcome": decided.map(|closed| closed.how.name()),
        "persons": judged.persons,
        "decisions": decided.map(|closed| &closed.decisions),
        "waited": node.waited,
    })
}

fn gaps(tally: &Tally) -> Vec<Value> {
    let all = tally.gaps.iter().chain(&tally.escapes);
    all.map(|(what, why)| json!({"what": what, "why": why})).collect()
}

/// Exit code and signal, of which one at most is there.
#[must_use]
pub fn exit_numbers(exit: Option<ExitForm>) -> (Option<i32>, Option<i32>) {
    match exit {
        Some(ExitForm::Code(code)) => (Some(code), None),
        Some(ExitForm::Signal(signal)) => (None, Some(signal)),
        _ => (None, None),
    }
}

/// What people decided about an action that was held, or that it was denied, in words.
#[must_use]
pub fn decision(node: &Node) -> Option<String> {
    let judged = node.started.judged.as_ref()?;
    match (&node.decided, judged.verdict.as_str()) {
        (Some(closed), _) => {
            let persons: Vec<&str> = closed.decisions.iter().map(|said| said.person.as_str()).collect();
            let by = if persons.is_empty() {
                String::new()
            } else {
                format!(" by {}", persons.join(", "))
            };
            Some(clean(&format!("{}{by}", closed.how.name())))
        }
        (None, "deny") => Some("denied".to_owned()),
        (None, "hold") if node.ended.is_none() => Some("held".to_owned()),
        _ => judged.rule.as_ref().map(|rule| clean(&format!("by rule {rule}"))),
    }
}

/// How a node ended, in words.
#[must_use]
pub fn exit_word(exit: Option<ExitForm>, session: &SessionId) -> String {
    exit.map_or_else(|| "running".to_owned(), |exit| exit.text(session))
}

/// One step of an undo.
pub struct SystemStep {
    /// Its number as an action.
    pub number: u64,
    /// What it worked on.
    pub name: String,
    /// How it ended, in a word.
    pub end: &'static str,
    /// Why it ended so.
    pub why: Option<String>,
    /// How many effects it took back.
    pub took: usize,
}

/// The steps of an undo in order.
#[must_use]
pub fn system_steps(view: &SessionView) -> Vec<SystemStep> {
    let mut steps: BTreeMap<u64, SystemStep> = BTreeMap::new();
    let unfinished = "not finished";
    for record in &view.system {
        match record {
            SystemRecord::StepStarted {
                action, name, took, ..
            } => {
                let (name, took) = (name.clone(), took.len());
                let step = SystemStep {
                    number: action.number,
                    name,
                    end: unfinished,
                    why: None,
                    took,
                };
                steps.insert(action.number, step);
            }
            SystemRecord::StepEnded { action, end } => {
                if let Some(step) = steps.get_mut(&action.number) {
                    (step.end, step.why) = step_end(end);
                }
            }
            _ => {}
        }
    }
    steps.into_values().collect()
}

fn step_end(end: &StepEnd) -> (&'static str, Option<String>) {
    use rescind_supervisor::Restored;
    match end {
        StepEnd::Ended(Restored::Done { .. }) => ("restored", None),
        StepEnd::Ended(Restored::Already) => ("already so", None),
        StepEnd::Ended(Restored::Drifted { .. }) => {
            ("drifted", Some("somebody wrote to it meanwhile".to_owned()))
        }
        StepEnd::Ended(Restored::Kept { why }) => ("kept", Some(why.clone())),
        StepEnd::Failed(why) => ("failed", Some(why.clone())),
    }
}

/// The record of an undo's step, in the form of an action's.
#[must_use]
pub fn system_json(view: &SessionView, step: &SystemStep) -> Value {
    json!({
        "timestamp": view.opened.time,
        "session_id": view.id.to_string(),
        "action_id": view.id.action(step.number).to_string(),
        "parent_id": null,
        "agent": view.opened.agent,
        "role": "system",
        "command": format!("rescind: restore {}", quote(&step.name)),
        "argv": [],
        "risk_score": null,
        "risk": {"judged": false, "note": NOT_JUDGED},
        "approval": {"required": false, "reviewer": null, "approved_at": null},
        "exit_code": null,
        "signal": null,
        "exit": step.end,
        "started": view.opened.time,
        "ended": view.ended.as_ref().map(|ended| &ended.time),
        "output": {"preview": "", "bytes": 0, "digest": null, "recorded": true, "gap": null, "redacted": {}},
        "working_directory": view.opened.cwd,
        "environment": {},
        "reversibility": Reversibility::ReversibleWithState.name(),
        "coverage": "captured",
        "coverage_gaps": [],
        "effects": step.took,
        "reasoning": view.opened.scope.as_ref().map(|scope| format!("undo of {scope}")),
        "why": step.why,
        "judgement": {"default": true, "note": NOT_JUDGED},
    })
}

/// Whether a session is an undo.
#[must_use]
pub fn is_undo(view: &SessionView) -> bool {
    view.opened.kind == SessionKind::Undo
}
