//! One session's desk: what it asks of the catalog and the judge, and what it remembers of their answers.

mod usage;

use crate::configuration::{Configuration, ConfigurationError};
use crate::proposal::proposal;
use crate::tally::{Tally, TallyError};
use rescind_catalog::{Catalog, Context, Judgement as Known, usual_time};
use rescind_model::{Class, Coverage, Digest, Reversibility, SessionId, Timestamp, Verdict};
use rescind_policy::{
    Ask, Attempt, Bounds, Counters, History, Input, Judge, Judgement, Proposal, Rules, Session, Target,
    Whitelist,
};
use rescind_supervisor::journal::{FactorForm, JudgedForm};
use rescind_supervisor::{Asked, Desk, Judged, now};
use std::collections::HashMap;
use std::error::Error as _;
use std::path::Path;
use usage::{Usage, own_writes};

/// The desk of one session.
#[derive(Debug)]
pub struct SessionDesk {
    catalog: Catalog,
    rules: Rules,
    bounds: Bounds,
    whitelist: Whitelist,
    session: Session,
    history: History,
    trusted: Vec<String>,
    clock: fn() -> Timestamp,
    record_only: bool,
    /// What was proposed and is not settled, by its number, with that of the action around it.
    open: HashMap<u64, (Proposal, u64)>,
    usage: Usage,
}

/// Who acts, and where.
#[derive(Debug, Clone)]
pub struct Acting {
    /// The session.
    pub session: SessionId,
    /// The agent's name.
    pub agent: String,
    /// Who started it.
    pub owner: String,
    /// The domain.
    pub domain: String,
    /// What kind of environment that is.
    pub environment: rescind_policy::Environment,
}

impl SessionDesk {
    /// A desk for a session, by what is configured. `tally` is what is used of the limits, by all sessions.
    ///
    /// # Errors
    /// The configuration can't be used: nothing can be judged then.
    pub fn new(
        configuration: &Configuration,
        acting: Acting,
        tally: Tally,
    ) -> Result<Self, ConfigurationError> {
        Ok(Self {
            usage: Usage::new(tally, acting.session.to_string()),
            catalog: configuration.catalog()?,
            rules: configuration.rules()?,
            bounds: configuration.bounds()?,
            whitelist: Whitelist::default(),
            session: Session {
                id: acting.session,
                agent: acting.agent,
                teams: Vec::new(),
                owner: acting.owner,
                domain: acting.domain,
                environment: acting.environment,
                scopes: rescind_model::Scopes::all(),
                started: now(),
                actions: 0,
            },
            history: History::default(),
            trusted: trusted(),
            clock: now,
            record_only: false,
            open: HashMap::new(),
        })
    }

    /// The same desk, whose verdicts are recorded and stop nothing.
    #[must_use]
    pub fn record_only(mut self) -> Self {
        self.record_only = true;
        self
    }

    fn known(&self, asked: &Asked<'_>) -> Known {
        let variables = asked.environment.iter().filter_map(|pair| {
            let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        });
        let context = Context {
            variables: variables.collect(),
            complete: true,
            trusted: self.trusted.clone(),
        };
        // The file that runs says what runs; the first argument can be anything.
        let mut argv: Vec<&str> = vec![asked.exe];
        argv.extend(asked.argv.iter().skip(1).map(String::as_str));
        self.catalog.judge_argv(&argv, &context)
    }
}

impl Desk for SessionDesk {
    fn judge(&mut self, asked: &Asked<'_>) -> Judged {
        let known = self.known(asked);
        let exact = format!("{}\0{:?}\0{}", asked.exe, asked.argv, asked.cwd);
        let digest = Digest::of(exact.as_bytes());
        let proposal = proposal(&known, asked.argv.join(" "), digest, asked.cwd);
        let (now, ask) = ((self.clock)(), Ask::of(&proposal, &self.session));
        let bench = Bench {
            rules: &self.rules,
            bounds: &self.bounds,
            session: &self.session,
            history: &self.history,
            whitelist: &self.whitelist,
            record_only: self.record_only,
            now,
        };
        let judge = |counters: &Counters, covered| bench.judge(&known, &proposal, asked, counters, covered);
        let judged = self.usage.judge(
            &self.bounds.limits,
            &ask,
            (asked.node, asked.parent),
            now,
            judge,
            |judged| (judged.verdict == Verdict::Allow, judged.limited),
        );
        let judged = judged.unwrap_or_else(|error| {
            lost(
                bench.judge(&known, &proposal, asked, &Counters::default(), false),
                &error,
            )
        });
        self.open.insert(asked.node, (proposal, asked.parent));
        judged
    }

