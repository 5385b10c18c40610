//! One session's desk: what it asks of the catalog and the judge, and what it remembers of their answers.

use crate::configuration::{Configuration, ConfigurationError};
use crate::proposal::{is_runner, proposal};
use rescind_catalog::{Catalog, Context, Judgement as Known, Part, usual_time};
use rescind_model::{
    Class, Coverage, Digest, Operation, Reversibility, SessionId, Surface, Timestamp, Verdict,
};
use rescind_policy::{
    Attempt, Blast, Bounds, Counters, Environment, History, Input, Judge, Judgement, Proposal, Rules,
    Session, Target, Whitelist,
};
use rescind_supervisor::journal::{FactorForm, JudgedForm};
use rescind_supervisor::{Asked, Connecting, Desk, Judged, Understood, now};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;

/// The desk of one session.
#[derive(Debug)]
pub struct SessionDesk {
    catalog: Catalog,
    rules: Rules,
    bounds: Bounds,
    whitelist: Whitelist,
    session: Session,
    history: History,
    /// What is known around the last command: its environment, raw in `environment`.
    context: Context,
    environment: Vec<Vec<u8>>,
    clock: fn() -> Timestamp,
    record_only: bool,
    /// Why the session is halted: everything waits until a person has let something run.
    halted: Option<String>,
    /// What was proposed and is not settled, by the digest of the judgement's proposal.
    open: HashMap<Digest, Proposal>,
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
    pub environment: Environment,
    /// The folders that whoever started it looks for programs in, as `PATH` has them. Those outside of where it works are
    /// trusted to hold what they are called.
    pub path: String,
    /// The folder it works in.
    pub cwd: String,
}

impl SessionDesk {
    /// A desk for a session, by what is configured.
    ///
    /// # Errors
    /// The configuration can't be used: nothing can be judged then.
    pub fn new(configuration: &Configuration, acting: Acting) -> Result<Self, ConfigurationError> {
        Ok(Self {
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
            context: Context {
                variables: HashMap::new(),
                complete: true,
                trusted: trusted(&acting.path, Path::new(&acting.cwd)),
            },
            environment: Vec::new(),
            clock: now,
            record_only: false,
            halted: None,
            open: HashMap::new(),
        })
    }

    /// The same desk, whose verdicts are recorded and stop nothing.
    #[must_use]
    pub fn record_only(mut self) -> Self {
        self.record_only = true;
        self
    }

    fn known(&mut self, asked: &Asked<'_>) -> Known {
        // Most commands have the environment of the one before.
        if self.environment != asked.environment {
            let variables = asked.environment.iter().filter_map(|pair| {
                let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
                Some((name.to_owned(), value.to_owned()))
            });
            self.context.variables = variables.collect();
            self.environment = asked.environment.to_vec();
        }
        // The file that runs says what runs; the first argument can be anything.
        let mut argv: Vec<&str> = vec![asked.exe];
        argv.extend(asked.argv.iter().skip(1).map(String::as_str));
        let script = self.is_known_script(&argv);
        self.catalog
            .judge_argv(argv.get(usize::from(script)..).unwrap_or_default(), &self.context)
    }

    /// Whether an interpreter runs a program that the catalog knows by its name: `node /usr/bin/npm test` is `npm test`.
    /// Whether it is what it is called the catalog asks itself, by its folder.
    fn is_known_script(&self, argv: &[&str]) -> bool {
        let [program, script, ..] = argv else { return false };
        let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let interpreter = INTERPRETERS.iter().any(|known| {
            name(program).trim_end_matches(|end: char| end.is_ascii_digit() || end == '.') == *known
        });
        interpreter && script.contains('/') && self.catalog.knows(&name(script))
    }
}

impl Desk for SessionDesk {
    fn judge(&mut self, asked: &Asked<'_>) -> Judged {
        let known = self.known(asked);
        let exact = format!("{}\0{:?}\0{}", asked.exe, asked.argv, asked.cwd);
        let digest = Digest::of(exact.as_bytes());
        let proposal = proposal(&self.catalog, &known, asked.argv.join(" "), digest, asked.cwd);
        self.answer(&known, proposal, asked.cleared)
    }

