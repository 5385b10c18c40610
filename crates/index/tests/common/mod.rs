//! Histories: sessions written through the real log, as a supervisor would write them, from a seed.

#![allow(dead_code, reason = "each test uses its own part")]

pub mod open;

use rescind_model::{
    Content, Digest, EffectId, Fields, Level, ObjectId, ResourceId, Seq, SessionId, Stamp, State, Surface,
    Value,
};
use rescind_supervisor::entry::EntryKind;
use rescind_supervisor::holds::{Closed, ClosedForm, Decision, DecisionForm};
use rescind_supervisor::journal::{
    AfterForm, BeforeForm, DecidedForm, EnvironmentForm, ExitForm, JudgedForm, NodeEnded, NodeStarted,
    OutcomeForm, OutputForm, Record, RejudgedForm, Role, SessionEnded, SessionKind, SessionOpened, StateForm,
    WaitedForm,
};
use rescind_supervisor::{
    Home, Receipt, Recorder as _, Restored, SessionLog, StepEnd, Store, SystemRecord, now, process_mark, salt,
};
use rescind_vault::Remains;
use std::path::Path;
use std::sync::Arc;

/// A small generator of numbers: what a seed says is said again.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % most.max(1)
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub fn pick<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[usize::try_from(self.below(among.len() as u64)).unwrap()]
    }
}

pub fn store(folder: &Path) -> Arc<Store> {
    Arc::new(Store::open(Home::at(folder)).unwrap())
}

/// A session's id from a number, so that they sort as they begin.
pub fn session(number: u64) -> SessionId {
    SessionId::new(1_700_000_000_000 + number, 7)
}

pub fn opened(id: &SessionId, agent: &str, domain: &str) -> SessionOpened {
    SessionOpened {
        id: id.to_string(),
        salt: salt(),
        kind: SessionKind::Run,
        time: now().to_string(),
        agent: agent.to_owned(),
        argv: vec![agent.to_owned(), "do it".to_owned()],
        cwd: "/work".to_owned(),
        user: "ann".to_owned(),
        host: "h".to_owned(),
        supervisor: process_mark(std::process::id()),
        undoes: None,
        scope: None,
        spans: Vec::new(),
        domain: domain.to_owned(),
        environment: "staging".to_owned(),
        staged: false,
        promotes: None,
    }
}

pub fn judged(verdict: &str, class: &str, score: u8) -> JudgedForm {
    JudgedForm {
        class: class.to_owned(),
        kind: "files.write".to_owned(),
        score,
        factors: Vec::new(),
        verdict: verdict.to_owned(),
        reasons: vec![format!("it is {class}")],
        recovery: "none".to_owned(),
        policy: "p".to_owned(),
        uncovered: Vec::new(),
        persons: u8::from(verdict == "hold"),
        groups: Vec::new(),
        notify: Vec::new(),
        auto_undo: false,
        entry: None,
        compensation: None,
        advice: None,
        rule: None,
    }
}

pub fn node(n: u64, parent: u64, role: Role, argv: &[&str]) -> NodeStarted {
    NodeStarted {
        n,
        parent,
        role,
        time: now().to_string(),
        salt: salt(),
        pid: 7,
        exe: format!("/bin/{}", argv[0]),
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        cwd: "/work".to_owned(),
        env: EnvironmentForm::default(),
        reasoning: None,
        judged: None,
    }
}

pub fn ended(n: u64, exit: ExitForm) -> NodeEnded {
    NodeEnded {
        n,
        time: now().to_string(),
        exit,
        output: OutputForm::default(),
        effects: 0,
        missing: Vec::new(),
    }
}

pub fn closing(how: &str) -> SessionEnded {
    SessionEnded {
        time: now().to_string(),
        exit: ExitForm::Code(0),
        how: how.to_owned(),
        effects: 0,
        missing: Vec::new(),
    }
}

pub fn decided(n: u64, how: Closed) -> DecidedForm {
    DecidedForm {
        n,
        salt: salt(),
        closed: ClosedForm {
            how,
            at: now().to_string(),
            decisions: vec![DecisionForm {
                decision: Decision::Approve,
                person: "ben".to_owned(),
                at: now().to_string(),
                digest: "d".to_owned(),
                message: Some("as it is".to_owned()),
                always: None,
                change: None,
            }],
        },
    }
}

