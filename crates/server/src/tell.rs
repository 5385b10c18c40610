//! Telling people: what begins to wait, what moved, what was decided, stopped and undone goes into the outbox, each once. What
//! waits is seen by its files; what happened, by the ledger, from where it was told to. So nothing is missed that happened
//! while no server ran, and nobody is asked for what is over by then.

mod channels;
mod messages;
mod record;

use crate::app::{App, Shared};
use messages::{decided, held};
use record::Record;
use rescind_index::DomainSet;
use rescind_model::Timestamp;
use rescind_notify::{Event, Message, Outbox};
use rescind_supervisor::control::KillReport;
use rescind_supervisor::holds::{ClosedForm, Hold, HoldFilter};
use rescind_supervisor::{lives, now};
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long a look at the holds may wait for the next change.
const LOOK: Duration = Duration::from_millis(250);
/// How many holds are read at a time.
const PAGE: usize = 500;
/// How long is waited after something could not be read.
const TROUBLE: Duration = Duration::from_secs(1);

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
    record: Option<Record>,
    /// When the record could not be followed.
    trouble: Option<Instant>,
    channels: channels::Channels,
    /// Whether what was asked before the server began has been looked at.
    caught_up: bool,
}

impl Teller {
    fn run(&mut self, app: &App) {
        let mut seen = 0;
        while !app.is_ending() {
            // What is over is told before anybody is asked for what is not.
            let followed = self.follow(app);
            self.channels.look(&app.outbox);
            match app.open.wait(seen, LOOK) {
                Ok(version) if version == seen => {}
                Ok(version) => {
                    seen = version;
                    app.changed();
                    self.look(app);
                }
                Err(error) => {
                    tracing::error!(error = rescind_model::chain(&error), "the holds can't be read");
                    std::thread::sleep(TROUBLE);
                }
            }
            if followed && !self.caught_up {
                self.caught_up = self.catch_up(app);
            }
        }
        if let Some(record) = &mut self.record
            && let Err(error) = record.end(&app.outbox)
        {
            tracing::warn!(
                error = rescind_model::chain(&error),
                "some of the ledger is gone through again later"
            );
        }
    }

    /// Tell what the ledger has that is new. Whether all of it could be.
    fn follow(&mut self, app: &App) -> bool {
        if self.trouble.is_some_and(|since| since.elapsed() < TROUBLE) {
            return false;
        }
        let followed = match &mut self.record {
            Some(record) => record.follow(app, &app.outbox),
            none => {
                Record::open(app, &app.outbox).and_then(|record| none.insert(record).follow(app, &app.outbox))
            }
        };
        self.trouble = followed.is_err().then(Instant::now);
        if let Err(error) = &followed {
            tracing::error!(
                error = rescind_model::chain(error),
                "what is on record is told to nobody just now; it is tried again"
            );
        }
        followed.is_ok()
    }

    fn look(&mut self, app: &App) {
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
                if let Some(event) = event {
                    put(&app.outbox, &held(app, hold, event, &tier));
                }
                waiting.insert(form.action.clone(), (form.moved, tier));
            }
            match list.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        for action in self.known.keys().filter(|action| !waiting.contains_key(*action)) {
            if let Some((hold, Some(closed))) = over(app, action) {
                count(app, &hold, &closed);
            }
        }
        self.known = waiting;
    }

    /// What was asked before this server began and is over by now, though the ledger does not say so: who waited for it was
    /// killed meanwhile. Whether it could be looked at.
    fn catch_up(&self, app: &App) -> bool {
        match app.outbox.asked() {
            Ok(asked) => {
                for action in asked.iter().filter(|action| !self.known.contains_key(*action)) {
                    let _it_is_told = over(app, action);
                }
                true
            }
            Err(error) => {
                tracing::error!(
                    error = rescind_model::chain(&error),
                    "who was asked can't be read"
                );
                false
            }
        }
    }
}

/// A hold that does not wait any more: told, if the ledger did not say it first.
fn over(app: &App, action: &str) -> Option<(Hold, Option<ClosedForm>)> {
    let hold = app.holds.read(action).ok().flatten()?;
    let closed = app.holds.closed(action);
    match &closed {
        Some(closed) => put(&app.outbox, &decided(app, &hold, closed)),
        None if !lives(&hold.form.waiter) => put(&app.outbox, &messages::void(app, &hold)),
        None => {}
    }
    Some((hold, closed))
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
        tracing::error!(
            error = rescind_model::chain(&error),
            key = message.key,
            "nobody is told of this"
        );
    }
}

/// Something was stopped here. It is told at once: a ledger that can't be written is not waited for.
pub fn stopped(app: &App, report: &KillReport) {
    put(&app.outbox, &messages::stopped(app, report));
}

/// An undo that was begun here failed. One that came to a receipt is told by the ledger.
pub fn undo_failed(app: &App, number: u64, session: &str, domain: &str, person: &str, why: &str) {
    put(
        &app.outbox,
        &messages::failed(app, number, session, domain, person, why),
    );
}
