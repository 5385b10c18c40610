//! All holds that wait, kept in memory and up to date: for whoever shows them to many, again and again.

use super::files;
use super::watch::{Changed, Watch};
use super::{Hold, HoldForm};
use crate::{DomainSet, lives, now};
use rescind_model::domain::covers;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is looked whether those who wait still live.
const LIVES: Duration = Duration::from_millis(500);
/// How often somebody who waits for a change looks.
const LOOK: Duration = Duration::from_millis(20);

/// The holds that wait. Shared between threads.
#[derive(Debug)]
pub struct OpenHolds {
    state: Mutex<State>,
    changed: Condvar,
}

/// Since when and which: the order of lists.
type Place = (String, String);

#[derive(Debug)]
struct State {
    watch: Watch,
    holds: BTreeMap<Place, Open>,
    places: HashMap<String, Place>,
    waiters: HashMap<String, bool>,
    checked: Option<Instant>,
    unreadable: BTreeMap<String, String>,
    version: u64,
}

#[derive(Debug)]
struct Open {
    hold: Arc<Hold>,
    /// What a text is looked for in, in small letters.
    text: String,
}

/// Which holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldFilter {
    /// What the reader may see.
    pub domains: DomainSet,
    /// A domain and what is below it.
    pub domain: Option<String>,
    /// The kind of environment.
    pub environment: Option<String>,
    /// The agent's name.
    pub agent: Option<String>,
    /// Who started the session.
    pub requester: Option<String>,
    /// The session.
    pub session: Option<String>,
    /// The tier that is asked now, or a group that is to be heard.
    pub group: Option<String>,
    /// Words of its command, agent, requester, domain, reasons or action: all of them.
    pub text: Option<String>,
}

impl HoldFilter {
    /// All that a reader may see.
    #[must_use]
    pub fn of(domains: DomainSet) -> Self {
        Self {
            domains,
            domain: None,
            environment: None,
            agent: None,
            requester: None,
            session: None,
            group: None,
            text: None,
        }
    }
}

/// A page of holds, oldest first.
#[derive(Debug, Clone)]
pub struct HoldList {
    /// They.
    pub holds: Vec<Arc<Hold>>,
    /// Where the next page begins; none: this is the last.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: u64,
    /// The version that this is of.
    pub version: u64,
}