/// A file's state: what it holds, as which object, changed when.
pub fn file(object: u64, content: u64, mtime: i64, mode: i64) -> State {
    let body = Content {
        length: 3 + content,
        digest: (!content.is_multiple_of(3)).then(|| Digest::of(&content.to_le_bytes())),
        stamp: Some(Stamp(format!("1:{object}:0:{}:{}", 3 + content, mtime + mode))),
        kept: None,
    };
    State::Present(
        Fields::new()
            .with("content", Value::Content(body))
            .with("kind", Value::Text("file".into()))
            .with("mode", Value::Int(mode))
            .with("mtime", Value::Int(mtime))
            .with("object", Value::Object(ObjectId(object))),
    )
}

pub fn folder(object: u64, mtime: i64) -> State {
    State::Present(
        Fields::new()
            .with("kind", Value::Text("dir".into()))
            .with("mtime", Value::Int(mtime))
            .with("object", Value::Object(ObjectId(object))),
    )
}

pub fn before(session: &SessionId, s: u64, n: u64, name: &str, state: &State) -> BeforeForm {
    BeforeForm {
        s,
        n,
        f: "files".to_owned(),
        k: format!("{session}:1/{name}"),
        p: format!("/work/{name}"),
        b: StateForm::from(state),
        i: None,
        w: OutcomeForm::Intended,
    }
}

pub fn after(s: u64, state: &State) -> AfterForm {
    AfterForm {
        s,
        a: StateForm::from(state),
        c: false,
        g: false,
    }
}

/// A session that goes on.
pub struct Running {
    pub id: SessionId,
    pub log: SessionLog,
    next: u64,
    seq: u64,
    /// Nodes that have not ended.
    open: Vec<u64>,
    /// Nodes that wait for a person.
    held: Vec<u64>,
    /// Effects whose outcome is not seen: number, before, place.
    effects: Vec<(u64, State, u64)>,
    /// Effects with their nodes, for an undo.
    done: Vec<(u64, u64)>,
}

/// A store that sessions are written to.
pub struct World {
    pub store: Arc<Store>,
    pub dice: Dice,
    pub running: Vec<Running>,
    pub ended: Vec<(SessionId, Vec<(u64, u64)>)>,
    pub undos: Vec<(SessionId, Vec<(u64, u64)>)>,
    pub erased: Vec<SessionId>,
    count: u64,
}

impl World {
    pub fn new(folder: &Path, seed: u64) -> Self {
        Self {
            store: store(folder),
            dice: Dice::new(seed),
            running: Vec::new(),
            ended: Vec::new(),
            undos: Vec::new(),
            erased: Vec::new(),
            count: 0,
        }
    }

    /// Something happens.
    pub fn step(&mut self) {
        if self.running.is_empty() || self.running.len() < 4 && self.dice.chance(5) {
            return self.begin();
        }
        match self.dice.below(200) {
            0 => self.erase(),
            1 => self.control(),
            2..6 => self.undo(),
            6..11 => self.end(),
            _ => {
                let at = usize::try_from(self.dice.below(self.running.len() as u64)).unwrap();
                let mut running = self.running.swap_remove(at);
                running.step(&mut self.dice);
                self.running.push(running);
            }
        }
    }

    pub fn begin(&mut self) {
        self.count += 1;
        let id = session(self.count);
        let agent = *self.dice.pick(&["claude-code", "codex", "bot"]);
        let domain = *self.dice.pick(&["payments/prod", "payments", "shop", ""]);
        let opening = opened(&id, agent, domain);
        let log = self.store.begin(&id, opening, Level::Process).unwrap();
        self.running.push(Running {
            id,
            log,
            next: 1,
            seq: 0,
            open: Vec::new(),
            held: Vec::new(),
            effects: Vec::new(),
            done: Vec::new(),
        });
    }

    fn end(&mut self) {
        let at = usize::try_from(self.dice.below(self.running.len() as u64)).unwrap();
        let running = self.running.swap_remove(at);
        let how = *self.dice.pick(&["ended", "ended", "killed", "recovered"]);
        running.log.close(&closing(how)).unwrap();
        self.ended.push((running.id, running.done));
    }

