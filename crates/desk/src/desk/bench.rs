//! One judgement: the judge's answer, with what a session's own state makes of it.

use crate::proposal::is_runner;
use crate::tally::TallyError;
use rescind_catalog::{Judgement as Known, Part, usual_time};
use rescind_model::{Class, Coverage, Operation, Reversibility, Surface, Timestamp, Verdict, chain};
use rescind_policy::{
    Bounds, Counters, Grant, History, Input, Judge, Judgement, Proposal, Rules, Session, Stage, Whitelist,
};
use rescind_supervisor::journal::{FactorForm, JudgedForm};
use rescind_supervisor::{Judged, Understood};

/// What is said of a denial by scope, besides.
const WIDEN: &str =
    "a person gives a session more when they start it: `rescind run --may OPERATION:SURFACE:TARGET`";

/// Where in a session an action stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its number.
    pub(super) node: u64,
    /// That of the action around it.
    pub(super) parent: u64,
    /// How bad what a person approved around it was.
    pub(super) cleared: Option<u8>,
}

/// Why a session is halted.
#[derive(Debug)]
pub(super) struct Halt {
    pub(super) why: String,
    /// What a person can do about it, in a sentence.
    pub(super) choices: Option<String>,
    /// Whether what only reads waits, too.
    pub(super) all: bool,
}

/// All that a judgement depends on but what is used of the limits.
pub(super) struct Bench<'b> {
    pub(super) rules: &'b Rules,
    pub(super) bounds: &'b Bounds,
    pub(super) session: &'b Session,
    pub(super) history: &'b History,
    /// The learned rules that are about the action, looked up only where it would be held.
    pub(super) learned: &'b dyn Fn() -> Vec<Grant>,
    /// Why the session is halted, if it is.
    pub(super) halted: Option<&'b Halt>,
    pub(super) record_only: bool,
    pub(super) now: Timestamp,
}

impl Bench<'_> {
    /// Judge by what is used. `covered`: the action around this one has reserved all that it counts for.
    pub(super) fn judge(
        &self,
        known: &Known,
        proposal: &Proposal,
        place: Place,
        counters: &Counters,
        covered: bool,
    ) -> Judged {
        let uncounted = covered.then(|| Bounds {
            limits: self.bounds.limits.on_duration(),
            ..self.bounds.clone()
        });
        let judge = |whitelist: &Whitelist| {
            let bounds = uncounted.as_ref().unwrap_or(self.bounds);
            let rules = self.rules;
            Judge { rules, bounds }.judge(&Input {
                proposal,
                session: self.session,
                history: self.history,
                whitelist,
                counters,
                now: self.now,
            })
        };
        let severity = severity(proposal);
        let cleared = place.cleared.is_some_and(|cleared| severity <= cleared);
        let mut judgement = judge(&Whitelist::default());
        let learnable = self.learnable(&judgement);
        if learnable && !cleared && !self.record_only {
            let whitelist = Whitelist::new((self.learned)());
            if !whitelist.is_empty() {
                judgement = judge(&whitelist);
            }
        }
        let limited = judgement.limit.is_some();
        let mut verdict = judgement.verdict.clone();
        let mut form = form(known, proposal, &judgement);
        if judgement
            .reasons
            .iter()
            .any(|reason| reason.stage == Stage::Scope)
            && let Verdict::Deny(reasons) = &mut verdict
        {
            let scopes = &self.session.scopes;
            let changes = [Operation::Write, Operation::Delete, Operation::Admin];
            if !changes
                .iter()
                .any(|operation| scopes.grant_any(*operation, Surface::Files))
            {
                reasons.push("this session is read-only".to_owned());
            }
            reasons.push(WIDEN.to_owned());
        }
        if matches!(verdict, Verdict::Hold(_)) && cleared && !judgement.halts && !limited {
            verdict = Verdict::Allow;
            verdict.name().clone_into(&mut form.verdict);
            form.persons = 0;
            form.reasons
                .push("a part of what a person approved, and no worse than that".to_owned());
        }
        if let Some(halt) = self
            .halted
            .filter(|halt| halt.all || verdict != Verdict::Allow || !proposal.only_reads())
        {
            (verdict, form) = halted(halt, verdict, form);
        }
        if self.record_only && verdict != Verdict::Allow {
            verdict = Verdict::Allow;
            form.reasons
                .push("it runs all the same: this session only records".to_owned());
        }
        Judged {
            form,
            verdict,
            severity,
            understood: understood(known),
            digest: proposal.digest,
            node: place.node,
            limited,
            learnable,
            paths: Vec::new(),
            ways: Vec::new(),
        }
    }

    /// Whether policies alone hold it, all of which could be evaluated: that is what a learned rule answers.
    fn learnable(&self, judgement: &Judgement) -> bool {
        let held = matches!(judgement.verdict, Verdict::Hold(_)) && judgement.who.is_some();
        let failed = judgement.matched.iter().any(|matched| matched.failed.is_some());
        held && !judgement.halts && !failed && judgement.limit.is_none() && self.halted.is_none()
    }
}

/// The rule by which an action runs, where one lets it, and what is said of it.
fn by_rule(judgement: &Judgement) -> Option<(String, String)> {
    let rule = judgement
        .whitelisted
        .as_ref()
        .filter(|_| judgement.verdict == Verdict::Allow)?;
    let mut reasons = judgement.reasons.iter();
    let reason = reasons.find(|reason| reason.stage == Stage::Whitelist)?;
    Some((rule.clone(), reason.to_string()))
}