    fn approved(&mut self, judged: &Judged) -> Result<(), String> {
        let Some((proposal, parent)) = self.open.get(&judged.node) else {
            return Ok(());
        };
        let ask = Ask::of(proposal, &self.session);
        self.usage.approved(
            &self.bounds.limits,
            ask,
            (judged.node, *parent),
            judged.limited,
            (self.clock)(),
        )
    }

    fn ended(&mut self, node: u64, files: Option<u64>) {
        let session = &self.session;
        let ask = || own_writes(session);
        self.usage
            .ended(&self.bounds.limits, ask, node, files, self.clock);
    }

    fn closed(&mut self) {
        self.usage.closed(self.clock);
    }

    fn settled(&mut self, judged: &Judged, ran: bool) {
        let Some((proposal, _)) = self.open.remove(&judged.node) else {
            return;
        };
        if ran {
            self.session.actions += 1;
            // What only reads says nothing of whether the agent has taken no for an answer.
            if !proposal.only_reads() {
                self.history.denials_in_a_row = 0;
            }
            self.history.known_kinds.insert(proposal.kind);
            return;
        }
        self.ended(judged.node, None);
        self.history.denials_in_a_row = self.history.denials_in_a_row.saturating_add(1);
        self.history.denied.push(Attempt {
            digest: proposal.digest,
            severity: proposal.severity(),
            targets: proposal
                .targets
                .iter()
                .map(|name| Target {
                    surface: proposal.surface,
                    name: name.clone(),
                })
                .collect(),
            text: proposal.text,
            operation: proposal.operation,
            kind: proposal.kind,
            force: proposal.force,
        });
    }
}

/// All that a judgement depends on but what is used of the limits.
struct Bench<'b> {
    rules: &'b Rules,
    bounds: &'b Bounds,
    session: &'b Session,
    history: &'b History,
    whitelist: &'b Whitelist,
    record_only: bool,
    now: Timestamp,
}

impl Bench<'_> {
    /// Judge by what is used. `covered`: the action around this one has reserved all that it counts for.
    fn judge(
        &self,
        known: &Known,
        proposal: &Proposal,
        asked: &Asked<'_>,
        counters: &Counters,
        covered: bool,
    ) -> Judged {
        let uncounted = covered.then(|| Bounds {
            limits: self.bounds.limits.on_duration(),
            ..self.bounds.clone()
        });
        let judgement = Judge {
            rules: self.rules,
            bounds: uncounted.as_ref().unwrap_or(self.bounds),
        }
        .judge(&Input {
            proposal,
            session: self.session,
            history: self.history,
            whitelist: self.whitelist,
            counters,
            now: self.now,
        });
        let limited = judgement.limit.is_some();
        let severity = severity(proposal);
        let mut verdict = judgement.verdict.clone();
        let mut form = form(known, proposal, &judgement);
        let cleared = asked.cleared.is_some_and(|cleared| severity <= cleared);
        if matches!(verdict, Verdict::Hold(_)) && cleared && !judgement.halts && !limited {
            verdict = Verdict::Allow;
            verdict.name().clone_into(&mut form.verdict);
            form.persons = 0;
            form.reasons
                .push("a part of what a person approved, and no worse than that".to_owned());
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
            digest: proposal.digest,
            node: asked.node,
            limited,
        }
    }
}

/// A judgement without knowing what is used of the limits: what would have run waits for a person, who is told why.
fn lost(mut judged: Judged, error: &TallyError) -> Judged {
    let mut why = format!("limits: {error}");
    if let Some(source) = error.source() {
        why = format!("{why}: {source}");
    }
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

/// Folders whose programs are what they are called: those of the path of whoever started the session, without the
/// folder it works in.
fn trusted() -> Vec<String> {
    let path = std::env::var("PATH").unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let folders = path.split(':').filter(|folder| Path::new(folder).is_absolute());
    folders
        .filter(|folder| !Path::new(folder).starts_with(&here))
        .map(str::to_owned)
        .collect()
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
    let uncovered = match &proposal.coverage {
        Coverage::Captured => Vec::new(),
        Coverage::Partial(missing) => missing.iter().map(ToString::to_string).collect(),
        Coverage::NotCaptured(why) => vec![why.clone()],
    };
    let who = judgement.who.as_ref();
    JudgedForm {
        class: known.class.name().to_owned(),
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
        entry: entry.map(|entry| entry.command_pattern.clone()),
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

#[cfg(test)]
mod tests;
