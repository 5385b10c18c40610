//! One session's desk: what it asks of the catalog and the judge, and what it remembers of their answers.

mod bench;
mod captured;
mod lessons;
mod usage;

use crate::configuration::{Configuration, ConfigurationError};
use crate::known::KnownKinds;
use crate::learned::{Learned, LearnedRules, Surroundings};
use crate::proposal::{paths, proposal};
use crate::tally::Tally;
use crate::ways;
use bench::{Bench, Halt, Place, lost};
use lessons::Lessons;
use rescind_catalog::{Catalog, Context, Judgement as Known, Recovery};
use rescind_model::{Class, Coverage, Digest, Operation, Scopes, SessionId, Surface, Timestamp, Verdict};
use rescind_policy::{
    Ask, Attempt, Blast, Bounds, Counters, Environment, Grant, History, Limits, Proposal, Rules, Session,
    Target,
};
use rescind_supervisor::holds::{Instead, Lesson};
use rescind_supervisor::{Asked, Connecting, Desk, Judged, now};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use usage::{Usage, own_writes};

/// The desk of one session.
#[derive(Debug)]
pub struct SessionDesk {
    catalog: Catalog,
    rules: Rules,
    bounds: Bounds,
    lessons: Lessons,
    known: Option<KnownKinds>,
    session: Session,
    history: History,
    /// What is known around the last command: its environment, raw in `environment`.
    context: Context,
    environment: Vec<Vec<u8>>,
    clock: fn() -> Timestamp,
    record_only: bool,
    /// Why the session is halted: everything waits until a person has let something run.
    halted: Option<Halt>,
    /// Whether an action that fails halts the session.
    fail_fast: bool,
    /// What was proposed and is not settled, by its number.
    open: HashMap<u64, Open>,
    usage: Usage,
}

/// What was proposed and is not settled.
#[derive(Debug)]
struct Open {
    proposal: Proposal,
    place: Place,
    /// What the command is given in, where it waits for people who may want it to run again, or is judged again.
    around: Option<Surroundings>,
    /// Where something is read before it runs.
    read: Option<Box<Reads>>,
}

/// What is to be read before an action runs, and what it is judged again by.
#[derive(Debug)]
struct Reads {
    known: Known,
    judged: Judged,
    /// The way back of each of its targets.
    ways: Vec<Recovery>,
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
            lessons: Lessons::default(),
            known: None,
            session: Session {
                id: acting.session,
                agent: acting.agent,
                teams: Vec::new(),
                owner: acting.owner,
                domain: acting.domain,
                environment: acting.environment,
                scopes: Scopes::all(),
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
            fail_fast: false,
            open: HashMap::new(),
        })
    }

    /// The same desk, whose verdicts are recorded and stop nothing.
    #[must_use]
    pub fn record_only(mut self) -> Self {
        self.record_only = true;
        self
    }

    /// The same desk for a session that may do only this.
    #[must_use]
    pub fn within(mut self, scopes: Scopes) -> Self {
        self.session.scopes = scopes;
        self
    }

    /// The same desk with these rules learned from approvals, and those that will be. `client`: the session of a client,
    /// `CLIENT:SESSION`, where each of its calls is a session here; what holds for a session holds for all of that then.
    #[must_use]
    pub fn with_learned(mut self, rules: LearnedRules, client: Option<String>) -> Self {
        self.lessons = Lessons::of(rules, client);
        self
    }

    /// The same desk, which knows what its agent was permitted before, and keeps what is new.
    #[must_use]
    pub fn with_known(mut self, index: KnownKinds, kinds: BTreeSet<String>) -> Self {
        self.history.known_kinds = kinds;
        self.known = Some(index);
        self
    }

    /// The same desk, for a session that any failure halts.
    #[must_use]
    pub fn fail_fast(mut self) -> Self {
        self.fail_fast = true;
        self
    }

    /// The same desk without limits: nothing is counted or reserved.
    #[must_use]
    pub fn without_limits(mut self) -> Self {
        self.bounds.limits = Limits::default();
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
        let mut argv: Vec<&str> = vec![self.called(asked)];
        argv.extend(asked.argv.iter().skip(1).map(String::as_str));
        let script = self.is_known_script(&argv);
        self.catalog
            .judge_argv(argv.get(usize::from(script)..).unwrap_or_default(), &self.context)
    }

    /// What a program is judged by: what it is called, or the file behind that, where only that is known: a link that is
    /// called something else is the same program.
    fn called<'a>(&self, asked: &Asked<'a>) -> &'a str {
        let name = |path: &'a str| path.rsplit('/').next().unwrap_or_default();
        let only_the_file = !self.catalog.knows(name(asked.exe)) && self.catalog.knows(name(asked.file));
        if only_the_file { asked.file } else { asked.exe }
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

