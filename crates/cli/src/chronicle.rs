//! Every change of a path over all sessions, runs and undos alike, in order of time.

mod repository;

pub use repository::Repository;

use crate::changes::{Kind, attributes};
use crate::content::on_disk;
use crate::error::Done;
use crate::history::{History, effects};
use rescind_model::{Content, Effect, EffectId, Outcome, SessionId, State, command_line};
use rescind_recovery::{Earlier, MERGE_LIMIT};
use rescind_supervisor::journal::SessionKind;
use rescind_supervisor::{Bodies as _, Life, SessionView, Store, StoreError, StoredBodies};
use std::collections::HashMap;

/// The sessions with changes that were asked for.
pub struct Chronicle {
    chapters: Vec<Chapter>,
    /// Sessions that are erased or can't be read.
    pub unreadable: usize,
}

/// One session, and what it changed of what was asked for.
struct Chapter {
    view: SessionView,
    effects: Vec<Effect>,
}

/// One change of one path.
#[derive(Debug, Clone, Copy)]
pub struct Change<'c> {
    /// The session.
    pub view: &'c SessionView,
    /// What it did.
    pub effect: &'c Effect,
}

impl Chronicle {
    /// Read what all sessions did to paths whose names are asked for.
    ///
    /// # Errors
    /// The store can't be read. Sessions that can't are counted.
    pub fn read(store: &Store, asked: impl Fn(&str) -> bool) -> Done<Self> {
        let mut chapters = Vec::new();
        let mut unreadable = 0_usize;
        for id in store.sessions()? {
            let view = match SessionView::load(store, &id) {
                Ok(view) => view,
                Err(StoreError::Vault(_) | StoreError::Journal { .. }) => {
                    unreadable += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if view.opened.staged {
                continue;
            }
            let mut own = effects(&view);
            own.retain(|effect| is_change(effect) && asked(&effect.name));
            if !own.is_empty() {
                chapters.push(Chapter { view, effects: own });
            }
        }
        Ok(Self { chapters, unreadable })
    }

    /// The changes, in order of time; those of one session in its own order.
    #[must_use]
    pub fn changes(&self) -> Vec<Change<'_>> {
        let mut all: Vec<Change<'_>> = Vec::new();
        for chapter in &self.chapters {
            // A process that runs on while others start keeps its place: what it did is after what it found.
            let mut latest = String::new();
            for change in chapter.changes() {
                if change.time() > latest.as_str() {
                    change.time().clone_into(&mut latest);
                }
                let place = all.partition_point(|other| other.time() <= latest.as_str());
                all.insert(place, change);
            }
        }
        all
    }

    /// The effects that are taken back, each with the undo that did it.
    ///
    /// # Errors
    /// The sessions around can't be read.
    pub fn undone(&self, store: &Store) -> Done<HashMap<EffectId, SessionId>> {
        let mut undone = HashMap::new();
        for chapter in &self.chapters {
            let id = &chapter.view.id;
            let history = History::load(store, id)?;
            let taken = history.earlier(id).taken();
            for undo in history.undos(id) {
                for own in Earlier::read(&undo.system).undone {
                    let took = own.took.into_iter().filter(|took| taken.contains(took));
                    undone.extend(took.map(|took| (took, undo.id.clone())));
                }
            }
        }
        Ok(undone)
    }
}

impl Chapter {
    fn changes(&self) -> impl Iterator<Item = Change<'_>> {
        let view = &self.view;
        self.effects.iter().map(move |effect| Change { view, effect })
    }
}

fn is_change(effect: &Effect) -> bool {
    let unchanged = effect.outcome == Outcome::Observed && effect.before.same(&effect.after);
    !effect.resource.key.ends_with(b"/") && !unchanged
}

impl Change<'_> {
    /// When its action began, RFC 3339.
    #[must_use]
    pub fn time(&self) -> &str {
        let node = self.view.nodes.get(&self.effect.action.number);
        node.map_or(&self.view.opened.time, |node| &node.started.time)
    }

    /// The action; a step of an undo is itself one.
    #[must_use]
    pub fn action(&self) -> String {
        let number = self.view.action_of(self.effect.action.number);
        self.view.id.action(number).to_string()
    }

    /// Its command.
    #[must_use]
    pub fn command(&self) -> String {
        let action = self.view.action_of(self.effect.action.number);
        match self.view.nodes.get(&action) {
            Some(node) => node.started.command(),
            None => command_line(&self.view.opened.argv),
        }
    }

    /// Why, where the agent said so.
    #[must_use]
    pub fn reasoning(&self) -> Option<&str> {
        let action = self.view.action_of(self.effect.action.number);
        let node = self.view.nodes.get(&action);
        let own = node.and_then(|node| node.started.reasoning.as_deref());
        own.or(self.view.opened.scope.as_deref())
    }

    /// What was done to the path, in a word.
    #[must_use]
    pub fn what(&self) -> &'static str {
        let Effect { before, after, .. } = self.effect;
        match Kind::between(before, after) {
            Kind::Created => "create",
            Kind::Changed | Kind::Moved => "edit",
            Kind::Deleted => "remove",
            Kind::Attributes => {
                let differing = attributes(before, after);
                let only_times = differing.iter().all(|own| own.starts_with("mtime"));
                if only_times { "time" } else { "mode" }
            }
        }
    }

    /// Whether what did it has ended, so that the state it left is on record.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let action = self.view.action_of(self.effect.action.number);
        let node = self.view.nodes.get(&action);
        node.is_some_and(|node| node.ended.is_some()) || self.view.life() == Life::Ended
    }

    /// Whether an undo did it.
    #[must_use]
    pub fn is_undo(&self) -> bool {
        self.view.opened.kind == SessionKind::Undo
    }
}

/// What files held at times, where that is kept: the state before one change is the state after another.
pub struct Contents<'s> {
    bodies: StoredBodies<'s>,
    known: HashMap<&'s str, Vec<&'s Content>>,
}

impl<'s> Contents<'s> {
    /// From what all sessions keep.
    #[must_use]
    pub fn new(store: &'s Store, chronicle: &'s Chronicle) -> Self {
        let mut known: HashMap<&str, Vec<&Content>> = HashMap::new();
        for effect in chronicle.chapters.iter().flat_map(|chapter| &chapter.effects) {
            let states = [&effect.before, &effect.after].into_iter();
            let contents = states.filter_map(|state| state.fields()?.content("content"));
            known.entry(&effect.name).or_default().extend(contents);
        }
        Self {
            bodies: StoredBodies::new(store, None),
            known,
        }
    }

    /// The bytes of a file's state; `None`: they are not kept, or are too many.
    #[must_use]
    pub fn bytes(&self, name: &str, state: &State) -> Option<Vec<u8>> {
        let content = state.fields()?.content("content")?;
        if content.length == 0 {
            return Some(Vec::new());
        }
        if content.length > MERGE_LIMIT {
            return None;
        }
        let kept = |content: &Content| self.bodies.read(content.kept.as_ref()?, MERGE_LIMIT).ok();
        let others = self.known.get(name).into_iter().flatten();
        let mut same = others.filter(|other| other.same(content) == Some(true));
        kept(content)
            .or_else(|| same.find_map(|other| kept(other)))
            .or_else(|| on_disk(name, content))
    }
}
