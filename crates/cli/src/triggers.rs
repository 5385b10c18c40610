//! Triggers: what stops by itself, as the person's `triggers.toml` says.
//!
//! A trigger is fired from a thread of its own: whoever is judged waits for none, and it waits for the gateways as every kill does.

use crate::out::say;
use crate::text::clean;
use rescind_desk::{Configuration, Occasion, Trigger};
use rescind_model::Verdict;
use rescind_supervisor::control::{ControlError, KillReport, Member};
use rescind_supervisor::holds::{Instead, Lesson};
use rescind_supervisor::{Asked, Connecting, Desk, Home, Judged, Store};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the end of a session waits for the record of what it set off.
const RECORD: Duration = Duration::from_secs(3);

/// The desk of a session that is watched by triggers.
pub struct WithTriggers {
    desk: Box<dyn Desk>,
    watch: Watch,
}

struct Watch {
    triggers: Vec<Trigger>,
    member: Member,
    store: Arc<Store>,
    denials: u32,
    limits: u32,
    flaps: u32,
    fired: Vec<JoinHandle<()>>,
}

impl WithTriggers {
    /// Around a desk.
    pub fn new(desk: Box<dyn Desk>, triggers: Vec<Trigger>, member: Member, store: Arc<Store>) -> Self {
        let watch = Watch {
            triggers,
            member,
            store,
            denials: 0,
            limits: 0,
            flaps: 0,
            fired: Vec::new(),
        };
        Self { desk, watch }
    }
}

impl Watch {
    fn judged(&mut self, judged: &Judged) {
        if judged.limited {
            self.limits += 1;
            let reason = judged.form.reasons.first().cloned().unwrap_or_default();
            self.fire(Occasion::Limit, self.limits, &format!("a limit is hit: {reason}"));
        }
        if let Verdict::Deny(reasons) = &judged.verdict {
            self.denials += 1;
            let last = reasons.first().map_or("", String::as_str);
            self.fire(
                Occasion::Denials,
                self.denials,
                &format!("{} denials in a row, the last: {last}", self.denials),
            );
        }
    }

    /// Set off what is set off at exactly this count.
    fn fire(&mut self, on: Occasion, count: u32, why: &str) {
        let set_off = |trigger: &&Trigger| trigger.on == on && trigger.count == count;
        for trigger in self.triggers.iter().filter(set_off) {
            let (trigger, member, store) = (trigger.clone(), self.member.clone(), Arc::clone(&self.store));
            let why = format!("{why} (session {})", member.session);
            let thread = std::thread::Builder::new().name("trigger".to_owned());
            let stop = move || {
                let stopped = trigger.set_off(&member, store.home(), Some(&store), &why);
                say_what_came_of_it(&trigger.by(), stopped);
            };
            match thread.spawn(stop) {
                Ok(fired) => self.fired.push(fired),
                Err(error) => say(format!("rescind: a trigger could not be fired: {error}")),
            }
        }
    }
}

fn say_what_came_of_it(trigger: &str, stopped: Result<KillReport, ControlError>) {
    match stopped {
        Ok(report) => say(format!("rescind: {}", clean(&report.stop.sentence()))),
        Err(error) => say(format!("rescind: {trigger} could stop nothing: {error}")),
    }
}

/// A verification found faults: stop what the person wants stopped then.
pub fn tampered(home: &Home, what: &str) {
    match Configuration::of_user().triggers() {
        Ok(triggers) => {
            for stopped in rescind_desk::tampered(&triggers, home, what) {
                say_what_came_of_it("trigger `tamper`", stopped);
            }
        }
        Err(error) => say(format!("rescind: {error}; nothing was stopped by itself")),
    }
}

impl Desk for WithTriggers {
    fn judge(&mut self, asked: &Asked<'_>) -> Judged {
        let judged = self.desk.judge(asked);
        self.watch.judged(&judged);
        judged
    }

    fn judge_connection(&mut self, connecting: &Connecting<'_>) -> Judged {
        let judged = self.desk.judge_connection(connecting);
        self.watch.judged(&judged);
        judged
    }

    fn captured(&mut self, node: u64, read: &[Result<String, String>]) -> Option<Judged> {
        let judged = self.desk.captured(node, read);
        if let Some(judged) = &judged {
            self.watch.judged(judged);
        }
        judged
    }

    fn learn(&mut self, judged: &Judged, lesson: &Lesson) -> Result<(), String> {
        self.desk.learn(judged, lesson)
    }

    fn replace(&mut self, judged: &Judged, instead: &Instead) -> Result<(), String> {
        self.desk.replace(judged, instead)
    }

    fn asks_about_local(&self) -> bool {
        self.desk.asks_about_local()
    }

    fn approved(&mut self, judged: &Judged) -> Result<(), String> {
        self.desk.approved(judged)
    }

    fn settled(&mut self, judged: &Judged, ran: bool) {
        if ran {
            self.watch.denials = 0;
        }
        self.desk.settled(judged, ran);
    }

    fn halt(&mut self, why: &str) {
        self.desk.halt(why);
        self.watch.flaps += 1;
        self.watch.fire(Occasion::Flapping, self.watch.flaps, why);
    }

    fn failed(&mut self, why: &str, choices: &str) {
        self.desk.failed(why, choices);
    }

    fn ended(&mut self, node: u64, files: Option<u64>) {
        self.desk.ended(node, files);
    }

    fn closed(&mut self) -> Option<i32> {
        let begun = Instant::now();
        let waits = |fired: &Vec<JoinHandle<()>>| fired.iter().any(|thread| !thread.is_finished());
        while waits(&self.watch.fired) && begun.elapsed() < RECORD {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.desk.closed()
    }
}