impl OpenHolds {
    /// Those of this directory, which need not be there yet.
    #[must_use]
    pub fn at(directory: PathBuf) -> Self {
        Self {
            state: Mutex::new(State {
                watch: Watch::at(directory),
                holds: BTreeMap::new(),
                places: HashMap::new(),
                waiters: HashMap::new(),
                checked: None,
                unreadable: BTreeMap::new(),
                version: 0,
            }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Take in what changed. The version, which is another each time that anything did.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn look(&self) -> io::Result<u64> {
        Ok(self.fresh()?.version)
    }

    fn fresh(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        let before = state.version;
        state.look()?;
        if state.version != before {
            self.changed.notify_all();
        }
        Ok(state)
    }

    /// Wait until the version is another than `seen`, but not longer than this. The version then.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn wait(&self, seen: u64, timeout: Duration) -> io::Result<u64> {
        let begun = Instant::now();
        loop {
            let state = self.fresh()?;
            let left = timeout.saturating_sub(begun.elapsed());
            if state.version != seen || left.is_zero() {
                return Ok(state.version);
            }
            let waited = self.changed.wait_timeout(state, LOOK.min(left));
            drop(waited.unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// A page of at most `limit` holds, oldest first, behind the one that `after` names ([`HoldList::next`]).
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn list(&self, filter: &HoldFilter, after: Option<&str>, limit: usize) -> io::Result<HoldList> {
        let state = self.fresh()?;
        let after = after.and_then(|after| after.split_once('~'));
        let after = after.map(|(since, action)| (since.to_owned(), action.to_owned()));
        let asked = Asked::of(filter);
        let mut list = HoldList {
            holds: Vec::new(),
            next: None,
            total: 0,
            version: state.version,
        };
        let mut last: Option<&Place> = None;
        for (place, open) in state.holds.iter().filter(|(_, open)| asked.fits(open)) {
            list.total += 1;
            if after.as_ref().is_some_and(|after| place <= after) {
                continue;
            }
            if list.holds.len() < limit.max(1) {
                list.holds.push(Arc::clone(&open.hold));
                last = Some(place);
            } else if list.next.is_none() {
                list.next = last.map(|(since, action)| format!("{since}~{action}"));
            }
        }
        Ok(list)
    }

    /// One hold that waits.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn get(&self, action: &str) -> io::Result<Option<Arc<Hold>>> {
        let state = self.fresh()?;
        let open = state.places.get(action).and_then(|place| state.holds.get(place));
        Ok(open.map(|open| Arc::clone(&open.hold)))
    }

    /// How many wait that a reader may see.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn count(&self, domains: &DomainSet) -> io::Result<u64> {
        let state = self.fresh()?;
        if domains.is_everything() {
            return Ok(state.holds.len() as u64);
        }
        let seen = state.holds.values();
        Ok(seen.filter(|open| domains.covers(&open.hold.form.domain)).count() as u64)
    }

    /// Those that lie there and can't be read, and why.
    #[must_use]
    pub fn unreadable(&self) -> BTreeMap<String, String> {
        self.state().unreadable.clone()
    }
}

impl State {
    fn look(&mut self) -> io::Result<()> {
        match self.watch.changed()? {
            Changed::All => self.read_all(),
            Changed::These(actions) => {
                for action in actions {
                    self.read(&action);
                }
            }
        }
        if self.checked.is_none_or(|checked| checked.elapsed() >= LIVES) {
            self.check_waiters();
        }
        Ok(())
    }

    fn read_all(&mut self) {
        let gone: Vec<String> = self
            .places
            .keys()
            .filter(|action| !self.watch.files.contains_key(*action))
            .cloned()
            .collect();
        let there: Vec<String> = self.watch.files.keys().cloned().collect();
        for action in gone.iter().chain(&there) {
            self.read(action);
        }
    }

    /// Read a hold again.
    fn read(&mut self, action: &str) {
        let open = self.watch.files.get(action).filter(|files| files.is_open());
        let read = open.map(|files| files::read(&self.watch.directory, action, files));
        let hold = match read {
            None => None,
            Some(Ok(hold)) => hold,
            Some(Err(error)) => {
                self.unreadable.insert(action.to_owned(), error.to_string());
                self.remove(action);
                return;
            }
        };
        self.unreadable.remove(action);
        let Some(hold) = hold else {
            self.remove(action);
            return;
        };
        let alive = *self
            .waiters
            .entry(hold.form.waiter.clone())
            .or_insert_with_key(|waiter| lives(waiter));
        if alive {
            self.insert(hold);
        } else {
            self.remove(action);
        }
    }

    fn insert(&mut self, hold: Hold) {
        let action = hold.form.action.clone();
        let place = (hold.form.since.clone(), action.clone());
        let known = self.places.get(&action).and_then(|place| self.holds.get(place));
        if known.is_some_and(|open| *open.hold == hold) {
            return;
        }
        self.remove(&action);
        let open = Open {
            text: text(&hold.form),
            hold: Arc::new(hold),
        };
        self.holds.insert(place.clone(), open);
        self.places.insert(action, place);
        self.version += 1;
    }

    fn remove(&mut self, action: &str) {
        if let Some(place) = self.places.remove(action) {
            self.holds.remove(&place);
            self.version += 1;
        }
    }

    /// Leave out what nobody waits for any more. Each who waits is looked at once.
    fn check_waiters(&mut self) {
        self.checked = Some(Instant::now());
        let mut waiters: HashMap<String, bool> = HashMap::new();
        for open in self.holds.values() {
            if !waiters.contains_key(&open.hold.form.waiter) {
                let waiter = open.hold.form.waiter.clone();
                let alive = lives(&waiter);
                waiters.insert(waiter, alive);
            }
        }
        let void = self
            .holds
            .values()
            .filter(|open| waiters.get(&open.hold.form.waiter) == Some(&false));
        let void: Vec<String> = void.map(|open| open.hold.form.action.clone()).collect();
        for action in void {
            self.remove(&action);
        }
        waiters.retain(|_, alive| *alive);
        self.waiters = waiters;
    }
}

/// A filter, made ready.
struct Asked<'f> {
    filter: &'f HoldFilter,
    session: Option<String>,
    words: Vec<String>,
}

impl<'f> Asked<'f> {
    fn of(filter: &'f HoldFilter) -> Self {
        let words = filter.text.iter().flat_map(|text| text.split_whitespace());
        Self {
            filter,
            session: filter.session.as_ref().map(|session| format!("{session}.")),
            words: words.map(str::to_lowercase).collect(),
        }
    }

    fn fits(&self, open: &Open) -> bool {
        let form = &open.hold.form;
        let filter = self.filter;
        let is = |asked: &Option<String>, own: &str| asked.as_ref().is_none_or(|asked| asked == own);
        filter.domains.covers(&form.domain)
            && filter
                .domain
                .as_ref()
                .is_none_or(|asked| covers(asked, &form.domain))
            && is(&filter.environment, &form.environment)
            && is(&filter.agent, &form.agent)
            && is(&filter.requester, &form.requester)
            && self
                .session
                .as_ref()
                .is_none_or(|session| form.action.starts_with(session))
            && filter.group.as_ref().is_none_or(|group| asks(form, group))
            && self.words.iter().all(|word| open.text.contains(word))
    }
}

/// Whether a tier or group is asked now.
fn asks(form: &HoldForm, group: &str) -> bool {
    let tier = form.tier_at(now()).and_then(|tier| form.tiers.get(tier));
    tier.is_some_and(|tier| tier.name == group) || form.judged.groups.iter().any(|own| own == group)
}

fn text(form: &HoldForm) -> String {
    let mut text = [
        form.action.as_str(),
        &form.agent,
        &form.requester,
        &form.domain,
        &form.argv.join(" "),
        &form.judged.reasons.join(" "),
    ]
    .join(" ");
    if let Some(reasoning) = &form.reasoning {
        text.push(' ');
        text.push_str(reasoning);
    }
    text.to_lowercase()
}
