//! The ledger's entries one after the other, each with the record that it stands for.

use crate::walk::{Lost, Walk};
use crate::{Error, Event, Result};
use rescind_ledger::Cursor;
use rescind_model::{Digest, SessionId};
use rescind_supervisor::Store;
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// How many journals are open at once.
const OPEN: usize = 128;
/// How often the ledger is looked at while it is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// Events from some entry of the ledger on: each entry once, in order, without a gap. At the end it can be asked again
/// later: it follows the ledger.
pub struct Events {
    store: Store,
    cursor: Cursor,
    /// The entry that comes next.
    next: u64,
    journals: HashMap<SessionId, Known>,
    used: u64,
}

/// An entry, with its kind as it is named: a later version's kinds are told, too.
#[derive(Deserialize)]
struct Named {
    kind: String,
    time: String,
    session: String,
    action: Option<String>,
    body: Option<String>,
    note: Option<String>,
}

/// A session whose entries came by.
struct Known {
    walk: std::result::Result<Walk, Lost>,
    agent: String,
    owner: String,
    domain: String,
    environment: String,
    used: u64,
}

impl Events {
    /// From entry `seq` on, at most one behind the last.
    ///
    /// # Errors
    /// [`Error::Ledger`]: there are fewer entries, or the ledger can't be read.
    pub fn from(store: &Store, seq: u64) -> Result<Self> {
        Ok(Self {
            store: store.clone(),
            cursor: store.ledger().cursor(seq)?,
            next: seq,
            journals: HashMap::new(),
            used: 0,
        })
    }

    /// The number of the entry that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The next event; `None`: there is none yet.
    ///
    /// # Errors
    /// The ledger can't be read, or holds something that is no entry.
    #[expect(
        clippy::should_implement_trait,
        reason = "an iterator that ended is over; this one goes on when the ledger grows"
    )]
    pub fn next(&mut self) -> Result<Option<Event>> {
        let Some((seq, bytes)) = self.cursor.advance()? else {
            return Ok(None);
        };
        self.next = seq + 1;
        let entry: Named = serde_json::from_slice(&bytes).map_err(|error| Error::Entry {
            seq,
            why: error.to_string(),
        })?;
        Ok(Some(self.event(seq, entry)))
    }

    /// Up to `most` events that are there now.
    ///
    /// # Errors
    /// As [`Events::next`].
    pub fn batch(&mut self, most: usize) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        while events.len() < most
            && let Some(event) = self.next()?
        {
            events.push(event);
        }
        Ok(events)
    }

    /// Wait until there is another event, but not longer than this; whether there is.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub fn wait(&mut self, timeout: Duration) -> Result<bool> {
        let begun = Instant::now();
        loop {
            // One look at where the next entry would begin.
            if self.store.ledger().len()? > self.next {
                return Ok(true);
            }
            let left = timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                return Ok(false);
            }
            std::thread::sleep(LOOK.min(left));
        }
    }

    fn event(&mut self, seq: u64, entry: Named) -> Event {
        let mut event = Event {
            seq,
            time: entry.time,
            kind: entry.kind,
            session: entry.session,
            action: entry.action,
            agent: String::new(),
            owner: String::new(),
            domain: String::new(),
            environment: String::new(),
            digest: entry.body,
            body: None,
            missing: None,
        };
        let id = event.session.parse::<SessionId>().ok();
        let known = id.map(|id| self.journal(id));
        if let Some(known) = &known {
            event.agent.clone_from(&known.agent);
            event.owner.clone_from(&known.owner);
            event.domain.clone_from(&known.domain);
            event.environment.clone_from(&known.environment);
        }
        match (&event.digest, known) {
            (None, _) => event.body = entry.note.map(note),
            (Some(digest), Some(known)) => match known.body(digest) {
                Ok(body) => event.body = Some(body),
                Err(why) => event.missing = Some(why),
            },
            (Some(_), None) => event.missing = Some("it belongs to no session".to_owned()),
        }
        event
    }

    /// The journal of a session, opened where it is not; the one that was used longest ago is closed for it.
    fn journal(&mut self, id: SessionId) -> &mut Known {
        self.used += 1;
        if !self.journals.contains_key(&id)
            && self.journals.len() >= OPEN
            && let Some(oldest) = self
                .journals
                .iter()
                .min_by_key(|(_, known)| known.used)
                .map(|(id, _)| id.clone())
        {
            self.journals.remove(&oldest);
        }
        let store = &self.store;
        let known = self
            .journals
            .entry(id)
            .or_insert_with_key(|id| Known::open(store, id));
        known.used = self.used;
        known
    }
}

impl Known {
    fn open(store: &Store, id: &SessionId) -> Self {
        let walk = Walk::open(store, id);
        let opened = walk.as_ref().ok().and_then(Walk::opened);
        let (agent, owner, domain, environment) = opened
            .map(|opened| (opened.agent, opened.user, opened.domain, opened.environment))
            .unwrap_or_default();
        Self {
            walk,
            agent,
            owner,
            domain,
            environment,
            used: 0,
        }
    }

    fn body(&mut self, digest: &str) -> std::result::Result<Value, String> {
        let walk = self.walk.as_mut().map_err(|lost| lost.text())?;
        let parsed: Digest = digest.parse().map_err(|_| format!("`{digest}` is no digest"))?;
        match walk.to(&parsed, |_| {}) {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
            None => Err(match &walk.damage {
                Some(damage) => format!("its journal is damaged: {damage}"),
                None => "it is not in the session's journal".to_owned(),
            }),
        }
    }
}

/// A note: a JSON object, or a sentence.
fn note(text: String) -> Value {
    match serde_json::from_str::<Value>(&text) {
        Ok(object @ Value::Object(_)) => object,
        _ => Value::String(text),
    }
}