impl SessionDesk {
    /// The same for a part of the session that may do less.
    fn answer_within(
        &mut self,
        scopes: Option<&Scopes>,
        known: Known,
        proposal: Proposal,
        place: Place,
        asked: Option<&Asked<'_>>,
        ways: Vec<Recovery>,
    ) -> Judged {
        let Some(scopes) = scopes else {
            return self.answer(known, proposal, place, asked, ways);
        };
        let narrower = self.session.scopes.narrow(scopes);
        let own = std::mem::replace(&mut self.session.scopes, narrower);
        let judged = self.answer(known, proposal, place, asked, ways);
        self.session.scopes = own;
        judged
    }

    fn proposal(&self, known: &Known, asked: &Asked<'_>) -> Proposal {
        let exact = format!("{}\0{:?}\0{}", asked.exe, asked.argv, asked.cwd);
        let digest = Digest::of(exact.as_bytes());
        proposal(&self.catalog, known, asked.argv.join(" "), digest, asked.cwd)
    }

    fn answer(
        &mut self,
        known: Known,
        proposal: Proposal,
        place: Place,
        asked: Option<&Asked<'_>>,
        ways: Vec<Recovery>,
    ) -> Judged {
        let (now, ask) = ((self.clock)(), Ask::of(&proposal, &self.session));
        let policy = self.rules.version().to_string();
        let learned = || -> Vec<Grant> {
            let around = asked.map(Surroundings::of);
            around.map_or_else(Vec::new, |around| self.lessons.about(&around, &policy))
        };
        let bench = Bench {
            rules: &self.rules,
            bounds: &self.bounds,
            session: &self.session,
            history: &self.history,
            learned: &learned,
            halted: self.halted.as_ref(),
            record_only: self.record_only,
            now,
        };
        let judge = |counters: &Counters, covered| bench.judge(&known, &proposal, place, counters, covered);
        let judged = self.usage.judge(
            &self.bounds.limits,
            &ask,
            (place.node, place.parent),
            now,
            judge,
            |judged| (judged.verdict == Verdict::Allow, judged.limited),
        );
        let mut judged: Judged =
            judged.unwrap_or_else(|error| lost(judge(&Counters::default(), false), &error));
        judged.learnable &= asked.is_some() && matches!(judged.verdict, Verdict::Hold(_)) && !judged.limited;
        self.lessons.judged(judged.form.rule.as_deref());
        let held = matches!(judged.verdict, Verdict::Hold(_));
        if let Some(asked) = asked.filter(|_| held) {
            judged.paths = paths(&known, asked.cwd);
        }
        judged.ways = ways.iter().map(ways::open).collect();
        let around = asked.filter(|_| held || !ways.is_empty()).map(Surroundings::of);
        let read = (!ways.is_empty()).then(|| {
            Box::new(Reads {
                known,
                judged: judged.clone(),
                ways,
            })
        });
        let open = Open {
            proposal,
            place,
            around,
            read,
        };
        self.open.insert(place.node, open);
        judged
    }
}

impl Desk for SessionDesk {
    fn judge(&mut self, asked: &Asked<'_>) -> Judged {
        let known = self.known(asked);
        let proposal = self.proposal(&known, asked);
        let place = Place {
            node: asked.node,
            parent: asked.parent,
            cleared: asked.cleared,
        };
        let ways = ways::ways(&known);
        self.answer_within(asked.scopes, known, proposal, place, Some(asked), ways)
    }