    /// Take back a session or an undo, wholly or in part, now and then with steps that fail.
    pub fn undo(&mut self) {
        let of_undo = self.dice.chance(30) && !self.undos.is_empty();
        let among = if of_undo { &self.undos } else { &self.ended };
        if among.is_empty() {
            return;
        }
        let (of, done) = self.dice.pick(among).clone();
        if self.erased.contains(&of) || done.is_empty() {
            return;
        }
        self.count += 1;
        let id = session(self.count);
        let opening = SessionOpened {
            kind: SessionKind::Undo,
            undoes: Some(of.to_string()),
            scope: Some(of.to_string()),
            ..opened(&id, "rescind", "payments")
        };
        let log = self.store.begin(&id, opening, Level::Process).unwrap();
        let record = |record: SystemRecord| (&log).record(&record).unwrap();
        record(SystemRecord::Opened {
            session: id.clone(),
            scope: of.to_string(),
            plan: Digest::of(b"plan"),
            behind: Vec::new(),
        });
        let mut settled = Vec::new();
        let mut receipt = Receipt::default();
        for (place, (node, seq)) in done.iter().enumerate() {
            if self.dice.chance(20) {
                continue;
            }
            let action = id.action(place as u64 + 1);
            record(SystemRecord::StepStarted {
                action: action.clone(),
                resource: ResourceId {
                    surface: Surface::Files,
                    key: b"s:1/a".to_vec(),
                },
                name: format!("/work/{place}"),
                took: vec![EffectId {
                    action: of.action(*node),
                    seq: Seq(*seq),
                }],
                whole: true,
            });
            let end = match self.dice.below(10) {
                0 => StepEnd::Failed("no".to_owned()),
                1 => StepEnd::Ended(Restored::Drifted { now: State::Absent }),
                2 => StepEnd::Ended(Restored::Kept {
                    why: "asked".to_owned(),
                }),
                3 => continue,
                _ => StepEnd::Ended(Restored::Done { left: State::Absent }),
            };
            receipt.restored += 1;
            settled.push((place as u64 + 1, place as u64 + 1));
            record(SystemRecord::StepEnded { action, end });
        }
        record(SystemRecord::Receipt(receipt));
        record(SystemRecord::Closed { session: id.clone() });
        log.close(&closing("ended")).unwrap();
        self.undos.push((id, settled));
    }

    fn erase(&mut self) {
        let all = self.ended.iter().chain(&self.undos);
        let among: Vec<SessionId> = all.map(|(id, _)| id.clone()).collect();
        if among.is_empty() {
            return;
        }
        let id = self.dice.pick(&among).clone();
        self.erase_one(id);
    }

    pub fn erase_one(&mut self, id: SessionId) {
        if self.erased.contains(&id) {
            return;
        }
        let kind = EntryKind::VaultErased;
        self.store
            .note(kind, &id, "its content was erased".to_owned())
            .unwrap();
        self.store.vault().erase(&id, Remains::Nothing).unwrap();
        self.erased.push(id);
    }

    fn control(&mut self) {
        let note = r#"{"scope":"everything","why":"a test"}"#.to_owned();
        self.store.note_control(EntryKind::KillCalled, note).unwrap();
    }
}

impl Running {
    pub fn step(&mut self, dice: &mut Dice) {
        match dice.below(10) {
            0..3 => self.start(dice),
            3..5 => self.stop(dice),
            5 if !self.held.is_empty() => self.decide(dice),
            5 => self.say(dice),
            _ => self.touch(dice),
        }
    }

    pub fn start(&mut self, dice: &mut Dice) {
        let n = self.next;
        self.next += 1;
        let roles = [
            Role::Action,
            Role::Action,
            Role::Action,
            Role::Process,
            Role::Process,
            Role::Direct,
        ];
        let role = if n == 1 { Role::Agent } else { *dice.pick(&roles) };
        let parent = match role {
            Role::Process => dice.below(n),
            _ => u64::from(n > 1),
        };
        let mut started = node(n, parent, role, &["tool", &format!("arg{n}"), "some words"]);
        if role == Role::Action {
            let verdict = *dice.pick(&["allow", "allow", "hold", "deny"]);
            let class = *dice.pick(&["reversible_with_state", "irreversible", "unknown"]);
            let mut form = judged(verdict, class, u8::try_from(dice.below(101)).unwrap());
            if dice.chance(20) {
                form.uncovered.push("a mail is sent".to_owned());
            }
            started.judged = Some(Box::new(form));
            if verdict == "hold" {
                self.held.push(n);
            }
        }
        self.log.start(&started).unwrap();
        self.open.push(n);
    }