    fn judge_connection(&mut self, connecting: &Connecting<'_>) -> Judged {
        let exact = format!("{:?}\0{}", connecting.key, connecting.to);
        let proposal = Proposal {
            operation: Operation::Write,
            surface: Surface::Http,
            kind: "network.connect".to_owned(),
            text: format!("{} connects to {}", connecting.by, connecting.to),
            digest: Digest::of(exact.as_bytes()),
            targets: vec![connecting.to.to_owned()],
            class: None,
            coverage: Coverage::NotCaptured(format!(
                "what it sends to {} is not seen, and nothing there is captured",
                connecting.to
            )),
            blast: Blast::default(),
            force: BTreeSet::new(),
            drives: Vec::new(),
        };
        let known = Known {
            class: Class::Unknown,
            uncaptured: Class::Unknown,
            reasons: vec![format!("nobody can say what `{}` does there", connecting.by)],
            parts: Vec::new(),
            local_files_only: false,
        };
        self.answer(&known, proposal, connecting.cleared)
    }

    fn asks_about_local(&self) -> bool {
        self.session.environment == Environment::Production
    }

    fn settled(&mut self, judged: &Judged, ran: bool) {
        self.settle(judged, ran);
    }
}

impl SessionDesk {
    fn answer(&mut self, known: &Known, proposal: Proposal, cleared: Option<u8>) -> Judged {
        let digest = proposal.digest;
        let judgement = Judge {
            rules: &self.rules,
            bounds: &self.bounds,
        }
        .judge(&Input {
            proposal: &proposal,
            session: &self.session,
            history: &self.history,
            whitelist: &self.whitelist,
            counters: &Counters::default(),
            now: (self.clock)(),
        });
        let severity = severity(&proposal);
        let mut verdict = judgement.verdict.clone();
        let mut form = form(known, &proposal, &judgement);
        let cleared = cleared.is_some_and(|cleared| severity <= cleared);
        if matches!(verdict, Verdict::Hold(_)) && cleared && !judgement.halts {
            verdict = Verdict::Allow;
            verdict.name().clone_into(&mut form.verdict);
            form.persons = 0;
            form.reasons
                .push("a part of what a person approved, and no worse than that".to_owned());
        }
        if let Some(why) = self
            .halted
            .as_ref()
            .filter(|_| verdict != Verdict::Allow || !proposal.only_reads())
        {
            let mut reasons = vec![format!("the session is halted: {why}")];
            if let Verdict::Hold(own) | Verdict::Deny(own) = &verdict {
                reasons.extend(own.iter().cloned());
            }
            form.reasons.insert(0, format!("the session is halted: {why}"));
            if !matches!(verdict, Verdict::Deny(_)) {
                verdict = Verdict::Hold(reasons);
                verdict.name().clone_into(&mut form.verdict);
                form.persons = form.persons.max(1);
            }
        }
        if self.record_only && verdict != Verdict::Allow {
            verdict = Verdict::Allow;
            form.reasons
                .push("it runs all the same: this session only records".to_owned());
        }
        self.open.insert(digest, proposal);
        Judged {
            form,
            verdict,
            severity,
            understood: understood(known),
            digest,
        }
    }

    fn settle(&mut self, judged: &Judged, ran: bool) {
        let Some(proposal) = self.open.remove(&judged.digest) else {
            return;
        };
        if ran {
            if matches!(judged.verdict, Verdict::Hold(_)) {
                // A person has looked at it.
                self.halted = None;
            }
            self.session.actions += 1;
            // What only reads says nothing of whether the agent has taken no for an answer.
            if !proposal.only_reads() {
                self.history.denials_in_a_row = 0;
            }
            self.history.known_kinds.insert(proposal.kind);
            return;
        }
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

    fn halt(&mut self, why: &str) {
        self.halted.get_or_insert_with(|| why.to_owned());
    }
}

const INTERPRETERS: [&str; 8] = ["node", "nodejs", "python", "ruby", "perl", "bash", "sh", "dash"];

/// Folders whose programs are what they are called: those of the path of whoever started the session, without the
/// folder it works in.
fn trusted(path: &str, here: &Path) -> Vec<String> {
    let folders = path.split(':').filter(|folder| Path::new(folder).is_absolute());
    folders
        .filter(|folder| !Path::new(folder).starts_with(here))
        .map(str::to_owned)
        .collect()
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