    fn judge_connection(&mut self, connecting: &Connecting<'_>) -> Judged {
        let (to, by) = (connecting.to, connecting.by);
        let exact = format!("{:?}\0{to}", connecting.key);
        let proposal = Proposal {
            operation: Operation::Write,
            surface: Surface::Http,
            kind: "network.connect".to_owned(),
            text: format!("{by} connects to {to}"),
            digest: Digest::of(exact.as_bytes()),
            targets: vec![to.to_owned()],
            class: None,
            coverage: Coverage::NotCaptured(format!(
                "what it sends to {to} is not seen, and nothing there is captured"
            )),
            blast: Blast::default(),
            force: BTreeSet::new(),
            drives: Vec::new(),
        };
        let known = Known {
            class: Class::Unknown,
            uncaptured: Class::Unknown,
            reasons: vec![format!("nobody can say what `{by}` does there")],
            parts: Vec::new(),
            local_files_only: false,
        };
        let place = Place {
            node: connecting.node,
            parent: connecting.parent,
            cleared: connecting.cleared,
        };
        self.answer_within(connecting.scopes, known, proposal, place, None, Vec::new())
    }

    fn captured(&mut self, node: u64, read: &[Result<String, String>]) -> Option<Judged> {
        self.fill(node, read)
    }

    fn asks_about_local(&self) -> bool {
        self.session.environment == Environment::Production
    }

    fn approved(&mut self, judged: &Judged) -> Result<(), String> {
        let Some(Open { proposal, place, .. }) = self.open.get(&judged.node) else {
            return Ok(());
        };
        let ask = Ask::of(proposal, &self.session);
        self.usage.approved(
            &self.bounds.limits,
            ask,
            (judged.node, place.parent),
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

    fn closed(&mut self) -> Option<i32> {
        self.usage.closed(self.clock);
        self.lessons.closed(&self.session.id);
        None
    }

    fn replace(&mut self, judged: &Judged, instead: &Instead) -> Result<(), String> {
        let Some(open) = self.open.remove(&judged.node) else {
            return Err("what was shown is not known any more".to_owned());
        };
        self.ended(judged.node, None);
        let held = open.around.ok_or("only a command has another one instead")?;
        let environment = held.environment();
        let asked = Asked {
            node: judged.node,
            parent: open.place.parent,
            exe: &instead.exe,
            file: &instead.exe,
            argv: &instead.argv,
            cwd: &held.cwd,
            environment: &environment,
            cleared: None,
            scopes: None,
        };
        let known = self.known(&asked);
        let proposal = self.proposal(&known, &asked);
        let policy = self.rules.version().to_string();
        let pass = Learned::instead(
            instead,
            &proposal,
            &self.session,
            &Surroundings::of(&asked),
            &policy,
        );
        self.lessons.pass(pass)
    }

    fn learn(&mut self, judged: &Judged, lesson: &Lesson) -> Result<(), String> {
        let Some(open) = self.open.get(&judged.node).filter(|_| judged.learnable) else {
            return Err("what was shown is not known any more".to_owned());
        };
        let policy = self.rules.version().to_string();
        self.lessons.learn(lesson, open, &self.session, &policy)
    }

    fn settled(&mut self, judged: &Judged, ran: bool) {
        let Some(Open { proposal, .. }) = self.open.remove(&judged.node) else {
            return;
        };
        if ran {
            if let Some(rule) = &judged.form.rule {
                let action = self.session.id.action(judged.node).to_string();
                self.lessons.used(rule, &action);
            }
            if matches!(judged.verdict, Verdict::Hold(_)) {
                // A person has looked at it.
                self.halted = None;
            }
            self.session.actions += 1;
            // What only reads says nothing of whether the agent has taken no for an answer.
            if !proposal.only_reads() {
                self.history.denials_in_a_row = 0;
            }
            if !self.history.known_kinds.contains(&proposal.kind) {
                if let Some(index) = &mut self.known {
                    index.learn(&proposal.kind);
                }
                self.history.known_kinds.insert(proposal.kind);
            }
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

    fn halt(&mut self, why: &str) {
        self.halted.get_or_insert_with(|| Halt {
            why: why.to_owned(),
            choices: None,
            all: false,
        });
    }

    fn failed(&mut self, why: &str, choices: &str) {
        if self.fail_fast {
            self.halted.get_or_insert_with(|| Halt {
                why: why.to_owned(),
                choices: Some(choices.to_owned()),
                all: true,
            });
        }
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

#[cfg(test)]
mod tests;
