//! What of the sessions on record an undo that spans several is about: by time, agent and domain.

use super::scope::ScopeArgs;
use super::stop::wait_for_books;
use crate::context;
use crate::error::{Code, Done, Failure};
use crate::out::say;
use crate::text::{clean, parse_duration};
use rescind_model::domain::covers;
use rescind_model::{SessionId, Timestamp};
use rescind_supervisor::journal::{SessionKind, SessionOpened};
use rescind_supervisor::{SessionView, Store, StoreError, now, opened};
use std::collections::BTreeSet;

/// A time window, an agent, a domain: what is not given is not asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    agent: Option<String>,
    domain: Option<String>,
}

/// A session of which something is in the window.
pub struct Met {
    /// The session.
    pub id: SessionId,
    /// The nodes whose actions began in the window; `None`: all of them.
    pub nodes: Option<BTreeSet<u64>>,
}

impl Window {
    /// The window that arguments ask for; `None`: they ask for one session.
    ///
    /// # Errors
    /// A time is none.
    pub fn of(args: &ScopeArgs) -> Done<Option<Self>> {
        let window = Self {
            since: args.since.as_deref().map(time).transpose()?,
            until: args.until.as_deref().map(time).transpose()?,
            agent: args.agent.clone(),
            domain: args.domain.clone(),
        };
        let asked = args.is_wide();
        if let (Some(since), Some(until)) = (window.since, window.until)
            && since >= until
        {
            let message = format!("there is no time between {since} and {until}");
            return Err(Failure::new(Code::BadArgument, message));
        }
        Ok(asked.then_some(window))
    }

    /// The same as arguments, with times that mean the same whenever they are read.
    pub fn write_to(&self, args: &mut ScopeArgs) {
        args.since = self.since.map(|time| time.to_string());
        args.until = self.until.map(|time| time.to_string());
    }

    /// In words.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = match &self.agent {
            Some(agent) => format!("all that agent {} did", clean(agent)),
            None => "all that agents did".to_owned(),
        };
        if let Some(domain) = &self.domain {
            text.push_str(&format!(" in {}", clean(domain)));
        }
        if let Some(since) = self.since {
            text.push_str(&format!(" since {since}"));
        }
        if let Some(until) = self.until {
            text.push_str(&format!(" until {until}"));
        }
        text
    }

    /// The runs that are met, oldest first.
    ///
    /// # Errors
    /// There are none, or the store can't be read.
    pub fn sessions(&self, store: &Store) -> Done<Vec<Met>> {
        let mut met = Vec::new();
        let mut unreadable = 0_usize;
        for id in store.sessions()? {
            let Ok(begun) = opened(store, &id) else {
                unreadable += 1;
                continue;
            };
            // What was staged was never real.
            if begun.staged || !self.fits(&begun) {
                continue;
            }
            wait_for_books(store, &id)?;
            let view = match SessionView::load(store, &id) {
                Ok(view) => view,
                Err(StoreError::Vault(_) | StoreError::Journal { .. }) => {
                    unreadable += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            met.extend(self.of_session(&view));
        }
        if unreadable > 0 {
            say(format!(
                "rescind: {unreadable} sessions are erased or unreadable and were not looked at"
            ));
        }
        if met.is_empty() {
            let message = format!("no session is on record with {}", self.text());
            return Err(Failure::new(Code::NoSuchSession, message)
                .help("`rescind sessions` lists them; --agent is a name as it is shown there"));
        }
        Ok(met)
    }

    fn fits(&self, begun: &SessionOpened) -> bool {
        let within = |domain: &String| covers(domain, &begun.domain);
        let began = begun.time.parse::<Timestamp>().ok();
        begun.kind == SessionKind::Run
            && self.agent.as_ref().is_none_or(|agent| *agent == begun.agent)
            && self.domain.as_ref().is_none_or(within)
            && self
                .until
                .is_none_or(|until| began.is_none_or(|began| began < until))
    }

    /// An action belongs to the window when it began in it, and with it everything that it started.
    fn of_session(&self, view: &SessionView) -> Option<Met> {
        let id = view.id.clone();
        if self.since.is_none() && self.until.is_none() {
            return Some(Met { id, nodes: None });
        }
        let inside = |number: &u64| {
            let action = view.nodes.get(&view.action_of(*number));
            let began = action.and_then(|node| node.started.time.parse::<Timestamp>().ok());
            began.is_some_and(|began| {
                self.since.is_none_or(|since| began >= since) && self.until.is_none_or(|until| began < until)
            })
        };
        let nodes: BTreeSet<u64> = view.nodes.keys().copied().filter(inside).collect();
        if nodes.len() == view.nodes.len() && !nodes.is_empty() {
            return Some(Met { id, nodes: None });
        }
        let changed = |effect: &rescind_model::Effect| nodes.contains(&effect.action.number);
        view.effects.iter().any(changed).then_some(Met {
            id,
            nodes: Some(nodes),
        })
    }
}

/// A time as people give it: RFC 3339, or a duration back from now.
///
/// # Errors
/// It is neither.
pub fn time(text: &str) -> Done<Timestamp> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        let nanoseconds = i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX);
        return Ok(Timestamp(nanoseconds));
    }
    let wrong = || {
        Failure::new(
            Code::BadArgument,
            format!(
                "`{text}` is no time; write 2026-11-21T10:00:00Z, or a duration back from now as in 120m"
            ),
        )
    };
    let back = parse_duration(text).map_err(|_| wrong())?;
    let back = i64::try_from(back)
        .ok()
        .and_then(|back| back.checked_mul(1_000_000_000));
    let time = back
        .and_then(|back| now().0.checked_sub(back))
        .ok_or_else(wrong)?;
    Ok(Timestamp(time))
}

/// The session that an id names, as it is: for undos that are gone on with.
///
/// # Errors
/// It can't be read.
pub fn spans(store: &Store, undo: &SessionId, window: &Window) -> Done<Vec<Met>> {
    let begun = opened(store, undo)?;
    let mut met = Vec::new();
    for span in begun.taken_back() {
        let id = context::session(store, Some(span))?;
        let view = context::load(store, &id)?;
        met.extend(window.of_session(&view));
    }
    Ok(met)
}