    fn stop(&mut self, dice: &mut Dice) {
        if self.open.is_empty() {
            return;
        }
        let at = usize::try_from(dice.below(self.open.len() as u64)).unwrap();
        let n = self.open.swap_remove(at);
        let exit = match dice.below(8) {
            0 => ExitForm::Code(2),
            1 => ExitForm::Signal(9),
            2 => ExitForm::NotStarted,
            3 => ExitForm::Unknown,
            // A program goes on as a later one.
            4 if n + 1 < self.next => ExitForm::Exec(n + 1),
            _ => ExitForm::Code(0),
        };
        let mut end = ended(n, exit);
        if dice.chance(10) {
            end.missing.push(("/dev/x".to_owned(), "a device".to_owned()));
        }
        self.log.end(&end).unwrap();
        self.held.retain(|held| *held != n);
    }

    fn decide(&mut self, dice: &mut Dice) {
        let n = self.held.remove(0);
        if dice.chance(30) {
            let waited = WaitedForm {
                n,
                salt: salt(),
                at: now().to_string(),
                tier: None,
                what: "it went on".to_owned(),
            };
            self.log.waited(&waited).unwrap();
        }
        let how = *dice.pick(&[
            Closed::Approved,
            Closed::Approved,
            Closed::Changed,
            Closed::Rejected,
            Closed::Expired,
            Closed::Void,
        ]);
        self.log.decided(&decided(n, how)).unwrap();
    }

    fn say(&mut self, dice: &mut Dice) {
        if self.next == 1 {
            return;
        }
        let n = 1 + dice.below(self.next - 1);
        let record = match dice.below(3) {
            0 => Record::Missing {
                n,
                what: "/proc/x".to_owned(),
                why: "no file".to_owned(),
            },
            1 => Record::Escape {
                n,
                what: "/run/docker.sock".to_owned(),
                why: "it could act".to_owned(),
            },
            _ => Record::Rejudged(Box::new(RejudgedForm {
                n,
                judged: judged("deny", "irreversible", 99),
            })),
        };
        self.log.write(&[record]).unwrap();
    }

    fn touch(&mut self, dice: &mut Dice) {
        if self.next == 1 {
            return;
        }
        let small = |dice: &mut Dice, most| i64::try_from(dice.below(most)).unwrap();
        if !self.effects.is_empty() && dice.chance(60) {
            let (s, was, place) = self.effects.remove(0);
            let (state, c) = match dice.below(6) {
                0 => (was, true),
                1 => (State::Absent, false),
                2 => (folder(place, small(dice, 5)), false),
                _ => (some_file(dice, place), dice.chance(30)),
            };
            let form = AfterForm {
                c,
                ..after(s, &state)
            };
            return self.log.write(&[Record::After(form)]).unwrap();
        }
        self.seq += 1;
        let n = 1 + dice.below(self.next - 1);
        let place = dice.below(6);
        let was = match dice.below(4) {
            0 => State::Absent,
            1 => folder(place, small(dice, 5)),
            _ => some_file(dice, place),
        };
        let slash = if dice.chance(10) { "/" } else { "" };
        let name = format!("sub{}/f{place}{slash}", place % 2);
        let form = BeforeForm {
            i: dice.chance(20).then(|| StateForm::from(&State::Absent)),
            w: if dice.chance(10) {
                OutcomeForm::NotCaptured
            } else {
                OutcomeForm::Intended
            },
            ..before(&self.id, self.seq, n, &name, &was)
        };
        self.effects.push((self.seq, was, place));
        self.done.push((n, self.seq));
        self.log.write(&[Record::Before(form)]).unwrap();
    }
}

fn some_file(dice: &mut Dice, place: u64) -> State {
    let object = place + 10 * dice.below(2);
    let content = dice.below(4);
    let mtime = i64::try_from(dice.below(3)).unwrap();
    file(
        object,
        content,
        mtime,
        0o600 + i64::try_from(dice.below(2)).unwrap(),
    )
}
