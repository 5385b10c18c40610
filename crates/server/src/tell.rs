//! Telling people of holds: what begins to wait, what moved, what was decided goes into the outbox, each once.

use crate::app::{App, Shared};
use rescind_index::DomainSet;
use rescind_model::{Class, Timestamp, chain, command_line};
use rescind_notify::{Event, Message, Outbox};
use rescind_supervisor::control::KillReport;
use rescind_supervisor::holds::{ClosedForm, Decision, Hold, HoldFilter};
use rescind_supervisor::now;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// How long a look at the holds may wait for the next change.
const LOOK: Duration = Duration::from_millis(250);
/// How many holds are read at a time.
const PAGE: usize = 500;

/// Begin. Also without anybody to be told: pages hear of changes by it.
///
/// # Errors
/// The system refuses a thread.
pub fn start(app: &Shared) -> io::Result<Option<JoinHandle<()>>> {
    let app = Arc::clone(app);
    let thread = std::thread::Builder::new().name("tell".to_owned());
    thread.spawn(move || Teller::default().run(&app)).map(Some)
}

/// What was told.
#[derive(Default)]
struct Teller {
    /// Actions that wait, with how often each had moved and which tier is asked.
    known: HashMap<String, (u32, String)>,
}

impl Teller {
    fn run(&mut self, app: &App) {
        let mut seen = 0;
        while !app.is_ending() {
            match app.open.wait(seen, LOOK) {
                Ok(version) if version == seen => {}
                Ok(version) => {
                    seen = version;
                    app.changed();
                    self.look(app, app.outbox.as_deref());
                }
                Err(error) => {
                    tracing::error!(error = chain(&error), "the holds can't be read");
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
        }
    }

    fn look(&mut self, app: &App, outbox: Option<&Outbox>) {
        let filter = HoldFilter::of(DomainSet::Everything);
        let mut after: Option<String> = None;
        let mut waiting = HashMap::new();
        loop {
            let Ok(list) = app.open.page(&filter, after.as_deref(), PAGE) else {
                return;
            };
            for hold in &list.holds {
                let form = &hold.form;
                let tier = form
                    .tier_at(now())
                    .and_then(|at| form.tiers.get(at))
                    .map(|tier| tier.name.clone())
                    .unwrap_or_default();
                let before = self.known.get(&form.action);
                let event = match before {
                    None => Some(Event::Held),
                    Some((moved, _)) if *moved != form.moved => Some(Event::Moved),
                    Some((_, asked)) if *asked != tier => Some(Event::Escalated),
                    Some(_) => None,
                };
                if let (Some(event), Some(outbox)) = (event, outbox) {
                    put(outbox, &held(app, hold, event, &tier));
                }
                waiting.insert(form.action.clone(), (form.moved, tier));
            }
            match list.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for action in self.known.keys().filter(|action| !waiting.contains_key(*action)) {
            if let (Ok(Some(hold)), Some(closed)) = (app.holds.read(action), app.holds.closed(action)) {
                count(app, &hold, &closed);
                if let Some(outbox) = outbox {
                    put(outbox, &decided(app, &hold, &closed));
                }
            }
        }
        self.known = waiting;
    }
}

/// How long a hold waited, and its decision.
fn count(app: &App, hold: &Hold, closed: &ClosedForm) {
    let between = |from: &str, to: &str| {
        let (from, to) = (from.parse::<Timestamp>().ok()?, to.parse::<Timestamp>().ok()?);
        u64::try_from(to.0.saturating_sub(from.0))
            .ok()
            .map(Duration::from_nanos)
    };
    if let Some(waited) = between(&hold.form.since, &closed.at) {
        app.metrics.hold_ended(closed.how.name(), waited);
    }
    let last = closed.decisions.iter().map(|said| &said.at).max();
    if let Some(took) = last.and_then(|said| between(said, &closed.at)) {
        app.metrics.decision_delivered(took);
    }
}

/// What can't be put is said in the log: the hold is on the page all the same.
fn put(outbox: &Outbox, message: &Message) {
    if let Err(error) = outbox.put(message) {
        tracing::error!(error = chain(&error), key = message.key, "nobody is told of this");
    }
}

fn about(app: &App, hold: &Hold, event: Event, key: String, at: &str) -> Message {
    let form = &hold.form;
    let at = at.parse::<Timestamp>().unwrap_or_else(|_| now());
    let link = format!("{}/holds/{}", app.base_url, form.action);
    let mut message = Message::new(key, event, at, link);
    message.domain.clone_from(&form.domain);
    message.environment.clone_from(&form.environment);
    message.agent.clone_from(&form.agent);
    message.owner.clone_from(&form.requester);
    message.session = form.action.split('.').next().unwrap_or_default().to_owned();
    message.action = Some(form.action.clone());
    message.what = command_line(&form.argv);
    message.why = form.reasoning.clone().unwrap_or_default();
    message.reasons.clone_from(&form.judged.reasons);
    message.class = Class::from_name(&form.judged.class);
    message.score = Some(form.judged.score);
    let paths = form.preview.iter().flat_map(|preview| &preview.paths);
    message.changes = paths
        .map(|path| format!("{} ({})", path.path, path.kind))
        .collect();
    message
}

/// Something waits, again, or for others.
fn held(app: &App, hold: &Hold, event: Event, tier: &str) -> Message {
    let form = &hold.form;
    // Without the event: after a restart nobody knows which of them it was, and it is told already.
    let key = format!("hold:{}:{}:{tier}", form.action, form.moved);
    let mut message = about(app, hold, event, key, &form.since);
    message.until = form.expires.parse().ok();
    message.groups = match tier {
        "" => form.judged.groups.clone(),
        tier => vec![tier.to_owned()],
    };
    message
}

/// Something was decided.
fn decided(app: &App, hold: &Hold, closed: &ClosedForm) -> Message {
    let key = format!("decided:{}", hold.form.action);
    let mut message = about(app, hold, Event::Decided, key, &closed.at);
    let by: Vec<&str> = closed.decisions.iter().map(|said| said.person.as_str()).collect();
    message.by = by.join(", ");
    let said = closed
        .decisions
        .iter()
        .rev()
        .find(|said| said.decision == Decision::Reject)
        .and_then(|said| said.message.clone());
    message.outcome = match said {
        Some(text) => format!("{}: {text}", closed.how.name()),
        None => closed.how.name().to_owned(),
    };
    message
}

/// Something was stopped.
pub fn stopped(app: &App, report: &KillReport) {
    let Some(outbox) = &app.outbox else { return };
    let stop = &report.stop;
    let at = stop.at.parse::<Timestamp>().unwrap_or_else(|_| now());
    let mut message = Message::new(
        format!("kill:{}:{}", stop.id, stop.at),
        Event::Kill,
        at,
        format!("{}/stop", app.base_url),
    );
    message.what = stop.scope.to_string();
    message.by.clone_from(&stop.by);
    message.reasons = vec![stop.why.clone()];
    message.outcome = format!("{}: {} sessions", stop.mode.done(), report.sessions.len());
    put(outbox, &message);
}

/// An undo has ended.
pub fn undone(app: &App, number: u64, session: &str, domain: &str, person: &str, outcome: &str) {
    let Some(outbox) = &app.outbox else { return };
    let link = format!("{}/undos/{number}", app.base_url);
    let at = now();
    let mut message = Message::new(format!("undo:{session}:{at}"), Event::Undo, at, link);
    domain.clone_into(&mut message.domain);
    session.clone_into(&mut message.session);
    person.clone_into(&mut message.by);
    message.what = format!("session {session}");
    outcome.clone_into(&mut message.outcome);
    put(outbox, &message);
}