/// A halted session: everything waits for a person.
fn halted(halt: &Halt, verdict: Verdict, mut form: JudgedForm) -> (Verdict, JudgedForm) {
    let mut reasons = vec![format!("the session is halted: {}", halt.why)];
    reasons.extend(halt.choices.clone());
    form.reasons.splice(0..0, reasons.iter().cloned());
    let verdict = match verdict {
        Verdict::Deny(own) => Verdict::Deny(own),
        Verdict::Hold(own) => {
            reasons.extend(own);
            Verdict::Hold(reasons)
        }
        Verdict::Allow => Verdict::Hold(reasons),
    };
    verdict.name().clone_into(&mut form.verdict);
    if matches!(verdict, Verdict::Hold(_)) {
        form.persons = form.persons.max(1);
    }
    (verdict, form)
}

/// A judgement without knowing what is used of the limits: what would have run waits for a person, who is told why.
pub(super) fn lost(mut judged: Judged, error: &TallyError) -> Judged {
    let why = format!("limits: {}", chain(error));
    judged.form.reasons.insert(0, why.clone());
    judged.limited = true;
    judged.verdict = match judged.verdict {
        Verdict::Allow => Verdict::Hold(vec![why]),
        Verdict::Hold(mut reasons) => {
            reasons.push(why);
            Verdict::Hold(reasons)
        }
        Verdict::Deny(reasons) => Verdict::Deny(reasons),
    };
    judged.verdict.name().clone_into(&mut judged.form.verdict);
    if matches!(judged.verdict, Verdict::Hold(_)) {
        judged.form.persons = judged.form.persons.max(1);
    }
    judged
}
fn understood(known: &Known) -> Understood {
    let unknown = |part: &&Part| part.class == Class::Unknown;
    if known.class != Class::Unknown {
        Understood::Wholly
    } else if !known.parts.is_empty() && known.parts.iter().filter(unknown).all(is_runner) {
        Understood::Itself
    } else {
        Understood::Not
    }
}

/// How bad: 0 trivially reversible, 4 irreversible or neither understood nor covered.
fn severity(proposal: &Proposal) -> u8 {
    let covered = proposal.coverage == Coverage::Captured;
    match proposal.class {
        Some(Reversibility::TriviallyReversible) => 0,
        Some(Reversibility::ReversibleWithState) if covered => 1,
        Some(Reversibility::ReversibleWithState | Reversibility::ReversibleWithBackup) => 2,
        None if covered => 1,
        Some(Reversibility::PartiallyReversible) => 3,
        Some(Reversibility::Irreversible) | None => 4,
    }
}

fn form(known: &Known, proposal: &Proposal, judgement: &Judgement) -> JudgedForm {
    let worst = known.parts.iter().max_by_key(|part| part.class);
    let entry = worst.and_then(|part| part.entry.as_ref());
    let compensation = worst
        .and_then(|part| part.recoveries.first())
        .and_then(rescind_catalog::Recovery::compensation);
    let mut reasons: Vec<String> = match &judgement.verdict {
        Verdict::Allow => Vec::new(),
        Verdict::Hold(reasons) | Verdict::Deny(reasons) => reasons.clone(),
    };
    reasons.extend(
        known
            .reasons
            .iter()
            .filter(|_| known.class > Class::NoEffect)
            .cloned(),
    );
    let rule = by_rule(judgement);
    if let Some((_, reason)) = &rule {
        reasons.insert(0, reason.clone());
    }
    let uncovered = match &proposal.coverage {
        Coverage::Captured => Vec::new(),
        Coverage::Partial(missing) => missing.iter().map(ToString::to_string).collect(),
        Coverage::NotCaptured(why) => vec![why.clone()],
    };
    let who = judgement.who.as_ref();
    JudgedForm {
        class: known.class.name().to_owned(),
        kind: proposal.kind.clone(),
        score: judgement.risk.points(),
        factors: judgement.risk.factors().iter().map(factor).collect(),
        verdict: judgement.verdict.name().to_owned(),
        reasons,
        recovery: recovery(known, judgement),
        policy: judgement.policy_version.to_string(),
        uncovered,
        persons: who.map_or(0, |who| who.persons),
        groups: who.map_or_else(Vec::new, |who| who.groups.iter().cloned().collect()),
        notify: judgement.notify.iter().cloned().collect(),
        auto_undo: judgement.auto_undo,
        entry: entry.map(|entry| entry.command_pattern.clone()),
        rule: rule.map(|(rule, _)| rule),
        compensation: compensation.map(|filled| filled.argv.join(" ")),
        advice: entry
            .and_then(|entry| entry.idempotent_form.as_ref())
            .map(|form| format!("`{form}` can be repeated")),
    }
}

fn factor(factor: &rescind_model::RiskFactor) -> FactorForm {
    FactorForm {
        name: factor.name.to_owned(),
        points: factor.points,
        why: factor.sentence.clone(),
    }
}

/// The way back; the catalog's own estimate of its time comes before that of the class.
fn recovery(known: &Known, judgement: &Judgement) -> String {
    let own = known
        .parts
        .iter()
        .filter_map(|part| part.entry.as_ref()?.time_to_recover)
        .max();
    match own.or_else(|| usual_time(known.class)) {
        Some(time) if own.is_some() => {
            format!(
                "{} (expected {} min)",
                judgement.recovery.path,
                time.as_secs().div_ceil(60)
            )
        }
        _ => judgement.recovery.to_string(),
    }
}
