//! An undo that spans sessions: their effects under one run's numbers, in order of time, as one scope.

use super::joined::{Joined, Known};
use super::later;
use super::scope::{ScopeArgs, Scoped};
use super::window::{Met, Window, spans};
use crate::error::{Code, Done, Failure};
use crate::history::{History, effects};
use rescind_model::{Effect, SessionId, Timestamp};
use rescind_recovery::{Earlier, Split};
use rescind_supervisor::{SessionView, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// The sessions that an undo spans, put together.
pub struct Across {
    window: Window,
    met: Vec<Met>,
    /// Their histories, oldest first. Never empty.
    pub histories: Vec<History>,
    /// Their objects.
    pub joined: Rc<Joined>,
}

impl Across {
    /// What a window meets now; or, for an undo that is gone on with, what it met when it began.
    ///
    /// # Errors
    /// Nothing is met, or it can't be read.
    pub fn new(store: &Store, window: Window, resumed: Option<&SessionId>) -> Done<Self> {
        let mut met = match resumed {
            Some(undo) => spans(store, undo, &window)?,
            None => window.sessions(store)?,
        };
        let known = Known::default();
        let mut histories = met
            .iter()
            .map(|own| History::load_before(store, &own.id, None, &known))
            .collect::<Done<Vec<_>>>()?;
        if resumed.is_none() {
            let standing: Vec<bool> = met.iter().zip(&histories).map(stands).collect();
            // What is undone already is not undone again, unless it is all there is.
            if standing.contains(&true) {
                let mut keep = standing.iter();
                met.retain(|_| keep.next() == Some(&true));
                let mut keep = standing.iter();
                histories.retain(|_| keep.next() == Some(&true));
            }
        }
        let joined = match resumed {
            Some(undo) => Joined::of(store, &names(&met), undo, &known)?,
            None => Rc::new(Joined::new(store, &histories, &known)?),
        };
        Ok(Self {
            window,
            met,
            histories,
            joined,
        })
    }

    /// The runs, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &SessionView> {
        self.histories.iter().filter_map(History::root)
    }

    /// An undo of one of these that was interrupted, if there is one.
    #[must_use]
    pub fn unfinished(&self) -> Option<&SessionView> {
        let of = |history: &'_ History| history.root().map(|root| root.id.clone());
        self.histories
            .iter()
            .find_map(|history| history.unfinished(&of(history)?))
    }

    /// What was done to these runs so far, in the first one's numbers.
    ///
    /// # Errors
    /// Never: the runs are those that were joined.
    pub fn earlier(&self) -> Done<Earlier> {
        let mut undos: BTreeMap<SessionId, Vec<_>> = BTreeMap::new();
        for history in &self.histories {
            let Some(root) = history.root() else { continue };
            let numbers = self.joined.numbers(&root.id)?;
            for view in history.undos(&root.id) {
                let records = view.system.iter().filter_map(|record| numbers.record(record));
                // One that spans several is read as the first of them has it.
                undos.entry(view.id.clone()).or_insert_with(|| records.collect());
            }
        }
        Ok(Earlier::read(undos.values().flatten()))
    }

    /// The effects of all runs in order of time, divided by the window and by what the arguments narrow it to; and those
    /// of others on the same paths.
    ///
    /// # Errors
    /// The ledger can't be read.
    pub fn scoped(&self, store: &Store, args: &ScopeArgs) -> Done<Scoped> {
        let mut all: Vec<(Timestamp, Effect, bool)> = Vec::new();
        let mut narrowed = String::new();
        for (at, (met, view)) in self.met.iter().zip(self.runs()).enumerate() {
            let numbers = self.joined.numbers(&view.id)?;
            let mut own = effects(view);
            // A later one says which stamps of what it moved or linked stand for the same bytes.
            for later in self.runs().skip(at + 1) {
                for effect in &mut own {
                    later.stamps.rename(&mut effect.before);
                    later.stamps.rename(&mut effect.after);
                }
            }
            let one = args.split(store, view, own)?;
            narrowed = one.narrowed;
            for (effect, inside) in one.split.effects.iter().zip(one.split.inside) {
                let in_window = met
                    .nodes
                    .as_ref()
                    .is_none_or(|nodes| nodes.contains(&effect.action.number));
                if let Some(translated) = numbers.effect(effect) {
                    all.push((began(view, effect), translated, inside && in_window));
                }
            }
        }
        // Within a session the planner keeps the order of capture.
        all.sort_by_key(|(time, _, _)| *time);
        let mut split = Split::default();
        for (_, effect, inside) in all {
            split.effects.push(effect);
            split.inside.push(inside);
        }
        let own: BTreeSet<SessionId> = self.met.iter().map(|met| met.id.clone()).collect();
        if let Some(first) = self.met.first() {
            let others = later::of_others(store, &first.id, &own, &split)?;
            split.inside.resize(split.inside.len() + others.len(), false);
            split.effects.extend(others);
        }
        let count = crate::text::count(self.met.len() as u64, "session", "sessions");
        let text = format!(
            "{} ({count}: {}){narrowed}",
            self.window.text(),
            names(&self.met).join(" ")
        );
        Ok(Scoped {
            text,
            narrowed,
            target: None,
            split,
        })
    }
}

/// The refusal where an undo of one session was interrupted and another one asks for more.
#[must_use]
pub fn interrupted(undo: &SessionView) -> Failure {
    let of = undo.opened.undoes.clone().unwrap_or_default();
    Failure::new(
        Code::SessionBusy,
        format!("undo {} of session {of} was interrupted", undo.id),
    )
    .help(format!(
        "`rescind undo {of}` goes on with it; then give this command again"
    ))
}

fn names(met: &[Met]) -> Vec<String> {
    met.iter().map(|met| met.id.to_string()).collect()
}

/// Whether anything of a session in the window is not taken back yet.
fn stands((met, history): (&Met, &History)) -> bool {
    let Some(root) = history.root() else {
        return false;
    };
    let taken = history.earlier(&root.id).taken();
    let inside = |effect: &&Effect| {
        met.nodes
            .as_ref()
            .is_none_or(|nodes| nodes.contains(&effect.action.number))
    };
    let mut effects = root.effects.iter().filter(inside);
    effects.any(|effect| !taken.contains(&effect.id()))
}

fn began(view: &SessionView, effect: &Effect) -> Timestamp {
    let node = view.nodes.get(&effect.action.number);
    let time = node.map_or(&view.opened.time, |node| &node.started.time);
    time.parse().unwrap_or_default()
}
